/** The clock that stands still, and the link in memory: order, cuts, latency, windows, ends. */
import { describe, expect, it } from 'vitest';
import { type LinkOptions, memoryLink, VirtualClock } from '../../src/transport/memory.ts';
import type { TransportSink } from '../../src/transport/transport.ts';
import { join, pattern } from '../rfc6455/support.ts';

class Log implements TransportSink {
  readonly events: string[] = [];
  readonly pieces: Uint8Array[] = [];
  received(bytes: Uint8Array): void {
    this.pieces.push(bytes);
    this.events.push(`${bytes.length}`);
  }
  receivedBorrowed(buffer: Uint8Array, length: number): void {
    this.received(buffer.slice(0, length));
  }
  written(): void {
    this.events.push('written');
  }
  ended(): void {
    this.events.push('ended');
  }
  closed(cause?: unknown): void {
    this.events.push(cause === undefined ? 'closed' : 'broken');
  }
}

function linked(options: LinkOptions = {}) {
  const clock = new VirtualClock();
  const link = memoryLink(clock, options);
  const left = new Log();
  const right = new Log();
  link.left.start(left);
  link.right.start(right);
  return { clock, link, left, right };
}

describe('VirtualClock', () => {
  it('moves only when told, wakes in order of time, once', () => {
    const clock = new VirtualClock(100);
    const woken: string[] = [];
    const task = (name: string) => ({ wake: () => woken.push(`${name}@${clock.now()}`) });
    const [a, b, c] = [task('a'), task('b'), task('c')];
    clock.schedule(a, 130);
    clock.schedule(b, 110);
    clock.schedule(c, 120);
    clock.schedule(a, 105);
    clock.cancel(c, 120);
    clock.advance(50);
    expect(woken).toEqual(['a@105', 'b@110']);
    expect([clock.now(), clock.pendingAlarms, clock.nextAlarm]).toEqual([150, 0, Number.POSITIVE_INFINITY]);
  });

  it('what is deferred runs before what yields, and before time moves', () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.yield((name) => order.push(name), 'yield');
    clock.defer((name) => order.push(name), 'defer');
    clock.schedule({ wake: () => order.push('alarm') }, 0);
    clock.runDue();
    expect(order).toEqual(['defer', 'yield', 'alarm']);
  });
});

describe('memoryLink', () => {
  for (const borrowed of [false, true]) {
    it(`every byte arrives once and in order, however it is cut (borrowed: ${borrowed})`, () => {
      let n = 0;
      const { clock, link, right } = linked({ borrowed, cut: () => 1 + (n++ % 7), latency: () => (n * 13) % 50 });
      const sent: Uint8Array[] = [];
      for (let i = 0; i < 50; i++) {
        sent.push(pattern(i * 3, i));
        link.left.write([sent.at(-1)!, new Uint8Array(0)]);
        clock.advance(3);
      }
      clock.advance(1_000);
      expect(join(...right.pieces)).toEqual(join(...sent));
    });
  }

  it('a window counts what is not read; pause holds it', () => {
    const { clock, link, left, right } = linked({ window: 100 });
    link.right.pause();
    expect(link.left.write([pattern(80)])).toBe(0);
    expect(link.left.write([pattern(80)])).toBe(60);
    clock.advance(10);
    expect([link.left.unwritten, right.events]).toEqual([60, []]);
    link.right.resume();
    clock.advance(1);
    expect([link.left.unwritten, left.events.includes('written')]).toEqual([0, true]);
  });

  it('end() is one direction, both close; destroy() and reset are told once on each side', () => {
    const half = linked();
    half.link.left.end();
    half.clock.advance(1);
    expect([half.left.events, half.right.events]).toEqual([[], ['ended']]);
    half.link.right.write([pattern(3)]);
    half.link.right.end();
    half.clock.advance(1);
    expect([half.left.events, half.right.events]).toEqual([
      ['3', 'ended', 'closed'],
      ['ended', 'closed'],
    ]);
    const broken = linked();
    broken.link.reset();
    broken.link.reset();
    broken.clock.advance(1);
    expect([broken.left.events, broken.right.events]).toEqual([['broken'], ['broken']]);
    expect(broken.clock.pendingAlarms).toBe(0);
  });

  it('a silenced link tells nobody', () => {
    const { clock, link, left, right } = linked();
    link.silence();
    link.left.write([pattern(3)]);
    link.left.end();
    clock.advance(1_000);
    expect([left.events, right.events]).toEqual([[], []]);
  });
});
