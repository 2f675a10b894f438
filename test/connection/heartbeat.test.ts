/** Liveness: what is due when, and the ledger of pings (RFC 6455 sections 5.5.2 and 5.5.3). */
import { describe, expect, it } from 'vitest';
import { Heartbeat } from '../../src/connection/heartbeat.ts';
import { bytesOf } from '../rfc6455/support.ts';

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

  it('payloads of its own differ; the ledger keeps the oldest ping and the last 63', () => {
    const heartbeat = new Heartbeat(100, 50, 0);
    const payloads = Array.from({ length: 300 }, () => heartbeat.nextPayload());
    expect(new Set(payloads.map((each) => each.join())).size).toBe(300);
    for (const [i, payload] of payloads.entries()) heartbeat.sent(payload, i);
    expect(heartbeat.answered(payloads[200]!, 400)).toBe(null);
    expect(heartbeat.answered(payloads[250]!, 400)).toBe(150);
    expect(heartbeat.answered(payloads[249]!, 400)).toBe(null);
    expect(heartbeat.answered(payloads[299]!, 400)).toBe(101);
    const full = new Heartbeat(100, 50, 0);
    for (const [i, payload] of payloads.slice(0, 65).entries()) full.sent(payload, i);
    expect([full.answered(payloads[1]!, 70), full.answered(payloads[2]!, 70)]).toEqual([null, 68]);
  });

  it('the deadline is that of the oldest ping, however many follow it', () => {
    const heartbeat = new Heartbeat(100, 50, 0);
    for (let now = 10; now < 1_000; now++) heartbeat.sent(heartbeat.nextPayload(), now);
    expect(heartbeat.pongDue).toBe(60);
    // One that is answered settles it, though the ledger holds no more than some of those in between.
    const last = heartbeat.nextPayload();
    heartbeat.sent(last, 1_000);
    expect([heartbeat.answered(last, 1_005), heartbeat.pongDue]).toEqual([5, never]);
  });

  it('a pong answers the ping with all of its payload, and nothing where none was sent', () => {
    const heartbeat = new Heartbeat(100, 50, 0);
    expect(heartbeat.answered(bytesOf(''), 5)).toBe(null);
    heartbeat.sent(bytesOf('abc'), 10);
    for (const other of ['', 'ab', 'abcd', 'abd', 'xbc']) expect(heartbeat.answered(bytesOf(other), 15)).toBe(null);
    expect(heartbeat.answered(bytesOf('abc'), 17)).toBe(7);
    expect(heartbeat.answered(bytesOf('abc'), 18)).toBe(null);
  });

  it('of two pings with one payload the later is answered, and that settles both', () => {
    const heartbeat = new Heartbeat(100, 50, 0);
    heartbeat.sent(bytesOf('a'), 10);
    heartbeat.sent(bytesOf('a'), 30);
    heartbeat.sent(bytesOf('b'), 40);
    expect([heartbeat.answered(bytesOf('a'), 45), heartbeat.pongDue]).toEqual([15, 90]);
    expect([heartbeat.answered(bytesOf('a'), 46), heartbeat.answered(bytesOf('b'), 47)]).toEqual([null, 7]);
  });
});

it('a payload of its own is its number, the highest octet first', () => {
  const heartbeat = new Heartbeat(100, 50, 0);
  expect([...heartbeat.nextPayload()]).toEqual([0, 0, 0, 1]);
  Object.assign(heartbeat, { sequence: 0x01020303 });
  expect([...heartbeat.nextPayload()]).toEqual([1, 2, 3, 4]);
});
