/** Which messages are compressed, what is held for a connection, and what a codec is asked for. */

import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { TransformChain } from '../../src/extension/chain.ts';
import type { PayloadTransform } from '../../src/extension/extension.ts';
import type { DeflateCodec, DeflaterOptions } from '../../src/extension/permessage-deflate/codec.ts';
import type { PermessageDeflateOptions } from '../../src/extension/permessage-deflate/options.ts';
import { permessageDeflate, pureDeflate } from '../../src/extension/permessage-deflate/permessage-deflate.ts';
import { concat, equal } from '../support/bytes.ts';
import { Scramble } from '../support/scramble.ts';
import { json, noise } from './support.ts';

/** Both ends of one connection. */
function joined(
  server: PermessageDeflateOptions = {},
  client: PermessageDeflateOptions = {},
): { server: PayloadTransform; client: PayloadTransform } {
  const ours = permessageDeflate(client);
  const { answer, transform } = permessageDeflate(server).accept(ours.offer()[0]!)!;
  return { server: transform, client: ours.agree(answer)! };
}

function decode(transform: PayloadTransform, payload: Uint8Array): Uint8Array {
  transform.write(payload, true);
  const out: Uint8Array[] = [];
  for (let part = transform.read(); part !== null; part = transform.read()) out.push(part.slice());
  expect(transform.corrupt).toBe(false);
  return concat(out);
}

/** A codec that counts what it gave away and what came back. */
function counting(): { codec: DeflateCodec; deflaters: DeflaterOptions[]; inflaters: number[]; released: string[] } {
  const deflaters: DeflaterOptions[] = [];
  const inflaters: number[] = [];
  const released: string[] = [];
  const codec: DeflateCodec = {
    deflater(options) {
      deflaters.push(options);
      const one = pureDeflate.deflater(options);
      return {
        deflate: (piece, last, most) => one.deflate(piece, last, most),
        reset: () => one.reset(),
        release: () => void released.push('deflater'),
      };
    },
    inflater(windowBits) {
      inflaters.push(windowBits);
      const one = pureDeflate.inflater(windowBits);
      return {
        get corrupt() {
          return one.corrupt;
        },
        write: (piece, last) => one.write(piece, last),
        read: () => one.read(),
        reset: () => one.reset(),
        release: () => void released.push('inflater'),
      };
    },
  };
  return { codec, deflaters, inflaters, released };
}

describe('T80: what is sent as it is', () => {
  test('messages below the threshold and above the limit', () => {
    const { server, client } = joined({ threshold: 100, compressLimit: 2_000 }, { memory: 'shared' });
    expect(server.encode(json(99), 'text')).toBeNull();
    expect(server.encode(json(100), 'text')).not.toBeNull();
    expect(server.encode(json(2_000), 'text')).not.toBeNull();
    expect(server.encode(json(2_001), 'text')).toBeNull();
    // The defaults: 64 with context takeover, 1,024 without.
    expect(joined().server.encode(new Uint8Array(64), 'text')).not.toBeNull();
    expect(joined().server.encode(new Uint8Array(63), 'text')).toBeNull();
    expect(client.encode(json(1_023), 'text')).toBeNull();
    expect(client.encode(json(1_024), 'text')).not.toBeNull();
    expect(joined({ compressLimit: null }).server.encode(json(300_000), 'text')).not.toBeNull();
    expect(joined().server.encode(json(300_000), 'text')).toBeNull();
  });

  test('what would not be smaller, and then it is no part of the context', () => {
    const { server, client } = joined({ threshold: 0 });
    expect(server.encode(noise(2_000), 'binary')).toBeNull();
    expect(server.encode(Uint8Array.of(1), 'binary')).toBeNull();
    expect(server.encode(new Uint8Array(0), 'text')).toBeNull();
    for (let i = 1; i < 30; i++) {
      const message = json(500, i);
      expect(server.encode(noise(300 * i, i), 'binary')).toBeNull();
      expect(decode(client, server.encode(message, 'text')!)).toEqual(message);
    }
  });

  test("nothing at all with memory: 'none', but what the peer compresses is read", () => {
    const { server, client } = joined({ memory: 'none' });
    expect(server.encode(json(5_000), 'text')).toBeNull();
    expect(server.encodePiece!(json(5_000), true, true)).toBeNull();
    expect(decode(server, client.encode(json(5_000), 'text')!)).toEqual(json(5_000));
    expect(server.encodeKey).toBe('plain');
  });
});

describe('T78: memory', () => {
  test('nothing is taken before the first compressed message', () => {
    const { codec, deflaters, inflaters } = counting();
    const { server, client } = joined({ codec }, {});
    expect(server.encode(json(10), 'text')).toBeNull();
    expect([deflaters, inflaters]).toEqual([[], []]);
    decode(client, server.encode(json(1_000), 'text')!);
    decode(server, client.encode(json(1_000), 'text')!);
    expect(deflaters).toEqual([{ windowBits: 12, level: 6, memoryLevel: 8, contextTakeover: true }]);
    expect(inflaters).toEqual([12]);
  });

  test('dedicated: one of each for a connection, and both are given back', () => {
    const { codec, deflaters, inflaters, released } = counting();
    const extension = permessageDeflate({ codec });
    const transforms = Array.from({ length: 5 }, () => extension.accept({ name: '', parameters: [] })!.transform);
    for (const transform of transforms) {
      transform.encode(json(100), 'text');
      decode(transform, Uint8Array.of(0));
    }
    expect(deflaters.length).toBe(5);
    // The client could not limit its window: it was asked for no context takeover, and needs none of its own.
    expect(inflaters).toEqual([15]);
    for (const transform of transforms) transform.release();
    expect(released).toEqual(Array(5).fill('deflater'));
  });

  test('shared: one compressor and one decompressor for any number of connections', () => {
    const { codec, deflaters, inflaters, released } = counting();
    const extension = permessageDeflate({ codec, memory: 'shared', windowBits: 15 });
    const client = permessageDeflate({});
    for (let i = 1; i <= 20; i++) {
      const { transform, answer } = extension.accept(client.offer()[0]!)!;
      const peer = client.agree(answer)!;
      for (let k = 0; k < 3; k++) {
        expect(decode(peer, transform.encode(json(2_000, i), 'text')!)).toEqual(json(2_000, i));
        expect(decode(transform, peer.encode(json(2_000, i), 'text')!)).toEqual(json(2_000, i));
      }
      transform.release();
    }
    expect([deflaters.length, inflaters.length, released]).toEqual([1, 1, []]);
  });

  test('shared: a decompressor is held only while a message is under way, and not given on in the middle', () => {
    const { codec, inflaters, released } = counting();
    const extension = permessageDeflate({ codec, memory: 'shared' });
    const transforms = Array.from({ length: 12 }, () => extension.accept({ name: '', parameters: [] })!.transform);
    const { client } = joined({ memory: 'shared' });
    const message = json(3_000);
    const payload = client.encode(message, 'text')!;
    const parts = transforms.map((transform) => {
      transform.write(payload.subarray(0, 200), false);
      return transform.read()!.slice();
    });
    expect(inflaters.length).toBe(12);
    transforms[0]!.release();
    expect(released).toEqual(['inflater']);
    transforms.slice(1).forEach((transform, i) => {
      expect(concat([parts[i + 1]!, decode(transform, payload.subarray(200))])).toEqual(message);
    });
    // Eight are kept for others.
    expect(released.length).toBe(4);
    for (const transform of transforms.slice(1)) expect(decode(transform, payload)).toEqual(message);
    expect(inflaters.length).toBe(12);
  });

  test('what is corrupt is given up at once', () => {
    for (const memory of ['dedicated', 'shared'] as const) {
      const { codec, released } = counting();
      const { server } = joined({ codec, memory });
      server.write(Uint8Array.of(0xff), false);
      expect(server.read()).toBeNull();
      expect(server.corrupt).toBe(true);
      expect(released).toEqual(['inflater']);
      server.release();
      expect(released).toEqual(['inflater']);
    }
  });
});

test.each(['inflater', 'write', 'read'] as const)(
  'T35: a codec that throws from %s fails the message, nothing else',
  (where) => {
    const fail = () => {
      throw new Error('out of memory');
    };
    const codec: DeflateCodec = {
      deflater: pureDeflate.deflater,
      inflater(windowBits) {
        if (where === 'inflater') fail();
        const inflater = pureDeflate.inflater(windowBits);
        inflater[where === 'write' ? 'write' : 'read'] = fail;
        return inflater;
      },
    };
    for (const memory of ['dedicated', 'shared'] as const) {
      const { server, client } = joined({ codec, memory });
      server.write(client.encode(json(2_000), 'text')!, true);
      expect(server.read()).toBeNull();
      expect(server.corrupt).toBe(true);
    }
  },
);

test.each(['dedicated', 'shared'] as const)(
  '%s: a compressor that threw is asked no more, by nobody, and the next one begins without a history',
  (memory) => {
    let broken = false;
    let made = 0;
    const released: number[] = [];
    const codec: DeflateCodec = {
      deflater(options) {
        const one = pureDeflate.deflater(options);
        const name = made++;
        return {
          deflate(piece, last, most) {
            expect(released).not.toContain(name);
            if (broken) throw new Error('out of memory');
            return one.deflate(piece, last, most);
          },
          reset: () => one.reset(),
          release: () => void released.push(name),
        };
      },
      inflater: pureDeflate.inflater,
    };
    const extension = permessageDeflate({ codec, memory });
    const pairs = Array.from({ length: 3 }, () => {
      const ours = permessageDeflate();
      const { answer, transform } = extension.accept(ours.offer()[0]!)!;
      return { server: transform, client: ours.agree(answer)! };
    });
    const all = () => {
      for (const { server, client } of pairs) {
        expect(decode(client, server.encode(json(2_000), 'text')!)).toEqual(json(2_000));
      }
    };
    all();
    broken = true;
    expect(() => pairs[1]!.server.encode(json(2_000), 'text')).toThrow('out of memory');
    expect(released).toEqual([memory === 'shared' ? 0 : 1]);
    broken = false;
    all();
    all();
    expect(made).toBe(memory === 'shared' ? 2 : 4);
    for (const { server } of pairs) server.release();
    expect(released).toEqual(memory === 'shared' ? [0] : [1, 0, 3, 2]);
  },
);

test('each connection has the terms that it agreed on, whatever others of the same extension agreed on', () => {
  let used: unknown[] = [];
  const codec: DeflateCodec = {
    deflater({ windowBits, contextTakeover }) {
      const deflate = () => {
        used.push(windowBits, contextTakeover);
        return Uint8Array.of(0);
      };
      return { deflate, reset() {}, release() {} };
    },
    inflater(windowBits) {
      const reset = () => void used.push('given back');
      return { corrupt: false, write: () => void used.push(windowBits), read: () => null, reset, release() {} };
    },
  };
  const extension = permessageDeflate({ codec, windowBits: 15, threshold: 0 });
  const windows = [8, 9, 10, 11, 12, 13, 14, 15];
  const connections = [0, 1, 2, 3].flatMap((kind) =>
    windows.flatMap((outgoing) =>
      windows.map((incoming) => {
        const parameters = [
          { name: 'server_max_window_bits', value: `${outgoing}` },
          { name: 'client_max_window_bits', value: `${incoming}` },
          ...((kind & 1) === 0 ? [] : [{ name: 'server_no_context_takeover', value: null }]),
          ...((kind & 2) === 0 ? [] : [{ name: 'client_no_context_takeover', value: null }]),
        ];
        const { transform } = extension.accept({ name: '', parameters })!;
        const terms = [outgoing, (kind & 1) === 0, incoming, ...((kind & 2) === 0 ? [] : ['given back'])];
        return { terms, transform };
      }),
    ),
  );
  for (const { terms, transform } of connections) {
    used = [];
    transform.encode(json(100), 'text');
    transform.write(Uint8Array.of(0), true);
    expect(transform.read()).toBeNull();
    expect(used).toEqual(terms);
  }
});

test('a compressor is asked for less than the message has', () => {
  const asked: number[] = [];
  const codec: DeflateCodec = {
    deflater: () => ({
      deflate(_piece, _last, most) {
        asked.push(most);
        return null;
      },
      reset() {},
      release() {},
    }),
    inflater: pureDeflate.inflater,
  };
  const { server } = joined({ codec, threshold: 0 });
  for (const size of [1, 2, 100]) expect(server.encode(json(size), 'text')).toBeNull();
  expect(asked).toEqual([0, 1, 99]);
});

test('between messages there is nothing to read, and nothing is wrong', () => {
  for (const memory of ['dedicated', 'shared'] as const) {
    const { server, client } = joined({ memory });
    expect([server.read(), server.corrupt]).toEqual([null, false]);
    for (let i = 0; i < 2; i++) {
      expect(decode(server, client.encode(json(2_000), 'text')!)).toEqual(json(2_000));
      expect([server.read(), server.read(), server.corrupt]).toEqual([null, null, false]);
    }
  }
});

describe('messages sent piece by piece', () => {
  test('each piece can be read when it has arrived, and the context goes on', () => {
    for (const memory of ['dedicated', 'shared'] as const) {
      const { server, client } = joined({ memory });
      for (let i = 0; i < 3; i++) {
        const pieces = [json(700), noise(2_000), new Uint8Array(0), json(400_000), new Uint8Array(0)];
        const out = pieces.map((piece, at) => {
          client.write(server.encodePiece!(piece, at === 0, at === pieces.length - 1)!, at === pieces.length - 1);
          const parts: Uint8Array[] = [];
          for (let part = client.read(); part !== null; part = client.read()) parts.push(part.slice());
          return concat(parts);
        });
        expect(out.map((each, at) => equal(each, pieces[at]!))).toEqual(pieces.map(() => true));
        expect(decode(client, server.encode(json(2_000), 'text')!)).toEqual(json(2_000));
      }
    }
  });

  test('in a chain: the first piece decides, and says the bits', () => {
    const { server, client } = joined();
    const scramble = new Scramble({ rsvBits: 0x20 });
    const chain = new TransformChain([scramble.accept(scramble.offer()[0]!)!.transform, server]);
    expect(chain.encodePiece(json(100), true, false).rsvBits).toBe(0x40);
    const plain = new TransformChain([joined({ memory: 'none' }).server]);
    expect(plain.encodePiece(json(100), true, true)).toEqual({ payload: json(100), rsvBits: 0 });
    const whole = new TransformChain([client]).encodePiece(json(100), true, true);
    expect(decode(joined().server, whole.payload)).toEqual(json(100));
  });
});

test('encodeKey: the same key is the same output, and a context of its own has none', () => {
  const shared = [
    joined({ memory: 'shared' }),
    joined({ memory: 'shared' }),
    joined({ memory: 'shared' }, { serverMaxWindowBits: 9 }),
  ];
  const [a, b, c] = shared.map(({ server }) => new TransformChain([server]));
  expect(a!.encodeKey).toBe(b!.encodeKey);
  expect(a!.encodeKey).not.toBe(c!.encodeKey);
  expect(new TransformChain([joined().server]).encodeKey).toBeNull();
  expect(joined().server.encodeKey).toBeNull();
  expect(a!.encode(json(5_000), 'text')).toEqual(b!.encode(json(5_000), 'text'));
  expect(joined({ memory: 'shared', level: 1 }).server.encodeKey).not.toBe(a!.encodeKey);
  const scramble = new Scramble();
  expect(new TransformChain([scramble.accept(scramble.offer()[0]!)!.transform]).encodeKey).toBeNull();
});

test('runs where there is nothing but the language, and changes nothing by being loaded', async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `export * from './src/index.ts';
        export { permessageDeflate } from './src/extension/permessage-deflate/permessage-deflate.ts';`,
      resolveDir: fileURLToPath(new URL('../../', import.meta.url)),
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'engine',
    platform: 'neutral',
    target: 'es2022',
  });
  const context = createContext(Object.create(null), { codeGeneration: { strings: false, wasm: false } });
  for (const name of ['WebAssembly', 'console', 'SharedArrayBuffer', 'Atomics', 'Date']) {
    runInContext(`delete globalThis.${name}`, context);
  }
  runInContext(outputFiles[0]!.text, context);
  const script = `
    const { EstablishedConnection, permessageDeflate } = engine;
    const extension = permessageDeflate();
    const { answer, transform } = extension.accept(extension.offer()[0]);
    const make = (role, transform) => new EstablishedConnection(
      { role, transforms: [transform] },
      { platform: { random: (into) => into.fill(7) } },
      0,
    );
    const server = make('server', transform);
    const client = make('client', extension.agree(answer));
    const text = 'compress me, '.repeat(1000);
    const out = [];
    for (const [from, to] of [[server, client], [client, server]]) {
      for (let i = 0; i < 3; i++) {
        out.push(from.sendText(text) < 120);
        for (const chunk of from.takeOutgoing()) to.receive(chunk.slice(), 0);
        for (let event = to.nextEvent(); event !== null; event = to.nextEvent()) {
          if (event.type === 'message') out.push(event.data === text);
        }
      }
    }
    JSON.stringify(out)`;
  expect(JSON.parse(runInContext(script, context) as string)).toEqual(Array(12).fill(true));
});

test('RFC 7692 §7.2.2: what cannot be inflated is said to be that', () => {
  const { server } = joined();
  expect([server.rsvBits, server.corrupt, server.fault]).toEqual([0x40, false, 'DEFLATE_CORRUPT']);
  server.write(Uint8Array.of(0xff), true);
  expect([server.read(), server.corrupt, server.fault]).toEqual([null, true, 'DEFLATE_CORRUPT']);
});
