/** RFC 7692 section 7.1: what is read, answered, taken and refused; and that both sides always mean the same. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PermessageDeflateOptions, readDeflateOptions } from '../../src/extension/permessage-deflate/options.ts';
import {
  acceptsOne,
  answerOffer,
  type DeflateTerms,
  offersFor,
  printParameters,
  readParameters,
  termsOf,
} from '../../src/extension/permessage-deflate/parameters.ts';
import { permessageDeflate } from '../../src/extension/permessage-deflate/permessage-deflate.ts';
import { formatExtensions, parseExtensions } from '../../src/handshake/header-grammar.ts';
import { acceptExtensions, agreeExtensions, offerExtensions } from '../../src/handshake/negotiate.ts';

const WIDE: PermessageDeflateOptions = { windowBits: 15 };

/** The server's answer to a header of the client; `null` for a header that is malformed as a whole. */
function answerTo(header: string, options: PermessageDeflateOptions = {}): string | null {
  const offers = parseExtensions([header]);
  return offers === null ? null : acceptExtensions(offers, [permessageDeflate({ ...WIDE, ...options })]).header;
}

/** Whether the client takes the server's answer. */
function agrees(header: string, options: PermessageDeflateOptions = WIDE): boolean {
  const answers = parseExtensions([header]);
  return answers !== null && agreeExtensions(answers, [permessageDeflate(options)]) !== null;
}

const P = 'permessage-deflate';

describe('T35: what a server answers', () => {
  const table: readonly [offer: string, answer: string | null, options?: PermessageDeflateOptions][] = [
    [P, P],
    [`${P}; server_no_context_takeover`, `${P}; server_no_context_takeover`],
    [`${P}; client_no_context_takeover`, `${P}; client_no_context_takeover`],
    [`${P}; client_max_window_bits`, P],
    [`${P}; client_max_window_bits=15`, P],
    [`${P}; client_max_window_bits=10`, `${P}; client_max_window_bits=10`],
    [`${P}; client_max_window_bits="10"`, `${P}; client_max_window_bits=10`],
    [`${P}; client_max_window_bits`, `${P}; client_max_window_bits=11`, { clientMaxWindowBits: 11 }],
    [`${P}; client_max_window_bits=13`, `${P}; client_max_window_bits=11`, { clientMaxWindowBits: 11 }],
    [`${P}; client_max_window_bits=9`, `${P}; client_max_window_bits=9`, { clientMaxWindowBits: 11 }],
    // Without the parameter in the offer it must not be in the answer.
    [P, `${P}; client_no_context_takeover`, { clientMaxWindowBits: 11 }],
    ...[8, 9, 10, 11, 12, 13, 14, 15].map(
      (bits) => [`${P}; server_max_window_bits=${bits}`, `${P}; server_max_window_bits=${bits}`] as [string, string],
    ),
    [`${P}; server_max_window_bits="10"`, `${P}; server_max_window_bits=10`],
    [`${P}; server_max_window_bits=14`, `${P}; server_max_window_bits=12`, { serverMaxWindowBits: 12 }],
    [`${P}; server_max_window_bits=8`, `${P}; server_max_window_bits=8`, { serverMaxWindowBits: 12 }],
    [P, `${P}; server_max_window_bits=12`, { serverMaxWindowBits: 12 }],
    [P, `${P}; server_no_context_takeover; client_no_context_takeover`, { ...WIDE, memory: 'shared' }],
    [P, `${P}; server_no_context_takeover`, { ...WIDE, serverNoContextTakeover: true }],
    [
      `${P}; client_max_window_bits=15; server_max_window_bits=9; client_no_context_takeover; server_no_context_takeover`,
      `${P}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9`,
    ],
    // A bad offer is declined and the next one tried.
    ...['7', '16', '08', '010', '1e1', '0xa', '+9', '9.0', '1000', '150', 'x'].flatMap((value) => [
      [`${P}; server_max_window_bits=${value}`, ''] as [string, string],
      [`${P}; client_max_window_bits=${value}`, ''] as [string, string],
      [`${P}; server_max_window_bits=${value}, ${P}; client_max_window_bits=9`, `${P}; client_max_window_bits=9`] as [
        string,
        string,
      ],
    ]),
    [`${P}; server_max_window_bits`, ''],
    [`${P}; server_no_context_takeover=1`, ''],
    [`${P}; client_no_context_takeover="true"`, ''],
    [`${P}; foo`, ''],
    [`${P}; foo=1, ${P}`, P],
    [`${P}; Server_No_Context_Takeover`, ''],
    [`${P}; server_no_context_takeover; server_no_context_takeover`, ''],
    [`${P}; client_no_context_takeover; client_no_context_takeover`, ''],
    [`${P}; server_max_window_bits=9; server_max_window_bits=9`, ''],
    [`${P}; client_max_window_bits; client_max_window_bits=9`, ''],
    [`${P}; client_max_window_bits=9; client_max_window_bits, ${P}`, P],
    [`foo, ${P}`, P],
    ['foo', ''],
    ['x-webkit-deflate-frame', ''],
    // One answer for several offers: the first that can be met.
    [`${P}; server_max_window_bits=10, ${P}`, `${P}; server_max_window_bits=10`],
    // Malformed as a whole.
    [`${P};; foo`, null],
    [`${P}; server_max_window_bits="10`, null],
    [`${P}; server_max_window_bits=""`, null],
    [`${P}; server_max_window_bits=`, null],
    [`${P}; =10`, null],
    [`${P} foo`, null],
    [';', null],
  ];
  test.each(table)('%s → %s', (offer, answer, options) => {
    expect(answerTo(offer, options)).toBe(answer);
  });

  test('without being told, a server limits both windows to 4 KiB', () => {
    const answer = (offer: string) => acceptExtensions(parseExtensions([offer])!, [permessageDeflate()]).header;
    expect(answer(`${P}; client_max_window_bits`)).toBe(`${P}; server_max_window_bits=12; client_max_window_bits=12`);
    expect(answer(P)).toBe(`${P}; client_no_context_takeover; server_max_window_bits=12`);
  });
});

describe('T36: what a client takes', () => {
  const table: readonly [answer: string, taken: boolean, options?: PermessageDeflateOptions][] = [
    [P, true],
    [`${P}; server_no_context_takeover`, true],
    [`${P}; client_no_context_takeover`, true],
    [`${P}; server_max_window_bits=15`, true],
    [`${P}; server_max_window_bits=8; client_max_window_bits=8`, true],
    [`${P}; client_max_window_bits="9"`, true],
    ['x-foo', false],
    [`${P}, ${P}`, false],
    [`${P}, x-foo`, false],
    [`${P}; foo=1`, false],
    [`${P}; foo`, false],
    [`${P}; server_max_window_bits`, false],
    [`${P}; server_max_window_bits=7`, false],
    [`${P}; server_max_window_bits=16`, false],
    [`${P}; server_max_window_bits=1000`, false],
    [`${P}; server_max_window_bits=1e1`, false],
    [`${P}; server_max_window_bits=08`, false],
    [`${P}; server_max_window_bits=""`, false],
    [`${P}; client_max_window_bits`, false],
    [`${P}; client_max_window_bits=16`, false],
    [`${P}; server_no_context_takeover=1`, false],
    [`${P}; server_no_context_takeover; server_no_context_takeover`, false],
    [`${P}; server_max_window_bits=9; server_max_window_bits=9`, false],
    [`${P}; client_no_context_takeover; client_no_context_takeover`, false],
    // What was offered must be in the answer.
    [P, false, { serverNoContextTakeover: true }],
    [`${P}; server_no_context_takeover`, true, { serverNoContextTakeover: true }],
    [P, false, { serverMaxWindowBits: 10 }],
    [`${P}; server_max_window_bits=11`, false, { serverMaxWindowBits: 10 }],
    [`${P}; server_max_window_bits=10`, true, { serverMaxWindowBits: 10 }],
    [`${P}; server_max_window_bits=8`, true, { serverMaxWindowBits: 10 }],
    // The second offer: a server that cannot limit its window forgets it.
    [`${P}; server_no_context_takeover`, true, { serverMaxWindowBits: 10 }],
    // The client's own window is its own affair: it uses the smaller one.
    [`${P}; client_max_window_bits=12`, true, { clientMaxWindowBits: 10 }],
  ];
  test.each(table)('%s: %s', (answer, taken, options) => {
    expect(agrees(answer, options)).toBe(taken);
  });
});

test('what a client offers', () => {
  const offered = (options: PermessageDeflateOptions) => offerExtensions([permessageDeflate(options)]);
  expect(offered({})).toBe(`${P}; client_max_window_bits`);
  expect(offered({ clientMaxWindowBits: 9 })).toBe(`${P}; client_max_window_bits=9`);
  expect(offered({ memory: 'shared' })).toBe(
    `${P}; server_no_context_takeover; client_no_context_takeover; client_max_window_bits`,
  );
  expect(offered({ serverMaxWindowBits: 10 })).toBe(
    `${P}; server_max_window_bits=10; client_max_window_bits, ${P}; server_no_context_takeover; client_max_window_bits`,
  );
});

const bits = fc.integer({ min: 8, max: 15 });
const terms: fc.Arbitrary<DeflateTerms> = fc.record({
  serverNoContextTakeover: fc.boolean(),
  clientNoContextTakeover: fc.boolean(),
  serverMaxWindowBits: bits,
  clientMaxWindowBits: bits,
});

describe('properties', () => {
  test('parameters survive the header', () => {
    const parameters = fc.record({
      serverNoContextTakeover: fc.boolean(),
      clientNoContextTakeover: fc.boolean(),
      serverMaxWindowBits: fc.option(bits),
      clientMaxWindowBits: fc.option(fc.oneof(bits, fc.constant('any' as const))),
    });
    fc.assert(
      fc.property(parameters, (given) => {
        const header = formatExtensions([{ name: P, parameters: printParameters(given) }]);
        expect(readParameters(parseExtensions([header])![0]!.parameters, true)).toEqual(given);
      }),
    );
  });

  test('whatever both want, they agree, and neither gets more than it asked for', () => {
    fc.assert(
      fc.property(terms, terms, fc.nat(2), (client, server, lost) => {
        const offers = offersFor(client);
        // A server may decline offers that we would not.
        const chosen = offers[Math.min(lost, offers.length - 1)]!;
        const printed = printParameters(answerOffer(chosen, server));
        const answer = readParameters(printed, false);
        if (answer === null || !acceptsOne(answer, offers)) throw new Error('the client refuses');
        const agreed = termsOf(answer);
        expect(agreed.serverMaxWindowBits).toBeLessThanOrEqual(server.serverMaxWindowBits);
        if (!agreed.serverNoContextTakeover) {
          expect(agreed.serverMaxWindowBits).toBeLessThanOrEqual(client.serverMaxWindowBits);
          expect([client.serverNoContextTakeover, server.serverNoContextTakeover]).toEqual([false, false]);
        }
        if (!agreed.clientNoContextTakeover) {
          expect(agreed.clientMaxWindowBits).toBeLessThanOrEqual(server.clientMaxWindowBits);
          expect([client.clientNoContextTakeover, server.clientNoContextTakeover]).toEqual([false, false]);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('whatever is offered is answered within the offer, or not at all', () => {
    const value = fc.constantFrom(null, '7', '8', '9', '12', '15', '16', '08', '1e1', 'x');
    const parameter = fc.tuple(
      fc.constantFrom(
        'server_max_window_bits',
        'client_max_window_bits',
        'server_no_context_takeover',
        'client_no_context_takeover',
        'foo',
      ),
      value,
    );
    const offer = fc.array(parameter, { maxLength: 4 }).map((parameters) => ({
      name: P,
      parameters: parameters.map(([name, text]) => ({ name, value: text })),
    }));
    let answered = 0;
    fc.assert(
      fc.property(fc.array(offer, { maxLength: 4 }), terms, (offers, wanted) => {
        const { header } = acceptExtensions(offers, [permessageDeflate(wanted)]);
        const readable = offers.map((each) => readParameters(each.parameters, true)).filter((each) => each !== null);
        if (readable.length === 0) {
          expect(header).toBe('');
          return;
        }
        answered++;
        const [answer] = parseExtensions([header])!;
        const read = readParameters(answer!.parameters, false);
        // The first offer that can be read is the one that is answered.
        if (read === null || !acceptsOne(read, [readable[0]!])) throw new Error(`${header} is no answer`);
      }),
      { numRuns: 2_000 },
    );
    expect(answered).toBeGreaterThan(300);
  });
});

describe('options', () => {
  const wrong: readonly (readonly [name: string, ...values: unknown[]])[] = [
    ['level', 0, 10, 1.5, '6', null, Number.NaN],
    ['memoryLevel', 0, 10, null],
    ['windowBits', 7, 16, '15', null],
    ['serverMaxWindowBits', 7, 16, true],
    ['clientMaxWindowBits', 7, 16, true],
    ['serverNoContextTakeover', 1, 'yes', null],
    ['clientNoContextTakeover', 1, 'yes', null],
    ['threshold', -1, 0.5, null, '0'],
    ['compressLimit', 0, -1, '1'],
    ['memory', 'dedicate', null, 1],
    ['codec', {}, 'zlib', 5, { deflater() {} }],
    ['levels', 1],
  ];
  for (const [name, ...values] of wrong) {
    test(`a wrong '${name}' is refused by name`, () => {
      for (const value of values) {
        const given = { [name]: value } as PermessageDeflateOptions;
        expect(() => permessageDeflate(given)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
        expect(() => permessageDeflate(given)).toThrow(new RegExp(`permessage-deflate: .*'${name}'`));
      }
    });
  }

  test('what contradicts the policy of memory is refused', () => {
    for (const memory of ['shared', 'none'] as const) {
      expect(() => permessageDeflate({ memory, serverNoContextTakeover: false })).toThrow(/serverNoContextTakeover/);
      expect(() => permessageDeflate({ memory, clientNoContextTakeover: true })).not.toThrow();
    }
    for (const options of [null, 5, true]) {
      expect(() => permessageDeflate(options as PermessageDeflateOptions)).toThrow(/options must be an object/);
    }
  });

  test('absent options have their defaults, undefined is absent, null is off', () => {
    expect(readDeflateOptions({})).toEqual(readDeflateOptions({ level: undefined, memory: undefined } as object));
    expect(readDeflateOptions({})).toMatchObject({
      level: 6,
      memoryLevel: 8,
      compressLimit: 262_144,
      memory: 'dedicated',
    });
    expect(readDeflateOptions({ compressLimit: null }).compressLimit).toBe(Number.POSITIVE_INFINITY);
    expect(readDeflateOptions({ windowBits: 10, serverMaxWindowBits: 9 })).toMatchObject({
      serverMaxWindowBits: 9,
      clientMaxWindowBits: 10,
    });
  });

  test('the smallest and the largest numbers are taken', () => {
    const least = {
      level: 1,
      memoryLevel: 1,
      serverMaxWindowBits: 8,
      clientMaxWindowBits: 8,
      threshold: 0,
      compressLimit: 1,
    };
    const most = { level: 9, memoryLevel: 9, serverMaxWindowBits: 15, clientMaxWindowBits: 15, threshold: 2 ** 53 - 1 };
    for (const given of [least, most]) expect(readDeflateOptions(given)).toMatchObject(given);
  });

  test('a wrong one is told what came and what was wanted', () => {
    const told = (given: object): string => {
      try {
        readDeflateOptions(given);
      } catch (error) {
        return (error as Error).message.replace('permessage-deflate: ', '');
      }
      return 'taken';
    };
    expect(told({ level: '6' })).toBe("option 'level' must be a whole number from 1 to 9, not '6'");
    expect(told({ windowBits: null })).toBe("option 'windowBits' must be a whole number from 8 to 15, not null");
    expect(told({ threshold: -1 })).toBe("option 'threshold' must be a whole number of bytes, at least 0, not -1");
    expect(told({ compressLimit: {} })).toBe(
      "option 'compressLimit' must be a whole number of bytes, at least 1 (or null for off), not an object",
    );
    expect(told({ memory: () => 'shared' })).toBe(
      "option 'memory' must be 'dedicated' or 'shared' or 'none', not a function",
    );
    expect(told({ serverNoContextTakeover: 1 })).toBe("option 'serverNoContextTakeover' must be a boolean, not 1");
  });
});
