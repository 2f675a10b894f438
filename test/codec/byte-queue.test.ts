/** Received bytes that wait: read in order, copied where their memory belongs to others, joined where they are small. */
import { describe, expect, it } from 'vitest';
import { ByteQueue } from '../../src/codec/byte-queue.ts';

function filled(size: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i * 13 + seed);
}

/** All that is left, in order; `chunks` is how many chunks it came in. */
function drain(queue: ByteQueue): { bytes: number[]; chunks: number } {
  const bytes: number[] = [];
  let chunks = 0;
  do {
    if (queue.position < queue.end) chunks++;
    while (queue.position < queue.end) bytes.push(queue.bytes[queue.position++]!);
  } while (queue.advance());
  return { bytes, chunks };
}

describe('ByteQueue', () => {
  it('gives what was pushed, in order, and counts it', () => {
    const queue = new ByteQueue();
    const sizes = [3, 0, 4_095, 1, 4_096, 2, 10_000, 4_095, 1, 1];
    const all: number[] = [];
    for (const [i, size] of sizes.entries()) {
      queue.push(filled(size, i), size, false);
      all.push(...filled(size, i));
      expect(queue.length).toBe(all.length);
    }
    queue.position = 2;
    expect(queue.length).toBe(all.length - 2);
    expect(drain(queue).bytes).toEqual(all.slice(2));
    expect(queue.length).toBe(0);
    expect(queue.advance()).toBe(false);
  });

  it('small chunks before and behind a large one stay in order', () => {
    const queue = new ByteQueue();
    const sizes = [1, 10, 5_000, 10, 5_000, 5_000, 3];
    for (const [i, size] of sizes.entries()) queue.push(filled(size, i), size, false);
    expect(drain(queue).bytes).toEqual(sizes.flatMap((size, i) => [...filled(size, i)]));
  });

  it('an empty chunk that would have to wait is nothing to wait for', () => {
    const queue = new ByteQueue();
    queue.push(filled(1), 1, false);
    for (let i = 0; i < 3; i++) queue.push(filled(5), 0, true);
    queue.position = 1;
    expect(queue.advance()).toBe(false);
  });

  it('takes only the first `length` bytes of a chunk', () => {
    const queue = new ByteQueue();
    queue.push(filled(10), 4, false);
    queue.push(filled(10_000), 5_000, false);
    queue.push(filled(10), 3, true);
    expect(queue.length).toBe(5_007);
    expect(drain(queue).bytes).toEqual([...filled(4), ...filled(5_000), ...filled(3)]);
  });

  it('reads the first chunk where it lies', () => {
    const queue = new ByteQueue();
    const chunk = filled(20);
    queue.push(chunk, 20, false);
    expect(queue.bytes).toBe(chunk);
    expect(queue.borrowed).toBe(false);
  });

  it('T20: small chunks that wait are few objects', () => {
    const queue = new ByteQueue();
    queue.push(filled(1), 1, false);
    const all: number[] = [1];
    for (let i = 0; i < 10_000; i++) {
      queue.push(Uint8Array.of(i), 1, true);
      all.push(i & 0xff);
    }
    const { bytes, chunks } = drain(queue);
    expect(bytes).toEqual(all);
    expect(chunks).toBe(1 + Math.ceil(10_000 / 4_096));
  });

  it('copies what waits of a lent chunk, and what would pin more than twice its size; the rest it refers to', () => {
    const cases = [
      { chunk: filled(10_000), length: 10_000, borrowed: true, referred: false },
      { chunk: filled(10_000), length: 10_000, borrowed: false, referred: true },
      { chunk: filled(10_000), length: 5_000, borrowed: false, referred: true },
      { chunk: filled(10_000), length: 4_999, borrowed: false, referred: false },
      { chunk: new Uint8Array(new ArrayBuffer(10_000), 100, 4_500), length: 4_500, borrowed: false, referred: false },
    ];
    for (const { chunk, length, borrowed, referred } of cases) {
      const queue = new ByteQueue();
      queue.push(Uint8Array.of(1), 1, false);
      queue.push(chunk, length, borrowed);
      queue.position = 1;
      expect(queue.advance()).toBe(true);
      expect(queue.end).toBe(length);
      expect(queue.borrowed).toBe(false);
      expect(queue.bytes.buffer === chunk.buffer).toBe(referred);
      if (!referred) expect(queue.bytes.buffer.byteLength).toBe(length);
      expect([...queue.bytes.subarray(0, length)]).toEqual([...chunk.subarray(0, length)]);
    }
  });

  it('keep() ends the loan: what is unread stays as it is when the chunk is used again', () => {
    const queue = new ByteQueue();
    const chunk = filled(20);
    queue.push(chunk, 20, true);
    queue.position = 5;
    queue.keep();
    chunk.fill(0);
    expect([queue.borrowed, queue.length]).toEqual([false, 15]);
    expect(queue.bytes.buffer.byteLength).toBe(15);
    expect(drain(queue).bytes).toEqual([...filled(20).subarray(5)]);
  });

  it('a chunk behind a lent one is no loan', () => {
    const queue = new ByteQueue();
    queue.push(filled(20), 20, true);
    queue.push(filled(20), 20, true);
    queue.position = 20;
    expect([queue.borrowed, queue.advance(), queue.borrowed]).toEqual([true, true, false]);
  });

  it('keep() holds nothing of a chunk that is read, and leaves one that is no loan alone', () => {
    const queue = new ByteQueue();
    const chunk = filled(20);
    queue.push(chunk, 20, true);
    queue.position = 20;
    queue.keep();
    expect([queue.length, queue.bytes.length]).toEqual([0, 0]);
    queue.push(chunk, 20, false);
    queue.keep();
    expect(queue.bytes).toBe(chunk);
  });

  it('pins nothing while it is empty', () => {
    const queue = new ByteQueue();
    queue.push(filled(20), 20, false);
    queue.position = 20;
    expect(queue.advance()).toBe(false);
    expect([queue.length, queue.bytes.length, queue.position, queue.end]).toEqual([0, 0, 0, 0]);
  });

  it('clear() throws everything away; then it begins anew', () => {
    const queue = new ByteQueue();
    for (const size of [10, 20, 5_000]) queue.push(filled(size), size, true);
    queue.clear();
    expect([queue.length, queue.bytes.length, queue.borrowed]).toEqual([0, 0, false]);
    expect(queue.advance()).toBe(false);
    for (const size of [10, 20]) queue.push(filled(size), size, false);
    expect(drain(queue).bytes).toEqual([...filled(10), ...filled(20)]);
  });
});
