/**
 * A connection as the verb `connect` uses it: one that ends with its socket, or one that comes back (`--reconnect`). What is
 * sent waits for room, so that a pipe is read no faster than the peer reads.
 */

import { connect } from '../client/connect.ts';
import type { ConnectOptions } from '../client/options.ts';
import { ReconnectingClient } from '../client/reconnecting-client.ts';
import type { MessageEvent } from '../connection/events.ts';
import { formatMilliseconds, formatSize, printableText } from '../debug/lines.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { CloseEvent } from '../endpoint/events.ts';

/** What both sides settled on. */
export interface Agreed {
  readonly subprotocol: string;
  readonly extensions: string;
}

/** What a line tells. */
export interface LineSink {
  /** Called before any message, and again for each connection that follows. */
  opened(agreed: Agreed): void;
  /** A promise holds further messages back. */
  message(event: MessageEvent): Promise<void> | undefined;
  /** Only for pings that the heartbeat sent. */
  pong(latency: number): void;
  /** There is no connection for a while. */
  waiting(text: string): void;
}

/** A connection to talk over. */
export interface Line {
  /** How it ended, for good. */
  readonly closed: Promise<CloseEvent>;
  /** Whether there has been a connection. */
  readonly opened: boolean;
  /** Why there is no other connection, and no way to one; null: it was closed. */
  readonly failure: Error | null;
  /** Messages that were taken and handed to no connection, when it has ended. */
  readonly unsent: number;
  /** Resolves when there has been a connection and what was sent is in its hands, or none will come any more. */
  settled(): Promise<void>;
  /** Resolves when there is room for more; with false if it could not be sent. @throws UsageError (as a rejection) */
  send(data: string | Uint8Array, binary: boolean): Promise<boolean>;
  ping(payload: string): Promise<number | null>;
  pong(payload: string): void;
  /** @throws UsageError when the code may not be sent or the reason is longer than 123 bytes */
  close(code: number, reason: string): Promise<CloseEvent>;
  /** A few lines for people. */
  describe(): string;
}

/** Opens a line. Rejects as `connect` does; one that comes back is there before its first connection. */
export async function openLine(
  url: string,
  options: ConnectOptions,
  reconnect: boolean,
  signal: AbortSignal,
  sink: LineSink,
): Promise<Line> {
  if (reconnect) return new ReturningLine(url, options, signal, sink);
  const socket = await connect(url, {
    ...options,
    signal,
    on: {
      open: (event) => sink.opened(event),
      message: (event) => sink.message(event),
      pong: ({ latency }) => {
        if (latency !== null && options.pingInterval !== undefined) sink.pong(latency);
      },
    },
  });
  return new SocketLine(socket);
}

class SocketLine implements Line {
  readonly opened: boolean = true;
  readonly failure: null = null;
  readonly unsent: number = 0;
  private readonly socket: Endpoint;

  constructor(socket: Endpoint) {
    this.socket = socket;
  }

  get closed(): Promise<CloseEvent> {
    return this.socket.closed;
  }

  async settled(): Promise<void> {}

  async send(data: string | Uint8Array, binary: boolean): Promise<boolean> {
    const { success, writable } = this.socket.send(data, { binary });
    if (success && !writable) await this.socket.drained();
    return success;
  }

  ping(payload: string): Promise<number | null> {
    return payload === '' ? this.socket.ping() : this.socket.ping(payload);
  }

  pong(payload: string): void {
    this.socket.pong(payload);
  }

  close(code: number, reason: string): Promise<CloseEvent> {
    return this.socket.close(code, reason);
  }

  describe(): string {
    return describeSocket(this.socket);
  }
}

/** Connects again whenever the connection is lost; what is typed meanwhile waits. */
class ReturningLine implements Line {
  readonly closed: Promise<CloseEvent>;
  opened = false;
  failure: Error | null = null;
  private readonly client: ReconnectingClient;
  private readonly sink: LineSink;
  private last: CloseEvent | null = null;
  /** Called when a connection has opened, or none will any more. */
  private waiting: (() => void)[] = [];

  /** @throws UsageError for a URL or an option that is wrong */
  constructor(url: string, options: ConnectOptions, signal: AbortSignal, sink: LineSink) {
    this.sink = sink;
    const { on: _, signal: __, ...rest } = options;
    this.client = new ReconnectingClient(url, { ...rest, signal });
    this.client.on('open', (event) => {
      this.opened = true;
      sink.opened(event);
      this.settle();
    });
    this.client.on('message', (event) => sink.message(event));
    this.client.on('pong', ({ latency }) => {
      if (latency !== null && options.pingInterval !== undefined) sink.pong(latency);
    });
    this.client.on('close', (event) => {
      this.last = event;
      if (event.waitTime !== null && event.error === null) this.lost(`closed ${event.code}`, event.waitTime);
    });
    this.client.on('error', ({ reason, waitTime }) => {
      if (waitTime !== null) this.lost(reason, waitTime);
    });
    this.closed = new Promise((resolve) => {
      this.client.on('stop', ({ error }) => {
        this.failure = error;
        const { last } = this;
        const lost: CloseEvent = { type: 'close', code: 1006, reason: '', clean: false, remote: false, error };
        resolve(last === null || (error !== null && last.error === null) ? lost : last);
        this.settle();
      });
    });
    void this.client.start();
  }

  get unsent(): number {
    return this.client.info.droppedMessages;
  }

  async settled(): Promise<void> {
    while (this.client.state !== 'stopped' && (!this.opened || this.client.info.queuedMessages > 0)) {
      await Promise.race([this.room(), this.closed]);
    }
  }

  async send(data: string | Uint8Array, binary: boolean): Promise<boolean> {
    for (;;) {
      const { success, code, writable } = this.client.send(data, { binary });
      if (!success && code !== 'overflow') return false;
      if (!writable) await Promise.race([this.room(), this.closed]);
      if (success) return true;
    }
  }

  ping(payload: string): Promise<number | null> {
    return payload === '' ? this.client.ping() : this.client.ping(payload);
  }

  pong(payload: string): void {
    this.client.socket?.pong(payload);
  }

  close(code: number, reason: string): Promise<CloseEvent> {
    return this.client.stop(code, reason).then(() => this.closed);
  }

  describe(): string {
    const { socket, info } = this.client;
    if (socket !== null) return describeSocket(socket);
    return `state       ${info.state}, after ${info.retries} failures\nqueued      ${info.queuedMessages} messages`;
  }

  private lost(why: string, waitTime: number): void {
    this.sink.waiting(`${printableText(why)}; again in ${formatMilliseconds(waitTime)}`);
  }

  /** A connection that is closing has nothing unsent, and takes nothing: it is the next one that is waited for. */
  private room(): Promise<unknown> {
    const { socket } = this.client;
    return socket?.readyState === 'open' ? socket.drained() : this.change();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => void this.waiting.push(resolve));
  }

  private settle(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function describeSocket(socket: Endpoint): string {
  const { bytesReceived, bytesSent, messagesReceived, messagesSent } = socket.statistics;
  const latency = socket.latency === null ? 'not measured' : formatMilliseconds(socket.latency);
  return [
    `to          ${socket.remoteAddress ?? 'a UNIX socket'} ${socket.remotePort ?? ''} ${socket.secure ? '(TLS)' : ''}`,
    `state       ${socket.readyState}`,
    `subprotocol ${socket.subprotocol || 'none'}`,
    `extensions  ${socket.extensions || 'none'}`,
    `received    ${countOf(messagesReceived)}, ${formatSize(bytesReceived)}`,
    `sent        ${countOf(messagesSent)}, ${formatSize(bytesSent)}, ${formatSize(socket.bufferedAmount)} unsent`,
    `round trip  ${latency}`,
  ]
    .map((text) => text.trimEnd())
    .join('\n');
}

export function countOf(messages: number): string {
  return messages === 1 ? '1 message' : `${messages} messages`;
}
