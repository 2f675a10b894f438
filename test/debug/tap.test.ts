/** The tap: seed 33 and seed 109, what the levels 0, 1 and 2 tell of a connection, and that listening changes nothing. */
import { describe, expect, test } from 'vitest';
import type { DebugSink } from '../../src/debug/options.ts';
import type { FrameRecord } from '../../src/debug/records.ts';
import { upgradeRequest } from '../support/sockets.ts';
import { tapped } from './support.ts';

const conversation = async (level: 0 | 1 | 2, options: { sink?: DebugSink } = {}) => {
  const pair = tapped(level, options);
  pair.server.on('message', ({ data }) => void pair.server.send(`${data}!`));
  const heard: unknown[] = [];
  pair.client.on('message', ({ data }) => heard.push(data));
  await pair.clock.run(20);
  pair.client.send('hello');
  void pair.client.ping('p');
  await pair.clock.run(20);
  void pair.client.close(1000, 'bye');
  await pair.clock.run(50);
  return { ...pair, heard };
};

describe('seed 109: the levels', () => {
  test('0 tells nothing', async () => {
    expect((await conversation(0)).lines).toEqual([]);
  });

  test('seed 33: 1 tells of the states and when they change', async () => {
    const { lines } = await conversation(1);
    expect(lines).toEqual([
      'server#7 +5.00 ms state connecting -> open',
      'server#7 +45.0 ms state open -> closing',
      'server#7 +55.0 ms state closing -> closed',
    ]);
  });

  test('2 tells of frames and bytes besides', async () => {
    const { lines, records } = await conversation(2);
    expect(lines.filter((line) => !line.includes(' bytes '))).toEqual([
      expect.stringMatching(/^server#7 \+5\.00 ms in {2}GET \/chat HTTP\/1\.1 {2}\d+ B$/),
      'server#7 +5.00 ms state connecting -> open',
      expect.stringMatching(/^server#7 \+5\.00 ms out HTTP\/1\.1 101 Switching Protocols {2}\d+ B$/),
      'server#7 +25.0 ms in  text    fin  5 B  "hello"',
      'server#7 +25.0 ms in  ping   1 B  "p"',
      'server#7 +25.0 ms out text    fin  6 B  "hello!"',
      'server#7 +25.0 ms out pong   1 B  round trip 0.00 ms  "p"',
      'server#7 +45.0 ms in  close  5 B  1000 (normal closure)  "bye"',
      'server#7 +45.0 ms state open -> closing',
      expect.stringMatching(/^server#7 \+45\.0 ms out close {2}/),
      expect.stringMatching(/^server#7 \+45\.0 ms out end after \d+ B$/),
      expect.stringMatching(/^server#7 \+55\.0 ms in {2}end after \d+ B$/),
      'server#7 +55.0 ms state closing -> closed',
    ]);
    const bytes = lines.filter((line) => line.includes(' bytes '));
    expect(bytes).toContainEqual(expect.stringMatching(/out bytes \d+ B: 81 06 68 65 6c 6c 6f 21/));
    for (const record of records) expect(record).toMatchObject({ connection: 7, role: 'server' });
  });

  test('a broken rule is told at level 1', async () => {
    const { clock, write, lines } = tapped(1, { raw: true });
    write(upgradeRequest());
    await clock.run(20);
    write('\x81\x05hello');
    await clock.run(20);
    expect(lines.slice(1)).toEqual([
      'server#7 +25.0 ms in  violation MASK_MISSING (RFC 6455 5.1): a client sent a frame that is not masked',
      'server#7 +25.0 ms state open -> closing',
    ]);
  });
});

describe('listening', () => {
  test('changes nothing of what is heard, and nothing of the bytes', async () => {
    const plain = await conversation(0);
    const watched = await conversation(2);
    expect(watched.heard).toEqual(['hello!']);
    expect(watched.heard).toEqual(plain.heard);
    expect(watched.server.statistics).toEqual(plain.server.statistics);
    expect(watched.client.statistics).toEqual(plain.client.statistics);
  });

  test('a sink that throws is told to nobody any more, and the connection lives', async () => {
    let calls = 0;
    const { heard, failures } = await conversation(2, {
      sink: () => {
        calls++;
        throw new Error('full disk');
      },
    });
    expect(heard).toEqual(['hello!']);
    expect(calls).toBe(1);
    expect(failures).toEqual([new Error('full disk')]);
  });

  test('the same where it gives a promise: that is no unhandled rejection', async () => {
    let calls = 0;
    const { heard, failures } = await conversation(2, {
      sink: async (_, { type }) => {
        calls++;
        if (type === 'frame') throw new Error('full disk');
      },
    });
    expect(heard).toEqual(['hello!']);
    expect(failures).toEqual([new Error('full disk')]);
    const all = (await conversation(2)).records.length;
    expect(calls).toBeLessThan(all);
  });

  test('a sink may use the connection', async () => {
    const pair = tapped(2, {
      sink: (_, record) => {
        if (record.type === 'frame' && record.opcode === 1 && record.from === 'client') pair.server.send('seen');
      },
    });
    const heard: unknown[] = [];
    pair.client.on('message', ({ data }) => heard.push(data));
    pair.server.on('message', () => {});
    await pair.clock.run(20);
    pair.client.send('x');
    await pair.clock.run(20);
    expect(heard).toEqual(['seen']);
  });

  test('payloads are not handed out twice: a record has a copy', async () => {
    const pair = tapped(2);
    const payloads: Uint8Array[] = [];
    pair.server.on('message', ({ data }) => void (data as Uint8Array).fill(0));
    await pair.clock.run(20);
    pair.client.send(Uint8Array.of(1, 2, 3));
    await pair.clock.run(20);
    for (const record of pair.records) if (record.type === 'frame') payloads.push((record as FrameRecord).payload);
    expect(payloads).toEqual([Uint8Array.of(1, 2, 3)]);
  });
});
