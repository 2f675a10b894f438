/** Threats to a server before and at the first frames: rows T10 to T12, T17, T18, T40. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EndpointSettings } from '../../src/endpoint/options.ts';
import { type ConnectionOptions, ServerConnection, Settings, UsageError } from '../../src/index.ts';
import { answerOf, cuts, join, OP, open, ROLES, request, type Subject, server } from '../rfc6455/support.ts';

describe('T10: illegal first bytes of a frame', () => {
  const wrong = (s: Subject): Uint8Array[] => [
    ...[0x40, 0x20, 0x10].map((rsv) => s.peer(OP.text, 'evil', { rsv })),
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => s.peer(opcode, 'evil')),
    s.peer(OP.text, 'evil', { mask: s.role === 'server' ? null : [1, 2, 3, 4] }),
    ...[OP.ping, OP.pong, OP.close].flatMap((opcode) => [
      s.peer(opcode, 'evil', { fin: false }),
      s.peer(opcode, 'e'.repeat(126)),
      s.peer(opcode, '', { announced: 65_536n }),
    ]),
  ];
  for (const role of ROLES) {
    it(`${role}: 1002, the payload is never delivered, nor is a valid text behind it`, () => {
      for (const bytes of wrong(open(role))) {
        const all = join(bytes, open(role).peer(OP.text, 'later'));
        for (const cut of bytes.length > 100 ? [[all]] : cuts(all)) {
          for (const delivery of ['message', 'fragment'] as const) {
            const subject = open(role, { delivery }).feed(...cut);
            expect(subject.types).toEqual([]);
            expect(subject.closeCode).toBe(1002);
          }
        }
      }
    });
  }
});

describe('T11: a 64-bit length with its highest bit set', () => {
  for (const role of ROLES) {
    it(`${role}: 1002 at the tenth byte`, () => {
      for (const announced of [1n << 63n, (1n << 64n) - 1n, (1n << 63n) | 5n]) {
        const bytes = open(role).peer(OP.binary, '', { announced });
        // It is no question of size: the limits change nothing.
        for (const options of [{}, { maxMessageSize: null, maxFrameSize: null }]) {
          const subject = open(role, options);
          for (const octet of bytes.subarray(0, 9)) subject.feed(Uint8Array.of(octet));
          expect(subject.connection.readyState).toBe('open');
          subject.feed(bytes.subarray(9, 10));
          expect(subject.closeCode).toBe(1002);
          expect(subject.end().closed.error).toMatchObject({ code: 'LENGTH_HIGH_BIT_SET' });
        }
      }
    });
  }
});

describe('T12: lengths of 2^31, 2^32 + 2, 2^53 and more', () => {
  for (const role of ROLES) {
    it(`${role}: 1009 from the header`, () => {
      for (const announced of [1n << 31n, (1n << 32n) + 2n, 1n << 53n, (1n << 53n) + 1n, (1n << 62n) + 7n]) {
        for (const opcode of [OP.text, OP.binary]) {
          for (const cut of cuts(open(role).peer(opcode, '', { announced }))) {
            const subject = open(role).feed(...cut);
            expect(subject.closeCode).toBe(1009);
          }
        }
      }
    });

    it(`${role}: with all limits off none of them becomes a small one`, () => {
      for (const announced of [1n << 31n, (1n << 32n) + 2n, (1n << 53n) - 1n]) {
        const subject = open(role, { maxMessageSize: null, maxFrameSize: null });
        // Whoever counts in 32 bits finds a message here, and a frame behind it.
        subject.feed(subject.peer(OP.binary, '', { announced }), Uint8Array.of(1, 2), subject.peer(OP.ping, 'p'));
        expect(subject.types).toEqual([]);
        expect(subject.connection.readyState).toBe('open');
      }
    });

    it(`${role}: sums over fragments that cross 2^53, all limits off`, () => {
      const subject = open(role, { maxMessageSize: null, maxFrameSize: null, maxFragments: null });
      subject.feed(subject.peer(OP.binary, 'abcd', { fin: false }));
      subject.feed(subject.peer(0, '', { announced: (1n << 53n) - 4n }));
      expect(subject.closeCode).toBe(1009);
    });
  }
});

describe('T17: an announced length without data', () => {
  for (const role of ROLES) {
    it(`${role}: nothing is allocated for it`, () => {
      let allocated = 0;
      const allocate = (size: number) => {
        allocated += size;
        return new Uint8Array(size);
      };
      const options = { maxMessageSize: 1 << 26, platform: { allocate } };
      const before = process.memoryUsage().arrayBuffers;
      const waiting = Array.from({ length: 1_000 }, () => open(role, options));
      for (const subject of waiting) {
        subject.feed(subject.peer(OP.binary, '', { announced: 1n << 26n }));
        expect(subject.connection.readyState).toBe('open');
        expect(subject.connection.retainedBytes).toBe(0);
      }
      expect(allocated).toBe(0);
      // Nor by any other way: they would be 64 GB.
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1_048_576);
      const subject = open(role, options);
      subject.feed(subject.peer(OP.binary, 'x', { announced: 1n << 26n }));
      expect(allocated).toBeLessThan(4_096);
      for (let i = 0; i < 3_000; i++) subject.feed(Uint8Array.of(i));
      expect(allocated).toBeLessThan(131_072);
    });
  }
});

describe('T18: meaningless values of options', () => {
  const SIZES = ['maxMessageSize', 'maxFrameSize', 'maxFragments', 'maxControlFrames', 'maxHeadSize', 'maxRequestLine'];
  const MORE = ['maxHeaders', 'maxBufferedAmount', 'maxEarlyData', 'highWaterMark', 'maxQueuedMessages', 'concurrency'];
  const DURATIONS = ['handshakeTimeout', 'closeTimeout', 'pingInterval', 'pongTimeout'];
  const NEVER_OFF = ['maxEarlyData', 'highWaterMark', 'maxQueuedMessages', 'concurrency'];
  const wrongNumbers = [Number.NaN, -1, -0.5, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const wrongTypes: unknown[] = ['1', '', '1e3', true, false, {}, [], [5], () => 5, 5n, Symbol('5'), new Date(5)];

  const named = (name: string, value: unknown) => {
    let thrown: unknown = null;
    try {
      new EndpointSettings({ [name]: value } as object);
    } catch (error) {
      thrown = error;
    }
    expect(thrown, `${name}: ${String(value)}`).toBeInstanceOf(UsageError);
    expect((thrown as UsageError).code).toBe('INVALID_OPTION');
    expect((thrown as UsageError).message).toContain(`'${name}'`);
  };

  it('sizes and counts: NaN, negative, 0, fraction, 2^53, infinite, other types', () => {
    for (const name of [...SIZES, ...MORE]) {
      for (const value of [...wrongNumbers, 1.5, 2 ** 53, 2 ** 64, Number.MAX_VALUE, ...wrongTypes]) named(name, value);
      expect(() => new EndpointSettings({ [name]: 2 ** 31 })).not.toThrow();
      expect(() => new EndpointSettings({ [name]: 2 ** 53 - 1 })).not.toThrow();
    }
  });

  it('durations: NaN, negative, 0, infinite, other types', () => {
    for (const name of DURATIONS) for (const value of [...wrongNumbers, ...wrongTypes]) named(name, value);
  });

  it('only null means off, and only where it is documented', () => {
    for (const name of [...SIZES, ...MORE, ...DURATIONS]) {
      if (NEVER_OFF.includes(name)) named(name, null);
      else expect(() => new EndpointSettings({ [name]: null })).not.toThrow();
      expect(() => new EndpointSettings({ [name]: undefined } as object)).not.toThrow();
    }
  });

  it('choices, switches, lists and functions', () => {
    for (const name of ['overflow', 'delivery', 'text', 'earlyData', 'plainRequests']) {
      for (const value of ['', 'CLOSE', 'maybe', 1, null, {}, ['close']]) named(name, value);
    }
    for (const name of ['autoPong', 'progress', 'borrow'])
      for (const value of [0, 1, 'true', null, {}]) named(name, value);
    for (const value of [null, 'x', {}, 1]) named('extensions', value);
    for (const value of [null, 'x', 1, true]) named('platform', value);
    for (const value of ['x', 1, {}]) named('onListenerError', value);
  });

  it('the parts of the platform have their types too', () => {
    for (const part of ['random', 'text', 'allocate']) {
      for (const value of [5, 'x', null]) {
        expect(() => Settings.from({ platform: { [part]: value } as object }), `${part}: ${value}`).toThrow(UsageError);
      }
    }
  });

  it('names that do not exist, prototype names among them', () => {
    for (const name of ['maxPayload', 'maxmessagesize', 'constructor', 'toString', 'hasOwnProperty', ''])
      named(name, 1);
    const proto = JSON.parse('{"__proto__": 5}') as object;
    expect(() => new EndpointSettings(proto)).toThrow(UsageError);
    expect(() => new ServerConnection(null as unknown as ConnectionOptions, 0)).toThrow(UsageError);
  });

  it('any number and any string is either taken as it is or refused by name', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SIZES, ...DURATIONS),
        fc.oneof(fc.double(), fc.integer(), fc.string()),
        (name, value) => {
          const duration = DURATIONS.includes(name);
          const legal =
            typeof value === 'number' && value > 0 && (duration ? Number.isFinite(value) : Number.isSafeInteger(value));
          if (legal) new EndpointSettings({ [name]: value });
          else named(name, value);
        },
      ),
      { numRuns: 500, seed: 18 },
    );
  });
});

describe('T40: data before the 101', () => {
  const frames = join(open('server').peer(OP.text, 'one'), open('server').peer(OP.text, 'two'));

  it('is kept for after accept() by default: nothing lost, in order, at every cut', () => {
    for (const cut of cuts(join(request(), frames))) {
      const subject = server().feed(...cut);
      expect(subject.types).toEqual(['request']);
      subject.connection.accept(0);
      expect(subject.pull().messages).toEqual(['one', 'two']);
    }
  });

  it("with earlyData: 'refuse' accept() answers 400 and nothing of it is read", () => {
    for (const cut of cuts(join(request(), frames))) {
      const subject = server({ earlyData: 'refuse' }).feed(...cut);
      subject.connection.accept(0);
      subject.pull();
      expect(answerOf(subject).status).toBe(400);
      expect(subject.end().types).toEqual(['request', 'closed']);
      expect(subject.closed.error).toMatchObject({ code: 'EARLY_DATA' });
    }
    const subject = server({ earlyData: 'refuse' }).feed(request());
    subject.connection.accept(0);
    expect(subject.pull().types).toEqual(['request', 'open']);
  });

  it('is bounded: beyond maxEarlyData the transport is held back; a million tiny chunks are no million objects', () => {
    const subject = server({ maxEarlyData: 10_000 }).feed(request());
    const { connection } = subject;
    let fed = 0;
    const big = new Uint8Array(65_536);
    const seen = new Set<ArrayBufferLike>();
    while (connection.wantsInput) {
      connection.receive(big.slice().subarray(0, 1), 0);
      fed++;
    }
    expect(fed).toBe(10_000);
    const { incoming } = connection as unknown as {
      incoming: { queue: { rest: Uint8Array[] | null; bytes: Uint8Array } };
    };
    const { queue } = incoming;
    let pinned = 0;
    for (const chunk of [queue.bytes, ...(queue.rest ?? [])]) {
      if (seen.has(chunk.buffer)) continue;
      seen.add(chunk.buffer);
      pinned += chunk.buffer.byteLength;
    }
    expect((queue.rest ?? []).length).toBeLessThan(64);
    expect(pinned).toBeLessThan(200_000);
  });
});
