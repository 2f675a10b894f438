/** Options: what is given is taken or refused, never bent; what is left out has its default. */
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  CONNECTION_RULES,
  type ConnectionOptions,
  checkOwn,
  checkRecord,
  quote,
  Settings,
  withPlatform,
} from '../../src/connection/options.ts';
import { TransformChain } from '../../src/extension/chain.ts';
import { UsageError } from '../../src/index.ts';
import { add } from '../rfc6455/extension.ts';

const NEVER = Number.POSITIVE_INFINITY;

function refusal(options: unknown): string {
  try {
    Settings.from(options as ConnectionOptions);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  }
  return 'taken';
}

describe('defaults', () => {
  it('are those that are documented', () => {
    expect(Settings.from({})).toMatchObject({
      maxMessageSize: 1_048_576,
      maxFrameSize: 1_048_576,
      maxFragments: 65_536,
      maxControlFrames: 1_024,
      head: { maxHeadSize: 16_384, maxRequestLine: 8_192, maxHeaders: 100 },
      maxEarlyData: 65_536,
      refuseEarlyData: false,
      askPlainRequests: false,
      handshakeTimeout: 10_000,
      closeTimeout: 5_000,
      pingInterval: 25_000,
      pongTimeout: 20_000,
      autoPong: true,
      maxBufferedAmount: 4_194_304,
      refuseOverflow: false,
      byFragment: false,
      progress: false,
      borrow: false,
      textAsBytes: false,
      extensions: [],
      keys: null,
    });
  });

  it('of sizes follow from others: by fragment there is none, a frame is as large as a message', () => {
    expect(Settings.from({ delivery: 'fragment' })).toMatchObject({ maxMessageSize: NEVER, maxFrameSize: NEVER });
    expect(Settings.from({ delivery: 'fragment', maxMessageSize: 9 })).toMatchObject({
      maxMessageSize: 9,
      maxFrameSize: 9,
    });
    expect(Settings.from({ maxMessageSize: null })).toMatchObject({ maxMessageSize: NEVER, maxFrameSize: NEVER });
    expect(Settings.from({ maxMessageSize: 8_001, maxFrameSize: null })).toMatchObject({
      maxMessageSize: 8_001,
      maxFrameSize: NEVER,
    });
  });

  it('of frames are an eighth and 1 KiB larger where an extension changes payloads, unless they are given', () => {
    const limit = (options: ConnectionOptions, rsvBits: number) =>
      Settings.from(options).decoderRules(true, rsvBits).maxFrameSize;
    expect(limit({ maxMessageSize: 8_001 }, 0)).toBe(8_001);
    expect(limit({ maxMessageSize: 8_001 }, 0x40)).toBe(8_001 + 1_001 + 1_024);
    expect(limit({ maxMessageSize: 8_001, maxFrameSize: 7 }, 0x40)).toBe(7);
    expect(limit({ maxFrameSize: null }, 0x40)).toBe(NEVER);
  });
});

describe('each option', () => {
  const nullable = ['maxMessageSize', 'maxFrameSize', 'maxFragments', 'maxControlFrames', 'maxHeadSize'];
  nullable.push('maxRequestLine', 'maxHeaders', 'handshakeTimeout', 'closeTimeout', 'pingInterval', 'pongTimeout');
  nullable.push('maxBufferedAmount');

  for (const [name, { kind }] of Object.entries(CONNECTION_RULES)) {
    it(`${name} may be left out, and is off with null only where that means something`, () => {
      expect(refusal({ [name]: undefined })).toBe('taken');
      if (nullable.includes(name)) expect(refusal({ [name]: null })).toBe('taken');
      else expect(refusal({ [name]: null })).toContain(`option '${name}'`);
    });

    it(`${name} is not bent: other types and values are refused by name`, () => {
      const wrong: unknown[] = ['1', 'maybe', Number.NaN, () => {}, Symbol.iterator];
      if (kind !== 'boolean') wrong.push(true);
      if (kind === 'size' || kind === 'count') wrong.push(0, -1, 1.5, NEVER, 2 ** 53, [], {});
      else if (kind === 'duration') wrong.push(0, -1, NEVER, -NEVER, [], {});
      else wrong.push(5);
      for (const value of wrong) expect(refusal({ [name]: value })).toContain(`option '${name}'`);
    });
  }

  it('that is null is off', () => {
    const off = Settings.from(Object.fromEntries(nullable.map((name) => [name, null])));
    for (const name of nullable) {
      const value = { ...off, ...off.head }[name];
      expect(value === null || value === NEVER, name).toBe(true);
    }
  });

  it('is taken as it is', () => {
    const given = { maxMessageSize: 1, maxFragments: 2, maxControlFrames: 3, maxEarlyData: 4, handshakeTimeout: 0.5 };
    expect(Settings.from(given)).toMatchObject(given);
    expect(Settings.from({ plainRequests: 'ask', earlyData: 'refuse', overflow: 'refuse' })).toMatchObject({
      askPlainRequests: true,
      refuseEarlyData: true,
      refuseOverflow: true,
    });
    expect(Settings.from({ text: 'bytes', borrow: true, progress: true, autoPong: false })).toMatchObject({
      textAsBytes: true,
      borrow: true,
      progress: true,
      autoPong: false,
    });
  });

  it('says what it may be, and what came', () => {
    expect(refusal({ maxFragments: 0 })).toBe(
      "connection: option 'maxFragments' must be a whole number above 0 (or null for off), not 0",
    );
    expect(refusal({ maxEarlyData: [] })).toBe(
      "connection: option 'maxEarlyData' must be a whole number of bytes above 0, not an array",
    );
    expect(refusal({ pingInterval: '5s' })).toBe(
      "connection: option 'pingInterval' must be a number of milliseconds above 0 (or null for off), not '5s'",
    );
    expect(refusal({ overflow: {} })).toBe("connection: option 'overflow' must be 'close' or 'refuse', not an object");
    expect(refusal({ autoPong: () => {} })).toBe("connection: option 'autoPong' must be a boolean, not a function");
    expect(refusal({ extensions: {} })).toContain('must be an array');
    expect(refusal({ platform: 5 })).toContain('must be an object');
    expect(refusal({ ping: 5 })).toContain("there is no option 'ping'; known are maxMessageSize, ");
    for (const none of [null, 5, 'options', undefined]) expect(refusal(none)).toContain('options must be an object');
  });
});

describe('what the platform lends', () => {
  it('is of the right form, each part by its name', () => {
    for (const name of ['random', 'allocate', 'text', 'deflate']) {
      for (const wrong of [5, 'x', null, true]) {
        expect(refusal({ platform: { [name]: wrong } })).toMatch(new RegExp(`platform.*${name}`));
      }
    }
    for (const name of ['text', 'deflate'])
      expect(refusal({ platform: { [name]: {} } })).toMatch(new RegExp(`platform.*${name}`));
    expect(refusal({ platform: { random: () => {}, allocate: (size: number) => new Uint8Array(size) } })).toBe('taken');
  });
});

describe('extensions', () => {
  it('claim reserved bits, and nothing else', () => {
    expect(refusal({ extensions: [add] })).toBe('taken');
    for (const rsvBits of [0x80, 0x08, 0x41, 1, 1.5, -1, '64', null]) {
      expect(refusal({ extensions: [{ ...add, rsvBits }] })).toMatch(/extension/);
    }
    for (const rsvBits of [0, 0x10, 0x20, 0x70]) expect(refusal({ extensions: [{ ...add, rsvBits }] })).toBe('taken');
    for (const wrong of [null, undefined, 5, {}, { ...add, name: 5 }, { ...add, accept: null }]) {
      expect(refusal({ extensions: [wrong] })).toMatch(/extension/i);
    }
  });

  it('are those of the moment: the list may change afterwards', () => {
    const extensions = [add];
    const settings = Settings.from({ extensions });
    extensions.length = 0;
    expect(settings.extensions).toEqual([add]);
  });
});

describe('readers', () => {
  const chainOf = (rsvBits: number) => new TransformChain([{ ...add.agree(ANSWER)!, rsvBits }]);

  it('are shared by role and by what extensions claim: one that was put back is taken again', () => {
    const settings = Settings.from({});
    const server = settings.takeReader(true, null);
    const client = settings.takeReader(false, null);
    expect([server.masked, client.masked, server.rsvBits]).toEqual([true, false, 0]);
    for (const reader of [server, client]) settings.putReader(reader);
    expect([settings.takeReader(false, null), settings.takeReader(true, null)]).toEqual([client, server]);
    expect(settings.takeReader(true, null)).not.toBe(server);
    const chain = chainOf(0x40);
    const changed = settings.takeReader(true, chain);
    expect([changed.rsvBits, changed.chain]).toEqual([0x40, chain]);
    settings.putReader(changed);
    expect(changed.chain).toBe(null);
    // Another one is needed where the bits differ, and the last one lies there still.
    expect(settings.takeReader(true, null).rsvBits).toBe(0);
    expect(settings.takeReader(true, chainOf(0x40))).toBe(changed);
  });

  it('are put back up to sixteen; the next one takes the place of the oldest', () => {
    const settings = Settings.from({});
    const all = Array.from({ length: 18 }, () => settings.takeReader(true, null));
    for (const reader of all) settings.putReader(reader);
    const again = Array.from({ length: 17 }, () => settings.takeReader(true, null));
    expect(again.slice(0, 16)).toEqual([...all.slice(1, 16).toReversed(), all[17]]);
    expect(all).not.toContain(again[16]);
  });

  it('read by rules that are one object as long as they are the same', () => {
    const settings = Settings.from({ maxMessageSize: 800, maxFragments: 3 });
    const rules = settings.decoderRules(true, 0);
    expect(rules).toEqual({ masked: true, rsvBits: 0, maxFrameSize: 800, maxMessageSize: 800, maxFragments: 3 });
    expect(settings.decoderRules(true, 0)).toBe(rules);
    expect(settings.decoderRules(false, 0)).toEqual({ ...rules, masked: false });
    expect(settings.decoderRules(false, 0x40)).toMatchObject({ rsvBits: 0x40, maxFrameSize: 1_924 });
  });
});

it('Settings are what they are: they are not read again', () => {
  const settings = Settings.from({ maxFragments: 5 });
  expect(Settings.from(settings)).toBe(settings);
  expect(Settings.from({ maxFragments: 5 })).not.toBe(settings);
});

const ANSWER = { name: 'x-add', parameters: [{ name: 'key', value: '3' }] };

it('what an object must have is said where it must have something', () => {
  const platform = { text: {} } as never;
  expect(() => Settings.from({ platform })).toThrow("option 'text' must be an object with decode, not an object");
  expect(() => Settings.from({ platform: 5 as never })).toThrow("option 'platform' must be an object, not 5");
});

describe('options that are copied', () => {
  class Fields {
    port = 1;
  }
  class Getters extends Fields {
    get authorize(): boolean {
      return false;
    }
  }

  it('are taken if all are own properties, whatever the object is', () => {
    const bare = Object.assign(Object.create(null), { port: 1 });
    const own = Object.defineProperty({}, 'port', { get: () => 1, enumerable: true });
    for (const given of [{ port: 1 }, bare, own, Object.freeze({}), new Fields(), runInNewContext('({ port: 1 })')]) {
      expect(() => checkRecord(given, 'here')).not.toThrow();
    }
  });

  it('are refused by name if one is inherited, or is not copied', () => {
    expect(() => checkRecord(new Getters(), 'here')).toThrow(
      "here: 'authorize' is inherited: give an object whose own properties are the options, as in { authorize: … }",
    );
    expect(() => checkRecord(Object.create({ port: 1 }), 'here')).toThrow("here: 'port' is inherited");
    const bare = Object.assign(Object.create(null), { port: 1 });
    expect(() => checkRecord(Object.create(bare), 'here')).toThrow("here: 'port' is inherited");
    expect(() => checkRecord(Object.create(new Getters()), 'here')).toThrow("here: 'port' is inherited");
    expect(() => checkOwn(new Map(), 'here')).toThrow(UsageError);
    const hidden = Object.defineProperty({}, 'port', { value: 1 });
    expect(() => checkRecord(hidden, 'here')).toThrow("here: 'port' is not enumerable");
    expect(() => checkOwn(hidden, 'here')).not.toThrow();
  });

  it('are an object', () => {
    for (const [wrong, shown] of [
      [5, '5'],
      [null, 'null'],
      ['port', "'port'"],
      [[], 'an array'],
    ]) {
      expect(() => checkRecord(wrong, 'here')).toThrow(`here: options must be an object, not ${shown}`);
    }
  });

  it('of the platform are those of the caller, and of the shell where it has none', () => {
    const [lent, own] = [() => {}, () => {}];
    expect(withPlatform({ random: lent }, undefined, 'here')).toEqual({ random: lent });
    expect(withPlatform({ random: lent }, {}, 'here')).toEqual({ random: lent });
    expect(withPlatform({ random: lent }, { random: own }, 'here')).toEqual({ random: own });
    expect(() => withPlatform({}, new Getters() as never, 'here')).toThrow("here: platform: 'authorize' is inherited");
  });
});

it('text in an error is shown so that all of it can be seen', () => {
  expect([quote('a\n'), quote(5n), quote(() => {}), quote([1])]).toEqual(['"a\\n"', '5', 'a function', 'an array']);
});
