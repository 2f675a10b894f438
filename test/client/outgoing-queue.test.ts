import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OutgoingQueue, type QueueOptions } from '../../src/client/outgoing-queue.ts';
import { UsageError } from '../../src/errors.ts';

function queueOf(options: QueueOptions | null, told: unknown[] = []): OutgoingQueue {
  const queue = new OutgoingQueue(({ data }) => told.push(data));
  queue.configure(options, 'queue');
  return queue;
}

const push = (queue: OutgoingQueue, data: string | Uint8Array) => queue.push(queue.prepare(data, undefined));

function takeAll(queue: OutgoingQueue): unknown[] {
  const all: unknown[] = [];
  for (let next = queue.take(); next !== null; next = queue.take()) all.push(next.data);
  return all;
}

describe('T86: what waits for a connection', () => {
  test('leaves in order, once', () => {
    const queue = queueOf({});
    for (const text of ['a', 'b', 'c']) expect(push(queue, text)).toBe(true);
    expect(takeAll(queue)).toEqual(['a', 'b', 'c']);
    expect([queue.take(), queue.length, queue.bytes]).toEqual([null, 0, 0]);
  });

  test('is bounded in messages and in bytes of UTF-8', () => {
    const few = queueOf({ maxMessages: 2 });
    expect(['a', 'b', 'c'].map((text) => push(few, text))).toEqual([true, true, false]);
    const small = queueOf({ maxBytes: 4 });
    expect([push(small, 'é'), push(small, 'éé'), push(small, 'é'), push(small, '')]).toEqual([true, false, true, true]);
    expect([small.bytes, small.length, small.hasRoom]).toEqual([4, 3, false]);
  });

  test('makes room by losing the oldest, if one says so', () => {
    const told: unknown[] = [];
    const queue = queueOf({ maxMessages: 2, maxBytes: 6, overflow: 'drop-oldest' }, told);
    for (const text of ['1', '2', '3']) expect(push(queue, text)).toBe(true);
    expect(push(queue, '123456')).toBe(true);
    // What could never fit does not empty the queue first.
    expect(push(queue, '1234567')).toBe(false);
    expect([takeAll(queue), queue.dropped, told]).toEqual([['123456'], 3, ['1', '2', '3']]);
  });

  test('is a copy: bytes may be used again', () => {
    const queue = queueOf({});
    const bytes = Uint8Array.of(1, 2, 3);
    push(queue, bytes);
    bytes.fill(0xee);
    expect(takeAll(queue)).toEqual([Uint8Array.of(1, 2, 3)]);
  });

  test('keeps its options, wherever they stand, and as they were', () => {
    const queue = queueOf({});
    const options = Object.create({ compress: false });
    const { options: kept } = queue.prepare('a', options);
    options.binary = true;
    expect(kept).toEqual({ compress: false });
    expect(queue.prepare('a', { binary: true, fragmentSize: 2 }).options).toEqual({ binary: true, fragmentSize: 2 });
    expect(queue.prepare('a', undefined).options).toBeUndefined();
  });

  test('is nothing when the queue is off', () => {
    const queue = queueOf(null);
    expect([queue.enabled, push(queue, ''), queue.length]).toEqual([false, false, 0]);
  });

  test('is only what a connection would take: later there is nobody to tell', () => {
    const queue = queueOf({});
    const wrong: [unknown, unknown][] = [
      [7, undefined],
      [null, undefined],
      [{}, undefined],
      ['\ud800', undefined],
      [Uint8Array.of(0xff), { binary: false }],
      ['a', { binary: 1 }],
      ['a', { fragmentSize: 0 }],
      [new SharedArrayBuffer(4), undefined],
    ];
    for (const [data, options] of wrong) {
      expect(() => queue.prepare(data as string, options as object), String(data)).toThrow(UsageError);
    }
    expect(queue.prepare(Uint8Array.of(0x61), { binary: false })).toMatchObject({ size: 1 });
  });

  test.each<object>([{ maxMessages: 0 }, { maxBytes: -1 }, { overflow: 'drop' }, { maxMessage: 1 }, []])(
    'bounds such as %j are refused by name',
    (options) => {
      if (Array.isArray(options)) expect(() => queueOf([0] as never)).toThrow(UsageError);
      else expect(() => queueOf(options)).toThrow(new RegExp(Object.keys(options)[0]!));
    },
  );

  test('agrees with the plainest queue there is, whatever is done', () => {
    const commands = fc.array(
      fc.oneof(
        fc.nat(9).map((size) => 'x'.repeat(size)),
        fc.constant(null),
      ),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(
        commands,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        (list, m, b, drop) => {
          const queue = queueOf({ maxMessages: m, maxBytes: b, overflow: drop ? 'drop-oldest' : 'refuse' });
          const model: string[] = [];
          const size = () => model.reduce((sum, each) => sum + each.length, 0);
          for (const command of list) {
            if (command === null) {
              expect(queue.take()?.data).toBe(model.shift());
              continue;
            }
            const fits = command.length <= b;
            if (drop && fits) while (model.length >= m || size() + command.length > b) model.shift();
            const taken = fits && model.length < m && size() + command.length <= b;
            if (taken) model.push(command);
            expect(push(queue, command)).toBe(taken);
            expect([queue.length, queue.bytes]).toEqual([model.length, size()]);
          }
          expect(takeAll(queue)).toEqual(model);
        },
      ),
    );
  });
});
