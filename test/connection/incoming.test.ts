/**
 * The incoming side by itself (RFC 6455 sections 5.4 to 5.6 and 8.1): what frames become under each option, whose memory it is,
 * and what is left behind.
 */
import { describe, expect, it } from 'vitest';
import type { ConnectionEvent } from '../../src/connection/events.ts';
import type { Found, Incoming } from '../../src/connection/incoming.ts';
import { type ConnectionOptions, Settings } from '../../src/connection/options.ts';
import type { FaultCode } from '../../src/errors.ts';
import { TransformChain } from '../../src/extension/chain.ts';
import type { PayloadTransform } from '../../src/extension/extension.ts';
import { bytesOf, frame, join, OP, pattern, textOf } from '../rfc6455/support.ts';

const NO_BUDGET = Number.POSITIVE_INFINITY;

/** Gives out each octet by itself, with nothing before and behind it; 0xde is what it cannot read. */
class Octets implements PayloadTransform {
  readonly rsvBits = 0x40;
  corrupt = false;
  readonly fault?: FaultCode;
  private readonly output: Uint8Array[] = [];

  constructor(fault?: FaultCode) {
    if (fault !== undefined) this.fault = fault;
  }

  encode(): null {
    return null;
  }

  write(piece: Uint8Array): void {
    for (const octet of piece) this.output.push(new Uint8Array(0), Uint8Array.of(octet));
    this.output.push(new Uint8Array(0));
  }

  read(): Uint8Array | null {
    const next = this.output.shift() ?? null;
    if (next?.[0] === 0xde) this.corrupt = true;
    return next;
  }

  release(): void {}
}

function reader(options: ConnectionOptions = {}, transform: PayloadTransform | null = null): Incoming {
  const chain = transform === null ? null : new TransformChain([transform]);
  return Settings.from(options).takeReader(false, chain);
}

type Seen = Record<string, unknown> | Found | FaultCode;

/** An event as it is compared: bytes as text. */
function shown(found: ConnectionEvent | Found): Seen {
  if (typeof found === 'string') return found;
  const { type, ...rest } = found as unknown as Record<string, unknown>;
  const { data } = rest;
  return { type, ...rest, ...(data instanceof Uint8Array ? { data: textOf(data) } : {}) };
}

/** All that comes of these chunks, which stay the reader's. */
function pulled(incoming: Incoming, ...chunks: readonly Uint8Array[]): Seen[] {
  const seen: Seen[] = [];
  for (const chunk of chunks) {
    incoming.queue.push(chunk.slice(), chunk.length, false);
    for (let found = incoming.next(NO_BUDGET); found !== null; found = incoming.next(NO_BUDGET)) {
      seen.push(shown(found));
      if (found === 'fault') return [...seen, incoming.fault!];
    }
  }
  return seen;
}

const text = (payload: string | Uint8Array, rest = {}) => frame({ opcode: OP.text, payload, ...rest });
const binary = (payload: string | Uint8Array, rest = {}) => frame({ opcode: OP.binary, payload, ...rest });
const more = (payload: string | Uint8Array, rest = {}) => frame({ opcode: OP.continuation, payload, ...rest });
const octets = (bytes: Uint8Array) => Array.from(bytes, (octet) => Uint8Array.of(octet));
const BAD = Uint8Array.of(0x61, 0xff);

describe('whole messages', () => {
  it('are strings and bytes, in one frame or many, in one chunk or many', () => {
    const wire = join(text('grüße'), binary('abc'), text('gr', { fin: false }), more('üße'), binary(''));
    const wanted = [
      { type: 'message', kind: 'text', data: 'grüße', wireSize: 9 },
      { type: 'message', kind: 'binary', data: 'abc', wireSize: 5 },
      { type: 'message', kind: 'text', data: 'grüße', wireSize: 11 },
      { type: 'message', kind: 'binary', data: '', wireSize: 2 },
    ];
    for (const chunks of [[wire], octets(wire)]) {
      const incoming = reader();
      expect(pulled(incoming, ...chunks)).toEqual(wanted);
      expect([incoming.idle, incoming.pending, incoming.retained]).toEqual([true, false, 0]);
    }
  });

  it("with text: 'bytes' are bytes of the same kind, and judged all the same", () => {
    for (const borrow of [false, true]) {
      const incoming = reader({ text: 'bytes', borrow });
      const wire = join(text('grüße'), text('gr', { fin: false }), more('üße'));
      for (const chunks of [[wire], octets(wire)]) {
        expect(pulled(incoming, ...chunks)).toEqual([
          { type: 'message', kind: 'text', data: 'grüße', wireSize: 9 },
          { type: 'message', kind: 'text', data: 'grüße', wireSize: 11 },
        ]);
      }
      expect(pulled(incoming, text(BAD))).toEqual(['fault', 'UTF8_INVALID']);
    }
  });

  it("with text: 'bytes' text is never a string, without it always, however it came", () => {
    const wires = [text('abc'), join(text('a', { fin: false }), more('bc')), text('abc', { rsv: 0x40 })];
    for (const options of [{ text: 'bytes' }, { text: 'bytes', borrow: true }, {}, { borrow: true }] as const) {
      for (const chunks of wires.flatMap((wire) => [[wire], octets(wire)])) {
        const incoming = reader(options, new Octets());
        for (const chunk of chunks) incoming.queue.push(chunk.slice(), chunk.length, false);
        const { data } = incoming.next(NO_BUDGET) as { data: unknown };
        expect(data).toEqual('text' in options ? bytesOf('abc') : 'abc');
      }
    }
  });

  it('§8.1: text that is not UTF-8 fails, wherever it is found', () => {
    expect(pulled(reader(), text(BAD))).toEqual(['fault', 'UTF8_INVALID']);
    expect(pulled(reader(), text('a', { fin: false }), more(BAD))).toEqual(['fault', 'UTF8_INVALID']);
    const cut = bytesOf('€').subarray(0, 2);
    expect(pulled(reader(), text('a', { fin: false }), more(cut))).toEqual(['fault', 'UTF8_INVALID']);
    expect(pulled(reader({}, new Octets()), text(BAD, { rsv: 0x40 }))).toEqual(['fault', 'UTF8_INVALID']);
    expect(pulled(reader({ text: 'bytes' }, new Octets()), text(BAD, { rsv: 0x40 }))).toEqual([
      'fault',
      'UTF8_INVALID',
    ]);
  });

  it('control frames come between, and what the decoder refuses is told', () => {
    const incoming = reader();
    const wire = [text('a', { fin: false }), frame({ opcode: OP.ping, payload: 'p' }), more('b'), more('c')];
    expect(pulled(incoming, ...wire)).toEqual([
      'control',
      { type: 'message', kind: 'text', data: 'ab', wireSize: 6 },
      'fault',
      'CONTINUATION_UNEXPECTED',
    ]);
  });

  it('progress is told for each fragment but the last, once it is all here', () => {
    const incoming = reader({ progress: true });
    const wire = join(binary('abc', { fin: false }), more('', { fin: false }), more('de', { fin: false }), more('f'));
    for (const chunks of [[wire], octets(wire)]) {
      expect(pulled(incoming, ...chunks)).toEqual([
        ...[3, 3, 5].map((received) => ({ type: 'progress', kind: 'binary', received, total: null })),
        { type: 'message', kind: 'binary', data: 'abcdef', wireSize: 14 },
      ]);
    }
  });

  it('are what a transform makes of those that have its bit, and only of those', () => {
    const incoming = reader({}, new Octets());
    const wire = join(text('grüße', { rsv: 0x40 }), binary('ab', { rsv: 0x40, fin: false }), more('c'), binary('de'));
    for (const chunks of [[wire], octets(wire)]) {
      expect(pulled(incoming, ...chunks).map((each) => (each as { data: unknown }).data)).toEqual([
        'grüße',
        'abc',
        'de',
      ]);
    }
    expect(pulled(incoming, binary(Uint8Array.of(1, 0xde), { rsv: 0x40 }))).toEqual([
      'fault',
      'EXTENSION_DATA_INVALID',
    ]);
  });

  it('pause after the budget of expanded bytes, and go on where they were', () => {
    const incoming = reader({}, new Octets());
    const wire = binary(pattern(10), { rsv: 0x40 });
    incoming.queue.push(wire, wire.length, false);
    const seen: (string | number)[] = [];
    for (let found = incoming.next(4); found !== null; found = incoming.next(4)) {
      if (found === 'pause') expect([incoming.expanding, incoming.pending, incoming.idle]).toEqual([true, true, false]);
      seen.push(typeof found === 'string' ? found : (found as { data: Uint8Array }).data.length);
    }
    expect(seen).toEqual(['pause', 'pause', 10]);
    expect([incoming.expanding, incoming.idle]).toEqual([false, true]);
    // It ends a loan as everything does that gives no event: what is behind the message may change.
    const lent = join(binary('abcdef', { rsv: 0x40 }), text('behind'));
    incoming.queue.push(lent, lent.length, true);
    expect(incoming.next(4)).toBe('pause');
    lent.fill(0xee);
    expect([incoming.next(4), incoming.next(4)].map((each) => shown(each!))).toMatchObject([
      { data: 'abcdef' },
      { data: 'behind' },
    ]);
    expect(incoming.next(4)).toBe(null);
    // A fault behind a pause is one still.
    const bad = binary(Uint8Array.of(1, 2, 3, 0xde), { rsv: 0x40 });
    incoming.queue.push(bad, bad.length, false);
    expect([incoming.next(2), incoming.next(9), incoming.fault]).toEqual(['pause', 'fault', 'EXTENSION_DATA_INVALID']);
  });
});

describe('memory', () => {
  /** The data of a message in a lent buffer, after the buffer was used again. */
  function lent(
    options: ConnectionOptions,
    ...frames: readonly Uint8Array[]
  ): { data: Uint8Array; buffer: Uint8Array } {
    const incoming = reader(options);
    const buffer = join(...frames);
    incoming.queue.push(buffer, buffer.length, true);
    const { data } = incoming.next(NO_BUDGET) as { data: Uint8Array };
    return { data, buffer };
  }

  it('of a lent buffer is copied out, in one frame and in fragments; with borrow it is a view', () => {
    for (const frames of [[binary('abcdef')], [binary('abc', { fin: false }), more('def')]]) {
      for (const delivery of ['message', 'fragment'] as const) {
        const copied = lent({ delivery }, ...frames);
        expect(copied.data.buffer).not.toBe(copied.buffer.buffer);
        const view = lent({ delivery, borrow: true }, ...frames);
        expect(view.data.buffer).toBe(view.buffer.buffer);
        const size = delivery === 'fragment' && frames.length > 1 ? 3 : 6;
        for (const { data } of [copied, view]) expect(textOf(data)).toBe('abcdef'.slice(0, size));
        copied.buffer.fill(0xee);
        expect(textOf(copied.data)).toBe('abcdef'.slice(0, size));
      }
    }
  });

  it('of a chunk of our own is not copied where it is most of it', () => {
    const incoming = reader();
    const chunk = binary(pattern(1_000));
    incoming.queue.push(chunk, chunk.length, false);
    expect((incoming.next(NO_BUDGET) as { data: Uint8Array }).data.buffer).toBe(chunk.buffer);
  });

  it('of a message that a transform made is its own: it stays when the next one is read', () => {
    const incoming = reader({}, new Octets());
    const wire = join(...['first', 'other'].map((payload) => binary(payload, { rsv: 0x40 })));
    incoming.queue.push(wire, wire.length, false);
    const messages = [1, 2].map(() => incoming.next(NO_BUDGET) as { data: Uint8Array });
    expect(messages.map(({ data }) => textOf(data))).toEqual(['first', 'other']);
    expect(incoming.idle).toBe(true);
  });

  it('keep() ends the loan: what was lent may change, in the middle of a fragmented message too', () => {
    for (const options of [{}, { borrow: true }] as const) {
      const incoming = reader(options);
      const wire = join(binary('abc', { fin: false }), more('def', { fin: false }), more('ghi'));
      for (let at = 0; at < wire.length; at += 4) {
        const buffer = wire.slice(at, at + 4);
        incoming.queue.push(buffer, buffer.length, true);
        const found = at % 8 === 0 ? null : incoming.next(NO_BUDGET);
        incoming.keep();
        buffer.fill(0xee);
        if (found !== null) expect(shown(found)).toMatchObject({ data: 'abcdefghi' });
      }
      expect(incoming.next(NO_BUDGET)).toBe(null);
      incoming.keep();
    }
  });

  it('of the pool is lent until the next call, and then comes back', () => {
    const settings = Settings.from({ borrow: true, platform: { allocate: (size) => new Uint8Array(size) } });
    const incoming = settings.takeReader(false, null);
    const buffers = new Set<ArrayBufferLike>();
    for (let i = 0; i < 5; i++) {
      const wire = binary(pattern(5_000, i));
      for (const chunk of [wire.slice(0, 3_000), wire.slice(3_000)]) {
        incoming.queue.push(chunk, chunk.length, false);
        const found = incoming.next(NO_BUDGET);
        if (found === null) continue;
        const { data } = found as { data: Uint8Array };
        expect(data).toEqual(pattern(5_000, i));
        expect(incoming.idle).toBe(false);
        buffers.add(data.buffer);
      }
      expect([incoming.next(NO_BUDGET), incoming.idle]).toEqual([null, true]);
    }
    expect(buffers.size).toBe(1);
  });

  it('dispose() drops everything, wherever the message was', () => {
    const starts = [[], [binary('ab', { fin: false })], [binary('abcdef').subarray(0, 5)], [Uint8Array.of(0x82)]];
    for (const start of starts) {
      for (const options of [{}, { delivery: 'fragment' }] as const) {
        const incoming = reader(options);
        pulled(incoming, ...start);
        incoming.dispose();
        expect([incoming.retained, incoming.pending, incoming.expanding]).toEqual([0, false, false]);
      }
    }
  });
});

describe('fragments', () => {
  const fragments = { delivery: 'fragment' } as const;
  const piece = (kind: string, data: string, first: boolean, last: boolean) => {
    return { type: 'fragment', kind, data, first, last };
  };

  it('come as they arrive, without the empty ones but at an end', () => {
    const wire = [
      binary('abc'),
      binary('', { fin: false }),
      more('de', { fin: false }),
      more('', { fin: false }),
      more(''),
      text(''),
    ];
    expect(pulled(reader(fragments), ...wire)).toEqual([
      piece('binary', 'abc', true, true),
      piece('binary', 'de', true, false),
      piece('binary', '', false, true),
      piece('text', '', true, true),
    ]);
    const long = binary('abcd');
    expect(pulled(reader(fragments), long.subarray(0, 4), long.subarray(4, 5), long.subarray(5))).toEqual([
      piece('binary', 'ab', true, false),
      piece('binary', 'c', false, false),
      piece('binary', 'd', false, true),
    ]);
  });

  it('§8.1: of text are bytes, and fail at the octet that makes it certain', () => {
    const euro = bytesOf('€');
    const [good] = pulled(reader(fragments), text(euro));
    expect(good).toEqual(piece('text', '€', true, true));
    for (const options of [fragments, { ...fragments, borrow: true }]) {
      expect(pulled(reader(options), text(BAD))).toEqual(['fault', 'UTF8_INVALID']);
      expect(pulled(reader(options), text(euro.subarray(0, 2)))).toEqual(['fault', 'UTF8_INVALID']);
      expect(pulled(reader(options), text('a', { fin: false }), more(BAD))).toMatchObject([
        { data: 'a', first: true, last: false },
        'fault',
        'UTF8_INVALID',
      ]);
    }
    // What one message left half does not reach the next.
    const incoming = reader(fragments);
    expect(pulled(incoming, binary(BAD), text('a'))).toMatchObject([{ kind: 'binary' }, { kind: 'text', data: 'a' }]);
  });

  it('of a transform: each piece of its output, without empty ones, and the last one says so', () => {
    const wire = [text('abc', { rsv: 0x40, fin: false }), more('', { fin: false }), more('d')];
    for (const chunks of [wire, octets(join(...wire))]) {
      const incoming = reader(fragments, new Octets());
      expect(pulled(incoming, ...chunks)).toEqual([
        piece('text', 'a', true, false),
        piece('text', 'b', false, false),
        piece('text', 'c', false, false),
        piece('text', 'd', false, true),
      ]);
      expect([incoming.expanding, incoming.idle]).toEqual([false, true]);
    }
    expect(pulled(reader(fragments, new Octets()), text('', { rsv: 0x40 }))).toEqual([piece('text', '', true, true)]);
  });

  it('of a transform wait for nothing but what has come: the end may be far away, and is empty then', () => {
    const incoming = reader(fragments, new Octets());
    const pulledNow = (chunk: Uint8Array) => pulled(incoming, chunk);
    expect(pulledNow(text('a', { rsv: 0x40, fin: false }))).toEqual([piece('text', 'a', true, false)]);
    expect([incoming.expanding, incoming.pending]).toEqual([false, false]);
    expect(pulledNow(more('bc', { fin: false }))).toEqual([
      piece('text', 'b', false, false),
      piece('text', 'c', false, false),
    ]);
    expect(pulledNow(more('', { fin: false }))).toEqual([]);
    expect(pulledNow(more(''))).toEqual([piece('text', '', false, true)]);
    expect(incoming.idle).toBe(true);
    // Before there is any there is none.
    expect(pulledNow(text('', { rsv: 0x40, fin: false }))).toEqual([]);
    expect(pulledNow(more('d'))).toEqual([piece('text', 'd', true, true)]);
  });

  it('of a transform fail with its fault, at bad text, at a text that is cut, and beyond the limit', () => {
    const wire = (payload: Uint8Array | string, opcode: number = OP.text) => frame({ opcode, payload, rsv: 0x40 });
    const fault = (transform: PayloadTransform, bytes: Uint8Array, options: ConnectionOptions = {}) => {
      const incoming = reader({ ...fragments, ...options }, transform);
      const seen = pulled(incoming, bytes);
      expect([seen.at(-2), incoming.expanding]).toEqual(['fault', false]);
      return [seen.length - 2, seen.at(-1)];
    };
    expect(fault(new Octets(), wire(Uint8Array.of(97, 98, 0xde), OP.binary))).toEqual([1, 'EXTENSION_DATA_INVALID']);
    expect(fault(new Octets('DEFLATE_CORRUPT'), wire(Uint8Array.of(0xde)))).toEqual([0, 'DEFLATE_CORRUPT']);
    expect(fault(new Octets(), wire(BAD))).toEqual([0, 'UTF8_INVALID']);
    expect(fault(new Octets(), wire(bytesOf('a€').subarray(0, 2)))).toEqual([1, 'UTF8_INVALID']);
    expect(fault(new Octets(), wire('abcd'), { maxMessageSize: 3 })).toEqual([2, 'MESSAGE_TOO_BIG']);
    expect(pulled(reader({ ...fragments, maxMessageSize: 4 }, new Octets()), wire('abcd'))).toHaveLength(4);
  });
});

describe('between connections and calls', () => {
  it('a fragment whose output was paused goes on with the next fragment', () => {
    const incoming = reader({}, new Octets());
    const wire = join(binary(pattern(6), { rsv: 0x40, fin: false }), more(pattern(6)));
    incoming.queue.push(wire, wire.length, false);
    const seen: unknown[] = [];
    for (let i = 0; i < 10; i++) {
      const found = incoming.next(4);
      if (found === null) break;
      seen.push(typeof found === 'string' ? found : (found as { data: Uint8Array }).data.length);
    }
    expect(seen.filter((each) => each !== 'pause')).toEqual([12]);
    expect(seen.length).toBeGreaterThan(2);
  });

  it('the budget is of one call: fragments that each stay below it pause together', () => {
    const incoming = reader({}, new Octets());
    const parts = Array.from({ length: 8 }, (_, i) => more(pattern(3), { fin: i === 7 }));
    const wire = join(binary(pattern(3), { rsv: 0x40, fin: false }), ...parts);
    incoming.queue.push(wire, wire.length, false);
    let pauses = 0;
    let found = incoming.next(10);
    for (; found === 'pause'; found = incoming.next(10)) pauses++;
    expect([shown(found!), pauses]).toMatchObject([{ wireSize: wire.length }, 2]);
  });

  it('adopt() reads what came before it was there', () => {
    const before = reader();
    const wire = join(text('early'), text('bird'));
    before.queue.push(wire, wire.length, false);
    const incoming = reader({}, new Octets());
    incoming.adopt(before.queue);
    expect(pulled(incoming, new Uint8Array(0))).toMatchObject([{ data: 'early' }, { data: 'bird' }]);
  });
});

describe('what is left behind', () => {
  it('between messages nothing of a chunk is held; an unread octet is pending, and dropped with the rest', () => {
    const incoming = reader();
    pulled(incoming, binary('abc'), text('abc', { fin: false }), more('d'));
    expect(incoming.decoder.bytes.length).toBe(0);
    incoming.queue.push(Uint8Array.of(0x82), 1, false);
    expect([incoming.pending, incoming.retained]).toEqual([true, 1]);
    incoming.dispose();
    expect([incoming.pending, incoming.retained]).toEqual([false, 0]);
  });

  it('keep() in the middle of a chunk copies out the fragments before it', () => {
    const incoming = reader();
    const buffer = join(binary('abc', { fin: false }), frame({ opcode: OP.ping }));
    incoming.queue.push(buffer, buffer.length, true);
    expect(incoming.next(NO_BUDGET)).toBe('control');
    incoming.keep();
    buffer.fill(0xee);
    expect(pulled(incoming, more('def'))).toMatchObject([{ data: 'abcdef' }]);
  });

  it("§8.1: with text: 'bytes' what a transform made is judged from its first octet on", () => {
    for (const bad of [Uint8Array.of(0xff, 0x61), BAD]) {
      const incoming = reader({ text: 'bytes' }, new Octets());
      expect(pulled(incoming, text(bad, { rsv: 0x40 }))).toEqual(['fault', 'UTF8_INVALID']);
    }
  });

  it('maxMessageSize is of each message by itself, in fragments of a transform too', () => {
    const incoming = reader({ delivery: 'fragment', maxMessageSize: 4 }, new Octets());
    for (let i = 0; i < 3; i++) expect(pulled(incoming, binary('abc', { rsv: 0x40 }))).toHaveLength(3);
    expect(pulled(incoming, binary('abcde', { rsv: 0x40 })).at(-1)).toBe('MESSAGE_TOO_BIG');
  });
});
