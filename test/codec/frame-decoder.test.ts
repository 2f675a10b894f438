/** What the cursor over frames says of itself between its steps. Its rules are in test/rfc6455/5*. */
import { describe, expect, it } from 'vitest';
import { ByteQueue } from '../../src/codec/byte-queue.ts';
import { FrameDecoder, Step } from '../../src/codec/frame-decoder.ts';
import { frame, OP, pattern } from '../rfc6455/support.ts';
import { hex } from '../support/bytes.ts';

const RULES = {
  masked: false,
  rsvBits: 0,
  maxFrameSize: Number.POSITIVE_INFINITY,
  maxMessageSize: Number.POSITIVE_INFINITY,
  maxFragments: Number.POSITIVE_INFINITY,
};

function fed(...chunks: readonly Uint8Array[]): { decoder: FrameDecoder; queue: ByteQueue } {
  const queue = new ByteQueue();
  for (const chunk of chunks) queue.push(chunk, chunk.length, false);
  return { decoder: new FrameDecoder(RULES), queue };
}

describe('FrameDecoder', () => {
  it('says what a frame still misses, piece by piece', () => {
    const bytes = frame({ opcode: OP.binary, payload: pattern(100) });
    const { decoder, queue } = fed(bytes.subarray(0, 1));
    expect([decoder.next(queue), decoder.missing]).toEqual([Step.needBytes, 0]);
    queue.push(bytes.subarray(1, 42), 41, false);
    expect([decoder.next(queue), decoder.missing]).toEqual([Step.data, 60]);
    expect([...decoder.bytes.subarray(decoder.start, decoder.end)]).toEqual([...pattern(100).subarray(0, 40)]);
    expect([decoder.firstPiece, decoder.lastPiece]).toEqual([true, false]);
    expect([decoder.next(queue), decoder.missing]).toEqual([Step.needBytes, 60]);
    queue.push(bytes.subarray(42), 60, false);
    expect([decoder.next(queue), decoder.missing]).toEqual([Step.data, 0]);
    expect([decoder.firstPiece, decoder.lastPiece]).toEqual([false, true]);
  });

  it('is idle before its first octet and behind a last one, whatever control frames come in between', () => {
    const { decoder, queue } = fed();
    const step = (bytes: Uint8Array) => {
      queue.push(bytes, bytes.length, false);
      return [decoder.next(queue), decoder.idle];
    };
    const text = frame({ opcode: OP.text, payload: 'Hel', fin: false });
    expect(decoder.idle).toBe(true);
    expect(step(text.subarray(0, 1))).toEqual([Step.needBytes, false]);
    expect(step(text.subarray(1, 2))).toEqual([Step.needBytes, false]);
    expect(step(text.subarray(2))).toEqual([Step.data, false]);
    const ping = frame({ opcode: OP.ping, payload: 'a' });
    expect(step(ping.subarray(0, 2))).toEqual([Step.needBytes, false]);
    expect(step(ping.subarray(2))).toEqual([Step.control, false]);
    const rest = frame({ opcode: OP.continuation, payload: 'lo' });
    expect(step(rest)).toEqual([Step.data, true]);
    expect(decoder).toMatchObject({ fragments: 2, messageLength: 5, wireSize: text.length + rest.length });
    expect(step(ping.subarray(0, 2))).toEqual([Step.needBytes, false]);
    expect(step(ping.subarray(2))).toEqual([Step.control, true]);
  });

  it('is never idle again after a fault', () => {
    const { decoder, queue } = fed(Uint8Array.of(0x83, 0));
    expect([decoder.next(queue), decoder.fault, decoder.idle]).toEqual([Step.fault, 'RESERVED_OPCODE', false]);
  });

  it('release() lets go of the chunk of the last piece', () => {
    const { decoder, queue } = fed(frame({ opcode: OP.text, payload: 'abc' }));
    decoder.next(queue);
    expect(decoder.end - decoder.start).toBe(3);
    decoder.release();
    expect([decoder.bytes.length, decoder.start, decoder.end]).toEqual([0, 0, 0]);
  });
});

const MASK = [0x37, 0xfa, 0x21, 0x3d] as const;

/** What a decoder finds in these chunks: pieces joined to frames, control frames, and the fault that ended it. */
function read(chunks: readonly Uint8Array[], rules: Partial<typeof RULES> = {}) {
  const decoder = new FrameDecoder({ ...RULES, ...rules });
  const queue = new ByteQueue();
  const frames: { opcode: number; fin: boolean; payload: string; wireSize: number }[] = [];
  let payload = '';
  let missing = 0;
  for (const chunk of chunks) {
    queue.push(chunk.slice(), chunk.length, false);
    for (let step = decoder.next(queue); step !== Step.needBytes; step = decoder.next(queue)) {
      if (step === Step.fault) return { frames, fault: decoder.fault, missing };
      const piece = hex(decoder.bytes.subarray(decoder.start, decoder.end));
      if (step === Step.control) {
        frames.push({ opcode: decoder.opcode, fin: decoder.fin, payload: piece, wireSize: 0 });
        continue;
      }
      payload += piece;
      if (!decoder.lastPiece) continue;
      const { fin, opcode, wireSize } = decoder;
      frames.push({ opcode, fin, payload, wireSize });
      payload = '';
    }
    missing = decoder.missing;
  }
  return { frames, fault: decoder.fault, missing };
}

const octets = (bytes: Uint8Array) => Array.from(bytes, (octet) => Uint8Array.of(octet));

describe('frames', () => {
  for (const mask of [null, MASK]) {
    const rules = { masked: mask !== null };

    it(`${mask === null ? 'bare' : 'masked'}, of every form of length, are the same however they are cut`, () => {
      for (const size of [0, 1, 3, 125, 126, 127, 65_535, 65_536, 65_537]) {
        const wire = frame({ opcode: OP.binary, payload: pattern(size), mask });
        const wanted = [{ opcode: OP.binary, fin: true, payload: hex(pattern(size)), wireSize: wire.length }];
        expect(read([wire], rules)).toEqual({ frames: wanted, fault: null, missing: 0 });
        for (let cut = 1; cut < Math.min(wire.length, 20); cut++) {
          expect(read([wire.subarray(0, cut), wire.subarray(cut)], rules).frames).toEqual(wanted);
        }
        if (size < 1_000) expect(read(octets(wire), rules).frames).toEqual(wanted);
      }
    });

    it(`${mask === null ? 'bare' : 'masked'} control frames come whole, however they are cut, between fragments too`, () => {
      const parts = [
        frame({ opcode: OP.text, payload: 'Hel', fin: false, mask }),
        frame({ opcode: OP.ping, payload: pattern(125), mask }),
        frame({ opcode: OP.continuation, payload: 'lo', mask }),
        frame({ opcode: OP.close, mask }),
      ];
      const wire = Uint8Array.from(parts.flatMap((part) => [...part]));
      const wanted = [
        { opcode: OP.text, fin: false, payload: '48656c', wireSize: parts[0]!.length },
        { opcode: OP.ping, fin: true, payload: hex(pattern(125)), wireSize: 0 },
        { opcode: OP.continuation, fin: true, payload: '6c6f', wireSize: parts[0]!.length + parts[2]!.length },
        { opcode: OP.close, fin: true, payload: '', wireSize: 0 },
      ];
      for (let cut = 0; cut <= wire.length; cut++) {
        expect(read([wire.subarray(0, cut), wire.subarray(cut)], rules).frames).toEqual(wanted);
      }
      expect(read(octets(wire), rules).frames).toEqual(wanted);
    });
  }

  it('in several waiting chunks are read on without another call', () => {
    const wire = frame({ opcode: OP.binary, payload: pattern(10_000) });
    const { decoder, queue } = fed(wire.subarray(0, 5_000), wire.subarray(5_000, 5_000), wire.subarray(5_000));
    expect([decoder.next(queue), decoder.lastPiece]).toEqual([Step.data, false]);
    expect([decoder.next(queue), decoder.lastPiece]).toEqual([Step.data, true]);
    expect(decoder.next(queue)).toBe(Step.needBytes);
  });

  it('a length up to 2^53 - 1 is exact, and a 64-bit one costs no memory', () => {
    const wire = frame({ opcode: OP.binary, announced: 2n ** 53n - 1n });
    expect(read([wire]).missing).toBe(Number.MAX_SAFE_INTEGER);
    expect(read([frame({ opcode: OP.binary, announced: 2n ** 53n })]).fault).toBe('FRAME_TOO_BIG');
    // Two frames of a message can be longer than a number counts.
    const first = frame({ opcode: OP.binary, payload: 'x', fin: false });
    const second = frame({ opcode: OP.continuation, announced: 2n ** 53n - 1n });
    expect(read([first, second]).fault).toBe('MESSAGE_TOO_BIG');
    expect(read([first, frame({ opcode: OP.continuation, announced: 2n ** 53n - 2n })]).fault).toBe(null);
  });
});

describe('what a header alone decides', () => {
  const BIG = 2n ** 63n;
  const faults: readonly (readonly [name: string, wire: Uint8Array, fault: string | null])[] = [
    ['16 bits for 125', frame({ opcode: OP.binary, payload: pattern(125), lengthBits: 16 }), 'LENGTH_NOT_MINIMAL'],
    ['16 bits for 126', frame({ opcode: OP.binary, payload: pattern(126), lengthBits: 16 }), null],
    ['64 bits for 65,535', frame({ opcode: OP.binary, announced: 65_535n, lengthBits: 64 }), 'LENGTH_NOT_MINIMAL'],
    ['64 bits for 65,536', frame({ opcode: OP.binary, announced: 65_536n, lengthBits: 64 }), null],
    ['the highest bit', frame({ opcode: OP.binary, announced: BIG }), 'LENGTH_HIGH_BIT_SET'],
    ['the highest bit, and a short length', frame({ opcode: OP.binary, announced: BIG + 1n }), 'LENGTH_HIGH_BIT_SET'],
    ['a mask', frame({ opcode: OP.binary, payload: 'a', mask: MASK }), 'MASK_UNEXPECTED'],
  ];
  it.each(faults)('%s', (_, wire, fault) => {
    expect(read([wire]).fault).toBe(fault);
    // It is decided at the last octet of the length.
    const head = octets(wire.subarray(0, 10));
    expect(read(head).fault).toBe(fault);
  });

  it('limits are met exactly, and the first octet above them is refused without its payload', () => {
    const begin = (size: number, fin = true, rsv = 0) =>
      frame({ opcode: OP.binary, announced: BigInt(size), fin, rsv });
    const more = (size: number) => frame({ opcode: OP.continuation, announced: BigInt(size) });
    expect(read([begin(300)], { maxFrameSize: 300 }).fault).toBe(null);
    expect(read([begin(301)], { maxFrameSize: 300 }).fault).toBe('FRAME_TOO_BIG');
    expect(read([begin(301)], { maxMessageSize: 300 }).fault).toBe('MESSAGE_TOO_BIG');
    // Over both: `maxFrameSize` follows `maxMessageSize` unless it is given, and not the other way round.
    expect(read([begin(301)], { maxMessageSize: 300, maxFrameSize: 300 }).fault).toBe('MESSAGE_TOO_BIG');
    const piece = frame({ opcode: OP.binary, payload: pattern(100), fin: false });
    expect(read([piece, more(200)], { maxMessageSize: 300 }).fault).toBe(null);
    expect(read([piece, more(201)], { maxMessageSize: 300 }).fault).toBe('MESSAGE_TOO_BIG');
    expect(read([piece, more(1)], { maxFragments: 2 }).fault).toBe(null);
    expect(read([piece, more(1)], { maxFragments: 1 }).fault).toBe('TOO_MANY_FRAGMENTS');
    // What an extension changes is measured behind it.
    expect(read([begin(301, true, 0x40)], { maxMessageSize: 300, rsvBits: 0x40 }).fault).toBe(null);
    const changed = frame({ opcode: OP.binary, payload: pattern(100), fin: false, rsv: 0x40 });
    expect(read([changed, more(201)], { maxMessageSize: 300, rsvBits: 0x40 }).fault).toBe(null);
  });
});

it('a header that lies in many waiting chunks is put together in one call', () => {
  const wire = frame({ opcode: OP.binary, payload: pattern(70_000) });
  const { decoder, queue } = fed(
    wire.subarray(0, 1),
    ...Array.from({ length: 3 }, (_, i) => {
      // Chunks of this size wait by themselves.
      return wire.subarray(1 + i * 5_000, 1 + (i + 1) * 5_000);
    }),
  );
  expect([decoder.next(queue), decoder.missing, decoder.end - decoder.start]).toEqual([
    Step.data,
    70_000 - (5_000 - 9),
    5_000 - 9,
  ]);
});

describe('limits of a message', () => {
  const text = (size: number, fin = true) => frame({ opcode: OP.text, payload: pattern(size), fin });
  const more = (size: number, fin = true) => frame({ opcode: OP.continuation, payload: pattern(size), fin });

  it('are of each message by itself, whatever came before it', () => {
    const sizes = { maxMessageSize: 100 };
    expect(read([text(60), text(60), text(60, false), more(40), text(100)], sizes).fault).toBe(null);
    expect(read([text(60), text(101)], sizes).fault).toBe('MESSAGE_TOO_BIG');
    const fragments = { maxFragments: 2 };
    expect(read([text(1, false), more(1), text(1), text(1, false), more(1)], fragments).fault).toBe(null);
    expect(read([text(1), text(1, false), more(1, false), more(1)], fragments).fault).toBe('TOO_MANY_FRAGMENTS');
    expect(read([text(1), text(1), text(1)], { maxFragments: 1 }).fault).toBe(null);
  });

  it('are those of text and binary alike', () => {
    for (const opcode of [OP.text, OP.binary]) {
      const wire = frame({ opcode, announced: 101n });
      expect(read([wire], { maxMessageSize: 100 }).fault).toBe('MESSAGE_TOO_BIG');
    }
  });
});

it('is idle between frames, and not while the first octet of one is here', () => {
  const wire = frame({ opcode: OP.text, payload: 'abc' });
  const { decoder, queue } = fed(wire);
  expect([decoder.next(queue), decoder.next(queue), decoder.idle]).toEqual([Step.data, Step.needBytes, true]);
  queue.push(wire, 1, false);
  expect([decoder.next(queue), decoder.idle, queue.length]).toEqual([Step.needBytes, false, 0]);
});

it('limits of messages are not those of control frames, and these leave the message alone', () => {
  const rules = { ...RULES, maxFrameSize: 10, maxMessageSize: 10, maxFragments: 1, rsvBits: 0x40 };
  for (const opcode of [OP.close, OP.ping, OP.pong]) {
    const decoder = new FrameDecoder(rules);
    const queue = new ByteQueue();
    const begun = frame({ opcode: OP.text, payload: 'abc', fin: false });
    for (const wire of [begun, frame({ opcode, payload: pattern(100) })]) queue.push(wire, wire.length, false);
    expect([decoder.next(queue), decoder.next(queue), decoder.fault]).toEqual([Step.data, Step.control, null]);
    expect(decoder.missing).toBe(0);
    expect(decoder).toMatchObject({
      messageOpcode: OP.text,
      messageRsv: 0,
      messageLength: 3,
      fragments: 1,
      wireSize: 5,
    });
    const other = frame({ opcode: OP.binary, payload: 'abc', rsv: 0x40 });
    const next = new FrameDecoder(rules);
    queue.push(other, other.length, false);
    expect([next.next(queue), next.messageRsv]).toEqual([Step.data, 0x40]);
  }
});
