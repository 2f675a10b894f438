/**
 * Gives a stimulus to one implementation over a real socket and says in one line what came of it: the answer, what the
 * application was given, and which frames came back. No word of it depends on time or on how the bytes were cut.
 */

import { once } from 'node:events';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { type WebSocket, WebSocketServer, WebSocket as WsClient } from 'ws';
import { connect } from '../../src/client/index.ts';
import { acceptKey } from '../../src/handshake/accept-key.ts';
import { type Server, serve } from '../../src/server/index.ts';
import { type ReadFrame, readFrames } from '../support/frames.ts';
import { RawPeer, upgradeRequest } from '../support/sockets.ts';
import { type AnswerStimulus, FAREWELL, type FrameStimulus, octetsOf, type RequestStimulus } from './stimuli.ts';

export type Implementation = 'ours' | 'ws';

/** Our default of `maxMessageSize`, as `maxPayload` of `ws`. */
const LIMIT = 1_048_576;
const OFFER = 'permessage-deflate';

/** What an application saw of one connection. */
class Application {
  readonly messages: string[] = [];
  /** The code of its close event. */
  code: number | null = null;
  private readonly end: Promise<void>;
  private finish: () => void = () => {};

  constructor() {
    this.end = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  get over(): Promise<void> {
    return this.end;
  }

  message(data: string | Uint8Array): void {
    const text = typeof data === 'string' ? JSON.stringify(data) : `<${Buffer.from(data).toString('hex')}>`;
    this.messages.push(
      text.length <= 40 ? text : `${data.length} ${typeof data === 'string' ? 'characters' : 'octets'}`,
    );
  }

  closed(code: number): void {
    this.code = code;
    this.finish();
  }

  listenTo(socket: WebSocket): void {
    socket.on('message', (data: Buffer, isBinary: boolean) => this.message(isBinary ? data : data.toString()));
    socket.on('error', () => {});
    socket.on('close', (code) => this.closed(code));
  }
}

/** A server of one implementation; the applications of its connections come in their order. */
export class ServerUnderTest {
  readonly port: number;
  private readonly applications: Application[];
  private readonly stop: () => Promise<unknown>;

  private constructor(port: number, applications: Application[], stop: () => Promise<unknown>) {
    this.port = port;
    this.applications = applications;
    this.stop = stop;
  }

  static async start(which: Implementation, deflate: boolean): Promise<ServerUnderTest> {
    const applications: Application[] = [];
    const next = (): Application => {
      const application = new Application();
      applications.push(application);
      return application;
    };
    if (which === 'ours') {
      const server: Server = await serve({ port: 0, host: '127.0.0.1', compression: deflate }, (socket) => {
        const application = next();
        socket.on('message', ({ data }) => application.message(data));
        socket.on('close', ({ code }) => application.closed(code));
      });
      return new ServerUnderTest(server.port!, applications, () => server.close());
    }
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: LIMIT, perMessageDeflate: deflate });
    server.on('connection', (socket) => next().listenTo(socket));
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    return new ServerUnderTest(port, applications, () => new Promise((resolve) => server.close(resolve)));
  }

  /** What a request gets, and whether the connection works then. */
  async request({ request }: RequestStimulus): Promise<string> {
    return this.exchange(request, { name: '', frames: [] });
  }

  /** What frames on an open connection get. */
  async frames(stimulus: FrameStimulus): Promise<string> {
    const offer = stimulus.deflate ? { 'Sec-WebSocket-Extensions': OFFER } : {};
    return this.exchange(upgradeRequest('/', offer), stimulus);
  }

  close(): Promise<unknown> {
    return this.stop();
  }

  private async exchange(head: string, stimulus: FrameStimulus): Promise<string> {
    this.applications.length = 0;
    const peer = await RawPeer.to(this.port);
    peer.write(head);
    await Promise.race([peer.until('\r\n\r\n'), peer.closed]);
    const [first = ''] = peer.received.split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 'dropped without an answer';
    if (status !== '101') {
      await finished(peer);
      return status;
    }
    const [answer = ''] = peer.received.split('\r\n\r\n');
    const extensions = /\nsec-websocket-extensions: *([^;\r]*)/i.exec(answer);
    const wire = await talk(peer, stimulus, 'server', answer.length + 4);
    const application = this.applications[0]!;
    await application.over;
    return [`open${extensions === null ? '' : ` with ${extensions[1]}`}`, ...summary(application, wire)].join(', ');
  }
}

/** What an answer, and frames behind it, get from a client. */
export async function askClient(
  which: Implementation,
  stimulus: AnswerStimulus & Partial<FrameStimulus>,
): Promise<string> {
  const { answer, subprotocols = [], deflate = false, frames = [], ends = false, name } = stimulus;
  const listener: NetServer = createServer({ allowHalfOpen: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  const application = new Application();
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const opened = open(which, `ws://127.0.0.1:${port}`, subprotocols, deflate, application);
  const peer = new RawPeer({ port }, (await accepted)[0]);
  listener.close();
  await peer.until('\r\n\r\n');
  const key = /sec-websocket-key: *(\S+)/i.exec(peer.received)![1]!;
  const head = peer.received.indexOf('\r\n\r\n') + 4;
  peer.write(answer.replaceAll('%', acceptKey(key)));
  if (!(await opened)) {
    await finished(peer);
    return 'refused';
  }
  const wire = await talk(peer, { name, frames, ends }, 'client', head);
  await application.over;
  return ['open', ...summary(application, wire)].join(', ');
}

async function open(
  which: Implementation,
  url: string,
  subprotocols: readonly string[],
  deflate: boolean,
  application: Application,
): Promise<boolean> {
  if (which === 'ours') {
    const on = {
      message: ({ data }: { data: string | Uint8Array }) => application.message(data),
      close: ({ code }: { code: number }) => application.closed(code),
    };
    return connect(url, { subprotocols, compression: deflate, on }).then(
      () => true,
      () => false,
    );
  }
  const socket = new WsClient(url, [...subprotocols], { maxPayload: LIMIT, perMessageDeflate: deflate });
  application.listenTo(socket);
  return new Promise((resolve) => {
    socket.on('open', () => resolve(true));
    socket.on('close', () => resolve(false));
  });
}

/** What the application got, what else came back, and how it ended; `works`: the farewell was answered as it must be. */
function summary({ messages, code }: Application, wire: readonly ReadFrame[]): string[] {
  const parts = [...messages, ...wire.map(print)];
  const closing = wire.at(-1)?.opcode === 8 ? parts.pop()! : null;
  if (code === 1000 && closing === 'Close 1000' && parts.at(-1) === 'pong still there') parts.splice(-1, 1, 'works');
  else if (code === 1006) parts.push(closing === null ? 'dropped' : closing.replace('Close', 'failed with'));
  else parts.push(`closed with ${code}`, `answered by ${closing ?? 'nothing'}`);
  return parts;
}

/** Sends the frames and the farewell; ends when the other side has sent its Close, or the connection is over. */
async function talk(
  peer: RawPeer,
  stimulus: FrameStimulus,
  to: 'server' | 'client',
  from: number,
): Promise<ReadFrame[]> {
  const { frames, ends = false } = stimulus;
  peer.write(Buffer.concat([...frames, ...(ends ? [] : FAREWELL)].map((each) => octetsOf(each, to))));
  if (ends) peer.socket.end();
  await finished(peer, from);
  return framesOf(peer.received.slice(from));
}

/** Answers a Close, or an answer that is no 101, with the end of our direction, and waits for the other's. */
async function finished(peer: RawPeer, from = Number.POSITIVE_INFINITY): Promise<void> {
  const check = () => {
    if (from === Number.POSITIVE_INFINITY || framesOf(peer.received.slice(from)).some(({ opcode }) => opcode === 8)) {
      peer.socket.end();
    }
  };
  peer.socket.on('data', check);
  check();
  await peer.closed;
}

/** The frames so far; none while the last one is cut. */
function framesOf(received: string): ReadFrame[] {
  try {
    return readFrames(new Uint8Array(Buffer.from(received, 'latin1')));
  } catch {
    return [];
  }
}

function print({ opcode, payload }: ReadFrame): string {
  if (opcode === 10) return payload.length > 20 ? `pong of ${payload.length}` : `pong ${Buffer.from(payload)}`;
  if (opcode !== 8) return `opcode ${opcode}`;
  return payload.length < 2 ? 'Close' : `Close ${(payload[0]! << 8) | payload[1]!}`;
}
