// The floors and goals that this project set itself: each cell measured side by side in this run and compared with its target.

import type { Bench } from '../harness/bench.ts';
import { createCertificate } from '../harness/certificate.ts';
import type { PeerResult, Row } from '../harness/result.ts';
import { align } from '../harness/table.ts';
import { type ClientCase, runClient } from './client.ts';
import { runCodec } from './codec.ts';
import { type EchoCase, runEcho } from './echo.ts';
import { handshake } from './handshake.ts';
import { runIdle } from './idle.ts';

/** A cell. `value` is null where a peer is missing or failed. */
export interface Target {
  readonly row: string;
  readonly value: number | null;
  readonly target: number;
  /** Floors are reached from above; costs (memory) from below. */
  readonly relation: '>=' | '<=' | '<';
  readonly ok: boolean;
  /** The same ratio by messages a second, where there is one. */
  readonly rate: number | null;
  readonly note: string;
}

/** A floor must never be missed; a goal is what the fast path is built for. */
type Level = 'floor' | 'goal';

/** Floors of one measured row, by the variant of ours and the base. */
interface Floor {
  readonly variant?: string;
  readonly ws?: number;
  readonly raw?: number;
  readonly bun?: number;
  readonly level: Level;
}

interface EchoTarget {
  readonly entry: EchoCase;
  readonly floors: readonly Floor[];
  readonly tls?: boolean;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const binary = (size: number, connections: number, depth: number): EchoCase => ({
  kind: 'binary',
  size,
  connections,
  depth,
});
const goal = (floors: Omit<Floor, 'level'>): Floor => ({ ...floors, level: 'goal' });
const floor = (ws: number): Floor => ({ ws, level: 'floor' });

const ECHO: readonly EchoTarget[] = [
  ...[16, 125, KIB].map((size) => ({
    entry: binary(size, 64, 16),
    floors: [goal({ ws: 9, raw: 0.8, bun: 0.75 }), ...(size < KIB ? [floor(5)] : [])],
  })),
  {
    entry: { kind: 'text', size: 125, connections: 64, depth: 16 },
    floors: [goal({ ws: 6.5, raw: 0.5, bun: 0.55 })],
  },
  ...[16, 125, KIB].map((size) => ({
    entry: binary(size, 64, 1),
    floors: [goal({ ws: 1.2, raw: 1, bun: 0.7 }), floor(0.95)],
  })),
  { entry: binary(125, 1, 1), floors: [goal({ ws: 1.05, raw: 0.95, bun: 0.6 }), floor(0.95)] },
  { entry: binary(125, 1000, 1), floors: [goal({ ws: 1.5, raw: 1, bun: 0.6 }), floor(0.95)] },
  {
    entry: { kind: 'unicode', size: KIB, connections: 64, depth: 1 },
    floors: [goal({ ws: 1.1, raw: 0.55 }), goal({ variant: 'ours-bytes', ws: 1.7, raw: 1 })],
  },
  { entry: binary(16 * KIB, 64, 1), floors: [goal({ ws: 3.8, raw: 1.3, bun: 1 })] },
  {
    entry: binary(64 * KIB, 64, 1),
    floors: [
      goal({ ws: 3.5, raw: 1.1, bun: 0.8 }),
      goal({ variant: 'ours-borrow', ws: 4.5, raw: 1.4, bun: 1 }),
      floor(3),
    ],
  },
  {
    entry: binary(MIB, 8, 1),
    floors: [
      goal({ ws: 2.2, raw: 0.5, bun: 0.35 }),
      goal({ variant: 'ours-borrow', ws: 4.8, raw: 1.2, bun: 0.9 }),
      floor(2),
    ],
  },
  {
    entry: binary(16 * MIB, 1, 1),
    floors: [goal({ ws: 2, raw: 0.5 }), goal({ variant: 'ours-borrow', ws: 4, raw: 1.1 })],
  },
  { entry: { ...binary(KIB, 64, 16), fragment: 128 }, floors: [goal({ ws: 8, raw: 0.6, bun: 0.6 })] },
  { entry: binary(125, 64, 1), tls: true, floors: [goal({ ws: 1.5, raw: 0.7 })] },
  { entry: binary(125, 64, 16), tls: true, floors: [goal({ ws: 2.5, raw: 0.7 })] },
  { entry: binary(16 * KIB, 64, 1), tls: true, floors: [goal({ ws: 1.8, raw: 0.7 })] },
];

const CLIENT: readonly { entry: ClientCase; floors: readonly Floor[] }[] = [
  { entry: { mode: 'send', kind: 'binary', size: 125 }, floors: [goal({ ws: 15, bun: 10 })] },
  { entry: { mode: 'send', kind: 'binary', size: KIB }, floors: [goal({ ws: 9 })] },
  { entry: { mode: 'send', kind: 'binary', size: 64 * KIB }, floors: [goal({ ws: 6 })] },
  { entry: { mode: 'receive', kind: 'binary', size: 125 }, floors: [goal({ ws: 3 })] },
  { entry: { mode: 'receive', kind: 'binary', size: 64 * KIB }, floors: [goal({ ws: 1.8 })] },
];

const DECODE: readonly { size: number; floors: readonly Floor[] }[] = [
  { size: 16, floors: [goal({ ws: 5 })] },
  { size: KIB, floors: [goal({ ws: 8 }), floor(5)] },
  { size: 64 * KIB, floors: [goal({ ws: 8 })] },
];

export async function targets(bench: Bench): Promise<Target[]> {
  const cells: Target[] = [];
  const wanted = (name: string) => name.includes(bench.options.filter);
  const certificate = createCertificate();
  for (const { entry, floors: own, tls = false } of ECHO) {
    if (!wanted(tls ? 'tls' : 'echo')) continue;
    const floors = [...own, publicFloor(entry, tls)];
    const row = await runEcho(bench, entry, tls ? certificate : {}, takingPart(floors));
    cells.push(...compare(tls ? { ...row, name: `${row.name}, TLS` } : row, floors));
  }
  for (const { entry, floors: own } of wanted('client') ? CLIENT : []) {
    const floors = [...own, PUBLIC];
    cells.push(...compare(await runClient(bench, entry, takingPart(floors)), floors));
  }
  if (wanted('handshake')) {
    const floors = [goal({ ws: 1.4, raw: 0.8, bun: 0.3 }), PUBLIC];
    const { rows } = await handshake(bench, takingPart(floors));
    for (const row of rows) cells.push(...compare(row, floors));
  }
  for (const { size, floors } of wanted('codec') ? DECODE : []) {
    cells.push(...compare(await runCodec(bench, { task: 'decode', kind: 'binary', size }), floors));
  }
  if (wanted('idle')) cells.push(...compareMemory(await runIdle(bench, 10_000, ['ours', 'ws', 'raw'])));
  if (wanted('scale')) cells.push(...(await growth(bench)));
  return cells;
}

/** What must hold with every Node internal switched off. */
const PUBLIC: Floor = goal({ variant: 'ours-public', ws: 1 });

function publicFloor({ kind, size, depth }: EchoCase, tls: boolean): Floor {
  if (tls) return PUBLIC;
  const ws = depth === 16 ? 7 : kind === 'unicode' ? 0.8 : size === 64 * KIB ? 3 : 1;
  return goal({ variant: 'ours-public', ws });
}

const BASES = ['ws', 'raw', 'bun'] as const;

/** Ours, its variants and the bases that floors name: nobody else costs time here. */
function takingPart(floors: readonly Floor[]): string[] {
  const variants = floors.map(({ variant = 'ours' }) => variant);
  const bases = BASES.filter((base) => floors.some((each) => each[base] !== undefined));
  return [...new Set([...variants, ...bases])];
}

function compare(row: Row, floors: readonly Floor[]): Target[] {
  return floors.flatMap((floor) =>
    BASES.filter((base) => floor[base] !== undefined).map((base) => {
      const id = floor.variant ?? 'ours';
      const entry = row.peers.find(({ peer }) => peer === id);
      const ratio = entry?.versus[base] ?? null;
      const name = `${row.name}: ${id} / ${base} (${floor.level})`;
      const note = reason(row, id, base) ?? entry?.notes.join(', ') ?? '';
      // CPU a message is what one core can carry; messages a second also wait for the load and the machine.
      return cell(name, ratio?.cpu ?? null, '>=', floor[base]!, ratio?.rate ?? null, note);
    }),
  );
}

function compareMemory(row: Row): Target[] {
  const size = (id: string) => row.peers.find(({ peer }) => peer === id)?.memory?.median ?? null;
  const [ours, ws, raw] = [size('ours'), size('ws'), size('raw')];
  const share = ours !== null && ws !== null ? ours / ws : null;
  const above = ours !== null && raw !== null ? ours - raw : null;
  const note = `${show(ours)} KiB; ws ${show(ws)} KiB; bare socket ${show(raw)} KiB`;
  return [
    cell(`${row.name}: memory / ws (goal)`, share, '<=', 0.85, null, note),
    cell(`${row.name}: KiB above the bare socket (goal)`, above, '<=', 2, null, note),
    cell(`${row.name}: memory / ws (floor)`, share, '<', 1, null, note),
    cell(`${row.name}: KiB above the bare socket (floor)`, above, '<=', 3, null, note),
  ];
}

/** Cost a message with many connections, cost a byte with large messages: ours against itself. */
async function growth(bench: Bench): Promise<Target[]> {
  const cost = async (entry: EchoCase) => {
    const row = await runEcho(bench, entry, {}, ['ours']);
    return row.peers.find((peer: PeerResult) => peer.peer === 'ours')?.cpu?.median ?? null;
  };
  const divide = (a: number | null, b: number | null) => (a === null || b === null ? null : a / b);
  const connections = divide(await cost(binary(125, 10_000, 1)), await cost(binary(125, 100, 1)));
  const bytes = divide(await cost(binary(16 * MIB, 1, 1)), await cost(binary(64 * KIB, 1, 1)));
  return [
    cell('CPU a message, 10,000 connections / 100 (goal)', connections, '<=', 1.5, null, ''),
    cell('CPU a byte, 16 MiB / 64 KiB (goal)', bytes === null ? null : bytes / 256, '<=', 1.3, null, ''),
  ];
}

function cell(
  row: string,
  value: number | null,
  relation: Target['relation'],
  target: number,
  rate: number | null,
  note: string,
): Target {
  const reached =
    value !== null && (relation === '>=' ? value >= target : relation === '<=' ? value <= target : value < target);
  return { row, value: rounded(value), target, relation, ok: reached, rate: rounded(rate), note };
}

/** Why a ratio does not exist. */
function reason(row: Row, ...ids: readonly string[]): string | null {
  for (const id of ids) {
    const entry = row.peers.find(({ peer }) => peer === id);
    if (!entry) return `${id} did not take part`;
    if (!entry.rate) return `${id}: ${entry.notes.join(', ')}`;
  }
  return null;
}

function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}

function show(value: number | null): string {
  return value === null ? '-' : value.toFixed(2);
}

export function printTargets(cells: readonly Target[]): string {
  const rows = cells.map(({ row, value, relation, target, ok, rate, note }) => [
    row,
    show(value),
    `${relation} ${target}`,
    rate === null ? '' : `(messages/s ${rate.toFixed(2)})`,
    ok ? 'ok' : 'MISSED',
    note,
  ]);
  const reached = cells.filter(({ ok }) => ok).length;
  return `\n${align(rows).join('\n')}\n\n${reached} of ${cells.length} targets reached`;
}
