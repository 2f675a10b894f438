/**
 * Endpoints for authors of shells: join a connection to a transport and a clock of your own, and hold what users hold. It
 * imports in any runtime: `sansocket/endpoint`.
 *
 * @packageDocumentation
 */

export { TimerClock, type Timers } from '../transport/timer-clock.ts';
export type { Addresses, Clock, Transport, TransportSink, Wakeable } from '../transport/transport.ts';
export { type AnyEvent, type ErrorEvent, EventNumber, onAnyEvent, ReadyStateNumber } from './any-event.ts';
export type { Compression } from './compression.ts';
export { type Consumer, Driver } from './driver.ts';
export { Endpoint, type Host, type Statistics } from './endpoint.ts';
export type * from './events.ts';
export { type EndpointOptions, EndpointSettings, type Environment } from './options.ts';
export type { SendOptions, SendResult, StreamOptions } from './outbox.ts';
export type { StreamSource } from './outgoing-stream.ts';
export type { Bytes } from './payload.ts';
