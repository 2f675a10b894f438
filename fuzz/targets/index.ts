/** All targets by name, and the words of their languages. */

import { extensions, inflate } from './compression.ts';
import { connection } from './connection.ts';
import { frames } from './frames.ts';
import { gatewayFraming } from './gateway.ts';
import { requestHead, responseHead } from './heads.ts';

export interface Target {
  readonly run: (input: Uint8Array) => void;
  /** What mutations insert: latin1. */
  readonly words: readonly string[];
}

const HTTP = [
  '\r\n',
  '\r\n\r\n',
  ': ',
  ' HTTP/1.1\r\n',
  'GET / HTTP/1.1\r\n',
  'Host: a\r\n',
  'Upgrade: websocket\r\n',
  'Connection: Upgrade\r\n',
  'Connection: keep-alive, Upgrade\r\n',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
  'Sec-WebSocket-Version: 13\r\n',
  'Sec-WebSocket-Protocol: chat\r\n',
  'Sec-WebSocket-Extensions: x; octet=1\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 5\r\n',
  'HTTP/1.1 101 S\r\n',
  'HTTP/1.1 403 N\r\n',
  'Sec-WebSocket-Accept: 7Ubo2JRe6fIuZAdGHq7kDA4XEQ0=\r\n',
  '5\r\nhello\r\n',
  '0\r\n\r\n',
  '\x81\x00',
];
const FRAMES = [
  '\x81\x80\0\0\0\0',
  '\x01\x81\0\0\0\0a',
  '\x80\x81\0\0\0\0b',
  '\x00\x80\0\0\0\0',
  '\x82\xfe\x00\x7e\0\0\0\0',
  '\x82\xff\0\0\0\0\0\x01\0\0\0\0\0\0',
  '\x88\x82\0\0\0\0\x03\xe8',
  '\x89\x81\0\0\0\0p',
  '\x8a\x80\0\0\0\0',
  '\xc1\x82\0\0\0\0!a',
  '\xe2\x83\0\0\0\0!!a',
  '\x81\x01a',
  '\x01\x01a',
  '\x80\x01b',
  '\x88\x02\x03\xe8',
  '\x89\x01p',
  '\x8a\x00',
  '\xc1\x02!a',
  '\xe2\x82\xac',
  '\xf0\x9f\x98\x80',
  '\xed\xa0\x80',
];

const DEFLATE = [
  '\xf2\x48\xcd\xc9\xc9\x07\x00',
  '\xf3\x48\xcd\xc9\xc9\x07\x00\x00',
  '\xf2\x00\x11\x00\x00',
  '\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00',
  '\x00\x00\xff\xff',
  '\x03\x00',
  '\x4a\x4c\x1c\x05\xa3\x60\x14\x0c\x77\x00\x00',
  '\x05\xc0\x81\x08\x00\x00\x00\x00\x20\x7f\xeb\x0b',
];
const EXTENSIONS = [
  'permessage-deflate',
  '; server_no_context_takeover',
  '; client_no_context_takeover',
  '; server_max_window_bits=10',
  '; client_max_window_bits',
  '; client_max_window_bits="9"',
  '=08',
  ', ',
  '; ',
  '"\\1"',
];

const STREAMS = [
  '\0',
  '\n',
  '\0\0\0\x05hello',
  '\0\0\0\0',
  '\0\0\0\xc8',
  '\0\0\xff\xff',
  '\0\x01\0\0',
  '\0\x01\0\x01',
  '\xff\xff\xff\xff',
  '\x1b\x40a',
  '\x1b\x41a',
  '\0\0\0\x01a',
  '\0\0\0\x09123456789',
  '\x1b\x20\0',
  '\x1b\x3f\xc3',
  '\xe2\x82\xac',
  '\xf0\x9f\x98\x80',
  '\xed\xa0\x80',
  '{"a":[1]}',
  '"\\"}',
  '[[',
];

export const TARGETS: Readonly<Record<string, Target>> = {
  frames: { run: frames, words: FRAMES },
  'request-head': { run: requestHead, words: HTTP },
  'response-head': { run: responseHead, words: HTTP },
  connection: { run: connection, words: FRAMES },
  'gateway-framing': { run: gatewayFraming, words: STREAMS },
  inflate: { run: inflate, words: DEFLATE },
  extensions: { run: extensions, words: EXTENSIONS },
};
