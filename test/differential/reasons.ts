/**
 * Why we differ from `ws` where we do: for each reason the sections, the sentence, and the stimuli. Sections without a number of an
 * RFC are of RFC 6455.
 */

export interface Reason {
  readonly sections: string;
  readonly reason: string;
  /** Names of stimuli. */
  readonly of: readonly string[];
}

export const REASONS: readonly Reason[] = [
  {
    sections: '§4.1, §4.2.1',
    reason:
      'The handshake needs HTTP/1.1; 1.0 knows no Upgrade, and what calls itself HTTP/2.0 in text is nobody that we know.',
    of: ['HTTP/1.0', 'HTTP/2.0', 'HTTP/1.0 101'],
  },
  {
    sections: '§4.2.1; RFC 9110 §15.6.6',
    reason: 'There is no HTTP/1.2, so both refuse it; 505 names what is wrong, 400 does not.',
    of: ['HTTP/1.2'],
  },
  {
    sections: '§4.2.1; RFC 9112 §3.2',
    reason: 'There is exactly one Host, and it is a host: a proxy and we must read the same one.',
    of: ['no Host', 'two Hosts', 'an empty Host', 'a Host with a space', 'a Host that is half an address'],
  },
  {
    sections: '§4.2.1; RFC 9110 §7.8',
    reason: 'Upgrade is a list of tokens, and `websocket` may stand anywhere in it.',
    of: ['Upgrade: h2c, websocket'],
  },
  {
    sections: '§4.2.1; RFC 9110 §15.5.22',
    reason: 'A request that asks for another upgrade is told which one there is: 426.',
    of: ['Upgrade: websocketx'],
  },
  {
    sections: '§4.2.1',
    reason:
      'A request that has Upgrade and not the Connection token is a broken handshake (400), not plain HTTP (426).',
    of: ['no Connection', 'Connection: xupgrade'],
  },
  {
    sections: '§4.2.2, §4.4',
    reason: 'Only 13 is the version, as these two octets; any other gets 426 with `Sec-WebSocket-Version: 13`.',
    of: [
      'no version',
      "version '8'",
      "version '99'",
      "version '+13'",
      "version '013'",
      "version '13, 8'",
      "version '13.0'",
      "version ''",
      'two versions',
    ],
  },
  {
    sections: '§4.1; RFC 9110 §7.8',
    reason: 'A body would be read as frames: that is how requests are smuggled.',
    of: ['a body of 4 octets', 'a chunked body'],
  },
  {
    sections: '§10.4',
    reason:
      'Ours are 100 headers and 8 KiB of request line; `ws` has the limits of `node:http`, 2,000 headers and 16 KiB together.',
    of: ['150 headers', 'a request line of 9 KiB'],
  },
  {
    sections: '§3, §4.2.1',
    reason: 'The target is a path or an absolute URI without a fragment.',
    of: ['a target with a fragment', "the target '*'"],
  },
  {
    sections: '§9.1',
    reason: 'A malformed header fails the handshake; `ws` without its compression does not look at it.',
    of: ['extensions that are no grammar', 'an open quote in extensions'],
  },
  {
    sections: '§4.2.2, §10.2',
    reason:
      'Without `allowedOrigins` a page must come from the host that it connects to; `ws` leaves that to the application.',
    of: ['an origin of another host', 'the origin null'],
  },
  {
    sections: 'RFC 7692 §5.1, §7.1',
    reason: 'An offer that is not acceptable is declined and the next one is tried; the connection opens without it.',
    of: [
      'permessage-deflate; server_max_window_bits=7',
      'permessage-deflate; server_max_window_bits=16',
      'permessage-deflate; server_max_window_bits',
      'permessage-deflate; foo',
      'permessage-deflate; foo, permessage-deflate',
      'permessage-deflate; server_no_context_takeover=1',
      'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    ],
  },
  {
    sections: 'RFC 7692 §7.1.2',
    reason: 'Window bits are a decimal integer from 8 to 15 without leading zeros; `1e1` and `08` are none.',
    of: [
      'permessage-deflate; server_max_window_bits=08',
      'permessage-deflate; client_max_window_bits=1e1',
      'permessage-deflate; server_max_window_bits=1e1',
    ],
  },
  {
    sections: '§9.1; RFC 7692 §5.1',
    reason: 'One offer was made; two answers to it cannot both be meant.',
    of: ['permessage-deflate, permessage-deflate'],
  },
  {
    sections: '§4.1',
    reason: 'A server may ignore the subprotocols; `socket.subprotocol` is then empty, and the application decides.',
    of: ['no subprotocol although asked for'],
  },
  {
    sections: 'RFC 9110 §8.6, RFC 9112 §6.1',
    reason:
      'A 101 has neither a length nor a coding: whoever sends one would have us read frames as a body, or the reverse.',
    of: ['a Content-Length of 4', 'Transfer-Encoding: chunked'],
  },
  {
    sections: '§5.5.3',
    reason: 'The last ping is answered, as the section allows: a flood of pings never becomes a queue of pongs.',
    of: ['a ping between fragments', 'a ping of 125 octets', '5 pings in one piece'],
  },
  {
    sections: '§5.2',
    reason: 'The minimal number of bytes MUST be used for the length.',
    of: ['5 octets with a 16-bit length', '5 octets with a 64-bit length', '200 octets with a 64-bit length'],
  },
  {
    sections: '§5.2',
    reason: 'The most significant bit MUST be 0: the frame is malformed, not too big.',
    of: ['an announced length of 2^63'],
  },
  {
    sections: '§10.4',
    reason:
      'Ours is `maxFragments`, 65,536 of them, as fragments take no more memory than their payload; `ws` has 16,384.',
    of: ['20,000 empty fragments'],
  },
  {
    sections: '§8.1',
    reason: 'Text fails at its first wrong octet, not at the end of the message that might never come.',
    of: ['a first fragment that is not UTF-8, and no second', 'half a frame that is not UTF-8 already'],
  },
  {
    sections: 'RFC 7692 §7.2.2',
    reason: 'Data that ends inside a block is corrupt: a message that was cut is not delivered as a shorter one.',
    of: ['deflate: data that breaks off'],
  },
];
