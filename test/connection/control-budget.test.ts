/** How many control frames may come between two data messages (RFC 6455 section 10.4). */
import { expect, it } from 'vitest';
import { ControlBudget } from '../../src/connection/control-budget.ts';

const some = (budget: ControlBudget, count: number, now: number) =>
  Array.from({ length: count }, () => budget.allows(now));

it('allows as many as it says, and not one more', () => {
  const budget = new ControlBudget(3, 0);
  expect(some(budget, 5, 9_999)).toEqual([true, true, true, false, false]);
});

it('begins anew with a data message', () => {
  const budget = new ControlBudget(2, 0);
  expect(some(budget, 2, 1)).toEqual([true, true]);
  budget.renew();
  expect(some(budget, 3, 1)).toEqual([true, true, false]);
});

it('begins anew 10 s after its beginning, and then 10 s after that moment', () => {
  const budget = new ControlBudget(1, 500);
  expect(some(budget, 2, 10_499)).toEqual([true, false]);
  expect(some(budget, 2, 10_500)).toEqual([true, false]);
  expect(some(budget, 1, 20_499)).toEqual([false]);
  expect(some(budget, 2, 25_000)).toEqual([true, false]);
  // The window began at 25,000, not at 20,500.
  expect(some(budget, 1, 34_999)).toEqual([false]);
  expect(some(budget, 1, 35_000)).toEqual([true]);
});
