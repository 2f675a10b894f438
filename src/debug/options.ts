/** The option `debug`: what is told of a connection, and to whom. */

import { UsageError } from '../errors.ts';
import { formatDebugRecord } from './lines.ts';
import type { Side, StateRecord, WireRecord } from './records.ts';

/** 0: nothing. 1: changes of state, and broken rules. 2: every head, frame, read and write besides. */
export type DebugLevel = 0 | 1 | 2;

/** One thing that was seen of one connection. */
export type DebugRecord = (WireRecord | StateRecord) & {
  /** Counts the connections of this process from 1. */
  readonly connection: number;
  /** Which side of the connection is ours. */
  readonly role: Side;
};

/**
 * Takes what is told: a line for people, without a line break, and the record that it was made from. Nobody waits for it; one
 * that throws, or gives a promise that is rejected, is not called for that connection again.
 */
export type DebugSink = (line: string, record: DebugRecord) => unknown;

/** What is told, and to whom. */
export interface DebugOptions {
  /** Default 1. */
  readonly level?: DebugLevel;
  /** Default: standard error. */
  readonly sink?: DebugSink;
  /** Bytes of each payload that a record keeps. Default 256. */
  readonly previewSize?: number;
}

/** What was read of the option; `null` where it does not say. */
export interface ReadDebugOptions {
  readonly level: DebugLevel | null;
  readonly sink: DebugSink | null;
  readonly previewSize: number;
}

const PREVIEW = 256;

/** What a tap reports to. */
export interface Debug {
  /** At 2 the bytes of reads and writes are told as well. */
  readonly level: DebugLevel;
  /** Bytes of each payload that a record keeps. */
  readonly previewSize: number;
  /** Whether it is worth making more of a record. */
  wants(record: WireRecord | StateRecord): boolean;
  /** `socket` is what users hold of the connection, once there is such a thing. A promise is looked at only if it is rejected. */
  tell(record: DebugRecord, socket: unknown): unknown;
  /** The sink failed. */
  failed(error: unknown): void;
}

/**
 * Reads the option `debug`.
 *
 * @throws UsageError saying what it must be
 */
export function readDebugOption(value: unknown, where: string): ReadDebugOptions {
  if (value === undefined) return { level: null, sink: null, previewSize: PREVIEW };
  if (isLevel(value)) return { level: value, sink: null, previewSize: PREVIEW };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'debug' must be 0, 1, 2 or an object with level and sink`);
  }
  const { level = 1, sink = null, previewSize = PREVIEW, ...rest } = value as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new UsageError(
      'INVALID_OPTION',
      `${where}: debug: there is no option '${unknown}'; there are level, sink, previewSize`,
    );
  }
  if (!isLevel(level)) throw new UsageError('INVALID_OPTION', `${where}: option 'debug.level' must be 0, 1 or 2`);
  if (sink !== null && typeof sink !== 'function') {
    throw new UsageError('INVALID_OPTION', `${where}: option 'debug.sink' must be a function`);
  }
  if (!Number.isSafeInteger(previewSize) || (previewSize as number) < 1) {
    throw new UsageError(
      'INVALID_OPTION',
      `${where}: option 'debug.previewSize' must be a whole number of bytes above 0`,
    );
  }
  return { level, sink: sink as DebugSink | null, previewSize: previewSize as number };
}

/** A sink of lines, asked from `level` on. */
export class LineDebug implements Debug {
  /** What is told. */
  readonly level: DebugLevel;
  /** Bytes of each payload that a record keeps. */
  readonly previewSize: number;
  private readonly sink: DebugSink;
  private readonly onFailure: (error: unknown) => void;

  /** `onFailure` hears of a sink that failed. */
  constructor(level: DebugLevel, sink: DebugSink, previewSize: number, onFailure: (error: unknown) => void) {
    this.level = level;
    this.previewSize = previewSize;
    this.sink = sink;
    this.onFailure = onFailure;
  }

  /** Whether the level has such a record. */
  wants({ type }: WireRecord | StateRecord): boolean {
    return this.level === 2 || (this.level === 1 && (type === 'state' || type === 'fault'));
  }

  /** Gives the sink a line and its record. */
  tell(record: DebugRecord): unknown {
    return this.sink(formatDebugRecord(record), record);
  }

  /** The sink failed. */
  failed(error: unknown): void {
    this.onFailure(error);
  }
}

function isLevel(value: unknown): value is DebugLevel {
  return value === 0 || value === 1 || value === 2;
}
