/** Huge messages of ours, and text of the peer in what we say: rows T89 and T90. */
import { describe, expect, it } from 'vitest';
import { FAULTS, type FaultCode, failure } from '../../src/errors.ts';
import { pair } from '../../src/testing.ts';
import { answerOf, bytesOf, closePayload, OP, open, pattern, ROLES, request, server } from '../rfc6455/support.ts';
import { connecting } from '../support/peers.ts';

const MESSAGE = 100 * 1_048_576;
const SLICE = 65_536;

function* slices(): Iterable<Uint8Array> {
  const slice = pattern(SLICE);
  for (let sent = 0; sent < MESSAGE; sent += SLICE) yield slice;
}

describe('T89: one huge message of ours', () => {
  it.each(ROLES)(
    'as a stream it is never whole in memory, and a ping in the middle of it is answered between two slices (%s)',
    async (role) => {
      const joined = pair({
        client: { delivery: 'fragment' },
        server: { delivery: 'fragment' },
        link: { window: 4 * SLICE },
      });
      const { clock } = joined;
      const [sender, receiver] = role === 'server' ? [joined.server, joined.client] : [joined.client, joined.server];
      let received = 0;
      let answeredAt = 0;
      let most = 0;
      receiver.on('fragment', ({ data }) => {
        received += data.length;
        most = Math.max(most, sender.bufferedAmount);
        if (answeredAt === 0 && received > MESSAGE / 2) {
          answeredAt = -1;
          void receiver.ping().then(() => (answeredAt = received));
        }
      });
      sender.resume();
      await clock.settle();
      const streamed = sender.sendStream('binary', slices());
      await clock.settle();
      expect(await streamed).toMatchObject({ success: true, payloadSize: MESSAGE });
      await clock.settle();
      expect(received).toBe(MESSAGE);
      // Behind the ping were the slices under way, not the rest of the message.
      expect(answeredAt).toBeGreaterThan(MESSAGE / 2);
      expect(answeredAt).toBeLessThan(MESSAGE / 2 + 16 * SLICE);
      expect(most).toBeLessThan(8 * SLICE);
    },
  );
});

const LOUD = '\u001b[31mred\u0007\r\nSet-Cookie: a=b\u2028\u202e';

/** Fit for a log and a terminal. */
function expectQuiet(message: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
  expect(message.length).toBeGreaterThan(10);
  expect(message.length).toBeLessThan(250);
}

describe('T90: text of the peer in what we say', () => {
  for (const role of ROLES) {
    it(`a close reason is data: no error says it, ${role}`, () => {
      const subject = open(role);
      subject.feed(subject.peer(OP.close, closePayload(4000, LOUD))).end();
      expect(subject.closed).toMatchObject({ reason: LOUD, error: null });
    });
  }

  it('what a client could not read of an answer is printable and short in the error', () => {
    for (const head of [
      `HTTP/1.1 403 ${LOUD.replaceAll('\r\n', '').replaceAll(/[\u2028\u202e]/g, '')}\r\n\r\n`,
      `HTTP/1.1 \u001b[31m${'x'.repeat(5_000)}\r\n\r\n`,
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${'y'.repeat(3_000)}\r\n\r\n`,
    ]) {
      const connection = connecting();
      connection.receive(bytesOf(head), 1);
      connection.receiveEnd(2);
      const messages: string[] = [];
      for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
        if (event.type === 'closed') messages.push(event.error?.message ?? '');
      }
      expect(messages.length).toBe(1);
      expectQuiet(messages[0]!);
    }
  });

  it('nor what a server could not read of a request, in its error and in its answer', () => {
    const latin1 = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
    const loud = LOUD.replaceAll('\r\n', '').replaceAll(/[\u2028\u202e]/g, '');
    const requests = [
      latin1(`GET /${loud} HTTP/1.1\r\n\r\n`),
      latin1(`${loud} / HTTP/1.1\r\n\r\n`),
      ...[
        'Host',
        'Sec-WebSocket-Key',
        'Sec-WebSocket-Version',
        'Sec-WebSocket-Protocol',
        'Sec-WebSocket-Extensions',
      ].map((name) => request({ [name]: null }, [`${name}: \xe9\x80${'z'.repeat(3_000)}`])),
    ];
    for (const bytes of requests) {
      const subject = server().feed(bytes);
      const [top = '', body = ''] = answerOf(subject).text.split('\r\n\r\n');
      expectQuiet(subject.end().closed.error!.message);
      expectQuiet(body.trimEnd());
      expect(top).not.toContain('z'.repeat(50));
    }
  });

  it('nor what a transport or a listener says, whatever the fault is', () => {
    for (const code of Object.keys(FAULTS) as FaultCode[]) {
      expectQuiet(failure(code, LOUD.repeat(30), new Error(LOUD.repeat(30))).message);
    }
  });
});
