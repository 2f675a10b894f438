import { describe, expect, test } from 'vitest';
import { parseUrl } from '../../src/client/url.ts';
import { UsageError } from '../../src/index.ts';

describe('row 3, row 4: what a URL says', () => {
  test.each([
    ['ws://a.example', false, 'a.example', 80, 'a.example', '/'],
    ['wss://a.example', true, 'a.example', 443, 'a.example', '/'],
    ['http://a.example/x', false, 'a.example', 80, 'a.example', '/x'],
    ['https://a.example/x', true, 'a.example', 443, 'a.example', '/x'],
    ['WSS://A.Example/X', true, 'a.example', 443, 'a.example', '/X'],
    ['ws://a.example:80/', false, 'a.example', 80, 'a.example', '/'],
    ['wss://a.example:443/', true, 'a.example', 443, 'a.example', '/'],
    ['ws://a.example:443/', false, 'a.example', 443, 'a.example:443', '/'],
    ['wss://a.example:80/', true, 'a.example', 80, 'a.example:80', '/'],
    ['ws://a.example:', false, 'a.example', 80, 'a.example', '/'],
    ['ws://[::1]:8080/x?y', false, '::1', 8080, '[::1]:8080', '/x?y'],
    ['ws://[2001:DB8::1]', false, '2001:db8::1', 80, '[2001:db8::1]', '/'],
    ['ws://127.0.0.1:8080', false, '127.0.0.1', 8080, '127.0.0.1:8080', '/'],
    ['ws://a.example?q=1', false, 'a.example', 80, 'a.example', '/?q=1'],
    ['ws://a.example/a b/ü?q=é', false, 'a.example', 80, 'a.example', '/a%20b/%C3%BC?q=%C3%A9'],
    ['ws://a.example/%23?a=/?', false, 'a.example', 80, 'a.example', '/%23?a=/?'],
  ])('%s', (url, secure, hostname, port, host, target) => {
    expect(parseUrl(url)).toEqual({ secure, hostname, port, host, target, socketPath: null });
  });

  test.each([
    ['ws+unix:/run/a.sock', '/run/a.sock', '/'],
    ['ws+unix:///run/a.sock', '/run/a.sock', '/'],
    ['ws+unix:/run/a.sock:/x/y?q=:1', '/run/a.sock', '/x/y?q=:1'],
    ['ws+unix:./a.sock:/', './a.sock', '/'],
    ['ws+unix:/run/a%3Ab%3F.sock:?q', '/run/a:b?.sock', '/?q'],
    ['ws+unix:%00abstract', '\0abstract', '/'],
  ])('%s', (url, socketPath, target) => {
    expect(parseUrl(url)).toMatchObject({ socketPath, target, host: 'localhost', secure: false });
  });

  test('a host beyond ASCII goes through the function that is given', () => {
    expect(parseUrl('ws://bücher.example', () => 'xn--bcher-kva.example').host).toBe('xn--bcher-kva.example');
    expect(() => parseUrl('ws://bücher.example')).toThrow('host');
    expect(() => parseUrl('ws://a b.example', () => '')).toThrow('host');
  });

  test.each([
    ['ws://a.example/#x', 'fragment'],
    ['ws://a.example#', 'fragment'],
    ['ws://user:secret@a.example/', 'Authorization'],
    ['ws://user@a.example/', 'headers'],
    ['ftp://a.example/', 'scheme'],
    ['a.example', 'scheme'],
    ['', 'scheme'],
    ['ws:a.example', 'host'],
    ['ws:/a.example', 'host'],
    ['ws://', 'host'],
    ['ws://:80', 'host'],
    ['ws:///x', 'host'],
    ['ws://a.example:0/', 'port'],
    ['ws://a.example:65536/', 'port'],
    ['ws://a.example:8o/', 'port'],
    ['ws://a.example:-1/', 'port'],
    ['ws://[::1/', 'host'],
    ['ws://[::1%25lo]/', 'host'],
    ['ws://::1/', 'host'],
    ['ws://a%2eexample/', 'host'],
    ['ws://a.example\\@evil.com/', 'backslash'],
    ['ws://a.example/x\r\nX-Evil: 1', 'control'],
    ['ws://a.example\r\n/', 'control'],
    ['ws://a.example/\0', 'control'],
    ['ws://a.example/\ud800', 'surrogate'],
    ['ws+unix:', 'socket'],
    ['ws+unix:/a.sock:x', "'/'"],
    ['ws+unix:/a%zz', 'percent'],
  ])('%j is a UsageError: %s', (url, why) => {
    expect(() => parseUrl(url)).toThrow(UsageError);
    expect(() => parseUrl(url)).toThrow(why);
  });

  test('a password never gets into the text', () => {
    expect(() => parseUrl('ws://user:secret@a.example/')).toThrow(/^((?!secret).)*$/);
    expect(() => parseUrl('ws://user:se/secret@a.example/')).toThrow(/^((?!secret).)*$/);
    expect(() => parseUrl('user:secret@a.example')).toThrow(/^((?!secret).)*$/);
    // It is not taken for one either.
    expect(() => parseUrl('ws://a.example:99999/@name')).toThrow('/@name');
  });
});
