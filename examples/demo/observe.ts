/**
 * What the server's engine sees of a connection, told to the page that opened it.
 *
 * A page makes up a random session id, observes it over `/observe?session=…` and opens its other connections with the
 * same id, so that every tab sees its own traffic and nobody else's. Nothing is kept for a session that is not observed.
 */
import type { Endpoint, Request } from '../../src/server/index.ts';

/** One row of the page's right column. `at` counts in milliseconds from the connection's request. */
export interface Entry {
  readonly type: 'open' | 'message' | 'progress' | 'ping' | 'pong' | 'drain' | 'error' | 'close' | 'closed';
  readonly direction: 'in' | 'out' | 'none';
  readonly [fact: string]: unknown;
}

interface Session {
  readonly observer: Endpoint;
  readonly recorders: Set<Recorder>;
}

const MAX_UNREAD = 1024 * 1024;
const PROGRESS_EVERY = 40;
/** As many characters of a text as the page shows; one more tells it that there are more. */
const PREVIEW = 160;

const sessions = new Map<string, Session>();
let connections = 0;

/** The session id in a request's query, or `null` if there is none that is well formed. */
export function sessionOf(request: Request): string | null {
  const id = queryOf(request).get('session') ?? '';
  return /^[\w-]{16}$/.test(id) ? id : null;
}

export function queryOf(request: Request): URLSearchParams {
  return new URLSearchParams(request.query);
}

/** Serves `/observe`: records go out, and requests to ping, close or drop the session's echo connection come in. */
export function observe(observer: Endpoint, request: Request): void {
  const id = sessionOf(request);
  if (id === null || sessions.has(id)) {
    void observer.close(
      1008,
      id === null ? 'a session id is 16 letters or digits' : 'this session is observed already',
    );
    return;
  }
  const session: Session = { observer, recorders: new Set() };
  sessions.set(id, session);
  observer.on('close', () => sessions.delete(id));
  observer.on('message', ({ data }) => {
    const order = typeof data === 'string' ? parse(data) : null;
    if (order === null) return void observer.close(1008, 'not an order');
    for (const recorder of session.recorders) if (recorder.endpoint === 'echo') recorder.obey(order);
  });
}

type Order =
  | { readonly action: 'ping' }
  | { readonly action: 'drop' }
  | { readonly action: 'close'; readonly code: number; readonly reason: string };

const CLOSE_CODES: readonly unknown[] = [1000, 1001, 1008, 1011];

function parse(text: string): Order | null {
  try {
    const order = JSON.parse(text) as Partial<Record<string, unknown>> | null;
    if (order?.['action'] === 'ping') return { action: 'ping' };
    if (order?.['action'] === 'drop') return { action: 'drop' };
    const { action, code, reason } = order ?? {};
    if (action !== 'close' || !CLOSE_CODES.includes(code) || typeof reason !== 'string') return null;
    return Buffer.byteLength(reason) <= 123 ? { action, code: code as number, reason } : null;
  } catch {
    return null;
  }
}

/** Listens to one connection and tells its session's observer, if there is one. */
export class Recorder {
  readonly endpoint: string;
  readonly #socket: Endpoint;
  readonly #session: string | null;
  readonly #connection = ++connections;
  readonly #startedAt = performance.now();
  #pieces = 0;
  #toldAt = 0;

  constructor(endpoint: string, socket: Endpoint, request: Request) {
    this.endpoint = endpoint;
    this.#socket = socket;
    this.#session = sessionOf(request);
    this.#listen(request);
  }

  #listen(request: Request): void {
    const socket = this.#socket;
    const session = this.#session === null ? undefined : sessions.get(this.#session);
    session?.recorders.add(this);

    socket.on('open', () => {
      this.#tell({
        type: 'open',
        direction: 'in',
        requestLine: `${request.method} ${request.target} HTTP/${request.version}`,
        headers: [...request.headers],
        peer: `${socket.remoteAddress}:${socket.remotePort}`,
      });
    });
    socket.on('progress', ({ kind, received }) => {
      this.#pieces++;
      if (this.#pieces > 1 && performance.now() - this.#toldAt < PROGRESS_EVERY) return;
      this.#toldAt = performance.now();
      this.#tell({ type: 'progress', direction: 'in', kind, size: received, fragments: this.#pieces });
    });
    socket.on('ping', ({ payload }) => this.#tell({ type: 'ping', direction: 'in', preview: previewOf(payload) }));
    socket.on('pong', ({ payload, latency }) => {
      this.#tell({ type: 'pong', direction: 'in', latency, preview: previewOf(payload) });
    });
    socket.on('drain', () => this.#tell({ type: 'drain', direction: 'none' }));
    socket.on('error', (error) => {
      this.#tell({ type: 'error', direction: 'none', error: `${error.code}: ${error.message}` });
    });
    socket.on('close', ({ code, reason, clean, remote }) => {
      this.#tell({ type: 'closed', direction: remote ? 'in' : 'none', code, reason, clean, remote });
      session?.recorders.delete(this);
    });
  }

  /** A message came: the caller's own listener says so, because it is the one consumer. */
  received(data: string | Uint8Array, wireSize: number): void {
    this.#tell({ type: 'message', direction: 'in', ...facts(data), wireSize, fragments: this.#pieces + 1 });
    this.#pieces = 0;
  }

  /** A message went out. */
  sent(data: string | Uint8Array, wireSize: number | null, fragments = 1): void {
    this.#tell({ type: 'message', direction: 'out', ...facts(data), wireSize, fragments });
  }

  obey(order: Order): void {
    const socket = this.#socket;
    if (socket.readyState !== 'open') return;
    if (order.action === 'ping') {
      const payload = new TextEncoder().encode(`ping at ${new Date().toISOString().slice(11, 23)}`);
      this.#tell({ type: 'ping', direction: 'out', preview: previewOf(payload) });
      void socket.ping(payload);
    } else if (order.action === 'drop') {
      this.#tell({ type: 'close', direction: 'out' });
      socket.terminate();
    } else {
      this.#tell({ type: 'close', direction: 'out', code: order.code, reason: order.reason });
      void socket.close(order.code, order.reason);
    }
  }

  #tell(entry: Entry): void {
    const observer = this.#session === null ? undefined : sessions.get(this.#session)?.observer;
    // A page that does not read what it is told is told less; the connections it watches do not wait for it.
    if (observer === undefined || observer.readyState !== 'open' || observer.bufferedAmount > MAX_UNREAD) return;
    const { endpoint } = this;
    const at = performance.now() - this.#startedAt;
    observer.send(JSON.stringify({ endpoint, connection: this.#connection, at, ...entry }));
  }
}

function facts(data: string | Uint8Array) {
  const text = typeof data === 'string';
  const size = text ? Buffer.byteLength(data) : data.length;
  return { kind: text ? 'text' : 'binary', size, preview: text ? data.slice(0, PREVIEW + 1) : hex(data) };
}

function previewOf(payload: Uint8Array): string {
  return new TextDecoder().decode(payload);
}

function hex(data: Uint8Array): string {
  const shown = [...data.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return data.length > 16 ? `${shown} …` : shown;
}
