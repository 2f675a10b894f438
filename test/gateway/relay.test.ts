import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { type ConnectOptions, connect } from '../../src/client/index.ts';
import type { DeflateCodec } from '../../src/extension/permessage-deflate/codec.ts';
import { pureDeflate } from '../../src/extension/permessage-deflate/permessage-deflate.ts';
import type { GatewayEvents, GatewayOptions } from '../../src/gateway/index.ts';
import { frame, readFrames } from '../support/frames.ts';
import { seededNumbers } from '../support/random.ts';
import { RawPeer, upgradeRequest } from '../support/sockets.ts';
import { backend, cleanUp, deferred, echo, folder, gateway, readAll } from './support.ts';

const KEY = [1, 2, 3, 4];
const text = (payload: string, fin = true, opcode = 1) =>
  frame({ opcode, fin, key: KEY, payload: Buffer.from(payload) });

/** A gateway to one backend, and who connects to it. */
async function joined(handler: (socket: Socket) => void, options: Partial<GatewayOptions> = {}) {
  const docroot = folder();
  await backend(`${docroot}/b`, handler);
  const running = await gateway({ docroot, ...options });
  return {
    gateway: running,
    open: (more: ConnectOptions = {}) => connect(`${running.url}/b`, more),
    /** A client of bytes, open, with what comes behind the 101. */
    async raw(): Promise<{ peer: RawPeer; frames: () => ReturnType<typeof readFrames> }> {
      const peer = await RawPeer.to(running.port!);
      peer.write(upgradeRequest('/b'));
      await peer.until('\r\n\r\n');
      const behind = () => Buffer.from(peer.received.slice(peer.received.indexOf('\r\n\r\n') + 4), 'latin1');
      return { peer, frames: () => readFrames(behind()) };
    },
  };
}

/** The messages of a client until its end, and that. */
async function messagesOf(socket: Awaited<ReturnType<typeof connect>>) {
  const messages: (string | Uint8Array)[] = [];
  socket.on('message', ({ data }) => {
    messages.push(data);
  });
  const { code, reason, clean } = await socket.closed;
  return { messages, code, reason, clean };
}

describe('row 92: payload goes both ways', () => {
  test('text and binary, whole and in fragments, with control frames between them', async () => {
    const got: Buffer[] = [];
    const { raw } = await joined((socket) => {
      socket.on('data', (chunk) => got.push(chunk));
    });
    const { peer, frames } = await raw();
    const ping = frame({ opcode: 9, key: KEY, payload: Buffer.from('between') });
    peer.write(
      Buffer.concat([text('one'), text('t', false), ping, text('w', false, 0), text('o', true, 0), text('é')]),
    );
    await vi.waitFor(() => expect(Buffer.concat(got).toString()).toBe('onetwoé'));
    // Control frames are the gateway's own.
    await vi.waitFor(() =>
      expect(frames().map(({ opcode, payload }) => [opcode, String(payload)])).toEqual([[10, 'between']]),
    );
    peer.socket.destroy();
  });

  test('several messages of a backend in one read, and one message in several reads', async () => {
    const { open } = await joined(
      async (socket) => {
        socket.write('a\0b\0\0c');
        await new Promise((resolve) => setTimeout(resolve, 20));
        socket.end('d\0e');
      },
      { framing: 'nul' },
    );
    expect(await messagesOf(await open())).toEqual({
      messages: ['a', 'b', '', 'cd', 'e'],
      code: 1000,
      reason: '',
      clean: true,
    });
  });

  test.each(['nul', 'line', 'length-prefixed'] as const)('row 96: %s in both directions', async (framing) => {
    const { open } = await joined(echo, { framing });
    const socket = await open();
    const messages = ['one', '', 'two', 'x'.repeat(100_000), 'é€😀'];
    for (const message of messages) socket.send(message);
    const back: unknown[] = [];
    for await (const { data } of socket) {
      back.push(data);
      if (back.length === messages.length) break;
    }
    expect(back).toEqual(messages);
    await socket.close();
  });

  test('row 96: what ends messages in the framing cannot be smuggled in one: 1003', async () => {
    const got: Buffer[] = [];
    const { open, gateway: running } = await joined(
      (socket) => {
        socket.on('data', (chunk) => got.push(chunk));
        socket.on('end', () => socket.end());
      },
      { framing: 'line' },
    );
    const closed = new Promise((resolve) => running.on('close', resolve));
    const socket = await open();
    socket.send('first');
    socket.send('WSHello a\nWSHello b');
    const { code, clean, reason } = await messagesOf(socket);
    expect([code, clean]).toEqual([1003, true]);
    expect(await closed).toMatchObject({ code: 1003, failure: reason });
    expect(Buffer.concat(got).toString()).not.toContain('WSHello');
  });

  test.each([
    ['1003', { framing: 'line' }, 'no\nmessage', 'first\nsecond\n'],
    ['1009', { framing: 'length-prefixed' }, 'x'.repeat(1_048_577), '\0\0\0\x05first\0\0\0\x06second'],
  ] as const)(
    'row 96: %s: what came before it gets to the backend, also if all came at once',
    async (code, options, wrong, sent) => {
      const got = deferred<Buffer>();
      const { raw, gateway: running } = await joined((socket) => void readAll(socket).then(got.resolve), {
        ...options,
        closeTimeout: 100,
      });
      const closed = new Promise<GatewayEvents['close']>((resolve) => running.on('close', resolve));
      const { peer, frames } = await raw();
      peer.write(Buffer.concat([text('first'), text('second'), text(wrong), text('behind')]));
      expect(String(await got.promise)).toBe(sent);
      await vi.waitFor(() => expect(Buffer.from(frames().at(-1)!.payload).readUInt16BE(0)).toBe(Number(code)));
      // A backend that does not end for its part has its time.
      expect(await closed).toMatchObject({ failure: expect.stringMatching(/the message (holds|is longer)/) });
      peer.socket.destroy();
    },
  );

  test('row 96: a message over maxMessageSize: 1009 to the client, 1011 from the backend', async () => {
    const options = { framing: 'length-prefixed', maxMessageSize: 10 } as const;
    const long = await joined(echo, options);
    const socket = await long.open();
    socket.send('12345678901');
    expect(await messagesOf(socket)).toMatchObject({ code: 1009 });
    const wrong = await joined((each) => void each.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1])), options);
    expect(await messagesOf(await wrong.open())).toMatchObject({
      code: 1011,
      reason: 'the backend sent a message that is too long',
    });
  });
});

describe('row 97: what messages of a backend become', () => {
  const bytes = Buffer.from([0x68, 0xc3, 0xa9, 0x00]);
  const wrong = Buffer.from([0xff, 0xfe, 0x00]);

  test('text: also where a read cuts a character; what is no UTF-8 is 1011', async () => {
    const cut = await joined(async (socket) => {
      for (const octet of Buffer.from('é€😀')) {
        socket.write(Buffer.of(octet));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      socket.end();
    });
    const { messages, code } = await messagesOf(await cut.open());
    expect([messages.join(''), code]).toEqual(['é€😀', 1000]);
    for (const framing of ['chunk', 'nul'] as const) {
      const broken = await joined((socket) => void socket.write(wrong), { framing });
      const end = await messagesOf(await broken.open());
      expect(end).toMatchObject({ messages: [], code: 1011, reason: 'the backend sent text that is not UTF-8' });
    }
    const half = await joined((socket) => void socket.end(Buffer.from([0x61, 0xc3])));
    expect(await messagesOf(await half.open())).toMatchObject({ messages: ['a'], code: 1011 });
  });

  test('binary: bytes as they are', async () => {
    const { open } = await joined((socket) => void socket.end(wrong), { frameType: 'binary' });
    const { messages } = await messagesOf(await open());
    expect(messages).toEqual([new Uint8Array(wrong)]);
  });

  test('auto: text where it is UTF-8 and at most 64 KiB, binary where not', async () => {
    const long = Buffer.alloc(65_537, 0x61);
    const { open } = await joined(
      (socket) => {
        for (const message of [bytes.subarray(0, 3), wrong.subarray(0, 2), Buffer.alloc(65_536, 0x62), long]) {
          socket.write(message);
          socket.write('\0');
        }
        socket.end();
      },
      { frameType: 'auto', framing: 'nul' },
    );
    const { messages } = await messagesOf(await open());
    expect(
      messages.map((each) => (typeof each === 'string' ? `text ${each.length}` : `binary ${each.length}`)),
    ).toEqual(['text 2', 'binary 2', 'text 65536', 'binary 65537']);
  });
});

describe('compression', () => {
  const words = (size: number) => 'the same words again and again, '.repeat(size / 32);

  test.each([true, { memory: 'shared' }, { memory: 'none' }] as const)(
    '%j: agreed on with clients, and unknown to backends',
    async (compression) => {
      const { open } = await joined(echo, { compression, framing: 'nul' });
      // Above 64 KiB messages leave in fragments, and those of two clients between each other.
      const messages = ['one', '', words(60_000), words(400_000), 'é€😀'];
      const run = async () => {
        const socket = await open({ compression: true, maxMessageSize: null, maxFrameSize: null });
        expect(socket.extensions).toMatch(/^permessage-deflate/);
        for (const message of messages) socket.send(message);
        const back: unknown[] = [];
        for await (const { data } of socket) if (back.push(data) === messages.length) break;
        expect(back).toEqual(messages);
        await socket.close();
      };
      await Promise.all([run(), run(), run()]);
    },
  );

  test('off by default, and for clients that do not offer it', async () => {
    const plain = await joined(echo);
    expect((await plain.open({ compression: true })).extensions).toBe('');
    const { open } = await joined(echo, { compression: true, framing: 'nul' });
    const socket = await open();
    socket.send(words(100_000));
    for await (const { data } of socket) {
      expect(data).toBe(words(100_000));
      break;
    }
    await socket.close();
  });

  test.each([3_200, 320_000])('what cannot be compressed, of %d bytes, is 1011: nothing is left out', async (size) => {
    const warnings: string[] = [];
    const listen = (warning: Error) => void warnings.push(warning.message);
    process.on('warning', listen);
    cleanUp(() => process.off('warning', listen));
    const codec: DeflateCodec = {
      ...pureDeflate,
      deflater: () => ({
        deflate: () => {
          throw new Error('no memory');
        },
        reset() {},
        release() {},
      }),
    };
    const { open } = await joined((socket) => void socket.write(`${words(size)}\0`), {
      compression: { codec },
      framing: 'nul',
    });
    const end = await messagesOf(await open({ compression: true }));
    expect(end).toMatchObject({ messages: [], code: 1011, reason: 'the gateway could not send a message' });
    await vi.waitFor(() => expect(warnings).toHaveLength(1));
  });
});

describe('row 98, T69: who ends first', () => {
  test('the backend ends: what it sent arrives, then 1000, or the code of the option', async () => {
    const big = Buffer.alloc(3_000_000, 0x61);
    const plain = await joined((socket) => void socket.end(big));
    const end = await messagesOf(await plain.open());
    expect(end).toMatchObject({ code: 1000, clean: true });
    expect(end.messages.join('').length).toBe(big.length);
    const other = await joined((socket) => void socket.end('bye'), { endCode: 4001 });
    expect(await messagesOf(await other.open())).toMatchObject({ messages: ['bye'], code: 4001 });
  });

  test('the backend is reset: 1011', async () => {
    const tcp = await backend(0, (socket) => void socket.once('data', () => socket.resetAndDestroy()));
    const { port } = tcp.address() as AddressInfo;
    const running = await gateway({ routes: [{ prefix: '', port }] });
    const closed = new Promise((resolve) => running.on('close', resolve));
    const socket = await connect(`${running.url}/any`);
    socket.send('now');
    expect(await messagesOf(socket)).toMatchObject({ code: 1011, reason: 'the backend failed', clean: true });
    // Why is for the operator.
    expect(await closed).toMatchObject({ code: 1011, failure: expect.stringMatching(/ECONNRESET|EPIPE/) });
  });

  test('the backend ends one direction: what the client still sends gets there', async () => {
    const got = deferred<Buffer>();
    const { raw } = await joined((socket) => {
      socket.end('bye');
      void readAll(socket).then(got.resolve);
    });
    const { peer, frames } = await raw();
    await vi.waitFor(() => expect(frames().map(({ opcode }) => opcode)).toEqual([1, 8]));
    peer.write(
      Buffer.concat([text('last'), text(' words'), frame({ opcode: 8, key: KEY, payload: Buffer.from([3, 232]) })]),
    );
    expect(String(await got.promise)).toBe('last words');
    await peer.closed;
  });

  test.each([1000, 3000, 4999, null])(
    'the client closes with %j: that is echoed, and the backend gets everything, then an end',
    async (code) => {
      const got = deferred<Buffer>();
      const { raw, gateway: running } = await joined((socket) => {
        socket.on('end', () => socket.end());
        void readAll(socket).then(got.resolve);
      });
      const closed = new Promise((resolve) => running.on('close', resolve));
      const { peer, frames } = await raw();
      const big = 'x'.repeat(500_000);
      const payload = code === null ? Buffer.alloc(0) : Buffer.from([code >> 8, code & 255]);
      peer.write(Buffer.concat([text(big), frame({ opcode: 8, key: KEY, payload })]));
      expect((await got.promise).length).toBe(big.length);
      await peer.closed;
      const last = frames().at(-1)!;
      expect([last.opcode, ...last.payload]).toEqual([8, ...payload]);
      expect(await closed).toMatchObject({ name: 'b', code: code ?? 1005 });
    },
  );

  test('the client is lost: the backend gets what came, and an end', async () => {
    const got = deferred<Buffer>();
    const { raw, gateway: running } = await joined((socket) => {
      socket.on('end', () => socket.end());
      void readAll(socket).then(got.resolve);
    });
    const closed = new Promise((resolve) => running.on('close', resolve));
    const { peer } = await raw();
    peer.write(text('half a wor')).write(text('d').subarray(0, 3));
    await new Promise((resolve) => setTimeout(resolve, 20));
    peer.reset();
    expect(String(await got.promise)).toBe('half a wor');
    expect(await closed).toMatchObject({ code: 1006 });
    expect(running.connections).toBe(0);
  });

  test('a client that breaks the protocol is told so, and the backend gets an end', async () => {
    const ended = deferred<void>();
    const { raw } = await joined((socket) => {
      socket.resume();
      socket.on('end', () => {
        ended.resolve();
        socket.end();
      });
    });
    const { peer, frames } = await raw();
    peer.write(frame({ opcode: 1, payload: Buffer.from('not masked') }));
    await ended.promise;
    await peer.closed;
    expect([...frames().at(-1)!.payload.subarray(0, 2)]).toEqual([0x03, 0xea]);
  });

  test('a backend that never ends is dropped after closeTimeout', async () => {
    const { open, gateway: running } = await joined((socket) => void socket.resume(), { closeTimeout: 100 });
    const closed = new Promise((resolve) => running.on('close', resolve));
    const socket = await open();
    await socket.close();
    expect(running.connections).toBe(1);
    expect(await closed).toMatchObject({ code: 1000, failure: 'the backend did not end in time' });
    expect(running.connections).toBe(0);
  });

  test('the gateway closes: 1001 for clients, what was sent and an end for backends', async () => {
    const got = deferred<Buffer>();
    const { open, gateway: running } = await joined((socket) => {
      socket.on('end', () => socket.end());
      void readAll(socket).then(got.resolve);
    });
    const socket = await open();
    socket.send('still to be written');
    await socket.drained();
    const end = messagesOf(socket);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await running.close();
    expect(running.connections).toBe(0);
    expect(await end).toMatchObject({ code: 1001 });
    expect(String(await got.promise)).toBe('still to be written');
  });

  test('the gateway closes within the time that it is given, whatever its backends do', async () => {
    const { open, gateway: running } = await joined((socket) => void socket.pause(), { closeTimeout: 60_000 });
    const end = messagesOf(await open());
    await Promise.all([running.close({ timeout: 50 }), running.close()]);
    expect(running.connections).toBe(0);
    expect(await end).toMatchObject({ code: 1001 });
  });

  test.each([Number.POSITIVE_INFINITY, 2 ** 40, null])(
    'the gateway closes with %j milliseconds: backends have the time that they need',
    async (timeout) => {
      const { open, gateway: running } = await joined((socket) => {
        socket.resume();
        socket.on('end', () => setTimeout(() => socket.end(), 100));
      });
      const resets: unknown[] = [];
      running.on('close', (event) => resets.push(event.code));
      const end = messagesOf(await open());
      const closed = running.close({ timeout });
      expect(await end).toMatchObject({ code: 1001 });
      expect(running.connections).toBe(1);
      await closed;
      expect(resets).toEqual([1001]);
    },
  );

  test('wrong options of close are told, and the gateway can still be closed', async () => {
    const { open, gateway: running } = await joined(echo);
    const socket = await open();
    for (const wrong of [{ timeout: 0 }, { timeout: 'x' }, { code: 1006 }, { colour: 1 }, null]) {
      expect(() => running.close(wrong as never)).toThrow(/close/);
    }
    socket.send('still there');
    for await (const { data } of socket) {
      expect(data).toBe('still there');
      break;
    }
    await Promise.all([socket.close(), running.close()]);
  });

  test('a client that leaves before the 101 takes its backend along', async () => {
    let live = 0;
    let seen = 0;
    const { gateway: running } = await joined((socket) => {
      live++;
      seen++;
      socket.resume();
      socket.on('end', () => socket.end());
      socket.on('close', () => live--);
    });
    for (let i = 0; i < 20; i++) {
      const peer = await RawPeer.to(running.port!);
      peer.write(upgradeRequest('/b'));
      // Sooner and later on the way to the 101.
      for (let turn = 0; turn < i; turn++) await new Promise((resolve) => setImmediate(resolve));
      peer.reset();
      await peer.closed;
    }
    await vi.waitFor(() => expect(live).toBe(0));
    await vi.waitFor(() => expect(running.connections).toBe(0));
    expect(seen).toBeGreaterThan(0);
  });

  test('T69: a backend killed at every byte of a transcript: one defined close, and everything before it', async () => {
    const messages = ['', 'a', 'hello, world', 'é€😀', 'x'.repeat(40)];
    for (const framing of ['chunk', 'nul', 'length-prefixed'] as const) {
      const transcript = Buffer.concat(
        messages.map((message) => {
          const body = Buffer.from(message);
          if (framing === 'nul') return Buffer.concat([body, Buffer.of(0)]);
          return framing === 'chunk' ? body : Buffer.concat([Buffer.of(0, 0, 0, body.length), body]);
        }),
      );
      let cut = 0;
      let reset = false;
      const tcp = await backend(0, (socket) => {
        socket.write(transcript.subarray(0, cut), () => (reset ? socket.resetAndDestroy() : socket.destroy()));
      });
      const { port } = tcp.address() as AddressInfo;
      const running = await gateway({ routes: [{ prefix: '', port }], framing });
      for (cut = 0; cut <= transcript.length; cut++) {
        for (reset of [false, true]) {
          const socket = await connect(`${running.url}/t`).catch((error) => error);
          // Killed before the client was accepted: refused, not opened and lost.
          if (socket instanceof Error) {
            expect(socket).toMatchObject({ status: 502 });
            continue;
          }
          let closes = 0;
          socket.on('close', () => closes++);
          const end = await messagesOf(socket);
          expect([1000, 1011]).toContain(end.code);
          expect([end.clean, closes]).toEqual([true, 1]);
          if (reset) continue;
          const sent = transcript.subarray(0, cut).toString();
          if (framing === 'chunk' && end.code === 1000) expect(end.messages.join('')).toBe(sent);
          if (framing === 'nul' && end.code === 1000) expect(end.messages.join('\0')).toBe(sent.replace(/\0$/, ''));
          if (framing === 'length-prefixed') expect(messages.slice(0, end.messages.length)).toEqual(end.messages);
        }
      }
    }
  });
});

describe('row 98: who is slow holds the other back', () => {
  test('T69: a backend that does not read stops its client, and both go on when it does', async () => {
    const sockets: Socket[] = [];
    const { open } = await joined((socket) => void sockets.push(socket.pause()));
    const socket = await open();
    const piece = new Uint8Array(65_536);
    const before = process.memoryUsage().arrayBuffers;
    let sent = 0;
    for (;;) {
      socket.send(piece);
      sent += piece.length;
      const drained = await Promise.race([
        socket.drained(),
        new Promise((resolve) => setTimeout(resolve, 300, 'stuck')),
      ]);
      if (drained === 'stuck') break;
      expect(sent).toBeLessThan(64 * 1_048_576);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1_048_576);
    let got = 0;
    sockets[0]!.on('data', (chunk) => {
      got += chunk.length;
    });
    sockets[0]!.on('end', () => sockets[0]!.end());
    sockets[0]!.resume();
    await socket.close();
    await vi.waitFor(() => expect(got).toBe(sent));
  });

  test('T69: a client that does not read stops its backend, and gets all of it later', async () => {
    const total = 48 * 1_048_576;
    let written = 0;
    const { open } = await joined(
      (socket) => {
        const piece = Buffer.alloc(65_536, 7);
        const more = () => {
          while (written < total) {
            written += piece.length;
            if (!socket.write(piece)) return;
          }
          socket.end();
        };
        socket.on('drain', more);
        more();
      },
      { frameType: 'binary' },
    );
    const before = process.memoryUsage().arrayBuffers;
    const socket = await open();
    socket.pause();
    let got = 0;
    socket.on('message', ({ data }) => {
      got += data.length;
    });
    await vi.waitFor(() => expect(written).toBeGreaterThan(100_000));
    let last = -1;
    while (last !== written) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(written).toBeLessThan(total);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1_048_576);
    socket.resume();
    expect((await socket.closed).code).toBe(1000);
    expect(got).toBe(total);
  });

  test('T69: a backend that neither reads nor ends is dropped after sendTimeout, and its client told', async () => {
    const sockets: Socket[] = [];
    const { open, gateway: running } = await joined((socket) => void sockets.push(socket.pause()), {
      sendTimeout: 200,
    });
    const closed = new Promise<GatewayEvents['close']>((resolve) => running.on('close', resolve));
    const socket = await open();
    const ended = messagesOf(socket);
    for (let sent = 0; sent < 16 * 1_048_576 && socket.writable; sent += 65_536) {
      socket.send(new Uint8Array(65_536));
      await Promise.race([socket.drained(), new Promise((resolve) => setTimeout(resolve, 100))]);
    }
    expect(await ended).toMatchObject({ code: 1011, reason: 'the backend takes nothing' });
    expect(await closed).toMatchObject({ failure: 'it took nothing for 200 ms' });
    expect(running.connections).toBe(0);
    // One that reads late finds the end of it.
    await readAll(sockets[0]!).catch(() => {});
  });

  test.each([60_000, null])('T69: with a sendTimeout of %j a client and a silent backend stay', async (sendTimeout) => {
    const { open, gateway: running } = await joined((socket) => void socket.pause(), { sendTimeout });
    const socket = await open();
    for (let i = 0; i < 64; i++) socket.send(new Uint8Array(65_536));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([socket.readyState, running.connections]).toEqual(['open', 1]);
    socket.terminate();
  });

  test('T69: a client that sends and never reads is dropped after sendTimeout, and its backend gets an end', async () => {
    const got = deferred<Buffer>();
    const { raw, gateway: running } = await joined(
      (socket) => {
        void readAll(socket).then(got.resolve);
        const flood = () => {
          while (socket.write(Buffer.alloc(65_536, 0x61)));
        };
        socket.on('drain', flood);
        flood();
      },
      { sendTimeout: 200, closeTimeout: 500 },
    );
    const closed = new Promise<GatewayEvents['close']>((resolve) => running.on('close', resolve));
    const { peer } = await raw();
    peer.socket.pause();
    const alive = setInterval(() => peer.write(text('still here')), 20);
    cleanUp(() => clearInterval(alive));
    expect(await closed).toMatchObject({ code: 1006, failure: 'the client took nothing for 200 ms' });
    clearInterval(alive);
    expect(String(await got.promise)).toMatch(/^(still here)+$/);
    peer.socket.destroy();
  });

  test('byte for byte both ways at once, in messages of 1 B to 1 MiB, with slow readers', {
    timeout: 60_000,
  }, async () => {
    const chance = seededNumbers(42);
    const { open } = await joined(
      (socket) => {
        socket.on('data', (chunk) => {
          if (!socket.write(chunk)) socket.pause();
          if (chunk.length % 7 === 0) {
            socket.pause();
            setTimeout(() => socket.resume(), 1);
          }
        });
        socket.on('drain', () => socket.resume());
        socket.on('end', () => socket.end());
      },
      { frameType: 'binary' },
    );
    const socket = await open({ maxMessageSize: null, maxFrameSize: null });
    const total = 24 * 1_048_576;
    const source = Buffer.alloc(1_048_576);
    for (let i = 0; i < source.length; i++) source[i] = Math.floor(chance() * 256);
    let sent = 0;
    let got = 0;
    const same = deferred<boolean>();
    socket.on('message', ({ data }) => {
      const bytes = data as Uint8Array;
      for (let at = 0; at < bytes.length; ) {
        const from = (got + at) % source.length;
        const count = Math.min(bytes.length - at, source.length - from);
        if (Buffer.compare(bytes.subarray(at, at + count), source.subarray(from, from + count)) !== 0)
          same.resolve(false);
        at += count;
      }
      got += bytes.length;
      if (got === total) same.resolve(true);
      return chance() < 0.01 ? new Promise((resolve) => setTimeout(resolve, 2)) : undefined;
    });
    while (sent < total) {
      const size = Math.min(total - sent, Math.floor(2 ** (chance() * 20)));
      const from = sent % source.length;
      const piece = source.subarray(from, Math.min(source.length, from + size));
      sent += piece.length;
      if (!socket.send(piece).writable) await socket.drained();
    }
    expect(await same.promise).toBe(true);
    await socket.close();
  });

  test('a hundred thousand messages of one byte, each of them a message', { timeout: 60_000 }, async () => {
    const { open } = await joined(echo, { framing: 'nul' });
    const socket = await open();
    const count = 100_000;
    let got = 0;
    const all = deferred<void>();
    socket.on('message', ({ data }) => {
      expect(data).toBe('x');
      if (++got === count) all.resolve();
    });
    for (let i = 0; i < count; i++) if (!socket.send('x').writable) await socket.drained();
    await all.promise;
    await socket.close();
  });

  test('whatever highWaterMark is, nothing stands still', async () => {
    for (const highWaterMark of [1, 100, 1_000_000]) {
      const { open } = await joined(echo, { highWaterMark, frameType: 'binary' });
      const socket = await open();
      const total = 2_000_000;
      let got = 0;
      const all = deferred<void>();
      socket.on('message', ({ data }) => {
        got += data.length;
        if (got === total) all.resolve();
      });
      for (let i = 0; i < 20; i++) socket.send(new Uint8Array(total / 20));
      await all.promise;
      await socket.close();
    }
  });
});

describe('row 102: idle clients', () => {
  test('are pinged, and one that does not answer is closed: its backend gets an end', async () => {
    const ended = deferred<void>();
    const { raw } = await joined(
      (socket) => {
        socket.resume();
        socket.on('end', () => {
          ended.resolve();
          socket.end();
        });
      },
      { pingInterval: 40, pongTimeout: 60 },
    );
    const { peer, frames } = await raw();
    await peer.closed;
    await ended.promise;
    const seen = frames();
    expect(seen[0]!.opcode).toBe(9);
    expect([seen.at(-1)!.opcode, ...seen.at(-1)!.payload.subarray(0, 2)]).toEqual([8, 0x03, 0xf3]);
  });
});

describe('listeners of the operator', () => {
  test('one that undoes itself and listens anew hears of the next client, and not of the same again', async () => {
    const { open, gateway: running } = await joined(echo);
    const heard: number[] = [];
    const listen = () => {
      const undo = running.on('open', ({ connection }) => {
        // Before, this never ended.
        if (heard.push(connection) > 10) throw new Error('once and again');
        undo();
        listen();
      });
    };
    listen();
    await (await open()).close();
    await (await open()).close();
    expect(heard).toEqual([1, 2]);
  });

  test('one that throws is a warning that says where, and nothing else', async () => {
    const warnings: { message: string; detail?: string }[] = [];
    const listen = (warning: Error) => void warnings.push(warning);
    process.on('warning', listen);
    cleanUp(() => process.off('warning', listen));
    const { open, gateway: running } = await joined(echo);
    running.on('open', () => {
      throw new Error('thrown by a listener');
    });
    running.on('open', () => Promise.reject(new Error('rejected by a listener')));
    const undo = running.on('open', () => {
      throw new Error('never called');
    });
    undo();
    const socket = await open();
    socket.send('still works');
    await socket.close();
    await vi.waitFor(() => expect(warnings).toHaveLength(2));
    for (const [i, what] of ['thrown by a listener', 'rejected by a listener'].entries()) {
      expect(warnings[i]).toMatchObject({
        message: `the application failed: ${what}`,
        detail: expect.stringMatching(new RegExp(`^Error: ${what}\n +at .*relay\\.test\\.ts:\\d+`)),
      });
    }
    expect(() => running.on('nothing' as never, () => {})).toThrow(/no event 'nothing'/);
    expect(() => running.on('open', null as never)).toThrow(/function/);
  });
});
