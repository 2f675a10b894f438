/** Options of an endpoint, and what its shell lends it. */

import {
  CONNECTION_RULES,
  type ConnectionOptions,
  checkRecord,
  type Rules,
  readOptions,
  Settings,
} from '../connection/options.ts';
import type { WebSocketError } from '../errors.ts';
import type { Clock } from '../transport/transport.ts';
import { type Compression, withCompression } from './compression.ts';
import type { Endpoint } from './endpoint.ts';
import type { EventName } from './events.ts';

/** The options of an endpoint. Sizes in bytes. */
export interface EndpointOptions extends ConnectionOptions {
  /** Unsent bytes above which `writable` is false and output waits in the engine. Default 64 KiB. */
  readonly highWaterMark?: number;
  /** Messages that wait for an iterator. Behind them 64 KiB more are read, then the transport is paused. Default 16. */
  readonly maxQueuedMessages?: number;
  /** Promises of listeners that may be unsettled before events are held back. Default 1. */
  readonly concurrency?: number;
  /**
   * Compression of messages (permessage-deflate, RFC 7692), if the peer has it too: `true`, or its options. Never compress
   * secrets together with what an attacker may choose: send such messages with `compress: false`. Default false.
   */
  readonly compression?: Compression;
  /**
   * Takes what a listener, handler or hook threw. Default: the socket fails with 1011, and without an `error` listener there
   * is one process warning.
   */
  readonly onListenerError?: (error: unknown, socket: Endpoint, event: EventName | 'open') => void;
}

/** What a shell lends its endpoints. */
export interface Environment {
  /** Where the time and the wake-ups come from. */
  readonly clock: Clock;
  /** Tells the operator of a defect in the application that nobody else would hear of. */
  readonly warn: (error: WebSocketError) => void;
}

/** The rules of {@link EndpointOptions}. */
export const ENDPOINT_RULES: Rules = {
  ...CONNECTION_RULES,
  highWaterMark: { kind: 'size', default: 65_536 },
  maxQueuedMessages: { kind: 'count', default: 16 },
  concurrency: { kind: 'count', default: 1 },
  // Of two types: `withCompression` reads it.
  compression: { kind: 'boolean', default: false },
  onListenerError: { kind: 'function', default: null },
};

/** The options of an endpoint after checking; one instance serves any number of endpoints. @opaque */
export class EndpointSettings {
  readonly connection: Settings;
  readonly highWaterMark: number;
  readonly maxQueuedMessages: number;
  readonly concurrency: number;
  readonly onListenerError: EndpointOptions['onListenerError'] | null;

  /** @throws UsageError naming the option that is wrong */
  constructor(options: EndpointOptions, where = 'endpoint') {
    checkRecord(options, where);
    const { compression, ...given } = options;
    const read = readOptions(ENDPOINT_RULES, given, where) as unknown as Required<EndpointOptions>;
    const inner: Record<string, unknown> = {};
    for (const name of Object.keys(CONNECTION_RULES)) {
      const value = (options as Record<string, unknown>)[name];
      if (value !== undefined) inner[name] = value;
    }
    inner['extensions'] = withCompression(read.extensions, compression, read.platform, where);
    this.connection = Settings.from(inner);
    this.highWaterMark = read.highWaterMark;
    this.maxQueuedMessages = read.maxQueuedMessages;
    this.concurrency = read.concurrency;
    this.onListenerError = read.onListenerError;
  }
}
