import { describe, expect, test } from 'vitest';
import { Headers } from '../../src/index.ts';
import { isOriginAllowed, readAllowedOrigins } from '../../src/server/origin.ts';

function request(host: string, ...origins: string[]) {
  return { host, headers: new Headers(origins.flatMap((origin) => ['Origin', origin])) };
}

describe('T61 without allowedOrigins: the host and port of the request', () => {
  test.each([
    ['https://example.com', 'example.com'],
    ['http://example.com', 'example.com'],
    ['https://example.com', 'example.com:443'],
    ['http://example.com', 'example.com:80'],
    ['https://example.com:8443', 'example.com:8443'],
    ['http://localhost:8080', 'LOCALHOST:8080'],
    ['http://[::1]:8080', '[::1]:8080'],
    ['https://xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ])('%s may connect to %s', (origin, host) => {
    expect(isOriginAllowed(request(host, origin), null)).toBe(true);
  });

  test('a program that sends no Origin may connect', () => {
    expect(isOriginAllowed(request('example.com'), null)).toBe(true);
  });

  test.each([
    ['https://good.example.evil.com', 'good.example'],
    ['https://evilgood.example', 'good.example'],
    ['https://good.example:8443', 'good.example'],
    ['https://good.example', 'good.example:8443'],
    ['https://good.example', 'good.example:80'],
    ['https://good.example.', 'good.example'],
    ['https://good.example@evil.com', 'good.example'],
    ['https://good.example/', 'good.example'],
    ['https://good.example#', 'good.example'],
    ['https://good.example\\.evil.com', 'good.example'],
    ['chrome-extension://good.example', 'good.example'],
    ['file://', 'good.example'],
    ['null', 'good.example'],
    ['', 'good.example'],
    ['good.example', 'good.example'],
    ['https://good.example https://evil.com', 'good.example'],
    ['https://good.example, https://good.example', 'good.example'],
    ['http://good.example:080', 'good.example:8'],
  ])('%j may not connect to %s', (origin, host) => {
    expect(isOriginAllowed(request(host, origin), null)).toBe(false);
  });

  test('two Origin headers are refused, even if both would do', () => {
    expect(isOriginAllowed(request('a.example', 'https://a.example', 'https://a.example'), null)).toBe(false);
  });
});

describe('T61 with allowedOrigins', () => {
  const allowed = readAllowedOrigins(['https://a.example', 'http://localhost:3000'], 'serve');

  test.each([
    ['https://a.example', true],
    ['http://localhost:3000', true],
    ['https://A.example', false],
    ['http://a.example', false],
    ['https://a.example:443', false],
    ['https://a.example.evil.com', false],
    ['null', false],
    ['https://b.example', false],
  ])('%s: %s, compared exactly', (origin, expected) => {
    expect(isOriginAllowed(request('b.example', origin), allowed)).toBe(expected);
  });

  test("'*' lets everybody in", () => {
    expect(isOriginAllowed(request('b.example', 'null'), readAllowedOrigins('*', 'serve'))).toBe(true);
    expect(isOriginAllowed(request('b.example', 'x', 'y'), readAllowedOrigins('*', 'serve'))).toBe(true);
  });

  test.each([
    ['https://a.example/', 'without a slash'],
    ['https://a.example:443', 'leave out the default port'],
    ['https://A.example', 'lower case'],
    ['https://bücher.example', 'punycode'],
    ['a.example', 'scheme://host'],
    ['https://*.a.example/x', 'scheme://host'],
    [7, 'not a string'],
  ])('%j could never match, and is a UsageError: %s', (origin, why) => {
    expect(() => readAllowedOrigins([origin], 'serve')).toThrow(why);
  });

  test('anything but a list is a UsageError that names the option', () => {
    expect(() => readAllowedOrigins('https://a.example', 'serve')).toThrow("option 'allowedOrigins'");
  });
});
