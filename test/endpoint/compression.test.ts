/** The option `compression` at endpoints: what is agreed on, what becomes of messages, whose turn it is. */

import { describe, expect, it } from 'vitest';
import type { EndpointOptions } from '../../src/endpoint/options.ts';
import type { PermessageDeflateOptions } from '../../src/extension/permessage-deflate/options.ts';
import { ProtocolError, permessageDeflate, UsageError } from '../../src/index.ts';
import { type Pair, pair } from '../../src/testing.ts';
import { json, noise } from '../extension/support.ts';
import { equal } from '../support/bytes.ts';
import { countingDeflate } from '../support/deflate.ts';

const P = 'permessage-deflate';
const TEXT = Buffer.from(json(2_000)).toString();

async function open(server: EndpointOptions, client: EndpointOptions): Promise<Pair> {
  const made = pair({ server, client });
  await made.clock.settle();
  expect([made.server.readyState, made.client.readyState]).toEqual(['open', 'open']);
  return made;
}

describe('seed 79: on and off, on both sides', () => {
  it.each([
    [{}, {}, ''],
    [{ compression: true }, {}, ''],
    [{}, { compression: true }, ''],
    [{ compression: false }, { compression: true }, ''],
    [{ compression: true }, { compression: true }, `${P}; server_max_window_bits=12; client_max_window_bits=12`],
    [{ compression: { windowBits: 15 } }, { compression: {} }, P],
    [
      { compression: { memory: 'shared', windowBits: 15 } },
      { compression: true },
      `${P}; server_no_context_takeover; client_no_context_takeover`,
    ],
    [
      { compression: true },
      { compression: { windowBits: 9 } },
      `${P}; server_max_window_bits=9; client_max_window_bits=9`,
    ],
  ] as [EndpointOptions, EndpointOptions, string][])('%j, %j: %s', async (server, client, agreed) => {
    const made = await open(server, client);
    expect([made.server.extensions, made.client.extensions]).toEqual([agreed, agreed]);
    const got: unknown[] = [];
    for (const [from, to] of [
      [made.server, made.client],
      [made.client, made.server],
    ] as const) {
      to.on('message', ({ data }) => void got.push(data));
      const { wireSize } = from.send(TEXT);
      if (agreed === '') expect(wireSize).toBeGreaterThan(2_000);
      else expect(wireSize).toBeLessThan(1_000);
    }
    await made.clock.settle();
    expect(got).toEqual([TEXT, TEXT]);
  });

  it('options that print alike are not taken for each other', async () => {
    for (const compressLimit of [null, undefined, null]) {
      const compression = { threshold: 77, compressLimit } as PermessageDeflateOptions;
      const { server } = await open({ compression }, { compression: true });
      const { wireSize } = server.send('a'.repeat(300_000));
      expect(wireSize > 300_000).toBe(compressLimit === undefined);
    }
    const wrong = { threshold: 77, compressLimit: Number.NaN };
    expect(() => pair({ server: { compression: wrong } })).toThrow(/compressLimit/);
    expect(() => pair({ server: { compression: { ...wrong, compressLimit: Number.POSITIVE_INFINITY } } })).toThrow(
      /compressLimit/,
    );
  });

  it('what is neither a boolean nor an object, or wrong in it, is a UsageError that names it', () => {
    for (const compression of [
      null,
      1,
      'yes',
      [],
      { level: 10 },
      { windowBits: '9' },
      { memory: 'some' },
      { levle: 1 },
    ]) {
      const make = () => pair({ server: { compression } as unknown as EndpointOptions });
      expect(make).toThrow(UsageError);
      const name = typeof compression === 'object' && compression !== null ? Object.keys(compression)[0] : undefined;
      expect(make).toThrow(name ?? 'compression');
    }
    expect(() => pair({ client: { compression: true, extensions: [permessageDeflate()] } })).toThrow(/choose one/);
  });
});

describe('seed 82: what is not compressed', () => {
  it('T79: compress: false, as a message, as a stream and behind one', async () => {
    const codec = countingDeflate();
    const { server, client, clock } = await open({ compression: { codec } }, { compression: true });
    const got: unknown[] = [];
    client.on('message', ({ data }) => void got.push(data));
    expect(server.send(TEXT, { compress: false }).wireSize).toBe(Buffer.byteLength(TEXT) + 4);
    const stream = server.sendStream('text', [TEXT, TEXT], { compress: false });
    server.send(TEXT, { compress: false });
    await clock.settle();
    await stream;
    await clock.settle();
    expect(codec.deflated).toEqual([]);
    expect(got).toEqual([TEXT, TEXT + TEXT, TEXT]);
  });

  it('below the threshold, above compressLimit, and what would not be smaller', async () => {
    const codec = countingDeflate();
    const compression = { codec, threshold: 100, compressLimit: 10_000 };
    const { server, client, clock } = await open({ compression }, { compression: true });
    const got: Uint8Array[] = [];
    client.on('message', ({ data }) => void got.push(data as Uint8Array));
    const messages = [json(99), json(10_001), noise(5_000), json(100)];
    const sizes = messages.map((message) => server.send(message).wireSize);
    expect(codec.deflated).toEqual([5_000, 100]);
    expect(sizes.slice(0, 3)).toEqual([101, 10_005, 5_004]);
    expect(sizes[3]).toBeLessThan(102);
    await clock.settle();
    expect(got.every((each, i) => equal(each, messages[i]!))).toBe(true);
  });

  it('options of the wrong type are a UsageError, and the connection lives', async () => {
    const { server, client, clock } = await open({ compression: true }, { compression: true });
    for (const wrong of [
      () => server.send('x', 'binary' as never),
      () => server.send('x', { compress: 'no' } as never),
      () => server.send('x', { binary: 1 } as never),
      () => server.sendStream('text', ['x'], { compress: 0 } as never),
      () => server.sendStream('text', ['x'], null as never),
      () => server.connection.sendText('x', { compress: 1 } as never),
      () => server.connection.sendFragment('text', new Uint8Array(1), false, 'no' as never),
    ]) {
      expect(wrong).toThrow(UsageError);
    }
    const got: unknown[] = [];
    client.on('message', ({ data }) => void got.push(data));
    server.send('still here');
    await clock.settle();
    expect(got).toEqual(['still here']);
  });
});

describe('seed 83: errors of compression', () => {
  it('compressionError: nothing is written, the connection lives, the next message goes', async () => {
    const codec = countingDeflate();
    const { server, client, clock } = await open({ compression: { codec } }, { compression: true });
    const got: unknown[] = [];
    client.on('message', ({ data }) => void got.push(data));
    codec.failsFrom = 0;
    const before = server.bufferedAmount;
    expect(server.send(TEXT)).toEqual({
      success: false,
      code: 'compression',
      payloadSize: Buffer.byteLength(TEXT),
      wireSize: 0,
      compressionError: true,
      writable: false,
    });
    expect(server.bufferedAmount).toBe(before);
    expect(server.statistics.messagesSent).toBe(0);
    codec.failsFrom = Number.POSITIVE_INFINITY;
    expect(server.send(TEXT).success).toBe(true);
    await clock.settle();
    expect(got).toEqual([TEXT]);
  });

  it('what was accepted behind a stream goes as it is', async () => {
    const codec = countingDeflate();
    const { server, client, clock } = await open({ compression: { codec } }, { compression: true });
    const got: unknown[] = [];
    client.on('message', ({ data }) => void got.push(data));
    let end = (): void => {};
    const held = new Promise<void>((resolve) => {
      end = resolve;
    });
    const sent = server.sendStream(
      'text',
      (async function* () {
        yield TEXT;
        await held;
      })(),
    );
    await clock.settle();
    expect(server.send(TEXT).success).toBe(true);
    // The empty end of the stream can be compressed still.
    codec.failsFrom = 1;
    end();
    await clock.settle();
    await sent;
    await clock.settle();
    expect(got).toEqual([TEXT, TEXT]);
  });

  it('a fragment that cannot be compressed leaves the message as it was', async () => {
    const codec = countingDeflate();
    const { server, client, clock } = await open({ compression: { codec } }, { compression: true });
    const got: unknown[] = [];
    client.on('message', ({ data }) => void got.push(data));
    const [euro, rest] = [Uint8Array.of(0xe2, 0x82), Uint8Array.of(0xac)];
    server.sendFragment('text', euro, false);
    codec.failsFrom = 0;
    expect(server.sendFragment('text', rest, true)).toMatchObject({ success: false, code: 'compression' });
    codec.failsFrom = Number.POSITIVE_INFINITY;
    server.sendFragment('text', rest, true);
    await clock.settle();
    expect(got).toEqual(['€']);
  });

  it('a stream that was begun and cannot be compressed fails the connection with 1011', async () => {
    const codec = countingDeflate();
    codec.failsFrom = TEXT.length;
    const { server, client, clock } = await open({ compression: { codec } }, { compression: true });
    const sent = server.sendStream('text', ['begun ', TEXT]).catch((error: Error) => error.message);
    await clock.settle();
    expect(await sent).toBe('out of memory');
    expect(await client.closed).toMatchObject({ code: 1011 });
  });

  it('decompressionError: 1007, and the failure says so', async () => {
    const { server, client, clock } = await open({ compression: true }, { compression: true });
    const errors: unknown[] = [];
    server.on('error', (error) => void errors.push(error));
    client.connection.sendEncoded({ bytes: Uint8Array.of(0xc1, 0x81, 0, 0, 0, 0, 0xff), slab: null, start: 0 });
    client.wake();
    await clock.settle();
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(ProtocolError);
    expect(errors[0]).toMatchObject({ code: 'DEFLATE_CORRUPT', closeCode: 1007, decompressionError: true });
    expect(new ProtocolError('UTF8_INVALID').decompressionError).toBe(false);
    expect(await client.closed).toMatchObject({ code: 1007, reason: 'the compressed message cannot be inflated' });
  });
});

describe('turns', () => {
  it('a stream is compressed 64 KiB a turn, each slice behind the water mark, and can be read as it comes', async () => {
    const codec = countingDeflate();
    const { server, client, clock } = await open(
      { compression: { codec } },
      { compression: true, delivery: 'fragment', maxFragments: null },
    );
    let total = 0;
    client.on('fragment', ({ data }) => {
      total += data.length;
    });
    const turns: number[] = [];
    const watch = (): void => {
      turns.push(codec.deflated.length);
      if (turns.length < 40) clock.yield(watch, undefined);
    };
    clock.yield(watch, undefined);
    const sent = server.sendStream('binary', [json(1_000_000), json(10)]);
    await clock.settle();
    expect((await sent).payloadSize).toBe(1_000_010);
    expect(Math.max(...codec.deflated)).toBe(65_536);
    expect(codec.deflated).toHaveLength(16 + 1 + 1);
    // Others have had their turn between any two slices.
    expect(turns.every((count, i) => i === 0 || count - turns[i - 1]! <= 3)).toBe(true);
    expect(total).toBe(1_000_010);
  });

  it('T33: a long message is inflated 256 KiB a turn, and no other input is taken meanwhile', async () => {
    const codec = countingDeflate();
    const options = { compression: { codec, windowBits: 15 }, maxMessageSize: 8_000_000 };
    const { server, client, clock } = await open(options, { compression: { compressLimit: null } });
    const got: number[] = [];
    server.on('message', ({ data }) => void got.push(data.length));
    const turns: number[] = [];
    const watch = (): void => {
      turns.push(codec.inflated.reduce((sum, size) => sum + size, 0));
      if (turns.length < 100) clock.yield(watch, undefined);
    };
    clock.yield(watch, undefined);
    client.send(new Uint8Array(6_000_000));
    client.send('next');
    await clock.settle();
    expect(got).toEqual([6_000_000, 4]);
    expect(turns.every((count, i) => i === 0 || count - turns[i - 1]! <= 262_144 + 65_536)).toBe(true);
  });

  it.each([
    ['return nothing', () => undefined],
    ['return promises', async () => undefined],
  ])('T33: many messages that were small on the wire share turns, with listeners that %s', async (_, result) => {
    const options = { compression: { windowBits: 15 } };
    const { server, client, clock } = await open(options, options);
    let yields = 0;
    const { yield: real } = clock;
    clock.yield = (run, argument) => {
      yields++;
      real.call(clock, run as (argument: unknown) => void, argument);
    };
    let got = 0;
    server.on('message', () => {
      got++;
      return result();
    });
    for (let i = 0; i < 40; i++) client.send(new Uint8Array(200_000));
    await clock.settle();
    expect(got).toBe(40);
    expect(yields).toBeGreaterThan(10);
  });

  it('T34: the end in the middle of a long message is the end of its work', async () => {
    const codec = countingDeflate();
    const options = { compression: { codec, windowBits: 15 }, maxMessageSize: 8_000_000 };
    const { server, client, clock } = await open(options, { compression: { compressLimit: null } });
    server.on('message', () => expect.fail('too late'));
    let work = 0;
    codec.onInflate = () => {
      if (work++ > 0) return;
      clock.yield(() => {
        work = codec.inflated.length;
        server.terminate();
      }, undefined);
    };
    client.send(new Uint8Array(6_000_000));
    await clock.settle();
    expect(await server.closed).toMatchObject({ code: 1006 });
    expect(work).toBeGreaterThan(0);
    expect(codec.inflated.length).toBe(work);
  });
});

describe('the engine without a driver', () => {
  it('a budget ends a call, hasPendingInput says that there is more, and wantsInput that no input is welcome', async () => {
    const options = { compression: { windowBits: 15, compressLimit: null }, maxMessageSize: 8_000_000 };
    const { server, client, clock } = await open(options, options);
    client.pause();
    await clock.settle();
    const { connection } = server;
    client.connection.sendBinary(new Uint8Array(1_000_000));
    const wire = client.connection.takeOutgoing();
    for (const chunk of wire) connection.receive(chunk.slice(), 0);
    let calls = 0;
    let event = connection.nextEvent(65_536);
    for (; event === null && calls < 100; event = connection.nextEvent(65_536)) {
      expect(connection.hasPendingInput).toBe(true);
      expect(connection.wantsInput).toBe(false);
      calls++;
    }
    expect(calls).toBeGreaterThan(5);
    expect(event).toMatchObject({ type: 'message', kind: 'binary' });
    expect(connection.hasPendingInput).toBe(false);
    expect(connection.wantsInput).toBe(true);
  });

  it('maxFrameSize: by default a compressed frame may be a little longer than the message', async () => {
    for (const [given, fails] of [
      [{}, false],
      [{ maxFrameSize: 10_000 }, true],
    ] as const) {
      const { server, client, clock } = await open(
        { compression: true, maxMessageSize: 10_000, ...given },
        { compression: true },
      );
      const got: number[] = [];
      server.on('message', ({ data }) => void got.push(data.length));
      // Stored blocks: five octets more.
      const payload = new Uint8Array(10_006);
      payload.set([0, 0x10, 0x27, 0xef, 0xd8]);
      const frame = new Uint8Array(8 + payload.length);
      frame.set([0xc2, 0xfe, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0]);
      frame.set(payload, 8);
      client.connection.sendEncoded({ bytes: frame, slab: null, start: 0 });
      client.wake();
      await clock.settle();
      expect(got).toEqual(fails ? [] : [10_000]);
      if (fails) expect(await server.closed).toMatchObject({ error: { code: 'FRAME_TOO_BIG' } });
    }
  });
});
