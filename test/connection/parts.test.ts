/** Small parts of a connection by themselves: mask keys, the heartbeat's ledger, deadlines. */
import { describe, expect, it } from 'vitest';
import { Heartbeat } from '../../src/connection/heartbeat.ts';
import { MaskKeys } from '../../src/connection/mask-keys.ts';
import { bytesOf, OP, open, ROLES } from '../rfc6455/support.ts';

describe('MaskKeys', () => {
  it('gives out every four octets of the source once, the first octet lowest', () => {
    let n = 0;
    const drawn: number[] = [];
    const keys = new MaskKeys((into) => {
      for (let i = 0; i < into.length; i++) into[i] = (n++ * 7) & 0xff;
      drawn.push(...into);
    });
    for (let i = 0; i < 3_000; i++) {
      const key = keys.next();
      const octets = [key & 0xff, (key >>> 8) & 0xff, (key >>> 16) & 0xff, key >>> 24];
      expect(octets).toEqual(drawn.slice(4 * i, 4 * i + 4));
    }
    expect(keys.bytes(16)).toEqual(Uint8Array.from(drawn.slice(-16)));
  });

  it('is shared by those with the same source, and only by them', () => {
    const random = () => {};
    expect(MaskKeys.of(random)).toBe(MaskKeys.of(random));
    expect(MaskKeys.of(random)).not.toBe(MaskKeys.of(() => {}));
  });
});

describe('Heartbeat', () => {
  const never = Number.POSITIVE_INFINITY;

  it('a ping is due after silence, or after the last ping; a pong after the oldest unanswered one', () => {
    const heartbeat = new Heartbeat(100, 50, 0);
    expect([heartbeat.pingDue, heartbeat.pongDue]).toEqual([100, never]);
    heartbeat.received(30);
    expect(heartbeat.pingDue).toBe(130);
    heartbeat.sent(bytesOf('a'), 130);
    expect([heartbeat.pingDue, heartbeat.pongDue]).toEqual([230, 180]);
    heartbeat.received(170);
    expect(heartbeat.pongDue).toBe(220);
    expect(heartbeat.answered(bytesOf('b'), 175)).toBe(null);
    expect(heartbeat.answered(bytesOf('a'), 175)).toBe(45);
    expect(heartbeat.pongDue).toBe(never);
  });

  it('nothing is due while we do not read, and the time begins again', () => {
    const heartbeat = new Heartbeat(100, 50, 0);
    heartbeat.sent(bytesOf('a'), 10);
    heartbeat.suspend();
    expect([heartbeat.pingDue, heartbeat.pongDue]).toEqual([never, never]);
    heartbeat.resume(1_000);
    expect([heartbeat.pingDue, heartbeat.pongDue]).toEqual([1_100, 1_050]);
    heartbeat.resume(5_000);
    expect(heartbeat.pongDue).toBe(1_050);
  });

  it('payloads of its own differ; the ledger keeps the last 64 pings', () => {
    const heartbeat = new Heartbeat(100, 50, 0);
    const payloads = Array.from({ length: 300 }, () => heartbeat.nextPayload());
    expect(new Set(payloads.map((each) => each.join())).size).toBe(300);
    for (const [i, payload] of payloads.entries()) heartbeat.sent(payload, i);
    expect(heartbeat.answered(payloads[200]!, 400)).toBe(null);
    expect(heartbeat.answered(payloads[250]!, 400)).toBe(150);
    expect(heartbeat.answered(payloads[249]!, 400)).toBe(null);
    expect(heartbeat.answered(payloads[299]!, 400)).toBe(101);
  });
});

for (const role of ROLES) {
  describe(`deadlines, ${role}`, () => {
    it('calls that come too early are harmless, late ones act once', () => {
      const subject = open(role, { pingInterval: 100, pongTimeout: 50, closeTimeout: 30 });
      for (let now = 0; now < 100; now += 10) {
        subject.connection.handleTimeout(now);
        expect(subject.connection.outgoingLength).toBe(0);
      }
      subject.connection.handleTimeout(1_000);
      subject.connection.handleTimeout(1_000);
      expect(subject.flush().frames.map((each) => each.opcode)).toEqual([OP.ping]);
    });

    it('each phase has its deadline, and closed has none', () => {
      const subject = open(role, { pingInterval: 100, closeTimeout: 30 });
      const { connection } = subject;
      expect(connection.nextTimeout()).toBe(100);
      subject.now = 40;
      connection.close(40);
      expect(connection.nextTimeout()).toBe(70);
      subject.now = 60;
      subject.flush();
      expect(connection.nextTimeout()).toBe(90);
      subject.feed(subject.peer(OP.close));
      expect(connection.nextTimeout()).toBe(90);
      subject.until(90);
      expect(connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
    });

    it('a Close waits for what is before it: the deadline moves as long as bytes leave', () => {
      const subject = open(role, { closeTimeout: 100 });
      const { connection } = subject;
      connection.sendBinary(new Uint8Array(60_000));
      connection.close(0, 1000);
      connection.takeOutgoing();
      for (let now = 50; now <= 500; now += 50) {
        connection.outgoingWritten(1_000, now);
        connection.handleTimeout(now);
        expect(connection.nextTimeout()).toBe(now + 100);
      }
      subject.now = 500;
      subject.until(600);
      expect(subject.closed.error).toMatchObject({ code: 'CLOSING_TIMEOUT' });
    });
  });
}
