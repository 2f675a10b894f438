/**
 * What every transport must do for the endpoints on it: one list of cases, for the test runner and for runtimes that have
 * none. It knows of a transport only how to join two endpoints, and of a runtime nothing but the language.
 */
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import type { EndpointOptions } from '../../src/endpoint/options.ts';
import { equals, holds, matches } from './claims.ts';

/** Bytes that cannot be compressed. */
function noise(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let i = 0, x = seed + 1; i < length; i++) {
    x = (x * 48_271) % 0x7fff_ffff;
    out[i] = x >>> 8;
  }
  return out;
}

export interface Joined {
  readonly server: Endpoint;
  readonly client: Endpoint;
  /** Awaits a promise; on a virtual clock it lets time pass meanwhile. */
  readonly until: <T>(promise: Promise<T>) => Promise<T>;
  /** Lets everything that is under way go on for a while. */
  readonly idle: () => Promise<void>;
  /** Breaks the connection under both endpoints. */
  readonly reset: () => void;
  readonly dispose: () => Promise<void>;
}

/** Two endpoints whose opening handshake is over, or on its way. */
export type Join = (options: { server?: EndpointOptions; client?: EndpointOptions }) => Promise<Joined>;

export interface ContractCase {
  readonly name: string;
  /** Throws, or rejects, if it is not kept. */
  run(join: Join): Promise<void>;
}

const KIB = 1_024;
const MIB = 1_048_576;
const SIZES = [0, 1, 125, 126, 1_000, 65_535, 65_536, 130_000, MIB];

/** Bytes in which a mistake of place shows. */
export function pattern(length: number, seed = 7): Uint8Array {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = (i * 31 + seed + (i >>> 8)) & 0xff;
  return out;
}

/** The next messages of an endpoint, whose `message` listener this is. */
function inbox(endpoint: Endpoint): { take: (count: number) => Promise<(string | Uint8Array)[]> } {
  const got: (string | Uint8Array)[] = [];
  let check: () => void = () => {};
  endpoint.on('message', ({ data }) => {
    got.push(data);
    check();
  });
  return {
    take: (count) =>
      new Promise((resolve) => {
        check = () => {
          if (got.length >= count) resolve(got.splice(0, count));
        };
        check();
      }),
  };
}

function same(a: string | Uint8Array | undefined, b: string | Uint8Array): boolean {
  if (a === undefined || typeof a === 'string' || typeof b === 'string') return a === b;
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

/**
 * The cases.
 *
 * @param largest the longest message in bytes. An interpreter of JavaScript needs minutes for what others do in a second.
 */
export function contract(largest: number = 16 * MIB): readonly ContractCase[] {
  const cases: ContractCase[] = [];
  const sizes = SIZES.filter((size) => size <= largest / 8);
  const add = (name: string, run: ContractCase['run']) => cases.push({ name, run });
  for (const from of ['client', 'server'] as const) {
    const to = from === 'client' ? 'server' : 'client';

    add(
      `messages from the ${from} arrive whole and in order, text and binary, from 0 B to ${sizes.at(-1)! / KIB} KiB`,
      async (joined) => {
        const pair = await joined({ server: { maxBufferedAmount: null }, client: { maxBufferedAmount: null } });
        const { take } = inbox(pair[to]);
        pair[from].resume();
        const sent = sizes.flatMap((size) => [pattern(size), 'ä'.repeat(size >> 1)]);
        for (const each of sent) holds(pair[from].send(each).success, 'it is taken');
        const got = await pair.until(take(sent.length));
        equals(
          sent.map((each, i) => same(got[i], each)),
          sent.map(() => true),
        );
        equals(await pair.until(pair[from].drained()), true);
        equals(pair[from].bufferedAmount, 0);
      },
    );

    add(
      `${largest / KIB} KiB from the ${from} with the limits raised, whole, in fragments and as a stream`,
      async (joined) => {
        const limits = { maxMessageSize: 2 * largest, maxBufferedAmount: 4 * largest + MIB };
        const pair = await joined({ server: limits, client: limits });
        const { take } = inbox(pair[to]);
        pair[from].resume();
        const big = pattern(largest);
        pair[from].send(big);
        pair[from].send(big, { fragmentSize: 100_000 });
        equals(
          (await pair.until(take(2))).map((each) => same(each, big)),
          [true, true],
        );
        function* chunks() {
          for (let at = 0; at < big.length; at += 300_000) yield big.subarray(at, at + 300_000);
        }
        const [got, result] = await pair.until(Promise.all([take(1), pair[from].sendStream('binary', chunks())]));
        holds(same(got[0], big), 'it is what was sent');
        matches(result, { success: true, payloadSize: big.length });
      },
    );

    add(`a ping of the ${from} comes back`, async (joined) => {
      const pair = await joined({});
      pair.client.resume();
      pair.server.resume();
      holds((await pair.until(pair[from].ping('p')))! >= 0, 'it took its time');
    });

    add(`a close of the ${from} ends both sides cleanly, what was sent before it arrives`, async (joined) => {
      const pair = await joined({});
      const { take } = inbox(pair[to]);
      pair[from].resume();
      pair[from].send(pattern(200_000));
      const ended = pair[from].close(4000, 'enough');
      holds(same((await pair.until(take(1)))[0], pattern(200_000)), 'it is what was sent');
      matches(await pair.until(pair[to].closed), {
        code: 4000,
        reason: 'enough',
        clean: true,
        remote: true,
      });
      matches(await pair.until(ended), { code: 4000, clean: true, remote: false, error: null });
    });

    add(`terminate() of the ${from} is 1006 on both sides`, async (joined) => {
      const pair = await joined({});
      pair.client.resume();
      pair.server.resume();
      pair[from].terminate();
      matches(await pair.until(pair[from].closed), { code: 1006, error: { code: 'TERMINATED' } });
      matches(await pair.until(pair[to].closed), { code: 1006, clean: false });
    });

    add(`a slow reader holds the ${from} back, and gets everything`, async (joined) => {
      const pair = await joined({ [from]: { maxBufferedAmount: null } });
      pair[from].resume();
      const count = largest < 16 * MIB ? 12 : 200;
      let taken = 0;
      let open = false;
      let release: () => void = () => {};
      const gate = new Promise<void>((resolve) => (release = resolve));
      const all = new Promise<void>((resolve) => {
        pair[to].on('message', ({ data }) => {
          if (!same(data, noise(100_000, taken))) throw new Error('not what was sent');
          if (++taken === count) resolve();
          return open ? undefined : gate;
        });
      });
      for (let i = 0; i < count; i++) pair[from].send(noise(100_000, i));
      equals(pair[from].writable, false);
      await pair.idle();
      holds(taken <= 1, `a message at most is taken, not ${taken}`);
      const waiting = pair[from].bufferedAmount;
      holds(waiting > count * 10_000, `the rest waits where it was sent: ${waiting}`);
      open = true;
      release();
      await pair.until(all);
      equals(await pair.until(pair[from].drained()), true);
    });
  }

  add('an echo of every size, while each side scribbles on what it sent after drained()', async (joined) => {
    const pair = await joined({ server: { maxBufferedAmount: null }, client: { maxBufferedAmount: null } });
    pair.server.on('message', async ({ data }) => {
      pair.server.send(data);
      await pair.server.drained();
      if (typeof data !== 'string') data.fill(0xaa);
    });
    const { take } = inbox(pair.client);
    for (const size of [...sizes, ...[...sizes].reverse()]) {
      const payload = pattern(size);
      pair.client.send(payload);
      pair.client.send('x'.repeat(size));
      void pair.client.drained().then(() => payload.fill(0xbb));
      const [bytes, text] = await pair.until(take(2));
      holds(same(bytes, pattern(size)), `${size} B come back`);
      holds(text === 'x'.repeat(size), `${size} characters come back`);
    }
  });

  add('delivered payloads stay as they are, whatever arrives later', async (joined) => {
    const pair = await joined({ client: { maxBufferedAmount: null } });
    const { take } = inbox(pair.server);
    pair.client.resume();
    for (let i = 0; i < 300; i++) pair.client.send(pattern(1 + ((i * 37) % 3_000), i));
    const got = await pair.until(take(300));
    pair.client.send(pattern(sizes.at(-1)!));
    await pair.until(take(1));
    for (const [i, each] of got.entries()) holds(same(each, pattern(1 + ((i * 37) % 3_000), i)), `message ${i}`);
  });

  add('a borrowed echo arrives intact', async (joined) => {
    const pair = await joined({
      server: { borrow: true, maxBufferedAmount: null },
      client: { maxBufferedAmount: null },
    });
    pair.server.on('message', ({ data, kind }) => {
      pair.server.send(data, { binary: kind === 'binary' });
    });
    const { take } = inbox(pair.client);
    for (const size of sizes) pair.client.send(pattern(size));
    const got = await pair.until(take(sizes.length));
    equals(
      sizes.map((size, i) => same(got[i], pattern(size))),
      sizes.map(() => true),
    );
  });

  add('a reset ends both sides with 1006, once', async (joined) => {
    const pair = await joined({});
    const seen: string[] = [];
    for (const side of ['client', 'server'] as const) {
      pair[side].resume();
      pair[side].on('close', ({ code }) => seen.push(`${side} ${code}`));
    }
    await pair.until(pair.client.ping());
    pair.reset();
    await pair.until(Promise.all([pair.client.closed, pair.server.closed]));
    equals(seen.sort(), ['client 1006', 'server 1006']);
    equals(await pair.until(pair.client.drained()), false);
  });

  add('both close at the same time', async (joined) => {
    const pair = await joined({});
    pair.client.resume();
    pair.server.resume();
    await pair.until(pair.client.ping());
    const ends = await pair.until(Promise.all([pair.client.close(4001), pair.server.close(4002)]));
    equals(
      ends.map(({ code, clean }) => [code, clean]),
      [
        [4002, true],
        [4001, true],
      ],
    );
  });
  return cases;
}
