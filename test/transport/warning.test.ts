import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ApplicationError, UsageError, type WebSocketError } from '../../src/errors.ts';
import { nodeEnvironment } from '../../src/transport/node/index.ts';

test('what a listener throws is told with its kind, its file and its line', { timeout: 20_000 }, async () => {
  const script = fileURLToPath(new URL('./warning.child.ts', import.meta.url));
  const child = execFile(process.execPath, ['--import', 'tsx', script]);
  let printed = '';
  child.stderr!.on('data', (text) => {
    printed += text;
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(printed).toContain('[APPLICATION_FAILED] ApplicationError: the application failed: a defect');
  expect(printed).toMatch(/\nTypeError: a defect of the application\n +at .*warning\.child\.ts:7:11/);
  expect(printed).toMatch(/\[cause\]: RangeError: and what it came from\n +at .*warning\.child\.ts:7:\d+/);
});

test.each<[string, WebSocketError, string | undefined]>([
  ['nothing', new UsageError('INVALID_STATE', 'a mistake'), undefined],
  ['a text', new ApplicationError('thrown'), "'thrown'"],
  ['undefined', new ApplicationError(undefined), undefined],
  ['what cannot be made a text', new ApplicationError(Object.create(null)), '[Object: null prototype] {}'],
  [
    'what fails when it is looked at',
    new ApplicationError({
      [Symbol.for('nodejs.util.inspect.custom')]() {
        throw new Error('again');
      },
    }),
    expect.stringContaining('nodejs.util.inspect.custom'),
  ],
  [
    'an error that has no stack to be had',
    new ApplicationError(
      Object.defineProperty(new Error(), 'stack', {
        get() {
          throw new Error('again');
        },
      }),
    ),
    'what was thrown cannot be shown',
  ],
])('a warning whose cause is %s', async (_, error, detail) => {
  const warned = once(process, 'warning');
  nodeEnvironment.warn(error);
  const [warning] = (await warned) as [Error & { detail?: string }];
  expect(warning).toBe(error);
  expect(warning.detail).toEqual(detail);
});
