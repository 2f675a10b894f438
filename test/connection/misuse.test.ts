/** What callers of the engine may get wrong: a UsageError, and nothing has changed. */
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type Connection, EstablishedConnection, UsageError } from '../../src/index.ts';
import { readFrames } from '../rfc6455/support.ts';

function open(): Connection {
  const connection = new EstablishedConnection({ role: 'server' }, {}, 100);
  expect(connection.nextEvent()).toMatchObject({ type: 'open' });
  return connection;
}

const BYTES = Uint8Array.of(65);
const NO_BYTES = [null, 5, 'x', {}, [65], true, new ArrayBuffer(1), new DataView(new ArrayBuffer(1))];
const OTHER_VIEWS = [new Int8Array([-1]), new Uint8ClampedArray(1), new Uint16Array(1), new Float64Array(1)];
const NO_TIMES = [undefined, Number.NaN, Number.POSITIVE_INFINITY, 'soon', '200', {}, () => {}, new Date(200)];

const NO_COUNTS = [undefined, null, Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY, '3', 3n];

const CALLS: [string, readonly unknown[], (connection: Connection, value: never) => unknown][] = [
  ['sendText', [...NO_BYTES.filter((each) => each !== 'x'), ...OTHER_VIEWS], (c, value) => c.sendText(value)],
  ['sendBinary', [...NO_BYTES, ...OTHER_VIEWS], (c, value) => c.sendBinary(value)],
  ['sendFragment, kind', [undefined, null, 'ping', 'close', 'toString', 9], (c, v) => c.sendFragment(v, BYTES, true)],
  ['sendFragment, bytes', [...NO_BYTES, ...OTHER_VIEWS], (c, value) => c.sendFragment('text', value, true)],
  ['sendFragment, last', [undefined, null, 0, 1, 'no'], (c, value) => c.sendFragment('text', BYTES, value)],
  ['sendFragment, compress', [null, 0, 'no'], (c, value) => c.sendFragment('text', BYTES, true, value)],
  ['ping, now', NO_TIMES, (c, value) => c.ping(value)],
  ['ping', [...NO_BYTES, ...OTHER_VIEWS], (c, value) => c.ping(200, value)],
  ['pong', [...NO_BYTES, ...OTHER_VIEWS], (c, value) => c.pong(value)],
  ['close, now', NO_TIMES, (c, value) => c.close(value, 1000)],
  ['close, code', [5, '1000', 1005, 3000.5, Number.NaN, {}], (c, value) => c.close(200, value)],
  ['close, reason', [null, 5, {}, '\ud800'], (c, value) => c.close(200, 1000, value)],
  ['terminate', NO_TIMES, (c, value) => c.terminate(value)],
  ['fail', NO_TIMES, (c, value) => c.fail(value, new Error('mine'))],
  ['receive', [...NO_BYTES.slice(1), ...OTHER_VIEWS], (c, value) => c.receive(value, 200)],
  ['receive, now', NO_TIMES, (c, value) => c.receive(BYTES, value)],
  ['receiveBorrowed', [...NO_BYTES.slice(1), ...OTHER_VIEWS], (c, value) => c.receiveBorrowed(value, 200)],
  ['receiveBorrowed, length', [...NO_COUNTS.slice(1), 2], (c, value) => c.receiveBorrowed(BYTES, 200, value)],
  ['outgoingWritten', NO_COUNTS, (c, value) => c.outgoingWritten(value, 200)],
  ['receiveEnd', NO_TIMES, (c, value) => c.receiveEnd(value)],
  ['handleTimeout', NO_TIMES, (c, value) => c.handleTimeout(value)],
];

describe('T57: a wrong argument is a UsageError, and nothing has changed', () => {
  it.each(CALLS)('%s', (_, values, call) => {
    for (const value of values) {
      const connection = open();
      const before = connection.nextTimeout();
      expect(() => call(connection, value as never), String(value)).toThrow(UsageError);
      expect(connection.readyState).toBe('open');
      expect(connection.traffic).toEqual({ received: 0, written: 0 });
      expect([connection.outgoingLength, connection.bufferedAmount, connection.midMessage]).toEqual([0, 0, false]);
      expect([connection.nextTimeout(), connection.nextEvent(), connection.hasPendingInput]).toEqual([
        before,
        null,
        false,
      ]);
      expect(connection.sendText('still here')).toBeGreaterThan(0);
    }
  });

  it('a birth at no time', () => {
    for (const at of [...NO_TIMES, null]) {
      expect(() => new EstablishedConnection({ role: 'server' }, {}, at as never), String(at)).toThrow(UsageError);
    }
  });

  it('bytes of another realm are bytes', () => {
    const connection = open();
    const theirs = runInNewContext('new Uint8Array([104, 105])') as Uint8Array;
    expect(theirs).not.toBeInstanceOf(Uint8Array);
    connection.sendText(theirs);
    connection.sendBinary(theirs);
    const [wire] = connection.takeOutgoing();
    expect(readFrames(wire!).map(({ opcode, payload }) => [opcode, ...payload])).toEqual([
      [1, 104, 105],
      [2, 104, 105],
    ]);
  });
});
