/**
 * WebSocket servers for Node: `sansocket/server`.
 *
 * @packageDocumentation
 */

export type { DebugLevel, DebugOptions, DebugRecord, DebugSink } from '../debug/options.ts';
export { type AnyEvent, type ErrorEvent, EventNumber, ReadyStateNumber } from '../endpoint/any-event.ts';
export type { Compression } from '../endpoint/compression.ts';
export { Endpoint, type Statistics } from '../endpoint/endpoint.ts';
export type * from '../endpoint/events.ts';
export type { HeaderList } from '../endpoint/header-list.ts';
export type { EndpointOptions } from '../endpoint/options.ts';
export type { SendOptions, SendResult, StreamOptions } from '../endpoint/outbox.ts';
export type { Bytes } from '../endpoint/payload.ts';
export * from '../errors.ts';
export type { PermessageDeflateOptions } from '../extension/permessage-deflate/options.ts';
export { Headers } from '../handshake/headers.ts';
export type { Request } from '../handshake/request.ts';
export type { Pem, ServerTlsOptions, TlsCommon } from '../transport/node/tls.ts';
export { type AddressEntries, AddressList } from './address-list.ts';
export type { BroadcastOptions, BroadcastResult, ServerSendOptions } from './broadcast.ts';
export type { RefusedConnection, ServerEvents, ServerListener } from './events.ts';
export type { ServerMetrics, ServerStatistics } from './metrics.ts';
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
export type { Target } from './registry.ts';
export { serve } from './serve.ts';
export { type CloseServerOptions, Server } from './server.ts';
export { ServerEndpoint } from './server-endpoint.ts';
export { attach, type UpgradeServer } from './upgrade.ts';
