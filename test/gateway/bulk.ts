/**
 * A lot of bytes through a gateway: `npx tsx test/gateway/bulk.ts [MIB]`, by default 1024 each way at the same time, in messages of
 * 1 B to 8 MiB, then a million messages of one byte each way, with readers that dawdle on both sides. Every byte is compared (by
 * SHA-256), and the memory of the gateway's process is watched.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '../../src/client/index.ts';
import type { GatewayOptions } from '../../src/gateway/index.ts';
import { seededNumbers } from '../support/random.ts';

const MIB = 1_048_576;
const total = Number(process.argv[2] ?? 1_024) * MIB;
const chance = seededNumbers(7);
const folder = mkdtempSync(join(tmpdir(), 'gw-'));
const random = randomFillSync(new Uint8Array(16 * MIB));
let failed = 0;

/** A gateway, its idle memory, and the most it had since. */
class Watched {
  readonly child: ChildProcess;
  idle = 0;
  most = 0;
  url = '';

  private constructor(options: GatewayOptions) {
    const file = fileURLToPath(new URL('bulk.child.ts', import.meta.url));
    this.child = fork(file, [JSON.stringify(options)], { execArgv: ['--expose-gc', '--import', 'tsx'] });
  }

  static async start(options: GatewayOptions): Promise<Watched> {
    const watched = new Watched(options);
    watched.url = ((await once(watched.child, 'message')) as [{ url: string }])[0].url;
    await watched.warm();
    watched.idle = await watched.rss();
    return watched;
  }

  async rss(): Promise<number> {
    this.child.send('rss');
    const [{ rss }] = (await once(this.child, 'message')) as [{ rss: number }];
    this.most = Math.max(this.most, rss);
    return rss;
  }

  /** Code that has run once is compiled: that is no memory of messages. */
  private async warm(): Promise<void> {
    const socket = await connect(`${this.url}/b`);
    socket.resume();
    for (let i = 0; i < 50; i++) {
      socket.send(random.subarray(0, 1_000));
      await socket.drained();
    }
    await socket.close();
    await wait(300);
  }

  async watch<T>(work: Promise<T>): Promise<T> {
    let over = false;
    const watching = (async () => {
      while (!over) {
        await this.rss();
        await wait(200);
      }
    })();
    try {
      return await work;
    } finally {
      over = true;
      await watching;
    }
  }

  report(name: string, same: boolean): void {
    const grown = (this.most - this.idle) / MIB;
    const fine = same && grown < 32;
    if (!fine) failed++;
    console.log(
      `${fine ? 'ok    ' : 'FAILED'}  ${name}: ${same ? 'same bytes' : 'other bytes'}, at most ${grown.toFixed(1)} MiB above idle`,
    );
    this.child.disconnect();
  }
}

/** Pieces of the random bytes, of sizes as they come in life: many small, few large. */
function* pieces(sum: number): Generator<Uint8Array> {
  for (let left = sum; left > 0; ) {
    const size = Math.min(left, Math.floor(2 ** (chance() * 23)));
    const from = Math.floor(chance() * (random.length - size));
    left -= size;
    yield random.subarray(from, from + size);
  }
}

async function bulk(): Promise<void> {
  const path = join(folder, 'b');
  const hash = { up: createHash('sha256'), down: createHash('sha256') };
  const seen = { up: createHash('sha256'), down: createHash('sha256') };
  let warming = true;
  const both = { got: 0, done: () => {} };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (warming) {
      socket.pipe(socket);
      return;
    }
    void send(socket);
    socket.on('data', (chunk) => {
      seen.up.update(chunk);
      both.got += chunk.length;
      if (both.got === 2 * total) both.done();
      if (chance() < 0.01) {
        socket.pause();
        setTimeout(() => socket.resume(), 3);
      }
    });
    socket.on('end', () => socket.end());
  });
  const send = async (socket: Socket) => {
    for (const piece of pieces(total)) {
      hash.down.update(piece);
      if (!socket.write(piece)) await once(socket, 'drain');
    }
  };
  server.listen(path);
  const gateway = await Watched.start({ docroot: folder, frameType: 'binary' });
  warming = false;
  const socket = await connect(`${gateway.url}/b`, { maxMessageSize: null, maxFrameSize: null });
  const work = new Promise<void>((resolve) => {
    both.done = resolve;
  });
  socket.on('message', ({ data }) => {
    seen.down.update(data as Uint8Array);
    both.got += data.length;
    if (both.got === 2 * total) both.done();
    return chance() < 0.01 ? wait(3) : undefined;
  });
  const started = performance.now();
  const up = (async () => {
    for (const piece of pieces(total)) {
      hash.up.update(piece);
      if (!socket.send(piece).writable) await socket.drained();
    }
  })();
  await gateway.watch(Promise.all([work, up]));
  const seconds = (performance.now() - started) / 1000;
  await socket.close();
  const same = (['up', 'down'] as const).every((way) => hash[way].digest('hex') === seen[way].digest('hex'));
  gateway.report(`${total / MIB} MiB each way in ${seconds.toFixed(0)} s`, same);
  server.close();
}

async function small(count: number): Promise<void> {
  const path = join(folder, 'b');
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', (chunk) => {
      if (!socket.write(chunk)) socket.pause();
      if (chance() < 0.02) {
        socket.pause();
        setTimeout(() => socket.resume(), 3);
      }
    });
    socket.on('drain', () => socket.resume());
    socket.on('end', () => socket.end());
  });
  server.listen(path);
  const gateway = await Watched.start({ docroot: folder, framing: 'nul', frameType: 'text' });
  const socket = await connect(`${gateway.url}/b`);
  let got = 0;
  let wrong = 0;
  const work = new Promise<void>((resolve) => {
    socket.on('message', ({ data }) => {
      if (data !== String.fromCharCode(97 + (got % 26))) wrong++;
      if (++got === count) resolve();
      return got % 50_000 === 0 ? wait(10) : undefined;
    });
  });
  const up = (async () => {
    for (let i = 0; i < count; i++) {
      if (!socket.send(String.fromCharCode(97 + (i % 26))).writable) await socket.drained();
    }
  })();
  await gateway.watch(Promise.all([work, up]));
  await socket.close();
  gateway.report(`${count} messages of one byte each way`, wrong === 0);
  server.close();
}

await bulk();
await small(1_000_000);
rmSync(folder, { recursive: true, force: true });
console.log(`\n${2 - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
