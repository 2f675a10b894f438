/** What a server has counted since it began, as one plain object: for a page of metrics, a log line, or a test. */

import type { CloseEvent } from '../endpoint/events.ts';
import type { RefusedConnection } from './events.ts';
import type { Registry } from './registry.ts';
import type { ServerEndpoint } from './server-endpoint.ts';

/** Counts of one server; the short form. */
export interface ServerStatistics {
  /** Connections that are open or closing. */
  readonly connections: number;
  /** Connections that are not open yet. */
  readonly pending: number;
  /** All that ever were open. */
  readonly opened: number;
  /** All that ended before they were open. */
  readonly refused: number;
}

/** A snapshot of everything that a server counts. It can be serialized. */
export interface ServerMetrics {
  /** Milliseconds since the server began. */
  readonly uptime: number;
  /** Connections that are open. */
  readonly open: number;
  /** The most that ever were open or closing at a time. */
  readonly mostOpen: number;
  /** Connections in their closing handshake. */
  readonly closing: number;
  /** Connections in their opening handshake, TLS included. */
  readonly pending: number;
  /** All that ever were open. */
  readonly opened: number;
  /** Those of them that have ended. */
  readonly closed: number;
  /** The same by close code, as the `close` event has it: 1005 for an empty Close, 1006 for none. */
  readonly closedByCode: Readonly<Record<number, number>>;
  /** All that ended before they were open. */
  readonly refused: number;
  /** The same by HTTP status; 0 for those that got no answer. */
  readonly refusedByStatus: Readonly<Record<number, number>>;
  /** Bytes on the wire from connections that ever were open, handshakes included. */
  readonly bytesReceived: number;
  /** Bytes on the wire to them. */
  readonly bytesSent: number;
  /** Messages from them. */
  readonly messagesReceived: number;
  /** Messages to them; of a broadcast each delivery counts. */
  readonly messagesSent: number;
  /** Bytes that are accepted for sending and not yet written. */
  readonly bufferedAmount: number;
  /** Open connections with more than `highWaterMark` unsent. */
  readonly slow: number;
  /** Topics that somebody is subscribed to. */
  readonly topics: number;
}

/** Counts what happens to the connections of a server. */
export class Meter {
  opened = 0;
  refused = 0;
  private closed = 0;
  private mostOpen = 0;
  private readonly closedByCode: Record<number, number> = {};
  private readonly refusedByStatus: Record<number, number> = {};
  /** Of the connections that have ended. */
  private readonly past = { bytesReceived: 0, bytesSent: 0, messagesReceived: 0, messagesSent: 0 };
  private readonly startedAt: number;

  constructor(startedAt: number) {
    this.startedAt = startedAt;
  }

  /** A connection opened, one of `size` now. */
  countOpened(size: number): void {
    this.opened++;
    if (size > this.mostOpen) this.mostOpen = size;
  }

  countClosed(endpoint: ServerEndpoint, { code }: CloseEvent): void {
    this.closed++;
    this.closedByCode[code] = (this.closedByCode[code] ?? 0) + 1;
    add(this.past, endpoint);
  }

  countRefused({ status }: RefusedConnection): void {
    this.refused++;
    this.refusedByStatus[status] = (this.refusedByStatus[status] ?? 0) + 1;
  }

  snapshot(now: number, registry: Registry, pending: number): ServerMetrics {
    const totals = { ...this.past };
    let open = 0;
    let bufferedAmount = 0;
    let slow = 0;
    for (const endpoint of registry.list()) {
      add(totals, endpoint);
      bufferedAmount += endpoint.bufferedAmount;
      if (endpoint.readyState !== 'open') continue;
      open++;
      if (!endpoint.writable) slow++;
    }
    return {
      uptime: now - this.startedAt,
      open,
      mostOpen: this.mostOpen,
      closing: registry.size - open,
      pending,
      opened: this.opened,
      closed: this.closed,
      closedByCode: { ...this.closedByCode },
      refused: this.refused,
      refusedByStatus: { ...this.refusedByStatus },
      ...totals,
      bufferedAmount,
      slow,
      topics: registry.topics.size,
    };
  }
}

interface Traffic {
  bytesReceived: number;
  bytesSent: number;
  messagesReceived: number;
  messagesSent: number;
}

function add(totals: Traffic, { statistics }: ServerEndpoint): void {
  totals.bytesReceived += statistics.bytesReceived;
  totals.bytesSent += statistics.bytesSent;
  totals.messagesReceived += statistics.messagesReceived;
  totals.messagesSent += statistics.messagesSent;
}
