/** The clock of one timer, over timers that the test turns by hand. */
import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../src/transport/node/clock.ts';
import { TimerClock } from '../../src/transport/timer-clock.ts';
import type { Clock } from '../../src/transport/transport.ts';
import { webEnvironment } from '../../src/transport/web/index.ts';

/** Timers that go off only in `pass`, which gives what was thrown in them. */
function byHand() {
  let now = 0;
  const timers = new Map<() => void, number>();
  const clock = new TimerClock({
    now: () => now,
    after(run, delay) {
      timers.set(run, now + delay);
      return () => timers.delete(run);
    },
    defer: (run, argument) => run(argument),
    yield: (run, argument) => run(argument),
  });
  const pass = (milliseconds: number): string[] => {
    const thrown: string[] = [];
    for (const end = now + milliseconds; now < end; now++) {
      for (const [run, at] of [...timers]) {
        if (at > now || !timers.delete(run)) continue;
        try {
          run();
        } catch (error) {
          thrown.push((error as Error).message);
        }
      }
    }
    return thrown;
  };
  return { clock, pass };
}

describe('TimerClock', () => {
  it('wakes everybody, those of one slot and those of later ones, although some throw', () => {
    const { clock, pass } = byHand();
    const woken: string[] = [];
    const task = (name: string, throws = false) => ({
      wake() {
        woken.push(name);
        if (throws) throw new Error(name);
      },
    });
    for (const each of [task('a', true), task('b'), task('c', true), task('d')]) clock.schedule(each, 20);
    clock.schedule(task('e'), 60);
    expect(pass(100)).toEqual(['a', 'c']);
    expect(woken).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('holds nothing unless it is lent what does', () => {
    const { clock } = byHand();
    expect(() => clock.hold()()).not.toThrow();
  });
});

describe('a process', () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const clocks: { readonly [name: string]: Clock } = { node: nodeClock, web: webEnvironment().clock };

  for (const [name, clock] of Object.entries(clocks)) {
    it(`is kept alive by holds alone, until the last is let go, ${name}`, () => {
      const task = { wake() {} };
      const at = clock.now() + 60_000;
      const before = timers();
      clock.schedule(task, at);
      const counts = [timers() - before];
      const first = clock.hold!();
      const second = clock.hold!();
      counts.push(timers() - before);
      first();
      first();
      counts.push(timers() - before);
      second();
      counts.push(timers() - before);
      clock.cancel(task, at);
      expect(counts).toEqual([0, 1, 1, 0]);
    });
  }
});
