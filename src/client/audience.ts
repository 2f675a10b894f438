/**
 * Who listens to a client, over all of its connections. What is an endpoint's own goes from there to the listener without a
 * detour; what is the client's is told in order, also when listeners bring more of it about.
 */

import { checkRecord } from '../connection/options.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { EventName, Listener } from '../endpoint/events.ts';
import { UsageError } from '../errors.ts';
import type { AnyClientEvent, ClientEventName, ClientEvents, ClientListener } from './reconnect-events.ts';
import type { AnyClient, ReconnectingOptions } from './reconnect-options.ts';

/** A listener, and what takes it off the connection that is open now. */
interface Registration {
  readonly type: ClientEventName;
  readonly listener: (event: never) => unknown;
  undo: (() => void) | null;
}

type Delivery = ReconnectingOptions['delivery'];
type OwnEvent = ClientEvents['error' | 'close' | 'drop' | 'stop'];

const OF_SOCKETS: ReadonlySet<string> = new Set(['message', 'fragment', 'progress', 'ping', 'pong', 'drain']);
const EVENT_NAMES: ReadonlySet<string> = new Set([...OF_SOCKETS, 'open', 'error', 'close', 'drop', 'stop']);

/** The listeners of one client. */
export class Audience {
  private readonly report: (error: unknown) => void;
  private readonly delivery: () => Delivery;
  private registrations: readonly Registration[] = [];
  private endpoint: Endpoint | null = null;
  private telling = false;
  private backlog: OwnEvent[] = [];

  /** `report` takes what a listener threw when there was no connection to fail; `delivery` tells what connections deliver. */
  constructor(report: (error: unknown) => void, delivery: () => Delivery) {
    this.report = report;
    this.delivery = delivery;
  }

  /** @throws UsageError when the event does not exist, connections do not deliver it, or messages already go elsewhere */
  add<Name extends ClientEventName>(type: Name, listener: ClientListener<Name>): () => void {
    if (!EVENT_NAMES.has(type)) {
      const names = [...EVENT_NAMES].join(', ');
      throw new UsageError('INVALID_ARGUMENT', `there is no event '${String(type)}'; there are ${names}`);
    }
    if (typeof listener !== 'function') throw new UsageError('INVALID_ARGUMENT', 'a listener must be a function');
    if (type === undelivered(this.delivery())) {
      throw new UsageError('INVALID_STATE', `on('${type}') needs the option delivery: '${type}'`);
    }
    const registration: Registration = { type, listener: listener as Registration['listener'], undo: null };
    if (this.endpoint !== null && type !== 'open') attach(this.endpoint, registration, '', 0);
    this.registrations = [...this.registrations, registration];
    return () => {
      registration.undo?.();
      registration.undo = null;
      this.registrations = this.registrations.filter((each) => each !== registration);
    };
  }

  /** Attaches what the options name. @throws UsageError for what is no event, or no listener */
  listen({ on, onEvent }: ReconnectingOptions, client: AnyClient): void {
    if (on !== undefined) checkRecord(on, 'client: on');
    for (const [type, listener] of Object.entries(on ?? {})) {
      if (listener !== undefined) this.add(type as ClientEventName, listener as ClientListener<ClientEventName>);
    }
    if (onEvent === undefined) return;
    if (typeof onEvent !== 'function') {
      throw new UsageError('INVALID_OPTION', "client: option 'onEvent' must be a function");
    }
    const other = undelivered(this.delivery());
    for (const type of EVENT_NAMES) {
      if (type !== other) this.add(type as ClientEventName, (event: AnyClientEvent) => onEvent(client, event));
    }
  }

  /** @throws UsageError when somebody listens to what would be delivered no more */
  checkDelivery(delivery: Delivery): void {
    const other = undelivered(delivery);
    if (!this.registrations.some(({ type }) => type === other)) return;
    throw new UsageError(
      'INVALID_OPTION',
      `client: option 'delivery' is '${delivery ?? 'message'}', and there is a listener for '${other}': take it off first`,
    );
  }

  /** A connection is about to open. */
  attach(endpoint: Endpoint, url: string, retries: number): void {
    this.endpoint = endpoint;
    for (const registration of this.registrations) attach(endpoint, registration, url, retries);
  }

  /** The connection is over. */
  detach(): void {
    this.endpoint = null;
    for (const registration of this.registrations) registration.undo = null;
  }

  /** Nobody listens any more. */
  forget(): void {
    for (const { undo } of this.registrations) undo?.();
    this.registrations = [];
  }

  /** Whether anybody listens to it. */
  hears(type: ClientEventName): boolean {
    return this.registrations.some((each) => each.type === type);
  }

  /** Keeps an event until `tell`. */
  queue(event: OwnEvent): void {
    this.backlog.push(event);
  }

  /** Tells what was kept. What a listener brings about is told after what it was told. */
  tell(): void {
    if (this.telling) return;
    this.telling = true;
    while (this.backlog.length > 0) {
      const events = this.backlog;
      this.backlog = [];
      for (const event of events) this.tellOne(event);
    }
    this.telling = false;
  }

  private tellOne(event: OwnEvent): void {
    for (const registration of this.registrations) {
      // One that another listener has taken off is gone at once.
      if (registration.type === event.type && this.registrations.includes(registration)) {
        this.call(registration.listener as (event: OwnEvent) => unknown, event);
      }
    }
  }

  private call(listener: (event: OwnEvent) => unknown, event: OwnEvent): void {
    try {
      const result = listener(event) as PromiseLike<unknown> | null | undefined;
      if (typeof result?.then === 'function') result.then(undefined, this.report);
    } catch (error) {
      this.report(error);
    }
  }
}

function undelivered(delivery: Delivery): 'message' | 'fragment' {
  return delivery === 'fragment' ? 'message' : 'fragment';
}

function attach(endpoint: Endpoint, registration: Registration, url: string, retries: number): void {
  const { type, listener } = registration;
  if (OF_SOCKETS.has(type)) {
    registration.undo = endpoint.on(type as EventName, listener as Listener<EventName>);
  } else if (type === 'open') {
    const tell = listener as ClientListener<'open'>;
    registration.undo = endpoint.on('open', (event) => tell({ ...event, url, retries }));
  } else if (type === 'error') {
    // The client tells it, with what follows from it. The endpoint is to know that somebody listens.
    registration.undo = endpoint.on('error', nothing);
  }
}

function nothing(): void {}
