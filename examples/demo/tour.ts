/**
 * The tour in the terminal: our own client talks to the demo's server, and each step says what happened on the wire.
 * A step that does not see what it expects fails the tour.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Endpoint } from '../../src/client/index.ts';
import { bytes, milliseconds, type Printer } from './print.ts';
import { FRAGMENT_SIZE } from './server.ts';

const PATIENCE = 5000;

type Message = string | Uint8Array;

/** Runs all steps, `pause` milliseconds apart, until `signal` ends it, and tells whether each succeeded. */
export async function tour(pageUrl: string, printer: Printer, pause: number, signal: AbortSignal): Promise<boolean> {
  const base = pageUrl.replace(/^http/, 'ws');
  const session = randomBytes(12).toString('base64url');
  const echo = new Talk();
  const observer = new Talk();
  const ada = new Talk();
  const grace = new Talk();
  const talks = [echo, observer, ada, grace];

  const steps: readonly (readonly [name: string, step: () => Promise<readonly string[]>])[] = [
    [
      'open',
      async () => {
        await observer.open(`${base}observe?session=${session}`);
        await echo.open(`${base}echo?session=${session}`);
        const seen = await observer.record('open');
        return [`${base}echo`, `server saw ${String(seen['requestLine']).replace(/\?\S*/, '')}`];
      },
    ],
    [
      'text',
      async () => {
        const text = 'Hello, wire! ☕';
        expectSame(await echo.exchange(text), text);
        return [`${bytes(Buffer.byteLength(text))} there and back`, `“${text}”`];
      },
    ],
    [
      'binary',
      async () => {
        const data = pattern(FRAGMENT_SIZE);
        expectSame(await echo.exchange(data), data);
        return [`${bytes(data.length)} there and back`, 'same bytes'];
      },
    ],
    [
      'fragmented',
      async () => {
        const data = pattern(1024 * 1024);
        expectSame(await echo.exchange(data, { fragmentSize: 32 * 1024 }), data);
        const pieces = echo.progress + 1;
        expect(pieces > 1, 'the echo came in one frame');
        return [`${bytes(data.length)} there and back`, `32 fragments out, ${pieces} fragments in, same bytes`];
      },
    ],
    [
      'ping',
      async () => {
        const latency = await echo.socket.ping();
        if (latency === null) throw new Error('no pong');
        return ['pong from the server', `round trip ${milliseconds(latency)}`];
      },
    ],
    [
      'server ping',
      async () => {
        observer.socket.send(JSON.stringify({ action: 'ping' }));
        const { latency } = await observer.record('pong');
        expect(typeof latency === 'number', 'the pong has no round-trip time');
        return ['pong to the server', `round trip ${milliseconds(Number(latency))}`];
      },
    ],
    [
      'chat',
      async () => {
        await ada.open(`${base}chat?name=ada`);
        await grace.open(`${base}chat?name=grace`);
        await grace.news('welcome');
        ada.socket.send('Do you read me?');
        const heard = await grace.news('said');
        expect(heard['text'] === 'Do you read me?', 'grace heard something else');
        await Promise.all([ada.socket.close(1000, 'bye'), grace.socket.close(1000, 'bye')]);
        return ['two clients', `${heard['name']} to grace: “${heard['text']}”`];
      },
    ],
    [
      'close',
      async () => {
        const end = await echo.socket.close(1000, 'that is all');
        expect(end.clean && end.code === 1000, `closed with ${end.code}, clean ${end.clean}`);
        const seen = await observer.record('closed');
        expect(seen['code'] === 1000 && seen['reason'] === 'that is all', 'the server saw another close');
        return ['1000 from the client', `server saw ${seen['code']} “${seen['reason']}”, clean`];
      },
    ],
    [
      'server close',
      async () => {
        await echo.open(`${base}echo?session=${session}`);
        await observer.record('open');
        observer.socket.send(JSON.stringify({ action: 'close', code: 1001, reason: 'going away' }));
        const end = await within(echo.socket.closed, 'no close');
        expect(end.clean && end.remote && end.code === 1001, `closed with ${end.code}, clean ${end.clean}`);
        return ['1001 from the server', `client saw ${end.code} “${end.reason}”, clean`];
      },
    ],
  ];

  let failed = 0;
  try {
    for (const [name, step] of steps) {
      const startedAt = performance.now();
      try {
        const words = await step();
        printer.step(true, name, words, performance.now() - startedAt);
      } catch (error) {
        if (signal.aborted) return false;
        failed++;
        printer.step(
          false,
          name,
          [error instanceof Error ? error.message : String(error)],
          performance.now() - startedAt,
        );
      }
      await sleep(pause, undefined, { signal }).catch(() => {});
      if (signal.aborted) return false;
    }
  } finally {
    await Promise.all(talks.map((talk) => talk.end()));
  }
  printer.summary(steps.length - failed, failed);
  return failed === 0;
}

/** One connection of the tour and what it has received but nobody has asked for yet. */
class Talk {
  progress = 0;
  #socket: Endpoint | null = null;
  readonly #inbox: Message[] = [];
  #wake: () => void = () => {};

  async open(url: string): Promise<void> {
    // Listeners given here are attached before anything is delivered, so the first message cannot be missed.
    this.#socket = await connect(url, {
      maxMessageSize: 32 * 1024 * 1024,
      progress: true,
      signal: AbortSignal.timeout(PATIENCE),
      on: {
        message: ({ data }) => {
          this.#inbox.push(data);
          this.#wake();
        },
        progress: () => {
          this.progress++;
        },
      },
    });
  }

  get socket(): Endpoint {
    if (this.#socket === null) throw new Error('not connected');
    return this.#socket;
  }

  async next(): Promise<Message> {
    while (this.#inbox.length === 0) {
      await within(new Promise<void>((resolve) => (this.#wake = resolve)), 'nothing came');
    }
    return this.#inbox.shift()!;
  }

  async exchange(data: Message, options: { fragmentSize?: number } = {}): Promise<Message> {
    this.progress = 0;
    const sent = this.socket.send(data, options);
    expect(sent.success, `not sent: ${sent.code}`);
    return this.next();
  }

  /** The next JSON message of this type; others before it are passed over. */
  async news(type: string): Promise<Record<string, unknown>> {
    for (;;) {
      const message = JSON.parse(String(await this.next())) as Record<string, unknown>;
      if (message['type'] === type) return message;
    }
  }

  /** The observer's next record of this type. */
  record(type: string): Promise<Record<string, unknown>> {
    return this.news(type);
  }

  async end(): Promise<void> {
    await this.#socket?.close();
  }
}

async function within<T>(promise: Promise<T>, otherwise: string): Promise<T> {
  const timer = new AbortController();
  const late = sleep(PATIENCE, null, { signal: timer.signal, ref: true }).then(() => {
    throw new Error(`${otherwise} within ${PATIENCE / 1000} s`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}

function expect(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}

function expectSame(got: Message, sent: Message): void {
  const same = typeof got === 'string' || typeof sent === 'string' ? got === sent : Buffer.compare(got, sent) === 0;
  expect(same, 'what came back differs');
}

/** Bytes without a short period, so that a lost or moved fragment would show. */
function pattern(size: number): Uint8Array {
  const words = new Uint32Array(size / 4);
  let word = 1;
  for (let index = 0; index < words.length; index++) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    words[index] = word;
  }
  return new Uint8Array(words.buffer);
}
