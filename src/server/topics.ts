/**
 * Topics: names under which connections of a server are reached together. A topic is there while somebody is subscribed to
 * it. It knows who is subscribed, and nothing of what is published.
 */

import { UsageError } from '../errors.ts';
import type { ServerEndpoint } from './server-endpoint.ts';

const NOBODY: ReadonlySet<ServerEndpoint> = new Set();
const NONE: ReadonlySet<string> = new Set();

/** Who is subscribed to what, on one server. */
export class Topics {
  private readonly subscribers: Map<string, Set<ServerEndpoint>> = new Map();
  /** The other direction; a connection without subscriptions is not in it. */
  private readonly subscriptions: Map<ServerEndpoint, Set<string>> = new Map();

  /** The topics that somebody is subscribed to. */
  get names(): string[] {
    return [...this.subscribers.keys()];
  }

  /** The number of topics that somebody is subscribed to. */
  get size(): number {
    return this.subscribers.size;
  }

  /** Subscribes; false if it was subscribed, or is not open. @throws UsageError when the topic is no string */
  add(topic: string, socket: ServerEndpoint): boolean {
    checkTopic(topic);
    if (socket.readyState !== 'open') return false;
    const sockets = this.subscribers.get(topic) ?? new Set<ServerEndpoint>();
    if (sockets.has(socket)) return false;
    this.subscribers.set(topic, sockets.add(socket));
    this.subscriptions.set(socket, (this.subscriptions.get(socket) ?? new Set<string>()).add(topic));
    return true;
  }

  /** Ends a subscription; false if there was none. @throws UsageError when the topic is no string */
  delete(topic: string, socket: ServerEndpoint): boolean {
    checkTopic(topic);
    const sockets = this.subscribers.get(topic);
    if (sockets?.delete(socket) !== true) return false;
    if (sockets.size === 0) this.subscribers.delete(topic);
    const topics = this.subscriptions.get(socket)!;
    topics.delete(topic);
    if (topics.size === 0) this.subscriptions.delete(socket);
    return true;
  }

  /** Ends all subscriptions of a connection. */
  leave(socket: ServerEndpoint): void {
    for (const topic of this.of(socket)) this.delete(topic, socket);
  }

  /** What a connection is subscribed to. */
  of(socket: ServerEndpoint): ReadonlySet<string> {
    return this.subscriptions.get(socket) ?? NONE;
  }

  /** Who is subscribed to a topic. @throws UsageError when the topic is no string */
  to(topic: string): ReadonlySet<ServerEndpoint> {
    checkTopic(topic);
    return this.subscribers.get(topic) ?? NOBODY;
  }
}

function checkTopic(topic: unknown): void {
  if (typeof topic !== 'string') {
    throw new UsageError('INVALID_ARGUMENT', `a topic is a string, not ${topic === null ? 'null' : typeof topic}`);
  }
}
