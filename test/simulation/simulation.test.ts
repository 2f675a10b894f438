/** The simulator itself: it is deterministic, it finds what is wrong, and it says what a failure takes. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { transitionsModel } from '../../models/transitions.ts';
import { DEFECTS } from '../../simulate/defects/planted.ts';
import { FAULT_KINDS, whyNot } from '../../simulate/faults.ts';
import { Host, WorldTime } from '../../simulate/hosts.ts';
import { LinkEnd } from '../../simulate/link.ts';
import { type Plan, planOf } from '../../simulate/plan.ts';
import { shrink } from '../../simulate/shrink.ts';
import { SimulatedSocket } from '../../simulate/socket.ts';
import { Table } from '../../simulate/table.ts';
import { WireReader } from '../../simulate/wire.ts';
import { World } from '../../simulate/world.ts';
import { TRANSITIONS } from '../../src/index.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('a world', () => {
  it('is the same each time, to the last event', async () => {
    const once = await new World(planOf(7)).run();
    const again = await new World(planOf(7), true).run();
    expect(once.failure).toBeNull();
    expect([again.hash, again.steps, again.faults]).toEqual([once.hash, once.steps, once.faults]);
    const other = await new World(planOf(8)).run();
    expect(other.hash).not.toBe(once.hash);
  });

  it.each([1, 2, 3, 4, 5, 6])('holds every invariant, seed %i', { timeout: 120_000 }, async (seed) => {
    const { failure, steps, faults } = await new World(planOf(seed)).run();
    expect(failure).toBeNull();
    expect(steps).toBeGreaterThan(1_000);
    expect(faults).toBeGreaterThan(50);
  });
});

describe('gateways', () => {
  it('T69: carry messages both ways, whatever befalls their backends', { timeout: 60_000 }, async () => {
    const framings = new Set<string>();
    const got = new Set<string>();
    let behind = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const plan = { ...planOf(seed), sessions: [], clients: [] };
      const { failure, trace } = await new World(plan, true).run();
      expect(failure).toBeNull();
      const framingOf = new Map(plan.joined.map(({ key, framing }) => [key, framing]));
      for (const line of trace) {
        const [, key = '', side = ''] = /ms {2}(g\d+)(?: (client|server))?: (?:backend )?got/.exec(line) ?? [];
        if (key !== '') got.add(`${framingOf.get(key)} to the ${side || 'backend'}`);
        if (line.includes('fault backend')) behind++;
      }
      for (const { framing } of plan.joined) framings.add(framing);
    }
    expect([...got].sort()).toEqual(
      [...framings].flatMap((framing) => [`${framing} to the backend`, `${framing} to the client`]).sort(),
    );
    expect(framings.size).toBe(4);
    expect(behind).toBeGreaterThan(20);
  });

  it('their sockets take what is written later, and see what was done to it meanwhile', () => {
    const world = new WorldTime();
    const host = new Host('h', world);
    const nature = { latency: 5, jitter: 0, piece: 1_000, window: 1, borrowed: false };
    const reader = { read: () => '' };
    const endOf = (name: string) =>
      new LinkEnd(
        host,
        name,
        nature,
        reader,
        () => 0.9,
        fail,
        () => {},
      );
    const [near, far] = [endOf('near'), endOf('far')];
    near.join(far);
    far.join(near);
    const got: number[] = [];
    far.start({
      received: (bytes) => void got.push(...bytes),
      receivedBorrowed: fail,
      written: () => {},
      ended: () => void got.push(-1),
      closed: fail,
    });
    const socket = new SimulatedSocket(host, near, fail);
    const second = Uint8Array.of(4, 5);
    socket.write(Uint8Array.of(1, 2, 3), () => {});
    expect(socket.writableLength).toBe(0);
    socket.write(second, () => {});
    expect([socket.writableLength, socket.writable]).toEqual([2, true]);
    second[0] = 9;
    socket.end();
    for (; world.now < 40; world.now++) while (host.step());
    expect([got, socket.writable]).toEqual([[1, 2, 3, 9, 5, -1], false]);
  });
});

function fail(...what: unknown[]): never {
  throw new Error(`not expected: ${what}`);
}

describe('shrinking', () => {
  it('leaves those actions that a failure needs', async () => {
    const plan = planOf(3);
    const [one, two] = [plan.actions[10]!, plan.actions[200]!];
    const needed = new Set([one, two]);
    const fails = async (smaller: Plan): Promise<boolean> =>
      [...needed].every((each) => smaller.actions.includes(each)) &&
      [one, two].every(({ session }) =>
        [...smaller.sessions, ...smaller.clients].some(({ key }) => key === session.split('.')[0]),
      );
    const smallest = await shrink(plan, fails, 2_000);
    expect(smallest.actions).toEqual([one, two]);
    const keys = new Set([one, two].map(({ session }) => session.split('.')[0]));
    expect(smallest.sessions.length + smallest.clients.length).toBe(keys.size);
  });
});

describe('the table of faults', () => {
  it('says why a cell is empty, or counts it', () => {
    const table = new Table();
    table.add('reset', 'open', 3);
    expect(table.print()).toMatch(/^reset +0 +3 +0 +a +0 +0 +b$/m);
    const cells = FAULT_KINDS.flatMap((kind) => Object.keys(TRANSITIONS).map((phase) => [kind, phase] as const));
    const possible = cells.filter(([kind, phase]) => whyNot(kind, phase as keyof typeof TRANSITIONS) === '');
    expect(table.below(1).length).toBe(possible.length - 1);
    expect(table.below(4)).toContain('reset in open: 3');
  });
});

describe('the reader of the wire', () => {
  const server = (...bytes: number[]): string => {
    const reader = new WireReader(false, () => false);
    reader.read(new TextEncoder().encode('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    return reader.read(Uint8Array.from(bytes));
  };

  it.each([
    ['a masked frame', [0x81, 0x80, 1, 2, 3, 4], 'a masked frame of a server'],
    ['a reserved bit', [0xa1, 0x00], 'a reserved bit'],
    ['RSV1 without compression', [0xc1, 0x00], 'RSV1 where it may not be'],
    ['a reserved opcode', [0x83, 0x00], 'the reserved opcode 3'],
    ['a length that is too long', [0x81, 0x7e, 0x00, 0x7d], 'a length that is not minimal'],
    ['a fragmented ping', [0x09, 0x00], 'a fragmented control frame'],
    ['a stray continuation', [0x80, 0x00], 'a stray continuation'],
    ['a message within a message', [0x01, 0x00, 0x81, 0x00], 'a message within a message'],
    ['the close code 1005', [0x88, 0x02, 0x03, 0xed], 'the close code 1005'],
    ['half a close code', [0x88, 0x01, 0x03], 'a Close frame of one octet'],
    ['a reason that is not UTF-8', [0x88, 0x03, 0x03, 0xe8, 0xff], 'a reason that is not UTF-8'],
    ['a byte after the Close', [0x88, 0x00, 0x89], 'bytes after the Close frame'],
  ])('objects to %s', (_, bytes, objection) => {
    expect(server(...bytes)).toBe(objection);
  });

  it('takes what is right, in any pieces', () => {
    const reader = new WireReader(true, () => true);
    const bytes = [...new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n')];
    bytes.push(0xc1, 0x81, 1, 2, 3, 4, 5, 0x88, 0x84, 1, 1, 1, 1, 0x03 ^ 1, 0xe8 ^ 1, 0x68 ^ 1, 0x69 ^ 1);
    for (const byte of bytes) expect(reader.read(Uint8Array.of(byte))).toBe('');
    expect(reader.close).toEqual({ code: 1000, reason: 'hi' });
  });
});

describe('a host', () => {
  it('runs timers, then input, then what gave way; not while it stands still', () => {
    const world = new WorldTime();
    const host = new Host('h', world);
    const log: string[] = [];
    host.clock.yield(() => log.push('yielded'), null);
    host.network.schedule({ wake: () => log.push('input') }, 5);
    host.clock.schedule({ wake: () => log.push('timer') }, 1_005);
    host.clock.defer(() => log.push('deferred'), null);
    host.jump(1_000);
    host.freeze(5);
    expect([host.step(), host.nextAt]).toEqual([false, 5]);
    world.now = 5;
    while (host.step());
    expect(log).toEqual(['deferred', 'timer', 'input', 'yielded']);
    expect(host.pending).toBe(0);
  });
});

describe('what is kept beside the simulator', () => {
  it('planted defects each have their one place in the sources', () => {
    expect(DEFECTS.length).toBeGreaterThanOrEqual(10);
    for (const { name, file, find, replace } of DEFECTS) {
      expect(readFileSync(join(ROOT, 'src', file), 'utf8').split(find).length, name).toBe(2);
      expect(replace, name).not.toBe(find);
    }
  });

  it('the transitions of the model are those of the source: npm run model -- --write', () => {
    expect(readFileSync(join(ROOT, 'models/transitions.pml'), 'utf8')).toBe(transitionsModel());
  });
});
