/** `sansocket trace`: as the client, as a proxy in the middle, and what it prints. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Server as NetServer, type Socket } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { parseArguments } from '../../src/cli/arguments.ts';
import { parseFilter } from '../../src/cli/filter.ts';
import type { Io } from '../../src/cli/io.ts';
import { rewriteHead } from '../../src/cli/trace-head.ts';
import { hexRows, TracePrinter } from '../../src/cli/trace-printer.ts';
import { TraceProxy } from '../../src/cli/trace-proxy.ts';
import { connect } from '../../src/client/connect.ts';
import { parseUrl } from '../../src/client/url.ts';
import type { FrameRecord, WireRecord } from '../../src/debug/records.ts';
import { acceptKey } from '../../src/handshake/accept-key.ts';
import { authority, local } from '../support/certificates.ts';
import { exchange, RawPeer, upgradeRequest } from '../support/sockets.ts';
import { Command, cli, echoServer } from './support.ts';

/** A server that answers every opening handshake with 101 and then writes bytes of its own. */
async function rawServer(bytes: Uint8Array, headers = ''): Promise<NetServer & { url: string }> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.once('data', (head) => {
      const key = /Sec-WebSocket-Key: (\S+)/.exec(head.toString('latin1'))![1]!;
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Accept: ${acceptKey(key)}\r\n${headers}\r\n`,
      );
      socket.end(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(server, { url: `ws://127.0.0.1:${(server.address() as { port: number }).port}` });
}

const json = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('as the client', () => {
  test('interrupted before there is a connection it was not done', async () => {
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const command = new Command(['trace', `ws://127.0.0.1:${(server.address() as { port: number }).port}`]);
    const [peer] = (await once(server, 'connection')) as [Socket];
    expect((await command.interrupt()).code).toBe(130);
    peer.destroy();
    server.close();
  });

  test('prints one line a frame: when, from where, what, how big', async () => {
    const server = await echoServer();
    const command = new Command(['trace', server.url], { input: null }).write('hello\n');
    await command.until(/▼ text/);
    const { code, stdout } = await command.end().ended;
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^ +[\d.]+ m?s /, ''));
    expect(lines.map((line) => line.replace(/ {2}\d+ B$|after \d+ B$/, ''))).toEqual([
      '#1  ▲ GET / HTTP/1.1',
      '#1  ▼ HTTP/1.1 101 Switching Protocols',
      '#1  ▲ text    fin  5 B  "hello"',
      '#1  ▼ text    fin  5 B  "hello"',
      '#1  ▲ close  2 B  1000 (normal closure)',
      '#1  ▼ close  2 B  1000 (normal closure)',
      '#1  ▼ end ',
      '#1  ▲ end ',
    ]);
    await server.close();
  });

  test('sends the lines of standard input', async () => {
    const server = await echoServer();
    const { stdout } = await cli(['trace', server.url, '--json', '--filter', 'data up'], { input: 'one\ntwo\n' });
    expect(json(stdout)).toMatchObject([
      { connection: 1, from: 'client', opcode: 'text', masked: true, data: 'one' },
      { connection: 1, from: 'client', opcode: 'text', masked: true, data: 'two' },
    ]);
    await server.close();
  });

  test('seed 109: credentials are left out of what is printed', async () => {
    const server = await echoServer({ headers: { 'Set-Cookie': 'id=hidden1' } });
    const flags = [
      '-H',
      'Authorization: Bearer hidden2',
      '-H',
      'Cookie: a=hidden3',
      '-H',
      'proxy-authorization: hidden4',
    ];
    for (const format of ['--headers', '--json']) {
      const { stdout } = await cli(['trace', server.url, format, ...flags], { environment: { FORCE_COLOR: '0' } });
      expect(stdout.match(/\[redacted\]/g), format).toHaveLength(4);
      expect(stdout).not.toContain('hidden');
    }
    await server.close();
  });

  test('shows sizes before and after compression, and what is in a compressed frame', async () => {
    const text = 'abcabcabc '.repeat(20);
    const body = deflateRawSync(text, { finishFlush: 2 }).subarray(0, -4);
    const frame = Buffer.concat([Buffer.from([0xc1, body.length]), body]);
    const bye = Buffer.from('880203e8', 'hex');
    const server = await rawServer(Buffer.concat([frame, bye]), 'Sec-WebSocket-Extensions: permessage-deflate\r\n');
    const proxy = new Command(['trace', '--listen', '0', '--to', server.url], { input: null });
    const [, port] = /127\.0\.0\.1:(\d+)/.exec(await proxy.until('tracing'))!;
    const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
    await exchange(Number(port), upgradeRequest('/', offer));
    await proxy.until(/▼ text {4}fin {2}rsv1/);
    const { stdout } = await proxy.interrupt();
    expect(stdout).toContain(
      `▼ text    fin  rsv1  200 B in ${body.length} B (-${100 - body.length / 2} %)  "abcabcabc abc`,
    );
    server.close();
  });

  test('violations are red, with the section of the RFC, and exit code 3', async () => {
    const server = await rawServer(Buffer.from('c10068', 'hex'));
    const { code, stdout } = await cli(['trace', server.url], { tty: true, input: null });
    expect(code).toBe(3);
    expect(stdout).toContain('\x1b[31mviolation RESERVED_BITS_SET (RFC 6455 5.2): a reserved bit is set');
    server.close();
  });

  test('an answer that breaks the protocol is a violation, and not only no connection', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      const fields = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA';
      socket.once('data', () => socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `ws://127.0.0.1:${(server.address() as { port: number }).port}`;
    const { code, stdout, stderr } = await cli(['trace', url]);
    expect(code).toBe(3);
    expect(stdout).toContain('▼ violation ACCEPT_MISMATCH (RFC 6455 4.1)');
    expect(stderr).toMatch(/^error: Sec-WebSocket-Accept is missing, .*AAAA\n$/);
    server.close();
  });

  test('--json: text that was cut within a character is still text', async () => {
    const server = await echoServer();
    const flags = ['--json', '--filter', 'data up', '--limit', '5'];
    const { stdout } = await cli(['trace', server.url, ...flags, '-m', 'ěšč', '-m', 'ěš'], { input: null });
    expect(json(stdout)).toMatchObject([
      { data: 'ěš', length: 6, truncated: true },
      { data: 'ěš', length: 4 },
    ]);
    expect(stdout).not.toContain('base64');
    await server.close();
  });

  test('--filter finds a text behind what is shown of a payload', async () => {
    const server = await echoServer();
    const flags = ['--json', '--filter', '/needle/ up', '--limit', '4'];
    const messages = ['-m', `${'x'.repeat(1_000)}needle`, '-m', 'none', '-m', `${'y'.repeat(100_000)}needle`];
    const { stdout } = await cli(['trace', server.url, ...flags, ...messages]);
    expect(json(stdout)).toMatchObject([
      { data: 'xxxx', length: 1_006, truncated: true },
      { data: 'yyyy', length: 100_006, truncated: true },
    ]);
    await server.close();
  });

  test('messages may be of any size, and how a connection was lost is told', async () => {
    const server = await echoServer({ maxMessageSize: null, maxBufferedAmount: null });
    const big = await cli(['trace', server.url], { input: `${'x'.repeat(2_097_152)}\n` });
    expect([big.code, big.stderr]).toEqual([0, '']);
    expect(big.stdout).toMatch(/▼ text {4}fin {2}2\.0 MiB/);
    const command = new Command(['trace', server.url], { input: null }).write('x\n');
    await command.until(/▼ text/);
    for (const each of server.connections) each.terminate();
    const { code, stderr } = await command.ended;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: .*connection/)]);
    await server.close();
  });

  test('an answer that is no 101 is shown, and is a failure', async () => {
    const server = await echoServer({ paths: ['/there'] });
    const { code, stdout, stderr } = await cli(['trace', server.url]);
    expect(code).toBe(1);
    expect(stdout).toContain('▼ HTTP/1.1 404 Not Found');
    expect(stderr).toContain('404');
    await server.close();
  });

  test('an interrupt closes in order', async () => {
    const server = await echoServer();
    const command = new Command(['trace', server.url], { input: null }).write('x\n');
    await command.until(/▼ text/);
    const { code, stdout } = await command.interrupt();
    expect(code).toBe(0);
    expect(stdout).toContain('1000 (normal closure)');
    await server.close();
  });
});

describe('as a proxy in the middle', () => {
  async function start(url: string, ...argv: string[]): Promise<{ command: Command; port: number; url: string }> {
    const command = new Command(['trace', '--listen', '0', '--to', url, ...argv], { input: null });
    const text = await command.until(/wss?:\/\/127\.0\.0\.1:\d+/);
    const [through, port] = /wss?:\/\/127\.0\.0\.1:(\d+)/.exec(text)!;
    return { command, port: Number(port), url: through };
  }

  test('everything goes through both ways, also what is large, and connections are told apart', async () => {
    const server = await echoServer();
    const { command, url } = await start(server.url, '--json', '--filter', 'data', '--limit', '4');
    const sockets = [await connect(url), await connect(url)];
    const large = 'x'.repeat(1_000_000);
    for (const [i, socket] of sockets.entries()) {
      socket.send(i === 0 ? large : 'short');
      for await (const { data } of socket) {
        expect(data).toBe(i === 0 ? large : 'short');
        break;
      }
      await socket.close();
    }
    const { stdout } = await command.interrupt();
    expect(json(stdout).slice(1)).toMatchObject([
      { connection: 1, from: 'client', length: 1_000_000, data: 'xxxx', truncated: true },
      { connection: 1, from: 'server', length: 1_000_000, data: 'xxxx', truncated: true },
      { connection: 2, from: 'client', length: 5, data: 'shor' },
      { connection: 2, from: 'server', length: 5, data: 'shor' },
    ]);
    await server.close();
  });

  test('pings show their round trip', async () => {
    const server = await echoServer();
    const { command, url } = await start(server.url);
    const socket = await connect(url);
    await socket.ping('are you there');
    await socket.close();
    await command.until(/▼ pong .*round trip [\d.]+ ms .*"are you there"/);
    await command.interrupt();
    await server.close();
  });

  test('a page of the proxy passes for one of the server', async () => {
    const server = await echoServer();
    const { command, url } = await start(server.url);
    const origin = url.replace('ws:', 'http:');
    await (await connect(url, { origin })).close();
    await expect(connect(url, { origin: 'http://elsewhere.test' })).rejects.toThrow('403');
    await command.interrupt();
    const kept = await start(server.url, '--keep-host');
    await (await connect(kept.url, { origin: kept.url.replace('ws:', 'http:') })).close();
    await kept.command.interrupt();
    await server.close();
  });

  test('the path of --to is asked for, if it has one', async () => {
    const server = await echoServer({ paths: ['/room?x=1'.slice(0, 5)] });
    for (const flags of [[], ['--keep-host']]) {
      const { command, url } = await start(`${server.url}/room?x=1`, ...flags);
      await (await connect(`${url}/other`)).close();
      await command.interrupt();
    }
    await server.close();
  });

  test('goes on to wss:, and checks the certificate', async () => {
    const directory = mkdtempSync('/tmp/sansocket-trace-');
    writeFileSync(`${directory}/ca.pem`, authority);
    const server = await echoServer({ tls: local });
    const { command, url } = await start(server.url, '--ca', `${directory}/ca.pem`);
    const socket = await connect(url);
    socket.send('secret');
    await command.until('▼ text    fin  6 B  "secret"');
    await socket.close();
    await command.interrupt();
    const strict = await start(server.url);
    await expect(connect(strict.url)).rejects.toThrow('502');
    await strict.command.until('cannot connect to');
    await strict.command.interrupt();
    await server.close();
    rmSync(directory, { recursive: true });
  });

  test('--listen-cert and --listen-key that are no pair are named', async () => {
    const directory = mkdtempSync('/tmp/sansocket-trace-');
    writeFileSync(`${directory}/cert.pem`, local.cert);
    const pair = ['--listen-cert', `${directory}/cert.pem`, '--listen-key', `${directory}/cert.pem`];
    const { code, stderr } = await cli(['trace', '--listen', '0', '--to', 'ws://a/', ...pair]);
    expect(code).toBe(2);
    expect(stderr).toContain('--listen-cert and --listen-key cannot be used: ');
    rmSync(directory, { recursive: true });
  });

  test('--listen-cert, --listen-key: clients come over TLS, and a page of the proxy passes for one of the server', async () => {
    const directory = mkdtempSync('/tmp/sansocket-trace-');
    writeFileSync(`${directory}/cert.pem`, local.cert);
    writeFileSync(`${directory}/key.pem`, local.key);
    const pair = ['--listen-cert', `${directory}/cert.pem`, '--listen-key', `${directory}/key.pem`];
    const server = await echoServer();
    const { command, url, port } = await start(server.url, ...pair);
    expect(url).toBe(`wss://127.0.0.1:${port}`);
    const socket = await connect(url, { tls: { ca: authority }, origin: `https://127.0.0.1:${port}` });
    socket.send('secret');
    await command.until('▼ text    fin  6 B  "secret"');
    await socket.close();
    // Who speaks no TLS is told of, and hears nothing; and who never ends his handshake does not keep the command.
    await expect(connect(`ws://127.0.0.1:${port}`)).rejects.toThrow();
    await command.until(/! no TLS with the client: [\w ]+\n/);
    await RawPeer.to(port);
    expect((await command.interrupt()).code).toBe(0);
    const wrong = await cli([
      'trace',
      '-l',
      '0',
      '-t',
      server.url,
      pair[0]!,
      `${directory}/none.pem`,
      ...pair.slice(2),
    ]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('none.pem')]);
    await server.close();
    rmSync(directory, { recursive: true });
  });

  test('violations of a client are told, and still passed on', async () => {
    const server = await echoServer();
    const { command, port } = await start(server.url);
    const peer = await RawPeer.to(port);
    peer.write(upgradeRequest());
    await peer.until('\r\n\r\n');
    peer.write(Buffer.from('810568656c6c6f', 'hex'));
    await peer.closed;
    await command.until('▲ violation MASK_MISSING (RFC 6455 5.1)');
    await command.until('▼ close');
    expect((await command.interrupt()).code).toBe(3);
    await server.close();
  });

  test('what is no WebSocket passes as well', async () => {
    const server = await echoServer({ onRequest: ({ target }) => ({ status: 200, body: `you asked for ${target}` }) });
    const { command, port } = await start(server.url);
    const answer = await exchange(port, 'GET /page HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('you asked for /page');
    const { code, stdout } = await command.interrupt();
    expect(code).toBe(0);
    expect(stdout).toContain('▲ GET /page HTTP/1.1');
    const { command: other, port: otherPort } = await start(server.url);
    expect(await exchange(otherPort, 'this is not HTTP\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    await other.until('violation REQUEST_LINE_INVALID');
    await other.interrupt();
    await server.close();
  });

  test.each(['GET /a b HTTP/1.1', 'GET  / HTTP/1.1', 'GET'])(
    'what is no request passes as it came: %s',
    async (line) => {
      const head = `${line}\r\nHost: x\r\n\r\n`;
      let got = '';
      const server = createServer((socket) => {
        socket.on('data', (bytes) => {
          got += bytes.toString('latin1');
          if (got.endsWith('behind')) socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { command, port } = await start(`ws://127.0.0.1:${(server.address() as { port: number }).port}`);
      expect(await exchange(port, `${head}behind`)).toMatch(/^HTTP\/1\.1 400 /);
      expect(got).toBe(`${head}behind`);
      await command.interrupt();
      server.close();
    },
  );

  test('a head that never ends passes when its client has ended', async () => {
    const got: string[] = [];
    const server = createServer((socket) => {
      socket.on('data', (bytes) => got.push(bytes.toString()));
      socket.on('end', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { command, port } = await start(`ws://127.0.0.1:${(server.address() as { port: number }).port}`);
    const client = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
    client.end('GET / HTTP/1.1\r\nHost: x\r\n');
    const [answer] = (await once(client, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 /);
    expect(got.join('')).toBe('GET / HTTP/1.1\r\nHost: x\r\n');
    client.destroy();
    await command.interrupt();
    server.close();
  });

  test('a failure that quotes a peer does not command the terminal', async () => {
    const printed: string[] = [];
    const stdout = {
      isTTY: true,
      columns: 80,
      write: (text: string) => printed.push(text) > 0,
      drained: async () => {},
    };
    const io = { stdout, environment: { NO_COLOR: '1' } } as unknown as Io;
    const printer = new TracePrinter(parseArguments([], {}), io);
    printer.note(0, 1, "cannot connect to a: Host: a. is not cert's CN: \x1b[2J", true);
    expect(printed.join('')).toContain("! cannot connect to a: Host: a. is not cert's CN: \\x1b[2J\n");
    new TracePrinter(parseArguments(['--json'], { json: { help: '' } }), io).note(1.23456, 2, '\x1b[2J');
    expect(printed.at(-1)).toBe('{"connection":2,"type":"note","at":1.235,"text":"\\u001b[2J"}\n');
  });

  test('a connection that could not be accepted is told of, as often as it happens', async () => {
    const told: unknown[] = [];
    const printer = { note: (_: number, ...rest: unknown[]) => told.push(rest) } as unknown as TracePrinter;
    const to = parseUrl('ws://127.0.0.1:1/', (host) => host);
    const proxy = new TraceProxy({ to, tls: null, listenTls: null, keepHost: false, previewSize: 1 }, printer);
    await proxy.listen(0, '127.0.0.1');
    const { server } = proxy as unknown as { server: NetServer };
    for (let i = 0; i < 2; i++) server.emit('error', new Error('accept EMFILE'));
    expect(told).toEqual([
      [0, 'no connection: accept EMFILE', true],
      [0, 'no connection: accept EMFILE', true],
    ]);
    await proxy.close();
  });

  test('what has been printed waits for room on the other side', async () => {
    const frames = 8_192;
    let got = 0;
    let deaf: Socket | null = null;
    const server = createServer((socket) => {
      deaf = socket;
      socket.once('data', (head) => {
        socket.pause();
        const key = /Sec-WebSocket-Key: (\S+)/i.exec(head.toString('latin1'))![1]!;
        const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}`;
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`);
        socket.on('data', (bytes) => {
          got += bytes.length;
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { command, port } = await start(`ws://127.0.0.1:${(server.address() as { port: number }).port}`);
    const client = createConnection(port, '127.0.0.1').on('error', () => {});
    client.write(upgradeRequest());
    await command.until('▼ HTTP/1.1 101');
    // Small enough that there is a line for every chunk.
    const frame = new Uint8Array(8 + 4_096);
    frame.set([0x82, 0xfe, 0x10, 0x00]);
    const passed = () => command.text.match(/▲ binary/g)?.length ?? 0;
    client.write(Buffer.concat(new Array<Uint8Array>(frames).fill(frame)));
    // The output is full after every line, and has room again a moment later: what waits for it is let go each time.
    let before = -1;
    for (let idle = 0; idle < 100; idle = passed() === before ? idle + 1 : 0) {
      before = passed();
      command.stdout.read();
      command.stdout.full = true;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    command.stdout.read();
    // The kernel takes some of it, and the proxy does not take the rest.
    expect(passed()).toBeGreaterThan(0);
    expect(passed()).toBeLessThan(frames);
    deaf!.resume();
    await vi.waitFor(() => expect(got).toBe(frames * frame.length), 20_000);
    expect(passed()).toBe(frames);
    client.destroy();
    deaf!.destroy();
    await command.interrupt();
    server.close();
  });

  test('a request may come byte by byte, and frames right behind it', async () => {
    const server = await echoServer();
    const hello = Buffer.from('818537fa213d7f9f4d5158', 'hex');
    for (const flags of [[], ['--keep-host']]) {
      const { command, port } = await start(server.url, ...flags);
      const slow = await RawPeer.to(port);
      for (const byte of Buffer.concat([Buffer.from(upgradeRequest()), hello])) {
        slow.write(Uint8Array.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await slow.until('\x81\x05Hello');
      const fast = await RawPeer.to(port);
      fast.write(Buffer.concat([Buffer.from(upgradeRequest()), hello]));
      await fast.until('\x81\x05Hello');
      const { code, stdout } = await command.interrupt();
      expect(code).toBe(0);
      expect(stdout.match(/▲ text {4}fin {2}5 B {2}"Hello"/g)).toHaveLength(2);
    }
    await server.close();
  });

  test('nobody passes faster than it can be printed', async () => {
    const server = await echoServer();
    const { command, url } = await start(server.url);
    const socket = await connect(url);
    await command.until('▼ HTTP/1.1 101');
    command.stdout.full = true;
    socket.send('first');
    await command.until('▲ text');
    socket.send('second');
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(command.text).not.toContain('second');
    command.stdout.read();
    await command.until('▼ text    fin  6 B  "second"');
    await socket.close();
    await command.interrupt();
    await server.close();
  });

  test('nobody behind it: the client gets 502', async () => {
    const { command, url } = await start('ws://127.0.0.1:1');
    await expect(connect(url)).rejects.toThrow('502');
    await command.until('cannot connect to 127.0.0.1:1');
    await command.interrupt();
  });

  test('a side that is cut off takes the other with it', async () => {
    const server = await echoServer();
    const { command, url, port } = await start(server.url);
    const socket = await connect(url);
    for (const each of server.connections) each.terminate();
    expect(await socket.closed).toMatchObject({ code: 1006 });
    const peer = await RawPeer.to(port);
    peer.write(upgradeRequest());
    await peer.until('\r\n\r\n');
    peer.reset();
    while (server.connections.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await command.interrupt();
    await server.close();
  });

  test('its end is the end of every connection', async () => {
    const server = await echoServer();
    const { command, url } = await start(server.url);
    const socket = await connect(url);
    expect((await command.interrupt()).code).toBe(0);
    expect(await socket.closed).toMatchObject({ code: 1006 });
    await server.close();
  });
});

describe('errors', () => {
  test.each([
    [[], 'a URL is missing'],
    [['--listen', '0'], '--listen needs --to URL'],
    [['--to', 'ws://a/'], '--to needs --listen PORT'],
    [['ws://a/', '--keep-host'], '--keep-host means nothing without --listen'],
    [['ws://a/', '--listen-cert', 'x'], '--listen-cert means nothing without --listen'],
    [['--listen', '0', '--to', 'ws://a/', '--listen-cert', 'x'], 'needs both --listen-cert and --listen-key'],
    [['--listen', '0', '--to', 'ws://a/', '--cert', 'x', '--key', 'y'], 'there are --listen-cert and --listen-key'],
    [['--listen', '0', '--to', 'ws://a/', 'ws://b/'], 'the URL is that of --to'],
    [['--listen', '0', '--to', 'ws://a/', '-H', 'A: b'], '--header means nothing with --listen'],
    [['--listen', '0', '--to', 'ws://a/', '--insecure'], 'TLS options mean nothing'],
    [['--listen', '0', '--to', 'gopher://a/'], 'has a scheme other than ws'],
    [['ws://a/', '--limit', '0'], '--limit must be from 1 to 1MiB'],
    [['ws://a/', '--filter', 'txet'], "--filter does not know 'txet'; did you mean 'text'?"],
    [['ws://a/', '--filter', ' '], '--filter is empty'],
    [['ws://a/', '--filter', 'size>x'], "--filter does not know 'size>x'"],
  ])('%o is refused', async (argv, told) => {
    const { code, stdout, stderr } = await cli(['trace', ...argv]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told);
  });

  test('a port that is taken is a failure', async () => {
    const server = await echoServer();
    const { code, stderr } = await cli(['trace', '--listen', String(server.port), '--to', 'ws://127.0.0.1:1']);
    expect(code).toBe(1);
    expect(stderr).toContain('EADDRINUSE');
    await server.close();
  });
});

describe('--filter', () => {
  const frame = (fields: Partial<FrameRecord>): FrameRecord => ({
    ...{ type: 'frame', at: 0, from: 'client', opcode: 1, messageOpcode: 1, fin: true, rsv: 0, masked: true },
    ...{ length: 5, wireSize: 11, payload: Buffer.from('héllo'), inflated: null, messageLength: 5, roundTrip: null },
    ...{ closeCode: null, closeReason: '', missing: 0 },
    ...fields,
  });
  const fault: WireRecord = {
    ...{ type: 'fault', at: 0, from: 'server', code: 'UTF8_INVALID', section: '', text: '', fatal: false },
  };

  test.each<[string, WireRecord, boolean]>([
    ['text', frame({}), true],
    ['binary', frame({}), false],
    ['text,binary', frame({ opcode: 2 }), true],
    ['data', frame({ opcode: 0 }), true],
    ['control', frame({ opcode: 9 }), true],
    ['control', frame({}), false],
    ['up text', frame({}), true],
    ['up text', frame({ from: 'server' }), false],
    ['!ping', frame({}), true],
    ['!ping', frame({ opcode: 9 }), false],
    ['size>4', frame({}), true],
    ['size>=5', frame({}), true],
    ['size<5', frame({}), false],
    ['size=1KiB', frame({ length: 1024 }), true],
    ['fin', frame({ fin: false }), false],
    ['rsv1', frame({ rsv: 0x40 }), true],
    ['compressed', frame({ inflated: 9 }), true],
    ['masked', frame({ masked: false }), false],
    ['#1', frame({}), true],
    ['#2', frame({}), false],
    ['/éll/', frame({}), true],
    ['/a b, c/', frame({ payload: Buffer.from('xa b, cx') }), true],
    ['/nothing/', frame({}), false],
    ['violation', fault, true],
    ['text,violation down', fault, true],
    ['text', fault, false],
  ])('%s', (terms, record, passes) => {
    expect(parseFilter(terms)(record, 1)).toBe(passes);
  });
});

describe('parts', () => {
  test('hexadecimal rows have sixteen bytes, and their characters', () => {
    expect(hexRows(Buffer.from('The quick\x00brown fox'))).toEqual([
      '0000  54 68 65 20 71 75 69 63  6b 00 62 72 6f 77 6e 20  The quick.brown ',
      '0010  66 6f 78                                          fox',
    ]);
    expect(hexRows(new Uint8Array(0))).toEqual([]);
  });

  test('of a head, Host, Origin and Connection are rewritten, and nothing else', () => {
    const to = parseUrl('wss://example.test/');
    const pairs = ['HOST', 'localhost:9', 'Origin', 'http://LOCALHOST:9', 'X', 'a  b'];
    const upgrade = [...pairs, 'Upgrade', 'WebSocket', 'Connection', 'keep-alive, Upgrade'];
    const text = (head: Uint8Array) => Buffer.from(head).toString('latin1');
    expect(text(rewriteHead('GET /a?b HTTP/1.1', upgrade, to, false))).toBe(
      'GET /a?b HTTP/1.1\r\nHOST: example.test\r\nOrigin: https://example.test\r\nX: a  b\r\n' +
        'Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n',
    );
    expect(text(rewriteHead('POST / HTTP/1.1', [...pairs, 'Connection', 'keep-alive'], to, true))).toBe(
      'POST / HTTP/1.1\r\nHOST: localhost:9\r\nOrigin: http://LOCALHOST:9\r\nX: a  b\r\nConnection: close\r\n\r\n',
    );
  });
});
