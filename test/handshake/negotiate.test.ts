import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import type { Extension, ExtensionOffer, PayloadTransform } from '../../src/extension/extension.ts';
import { parseExtensions } from '../../src/handshake/header-grammar.ts';
import {
  acceptExtensions,
  agreeExtensions,
  chooseSubprotocol,
  offerExtensions,
} from '../../src/handshake/negotiate.ts';

interface Named extends PayloadTransform {
  readonly name: string;
  released: number;
}

function transform(name: string, rsvBits: number): Named {
  return {
    name,
    rsvBits,
    released: 0,
    corrupt: false,
    encode: () => null,
    write() {},
    read: () => null,
    release() {
      this.released++;
    },
  };
}

/** An extension that takes an offer or answer without parameters, or with those called `ok`. */
function extension(name: string, rsvBits: number, made: Named[] = []): Extension {
  const fits = (offer: ExtensionOffer) => offer.parameters.every((parameter) => parameter.name === 'ok');
  const make = () => {
    const one = transform(name, rsvBits);
    made.push(one);
    return one;
  };
  return {
    name,
    rsvBits,
    offer: () => [
      { name, parameters: [{ name: 'ok', value: '1' }] },
      { name, parameters: [] },
    ],
    accept: (offer) => (fits(offer) ? { answer: offer, transform: make() } : null),
    agree: (answer) => (fits(answer) ? make() : null),
  };
}

const offers = (value: string) => parseExtensions([value])!;
const names = (transforms: PayloadTransform[]) => transforms.map((each) => (each as Named).name);

describe('RFC 6455 4.2.2: subprotocols', () => {
  test('the first of the server’s list that is offered', () => {
    expect(chooseSubprotocol(['a', 'b', 'c'], ['c', 'b'])).toBe('c');
    expect(chooseSubprotocol(['a'], ['b'])).toBeNull();
    expect(chooseSubprotocol([], ['b'])).toBeNull();
    expect(chooseSubprotocol(['a'], [])).toBeNull();
  });

  test('to the letter', () => {
    expect(chooseSubprotocol(['Chat'], ['chat'])).toBeNull();
    expect(chooseSubprotocol(['__proto__'], ['chat'])).toBeNull();
  });
});

describe('RFC 6455 9.1: the server accepts', () => {
  test('the first offer that fits, of each extension, in our order', () => {
    const ours = [extension('a', 0x40), extension('b', 0x20)];
    const { header, transforms } = acceptExtensions(offers('b, a; no, a; ok=1, a'), ours);
    expect(header).toBe('a; ok=1, b');
    expect(names(transforms)).toEqual(['a', 'b']);
  });

  test('nothing unknown and nothing unfit', () => {
    expect(acceptExtensions(offers('x, a; no, A'), [extension('a', 0x40)])).toEqual({ header: '', transforms: [] });
    expect(acceptExtensions([], [extension('a', 0x40)])).toEqual({ header: '', transforms: [] });
    expect(acceptExtensions(offers('a'), [])).toEqual({ header: '', transforms: [] });
  });

  test('one claim to a reserved bit; the later is not even asked', () => {
    const made: Named[] = [];
    const ours = [extension('a', 0x40), extension('b', 0x60, made), extension('c', 0x20)];
    expect(acceptExtensions(offers('c, b, a'), ours).header).toBe('a, c');
    expect(made).toEqual([]);
    expect(acceptExtensions(offers('c, b'), ours).header).toBe('b');
  });

  test('one name is answered once, also without reserved bits', () => {
    expect(acceptExtensions(offers('a, a'), [extension('a', 0), extension('a', 0)]).header).toBe('a');
  });

  test('T07: six hundred offers', () => {
    const { header } = acceptExtensions(offers('a; no, '.repeat(600)), [extension('a', 0x40)]);
    expect(header).toBe('');
  });

  test('T59: an answer that is no header is a UsageError', () => {
    const evil: Extension = {
      ...extension('a', 0x40),
      accept: () => ({
        answer: { name: 'a', parameters: [{ name: 'b', value: '1\r\nX-Evil: 1' }] },
        transform: transform('a', 0x40),
      }),
    };
    expect(() => acceptExtensions(offers('a'), [evil])).toThrow(UsageError);
  });
});

test('RFC 6455 9.1: the client offers all, in order', () => {
  expect(offerExtensions([])).toBe('');
  expect(offerExtensions([extension('a', 0x40), extension('b', 0x20)])).toBe('a; ok=1, a, b; ok=1, b');
});

describe('T36: the client agrees', () => {
  const made: Named[] = [];
  const ours = [extension('a', 0x40, made), extension('b', 0x20, made), extension('c', 0x40, made)];

  test('in the order of the answer', () => {
    expect(names(agreeExtensions(offers('b; ok, a'), ours)!.transforms)).toEqual(['b', 'a']);
    expect(agreeExtensions([], ours)).toEqual({ transforms: [] });
  });

  test.each([
    ['unknown', 'x'],
    ['unknown after known', 'a, x'],
    ['spelled otherwise', 'A'],
    ['twice', 'a, a'],
    ['twice with different parameters', 'a, b, a; ok'],
    ['a parameter that does not fit', 'a; no'],
    ['the same reserved bit', 'a, c'],
    ['a name of Object.prototype', 'constructor'],
  ])('not to one that is %s, and gives back what it took', (_, answer) => {
    made.length = 0;
    expect(agreeExtensions(offers(answer), ours)).toBeNull();
    expect(made.every((each) => each.released === 1)).toBe(true);
  });

  test('not to one that is answered twice, also without reserved bits', () => {
    made.length = 0;
    expect(agreeExtensions(offers('d, d'), [extension('d', 0, made)])).toBeNull();
    expect(made.map((each) => each.released)).toEqual([1]);
  });

  test('what the server accepts of our offers, we agree to', () => {
    const sides = [extension('a', 0x40), extension('b', 0x20)];
    const { header } = acceptExtensions(offers(offerExtensions(sides)), sides);
    expect(names(agreeExtensions(offers(header), sides)!.transforms)).toEqual(['a', 'b']);
  });
});
