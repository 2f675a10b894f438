/**
 * The connections of one server from open to their end, and how they are found. It knows no listener, no handshake and
 * nothing of what is sent.
 */

import { checkOwn, show } from '../connection/options.ts';
import { Endpoint } from '../endpoint/endpoint.ts';
import { UsageError } from '../errors.ts';
import type { ServerEndpoint } from './server-endpoint.ts';
import { Topics } from './topics.ts';

/** A connection, or its `id` or `number`. */
export type Target = Endpoint | string | number;

/** Whom a message is for. */
export interface Targets {
  /** It was one, not a list of one. */
  readonly one: boolean;
  readonly list: Iterable<Target>;
}

/** The connections of one server. */
export class Registry {
  /** Those that are open now: a live view. */
  readonly open: ReadonlySet<ServerEndpoint>;
  readonly topics: Topics = new Topics();
  private readonly members: Map<number, ServerEndpoint> = new Map();
  /** By id; made when the first is looked up, so that servers that never do pay nothing. */
  private ids: Map<string, ServerEndpoint> | null = null;
  private lastNumber = 0;

  constructor() {
    this.open = new OpenView(this.members);
  }

  /** The connections that are open or closing. */
  get size(): number {
    return this.members.size;
  }

  nextNumber(): number {
    return ++this.lastNumber;
  }

  add(endpoint: ServerEndpoint): void {
    this.members.set(endpoint.number, endpoint);
    this.ids?.set(endpoint.id, endpoint);
  }

  delete(endpoint: ServerEndpoint): boolean {
    if (!this.members.delete(endpoint.number)) return false;
    this.topics.leave(endpoint);
    // Its address may have been taken by another connection meanwhile.
    if (this.ids?.get(endpoint.id) === endpoint) this.ids.delete(endpoint.id);
    return true;
  }

  /** Those that are open or closing. */
  list(): Iterable<ServerEndpoint> {
    return this.members.values();
  }

  /**
   * The open connection that is meant, or null.
   *
   * @throws UsageError when the target is no connection, no string and no number
   */
  find(target: Target): ServerEndpoint | null {
    let found: ServerEndpoint | undefined;
    if (typeof target === 'number') {
      found = this.members.get(target);
    } else if (typeof target === 'string') {
      this.ids ??= new Map([...this.members.values()].map((endpoint) => [endpoint.id, endpoint]));
      found = this.ids.get(target);
    } else {
      if (!(target instanceof Endpoint)) {
        throw new UsageError(
          'INVALID_ARGUMENT',
          `a connection is named by itself, its id or its number, not by ${show(target)}`,
        );
      }
      found = target as ServerEndpoint;
    }
    return found !== undefined && this.open.has(found) ? found : null;
  }
}

/**
 * One target or several: what is iterable and no string is several.
 *
 * @throws UsageError unless it is a connection, an id, a number, or some of them
 */
export function targetsOf(value: Target | Iterable<Target>, where: string): Targets {
  if (typeof value === 'string' || typeof value === 'number' || value instanceof Endpoint) {
    return { one: true, list: [value] };
  }
  if (typeof value === 'object' && value !== null && typeof value[Symbol.iterator] === 'function') {
    return { one: false, list: value };
  }
  throw new UsageError(
    'INVALID_ARGUMENT',
    `${where} must be a connection, its id or number, or several of them, not ${show(value)}`,
  );
}

/**
 * For methods, and what hooks answer: options are an object, and have no others than these.
 *
 * @throws UsageError naming the one that is unknown or inherited
 */
export function checkOptions(where: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new UsageError('INVALID_ARGUMENT', `${where}: options must be an object, not ${show(options)}`);
  }
  checkOwn(options, where);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new UsageError('INVALID_ARGUMENT', `${where}: there is no option '${name}'; known are ${known.join(', ')}`);
  }
}

/** Of a server's connections those that are open: a closing one is still held, but nothing can be sent to it. */
class OpenView implements ReadonlySet<ServerEndpoint> {
  private readonly members: ReadonlyMap<number, ServerEndpoint>;

  constructor(members: ReadonlyMap<number, ServerEndpoint>) {
    this.members = members;
  }

  get size(): number {
    let count = 0;
    for (const endpoint of this.members.values()) if (endpoint.readyState === 'open') count++;
    return count;
  }

  has(endpoint: ServerEndpoint): boolean {
    return endpoint.readyState === 'open' && this.members.get(endpoint.number) === endpoint;
  }

  *values(): SetIterator<ServerEndpoint> {
    for (const endpoint of this.members.values()) if (endpoint.readyState === 'open') yield endpoint;
  }

  keys(): SetIterator<ServerEndpoint> {
    return this.values();
  }

  *entries(): SetIterator<[ServerEndpoint, ServerEndpoint]> {
    for (const endpoint of this.values()) yield [endpoint, endpoint];
  }

  [Symbol.iterator](): SetIterator<ServerEndpoint> {
    return this.values();
  }

  forEach(
    callback: (value: ServerEndpoint, key: ServerEndpoint, set: ReadonlySet<ServerEndpoint>) => void,
    thisArg?: unknown,
  ): void {
    for (const endpoint of this.values()) callback.call(thisArg, endpoint, endpoint, this);
  }
}
