/** What is common to all verbs: finding them, their flags, help, errors and exit codes. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Arguments, closest, parseArguments } from '../../src/cli/arguments.ts';
import { CommandError, Exit, SIGNALS } from '../../src/cli/io.ts';
import { VERBS } from '../../src/cli/verbs.ts';
import { cli } from './support.ts';

const names = Object.keys(VERBS);
const ESCAPE = '\x1b[';

describe('sansocket', () => {
  test('without a verb shows the help on standard error, and is a mistake', async () => {
    const { code, stdout, stderr } = await cli([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    for (const name of names) expect(stderr).toContain(name);
  });

  test.each([['--help'], ['-h'], ['help']])('%s shows the help on standard output', async (flag) => {
    const { code, stdout, stderr } = await cli([flag]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of names) expect(stdout).toContain(`${name} `);
  });

  test('the help has every exit code', async () => {
    const { stdout } = await cli(['--help']);
    for (const code of [...Object.values(Exit), ...Object.values(SIGNALS)]) {
      expect(stdout).toMatch(new RegExp(`\\n {2}(\\d+, )*${code}\\b`));
    }
  });

  test('--version shows that of package.json', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(await cli(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test.each([
    ['conect', "did you mean 'connect'?"],
    ['trcae', "did you mean 'trace'?"],
    ['ser', "did you mean 'serve'?"],
    ['hlep', "did you mean 'help'?"],
    ['frobnicate', 'there are connect, serve'],
    ['__proto__', "there is no verb '__proto__'"],
    ['--prot', "there is no option '--prot' before a verb"],
  ])('%s is no verb, and is told what is', async (name, told) => {
    const { code, stdout, stderr } = await cli([name]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told);
    expect(stderr).toContain("see 'sansocket --help'");
  });

  test('what was typed is shown without what a terminal would obey', async () => {
    const { stderr } = await cli(['x\x1b[31m\x07']);
    expect(stderr).toContain('x\\x1b[31m\\x07');
  });
});

describe.each(names)('sansocket %s', (name) => {
  test('has a help that names every flag, in lines of 80 characters', async () => {
    const { verb } = await VERBS[name]!.load();
    const asked = await cli([name, '--help']);
    expect(asked.code).toBe(0);
    expect(await cli(['help', name])).toEqual(asked);
    for (const flag of [...Object.keys(verb.flags), 'help']) expect(asked.stdout).toContain(`--${flag}`);
    const example = /^ {2}\$ /;
    const long = asked.stdout.split('\n').filter((line) => line.length > 80 && !example.test(line));
    expect(long).toEqual([]);
    expect(verb.examples.length).toBeGreaterThan(0);
  });

  test('refuses a flag that it does not have', async () => {
    const { code, stdout, stderr } = await cli([name, '--jsno']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain("there is no option '--jsno'");
    expect(stderr).toContain(`see 'sansocket ${name} --help'`);
  });

  test('the examples of its help are command lines that it understands', async () => {
    const { verb } = await VERBS[name]!.load();
    for (const [line] of verb.examples) {
      const [, rest] = new RegExp(`sansocket ${name}(.*?)(?:[<|]|$)`).exec(line) ?? [];
      expect(rest, line).toBeDefined();
      const words = [...rest!.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
      expect(() => parseArguments(words, verb.flags), line).not.toThrow();
    }
  });
});

describe('colours', () => {
  test('are for terminals', async () => {
    expect((await cli(['--help'], { tty: true })).stdout).toContain(ESCAPE);
    expect((await cli(['--help'])).stdout).not.toContain(ESCAPE);
  });

  test.each([
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ TERM: 'dumb' }, true, false],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, true, false],
  ])('%o on a terminal (%s): %s', async (environment, tty, coloured) => {
    const { stdout } = await cli(['--help'], { tty, environment: environment as Record<string, string> });
    expect(stdout.includes(ESCAPE)).toBe(coloured);
  });
});

describe('flags', () => {
  const flags = {
    port: { short: 'p', value: 'PORT', help: '' },
    wait: { value: 'TIME', help: '' },
    size: { value: 'SIZE', help: '' },
    side: { value: 'SIDE', help: '' },
    header: { short: 'H', value: 'LINE', multiple: true, help: '' },
    binary: { short: 'b', help: '' },
  };
  const read = (...argv: string[]): Arguments => parseArguments(argv, flags);

  test('in every spelling', () => {
    for (const argv of [['--port', '80'], ['--port=80'], ['-p', '80'], ['-p80']]) {
      expect(read(...argv).number('port', 0, 100), argv.join(' ')).toBe(80);
    }
    const given = read('-bH', 'a: b', 'url', '--header=--c', '--', '-x');
    expect(given.has('binary')).toBe(true);
    expect(given.texts('header')).toEqual(['a: b', '--c']);
    expect(given.positionals).toEqual(['url', '-x']);
    expect(given.number('port', 0, 1)).toBeNull();
  });

  test.each([
    [['--port'], '--port needs a value: --port PORT'],
    [['--port', '--binary'], '--port needs a value'],
    [['-p', '-b'], '-p needs a value'],
    [['-p', '-8080'], "-p needs a value: -p PORT; if '-8080' is the value, write --port=-8080"],
    [['--port', '--binary'], "if '--binary' is the value, write --port=--binary"],
    [['--binary=yes'], '--binary takes no value'],
    [['--port=1', '-p', '2'], '-p is given twice'],
    [['--bniary'], "did you mean '--binary'?"],
    [['-q'], "there is no option '-q'"],
    [['--toString'], "there is no option '--toString'"],
  ])('%o is refused', (argv, told) => {
    expect(() => read(...argv)).toThrow(CommandError);
    expect(() => read(...argv)).toThrow(told);
  });

  test.each(['', '-1', '1.5', '0x10', '1e3', '65536', 'ten', ' 1'])('a port is not %o', (text) => {
    expect(() => read(`--port=${text}`).number('port', 0, 65_535)).toThrow(
      '--port must be a whole number from 0 to 65535',
    );
  });

  test('durations have a unit', () => {
    const duration = (text: string) => read(`--wait=${text}`).duration('wait');
    expect(['500ms', '10s', '1.5m', '1h', '0s'].map(duration)).toEqual([500, 10_000, 90_000, 3_600_000, 0]);
    for (const text of ['10', '-1s', '1 s', '1d', 's', '1S', ''])
      expect(() => duration(text), text).toThrow('--wait must be');
    expect(() => duration('501h')).toThrow('--wait must be at most 500h');
  });

  test('sizes may have one', () => {
    const size = (text: string) => read(`--size=${text}`).size('size');
    expect(['0', '125', '1B', '64KiB', '1MiB'].map(size)).toEqual([0, 125, 1, 65_536, 1_048_576]);
    for (const text of ['1kb', '1.5MiB', '-1', '1 KiB', '']) expect(() => size(text), text).toThrow('--size must be');
  });

  test('a choice names what there is', () => {
    expect(read('--side=up').choice('side', ['up', 'down'])).toBe('up');
    expect(() => read('--side=left').choice('side', ['up', 'down'])).toThrow("--side must be up or down, not 'left'");
  });

  test('what was meant is the nearest, if any is near', () => {
    const words = ['binary', 'header', 'port', 'wait'];
    expect(closest('haeder', words)).toBe('header');
    expect(closest('bin', words)).toBe('binary');
    expect(closest('prot', words)).toBe('port');
    expect(closest('frobnicate', words)).toBeNull();
    expect(closest('x'.repeat(1_000_000), words)).toBeNull();
  });
});

describe('what the library says of an option is told of its flag', () => {
  test.each<[string[], string]>([
    [['serve', '--allow', 'localhost'], 'error: --allow: "localhost" is no entry'],
    [['serve', '--path', 'x'], 'error: --path: "x" is no path'],
    [['serve', '--origin', 'x'], 'error: --origin: "x" is not an origin'],
    [['serve', '--subprotocol', 'a b'], 'error: --subprotocol must be'],
    [['serve', '--unix', ''], 'error: --unix is empty\n'],
    [
      ['serve', '--max-message-size', '0'],
      'error: --max-message-size must be a whole number of bytes above 0, not 0\n',
    ],
    [['serve', '--cert', '/none.pem', '--key', 'k'], 'error: --cert: cannot read "/none.pem"'],
    [['connect', ':1', '--ca', 'x'], 'error: TLS means nothing with a URL that is not wss:'],
    [['connect', 'wss://localhost:1', '--ca', '/none.pem'], 'error: --ca: cannot read "/none.pem"'],
    [['connect', ':1', '--proxy', 'x'], 'error: --proxy must be the URL of an HTTP proxy'],
    [['gateway', '-R', '/none/such'], 'error: --docroot: ENOENT'],
    [['gateway', '-r', 'a=tcp:localhost:0'], "error: --route: 'a' needs a port"],
    [['gateway', '-R', '/etc', '--proxy', 'x'], 'error: --proxy: "x" is no entry'],
    [
      ['trace', '-l', '0', '-t', ':1', '--listen-cert', '/none.pem', '--listen-key', 'k'],
      'error: --listen-cert: cannot',
    ],
  ])('%j', async (words, told) => {
    const { code, stderr } = await cli(words);
    expect([code, stderr]).toEqual([2, expect.stringContaining(told)]);
  });
});
