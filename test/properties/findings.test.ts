/** What testing found, kept: one test for each defect, named by what went wrong. */

import { describe, expect, it } from 'vitest';
import { type Connection, EstablishedConnection, ServerConnection, Settings, UsageError } from '../../src/index.ts';
import { concat, utf8 } from '../support/bytes.ts';
import { frame } from '../support/frames.ts';
import { byteByByte, observe, whole } from '../support/observe.ts';
import { connecting, drain, established, pull } from '../support/peers.ts';
import { printEvent } from '../support/print.ts';
import { seededRandom } from '../support/random.ts';
import { Scramble, ScrambleTransform } from '../support/scramble.ts';

const key = [1, 2, 3, 4];

describe('found and fixed', () => {
  it('a request that is written after the response failed leaves no negative bufferedAmount', () => {
    const client = connecting();
    const taken = concat(client.takeOutgoing()).length;
    client.receive(utf8('HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n'), 0);
    client.nextEvent();
    client.outgoingWritten(taken, 0);
    expect(client.bufferedAmount).toBe(0);
  });

  it('a chunked refusal ends at its last chunk, whatever follows in the same piece', () => {
    const answer = utf8('HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1');
    for (const cut of [whole, byteByByte]) {
      const { connection } = observe(connecting(), [{ do: 'receive', bytes: answer }], { cut });
      expect(connection.readyState).toBe('closing');
      connection.receiveEnd(0);
      const [closed] = pull(connection);
      expect(closed).toMatchObject({
        error: { code: 'STATUS_UNEXPECTED', status: 403, response: { body: utf8('hello') } },
      });
    }
  });

  it('a client reports no status that nobody sent', () => {
    const client = connecting({ maxHeadSize: 100 });
    client.receive(utf8(`HTTP/1.1 101 x\r\nX: ${'y'.repeat(200)}`), 0);
    client.nextEvent();
    client.receiveEnd(0);
    drain(client);
    expect(pull(client)[0]).toMatchObject({ error: { code: 'HEAD_TOO_BIG', status: 0 } });
  });

  it('what was assembled in one loan survives when the next chunk is owned', () => {
    const server = established('server');
    const loan = frame({ opcode: 2, fin: false, key, payload: utf8('hello ') });
    server.receiveBorrowed(loan, 0);
    server.receive(concat([frame({ opcode: 9, key }), frame({ opcode: 0, key, payload: utf8('world') })]), 0);
    expect(server.nextEvent()).toMatchObject({ type: 'ping' });
    server.keepBorrowed();
    loan.fill(0xee);
    expect(server.nextEvent()).toMatchObject({ type: 'message', data: utf8('hello world') });
  });

  it('the fault of a transformed message does not depend on cuts', () => {
    const transform = (): ScrambleTransform => new ScrambleTransform(0x40, 0, 1_000);
    const payload = concat([utf8('!abc'), Uint8Array.of(0xff), utf8('defghi')]);
    const bytes = frame({ opcode: 1, rsv: 0x40, key, payload });
    const run = (cut: typeof whole): readonly string[] => {
      const server = established('server', { maxMessageSize: 6 }, [transform()]);
      return observe(server, [{ do: 'receive', bytes }, { do: 'end' }], { cut }).events;
    };
    expect(run(byteByByte)).toEqual(run(whole));
  });

  it('transformed text that is not UTF-8 is told as soon as it comes, though fragments are held back', () => {
    const bytes = frame({ opcode: 1, rsv: 0x40, fin: false, key, payload: Uint8Array.of(0x21, 0x82, 0x84) });
    for (const cut of [whole, byteByByte]) {
      const server = established('server', { delivery: 'fragment' }, [new ScrambleTransform(0x40, 0, 7)]);
      observe(server, [{ do: 'receive', bytes }], { cut });
      expect(server.readyState).toBe('closing');
    }
  });

  it('hasPendingInput is never false while there is another event', () => {
    const settings = { delivery: 'fragment' as const };
    const server = established('server', settings, [new ScrambleTransform(0x40, 0, 2)]);
    server.receive(frame({ opcode: 2, rsv: 0x40, key, payload: utf8('!abcdefgh') }), 0);
    let events = 0;
    for (; server.hasPendingInput; events++) expect(server.nextEvent()).not.toBe(null);
    expect(events).toBe(4);
    expect(server.nextEvent()).toBe(null);
  });
});

describe('transforms are released', () => {
  const request = (): Uint8Array => drain(connecting({ extensions: [new Scramble()] }));
  const early = frame({ opcode: 9, key });

  it('when accept() is called with a header that cannot be sent, and may be called again', () => {
    const extension = new Scramble();
    const server = new ServerConnection({ extensions: [extension] }, 0);
    server.receive(request(), 0);
    server.nextEvent();
    expect(() => server.accept(0, { headers: [['X', 'a\nb']] })).toThrow(UsageError);
    expect(extension.made.map(({ released }) => released)).toEqual([1]);
    expect(server.accept(0)).toBe(true);
    expect(server.readyState).toBe('open');
    server.terminate(0);
    expect(extension.made.map(({ released }) => released)).toEqual([1, 1]);
  });

  it('or never made when early data is refused', () => {
    const extension = new Scramble();
    const server = new ServerConnection({ extensions: [extension], earlyData: 'refuse' }, 0);
    server.receive(concat([request(), early]), 0);
    server.nextEvent();
    expect(server.accept(0)).toBe(true);
    expect(server.readyState).toBe('closing');
    server.terminate(0);
    expect(extension.made.every(({ released }) => released === 1)).toBe(true);
  });
});

describe('many connections with the same settings', () => {
  it("share readers, and never each other's bytes", () => {
    const settings = Settings.from({ platform: { random: seededRandom(3) } });
    const connections = Array.from({ length: 5 }, (): Connection => {
      const each = new EstablishedConnection({ role: 'server' }, settings, 0);
      each.nextEvent();
      return each;
    });
    const wires = connections.map((_, i) =>
      concat([
        frame({ opcode: 1, fin: false, key, payload: utf8(`first ${i} `) }),
        frame({ opcode: 9, key, payload: utf8(`ping ${i}`) }),
        frame({ opcode: 0, key, payload: utf8(`last ${i}`) }),
        frame({ opcode: 2, key, payload: utf8(`binary ${i}`) }),
        frame({ opcode: 8, key, payload: Uint8Array.of(3, 0xe8) }),
      ]),
    );
    const seen = connections.map((): string[] => []);
    // Connection i gets steps of i + 1 bytes, so that all are in different places of the same stream.
    for (let round = 0; round < wires[0]!.length; round++) {
      connections.forEach((each, i) => {
        const step = i + 1;
        each.receive(wires[i]!.slice(round * step, (round + 1) * step), 0);
        seen[i]!.push(...pull(each).map(printEvent));
      });
    }
    connections.forEach((_, i) => {
      const alone = established('server');
      alone.receive(wires[i]!.slice(), 0);
      expect(seen[i]).toEqual(pull(alone).map(printEvent));
    });
  });
});
