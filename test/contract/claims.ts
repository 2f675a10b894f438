/** What a case claims, where there is no test runner: the first that does not hold ends it. */

/** `claim` is what should be so. */
export function holds(condition: boolean, claim: string): void {
  if (!condition) throw new Error(`not so: ${claim}`);
}

/** Compares plain values to their depth. */
export function equals(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`got ${a}, wanted ${b}`);
}

/** Compares the properties that `expected` has. */
export function matches(actual: unknown, expected: Readonly<Record<string, unknown>>): void {
  const source = (actual ?? {}) as Record<string, unknown>;
  for (const [name, value] of Object.entries(expected)) {
    if (typeof value === 'object' && value !== null) matches(source[name], value as Record<string, unknown>);
    else if (source[name] !== value) throw new Error(`${name} is ${String(source[name])}, not ${String(value)}`);
  }
}
