/** Keeps credentials out of what is logged: the values of the header fields that carry them. */

const SECRET: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);

/** What is shown in place of a value. */
export const REDACTED = '[redacted]';

/** Name and value alternately, as pairs whose secrets are replaced. */
export function redact(rawHeaders: readonly string[]): (readonly [name: string, value: string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    pairs.push([name, SECRET.has(name.toLowerCase()) ? REDACTED : rawHeaders[i + 1]!]);
  }
  return pairs;
}
