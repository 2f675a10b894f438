/** The ways to deliver the same bytes that must look the same. */

import { byteByByte, cutAt, type Delivery } from '../../test/support/observe.ts';

/** One of them, by number. */
export function deliveryBy(way: number, cuts: readonly number[]): Delivery {
  const cut = cutAt(cuts);
  switch (way % 7) {
    case 0:
      return { cut };
    case 1:
      return { cut: byteByByte };
    case 2:
      return { cut, pull: 'late' };
    case 3:
      return { cut, borrowed: 'until-null' };
    case 4:
      return { cut, borrowed: 'keep' };
    case 5:
      return { cut, borrowed: 'keep', pull: 'late' };
    default:
      return { cut, drain: 'early' };
  }
}
