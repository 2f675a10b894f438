/** `sansocket key` and `sansocket decode`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { cli } from './support.ts';

const directory = mkdtempSync(join(tmpdir(), 'sansocket-decode-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('key', () => {
  test('answers the key of RFC 6455 section 1.3', async () => {
    const { code, stdout } = await cli(['key', 'dGhlIHNhbXBsZSBub25jZQ==']);
    expect(code).toBe(0);
    expect(stdout).toBe(
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n',
    );
    expect((await cli(['key', '--accept', 'dGhlIHNhbXBsZSBub25jZQ=='])).stdout).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n');
  });

  test('makes keys of 16 random bytes', async () => {
    const made = await Promise.all([cli(['key', '--json']), cli(['key', '--json'])]);
    const keys = made.map(({ stdout }) => JSON.parse(stdout) as { key: string; accept: string });
    for (const { key } of keys) expect(Buffer.from(key, 'base64')).toHaveLength(16);
    expect(keys[0]!.key).not.toBe(keys[1]!.key);
  });

  test.each([
    [['short'], "'short' is no key"],
    [['a', 'b'], 'give one key, or none'],
  ])('%o is refused', async (argv, told) => {
    const { code, stdout, stderr } = await cli(['key', ...argv]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told);
  });
});

test('key: --accept without a key would answer one that nobody has seen', async () => {
  const { code, stdout, stderr } = await cli(['key', '--accept']);
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining('--accept needs the key')]);
});

test('decode: what is left of a header is shown, too', async () => {
  const { code, stdout } = await cli(['decode', '8100', '82']);
  expect(code).toBe(3);
  expect(stdout).toMatch(/\n00000002 {2}82\n +the bytes end inside a frame header, 1 of it at offset 2\n$/);
});

describe('decode', () => {
  const decode = (...argv: string[]) => cli(['decode', ...argv]);
  const json = async (...argv: string[]) => {
    const { stdout } = await decode('--json', ...argv);
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  test('shows every bit of a header (the masked "Hello" of RFC 6455 section 5.7)', async () => {
    const { code, stdout } = await decode('818537fa213d7f9f4d5158');
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        '00000000  81 85 37 fa 21 3d  7f 9f 4d 51 58',
        '          FIN 1  RSV 000  opcode 0x1 text  MASK 1  length 5  key 37fa213d',
        '          text    fin  5 B  "Hello"',
        '',
      ].join('\n'),
    );
  });

  test.each([
    ['81:85:37:fa:21:3d:7f:9f:4d:51:58'],
    ['0x81,0x85,0x37 0xfa 0x21;3d7f9f4d5158'],
    ['\\x81\\x85\\x37\\xfa\\x21\\x3d\\x7f\\x9f\\x4d\\x51\\x58'],
  ])('reads %s', async (text) => {
    expect(await json(text)).toMatchObject([{ opcode: 'text', data: 'Hello', masked: true }]);
  });

  test('reads base64, a file, and standard input as it is', async () => {
    const bytes = Buffer.from('820300ff80', 'hex');
    const file = join(directory, 'frames.bin');
    writeFileSync(file, bytes);
    const wanted = [
      { opcode: 'binary', length: 3, data: Buffer.from('00ff80', 'hex').toString('base64'), encoding: 'base64' },
    ];
    expect(await json('--base64', bytes.toString('base64'))).toMatchObject(wanted);
    expect(await json('--file', file)).toMatchObject(wanted);
    const { stdout } = await cli(['decode', '--json'], { input: bytes });
    expect(JSON.parse(stdout)).toMatchObject(wanted[0]!);
  });

  test('goes from frame to frame, fragments and control frames among them', async () => {
    const frames = await json('01 03 48 65 6c', '89 01 21', '80 02 6c 6f', '88 05 03 e8 62 79 65');
    expect(frames).toMatchObject([
      { opcode: 'text', fin: false, data: 'Hel', offset: 0 },
      { opcode: 'ping', data: '!', offset: 5 },
      { opcode: 'continuation', fin: true, messageLength: 5, data: 'lo', offset: 8 },
      { opcode: 'close', closeCode: 1000, closeReason: 'bye', offset: 12 },
    ]);
  });

  test('inflates messages of RFC 7692, history included', async () => {
    const hello = 'f2 48 cd c9 c9 07 00';
    const frames = await json('--deflate', `c1 07 ${hello}`, 'c1 05 f2 00 11 00 00');
    expect(frames).toMatchObject([
      { rsv1: true, inflated: 5, data: 'Hello' },
      { rsv1: true, inflated: 5, data: 'Hello' },
    ]);
  });

  test('--json: a head is what it is in `trace --json`', async () => {
    const head = 'GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n';
    const { stdout } = await cli(['decode', '--json'], { input: head });
    const { type, line, headers, wireSize, ...rest } = JSON.parse(stdout);
    expect({ type, line, headers, wireSize }).toEqual({
      type: 'head',
      line: 'GET /chat HTTP/1.1',
      headers: [
        ['Host', 'x'],
        ['Upgrade', 'websocket'],
      ],
      wireSize: head.length,
    });
    expect(rest).toEqual({ from: 'client', at: 0 });
  });

  test('reads a head first', async () => {
    const head = 'GET /chat HTTP/1.1\r\nHost: example.test\r\nCookie: a=b\r\n\r\n';
    const { code, stdout } = await cli(['decode'], {
      input: Buffer.concat([Buffer.from(head), Buffer.from('818000000000', 'hex')]),
    });
    expect(code).toBe(0);
    expect(stdout).toContain('GET /chat HTTP/1.1\nHost: example.test\nCookie: a=b\n');
    expect(stdout).toContain(`${head.length.toString(16).padStart(8, '0')}  81 80 00 00 00 00`);
  });

  test.each([
    ['c1 00', 'RESERVED_BITS_SET (RFC 6455 5.2)'],
    ['83 00', 'RESERVED_OPCODE (RFC 6455 5.2)'],
    ['81 7e 00 7d', 'LENGTH_NOT_MINIMAL (RFC 6455 5.2)'],
    ['82 7f 80 00 00 00 00 00 00 00', 'LENGTH_HIGH_BIT_SET (RFC 6455 5.2)'],
    ['80 00', 'CONTINUATION_UNEXPECTED (RFC 6455 5.4)'],
    ['01 00 01 00', 'CONTINUATION_EXPECTED (RFC 6455 5.4)'],
    ['09 00', 'CONTROL_FRAGMENTED (RFC 6455 5.5)'],
    ['89 7e 00 7e', 'CONTROL_TOO_LONG (RFC 6455 5.5)'],
    ['81 02 c0 80', 'UTF8_INVALID (RFC 6455 8.1)'],
    ['88 01 03', 'CLOSE_PAYLOAD_TRUNCATED (RFC 6455 5.5.1)'],
    ['88 02 03 ed', 'CLOSE_CODE_INVALID (RFC 6455 7.4)'],
    ['81 00 81 80 00 00 00 00', 'MASK_UNEXPECTED (RFC 6455 5.1)'],
    ['--from client 81 00', 'MASK_MISSING (RFC 6455 5.1)'],
    ['--deflate c1 01 ff', 'EXTENSION_DATA_INVALID (RFC 6455 9)'],
    ['81', 'the bytes end inside a frame header'],
    ['81 05 48', 'the payload is cut: 4 of 5 bytes are missing'],
    ['81 ff 00 00 00 00 00 00 00 00', 'the bytes end inside a frame header'],
  ])('%s is shown for what it is, with exit code 3', async (text, told) => {
    const { code, stdout } = await decode(...text.split(' '));
    expect(code).toBe(3);
    expect(stdout).toContain(told);
  });

  test.each([
    [['xyz'], "'x' is no hexadecimal digit"],
    [['818'], 'half a byte is missing'],
    [['--base64', '!!!'], 'is not base64'],
    [['--file', '/nowhere/at/all'], 'cannot read --file'],
    [['--base64', 'gQA=', '8100'], 'give the bytes once'],
    [['--from', 'me', '8100'], '--from must be client or server'],
    [[], 'there are no bytes'],
  ])('%o is refused', async (argv, told) => {
    const { code, stdout, stderr } = await decode(...argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told);
  });

  test('a terminal is not waited for', async () => {
    expect(await cli(['decode'], { tty: true, input: null })).toMatchObject({ code: 2 });
  });

  test('escapes what a terminal would obey', async () => {
    const { stdout } = await decode('81 04 1b 5b 32 4a');
    expect(stdout).toContain('"\\x1b[2J"');
  });

  test('a bomb is shown with its first bytes, and not kept', async () => {
    const body = deflateRawSync(Buffer.alloc(4 * 1024 * 1024), { finishFlush: 2 }).subarray(0, -4);
    const header = Buffer.from([0xc2, 126, body.length >> 8, body.length & 255]);
    const { code, stdout } = await cli(['decode', '--deflate', '--json'], { input: Buffer.concat([header, body]) });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ inflated: 4 * 1024 * 1024, truncated: true });
  });

  test('any bytes end in an exit code, and print no control character', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.boolean(), async (bytes, deflate) => {
        const { code, stdout } = await cli(['decode', ...(deflate ? ['--deflate'] : [])], { input: bytes });
        expect([0, 3]).toContain(code);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
        expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
      }),
      { numRuns: 300 },
    );
  });
});
