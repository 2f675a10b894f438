/** `sansocket connect`: in pipes, in a terminal, and when there is nobody to talk to. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serve } from '../../src/server/serve.ts';
import type { Server } from '../../src/server/server.ts';
import { authority, local } from '../support/certificates.ts';
import { Command, cli, echoServer } from './support.ts';

let server: Server;
beforeAll(async () => {
  server = await echoServer();
});
afterAll(() => server.close());

const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('seed 108: in a pipe', () => {
  test('a line is a message, a message is a line, and nothing else is printed', async () => {
    const ended = await cli(['connect', server.url], { input: 'one\ntwo\r\n\nčtyři' });
    expect(ended).toEqual({ code: 0, stdout: Buffer.from('one\ntwo\n\nčtyři\n').toString(), stderr: '' });
  });

  test('a URL may lack its scheme', async () => {
    const ended = await cli(['connect', `127.0.0.1:${server.port}`, '-m', 'x']);
    expect(ended).toEqual({ code: 0, stdout: 'x\n', stderr: '' });
  });

  test('text is passed on as it is, and escapes are for terminals only', async () => {
    expect((await cli(['connect', server.url], { input: '\x1b[31mred\n' })).stdout).toBe('\x1b[31mred\n');
  });

  test('JSON is text that a terminal does not obey, and means what was said', async () => {
    const said = 'a\x9b31m\x7f\u202eb\u2028\u{e0041}č😀';
    const { stdout } = await cli(['connect', server.url, '--json', '-m', said], { tty: true });
    expect(lines(stdout)[1]).toMatchObject({ type: 'message', data: said });
    expect(stdout).toContain('a\\u009b31m\\u007f\\u202eb\\u2028\\udb40\\udc41č😀');
  });

  test('--binary keeps every byte but the line feeds', async () => {
    const input = Buffer.from([0, 255, 13, 10, 128, 10]);
    const { code, stdout } = await cli(['connect', server.url, '--binary'], { input });
    expect(code).toBe(0);
    expect(stdout).toBe(Buffer.from([0, 255, 13, 128]).toString('latin1'));
  });

  test('--whole sends all of the input as one message', async () => {
    const { stdout } = await cli(['connect', server.url, '--whole', '--json'], { input: 'a\nb\n' });
    expect(lines(stdout)).toMatchObject([{ type: 'open' }, { type: 'message', data: 'a\nb\n' }, { type: 'close' }]);
  });

  test('what is not UTF-8 is no text', async () => {
    const { code, stderr } = await cli(['connect', server.url], { input: Buffer.from([0xff, 10]) });
    expect(code).toBe(2);
    expect(stderr).toContain('not UTF-8: add --binary');
  });

  test('--message is sent instead of the input, in order', async () => {
    const command = new Command(['connect', server.url, '-m', 'a', '-m', 'b'], { input: null });
    expect(await command.ended).toEqual({ code: 0, stdout: 'a\nb\n', stderr: '' });
  });

  test('--max-message-size: larger messages may come', async () => {
    const generous = await echoServer({ maxMessageSize: null, maxBufferedAmount: null });
    const input = 'x'.repeat(2_097_152);
    const { code, stderr } = await cli(['connect', generous.url], { input });
    expect([code, stderr]).toEqual([1, expect.stringContaining('maxMessageSize')]);
    const flags = ['--max-message-size', '2MiB'];
    expect(await cli(['connect', generous.url, ...flags], { input })).toMatchObject({ code: 0, stdout: `${input}\n` });
    await generous.close();
  });

  test('--once ends with the first message, though the input stays open', async () => {
    const command = new Command(['connect', server.url, '--once'], { input: null }).write('a\nb\nc\n');
    expect(await command.ended).toEqual({ code: 0, stdout: 'a\n', stderr: '' });
  });

  test('--wait goes on behind the end of the input', async () => {
    const late = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
      socket.on('message', () => void setTimeout(() => socket.send('late'), 30));
    });
    expect((await cli(['connect', late.url, '-m', 'x'])).stdout).toBe('');
    expect((await cli(['connect', late.url, '-m', 'x', '--once'])).stdout).toBe('late\n');
    const waiting = new Command(['connect', late.url, '-m', 'x', '--wait', '1h']);
    await waiting.until('late');
    // As with every program, a second is too long to wait for somebody who has gone.
    expect((await waiting.interrupt()).code).toBe(130);
    await late.close();
  });

  test('--json tells of everything, bytes as base64', async () => {
    const { code, stdout } = await cli(['connect', server.url, '--json', '-m', 'ab', '--binary']);
    expect(code).toBe(0);
    expect(lines(stdout)).toEqual([
      { at: expect.any(Number), type: 'open', url: server.url, subprotocol: '', extensions: expect.any(String) },
      { at: expect.any(Number), type: 'message', kind: 'binary', data: 'YWI=', encoding: 'base64', wireSize: 4 },
      { at: expect.any(Number), type: 'close', code: 1000, reason: '', clean: true, remote: false },
    ]);
  });

  test('headers, subprotocol and origin are the ones given', async () => {
    const seen: unknown[] = [];
    const strict = await serve(
      { port: 0, host: '127.0.0.1', subprotocols: ['v2'], allowedOrigins: ['https://page.test'] },
      (socket, { headers, origin }) => {
        seen.push(headers.get('x-a'), headers.get('authorization'), origin, socket.subprotocol);
        void socket.close(4000, 'enough');
      },
    );
    const flags = [
      '-H',
      'X-A: 1',
      '-H',
      'Authorization:Bearer x',
      '-s',
      'v1',
      '-s',
      'v2',
      '--origin',
      'https://page.test',
    ];
    const { code, stderr } = await cli(['connect', strict.url, ...flags], { input: null });
    expect(seen).toEqual(['1', 'Bearer x', 'https://page.test', 'v2']);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'closed 4000 (a private code of the application) "enough"\n',
    });
    await strict.close();
  });

  test('wss: where nobody speaks TLS', async () => {
    const server = await echoServer();
    const { code, stderr } = await cli(['connect', server.url.replace('ws:', 'wss:'), '-m', 'x']);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'error: no connection could be made: what answers there does not speak TLS: is it ws: or http:?\n',
    });
    await server.close();
  });

  test('wss: --ca proves the server, --insecure does without', async () => {
    const secure = await echoServer({ tls: local });
    const directory = mkdtempSync(join(tmpdir(), 'sansocket-connect-'));
    const ca = join(directory, 'ca.pem');
    writeFileSync(ca, authority);
    expect(await cli(['connect', secure.url, '--ca', ca, '-m', 'x'])).toMatchObject({ code: 0, stdout: 'x\n' });
    expect(await cli(['connect', secure.url, '-k', '-m', 'x'])).toMatchObject({ code: 0, stdout: 'x\n' });
    const { code, stderr } = await cli(['connect', secure.url, '-m', 'x']);
    expect(code).toBe(1);
    expect(stderr).toContain('certificate');
    await secure.close();
    rmSync(directory, { recursive: true });
  });

  test.each([[[]], [['--json']]])('a peer waits for whoever reads the output (%j)', async (flags) => {
    const flooding = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
      for (let i = 0; i < 100; i++) socket.send(`message ${i}`);
    });
    const command = new Command(['connect', flooding.url, ...flags], { input: null });
    command.stdout.full = true;
    await command.until('message 0');
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(command.text.match(/message \d/g)).toEqual(['message 0']);
    command.stdout.read();
    await command.until('message 99');
    await command.interrupt();
    await flooding.close();
  });

  test('the end of the server is the end of the command', async () => {
    const leaving = await echoServer();
    const command = new Command(['connect', leaving.url], { input: null }).write('x\n');
    await command.until('x\n');
    await leaving.close({ reason: 'see you' });
    expect(await command.ended).toEqual({ code: 0, stdout: 'x\n', stderr: '' });
  });

  test('a connection that is lost is a failure', async () => {
    const dropping = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
      socket.on('message', () => socket.terminate());
    });
    const { code, stderr } = await cli(['connect', dropping.url, '-m', 'x', '--wait', '1m']);
    expect(code).toBe(1);
    expect(stderr).toContain('closed 1006');
    await dropping.close();
  });

  test('an interrupt closes in order', async () => {
    const codes: number[] = [];
    const watched = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
      socket.on('message', ({ data }) => void socket.send(data));
      socket.on('close', ({ code }) => codes.push(code));
    });
    const command = new Command(['connect', watched.url], { input: null }).write('x\n');
    await command.until('x');
    expect(await command.interrupt()).toEqual({ code: 130, stdout: 'x\n', stderr: '' });
    await watched.close();
    expect(codes).toEqual([1000]);
  });
});

describe('--reconnect', () => {
  test('comes back, and sends what was said meanwhile', async () => {
    const first = await echoServer();
    const { port } = first;
    const command = new Command(['connect', first.url, '--reconnect', '--json'], { input: null }).write('one\n');
    await command.until('"one"');
    await first.close({ code: 1012 });
    await command.until('"waiting"');
    command.write('two\n');
    const second = await echoServer({ port: port! });
    await command.until('"two"');
    const { code, stdout } = await command.interrupt();
    expect(code).toBe(130);
    const types = lines(stdout).map(({ type }) => type);
    expect(types.filter((type) => type !== 'waiting')).toEqual(['open', 'message', 'open', 'message', 'close']);
    await second.close();
  });

  test('waits for a server that is not there yet, and an interrupt ends the wait', async () => {
    const command = new Command(['connect', 'ws://127.0.0.1:1', '-r'], { tty: true, input: null });
    await command.until(/ECONNREFUSED.*again in/);
    expect((await command.interrupt()).code).toBe(130);
  });

  test('before there is a connection: an interrupt ends with 130, and closes nothing', async () => {
    for (const flags of [['--json'], []]) {
      const command = new Command(['connect', 'ws://127.0.0.1:1', '-r', ...flags], { input: null });
      await command.until(/ECONNREFUSED.*again in/);
      const { code, stdout, stderr } = await command.interrupt();
      expect(code).toBe(130);
      expect(stdout + stderr).not.toContain('close');
      // Standard output is for messages: a pipe is told beside it.
      if (flags.length === 0) expect([stdout, stderr]).toEqual(['', expect.stringContaining('again in')]);
    }
  });

  test.each([[[]], [['-m', 'x']], [['--whole']], [['--once']]])(
    '--wait counts from the end of the input (%j)',
    async (flags) => {
      const { code, stdout, stderr } = await cli([
        'connect',
        'ws://127.0.0.1:1',
        '-r',
        '-w',
        '20ms',
        '--json',
        ...flags,
      ]);
      expect([code, stderr]).toEqual([1, 'error: there was no connection\n']);
      expect(lines(stdout).map(({ type }) => type)).toEqual(['waiting', 'error']);
    },
  );

  test('without --wait what was said waits for a connection, the first or another', async () => {
    const first = await echoServer();
    const { port } = first;
    await first.close();
    const early = new Command(['connect', first.url, '-r', '-m', 'early']);
    await early.until('again in');
    const second = await echoServer({ port: port! });
    expect(await early.ended).toMatchObject({ code: 0, stdout: 'early\n' });
    const late = new Command(['connect', first.url, '-r', '--json'], { input: null }).write('one\n');
    await late.until('"one"');
    await second.close({ code: 1012 });
    await late.until('"waiting"');
    late.write('two\n').end();
    const third = await echoServer({ port: port! });
    expect(lines((await late.ended).stdout)).toContainEqual(expect.objectContaining({ type: 'message', data: 'two' }));
    await third.close();
  });

  test('what is not sent is told, and is a failure', async () => {
    const gone = await echoServer();
    const command = new Command(['connect', gone.url, '-r', '-w', '20ms', '--json'], { input: null });
    await command.until('"open"');
    await gone.close();
    await command.until(/ECONNREFUSED/);
    const { code, stdout, stderr } = await command.write('a\nb\n').end().ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining('; 2 messages not sent')]);
    expect(lines(stdout).at(-1)).toMatchObject({ type: 'close', unsent: 2 });
  });

  test('does not where it would end the same', async () => {
    const strict = await echoServer({ paths: ['/only'] });
    const { code, stderr } = await cli(['connect', strict.url, '--reconnect', '-m', 'x']);
    expect(code).toBe(1);
    expect(stderr).toContain('404');
    await strict.close();
  });

  test('the end of the input is the end', async () => {
    const ended = await cli(['connect', server.url, '--reconnect'], { input: 'a\nb\n' });
    expect(ended).toEqual({ code: 0, stdout: 'a\nb\n', stderr: '' });
  });
});

describe('the way there', () => {
  test('--proxy and --redirects', async () => {
    const moved = await serve({
      port: 0,
      host: '127.0.0.1',
      authorize: () => ({ status: 302, headers: { Location: server.url } }),
    });
    expect(await cli(['connect', moved.url, '-m', 'x', '--redirects', '1'])).toMatchObject({ code: 0, stdout: 'x\n' });
    expect(await cli(['connect', moved.url, '-m', 'x'])).toMatchObject({ code: 1, stdout: '' });
    const { code, stderr } = await cli(['connect', server.url, '-m', 'x', '--proxy', 'http://127.0.0.1:1']);
    expect(code).toBe(1);
    expect(stderr).toContain('127.0.0.1:1');
    expect(await cli(['connect', server.url, '--proxy', 'nonsense'])).toMatchObject({ code: 2 });
    await moved.close();
  });

  test('compression is offered, unless it is not wanted', async () => {
    const squeezing = await echoServer({ compression: true });
    const text = 'again and again '.repeat(20);
    const told = await cli(['connect', squeezing.url, '--json', '-m', text]);
    expect(lines(told.stdout)).toMatchObject([
      { type: 'open', extensions: expect.stringContaining('permessage-deflate') },
      { type: 'message', data: text, wireSize: expect.any(Number) },
      { type: 'close' },
    ]);
    expect(lines(told.stdout)[1]!['wireSize']).toBeLessThan(100);
    const plain = await cli(['connect', squeezing.url, '--json', '-m', text, '--no-compression']);
    expect(lines(plain.stdout)[0]).toMatchObject({ extensions: '' });
    await squeezing.close();
  });
});

describe('errors', () => {
  test.each([
    [[], 'a URL is missing'],
    [['ws://a/', 'ws://b/'], 'one URL too many'],
    [['ftp://a/'], 'has a scheme other than ws'],
    [['ws://user:secret@a/'], 'has a user name or password'],
    [['ws://a/#x'], 'has a fragment'],
    [['ws://a/', '-H', 'nonsense'], "--header must be 'Name: value'"],
    [['ws://a/', '-H', 'Host: a\r\nX: y'], "the header 'Host'"],
    [['ws://a/', '-H', 'Upgrade: x'], 'the handshake itself sets it'],
    [['ws://a/', '-s', 'not a token'], 'subprotocol'],
    [['ws://a/', '--ping-interval', '5'], '--ping-interval must be a number and a unit'],
    [['ws://a/', '--ping-interval', '0s'], '--ping-interval must be above 0'],
    [['ws://a/', '--insecure'], 'TLS means nothing'],
    [['wss://a/', '--insecure', '--ca', 'x'], '--ca and --insecure exclude each other'],
    [['wss://a/', '--cert', '/nowhere/at/all', '--key', 'y'], 'cannot read "/nowhere/at/all"'],
    [['wss://a/', '--cert', 'x'], '--cert and --key'],
  ])('%o is refused', async (argv, told) => {
    const { code, stdout, stderr } = await cli(['connect', ...argv]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told);
    expect(stderr).not.toContain('secret');
  });

  test('nobody listens', async () => {
    const { code, stdout, stderr } = await cli(['connect', 'ws://127.0.0.1:1/']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('ECONNREFUSED');
  });

  test('a server that refuses', async () => {
    const strict = await echoServer({ paths: ['/only'] });
    const { code, stderr } = await cli(['connect', strict.url]);
    expect(code).toBe(1);
    expect(stderr).toContain('404');
    const told = await cli(['connect', strict.url, '--json']);
    expect(JSON.parse(told.stdout)).toMatchObject({ type: 'error', message: expect.stringContaining('404') });
    await strict.close();
  });

  test('an interrupt ends an attempt', async () => {
    const slow = await echoServer({ authorize: () => new Promise(() => {}) });
    const command = new Command(['connect', slow.url], { input: null });
    while (slow.statistics.pending === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await command.interrupt()).toEqual({ code: 130, stdout: '', stderr: '' });
    await slow.close();
  });
});

describe('seed 108: in a terminal', () => {
  const open = (...argv: string[]) =>
    new Command(['connect', server.url, ...argv], { tty: true, input: null, environment: { NO_COLOR: '1' } });

  test('what is typed is sent, what comes stands above the line', async () => {
    const command = open();
    await command.until('connected to');
    command.write('hello\r');
    await command.until('< hello\n');
    command.write('\x04');
    const { code, stdout } = await command.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('closed 1000 (normal closure)');
  });

  test('the line can be edited, and called back', async () => {
    const command = open();
    await command.until('connected to');
    command.write('helo\x1b[Dl\r');
    await command.until('< hello\n');
    command.write('\x1b[A!\r');
    await command.until('< hello!\n');
    command.write('\x03');
    expect((await command.ended).code).toBe(0);
  });

  test('a tab completes commands, and is itself in a message: what is pasted is sent as it is', async () => {
    const command = open();
    await command.until('connected to');
    command.write('{\t"a":\t1}\r');
    await command.until('< {\t"a":\t1}\n');
    command.write('\tindented\r');
    await command.until('< \tindented\n');
    command.write('/he\t\r');
    await command.until('/binary HEX');
    command.write('\x04');
    expect((await command.ended).code).toBe(0);
  });

  test('commands ping, pong, send bytes, inform and close', async () => {
    const command = open();
    await command.until('connected to');
    command.write('/ping x\r');
    await command.until(/pong after \d/);
    command.write('/pong\r/binary 00 ff\r');
    await command.until('< binary 2 B  00 ff');
    command.write('//slash\r');
    await command.until('< /slash');
    command.write('/info\r');
    await command.until(/received +2 messages/);
    command.write('/close 4321 so long\r');
    const { code, stdout, stderr } = await command.ended;
    expect(stdout + stderr).toContain('closed 4321');
    expect(code).toBe(1);
  });

  test.each([
    ['/nonsense', 'there is no command /nonsense'],
    ['/binary xyz', '/binary takes bytes in hexadecimal'],
    ['/close 1005', 'the close code 1005 may not be sent'],
    ['/close why', 'a close code is a number'],
    [`/ping ${'x'.repeat(126)}`, 'at most 125 bytes'],
    [`/close 1000 ${'x'.repeat(124)}`, 'longer than 123 bytes'],
    ['/help', '/binary HEX'],
    [`/close 1000 ${'x'.repeat(124)}`, 'longer than 123 bytes', '--reconnect'],
    [`/ping ${'x'.repeat(126)}`, 'at most 125 bytes', '--reconnect'],
  ])('%s is answered, and the connection lives', async (line, told, ...flags: string[]) => {
    const command = open(...flags);
    await command.until('connected to');
    command.write(`${line}\r`);
    await command.until(told);
    command.write('alive\r');
    await command.until('< alive\n');
    command.write('\x04');
    expect((await command.ended).code).toBe(0);
  });

  test('a peer does not command the terminal', async () => {
    const rude = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
      socket.send('\x1b[2J\x07two\nlines\u202e');
      void socket.close(1000, '\x1b[31m');
    });
    const command = new Command(['connect', rude.url], { tty: true, input: null, environment: { NO_COLOR: '1' } });
    const { stdout } = await command.ended;
    expect(stdout).toContain('< \\x1b[2J\\x07two\n  lines\\u{202e}\n');
    expect(stdout).toContain('"\\x1b[31m"');
    await rude.close();
  });
});
