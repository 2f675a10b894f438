// What the figures were made on.

import { createRequire } from 'node:module';
import { availableParallelism, cpus, release, type } from 'node:os';
import { pinnedCores } from './processes.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  readonly ws: string;
  readonly pinning: string;
}

export function describeMachine(): Machine {
  const pinned = pinnedCores();
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    ws: versionOf('ws'),
    pinning: pinned
      ? `tested process on core ${pinned.tested}, load on core ${pinned.load}`
      : 'processes are not pinned',
  };
}

export function machineLine(machine: Machine): string {
  return `Node ${machine.node}, ws ${machine.ws}, ${machine.system}, ${machine.cpu} (${machine.cores} cores); ${machine.pinning}`;
}

function versionOf(name: string): string {
  try {
    return (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version;
  } catch {
    return 'not installed';
  }
}
