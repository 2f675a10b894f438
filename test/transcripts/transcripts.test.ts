/**
 * Plays every transcript whole, byte by byte, cut at every offset and at random: always the same. Then the peer disappears
 * after every byte. And each row of FAULTS is reached.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConnectionEvent, FAULTS } from '../../src/index.ts';
import { byteByByte, cutAt, cutOnce, whole } from '../support/observe.ts';
import { drain } from '../support/peers.ts';
import { seededNumbers } from '../support/random.ts';
import { expectedOf, type Play, play, rewrite, type Scenario, scenariosOf, sizeOf } from '../support/transcript.ts';

const directory = import.meta.dirname;
const documents = readdirSync(directory).filter((name) => name.endsWith('.md') && name !== 'README.md');

if (process.env['REWRITE_TRANSCRIPTS'] !== undefined) {
  for (const name of documents) {
    const path = join(directory, name);
    writeFileSync(path, rewrite(readFileSync(path, 'utf8')));
  }
}

/** Scenarios of more bytes are cut, and die, at some of their offsets only. */
const LARGE = 4_096;
/** Not reached by bytes, time and commands of one connection. */
const BY_SHELLS: Readonly<Record<string, string>> = {
  ORIGIN_REFUSED: 'serve() compares origins, with the option allowedOrigins',
  ADDRESS_REFUSED: 'serve() asks its address lists: test/server/addresses.test.ts',
  PATH_NOT_FOUND: 'serve() routes paths',
  CONNECT_FAILED: 'connect() dials: test/client/connect.test.ts',
  PROXY_FAILED: 'connect() dials through a proxy: test/client/proxy.test.ts',
  PROXY_REFUSED: 'connect() asks a proxy for a tunnel: test/client/proxy.test.ts',
  REDIRECT_REFUSED: 'connect() follows redirects: test/client/redirect.test.ts',
};
const reached = new Set<string>();

/** From 0 to `size`: each of them, or ten. */
function offsets(size: number): number[] {
  const step = size > LARGE ? Math.ceil(size / 9) : 1;
  return [...Array.from({ length: Math.ceil(size / step) }, (_, i) => i * step), size];
}

function note(events: readonly ConnectionEvent[]): void {
  for (const event of events) if (event.type === 'closed' && event.error !== null) reached.add(event.error.code);
}

/** How a peer can go. */
const DEATHS: readonly (readonly [string, (played: Play) => ConnectionEvent[]])[] = [
  ['ends', ({ connection, now }) => gone(connection, () => end(connection, now))],
  ['breaks', ({ connection, now }) => gone(connection, () => end(connection, now, new Error('reset')))],
  ['falls silent', ({ connection, now }) => gone(connection, () => outwait(connection, now))],
];

function gone(connection: Play['connection'], how: () => ConnectionEvent[]): ConnectionEvent[] {
  const events = how();
  for (const _ of [1, 2]) {
    for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) events.push(event);
    drain(connection);
  }
  return events;
}

function end(connection: Play['connection'], now: number, cause?: Error): ConnectionEvent[] {
  connection.receiveEnd(now, cause);
  return [];
}

function outwait(connection: Play['connection'], start: number): ConnectionEvent[] {
  const events: ConnectionEvent[] = [];
  let now = start;
  for (let i = 0; i < 10 && connection.readyState !== 'closed'; i++) {
    now = Math.max(now, connection.nextTimeout());
    connection.handleTimeout(now);
    for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) events.push(event);
  }
  return events;
}

function expectOneEnd(events: readonly ConnectionEvent[], { connection }: Play): void {
  const closed = events.filter(({ type }) => type === 'closed');
  expect(closed.length).toBe(1);
  expect(events.at(-1)).toBe(closed[0]);
  const closing = events.find(({ type }) => type === 'closing');
  expect(closed[0]).toMatchObject({ code: closing?.type === 'closing' ? closing.code : 1006 });
  expect(connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
  expect(connection.outgoingLength).toBe(0);
}

describe.each(documents)('%s', (name) => {
  const scenarios = scenariosOf(readFileSync(join(directory, name), 'utf8'));
  const table = scenarios.map((each): [string, Scenario] => [each.title, each]);

  it('has scenarios', () => {
    expect(scenarios.length).toBeGreaterThan(0);
  });

  it.each(table)('%s', (_title, scenario) => {
    const { trace, events } = play(scenario, whole);
    expect(trace).toEqual(expectedOf(scenario));
    note(events);
  });

  it.each(table)('%s, cut in any way', (_title, scenario) => {
    const expected = expectedOf(scenario);
    const size = sizeOf(scenario);
    const chance = seededNumbers(size);
    const randomly = Array.from({ length: 100 }, () => Array.from({ length: 5 }, () => 1 + Math.floor(chance() * 12)));
    const ways = [...offsets(size).map(cutOnce), ...(size > LARGE ? [] : [byteByByte, ...randomly.map(cutAt)])];
    for (const cut of ways) expect(play(scenario, cut).trace).toEqual(expected);
  });

  it.each(table)('%s, and the peer disappears after any byte', (_title, scenario) => {
    for (const most of offsets(sizeOf(scenario))) {
      for (const [, death] of DEATHS) {
        const played = play(scenario, whole, most);
        expectOneEnd([...played.events, ...death(played)], played);
      }
    }
  });
});

describe('every way to fail', () => {
  it.each(Object.keys(FAULTS))('%s is in a transcript', (code) => {
    if (code in BY_SHELLS) expect(reached).not.toContain(code);
    else expect(reached).toContain(code);
  });
});
