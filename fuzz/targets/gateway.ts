/**
 * What a backend sends to the gateway, in every framing, with any limit and any cuts: an oracle reads it as a whole, and the
 * decoder, the relay's client and the encoder must all agree with it.
 */

import { isUtf8 } from 'node:buffer';
import { EstablishedConnection } from '../../src/connection/established-connection.ts';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import { EndpointSettings } from '../../src/endpoint/options.ts';
import type { Backend } from '../../src/gateway/backend.ts';
import { JsonSplitter } from '../../src/gateway/backends/json-splitter.ts';
import { type FrameType, Relay } from '../../src/gateway/relay.ts';
import {
  createDecoder,
  createEncoder,
  type Framing,
  type FramingFault,
  HOLD,
} from '../../src/gateway/stream-framing.ts';
import { VirtualClock } from '../../src/transport/memory.ts';
import type { Addresses, Transport } from '../../src/transport/transport.ts';
import { concat, equal } from '../../test/support/bytes.ts';
import { readFrames } from '../../test/support/frames.ts';
import { Choices, must } from './choices.ts';

const FRAMINGS: readonly Framing[] = ['nul', 'line', 'length-prefixed', 'chunk'];
const TYPES: readonly FrameType[] = ['auto', 'text', 'binary', 'auto'];
/** Around what a decoder holds, and far below it. */
const LIMITS = [Number.POSITIVE_INFINITY, 1, 9, 200, HOLD - 1, HOLD, HOLD + 1, 3_000] as const;
/** In an input: so many KiB of an octet. */
const RUN = 0x1b;
const LONGEST = 140_000;
const LONGEST_READ = 131_072;
const MOST_READS = 500;
/** Of JSON nothing depends on how long it is. */
const MOST_JSON = 4_000;
const TEMPTING = Uint8Array.of(0, 10, 0, 0, 0);

/** What a stream is: its messages, and how it ends. */
interface Read {
  readonly messages: readonly Uint8Array[];
  /** What was read of a message that did not become one. */
  readonly rest: Uint8Array;
  readonly fault: FramingFault | null;
}

/** A backend, and what the oracle reads of it; of `chunk` there is nothing to read. */
interface Given {
  readonly framing: Framing;
  readonly frameType: FrameType;
  readonly limit: number;
  readonly stream: Uint8Array;
  readonly reads: readonly Uint8Array[];
  readonly ends: boolean;
  readonly expected: Read | null;
}

export function gatewayFraming(input: Uint8Array): void {
  const choices = new Choices(input);
  const mode = choices.octet();
  const framing = FRAMINGS[mode & 3]!;
  const frameType = TYPES[(mode >> 2) & 3]!;
  const ends = (mode & 16) !== 0;
  const limit = LIMITS[choices.octet() & 7]!;
  const cuts = choices.cuts();
  const scale = [1, 7, 300, LONGEST_READ][mode >> 6]!;
  const stream = expand(choices.rest());
  const reads = cut(stream, cuts, scale);

  const expected = framing === 'chunk' ? null : whole(framing, stream, limit, ends);
  const given: Given = { framing, frameType, limit, stream, reads, ends, expected };
  decodes(given);
  relays(given);
  if (expected !== null) encodes(framing, limit, expected.messages, cuts);
  refuses(framing, stream);
  if (stream.length <= MOST_JSON) splits(stream, reads, limit);
}

/** Small inputs, long streams: `RUN`, a count of KiB, an octet. Of what ends messages there are fewer: each costs. */
function expand(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at < bytes.length && total < LONGEST; ) {
    const run = bytes.indexOf(RUN, at);
    let part = bytes.subarray(at, run < 0 ? bytes.length : run);
    at += part.length;
    if (part.length === 0) {
      const [, count = 0, octet = 0] = bytes.subarray(at, at + 3);
      part = new Uint8Array((octet < 0x20 ? 1 : 1_024) * count).fill(octet);
      at += 3;
    }
    parts.push(part);
    total += part.length;
  }
  return concat(parts);
}

/** The pieces that it is read in, none longer than a read is; the last size repeats. */
function cut(stream: Uint8Array, sizes: readonly number[], scale: number): Uint8Array[] {
  const reads: Uint8Array[] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const wanted = scale * (sizes[Math.min(i, sizes.length - 1)] ?? stream.length);
    const size = Math.min(LONGEST_READ, Math.max(wanted, Math.ceil(stream.length / MOST_READS)));
    reads.push(stream.subarray(at, at + size));
    at += size;
  }
  return reads;
}

/** The oracle: all of it at once, by the book. */
function whole(framing: Framing, stream: Uint8Array, limit: number, ends: boolean): Read {
  const messages: Uint8Array[] = [];
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  let at = 0;
  for (;;) {
    let end: number;
    let next: number;
    if (framing === 'length-prefixed') {
      if (at + 4 > stream.length) break;
      const length = view.getUint32(at);
      if (length > limit) return { messages, rest: stream.subarray(at + 4), fault: 'too-big' };
      end = at + 4 + length;
      next = end;
      if (end > stream.length) return { messages, rest: stream.subarray(at + 4), fault: ends ? 'truncated' : null };
      at += 4;
    } else {
      const found = stream.indexOf(framing === 'nul' ? 0 : 10, at);
      end = found < 0 ? stream.length : found;
      next = end + 1;
      if (end - at > limit) return { messages, rest: stream.subarray(at, end), fault: 'too-big' };
      if (found < 0) break;
    }
    messages.push(stream.subarray(at, end));
    at = next;
  }
  const rest = stream.subarray(at);
  if (framing === 'length-prefixed')
    return { messages, rest: NONE, fault: ends && rest.length > 0 ? 'truncated' : null };
  if (!ends || rest.length === 0) return { messages, rest, fault: null };
  return { messages: [...messages, rest], rest: NONE, fault: null };
}

const lent = new Uint8Array(LONGEST_READ + 5);

/** A buffer that is used again for each read, as a socket's is, with something tempting behind what was read. */
function lend(reads: readonly Uint8Array[], take: (bytes: Uint8Array, length: number) => boolean): void {
  for (const read of reads) {
    lent.set(read);
    lent.set(TEMPTING, read.length);
    if (!take(lent, read.length)) return;
    lent.fill(0xee, 0, read.length);
  }
}

function decodes({ framing, frameType, limit, stream, reads, ends, expected }: Given): void {
  const text = frameType === 'text';
  const decoder = createDecoder(framing, limit, text);
  const messages: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let fed = 0;
  let out = 0;
  const sink = {
    piece(bytes: Uint8Array, start: number, end: number, last: boolean): void {
      must(start >= 0 && start <= end && end <= bytes.length, `a piece from ${start} to ${end} of ${bytes.length}`);
      out += end - start;
      parts.push(bytes.slice(start, end));
      if (!last) return;
      const message = concat(parts);
      must(parts.length === 1 || message.length > HOLD, `${message.length} bytes came in ${parts.length} pieces`);
      messages.push(message);
      parts = [];
    },
  };
  let fault: FramingFault | null = null;
  lend(reads, (bytes, length) => {
    fault = decoder.decode(bytes, length, sink);
    fed += length;
    return fault === null;
  });
  if (expected === null) {
    must(fault === null, `chunk has the fault ${fault}`);
    const tail = stream.subarray(out);
    must(equal(concat(messages), stream.subarray(0, out)), 'bytes were changed');
    must(tail.length <= (text ? 3 : 0), `${tail.length} bytes are held`);
    must(decoder.end(sink) === (tail.length > 0 ? 'truncated' : null), 'the end within a character is not told');
    // A character is not cut, if they are characters.
    if (text && isUtf8(stream))
      must(
        messages.every((each) => isUtf8(each)),
        'a character was cut',
      );
    return;
  }
  must(fault !== null || fed - out <= HOLD + 4 * (messages.length + 1), `${fed - out} bytes are held`);
  if (ends) fault ??= decoder.end(sink);
  must(fault === expected.fault, `the fault is ${fault}, not ${expected.fault} (invariant 4)`);
  same(messages, expected.messages);
  // A message that is too long does not begin to leave, unless nobody could have held it.
  if (limit <= HOLD) must(parts.length === 0, 'a part of no message left');
  must(equal(concat(parts), expected.rest.subarray(0, concat(parts).length)), 'a part of another message left');
}

function same(actual: readonly Uint8Array[], expected: readonly Uint8Array[]): void {
  must(actual.length === expected.length, `${actual.length} messages, not ${expected.length} (invariant 4)`);
  for (const [i, message] of actual.entries()) must(equal(message, expected[i]!), `message ${i} differs (invariant 4)`);
}

/** A client that takes everything at once. */
class Wire implements Transport {
  readonly unwritten = 0;
  readonly addresses: Addresses = {
    remoteAddress: null,
    remotePort: null,
    localAddress: null,
    localPort: null,
    secure: false,
  };
  readonly written: Uint8Array[] = [];
  start(): void {}
  write(chunks: readonly Uint8Array[]): number {
    for (const chunk of chunks) this.written.push(chunk.slice());
    return 0;
  }
  end(): void {}
  destroy(): void {}
  pause(): void {}
  resume(): void {}
  ref(): void {}
  unref(): void {}
}

const SETTINGS = new EndpointSettings({
  delivery: 'fragment',
  borrow: true,
  maxBufferedAmount: null,
  pingInterval: null,
});

function relays({ framing, frameType, limit, stream, reads, ends, expected }: Given): void {
  const clock = new VirtualClock();
  const wire = new Wire();
  const connection = new EstablishedConnection({ role: 'server' }, SETTINGS.connection, 0);
  const endpoint = new Endpoint(connection, wire, SETTINGS, { clock, warn: () => {} });
  let destroyed = false;
  const backend: unknown = {
    writable: true,
    start() {},
    pause() {},
    resume() {},
    destroy() {
      destroyed = true;
    },
  };
  const rules = { framing, frameType, limit, endCode: 4_000, highWaterMark: 1, closeTimeout: 1, sendTimeout: 1 };
  const { memory } = SETTINGS.connection;
  const relay = new Relay(endpoint, backend as Backend, rules, clock, memory, () => {});
  relay.start();
  endpoint.start();
  clock.advance(0);
  lend(reads, (bytes, length) => {
    relay.received(bytes, length);
    clock.advance(0);
    return !destroyed;
  });
  if (ends && !destroyed) relay.ended();
  clock.advance(0);

  const { messages, kinds, rest, code } = told(concat(wire.written));
  const heard = concat([...messages, rest]);
  if (expected === null) {
    must(equal(heard, stream.subarray(0, heard.length)), 'the client was told other bytes');
    const right = frameType !== 'text' || isUtf8(stream);
    if (right) must(heard.length === stream.length && code === (ends ? 4_000 : null), 'the client was not told all');
    return;
  }
  // Text that is none ends it there.
  const wrong = frameType === 'text' ? expected.messages.findIndex((each) => !isUtf8(each)) : -1;
  const sent = wrong < 0 ? expected.messages : expected.messages.slice(0, wrong);
  same(messages, sent);
  for (const [i, message] of sent.entries()) {
    const isText = frameType === 'text' || (frameType === 'auto' && message.length <= HOLD && isUtf8(message));
    must(kinds[i] === (isText ? 1 : 2), `message ${i} came with opcode ${kinds[i]}`);
  }
  const failed = wrong >= 0 || expected.fault !== null;
  if (failed) must(code === 1011 && destroyed, `a wrong backend was told as ${code}`);
  // Of text the part that left may have been wrong already.
  else if (frameType !== 'text' || expected.rest.length <= HOLD)
    must(code === (ends ? 4_000 : null), `ended with ${code}`);
}

/** What a client hears; the engine's own frames are not the matter here. */
function told(bytes: Uint8Array): { messages: Uint8Array[]; kinds: number[]; rest: Uint8Array; code: number | null } {
  const messages: Uint8Array[] = [];
  const kinds: number[] = [];
  let parts: Uint8Array[] = [];
  let code: number | null = null;
  for (const { opcode, fin, payload } of readFrames(bytes)) {
    must(code === null, 'a frame behind the Close');
    if (opcode === 8) {
      code = payload[0]! * 256 + payload[1]!;
      continue;
    }
    must((opcode === 0) === parts.length > 0, 'a message within a message');
    if (opcode !== 0) kinds.push(opcode);
    parts.push(payload);
    if (!fin) continue;
    messages.push(concat(parts));
    parts = [];
  }
  return { messages, kinds, rest: concat(parts), code };
}

/** Towards the backend: what the oracle reads is what was sent, whatever it was cut into. */
function encodes(framing: Framing, limit: number, messages: readonly Uint8Array[], cuts: readonly number[]): void {
  const encoder = createEncoder(framing, limit);
  const parts: Uint8Array[] = [];
  const out = { write: (bytes: Uint8Array) => void parts.push(bytes.slice()) };
  for (const message of messages) {
    const pieces = cut(message, cuts, 1_000);
    if (pieces.length === 0) pieces.push(NONE);
    for (const [i, piece] of pieces.entries()) {
      const lent = piece.slice();
      must(encoder.encode(lent, i === pieces.length - 1, out) === null, 'a message cannot be sent back');
      lent.fill(0xee);
    }
  }
  const again = whole(framing, concat(parts), Number.POSITIVE_INFINITY, false);
  must(again.rest.length === 0 && again.fault === null, 'the last message has no end');
  same(again.messages, messages);
}

/** A client cannot make two messages of one. */
function refuses(framing: Framing, message: Uint8Array): void {
  if (framing !== 'nul' && framing !== 'line') return;
  let wrote = 0;
  const out = {
    write(bytes: Uint8Array): void {
      wrote += bytes.length;
    },
  };
  const fault = createEncoder(framing, LONGEST).encode(message, true, out);
  const holds = message.includes(framing === 'nul' ? 0 : 10);
  must(fault === (holds ? 'delimiter' : null), `a message with the delimiter: ${fault}`);
  must(wrote === (holds ? 0 : message.length + 1), `${wrote} bytes were written`);
}

/** JSON texts without other boundaries: as far as a stream has nothing else in it, cuts do not show. */
function splits(stream: Uint8Array, reads: readonly Uint8Array[], limit: number): void {
  const run = (pieces: readonly Uint8Array[]): { texts: string[]; good: boolean } => {
    const splitter = new JsonSplitter(limit);
    const texts: string[] = [];
    const good = pieces.every((piece) => splitter.push(piece.slice(), (text) => void texts.push(text)));
    const other = texts.findIndex((text) => !/^[[{]/.test(text));
    return { texts: other < 0 ? texts : texts.slice(0, other), good: good || other >= 0 };
  };
  const expected = run([stream]);
  const actual = run(reads);
  must(actual.good === expected.good, 'cuts decide whether JSON is too long (invariant 4)');
  must(actual.texts.join('\0') === expected.texts.join('\0'), 'cuts show in JSON (invariant 4)');
}

const NONE = new Uint8Array(0);
