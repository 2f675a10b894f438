/**
 * WebSocket servers for Node: `sansocket/server`.
 *
 * @packageDocumentation
 */

export { Endpoint, type Statistics } from '../endpoint/endpoint.ts';
export type { CloseEvent, DrainEvent, EndpointEvents, EventName, Listener, Listeners } from '../endpoint/events.ts';
export type { HeaderList } from '../endpoint/header-list.ts';
export type { EndpointOptions } from '../endpoint/options.ts';
export type { SendOptions, SendResult } from '../endpoint/outbox.ts';
export type { Bytes } from '../endpoint/payload.ts';
export * from '../errors.ts';
export { Headers } from '../handshake/headers.ts';
export type { Request } from '../handshake/request.ts';
export type { Pem, ServerTlsOptions, TlsCommon } from '../transport/node/tls.ts';
export type { RefusedConnection, ServerEvents, ServerListener } from './events.ts';
export type { ServerStatistics } from './gate.ts';
export type {
  Acceptance,
  AttachOptions,
  Handler,
  Peer,
  PlainAnswer,
  Refusal,
  ServeOptions,
  Verdict,
} from './options.ts';
export type { AllowedOrigins } from './origin.ts';
export type { BroadcastOptions, BroadcastResult } from './registry.ts';
export { serve } from './serve.ts';
export { type CloseServerOptions, Server } from './server.ts';
export { attach, type UpgradeServer } from './upgrade.ts';
