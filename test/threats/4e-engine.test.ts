/** Threats through the application's own interface, at engine and endpoint level: rows T55 to T58, T81, T82, T88. */
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type Connection, EstablishedConnection, UsageError } from '../../src/index.ts';
import { nodePlatform } from '../../src/transport/node/index.ts';
import { ScriptTransport, script } from '../endpoint/script.ts';
import { client, join, OP, open, pattern, ROLES, readFrames, seeded, server } from '../rfc6455/support.ts';

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

const WRONG: [title: string, make: () => unknown][] = [
  ['a number', () => 1_000],
  ['0', () => 0],
  ['null', () => null],
  ['undefined', () => undefined],
  ['true', () => true],
  ['a bigint', () => 5n],
  ['a symbol', () => Symbol('x')],
  ['a function', () => () => 'x'],
  ['a plain object', () => ({ length: 5 })],
  ['an array', () => [1, 2, 3]],
  ['a Blob', () => new Blob(['x'])],
  ['a String object', () => new String('x')],
  ['shared memory', () => new SharedArrayBuffer(4)],
  ['a view of shared memory', () => new Uint8Array(new SharedArrayBuffer(4))],
  ['a detached array', detached],
  ['a detached buffer', () => detached().buffer],
  ['a view of a detached buffer', () => new DataView(new ArrayBuffer(4)) && detachedView()],
];

function detachedView(): DataView {
  const view = new DataView(new ArrayBuffer(4));
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

describe('T57: wrong payload types', () => {
  for (const [title, make] of WRONG) {
    it(`${title} is a UsageError in send, ping, pong and close, and nothing is written`, async () => {
      const { endpoint, transport, clock } = script();
      endpoint.resume();
      const wrong = make() as Uint8Array;
      expect(() => endpoint.send(wrong)).toThrow(UsageError);
      expect(() => endpoint.send(wrong, { binary: false })).toThrow(UsageError);
      // What is left out has a default.
      if (wrong !== undefined) {
        expect(() => endpoint.ping(wrong)).toThrow(UsageError);
        expect(() => endpoint.pong(wrong)).toThrow(UsageError);
        expect(() => endpoint.close(1000, wrong as unknown as string)).toThrow(UsageError);
      }
      await clock.settle();
      expect([transport.writes, transport.given, endpoint.readyState]).toEqual([0, 0, 'open']);
      expect(endpoint.send('x').success).toBe(true);
    });
  }

  it('a close reason that is no string is a UsageError', () => {
    const { endpoint } = script();
    for (const reason of [5, null, {}, new Uint8Array(5), new Float64Array(3)]) {
      expect(() => endpoint.close(1000, reason as unknown as string)).toThrow(UsageError);
    }
    expect(endpoint.readyState).toBe('open');
  });

  it('a resizable buffer is a UsageError', () => {
    const Resizable = ArrayBuffer as unknown as new (size: number, options: object) => ArrayBuffer;
    const buffer = new Resizable(4, { maxByteLength: 8 });
    const { endpoint } = script();
    for (const wrong of [buffer, new Uint8Array(buffer), new DataView(buffer)]) {
      expect(() => endpoint.send(wrong)).toThrow(UsageError);
    }
  });

  it('bytes of another realm are bytes, and its shared memory is named', async () => {
    const { endpoint, transport, clock } = script();
    const foreign = (code: string) => runInNewContext(code) as Uint8Array;
    for (const code of [
      'Uint8Array.of(1, 2, 3)',
      'Uint8Array.of(1, 2, 3).buffer',
      'new DataView(Uint8Array.of(1, 2, 3).buffer)',
    ]) {
      expect(endpoint.send(foreign(code)).success).toBe(true);
    }
    for (const code of ['new SharedArrayBuffer(4)', 'new Uint8Array(new SharedArrayBuffer(4))']) {
      expect(() => endpoint.send(foreign(code))).toThrow(/lies in shared memory/);
    }
    for (const code of ['({ byteLength: 4 })', '[1]', 'Object.create(ArrayBuffer.prototype)']) {
      expect(() => endpoint.send(foreign(code))).toThrow(/must be a string, an ArrayBuffer or a view of one/);
    }
    await clock.settle();
    expect(transport.frames.map((each) => [...each.payload])).toEqual(Array(3).fill([1, 2, 3]));
  });

  it('views of any kind send exactly their bytes', async () => {
    const { endpoint, transport, clock } = script();
    const base = pattern(32);
    const views = [
      base,
      base.buffer,
      new Float64Array(base.buffer, 8, 2),
      new DataView(base.buffer, 3, 5),
      Buffer.from(base),
    ];
    for (const view of views) endpoint.send(view as Uint8Array);
    await clock.settle();
    expect(transport.frames.map((each) => each.payload)).toEqual([
      base,
      base,
      base.slice(8, 24),
      base.slice(3, 8),
      base,
    ]);
  });

  it('the engine refuses what is no bytes, too, and stays whole', () => {
    for (const role of ROLES) {
      const { connection } = open(role);
      const wrongs = [
        5,
        null,
        undefined,
        {},
        [1],
        new ArrayBuffer(4),
        new DataView(new ArrayBuffer(4)),
        new Float64Array(2),
      ];
      for (const wrong of wrongs as unknown as Uint8Array[]) {
        expect(() => connection.sendBinary(wrong)).toThrow(UsageError);
        expect(() => connection.sendText(wrong)).toThrow(UsageError);
        expect(() => connection.sendFragment('binary', wrong, true)).toThrow(UsageError);
        expect(() => connection.pong(wrong ?? (5 as unknown as Uint8Array))).toThrow(UsageError);
      }
      expect(() => connection.sendBinary('text' as unknown as Uint8Array)).toThrow(UsageError);
      expect(connection.outgoingLength).toBe(0);
      expect(connection.midMessage).toBe(false);
    }
  });
});

describe('T58: masking keys', () => {
  it('100,000 frames: keys of the platform are distinct up to the birthday bound and evenly spread', () => {
    const { connection } = open('client', { platform: nodePlatform, maxBufferedAmount: null });
    const counts = new Uint32Array(4 * 256);
    const keys = new Set<number>();
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 1_000; i++) connection.sendText('');
      const chunks = connection.takeOutgoing();
      const wire = join(...chunks);
      connection.outgoingWritten(wire.length, 0);
      for (const { mask } of readFrames(wire)) {
        keys.add(((mask![0]! << 24) | (mask![1]! << 16) | (mask![2]! << 8) | mask![3]!) >>> 0);
        for (let i = 0; i < 4; i++) counts[256 * i + mask![i]!]!++;
      }
    }
    // One collision is expected; ten have a probability below one in a million.
    expect(keys.size).toBeGreaterThan(100_000 - 10);
    // Chi-square with 1,020 degrees of freedom: mean 1,020, deviation 45.
    let chi = 0;
    for (const count of counts) chi += (count - 390.625) ** 2 / 390.625;
    expect(chi).toBeGreaterThan(1_020 - 6 * 46);
    expect(chi).toBeLessThan(1_020 + 6 * 46);
  });

  it('the input is not changed', () => {
    for (const size of [1, 63, 64, 1_000, 40_000]) {
      const payload = pattern(size);
      open('client').connection.sendBinary(payload);
      expect(payload).toEqual(pattern(size));
    }
  });
});

describe('T55 and T56: no error listener, and listeners that throw', () => {
  it('T55: a failed connection without any listener ends in closed and nothing is thrown', async () => {
    const { endpoint, feed, peer, clock, warnings } = script();
    endpoint.resume();
    const { closed } = endpoint;
    feed(peer(3, 'x'));
    await clock.run(5_000);
    expect(await closed).toMatchObject({ code: 1006, error: { code: 'RESERVED_OPCODE' } });
    expect(warnings).toEqual([]);
  });

  it('T56: with onListenerError the other frames of the chunk are not lost, and the parser goes on', () => {
    const seen: [unknown, string][] = [];
    const { endpoint, feed, peer } = script({ onListenerError: (error, _, event) => seen.push([error, event]) });
    const taken: string[] = [];
    endpoint.on('message', ({ data }) => {
      taken.push(String(data));
      throw data;
    });
    endpoint.on('ping', () => {
      throw new Error('ping');
    });
    feed(join(peer(OP.text, 'a'), peer(OP.ping, ''), peer(OP.text, 'b'), peer(OP.text, 'c', false)));
    feed(peer(OP.continuation, 'd'));
    expect(taken).toEqual(['a', 'b', 'cd']);
    expect(seen.map(([, event]) => event)).toEqual(['message', 'ping', 'message', 'message']);
    expect(endpoint.readyState).toBe('open');
  });
});

for (const role of ROLES) {
  describe(`T81 and T82, ${role}: dead links and stalls`, () => {
    const PING = 25_000;
    const PONG = 20_000;

    it('T81: silence is probed after pingInterval and ends after pongTimeout: found within 45 s', () => {
      const subject = open(role, { pingInterval: PING, pongTimeout: PONG });
      subject.until(PING - 1);
      expect(subject.frames.length).toBe(0);
      subject.until(PING);
      expect(subject.frames.map((each) => each.opcode)).toEqual([OP.ping]);
      subject.until(PING + PONG - 1);
      expect(subject.types).toEqual([]);
      subject.until(PING + PONG);
      expect(subject.connection.readyState).toBe('closing');
      subject.until(PING + PONG + 1_000);
      expect(subject.closed).toMatchObject({ code: 1006, error: { name: 'TimeoutError', code: 'PONG_TIMEOUT' } });
    });

    it('T81: any received byte is a sign of life, one byte of a frame too', () => {
      const subject = open(role, { pingInterval: PING, pongTimeout: PONG });
      const big = subject.peer(OP.binary, pattern(500));
      for (let i = 0; i < 20; i++) {
        subject.until((i + 1) * 15_000);
        subject.feed(big.subarray(i, i + 1));
      }
      expect(subject.connection.readyState).toBe('open');
      expect(subject.frames.length).toBe(0);
    });

    it('T81: an answered ping goes on for ever, with its latency', () => {
      const subject = open(role, { pingInterval: PING, pongTimeout: PONG });
      for (let i = 1; i <= 10; i++) {
        subject.until(subject.connection.nextTimeout());
        subject.now += 30;
        subject.feed(subject.peer(OP.pong, subject.frames.at(-1)!.payload));
        expect(subject.events.at(-1)).toMatchObject({ type: 'pong', latency: 30 });
      }
      const payloads = subject.frames.map((each) => each.payload.join());
      expect(new Set(payloads).size).toBe(10);
    });

    it('T81: null turns each of the two off', () => {
      const off = open(role, { pingInterval: null, pongTimeout: PONG });
      expect(off.connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
      off.connection.ping(0);
      expect(off.connection.nextTimeout()).toBe(PONG);
      const patient = open(role, { pingInterval: PING, pongTimeout: null });
      patient.until(10 * PING);
      expect(patient.connection.readyState).toBe('open');
      expect(patient.frames.length).toBe(10);
    });

    it('T82: after a stall what is readable is delivered before a timeout is judged', () => {
      const transport = new ScriptTransport();
      const { endpoint, feed, peer, clock } = script({ pingInterval: PING, pongTimeout: PONG }, transport, { role });
      endpoint.resume();
      clock.advance(PING);
      expect(transport.frames.length).toBe(1);
      // The process stands still for a minute; the pong is in the socket when the timer fires.
      let fed = false;
      const { yield: original } = clock;
      clock.yield = (run, argument) => {
        if (!fed) {
          fed = true;
          feed(peer(OP.pong, transport.frames[0]!.payload));
        }
        original.call(clock, run as (argument: unknown) => void, argument);
      };
      clock.advance(60_000 - PING);
      expect(fed).toBe(true);
      expect(endpoint.readyState).toBe('open');
      clock.yield = original;
      clock.advance(200_000);
      expect(endpoint.readyState).toBe('closed');
    });

    it('T82: a clock that runs backwards does not', () => {
      const subject = open(role, { pingInterval: PING, pongTimeout: PONG });
      subject.connection.receive(subject.peer(OP.pong, ''), 50_000);
      subject.pull();
      subject.connection.handleTimeout(10);
      subject.connection.receive(subject.peer(OP.pong, ''), 20);
      expect(subject.connection.nextTimeout()).toBe(75_000);
      subject.connection.ping(0);
      expect(subject.connection.nextTimeout()).toBe(70_000);
    });

    it('T82: while the application holds back, silence proves nothing', async () => {
      const { endpoint, feed, peer, clock } = script({ pingInterval: PING, pongTimeout: PONG }, undefined, { role });
      let release: () => void = () => {};
      endpoint.on('message', () => new Promise<void>((resolve) => (release = resolve)));
      // The second is more than is held, so that the third is not read.
      feed(join(peer(OP.text, 'a'), peer(OP.binary, pattern(70_000)), peer(OP.text, 'c')));
      await clock.run(1_000_000);
      expect(endpoint.readyState).toBe('open');
      release();
      await clock.settle();
      release();
      await clock.run(PING + PONG + 1_000);
      expect(endpoint.readyState).toBe('closed');
    });
  });
}

describe('T88: every state and every method', () => {
  const methods: [string, (connection: Connection) => unknown][] = [
    ['sendText', (c) => c.sendText('x')],
    ['sendBinary', (c) => c.sendBinary(pattern(1))],
    ['sendFragment', (c) => c.sendFragment('text', pattern(0), true)],
    ['ping', (c) => c.ping(0)],
    ['pong', (c) => c.pong()],
  ];
  const states: [string, () => Connection][] = [
    ['connecting', () => server().connection],
    ['connecting', () => client().connection],
    ['closing', () => closing('server')],
    ['closing', () => closing('client')],
    ['closed', () => closed('server')],
    ['closed', () => closed('client')],
  ];

  function closing(role: 'server' | 'client'): Connection {
    const { connection } = open(role);
    connection.close(0);
    return connection;
  }

  function closed(role: 'server' | 'client'): Connection {
    return open(role).end().connection;
  }

  for (const [state, make] of states) {
    for (const [name, call] of methods) {
      it(`${name} while ${state} is a UsageError and nothing grows`, () => {
        const connection = make();
        expect(connection.readyState).toBe(state);
        const { bufferedAmount } = connection;
        expect(() => call(connection)).toThrow(UsageError);
        expect(connection.bufferedAmount).toBe(bufferedAmount);
        expect(connection.readyState).toBe(state);
      });
    }
  }

  it('an endpoint says not-open instead, null for a ping, false for a pong', async () => {
    const { endpoint, clock } = script();
    endpoint.terminate();
    await clock.settle();
    expect(endpoint.send('x')).toMatchObject({ success: false, code: 'not-open', wireSize: 0 });
    expect(await endpoint.ping()).toBe(null);
    expect(endpoint.pong()).toBe(false);
    expect(await endpoint.sendStream('text', ['x'])).toMatchObject({ success: false, code: 'not-open' });
    expect(await endpoint.close()).toMatchObject({ code: 1006 });
    expect(endpoint.bufferedAmount).toBe(0);
  });

  it('an established connection needs a role and a client randomness', () => {
    const make = (role: unknown) => new EstablishedConnection({ role } as never, {}, 0);
    for (const role of [undefined, 'peer', null]) expect(() => make(role)).toThrow(UsageError);
    expect(() => make('client')).toThrow(/random/);
    expect(seeded()).toBeTypeOf('function');
  });
});
