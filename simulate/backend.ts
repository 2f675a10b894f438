/**
 * A process behind a gateway: it knows which bytes must come from its client, to the last one, and writes messages of its own.
 * How they are framed is written here once more, without the gateway's code.
 */

import type { Framing } from '../src/gateway/stream-framing.ts';
import type { TransportSink } from '../src/transport/transport.ts';
import type { Host } from './hosts.ts';
import type { ChunkReader, LinkEnd } from './link.ts';
import { contentOf, type Descriptor, splitterOf } from './messages.ts';
import type { JoinedPlan } from './plan.ts';
import type { Session } from './session.ts';
import { type Peer, Violation } from './watch.ts';

/** Bytes that must come, in this order, because somebody has sent these messages. */
export class ExpectedBytes {
  private readonly sender: Peer;
  private readonly bytesOf: (descriptor: Descriptor) => Uint8Array;
  private current: Uint8Array | null = null;
  private at = 0;

  constructor(sender: Peer, bytesOf: (descriptor: Descriptor) => Uint8Array) {
    this.sender = sender;
    this.bytesOf = bytesOf;
  }

  /** Says what is wrong with what came, or nothing. */
  take(bytes: Uint8Array): string {
    for (let at = 0; at < bytes.length; ) {
      const current = this.next();
      if (current === null) return `${bytes.length - at} bytes that nobody sent`;
      const size = Math.min(bytes.length - at, current.length - this.at);
      if (Buffer.compare(bytes.subarray(at, at + size), current.subarray(this.at, this.at + size)) !== 0) {
        return `other bytes than were sent, within ${this.at} and ${this.at + size} of ${current.length}`;
      }
      at += size;
      this.at += size;
    }
    this.next();
    return '';
  }

  /** The message that is due; those that are complete count as delivered. */
  next(): Uint8Array | null {
    const { sender } = this;
    for (;;) {
      if (this.current !== null && this.at < this.current.length) return this.current;
      if (this.current !== null) sender.arrived();
      const descriptor = sender.sent[sender.delivered];
      this.current = descriptor === undefined ? null : this.bytesOf(descriptor);
      this.at = 0;
      if (this.current === null) return null;
    }
  }
}

/** A piece of output, and how long it waits for its turn. */
interface Output {
  readonly bytes: Uint8Array;
  readonly delay: number;
}

/** The process. */
export class BackendProcess implements TransportSink {
  /** Nothing more will be said. */
  finished = false;
  over = false;
  readonly expected: ExpectedBytes;
  private readonly session: Session;
  private readonly host: Host;
  private readonly end: LinkEnd<ChunkReader>;
  private readonly plan: JoinedPlan;
  private readonly queue: Output[] = [];
  private waiting = false;
  private ending = false;
  private count = 0;

  constructor(session: Session, host: Host, end: LinkEnd<ChunkReader>, plan: JoinedPlan) {
    this.session = session;
    this.host = host;
    this.end = end;
    this.plan = plan;
    this.expected = new ExpectedBytes(session.client, (descriptor) => framed(plan.framing, descriptor));
    end.start(this);
  }

  // ── what it does ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends a message; `slowly`: in two parts, and so long lies between them. */
  send(size: number, text: boolean, slowly = 0): void {
    const { session, plan } = this;
    if (this.finished || this.over) return;
    const { frameType, framing, limit } = plan;
    const descriptor: Descriptor = {
      number: ++this.count,
      text: frameType === 'text' || (frameType === 'auto' && text),
      size: framing === 'chunk' ? size + 1 : size,
      without: splitterOf(framing),
    };
    const bytes = framed(framing, descriptor);
    if (framing !== 'chunk' && bytes.length > limit) session.damage('a backend that sends too much');
    session.server.accepted(descriptor, 0);
    const middle = slowly > 0 ? bytes.length >>> 1 : bytes.length;
    this.put({ bytes: bytes.subarray(0, middle), delay: 0 });
    if (slowly > 0) this.put({ bytes: bytes.subarray(middle), delay: slowly });
  }

  /** Writes what the gateway cannot make messages of, and then nothing more; false if there is no such thing. */
  misframe(): boolean {
    const { framing, frameType, limit } = this.plan;
    let bytes: Uint8Array | null = null;
    if (framing === 'length-prefixed') bytes = Uint8Array.of(0xff, 0xff, 0xff, 0xfe, 1);
    else if (frameType === 'text') bytes = Uint8Array.of(0xff, 0x61, framing === 'line' ? 10 : 0);
    else if (framing !== 'chunk' && Number.isFinite(limit)) bytes = new Uint8Array(limit + 1).fill(1);
    if (bytes === null || this.finished || this.over) return false;
    this.put({ bytes, delay: 0 });
    this.finished = true;
    return true;
  }

  /** Ends its direction when everything is written. */
  finish(): void {
    if (!this.finished) this.leave();
  }

  /** Does not read for so long. */
  rest(duration: number): void {
    this.end.pause();
    this.session.world.later(this.host, duration, () => this.end.resume());
  }

  /** Nobody waits for it any more. */
  kill(): void {
    this.end.destroy();
  }

  private leave(): void {
    this.finished = true;
    this.ending = true;
    this.flush();
  }

  private put(output: Output): void {
    this.queue.push(output);
    this.flush();
  }

  private flush(): void {
    const { queue, end } = this;
    while (queue.length > 0 && !this.waiting && !this.over) {
      const { bytes, delay } = queue.shift()!;
      if (delay === 0) {
        end.write([bytes]);
        continue;
      }
      this.waiting = true;
      this.session.world.later(this.host, delay, () => {
        this.waiting = false;
        end.write([bytes]);
        this.flush();
      });
    }
    if (this.ending && queue.length === 0 && !this.waiting) end.end();
  }

  // ── what comes ─────────────────────────────────────────────────────────────────────────────────────────────────────

  received(bytes: Uint8Array): void {
    const { session } = this;
    session.world.note(session.key, 'backend', 'got', bytes.length);
    if (!session.server.trusting) return;
    const objection = this.expected.take(bytes);
    if (objection !== '') session.world.fail(new Violation(`${session.key}: its backend got ${objection}`));
  }

  receivedBorrowed(buffer: Uint8Array, length: number): void {
    this.received(buffer.subarray(0, length));
  }

  written(): void {}

  /** Its client is gone: it ends as well, unless it is one of those that do not care. */
  ended(): void {
    if (!this.plan.stubborn) this.leave();
  }

  closed(): void {
    this.over = true;
    this.session.world.note(this.session.key, 'backend', 'over', 0);
  }
}

/** A message on the stream. */
function framed(framing: Framing, descriptor: Descriptor): Uint8Array {
  const content = contentOf(descriptor);
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  switch (framing) {
    case 'chunk':
      return bytes;
    case 'length-prefixed': {
      const prefix = Buffer.alloc(4);
      prefix.writeUInt32BE(bytes.length);
      return Buffer.concat([prefix, bytes]);
    }
    default:
      return Buffer.concat([bytes, Buffer.of(framing === 'line' ? 10 : 0)]);
  }
}
