/** RFC 6455 section 9: the seam for extensions, negotiated from bytes and applied to messages. */
import { describe, expect, it } from 'vitest';
import { type ConnectionOptions, type Extension, UsageError } from '../../src/index.ts';
import { add, transforms, turn } from './extension.ts';
import {
  bytesOf,
  client,
  cuts,
  join,
  OP,
  open,
  pattern,
  readFrames,
  request,
  response,
  type Subject,
  server,
  textOf,
} from './support.ts';

const offer = (value: string) => request({}, [`Sec-WebSocket-Extensions: ${value}`]);

function accepted(value: string, extensions: readonly Extension[], options: ConnectionOptions = {}): Subject {
  const subject = server({ pingInterval: null, ...options, extensions }).feed(offer(value));
  subject.connection.accept(0);
  subject.pull();
  subject.events.length = 0;
  return subject;
}

/** The frames behind the 101. */
function framesOf(subject: Subject) {
  const text = Buffer.from(subject.wire).toString('latin1');
  return readFrames(subject.wire.subarray(text.indexOf('\r\n\r\n') + 4));
}

describe('RFC 6455 section 9.1: negotiation, server', () => {
  const answers: [string, string | null][] = [
    ['x-add; key=3', 'x-add; key=3'],
    ['x-add; key="3"', 'x-add; key=3'],
    ['x-unknown, x-add; key=4', 'x-add; key=4'],
    ['x-add; key=0, x-add; key=5', 'x-add; key=5'],
    ['x-add; key=1, x-add; key=2', 'x-add; key=1'],
    ['x-turn, x-add; key=1', 'x-add; key=1, x-turn'],
    ['x-unknown', null],
    ['x-add', null],
  ];
  for (const [value, answer] of answers) {
    it(`§9.1: ${value} is answered with ${answer ?? 'nothing'}`, () => {
      const subject = accepted(value, [add, turn]);
      const found = /Sec-WebSocket-Extensions: (.*)\r\n/.exec(textOf(subject.wire))?.[1] ?? null;
      expect(found).toBe(answer);
    });
  }

  it('§9.1: the client MUST fail on an extension, or a parameter, that was not offered', () => {
    for (const value of ['x-other', 'x-add; key=4', 'x-add', 'x-add; key=3; more', 'x-add; key=3, x-add; key=3', '"']) {
      const subject = client({}, { extensions: [add, turn] });
      subject.feed(response(subject.key, {}, [`Sec-WebSocket-Extensions: ${value}`])).end();
      expect(subject.types).toEqual(['closed']);
      expect(subject.closed.error).toMatchObject({ code: 'EXTENSION_UNREQUESTED' });
    }
  });

  it('§9.1: the client offers in order and takes what was chosen, also over several lines', () => {
    const subject = client({}, { extensions: [turn, add] });
    expect(textOf(subject.wire)).toContain('\r\nSec-WebSocket-Extensions: x-turn, x-add; key=3\r\n');
    subject.feed(
      response(subject.key, {}, ['Sec-WebSocket-Extensions: x-add; key=3', 'Sec-WebSocket-Extensions: x-turn']),
    );
    expect(subject.events).toMatchObject([{ type: 'open', extensions: 'x-add; key=3, x-turn' }]);
  });

  it('an option that is no extension is refused by name', () => {
    for (const wrong of [null, {}, { name: 'x', rsvBits: 0x80, accept: () => null }, 5]) {
      expect(() => server({ extensions: [wrong as unknown as Extension] })).toThrow(UsageError);
    }
  });
});

describe('RFC 6455 section 9: application', () => {
  it('§5.2: the bits are set on the first frame only, and the payload is transformed', () => {
    const subject = accepted('x-add; key=3', [add]);
    subject.connection.sendText('abcd', { fragmentSize: 2 });
    subject.connection.sendText('abcd', { compress: false });
    subject.connection.sendBinary(new Uint8Array(0));
    subject.flush();
    expect(framesOf(subject).map((each) => [each.rsv, each.opcode, textOf(each.payload)])).toEqual([
      [0x40, OP.text, 'de'],
      [0, OP.continuation, 'fg'],
      [0, OP.text, 'abcd'],
      [0, OP.binary, ''],
    ]);
  });

  const added = (text: string) => bytesOf(text).map((octet) => octet + 3);
  for (const delivery of ['message', 'fragment'] as const) {
    it(`messages with and without the bit, cut anywhere, control frames between (${delivery})`, () => {
      const probe = open('server');
      const bytes = join(
        probe.peer(OP.text, added('ab'), { rsv: 0x40, fin: false }),
        probe.peer(OP.ping, 'plain'),
        probe.peer(OP.continuation, added('cd€')),
        probe.peer(OP.text, 'plain'),
        probe.peer(OP.binary, added('')),
        probe.peer(OP.text, added('last'), { rsv: 0x40 }),
      );
      for (const cut of cuts(bytes)) {
        const subject = accepted('x-add; key=3', [add], { delivery }).feed(...cut);
        const parts: string[] = [];
        for (const event of subject.events) {
          if (event.type === 'message') parts.push(`${typeof event.data === 'string' ? event.data : '-'}|`);
          if (event.type === 'fragment')
            parts.push(Buffer.from(event.data).toString('latin1') + (event.last ? '|' : ''));
        }
        const euro = Buffer.from('€').toString('latin1');
        expect(parts.join('')).toBe(delivery === 'message' ? 'abcd€|plain|-|last|' : `abcd${euro}|plain||last|`);
        expect(subject.types.filter((type) => type === 'ping').length).toBe(1);
      }
    });
  }

  it('two transforms are undone in the opposite order', () => {
    const subject = accepted('x-add; key=3, x-turn', [add, turn]);
    subject.connection.sendBinary(bytesOf('abc'));
    subject.flush();
    const [sent] = framesOf(subject);
    expect([sent!.rsv, textOf(sent!.payload)]).toEqual([0x60, 'fed']);
    const probe = open('server');
    for (const cut of cuts(probe.peer(OP.binary, 'fed', { rsv: 0x60 }))) {
      expect(accepted('x-add; key=3, x-turn', [add, turn]).feed(...cut).messages).toEqual([bytesOf('abc')]);
    }
  });

  it('§5.2: a claimed bit is legal on the first frame of data only, an unclaimed one nowhere', () => {
    for (const bytes of [
      open('server').peer(OP.ping, '', { rsv: 0x40 }),
      open('server').peer(OP.close, '', { rsv: 0x40 }),
      open('server').peer(OP.text, 'x', { rsv: 0x20 }),
      join(open('server').peer(OP.text, 'x', { fin: false }), open('server').peer(OP.continuation, 'x', { rsv: 0x40 })),
    ]) {
      const subject = accepted('x-add; key=3', [add]).feed(bytes).end();
      expect(subject.closed.error).toMatchObject({ code: 'RESERVED_BITS_SET' });
    }
  });

  it('what a transform cannot read fails with 1007; its text is still UTF-8; its size is limited after it', () => {
    const faults: [Uint8Array, ConnectionOptions, string][] = [
      [open('server').peer(OP.binary, Uint8Array.of(1, 0xde), { rsv: 0x40 }), {}, 'EXTENSION_DATA_INVALID'],
      [open('server').peer(OP.text, Uint8Array.of(0x02), { rsv: 0x40 }), {}, 'UTF8_INVALID'],
      [open('server').peer(OP.binary, pattern(11, 0), { rsv: 0x40 }), { maxMessageSize: 10 }, 'MESSAGE_TOO_BIG'],
    ];
    for (const [bytes, options, code] of faults) {
      for (const delivery of ['message', 'fragment'] as const) {
        const subject = accepted('x-add; key=3', [add], { delivery, maxFrameSize: 1_000, ...options });
        subject.feed(bytes).end();
        expect(subject.closed.error).toMatchObject({ code });
        expect(subject.messages).toEqual([]);
      }
    }
  });

  it('transforms are released once, when the connection ends', () => {
    const subject = accepted('x-add; key=3', [add]);
    const transform = transforms.at(-1)!;
    subject.feed(open('server').peer(OP.close));
    expect(transform.released).toBe(0);
    subject.end();
    subject.connection.terminate(0);
    expect(transform.released).toBe(1);
  });
});
