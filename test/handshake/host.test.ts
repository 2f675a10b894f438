import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isValidHost } from '../../src/handshake/host.ts';

test.each([
  'a',
  'example.test',
  'example.test:80',
  'example.test:',
  'example.test:65535',
  '127.0.0.1:8080',
  'under_score.test',
  'xn--bcher-kva.test',
  'a%20b',
  'localhost.',
  "!$&'()*+,;=~-._",
  '[::1]',
  '[::]:8080',
  '[2001:db8::8:800:200c:417a]',
  '[1:2:3:4:5:6:7:8]',
  '[1:2:3:4:5:6:7::]',
  '[::ffff:192.0.2.1]:1',
  '[1:2:3:4:5:6:192.0.2.1]',
  'a:9',
  '[::1]:9099',
  '[::255.255.255.255]',
])('RFC 3986 3.2.2: %j is a host', (host) => {
  expect(isValidHost(host)).toBe(true);
});

test.each([
  '',
  ':80',
  'a b',
  'a:b',
  'a:80:80',
  'a:65536',
  'a:123456',
  'a: 80',
  'a:+80',
  'user@a',
  'user:pass@a',
  'a/',
  'a?x',
  'a#x',
  'a\\b',
  'a\tb',
  'a\0',
  'a%2',
  'a%zz',
  'a|b',
  'a^b',
  'a`b',
  'a"b',
  'a<b>',
  'é',
  '[::1',
  '::1',
  '[]',
  '[::1]x',
  '[::1]:x',
  '[[::1]]',
  '[::1%25eth0]',
  '[v1.x]',
  '[1:2:3:4:5:6:7:8:9]',
  '[1:2:3:4:5:6:7]',
  '[1:2:3:4:5:6:7:8::]',
  '[1::2::3]',
  '[:::1]',
  '[1:]',
  '[:1]',
  '[12345::]',
  '[::g]',
  '[::1.2.3]',
  '[::1.2.3.256]',
  '[::1.2.3.04]',
  '[1:2:3:4:5:6:7:1.2.3.4]',
  '[::1.2.3.4:5]',
  'a:8:',
  'a:000080',
  '[1:2:3:4:5:6:7-8]',
  '[::1..2.3]',
  '[::1.2.3.]',
  '[::1.2.3.x]',
  '[::1.2.3.+4]',
  '[::1.2.-3.4]',
])('T14: %j is no host', (host) => {
  expect(isValidHost(host)).toBe(false);
});

test('IPv6 literals are those of the platform', () => {
  const piece = fc.constantFrom(':', '::', '0', '1', 'ab', 'ffff', '12345', '.', '1.2.3.4', '255.0.0.1', 'g');
  fc.assert(
    fc.property(fc.string({ unit: piece, maxLength: 17 }), (text) => {
      expect(isValidHost(`[${text}]`)).toBe(isIPv6(text));
    }),
    { numRuns: 5000 },
  );
  const group = fc.constantFrom('0', '1', 'ab', 'FFFF');
  const addresses = fc.array(fc.oneof({ weight: 8, arbitrary: group }, fc.constantFrom('', '1.2.3.4')), {
    minLength: 2,
    maxLength: 9,
  });
  fc.assert(
    fc.property(addresses, (groups) => {
      const text = groups.join(':');
      expect(isValidHost(`[${text}]`)).toBe(isIPv6(text));
    }),
    { numRuns: 5000 },
  );
});

test('what follows a percent-encoded octet is looked at', () => {
  for (const text of ['%41', '%41:80', 'a%4ab%ffc', '%41%42']) expect(isValidHost(text), text).toBe(true);
  for (const text of ['%41/', '%41 ', '%41%', '%41%4', '%4', '%', '%4g', '%g4', '%/4', '%4:']) {
    expect(isValidHost(text), text).toBe(false);
  }
});
