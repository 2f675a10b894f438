/**
 * Debugging on Node: the option `debug`, the environment that stands in for it, standard error, and the channel for frames.
 * What is told is made in `debug/`; whether anything is made is decided here, once for each connection.
 */

import type { Connection } from '../../connection/connection.ts';
import { type Debug, type DebugLevel, type DebugRecord, LineDebug, readDebugOption } from '../../debug/options.ts';
import type { StateRecord, WireRecord } from '../../debug/records.ts';
import { Tap } from '../../debug/tap.ts';
import type { SeenRequest } from '../../debug/wire-reader.ts';
import type { Endpoint } from '../../endpoint/endpoint.ts';
import { ApplicationError } from '../../errors.ts';
import type { Clock, Transport } from '../transport.ts';
import { frameChannel } from './diagnostics.ts';
import { nodeEnvironment } from './index.ts';

export type { SeenRequest };

let connections = 0;
/** What the process was warned of: each is told once. */
const warned: Set<string> = new Set();

/**
 * What a server or a client tells of its connections: as the option says, else as `SANSOCKET_DEBUG` (0, 1 or 2) says, else
 * level 1 if `NODE_DEBUG` names `sansocket`.
 *
 * @returns null for nothing
 * @throws UsageError saying what the option must be
 */
export function readDebug(option: unknown, where: string): LineDebug | null {
  const { level, sink, previewSize } = readDebugOption(option, where);
  const chosen = level ?? environmentLevel(process.env);
  return chosen === 0 ? null : new LineDebug(chosen, sink ?? writeLine, previewSize, sinkFailed);
}

/**
 * Puts a tap before a transport, if somebody wants to hear of its connection.
 *
 * @param request the request, where it was read by Node's http server and does not pass through the transport
 * @returns null if nobody does: the transport is used as it is
 */
export function tapFor(
  lines: LineDebug | null,
  connection: Connection,
  transport: Transport,
  clock: Clock,
  request?: SeenRequest,
): Tap | null {
  const debug = frameChannel.hasSubscribers ? new ChannelDebug(lines) : lines;
  if (debug === null) return null;
  // The phase says more than `readyState`; it is for logs, and no part of the interface.
  const watched = { role: connection.role, state: () => connection.phaseName, id: ++connections };
  return new Tap(transport, watched, clock, debug, request);
}

/** Publishes what was seen, besides telling it to a sink of lines. */
class ChannelDebug implements Debug {
  readonly level: DebugLevel;
  readonly previewSize: number;
  private readonly lines: LineDebug | null;

  constructor(lines: LineDebug | null) {
    this.lines = lines;
    this.level = lines?.level ?? 0;
    this.previewSize = lines?.previewSize ?? 256;
  }

  wants(_: WireRecord | StateRecord): boolean {
    return true;
  }

  tell(record: DebugRecord, socket: unknown): unknown {
    if (frameChannel.hasSubscribers) frameChannel.publish({ socket: socket as Endpoint | null, record });
    return this.lines?.wants(record) === true ? this.lines.tell(record) : undefined;
  }

  failed(error: unknown): void {
    sinkFailed(error);
  }
}

function environmentLevel(environment: NodeJS.ProcessEnv): DebugLevel {
  const given = environment['SANSOCKET_DEBUG'];
  switch (given) {
    case '1':
      return 1;
    case '2':
      return 2;
    case '0':
      return 0;
    case undefined:
    case '':
      return isNamed(environment['NODE_DEBUG'] ?? '') ? 1 : 0;
    default:
      warnOnce('environment', () =>
        process.emitWarning(`SANSOCKET_DEBUG must be 0, 1 or 2, not ${JSON.stringify(given)}`),
      );
      return 0;
  }
}

/** `NODE_DEBUG` is a list of names with `*` for any characters, as Node reads it. */
function isNamed(list: string): boolean {
  return list
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .some((name) => name === 'sansocket' || (name.endsWith('*') && 'sansocket'.startsWith(name.slice(0, -1))));
}

function writeLine(line: string): void {
  process.stderr.write(`sansocket ${line}\n`);
}

/** As what any listener throws: with its line. */
function sinkFailed(error: unknown): void {
  warnOnce('sink', () => nodeEnvironment.warn(new ApplicationError(error)));
}

function warnOnce(what: 'environment' | 'sink', warn: () => void): void {
  if (warned.has(what)) return;
  warned.add(what);
  warn();
}
