/**
 * What every transport must do for the endpoints on it: one suite, passed by memory, net, TLS, UNIX sockets and upgrades of
 * node:http. It knows of a transport only how to join two endpoints.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import type { EndpointOptions } from '../../src/endpoint/options.ts';
import { pattern } from '../rfc6455/support.ts';

export interface Joined {
  readonly server: Endpoint;
  readonly client: Endpoint;
  /** Awaits a promise; on a virtual clock it lets time pass meanwhile. */
  readonly until: <T>(promise: Promise<T>) => Promise<T>;
  /** Breaks the connection under both endpoints. */
  readonly reset: () => void;
  readonly dispose: () => Promise<void>;
}

/** Two endpoints whose opening handshake is over, or on its way. */
export type Join = (options: { server?: EndpointOptions; client?: EndpointOptions }) => Promise<Joined>;

const MIB = 1_048_576;
const SIZES = [0, 1, 125, 126, 1_000, 65_535, 65_536, 130_000, MIB];

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
  return typeof a === 'string' || typeof b === 'string' ? a === b : a !== undefined && Buffer.compare(a, b) === 0;
}

/** Runs the suite over a transport. */
export function describeContract(name: string, join: Join): void {
  const open: Joined[] = [];
  const joined: Join = async (options) => {
    const pair = await join(options);
    open.push(pair);
    return pair;
  };
  afterEach(async () => {
    for (const pair of open.splice(0)) await pair.dispose();
  });

  describe(`contract: ${name}`, () => {
    for (const from of ['client', 'server'] as const) {
      const to = from === 'client' ? 'server' : 'client';

      it(`messages from the ${from} arrive whole and in order, text and binary, from 0 B to 1 MiB`, async () => {
        const pair = await joined({ server: { maxBufferedAmount: null }, client: { maxBufferedAmount: null } });
        const { take } = inbox(pair[to]);
        pair[from].resume();
        const sent = SIZES.flatMap((size) => [pattern(size), 'ä'.repeat(size >> 1)]);
        for (const each of sent) expect(pair[from].send(each).success).toBe(true);
        const got = await pair.until(take(sent.length));
        expect(sent.map((each, i) => same(got[i], each))).toEqual(sent.map(() => true));
        expect(await pair.until(pair[from].drained())).toBe(true);
        expect(pair[from].bufferedAmount).toBe(0);
      });

      it(`16 MiB from the ${from} with the limits raised, whole, in fragments and as a stream`, async () => {
        const limits = { maxMessageSize: 32 * MIB, maxBufferedAmount: 64 * MIB };
        const pair = await joined({ server: limits, client: limits });
        const { take } = inbox(pair[to]);
        pair[from].resume();
        const big = pattern(16 * MIB);
        pair[from].send(big);
        pair[from].send(big, { fragmentSize: 100_000 });
        expect((await pair.until(take(2))).every((each) => same(each, big))).toBe(true);
        function* chunks() {
          for (let at = 0; at < big.length; at += 300_000) yield big.subarray(at, at + 300_000);
        }
        const [got, result] = await pair.until(Promise.all([take(1), pair[from].sendStream('binary', chunks())]));
        expect(same(got[0], big)).toBe(true);
        expect(result).toMatchObject({ success: true, payloadSize: big.length });
      });

      it(`a ping of the ${from} comes back`, async () => {
        const pair = await joined({});
        pair.client.resume();
        pair.server.resume();
        expect(await pair.until(pair[from].ping('p'))).toBeGreaterThanOrEqual(0);
      });

      it(`a close of the ${from} ends both sides cleanly, what was sent before it arrives`, async () => {
        const pair = await joined({});
        const { take } = inbox(pair[to]);
        pair[from].resume();
        pair[from].send(pattern(200_000));
        const ended = pair[from].close(4000, 'enough');
        expect(same((await pair.until(take(1)))[0], pattern(200_000))).toBe(true);
        expect(await pair.until(pair[to].closed)).toMatchObject({
          code: 4000,
          reason: 'enough',
          clean: true,
          remote: true,
        });
        expect(await pair.until(ended)).toMatchObject({ code: 4000, clean: true, remote: false, error: null });
      });

      it(`terminate() of the ${from} is 1006 on both sides`, async () => {
        const pair = await joined({});
        pair.client.resume();
        pair.server.resume();
        pair[from].terminate();
        expect(await pair.until(pair[from].closed)).toMatchObject({ code: 1006, error: { code: 'TERMINATED' } });
        expect(await pair.until(pair[to].closed)).toMatchObject({ code: 1006, clean: false });
      });

      it(`a slow reader holds the ${from} back, and gets everything`, async () => {
        const pair = await joined({ [from]: { maxBufferedAmount: null } });
        pair[from].resume();
        let taken = 0;
        let open = false;
        let release: () => void = () => {};
        const gate = new Promise<void>((resolve) => (release = resolve));
        const all = new Promise<void>((resolve) => {
          pair[to].on('message', ({ data }) => {
            if (!same(data, pattern(100_000, taken))) throw new Error('not what was sent');
            if (++taken === 200) resolve();
            return open ? undefined : gate;
          });
        });
        for (let i = 0; i < 200; i++) pair[from].send(pattern(100_000, i));
        expect(pair[from].writable).toBe(false);
        for (let i = 0; i < 20; i++) await pair.until(new Promise<void>((resolve) => setImmediate(resolve)));
        expect(taken).toBeLessThanOrEqual(1);
        expect(pair[from].bufferedAmount).toBeGreaterThan(2 * MIB);
        open = true;
        release();
        await pair.until(all);
        expect(await pair.until(pair[from].drained())).toBe(true);
      });
    }

    it('an echo of every size, while each side scribbles on what it sent after drained()', async () => {
      const pair = await joined({ server: { maxBufferedAmount: null }, client: { maxBufferedAmount: null } });
      pair.server.on('message', async ({ data }) => {
        pair.server.send(data);
        await pair.server.drained();
        if (typeof data !== 'string') data.fill(0xaa);
      });
      const { take } = inbox(pair.client);
      for (const size of [...SIZES, ...SIZES.toReversed()]) {
        const payload = pattern(size);
        pair.client.send(payload);
        pair.client.send('x'.repeat(size));
        void pair.client.drained().then(() => payload.fill(0xbb));
        const [bytes, text] = await pair.until(take(2));
        expect(same(bytes, pattern(size))).toBe(true);
        expect(text).toBe('x'.repeat(size));
      }
    });

    it('delivered payloads stay as they are, whatever arrives later', async () => {
      const pair = await joined({ client: { maxBufferedAmount: null } });
      const { take } = inbox(pair.server);
      pair.client.resume();
      for (let i = 0; i < 300; i++) pair.client.send(pattern(1 + ((i * 37) % 3_000), i));
      const got = await pair.until(take(300));
      pair.client.send(pattern(MIB));
      await pair.until(take(1));
      for (const [i, each] of got.entries()) expect(same(each, pattern(1 + ((i * 37) % 3_000), i))).toBe(true);
    });

    it('a borrowed echo arrives intact', async () => {
      const pair = await joined({
        server: { borrow: true, maxBufferedAmount: null },
        client: { maxBufferedAmount: null },
      });
      pair.server.on('message', ({ data, kind }) => {
        pair.server.send(data, { binary: kind === 'binary' });
      });
      const { take } = inbox(pair.client);
      for (const size of SIZES) pair.client.send(pattern(size));
      const got = await pair.until(take(SIZES.length));
      expect(SIZES.map((size, i) => same(got[i], pattern(size)))).toEqual(SIZES.map(() => true));
    });

    it('a reset ends both sides with 1006, once', async () => {
      const pair = await joined({});
      const seen: string[] = [];
      for (const side of ['client', 'server'] as const) {
        pair[side].resume();
        pair[side].on('close', ({ code }) => seen.push(`${side} ${code}`));
      }
      await pair.until(pair.client.ping());
      pair.reset();
      await pair.until(Promise.all([pair.client.closed, pair.server.closed]));
      expect(seen.sort()).toEqual(['client 1006', 'server 1006']);
      expect(await pair.until(pair.client.drained())).toBe(false);
    });

    it('both close at the same time', async () => {
      const pair = await joined({});
      pair.client.resume();
      pair.server.resume();
      await pair.until(pair.client.ping());
      const ends = await pair.until(Promise.all([pair.client.close(4001), pair.server.close(4002)]));
      expect(ends.map(({ code, clean }) => [code, clean])).toEqual([
        [4002, true],
        [4001, true],
      ]);
    });
  });
}
