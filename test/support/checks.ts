/** Checks of a program that is run for itself, outside the test runner: a line for each, and an exit status for all. */

let passed = 0;
let failed = 0;

/** Runs one check; those behind it run whatever becomes of it. */
export async function check(name: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
    passed++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    const text = error instanceof Error ? error.message : String(error);
    console.log(`FAILED  ${name}\n        ${text.split('\n', 3).join('\n        ')}`);
  }
}

/** Prints the sum, and sets the exit status: 1 if a check failed or there was none. */
export function summarise(): void {
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
