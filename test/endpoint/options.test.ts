/** Options of endpoints: whatever is no value of an option is a UsageError that names it; null alone means off. */
import { describe, expect, it } from 'vitest';
import { type EndpointOptions, EndpointSettings } from '../../src/endpoint/index.ts';
import { ENDPOINT_RULES } from '../../src/endpoint/options.ts';
import { permessageDeflate, UsageError } from '../../src/index.ts';
import { Scramble } from '../support/scramble.ts';

/** One of each sort of value. */
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  1,
  1.5,
  -1,
  2 ** 53,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  7n,
  '',
  '1',
  'true',
  'null',
  Symbol('x'),
  {},
  [],
  [null],
  [{}],
  () => {},
  new Date(0),
  Object(5),
];

/** What each kind of option may be, said once more. */
function isValue(name: string, value: unknown): boolean {
  const rule = ENDPOINT_RULES[name]!;
  if (value === null) return rule.nullable === true;
  // It is copied: whatever is not its own would be lost.
  if (name === 'compression') return typeof value === 'boolean' || (isRecord(value) && isPlain(value as object));
  switch (rule.kind) {
    case 'size':
    case 'count':
      return value === 1;
    case 'duration':
      return value === 1 || value === 1.5 || value === 2 ** 53;
    case 'boolean':
      return typeof value === 'boolean';
    case 'list':
      return Array.isArray(value) && value.length === 0;
    case 'object':
      return isRecord(value);
    case 'function':
      return typeof value === 'function';
    default:
      return false;
  }
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}

function outcome(options: unknown): unknown {
  try {
    return new EndpointSettings(options as EndpointOptions, 'here');
  } catch (error) {
    return error;
  }
}

describe('every option, every sort of value', () => {
  for (const name of Object.keys(ENDPOINT_RULES)) {
    it(name, () => {
      for (const value of VALUES) {
        const result = outcome({ [name]: value });
        if (isValue(name, value)) {
          expect(result, `${name}: ${String(value)}`).toBeInstanceOf(EndpointSettings);
        } else {
          expect(result, `${name}: ${String(value)}`).toBeInstanceOf(UsageError);
          expect((result as UsageError).message).toMatch(new RegExp(`'${name}|${name}: '`));
        }
      }
      expect(outcome({ [name]: undefined })).toBeInstanceOf(EndpointSettings);
    });
  }

  it('options that are no object, or unknown ones, at every level', () => {
    for (const options of [null, 5, 'x', true, [], () => {}, Symbol('x')]) {
      expect(outcome(options), String(options)).toBeInstanceOf(UsageError);
    }
    expect(outcome({ maxMesageSize: 5 })).toMatchObject({ message: expect.stringContaining("'maxMesageSize'") });
    expect(outcome({ toString: 5 })).toMatchObject({ message: expect.stringContaining("'toString'") });
    expect(outcome({ compression: { levle: 5 } })).toMatchObject({ message: expect.stringContaining("'levle'") });
    expect(outcome({ platform: { rnadom: () => {} } })).toMatchObject({ message: expect.stringContaining('rnadom') });
  });

  it('each part of the platform', () => {
    for (const part of ['random', 'text', 'allocate', 'deflate']) {
      for (const value of VALUES) {
        if (typeof value === 'function' && (part === 'random' || part === 'allocate')) continue;
        const result = outcome({ platform: { [part]: value } });
        expect(result, `${part}: ${String(value)}`).toBeInstanceOf(UsageError);
        expect((result as UsageError).message).toContain(`platform: option '${part}'`);
      }
    }
  });

  it('each option of compression; a codec of null is no codec', () => {
    const wrong: Record<string, readonly unknown[]> = {
      level: [null, 0, 10, 1.5, '6', true],
      memoryLevel: [null, 0, 10, '8'],
      windowBits: [null, 7, 16, '9'],
      serverMaxWindowBits: [null, 7, 16, true],
      clientMaxWindowBits: [null, 7, 16, true],
      serverNoContextTakeover: [null, 1, 'yes'],
      clientNoContextTakeover: [null, 0, ''],
      threshold: [null, -1, 1.5, '64', Number.POSITIVE_INFINITY],
      compressLimit: [0, -1, '1', Number.POSITIVE_INFINITY, true],
      memory: [null, 'none ', true, 0],
      codec: [null, false, {}, 'zlib', { deflater: () => {} }, () => {}],
    };
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        const result = outcome({ compression: { [name]: value } });
        expect(result, `${name}: ${String(value)}`).toBeInstanceOf(UsageError);
        expect((result as UsageError).message).toContain(`'${name}'`);
        expect(() => permessageDeflate({ [name]: value }), name).toThrow(UsageError);
      }
      expect(outcome({ compression: { [name]: undefined } }), name).toBeInstanceOf(EndpointSettings);
    }
    expect(outcome({ compression: { compressLimit: null } })).toBeInstanceOf(EndpointSettings);
  });

  it('extensions that claim what is not theirs, or the same as another', () => {
    const wrong = [
      [null],
      [{ name: 'x' }],
      [{ name: 'x', rsvBits: 0x80, offer: () => [], accept: () => null, agree: () => null }],
      [{ name: 'x', rsvBits: '64', offer: () => [], accept: () => null, agree: () => null }],
      [{ name: 'x', rsvBits: 0x40, accept: () => null }],
    ];
    for (const extensions of wrong) {
      const result = outcome({ extensions });
      expect(result, JSON.stringify(extensions)).toBeInstanceOf(UsageError);
      expect((result as UsageError).message).toContain('extension');
    }
    expect(outcome({ extensions: [new Scramble()] })).toBeInstanceOf(EndpointSettings);
    // Two that want the same bits: the peer takes one of them.
    expect(outcome({ extensions: [new Scramble({ rsvBits: 0x40 }), permessageDeflate()] })).toBeInstanceOf(
      EndpointSettings,
    );
  });
});
