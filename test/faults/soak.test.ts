import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('T72: after connections that ended in every manner, nothing of them is left', { timeout: 120_000 }, async () => {
  const script = fileURLToPath(new URL('../../soak/main.ts', import.meta.url));
  const words = ['--expose-gc', '--import', 'tsx', script, '--minutes', '0.03', '--connections', '40'];
  // Rejects, with what it said, if the status is not 0.
  const { stdout } = await promisify(execFile)(process.execPath, words);
  expect(stdout).toMatch(/\nnothing is left\n$/);
});
