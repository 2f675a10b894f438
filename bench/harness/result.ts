// What a suite hands back: rows of peers, with figures of all rounds and ratios to the bases.

import type { Sample } from './load-generator.ts';
import { median, pairedRatio, type Spread, spread } from './statistics.ts';

export interface Ratio {
  /** Units a second of this peer divided by those of the base. */
  readonly rate: number;
  /** CPU a unit of the base divided by that of this peer. */
  readonly cpu: number;
}

export interface PeerResult {
  readonly peer: string;
  /** Units (messages, deliveries, handshakes) a second. */
  readonly rate?: Spread;
  /** Microseconds of CPU a unit. */
  readonly cpu?: Spread;
  /** KiB of resident memory a connection. */
  readonly memory?: Spread;
  /** CPU seconds a second of the process under test and of the load. */
  readonly share?: number;
  readonly loadShare?: number;
  readonly versus: Readonly<Record<string, Ratio>>;
  readonly notes: readonly string[];
}

export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly peers: readonly PeerResult[];
  /** The row is a point of a curve: CPU a unit, divided by `divisor`, at `x`. */
  readonly point?: { readonly curve: string; readonly x: number; readonly label: string; readonly divisor: number };
}

export interface SuiteReport {
  readonly suite: string;
  /** What a plot of it is called, if not by its name. */
  readonly title?: string;
  readonly rows: readonly Row[];
}

/** Samples of one peer, one a round; or the reason why there are none. */
export type Outcome = readonly Sample[] | Error;

const BASES = ['ws', 'raw', 'bun', 'deno'];
const LOAD_BOUND = 0.9;
const SATURATED = 0.85;

/** `loaded` is false where the sample's own CPU is that of the process under test (no separate load). */
export function summarise(name: string, unit: string, outcomes: ReadonlyMap<string, Outcome>, loaded = true): Row {
  const peers: PeerResult[] = [];
  for (const [peer, outcome] of outcomes) {
    if (outcome instanceof Error) {
      peers.push({ peer, versus: {}, notes: [outcome.message] });
      continue;
    }
    const share = median(outcome.map((sample) => sample.targetCpu / sample.seconds));
    const loadShare = median(outcome.map((sample) => sample.ownCpu / sample.seconds));
    const notes: string[] = [];
    if (loaded && loadShare > LOAD_BOUND) notes.push('load-bound');
    else if (loaded && share < SATURATED) notes.push('core not full');
    const versus: Record<string, Ratio> = {};
    for (const base of BASES) {
      const other = outcomes.get(base);
      if (base === peer || other === undefined || other instanceof Error) continue;
      versus[base] = {
        rate: pairedRatio(outcome.map(rateOf), other.map(rateOf)),
        cpu: pairedRatio(other.map(cpuOf), outcome.map(cpuOf)),
      };
    }
    peers.push({
      peer,
      rate: spread(outcome.map(rateOf)),
      cpu: spread(outcome.map(cpuOf)),
      share,
      ...(loaded ? { loadShare } : {}),
      versus,
      notes,
    });
  }
  return { name, unit, peers };
}

function rateOf(sample: Sample): number {
  return sample.messages / sample.seconds;
}

function cpuOf(sample: Sample): number {
  return (sample.targetCpu * 1e6) / sample.messages;
}
