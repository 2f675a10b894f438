/** What both implementations are given: requests, answers and frames, most of them wrong in exactly one way. */

import { deflateRawSync } from 'node:zlib';
import { concat } from '../support/bytes.ts';
import { EXAMPLE_KEY, type FrameParts, frame } from '../support/frames.ts';
import { upgradeRequest } from '../support/sockets.ts';

/** A frame, masked for a server and plain for a client, or one that is wrong in a way that {@link frame} cannot write. */
export interface Frame extends Omit<FrameParts, 'key'> {
  /** Masked for a client and plain for a server. */
  readonly wronglyMasked?: boolean;
  /** Only a header, with this length in 64 bits. */
  readonly announced?: bigint;
  /** Only so many octets of it. */
  readonly cut?: number;
}

/** What is sent once a connection is open. */
export interface FrameStimulus {
  readonly name: string;
  readonly frames: readonly Frame[];
  /** Whether permessage-deflate is agreed first. */
  readonly deflate?: boolean;
  /** The stream ends behind the frames, as nobody would answer them. */
  readonly ends?: boolean;
}

/** A whole request to a server. */
export interface RequestStimulus {
  readonly name: string;
  readonly request: string;
}

/** A whole answer to a client; `%` stands for the value that Sec-WebSocket-Accept must have. */
export interface AnswerStimulus {
  readonly name: string;
  readonly answer: string;
  readonly subprotocols?: readonly string[];
  readonly deflate?: boolean;
}

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const RSV1 = 0x40;

const bytes = (text: string) => new Uint8Array(Buffer.from(text));
const octets = (...values: number[]) => Uint8Array.from(values);
const text = (payload: string, more: Partial<Frame> = {}): Frame => ({
  opcode: TEXT,
  payload: bytes(payload),
  ...more,
});
const continuation = (payload: string, fin = true): Frame => ({ opcode: 0, fin, payload: bytes(payload) });
const close = (code: number, reason: Uint8Array = octets()): Frame => ({
  opcode: CLOSE,
  payload: concat([octets(code >> 8, code & 0xff), reason]),
});
/** A message as section 7.2.1 of RFC 7692 compresses it. */
const deflated = (payload: Uint8Array): Uint8Array => {
  const whole = deflateRawSync(payload, { finishFlush: 2 });
  return new Uint8Array(whole.subarray(0, whole.length - 4));
};
const compressed = (payload: Uint8Array): Frame => ({ opcode: TEXT, rsv: RSV1, payload });

/** The octets of a frame to a server or to a client. */
export function octetsOf(parts: Frame, to: 'server' | 'client'): Uint8Array {
  const masked = (to === 'server') !== (parts.wronglyMasked ?? false);
  const key = masked ? EXAMPLE_KEY : null;
  if (parts.announced === undefined) return frame({ ...parts, key }).subarray(0, parts.cut);
  const head = new DataView(new ArrayBuffer(10));
  head.setUint8(0, 0x80 | parts.opcode);
  head.setUint8(1, (masked ? 0x80 : 0) | 127);
  head.setBigUint64(2, parts.announced);
  return concat([new Uint8Array(head.buffer), Uint8Array.from(key ?? [])]);
}

/** Closes every stimulus that has not failed before: a ping that must be answered, and a Close. */
export const FAREWELL: readonly Frame[] = [{ opcode: PING, payload: bytes('still there') }, close(1000)];

const empties = (count: number): Frame[] => Array.from({ length: count }, () => continuation('', false));

export const FRAMES: readonly FrameStimulus[] = [
  { name: 'a text', frames: [text('Hello')] },
  { name: 'an empty text', frames: [text('')] },
  { name: 'a binary message', frames: [{ opcode: BINARY, payload: octets(0, 255) }] },
  {
    name: 'a text in three fragments',
    frames: [text('a', { fin: false }), continuation('b', false), continuation('c')],
  },
  { name: 'a text in empty fragments', frames: [text('', { fin: false }), continuation('', false), continuation('')] },
  {
    name: 'a ping between fragments',
    frames: [text('a', { fin: false }), { opcode: PING, payload: bytes('p') }, continuation('b')],
  },
  { name: 'a pong that nobody asked for', frames: [{ opcode: PONG, payload: bytes('x') }] },
  { name: 'a ping of 125 octets', frames: [{ opcode: PING, payload: new Uint8Array(125) }] },
  { name: 'a ping of 126 octets', frames: [{ opcode: PING, payload: new Uint8Array(126) }] },
  { name: 'a ping in fragments', frames: [{ opcode: PING, fin: false }] },
  { name: 'a Close in fragments', frames: [{ opcode: CLOSE, fin: false }] },
  {
    name: '5 pings in one piece',
    frames: Array.from({ length: 5 }, (_, i) => ({ opcode: PING, payload: bytes(`${i}`) })),
  },
  { name: 'RSV1 without an extension', frames: [text('x', { rsv: RSV1 })] },
  { name: 'RSV2', frames: [text('x', { rsv: 0x20 })] },
  { name: 'RSV3', frames: [text('x', { rsv: 0x10 })] },
  { name: 'RSV1 on a ping', frames: [{ opcode: PING, rsv: RSV1 }] },
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({ name: `opcode ${opcode}`, frames: [{ opcode }] })),
  { name: 'the wrong masking', frames: [text('x', { wronglyMasked: true })] },
  { name: 'a continuation of nothing', frames: [continuation('x')] },
  { name: 'a message inside a message', frames: [text('a', { fin: false }), text('b')] },
  { name: '5 octets with a 16-bit length', frames: [text('Hello', { lengthBits: 16 })] },
  { name: '5 octets with a 64-bit length', frames: [text('Hello', { lengthBits: 64 })] },
  { name: 'a ping with a 16-bit length', frames: [{ opcode: PING, payload: bytes('p'), lengthBits: 16 }] },
  { name: '200 octets with a 64-bit length', frames: [text('x'.repeat(200), { lengthBits: 64 })] },
  { name: 'an announced length of 2^63', frames: [{ opcode: BINARY, announced: 1n << 63n }], ends: true },
  { name: 'an announced length of 2^53', frames: [{ opcode: BINARY, announced: 1n << 53n }], ends: true },
  { name: 'an announced length of 2^32 + 2', frames: [{ opcode: BINARY, announced: (1n << 32n) + 2n }], ends: true },
  { name: 'an announced length one above the limit', frames: [{ opcode: BINARY, announced: 1_048_577n }], ends: true },
  {
    name: 'two fragments above the limit together',
    frames: [
      { opcode: BINARY, fin: false, payload: new Uint8Array(600_000) },
      { opcode: 0, payload: new Uint8Array(600_000) },
    ],
  },
  { name: 'a message of exactly the limit', frames: [{ opcode: BINARY, payload: new Uint8Array(1_048_576) }] },
  {
    name: '20,000 empty fragments',
    frames: [text('', { fin: false }), ...empties(20_000), continuation('')],
  },
  {
    name: '70,000 empty fragments',
    frames: [text('', { fin: false }), ...empties(70_000), continuation('')],
  },
  { name: 'text that is not UTF-8', frames: [{ opcode: TEXT, payload: octets(0xc0, 0x80) }] },
  { name: 'a surrogate in UTF-8', frames: [{ opcode: TEXT, payload: octets(0xed, 0xa0, 0x80) }] },
  {
    name: 'a first fragment that is not UTF-8, and no second',
    frames: [{ opcode: TEXT, fin: false, payload: octets(0xff) }],
    ends: true,
  },
  {
    name: 'half a frame that is not UTF-8 already',
    frames: [{ opcode: TEXT, payload: octets(0xff, 0, 0, 0), cut: -1 }],
    ends: true,
  },
  {
    name: 'a code point cut by fragments',
    frames: [
      { opcode: TEXT, fin: false, payload: octets(0xe2, 0x82) },
      { opcode: 0, payload: octets(0xac) },
    ],
  },
  { name: 'a code point that never ends', frames: [{ opcode: TEXT, payload: octets(0xe2, 0x82) }] },
  { name: 'a byte order mark', frames: [{ opcode: TEXT, payload: octets(0xef, 0xbb, 0xbf, 0x61) }] },
  { name: 'an empty Close', frames: [{ opcode: CLOSE }] },
  { name: 'a Close of one octet', frames: [{ opcode: CLOSE, payload: octets(3) }] },
  { name: 'a Close with a reason', frames: [close(1000, bytes('bye'))] },
  { name: 'a Close with a reason that is not UTF-8', frames: [close(1000, octets(0xff))] },
  ...[
    0, 999, 1000, 1001, 1003, 1004, 1005, 1006, 1007, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 2999, 3000, 4999, 5000,
  ].map((code) => ({ name: `a Close with ${code}`, frames: [close(code)] })),
  { name: 'a text behind a Close', frames: [close(1000), text('late')] },
  { name: 'an illegal frame behind a Close', frames: [close(1000), { opcode: 3 }] },
  { name: 'a text behind an illegal frame', frames: [{ opcode: 3 }, text('late')] },
  { name: 'the end of the stream without a Close', frames: [text('x')], ends: true },
  { name: 'the end of the stream inside a frame', frames: [text('x', { cut: 1 })], ends: true },
  { name: 'deflate: a compressed text', deflate: true, frames: [compressed(deflated(bytes('Hello Hello')))] },
  { name: 'deflate: a plain text', deflate: true, frames: [text('plain')] },
  { name: 'deflate: an empty message as one octet', deflate: true, frames: [compressed(octets(0))] },
  { name: 'deflate: RSV1 and no payload', deflate: true, frames: [compressed(octets())] },
  {
    name: 'deflate: a final block, and a message behind it',
    deflate: true,
    frames: [compressed(octets(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0, 0)), compressed(deflated(bytes('next')))],
  },
  { name: 'deflate: corrupt data', deflate: true, frames: [compressed(octets(0xff, 0xff, 0xff, 0xff))] },
  { name: 'deflate: a reference before the window', deflate: true, frames: [compressed(octets(0x03, 0x02, 0))] },
  {
    name: 'deflate: data that breaks off',
    deflate: true,
    frames: [compressed(deflated(bytes('Hello')).subarray(0, 3))],
  },
  { name: 'deflate: 2 MiB of zeros', deflate: true, frames: [compressed(deflated(new Uint8Array(2 << 20)))] },
  { name: 'deflate: RSV1 on a ping', deflate: true, frames: [{ opcode: PING, rsv: RSV1 }] },
  {
    name: 'deflate: RSV1 on a continuation',
    deflate: true,
    frames: [text('a', { fin: false }), { opcode: 0, rsv: RSV1, payload: bytes('b') }],
  },
  { name: 'deflate: text that is not UTF-8', deflate: true, frames: [compressed(deflated(octets(0xff)))] },
];

const without = (name: string) => upgradeRequest('/', { [name]: null });
const having = (name: string, value: string) => upgradeRequest('/', { [name]: value });
/** The request with further lines in front of its empty one. */
const more = (...lines: readonly string[]) =>
  upgradeRequest().replace(/\r\n\r\n$/, `\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
const replaced = (from: string, to: string) => upgradeRequest().replace(from, to);

export const REQUESTS: readonly RequestStimulus[] = [
  { name: 'a proper request', request: upgradeRequest() },
  { name: 'POST', request: replaced('GET', 'POST') },
  { name: 'HTTP/1.0', request: replaced('HTTP/1.1', 'HTTP/1.0') },
  { name: 'HTTP/1.2', request: replaced('HTTP/1.1', 'HTTP/1.2') },
  { name: 'HTTP/2.0', request: replaced('HTTP/1.1', 'HTTP/2.0') },
  { name: 'no Host', request: without('Host') },
  { name: 'two Hosts', request: more('Host: other') },
  { name: 'an empty Host', request: having('Host', '') },
  { name: 'a Host with a space', request: having('Host', 'a b') },
  { name: 'a Host that is half an address', request: having('Host', '[::1') },
  { name: 'no Upgrade', request: without('Upgrade') },
  { name: 'Upgrade: WebSocket', request: having('Upgrade', 'WebSocket') },
  { name: 'Upgrade: h2c, websocket', request: having('Upgrade', 'h2c, websocket') },
  { name: 'Upgrade: websocketx', request: having('Upgrade', 'websocketx') },
  { name: 'no Connection', request: without('Connection') },
  { name: 'Connection: keep-alive, Upgrade', request: having('Connection', 'keep-alive, Upgrade') },
  { name: 'Connection: xupgrade', request: having('Connection', 'xupgrade') },
  { name: 'no version', request: without('Sec-WebSocket-Version') },
  ...['8', '99', '+13', '013', '13, 8', '13.0', ''].map((version) => ({
    name: `version '${version}'`,
    request: having('Sec-WebSocket-Version', version),
  })),
  { name: 'two versions', request: more('Sec-WebSocket-Version: 13') },
  { name: 'no key', request: without('Sec-WebSocket-Key') },
  { name: 'two keys', request: more('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==') },
  { name: 'a key of 15 octets', request: having('Sec-WebSocket-Key', Buffer.alloc(15).toString('base64')) },
  { name: 'a key of 17 octets', request: having('Sec-WebSocket-Key', Buffer.alloc(17).toString('base64')) },
  { name: 'a key that is no base64', request: having('Sec-WebSocket-Key', '????????????????????????') },
  { name: 'a key with bits behind its end', request: having('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZR==') },
  { name: 'a body of 4 octets', request: `${more('Content-Length: 4')}abcd` },
  { name: 'Content-Length: 0', request: more('Content-Length: 0') },
  { name: 'a chunked body', request: `${more('Transfer-Encoding: chunked')}0\r\n\r\n` },
  { name: 'a bare LF', request: replaced('Upgrade: websocket\r\n', 'Upgrade: websocket\n') },
  { name: 'a folded header', request: more('X: a', ' b') },
  { name: 'a space before the colon', request: more('X : a') },
  { name: 'NUL in a value', request: more('X: a\0b') },
  { name: 'a name that is no token', request: more('X Y: a') },
  { name: 'a line without a colon', request: more('nonsense') },
  { name: '150 headers', request: more(...Array.from({ length: 150 }, (_, i) => `X-${i}: 1`)) },
  { name: 'a head of 20 KiB', request: more(`X: ${'a'.repeat(20_480)}`) },
  { name: 'a request line of 9 KiB', request: upgradeRequest(`/${'a'.repeat(9_216)}`) },
  { name: 'an absolute target', request: upgradeRequest('http://other/path') },
  { name: 'a target with a fragment', request: upgradeRequest('/a#b') },
  { name: "the target '*'", request: upgradeRequest('*') },
  { name: 'a list of subprotocols', request: more('Sec-WebSocket-Protocol: a, b') },
  { name: 'a subprotocol twice', request: more('Sec-WebSocket-Protocol: a, a') },
  { name: 'an empty subprotocol', request: more('Sec-WebSocket-Protocol: a,,b') },
  { name: 'an empty list of subprotocols', request: more('Sec-WebSocket-Protocol:') },
  { name: 'a subprotocol that is no token', request: more('Sec-WebSocket-Protocol: a b') },
  { name: 'subprotocols in two headers', request: more('Sec-WebSocket-Protocol: a', 'Sec-WebSocket-Protocol: b') },
  { name: 'an unknown extension', request: more('Sec-WebSocket-Extensions: x-foo') },
  { name: 'extensions that are no grammar', request: more('Sec-WebSocket-Extensions: a;;b') },
  { name: 'an open quote in extensions', request: more('Sec-WebSocket-Extensions: a; b="c') },
  { name: 'an origin of another host', request: more('Origin: https://evil.test') },
  { name: 'the origin null', request: more('Origin: null') },
  ...[
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; server_max_window_bits=8',
    'permessage-deflate; server_max_window_bits=7',
    'permessage-deflate; server_max_window_bits=16',
    'permessage-deflate; server_max_window_bits=08',
    'permessage-deflate; server_max_window_bits="10"',
    'permessage-deflate; server_max_window_bits',
    'permessage-deflate; client_max_window_bits=1e1',
    'permessage-deflate; foo',
    'permessage-deflate; foo, permessage-deflate',
    'permessage-deflate; server_no_context_takeover=1',
    'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
  ].map((offer) => ({ name: offer, request: more(`Sec-WebSocket-Extensions: ${offer}`) })),
];

const ANSWER =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %\r\n';
const answer = (...lines: readonly string[]) => `${ANSWER}${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
const changed = (from: string, to: string) => answer().replace(from, to);

export const ANSWERS: readonly AnswerStimulus[] = [
  { name: 'a proper answer', answer: answer() },
  { name: '200', answer: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' },
  { name: '401', answer: 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n' },
  { name: '302', answer: 'HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n' },
  { name: 'HTTP/1.0 101', answer: changed('HTTP/1.1', 'HTTP/1.0') },
  { name: '100 before 101', answer: `HTTP/1.1 100 Continue\r\n\r\n${answer()}` },
  { name: '103 before 101', answer: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${answer()}` },
  { name: 'no Upgrade', answer: changed('Upgrade: websocket\r\n', '') },
  { name: 'Upgrade: h2c', answer: changed('websocket', 'h2c') },
  { name: 'Upgrade: WebSocket', answer: changed('websocket', 'WebSocket') },
  { name: 'no Connection', answer: changed('Connection: Upgrade\r\n', '') },
  {
    name: 'Connection: keep-alive, Upgrade',
    answer: changed('Connection: Upgrade', 'Connection: keep-alive, Upgrade'),
  },
  { name: 'Connection: close', answer: changed('Connection: Upgrade', 'Connection: close') },
  { name: 'no Sec-WebSocket-Accept', answer: changed('Sec-WebSocket-Accept: %\r\n', '') },
  { name: 'a wrong Sec-WebSocket-Accept', answer: changed('%', 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=') },
  { name: 'Sec-WebSocket-Accept twice', answer: answer('Sec-WebSocket-Accept: %') },
  { name: 'a subprotocol that nobody asked for', answer: answer('Sec-WebSocket-Protocol: evil') },
  { name: 'the subprotocol asked for', subprotocols: ['chat'], answer: answer('Sec-WebSocket-Protocol: chat') },
  { name: 'no subprotocol although asked for', subprotocols: ['chat'], answer: answer() },
  { name: 'the subprotocol in capitals', subprotocols: ['chat'], answer: answer('Sec-WebSocket-Protocol: CHAT') },
  { name: 'two subprotocols', subprotocols: ['a', 'b'], answer: answer('Sec-WebSocket-Protocol: a, b') },
  { name: 'a Content-Length of 0', answer: answer('Content-Length: 0') },
  { name: 'a Content-Length of 4', answer: answer('Content-Length: 4') },
  { name: 'Transfer-Encoding: chunked', answer: answer('Transfer-Encoding: chunked') },
  { name: 'a bare LF', answer: changed('Upgrade: websocket\r\n', 'Upgrade: websocket\n') },
  { name: 'a head of 20 KiB', answer: answer(`X: ${'a'.repeat(20_480)}`) },
  { name: '150 headers', answer: answer(...Array.from({ length: 150 }, (_, i) => `X-${i}: 1`)) },
  { name: 'an extension that nobody offered', answer: answer('Sec-WebSocket-Extensions: x-foo') },
  ...[
    'permessage-deflate',
    'permessage-deflate; server_no_context_takeover',
    'permessage-deflate, permessage-deflate',
    'permessage-deflate; foo=1',
    'permessage-deflate; server_max_window_bits',
    'permessage-deflate; server_max_window_bits=7',
    'permessage-deflate; server_max_window_bits=10',
    'permessage-deflate; server_max_window_bits=1e1',
    'permessage-deflate; server_max_window_bits=08',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; client_max_window_bits=10',
  ].map((value) => ({ name: value, deflate: true, answer: answer(`Sec-WebSocket-Extensions: ${value}`) })),
];
