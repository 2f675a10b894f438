/** Extensions that throw while a message is sent: the result says so, nothing of it leaves, and what follows can be read. */
import { describe, expect, it } from 'vitest';
import { type DeflateCodec, permessageDeflate, pureDeflate } from '../../src/index.ts';
import { type Pair, pair } from '../../src/testing.ts';
import { bytesOf } from '../rfc6455/support.ts';
import { Scramble, ScrambleTransform } from '../support/scramble.ts';

const TEXT = 'the quick brown fox jumps over the lazy dog; '.repeat(100);

/** A compressor that throws when it is told to, after it has looked at the data, as one that runs out of memory does. */
function failing(): DeflateCodec & { fails: boolean } {
  const codec = {
    fails: false,
    inflater: pureDeflate.inflater,
    deflater(options: Parameters<DeflateCodec['deflater']>[0]) {
      const inner = pureDeflate.deflater(options);
      return {
        deflate(piece: Uint8Array, last: boolean, atMost: number) {
          const out = inner.deflate(piece, last, atMost);
          if (codec.fails) throw new Error('out of memory');
          return out;
        },
        reset: () => inner.reset(),
        release: () => inner.release(),
      };
    },
  };
  return codec;
}

/** Two endpoints with compression whose server cannot always compress. */
async function open(memory: 'dedicated' | 'shared'): Promise<Pair & { codec: { fails: boolean }; got: unknown[] }> {
  const codec = failing();
  const compression = { codec, memory, threshold: 0 };
  const joined = pair({ server: { compression }, client: { compression: true } });
  const got: unknown[] = [];
  joined.client.on('message', ({ data }) => void got.push(data));
  joined.server.resume();
  await joined.clock.settle();
  expect(joined.server.extensions).toContain('permessage-deflate');
  return { ...joined, codec, got };
}

const REFUSED = { success: false, code: 'compression', wireSize: 0, compressionError: true, writable: false };

for (const memory of ['dedicated', 'shared'] as const) {
  describe(`seed 83: a compressor that throws, memory: ${memory}`, () => {
    it('send: the message is refused, and nothing later refers to it', async () => {
      const { server, clock, codec, got } = await open(memory);
      server.send(TEXT);
      codec.fails = true;
      expect(server.send(`${TEXT}!`)).toMatchObject(REFUSED);
      codec.fails = false;
      server.send(`${TEXT}!`);
      server.send(TEXT);
      await clock.settle();
      expect(got).toEqual([TEXT, `${TEXT}!`, TEXT]);
    });

    for (const at of [0, 1, 2]) {
      it(`sendFragment: fragment ${at} is refused as a message is, and can be sent again`, async () => {
        const { server, clock, codec, got } = await open(memory);
        const pieces = [TEXT, `${TEXT}${TEXT}`, 'end'];
        for (const [i, piece] of pieces.entries()) {
          const last = i === pieces.length - 1;
          const before = [server.bufferedAmount, server.statistics.messagesSent];
          if (i === at) {
            codec.fails = true;
            const refused = server.sendFragment('text', bytesOf(piece), last);
            expect(refused).toEqual({ ...REFUSED, payloadSize: piece.length });
            expect([server.bufferedAmount, server.statistics.messagesSent]).toEqual(before);
            expect(server.connection.sendFragment('text', bytesOf(piece), last)).toBe(-1);
            codec.fails = false;
          }
          expect(server.sendFragment('text', bytesOf(piece), last).success).toBe(true);
          await clock.settle();
        }
        server.send(TEXT);
        await clock.settle();
        expect(got).toEqual([pieces.join(''), TEXT]);
      });
    }

    it('sendStream: refused at its first piece the connection lives, and what queued behind it goes', async () => {
      const { server, clock, codec, got } = await open(memory);
      codec.fails = true;
      let returned = false;
      function* source() {
        try {
          yield TEXT;
          yield TEXT;
        } finally {
          returned = true;
        }
      }
      const sent = server.sendStream('text', source());
      server.send('behind', { compress: false });
      await clock.settle();
      expect(await sent).toMatchObject(REFUSED);
      codec.fails = false;
      server.send(TEXT);
      await clock.settle();
      expect(got).toEqual(['behind', TEXT]);
      expect(returned).toBe(true);
      const empty = server.sendStream('text', []);
      await clock.settle();
      expect(await empty).toMatchObject({ success: true, payloadSize: 0 });
    });

    it('sendStream: later it can be neither taken back nor ended, and fails with 1011 and what was thrown', async () => {
      for (const at of [1, 2]) {
        const { server, client, clock, codec } = await open(memory);
        function* source() {
          for (let i = 0; i < at; i++) yield TEXT;
          codec.fails = true;
          if (at === 1) yield TEXT;
        }
        const outcome = expect(server.sendStream('text', source())).rejects.toThrow('out of memory');
        await clock.run(10_000);
        await outcome;
        expect(await client.closed).toMatchObject({ code: 1011 });
        expect(await server.closed).toMatchObject({ error: { cause: { message: 'out of memory' } } });
      }
    });
  });
}

describe('seed 83: two extensions, of which the second throws', () => {
  async function two() {
    const behind = new Scramble({ name: 'behind', rsvBits: 0x20 });
    const extensions = () => [permessageDeflate({ threshold: 0, codec: pureDeflate })];
    const joined = pair({
      server: { extensions: [...extensions(), behind] },
      client: { extensions: [...extensions(), new Scramble({ name: 'behind', rsvBits: 0x20 })] },
    });
    const got: unknown[] = [];
    joined.client.on('message', ({ data }) => void got.push(data));
    joined.server.resume();
    await joined.clock.settle();
    expect(joined.server.extensions).toMatch(/^permessage-deflate.*, behind/);
    const [scramble] = behind.made;
    const fails = (failing: boolean) => {
      const made = failing
        ? () => {
            throw new Error('out of memory');
          }
        : ScrambleTransform.prototype.encode;
      Object.assign(scramble!, { encode: made, encodePiece: failing ? made : (piece: Uint8Array) => piece });
    };
    return { ...joined, got, fails };
  }

  it('the first, which has a history of it, is not used again, and what follows can be read', async () => {
    const { server, clock, got, fails } = await two();
    server.send(TEXT);
    fails(true);
    expect(server.send(`${TEXT}?`)).toMatchObject(REFUSED);
    fails(false);
    for (let i = 0; i < 3; i++) expect(server.send(`${TEXT}?`).success).toBe(true);
    await clock.settle();
    expect(got).toEqual([TEXT, `${TEXT}?`, `${TEXT}?`, `${TEXT}?`]);
  });
});
