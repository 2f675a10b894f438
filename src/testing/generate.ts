/**
 * Frames, cuts and sessions made from a list of numbers: any property-based test library makes such lists, and shrinks them.
 * A shorter list of smaller numbers gives something simpler; every list gives something.
 *
 * With fast-check: `fc.array(fc.nat()).map((choices) => framesFrom(choices, 'server'))`.
 */

import { pureText } from '../codec/utf8.ts';
import type { Role } from '../connection/connection.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { MemoryLink, VirtualClock } from '../transport/memory.ts';

/** A frame that a peer may send, and its bytes. */
export interface GeneratedFrame {
  /** As in RFC 6455 section 5.2. */
  readonly opcode: number;
  /** Whether it ends its message. */
  readonly fin: boolean;
  /** As it is before masking. */
  readonly payload: Uint8Array;
  /** As it is on the wire. */
  readonly bytes: Uint8Array;
}

/** A text message is sent. */
export interface TextStep {
  /** What happens. */
  readonly type: 'text';
  /** Who does it. */
  readonly from: 'server' | 'client';
  /** The whole of it. */
  readonly data: string;
}

/** A binary message is sent. */
export interface BinaryStep {
  /** What happens. */
  readonly type: 'binary';
  /** Who does it. */
  readonly from: 'server' | 'client';
  /** The whole of it. */
  readonly data: Uint8Array;
}

/** A ping is sent. */
export interface PingStep {
  /** What happens. */
  readonly type: 'ping';
  /** Who does it. */
  readonly from: 'server' | 'client';
}

/** A closing handshake begins. */
export interface CloseStep {
  /** What happens. */
  readonly type: 'close';
  /** Who does it. */
  readonly from: 'server' | 'client';
  /** The close code. */
  readonly code: number;
}

/** The connection is dropped. */
export interface TerminateStep {
  /** What happens. */
  readonly type: 'terminate';
  /** Who does it. */
  readonly from: 'server' | 'client';
}

/** Time passes. */
export interface WaitStep {
  /** What happens. */
  readonly type: 'wait';
  /** Milliseconds. */
  readonly duration: number;
}

/** One thing that happens in a session. */
export type SessionStep = TextStep | BinaryStep | PingStep | CloseStep | TerminateStep | WaitStep;

/** Lengths around those at which the form of a frame changes (RFC 6455 section 5.2). */
const LENGTHS = [0, 1, 2, 5, 20, 125, 126, 127, 300, 65_535, 65_536] as const;
const TEXTS = ['', 'a', 'hello', 'é', '€uro', '\u{1f600}', 'aé€\u{1f600}'.repeat(20)] as const;

/** Hands out the numbers of a list, and 0 for ever when they are used up. */
class Choices {
  private readonly list: readonly number[];
  private next = 0;

  constructor(list: readonly number[]) {
    this.list = list;
  }

  get isEmpty(): boolean {
    return this.next >= this.list.length;
  }

  /** From 0 to `most`. */
  upTo(most: number): number {
    const given = this.list[this.next++] ?? 0;
    return Number.isFinite(given) ? Math.abs(Math.trunc(given)) % (most + 1) : 0;
  }

  of<T>(values: readonly [T, ...T[]]): T {
    return values[this.upTo(values.length - 1)] ?? values[0];
  }
}

/**
 * A legal stream of frames: messages whole and in fragments, with control frames in between.
 *
 * @param receiver who gets them: a server's are masked
 */
export function framesFrom(choices: readonly number[], receiver: Role): GeneratedFrame[] {
  const from = new Choices(choices);
  const frames: GeneratedFrame[] = [];
  while (!from.isEmpty) {
    const text = from.upTo(1) === 0;
    const payload = text ? utf8(from.of(TEXTS)) : filled(from.of(LENGTHS), from.upTo(255));
    const fragments = 1 + from.upTo(3);
    for (let i = 0, at = 0; i < fragments; i++) {
      const last = i === fragments - 1;
      const end = last ? payload.length : at + from.upTo(payload.length - at);
      frames.push(frame(from, receiver, i > 0 ? 0 : text ? 1 : 2, last, payload.subarray(at, end)));
      at = end;
      // §5.4: "Control frames … MAY be injected in the middle of a fragmented message."
      if (from.upTo(3) === 1) frames.push(frame(from, receiver, from.of([9, 10]), true, filled(from.upTo(125), 0x70)));
    }
  }
  return frames;
}

/** The same frames behind each other, as a transport would bring them. */
export function bytesFrom(choices: readonly number[], receiver: Role): Uint8Array {
  const frames = framesFrom(choices, receiver);
  const bytes = new Uint8Array(frames.reduce((sum, each) => sum + each.bytes.length, 0));
  let at = 0;
  for (const each of frames) {
    bytes.set(each.bytes, at);
    at += each.bytes.length;
  }
  return bytes;
}

/** Cuts bytes into chunks, each with memory of its own; without choices they stay whole. */
export function chunksFrom(choices: readonly number[], bytes: Uint8Array): Uint8Array[] {
  const from = new Choices(choices);
  const chunks: Uint8Array[] = [];
  let at = 0;
  while (!from.isEmpty && at < bytes.length) {
    const size = 1 + from.upTo(Math.min(bytes.length - at, 200) - 1);
    chunks.push(bytes.slice(at, at + size));
    at += size;
  }
  if (at < bytes.length || bytes.length === 0) chunks.push(bytes.slice(at));
  return chunks;
}

/** What two peers do to each other: messages, pings and pauses, and seldom an end. */
export function sessionFrom(choices: readonly number[]): SessionStep[] {
  const from = new Choices(choices);
  const steps: SessionStep[] = [];
  while (!from.isEmpty) {
    const side = from.of(['client', 'server'] as const);
    const kind = from.upTo(15);
    if (kind < 6) steps.push({ type: 'text', from: side, data: from.of(TEXTS) });
    else if (kind < 10) steps.push({ type: 'binary', from: side, data: filled(from.of(LENGTHS), from.upTo(255)) });
    else if (kind < 12) steps.push({ type: 'ping', from: side });
    else if (kind < 14) steps.push({ type: 'wait', duration: 1 + from.upTo(40_000) });
    else if (kind === 14) steps.push({ type: 'close', from: side, code: from.of([1000, 1001, 4000, 4999]) });
    else steps.push({ type: 'terminate', from: side });
  }
  return steps;
}

/** Plays a session on a `pair()`; it is over when the link has come to rest. */
export async function playSession(
  pair: {
    readonly server: Endpoint;
    readonly client: Endpoint;
    readonly clock: VirtualClock;
    readonly link: MemoryLink;
  },
  steps: readonly SessionStep[],
): Promise<void> {
  const { clock } = pair;
  await clock.settle();
  for (const step of steps) {
    if (step.type === 'wait') {
      await clock.run(step.duration);
      continue;
    }
    const endpoint = pair[step.from];
    if (step.type === 'text' || step.type === 'binary') endpoint.send(step.data);
    else if (step.type === 'ping') void endpoint.ping();
    else if (step.type === 'close') void endpoint.close(step.code);
    else endpoint.terminate();
  }
  await clock.settle();
}

function frame(from: Choices, receiver: Role, opcode: number, fin: boolean, payload: Uint8Array): GeneratedFrame {
  const { length } = payload;
  const head = [(fin ? 0x80 : 0) | opcode];
  if (length < 126) head.push(length);
  else if (length < 65_536) head.push(126, length >>> 8, length & 0xff);
  else head.push(127, 0, 0, 0, 0, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
  if (receiver === 'client') return { opcode, fin, payload, bytes: Uint8Array.from([...head, ...payload]) };
  const key = [from.upTo(255), from.upTo(255), from.upTo(255), from.upTo(255)];
  head[1]! |= 0x80;
  const bytes = new Uint8Array(head.length + 4 + length);
  bytes.set([...head, ...key]);
  for (let i = 0; i < length; i++) bytes[head.length + 4 + i] = payload[i]! ^ key[i & 3]!;
  return { opcode, fin, payload, bytes };
}

function filled(length: number, octet: number): Uint8Array {
  return new Uint8Array(length).fill(octet);
}

function utf8(text: string): Uint8Array {
  const into = new Uint8Array(3 * text.length);
  return into.slice(0, pureText.encodeInto(text, into, 0));
}
