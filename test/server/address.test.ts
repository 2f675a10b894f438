import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalAddress, carriedIPv4, formatAddress, parseAddress } from '../../src/server/address.ts';
import { AddressCounter } from '../../src/server/address-counter.ts';
import { AddressList, isAddressAllowed } from '../../src/server/address-list.ts';

const ADDRESSES: readonly (readonly [text: string, canonical: string])[] = [
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
  ['0000:0000:0000:0000:0000:ffff:c000:0201', '192.0.2.1'],
  ['::', '::'],
  ['::1', '::1'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['1::', '1::'],
  ['2001:DB8::0001', '2001:db8::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
  ['::192.0.2.1', '::c000:201'],
  ['fe80::1', 'fe80::1'],
];

const NO_ADDRESSES = [
  ...['', ' ', '1', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '0177.0.0.1', '0x7f.0.0.1', '127.1', '2130706433'],
  ...['1.2.3.4 ', ' 1.2.3.4', '1.2.3.-4', '+1.2.3.4', '1.2.3.4e0', '1..2.3', '١.2.3.4', '1.2.3.4\0', '1.2.3.4\n'],
  ...[':', ':::', '1:::2', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '::1:2:3:4:5:6:7:8'],
  ...[
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '12345::',
    'g::',
    '::1%lo',
    'fe80::1%eth0',
    '[::1]',
    '::1/128',
    '::ffff:1.2.3',
  ],
  ...['::ffff:01.2.3.4', '::1.2.3.4:5', '1.2.3.4::', '::ffff:256.1.1.1', 'localhost', 'example.test'],
];

describe('T62: an address', () => {
  test.each(ADDRESSES)('%j is %j', (text, canonical) => {
    expect(isIP(text)).not.toBe(0);
    expect(canonicalAddress(text)).toBe(canonical);
  });

  test.each(NO_ADDRESSES)('%j is none', (text) => {
    expect(parseAddress(text)).toBeNull();
    expect(canonicalAddress(text)).toBe(text);
  });

  test('what is printed reads as what it was, and as the platform reads it', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 }).map((list) => Uint8Array.from(list)),
    );
    fc.assert(
      fc.property(bytes, (address) => {
        const text = formatAddress(address);
        const again = parseAddress(text)!;
        expect(isIP(text)).toBe(address.length === 4 ? 4 : 6);
        expect(formatAddress(again)).toBe(again.length === 4 ? again.join('.') : text);
        // The platform's own notation of an IPv6 host.
        if (again.length === 16) expect(new URL(`http://[${text}]`).hostname).toBe(`[${text}]`);
        expect(again).toEqual(again.length === address.length ? address : address.slice(12));
      }),
    );
  });

  test('any text is an address exactly if the platform says so, zones aside', () => {
    const part = fc.constantFrom('0', '1', '01', '255', '256', 'ff', 'ffff', ':', '::', '.', '1.2.3.4', '%a', ' ', 'g');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        if (!text.includes('%')) expect([text, parseAddress(text) !== null]).toEqual([text, isIP(text) !== 0]);
        else expect(parseAddress(text)).toBeNull();
      }),
      { numRuns: 2_000 },
    );
  });

  test('carries an IPv4 address if it is IPv4-compatible, NAT64 or 6to4, and not if it is that address', () => {
    const carried = (text: string) => {
      const found = carriedIPv4(parseAddress(text)!);
      return found === null ? null : formatAddress(found);
    };
    expect(carried('::127.0.0.1')).toBe('127.0.0.1');
    expect(carried('64:ff9b::10.1.2.3')).toBe('10.1.2.3');
    expect(carried('2002:a01:203::5')).toBe('10.1.2.3');
    for (const text of ['::', '::1', '10.1.2.3', '::ffff:10.1.2.3', '2001:db8::1', '64:ff9b:1::10.1.2.3']) {
      expect(carried(text)).toBeNull();
    }
  });
});

describe('seed 55: an address list', () => {
  test('has addresses and networks, each in its family, however they are written', () => {
    const list = new AddressList(['10.0.0.0/8', '192.0.2.1', '::1', '2001:DB8::/32', '::ffff:198.51.100.0/120']);
    for (const inside of [
      ...['10.0.0.0', '10.255.255.255', '192.0.2.1', '::1', '2001:db8:ffff::1', '198.51.100.77'],
      ...['::ffff:10.1.2.3', '::ffff:a01:203', '0:0:0:0:0:ffff:192.0.2.1', '0::1'],
    ]) {
      expect([inside, list.has(inside)]).toEqual([inside, true]);
    }
    for (const outside of [
      ...['11.0.0.0', '9.255.255.255', '192.0.2.2', '::2', '2001:db9::', '198.51.101.0', '127.0.0.1'],
      // Other addresses that only look alike, or lead to the same machine.
      ...['::10.1.2.3', '64:ff9b::10.1.2.3', '2002:a01:203::1', '2001:db8::1%eth0', '::1%lo'],
      ...['010.1.2.3', '10.1.2', 'localhost', '', ' 10.1.2.3'],
    ]) {
      expect([outside, list.has(outside)]).toEqual([outside, false]);
    }
    expect(list.has(null)).toBe(false);
  });

  test('of everything: /0 is a whole family, and not the other one', () => {
    const six = new AddressList(['::/0']);
    expect([six.has('2001:db8::1'), six.has('10.0.0.1'), six.has('::ffff:10.0.0.1')]).toEqual([true, false, false]);
    const four = new AddressList(['0.0.0.0/0']);
    expect([four.has('10.0.0.1'), four.has('::ffff:10.0.0.1'), four.has('::1')]).toEqual([true, true, false]);
    expect([...new AddressList(['::ffff:0:0/96'])]).toEqual(['0.0.0.0/0']);
  });

  test('equals a check of each bit, for any prefix', () => {
    const address = fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((text) => parseAddress(text)?.length === 16),
    );
    fc.assert(
      fc.property(address, address, fc.nat(128), (network, asked, nat) => {
        const bits = (text: string) =>
          [...parseAddress(text)!].map((octet) => octet.toString(2).padStart(8, '0')).join('');
        const length = Math.min(nat, bits(network).length);
        const prefix = bits(network).slice(0, length);
        const bytes = bits(network).length / 8;
        const padded = prefix.padEnd(8 * bytes, '0').match(/.{8}/g)!;
        const entry = formatAddress(Uint8Array.from(padded, (octet) => Number.parseInt(octet, 2)));
        if (parseAddress(entry)!.length !== bytes) return;
        const list = new AddressList([`${entry}/${length}`]);
        expect(list.has(asked)).toBe(bits(asked).length === 8 * bytes && bits(asked).startsWith(prefix));
        expect(list.has(network)).toBe(true);
      }),
    );
  });

  test('changes: add, delete, replace, each entry once', () => {
    const list = new AddressList();
    expect([list.size, list.has('127.0.0.1')]).toEqual([0, false]);
    expect([list.add('127.0.0.1'), list.add('::ffff:127.0.0.1'), list.add('127.0.0.1/32')]).toEqual([
      true,
      false,
      false,
    ]);
    expect(list.add('127.0.0.0/8')).toBe(true);
    expect([...list]).toEqual(['127.0.0.1', '127.0.0.0/8']);
    expect([list.delete('::ffff:7f00:1'), list.delete('127.0.0.1'), list.has('127.0.0.1')]).toEqual([
      true,
      false,
      true,
    ]);
    expect([list.delete('127.0.0.0/8'), list.size, list.has('127.0.0.1')]).toEqual([true, 0, false]);
    list.replace(['10.0.0.0/8', '::1']);
    expect(() => list.replace(['192.0.2.1', 'localhost'])).toThrow('localhost');
    expect([...list]).toEqual(['10.0.0.0/8', '::1']);
    list.replace(new Set(['192.0.2.1']));
    expect([...list]).toEqual(['192.0.2.1']);
  });

  test.each<[unknown, string]>([
    ['localhost', 'names are not looked up'],
    ['', 'names are not looked up'],
    ['010.0.0.1', 'without leading zeros'],
    ['10.0.0', 'four numbers'],
    ['10.0.0.0/33', '0 to 32'],
    ['10.0.0.0/', '0 to 32'],
    ['10.0.0.0/08', '0 to 32'],
    ['10.0.0.0/-1', '0 to 32'],
    ['10.0.0.0/8/8', '0 to 32'],
    ['10.0.0.0/1e1', '0 to 32'],
    ['::/129', '0 to 128'],
    ['::ffff:10.0.0.0/95', '96 to 128'],
    ['10.0.0.1/8', 'bits behind its first 8'],
    ['2001:db8::1/64', 'bits behind its first 64'],
    ['fe80::1%eth0', 'a zone'],
    ['[::1]', 'without brackets'],
    ['1:2:3', 'not a full IPv6 address'],
    [7, 'must be a string'],
    [null, 'must be a string'],
  ])('takes no entry %j', (entry, text) => {
    expect(() => new AddressList([entry as string])).toThrow(text);
    expect(() => new AddressList([entry as string])).toThrow(expect.objectContaining({ name: 'UsageError' }));
  });

  test('is made of a list', () => {
    for (const wrong of ['127.0.0.1', 5, {}, null]) expect(() => new AddressList(wrong as never)).toThrow('array');
  });
});

describe('T62: allowed and denied', () => {
  const list = (...entries: string[]) => new AddressList(entries);

  test('deny wins, an empty allow list denies, and what is no address is out', () => {
    expect(isAddressAllowed('10.0.0.1', null, null)).toBe(true);
    expect(isAddressAllowed(null, null, null)).toBe(true);
    expect(isAddressAllowed('10.0.0.1', list(), null)).toBe(false);
    expect(isAddressAllowed('10.0.0.1', null, list())).toBe(true);
    expect(isAddressAllowed('10.0.0.1', list('10.0.0.0/8'), list('10.0.0.1'))).toBe(false);
    expect(isAddressAllowed('10.0.0.2', list('10.0.0.0/8'), list('10.0.0.1'))).toBe(true);
    for (const unreadable of ['fe80::1%eth0', '10.0.0.01', '', null]) {
      expect(isAddressAllowed(unreadable, list('::/0', '0.0.0.0/0'), null)).toBe(false);
      expect(isAddressAllowed(unreadable, null, list('192.0.2.1'))).toBe(false);
    }
  });

  // Spelling, whether `127.0.0.1` as the allow list lets it in, whether it as the deny list keeps it out.
  test.each<[string, boolean, boolean]>([
    ['127.0.0.1', true, true],
    ['::ffff:127.0.0.1', true, true],
    ['::FFFF:127.0.0.1', true, true],
    ['::ffff:7f00:1', true, true],
    ['::ffff:7F00:0001', true, true],
    ['0:0:0:0:0:ffff:7f00:1', true, true],
    ['0000:0000:0000:0000:0000:ffff:127.0.0.1', true, true],
    ['0::ffff:127.0.0.1', true, true],
    ['::127.0.0.1', false, true],
    ['::7f00:1', false, true],
    ['64:ff9b::127.0.0.1', false, true],
    ['64:ff9b::7f00:1', false, true],
    ['2002:7f00:1::', false, true],
    ['2002:7f00:1:ffff::9', false, true],
    ['::1', false, false],
    ['::', false, false],
    ['127.0.0.2', false, false],
    ['::ffff:127.0.0.2', false, false],
    ['2001:db8::7f00:1', false, false],
    ['::ffff:0:127.0.0.1', false, false],
    ['64:ff9b:1::127.0.0.1', false, false],
    ['::1:ffff:7f00:1', false, false],
    ['127.0.0.1%lo', false, true],
    ['::ffff:127.0.0.1%lo', false, true],
    ['::1%lo', false, true],
    ['fe80::1%1', false, true],
    ['127.0.0.01', false, true],
    ['127.1', false, true],
    ['0177.0.0.1', false, true],
    ['0x7f000001', false, true],
    ['2130706433', false, true],
    ['127.0.0.1.', false, true],
    [' 127.0.0.1', false, true],
    ['127.0.0.1\0', false, true],
    ['127.0.0.1/32', false, true],
    ['127.0.0.1:80', false, true],
    ['[::ffff:127.0.0.1]', false, true],
    ['localhost', false, true],
    ['١٢٧.0.0.1', false, true],
    ['', false, true],
  ])('%j: allowed %s, denied %s', (spelling, allowed, denied) => {
    expect(isAddressAllowed(spelling, list('127.0.0.1'), null)).toBe(allowed);
    expect(isAddressAllowed(spelling, null, list('127.0.0.1'))).toBe(!denied);
  });
});

describe('the counter of addresses', () => {
  test('counts each member once, and an IPv6 network as one; nothing is left behind', () => {
    const counter = new AddressCounter();
    const members = [{}, {}, {}, {}];
    counter.enter(members[0]!, '10.0.0.1');
    counter.enter(members[0]!, '10.0.0.1');
    counter.enter(members[1]!, '::ffff:10.0.0.1');
    counter.enter(members[2]!, '2001:db8::1');
    counter.enter(members[3]!, '2001:db8::ffff:1');
    counter.enter({}, null);
    expect([counter.count('10.0.0.1'), counter.count('10.0.0.2'), counter.count(null)]).toEqual([2, 0, 0]);
    expect([counter.count('2001:db8::2'), counter.count('2001:db8:0:1::2'), counter.size]).toEqual([2, 0, 2]);
    for (const member of [...members, ...members, {}]) counter.leave(member);
    expect([counter.count('10.0.0.1'), counter.size]).toEqual([0, 0]);
  });

  test('counts addresses with a zone by their text', () => {
    const counter = new AddressCounter();
    counter.enter({}, 'fe80::1%eth0');
    expect([counter.count('fe80::1%eth0'), counter.count('fe80::1%eth1')]).toEqual([1, 0]);
  });
});
