/** The kinds of floods: what an attacker sends, on how many connections, and whether it reads. */

import { deflateRawSync } from 'node:zlib';
import { frame } from '../test/support/frames.ts';
import { upgradeRequest } from '../test/support/sockets.ts';

export interface Flood {
  /** The rows of the threat model that it is about. */
  readonly threats: string;
  readonly connections: number;
  readonly deflate?: boolean;
  /** Whether a WebSocket is opened first. */
  readonly opens: boolean;
  /** Whether what comes back is read. */
  readonly reads: boolean;
  /** Sent once, at the start. */
  readonly first?: Uint8Array;
  /** Sent again and again behind it, as fast as it is taken. Null: the connections are only held. */
  readonly again: Uint8Array | null;
  /** Milliseconds between two sendings of `again`. Default 0. */
  readonly pause?: number;
}

/** A legal key that spares the attacker the work. */
const KEY = [0, 0, 0, 0];
const KIBIBYTE = 1_024;

const repeated = (piece: Uint8Array, size: number): Uint8Array =>
  Buffer.concat(Array.from({ length: Math.ceil(size / piece.length) }, () => piece));
const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');

/** The header of a frame that never follows. */
function announced(length: number): Uint8Array {
  const head = Buffer.alloc(14);
  head.set([0x82, 0xff]);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** 200 MiB of zeros in 200 KiB. */
function bomb(): Uint8Array {
  const whole = deflateRawSync(Buffer.alloc(200 * KIBIBYTE * KIBIBYTE), { finishFlush: 2 });
  return frame({ opcode: 2, rsv: 0x40, key: KEY, payload: new Uint8Array(whole.subarray(0, whole.length - 4)) });
}

const opening = upgradeRequest();
const PING = frame({ opcode: 9, key: KEY, payload: new Uint8Array(125) });
const EMPTY = frame({ opcode: 0, fin: false, key: KEY });
const ONE_BYTE = frame({ opcode: 0, fin: false, key: KEY, payload: new Uint8Array(1) });
const FIRST = frame({ opcode: 2, fin: false, key: KEY });
const CHUNK = 64 * KIBIBYTE;

export const FLOODS: Readonly<Record<string, () => Flood>> = {
  'pings, unread': () => ({
    threats: 'T24, T26',
    connections: 8,
    opens: true,
    reads: false,
    again: repeated(PING, CHUNK),
  }),
  'empty fragments': () => ({
    threats: 'T21',
    connections: 8,
    opens: true,
    reads: true,
    first: FIRST,
    again: repeated(EMPTY, CHUNK),
  }),
  'one-byte fragments': () => ({
    threats: 'T20',
    connections: 8,
    opens: true,
    reads: true,
    first: FIRST,
    again: repeated(ONE_BYTE, CHUNK),
  }),
  'announced lengths': () => ({
    threats: 'T17',
    connections: 500,
    opens: true,
    reads: true,
    first: announced(1_048_576),
    again: null,
  }),
  'endless headers': () => ({
    threats: 'T04, T05',
    connections: 8,
    opens: false,
    reads: true,
    first: text('GET / HTTP/1.1\r\n'),
    again: repeated(text('a: b\r\n'), CHUNK),
  }),
  'an endless line': () => ({
    threats: 'T04, T06',
    connections: 8,
    opens: false,
    reads: true,
    first: text('GET /'),
    again: repeated(text('a'), CHUNK),
  }),
  'slow handshakes': () => ({
    threats: 'T02, T03',
    connections: 500,
    opens: false,
    reads: true,
    first: text(opening.slice(0, -4)),
    again: text('x'),
    pause: 100,
  }),
  bombs: () => ({ threats: 'T33', connections: 2, deflate: true, opens: true, reads: true, again: bomb() }),
};
