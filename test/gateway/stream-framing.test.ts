import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createDecoder,
  createEncoder,
  type Decoder,
  type Framing,
  type FramingFault,
  HOLD,
} from '../../src/gateway/stream-framing.ts';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Messages, and how many pieces each came in. */
class Messages {
  readonly whole: Buffer[] = [];
  readonly pieces: number[] = [];
  private parts: Buffer[] = [];

  piece(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    this.parts.push(Buffer.from(bytes.slice(start, end)));
    if (!last) return;
    this.whole.push(Buffer.concat(this.parts));
    this.pieces.push(this.parts.length);
    this.parts = [];
  }

  get rest(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** A buffer that is used again and again, as a socket's is: what is kept of it is wrong soon. */
function feed(decoder: Decoder, chunks: readonly Uint8Array[], sink: Messages): FramingFault | null {
  const shared = new Uint8Array(Math.max(1, ...chunks.map(({ length }) => length)) + 3).fill(0x0a);
  for (const chunk of chunks) {
    shared.fill(0);
    shared.set(chunk);
    const fault = decoder.decode(shared, chunk.length, sink);
    if (fault !== null) return fault;
  }
  return null;
}

function encodeAll(
  framing: Framing,
  messages: readonly Uint8Array[],
  cut = 7,
  limit = Number.POSITIVE_INFINITY,
): Buffer {
  const encoder = createEncoder(framing, limit);
  const out: Buffer[] = [];
  const sink = { write: (bytes: Uint8Array) => out.push(Buffer.from(bytes)) };
  for (const message of messages) {
    let at = 0;
    do {
      const piece = message.slice(at, at + cut);
      at += cut;
      expect(encoder.encode(piece, at >= message.length, sink)).toBeNull();
    } while (at < message.length);
  }
  return Buffer.concat(out);
}

function cutAt(bytes: Uint8Array, ...places: readonly number[]): Uint8Array[] {
  const ends = [...places, bytes.length];
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end)).filter(({ length }) => length > 0);
}

const DELIMITERS = { nul: '\0', line: '\n' } as const;

describe('row 96: message boundaries on a stream', () => {
  test('chunk: what is read is a message, and what is sent leaves no trace of its end', () => {
    const sink = new Messages();
    feed(createDecoder('chunk', 9, false), [bytesOf('ab'), bytesOf('c\0d')], sink);
    expect(sink.whole.map(String)).toEqual(['ab', 'c\0d']);
    expect(String(encodeAll('chunk', [bytesOf('abc'), bytesOf(''), bytesOf('d')]))).toBe('abcd');
  });

  test('chunk, text: a character that a read cuts waits for its end', () => {
    const text = Buffer.from('aé€😀z');
    for (let i = 1; i < text.length; i++) {
      for (let j = i; j < text.length; j++) {
        const sink = new Messages();
        const decoder = createDecoder('chunk', 9, true);
        feed(decoder, cutAt(text, i, j), sink);
        for (const each of sink.whole) expect(each.toString().includes('�')).toBe(false);
        expect(Buffer.concat(sink.whole).equals(text)).toBe(true);
        expect(decoder.end(sink)).toBeNull();
      }
    }
  });

  test('chunk, text: the end within a character is told, and what is no UTF-8 is not held back', () => {
    const decoder = createDecoder('chunk', 9, true);
    const sink = new Messages();
    feed(decoder, [Uint8Array.of(0x61, 0xe2, 0x82)], sink);
    expect(decoder.end(sink)).toBe('truncated');
    for (const wrong of [[0x80], [0x80, 0x80, 0x80, 0x80], [0xc3, 0x28], [0xff, 0x80, 0x80, 0x80, 0x80]]) {
      const found = new Messages();
      feed(createDecoder('chunk', 9, true), [Uint8Array.from(wrong)], found);
      expect([...Buffer.concat(found.whole)]).toEqual(wrong);
    }
  });

  test.each(['nul', 'line', 'length-prefixed'] as const)(
    '%s: cut at every two places, the messages are the same',
    (framing) => {
      const messages = ['', 'a', 'hello', '', 'x'.repeat(300)].map(bytesOf);
      const stream = encodeAll(framing, messages);
      const expected = messages.join('|');
      const wrong: string[] = [];
      for (let i = 1; i < stream.length; i++) {
        for (let j = i; j < stream.length; j++) {
          const sink = new Messages();
          const decoder = createDecoder(framing, 300, true);
          const fault = feed(decoder, cutAt(stream, i, j), sink) ?? decoder.end(sink);
          const whole = sink.pieces.every((count) => count === 1);
          if (fault !== null || !whole || sink.whole.join('|') !== expected) wrong.push(`cut at ${i} and ${j}`);
        }
      }
      expect(wrong).toEqual([]);
    },
  );

  test('any messages, cut anyhow, come back as they were', () => {
    const framing = fc.constantFrom<Framing>('nul', 'line', 'length-prefixed');
    const messages = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 });
    fc.assert(
      fc.property(
        framing,
        messages,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        (kind, given, size, cut) => {
          const delimiter = kind === 'nul' ? 0 : 10;
          const sent = given.map((each) =>
            Buffer.from(kind === 'length-prefixed' ? each : each.filter((x) => x !== delimiter)),
          );
          const stream = encodeAll(kind, sent, cut);
          const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, i) =>
            stream.subarray(i * size, (i + 1) * size),
          );
          const sink = new Messages();
          expect(feed(createDecoder(kind, 200, false), chunks, sink)).toBeNull();
          expect(sink.whole).toEqual(sent);
        },
      ),
    );
  });

  test.each(['nul', 'line', 'length-prefixed'] as const)(
    '%s: a long message streams: at most 64 KiB of it are held',
    (framing) => {
      const message = Buffer.alloc(5 * HOLD + 17, 0x61);
      const stream = encodeAll(framing, [message, bytesOf('b')], message.length);
      const sink = new Messages();
      let held = 0;
      const decoder = createDecoder(framing, Number.POSITIVE_INFINITY, false);
      for (let at = 0; at < stream.length; at += 1_000) {
        const chunk = stream.subarray(at, at + 1_000);
        expect(decoder.decode(chunk, chunk.length, sink)).toBeNull();
        if (sink.whole.length === 0) held = Math.max(held, at + chunk.length - sink.rest.length);
      }
      expect(sink.whole.map(({ length }) => length)).toEqual([message.length, 1]);
      expect(sink.whole[0]!.equals(message)).toBe(true);
      expect(sink.pieces[0]).toBeGreaterThan(4);
      expect(held).toBeLessThanOrEqual(HOLD + 1_004);
      expect(held).toBeGreaterThan(HOLD / 2);
    },
  );

  test.each(['nul', 'line'] as const)('%s: what has no end is the last message', (framing) => {
    const sink = new Messages();
    const decoder = createDecoder(framing, 99, false);
    feed(decoder, [bytesOf(`one${DELIMITERS[framing]}tw`), bytesOf('o')], sink);
    expect(decoder.end(sink)).toBeNull();
    expect(sink.whole.map(String)).toEqual(['one', 'two']);
    const long = new Messages();
    const other = createDecoder(framing, Number.POSITIVE_INFINITY, false);
    feed(other, [Buffer.alloc(HOLD + 1, 0x61)], long);
    expect(other.end(long)).toBeNull();
    expect(long.whole.map(({ length }) => length)).toEqual([HOLD + 1]);
  });

  test.each(['nul', 'line'] as const)(
    '%s: a message cannot hold what ends messages: a client cannot make two of one',
    (framing) => {
      const encoder = createEncoder(framing, 99);
      const out: string[] = [];
      const sink = { write: (bytes: Uint8Array) => out.push(Buffer.from(bytes).toString('latin1')) };
      expect(encoder.encode(bytesOf(`a${DELIMITERS[framing]}b`), true, sink)).toBe('delimiter');
      expect(out).toEqual([]);
    },
  );

  test.each(['nul', 'line'] as const)('%s: a message over the limit is told', (framing) => {
    expect(feed(createDecoder(framing, 5, false), [bytesOf(`12345${DELIMITERS[framing]}`)], new Messages())).toBeNull();
    expect(feed(createDecoder(framing, 5, false), [bytesOf('123456')], new Messages())).toBe('too-big');
    expect(feed(createDecoder(framing, 5, false), [bytesOf('123'), bytesOf('456')], new Messages())).toBe('too-big');
  });
});

describe('T93: a length in front is judged when it comes', () => {
  test('0xffffffff, and one more than the limit, before any of it has come; nothing is reserved for it', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const prefix of [
      [0xff, 0xff, 0xff, 0xff],
      [0x7f, 0xff, 0xff, 0xff],
      [0, 0, 4, 1],
    ]) {
      for (let cut = 1; cut < 4; cut++) {
        const decoder = createDecoder('length-prefixed', 1_024, false);
        expect(feed(decoder, cutAt(Uint8Array.from(prefix), cut), new Messages())).toBe('too-big');
      }
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
    expect(
      feed(createDecoder('length-prefixed', 1_024, false), [Uint8Array.of(0, 0, 4, 0)], new Messages()),
    ).toBeNull();
  });

  test('an end within a prefix or a message is told', () => {
    for (const cut of [1, 3, 4, 6]) {
      const decoder = createDecoder('length-prefixed', 99, false);
      const sink = new Messages();
      feed(decoder, [encodeAll('length-prefixed', [bytesOf('abc')]).subarray(0, cut)], sink);
      expect(decoder.end(sink)).toBe('truncated');
    }
  });

  test('the prefix is four octets, the highest first', () => {
    expect([...encodeAll('length-prefixed', [Buffer.alloc(0x01_02_03, 1)], 0x10_000).subarray(0, 5)]).toEqual([
      0, 1, 2, 3, 1,
    ]);
    expect([...encodeAll('length-prefixed', [bytesOf('')])]).toEqual([0, 0, 0, 0]);
  });

  test('towards the backend a message waits for its length, up to the limit', () => {
    const encoder = createEncoder('length-prefixed', 10);
    const out: Uint8Array[] = [];
    const sink = { write: (bytes: Uint8Array) => out.push(bytes) };
    expect(encoder.encode(bytesOf('12345'), false, sink)).toBeNull();
    expect(out).toEqual([]);
    expect(encoder.encode(bytesOf('678901'), false, sink)).toBe('too-big');
    expect(out).toEqual([]);
  });
});
