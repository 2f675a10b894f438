// What the figures were made on.

import { availableParallelism, cpus, release, type } from 'node:os';
import { PEERS, peer, versionOf } from './peers.ts';
import { pinnedCores } from './processes.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  readonly ws: string;
  /** Versions of the other peers that are installed. */
  readonly peers: Readonly<Record<string, string>>;
  readonly pinning: string;
}

export function describeMachine(): Machine {
  const pinned = pinnedCores();
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    ws: versionOf(peer('ws')) ?? 'not installed',
    peers: peerVersions(),
    pinning: pinned
      ? `tested process on core ${pinned.tested}, load on core ${pinned.load}`
      : 'processes are not pinned',
  };
}

export function machineLine(machine: Machine): string {
  const peers = Object.entries(machine.peers).map(([id, version]) => `${id} ${version}`);
  return `Node ${machine.node}, ${[`ws ${machine.ws}`, ...peers].join(', ')}, ${machine.system}, ${machine.cpu} (${machine.cores} cores); ${machine.pinning}`;
}

function peerVersions(): Record<string, string> {
  const others = PEERS.filter(({ id }) => id !== 'ws' && !id.startsWith('ours'));
  const pairs = others.flatMap((entry) => {
    const version = versionOf(entry);
    return version === null ? [] : [[entry.id, version] as const];
  });
  return Object.fromEntries(pairs);
}
