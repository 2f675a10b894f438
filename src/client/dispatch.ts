/**
 * What a client sends: to the connection that is open, or into the queue until there is one. A message leaves the queue when it
 * is handed to a connection, to one at the most; of those that are handed to none each is told. It dials nothing.
 */

import type { Endpoint } from '../endpoint/endpoint.ts';
import type { SendOptions, SendResult } from '../endpoint/outbox.ts';
import type { Bytes } from '../endpoint/payload.ts';
import type { Clock, Wakeable } from '../transport/transport.ts';
import { OutgoingQueue, type Waiting } from './outgoing-queue.ts';

/** Whom it tells. */
export interface DispatchOwner {
  /** A message that waited is lost. */
  dropped(message: Waiting): void;
  /** What the application threw where there is nobody to hear it. */
  report(error: unknown): void;
}

/** The outgoing side of one client. */
export class Dispatch implements Wakeable {
  readonly queue: OutgoingQueue;
  private readonly clock: Clock;
  private readonly owner: DispatchOwner;
  private endpoint: Endpoint | null = null;
  /** Listeners of `open` run: what they send goes ahead of the queue. */
  private greeting = false;
  /** Somebody was told that no more is welcome, and waits for `drain`, of this connection or the next. */
  private full = false;
  /** Closes the connection, when nothing waits any more. */
  private close: (() => void) | null = null;
  private closeAt = 0;

  constructor(clock: Clock, owner: DispatchOwner) {
    this.clock = clock;
    this.owner = owner;
    this.queue = new OutgoingQueue((message) => owner.dropped(message));
  }

  /** A connection opens: to be called before others listen to it. Until `greeted` the queue waits. */
  attach(endpoint: Endpoint): void {
    this.endpoint = endpoint;
    this.greeting = true;
    endpoint.on('drain', () => {
      // Who waits hears it next, before anybody can be told to wait again.
      if (this.queue.length === 0) this.full = false;
      this.flush();
    });
  }

  /** The listeners of `open` have been told. */
  greeted(): void {
    this.greeting = false;
    this.flush();
  }

  /** The connection is over. */
  detach(): void {
    this.endpoint = null;
    this.greeting = false;
    this.close = null;
    this.clock.cancel(this, this.closeAt);
  }

  /** Sends, or queues if `mayWait`. @throws UsageError as `Endpoint.send` does */
  send(data: string | Bytes, options: SendOptions | undefined, mayWait: boolean): SendResult {
    const { endpoint, queue } = this;
    const direct = this.greeting || queue.length === 0 ? endpoint?.send(data, options) : undefined;
    if (direct !== undefined && direct.code !== 'not-open') {
      if (!direct.writable) this.full = true;
      return direct;
    }
    const message = queue.prepare(data, options);
    const waits = queue.enabled && mayWait;
    const taken = waits && queue.push(message);
    const writable = taken && queue.hasRoom;
    if (waits && !writable) this.full = true;
    return {
      success: taken,
      code: taken ? null : waits ? 'overflow' : 'not-open',
      payloadSize: message.size,
      wireSize: 0,
      compressionError: false,
      writable,
    };
  }

  /** Hands over what waits, as fast as the connection takes it, then calls `close`; after `timeout` milliseconds in any case. */
  closeBehind(close: () => void, timeout: number): void {
    this.close = close;
    this.closeAt = this.clock.now() + timeout;
    this.clock.schedule(this, this.closeAt);
    this.flush();
  }

  /** What still waits is lost, unless the clock woke us early. */
  wake(): void {
    if (this.close === null) return;
    if (this.clock.now() < this.closeAt) this.clock.schedule(this, this.closeAt);
    else this.endQueue(this.close);
  }

  /** Hands over what waits, as long as the connection takes it gladly; nothing may come into a message that is under way. */
  private flush(): void {
    const { endpoint, queue } = this;
    if (endpoint === null) return;
    const { connection } = endpoint;
    while (queue.length > 0 && endpoint === this.endpoint && endpoint.writable && !connection.midMessage)
      this.hand(endpoint);
    // Who was told to wait goes on with `drain`, and so does the queue: a connection that was never full would tell none.
    if (queue.length > 0 ? connection.midMessage : this.full) endpoint.outbox.expectDrain();
    if (this.close !== null && (queue.length === 0 || endpoint.readyState !== 'open')) this.endQueue(this.close);
  }

  /** At most once: the message has left the queue before it is handed over. */
  private hand(endpoint: Endpoint): void {
    const message = this.queue.take()!;
    try {
      if (!endpoint.send(message.data as string | Bytes, message.options).success) this.queue.drop(message);
    } catch (error) {
      this.queue.drop(message);
      this.owner.report(error);
    }
  }

  private endQueue(close: () => void): void {
    this.close = null;
    this.clock.cancel(this, this.closeAt);
    this.queue.clear();
    close();
  }
}
