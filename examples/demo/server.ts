/**
 * The demo's server: an ordinary `http` server that serves the page, with sansocket attached for the upgrades of three
 * paths. `/echo` sends back what it gets, `/chat` passes it on to everybody, `/observe` tells a page what the other two saw.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attach, type Endpoint, type Request } from '../../src/server/index.ts';
import { serveFile } from './files.ts';
import { observe, queryOf, Recorder } from './observe.ts';

/** A larger message is echoed in fragments of this size. */
export const FRAGMENT_SIZE = 64 * 1024;

const MAX_MESSAGE = 32 * 1024 * 1024;
const MAX_CHAT_LINE = 2000;

export interface Demo {
  /** Of the page. */
  readonly url: string;
  /** Closes every connection with 1001, then the server. */
  close(): Promise<void>;
}

/** Listens on the first of `ports` that is free. */
export async function startDemo(ports: Iterable<number>): Promise<Demo> {
  const http = createServer(serveFile);
  const guests = new Map<Endpoint, { readonly name: string; readonly recorder: Recorder }>();

  const server = attach(
    http,
    {
      paths: ['/echo', '/chat', '/observe'],
      maxMessageSize: MAX_MESSAGE,
      maxFrameSize: MAX_MESSAGE,
      maxBufferedAmount: 2 * MAX_MESSAGE,
      progress: true,
    },
    (socket, request) => {
      if (request.path === '/echo') echo(socket, request);
      else if (request.path === '/chat') chat(socket, request);
      else observe(socket, request);
    },
  );

  function echo(socket: Endpoint, request: Request): void {
    const recorder = new Recorder('echo', socket, request);
    socket.on('message', ({ data, wireSize }) => {
      recorder.received(data, wireSize);
      const size = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
      const sent = socket.send(data, size > FRAGMENT_SIZE ? { fragmentSize: FRAGMENT_SIZE } : {});
      if (sent.success) recorder.sent(data, sent.wireSize, Math.max(1, Math.ceil(size / FRAGMENT_SIZE)));
      // Who does not read its echoes is not read from: the next message is delivered when this one has been written.
      return sent.writable ? undefined : socket.drained();
    });
  }

  function chat(socket: Endpoint, request: Request): void {
    const recorder = new Recorder('chat', socket, request);
    const name = freeName(queryOf(request).get('name') ?? '');
    const people = () => [...guests.values()].map((guest) => guest.name);

    socket.on('open', () => {
      guests.set(socket, { name, recorder });
      const welcome = JSON.stringify({ type: 'welcome', name, people: people() });
      recorder.sent(welcome, socket.send(welcome).wireSize);
      tellGuests({ type: 'joined', name, people: people() }, socket);
    });
    socket.on('message', ({ kind, data, wireSize }) => {
      recorder.received(data, wireSize);
      if (kind === 'binary') void socket.close(1003, 'text only');
      else tellGuests({ type: 'said', name, text: data.slice(0, MAX_CHAT_LINE) });
    });
    socket.on('close', () => {
      if (guests.delete(socket)) tellGuests({ type: 'left', name, people: people() });
    });
  }

  /** Encoded once, however many there are. */
  function tellGuests(news: object, except?: Endpoint): void {
    const text = JSON.stringify(news);
    const filter = (socket: Endpoint) => guests.has(socket) && socket !== except;
    server.broadcast(text, { filter });
    for (const [socket, { recorder }] of guests) if (filter(socket)) recorder.sent(text, null);
  }

  function freeName(wanted: string): string {
    const base =
      wanted
        .replace(/[\p{C}\s]+/gu, ' ')
        .trim()
        .slice(0, 24) || 'guest';
    const taken = new Set([...guests.values()].map((guest) => guest.name));
    let name = base;
    for (let count = 2; taken.has(name); count++) name = `${base}-${count}`;
    return name;
  }

  for (const port of ports) {
    if (await listening(port)) break;
  }
  if (!http.listening) throw new Error(`no free port among ${[...ports].join(', ')}`);

  function listening(port: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE') resolve(false);
        else reject(error);
      };
      http.once('error', onError);
      http.listen(port, '127.0.0.1', () => {
        http.off('error', onError);
        resolve(true);
      });
    });
  }

  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`,
    async close() {
      const stopped = new Promise((resolve) => http.close(resolve));
      await server.close({ code: 1001, reason: 'the demo was stopped', timeout: 2000 });
      http.closeAllConnections();
      await stopped;
    },
  };
}
