/**
 * A WebSocket client for Node: `sansocket/client`.
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
export type { ClientTlsOptions, Pem, TlsCommon } from '../transport/node/tls.ts';
export { type BackoffRule, backoffWait, type Ending, isRetryable } from './backoff.ts';
export type { AttemptHandle, AttemptSink, ClientShell, UrlLike, UrlObject } from './client-shell.ts';
export { connect } from './connect.ts';
export type { ConnectOptions } from './options.ts';
export type { QueueOptions } from './outgoing-queue.ts';
export type {
  AnyClientEvent,
  ClientCloseEvent,
  ClientDropEvent,
  ClientErrorEvent,
  ClientEventName,
  ClientEvents,
  ClientInfo,
  ClientListener,
  ClientListeners,
  ClientOpenEvent,
  ClientState,
  RetryInfo,
  StartStatus,
  StopEvent,
} from './reconnect-events.ts';
export type { AnyClient, ReconnectingOptions, ReconnectOptions, StopSignal } from './reconnect-options.ts';
export { Reconnecting } from './reconnecting.ts';
export { ReconnectingClient, type ReconnectingClientOptions } from './reconnecting-client.ts';
export { type Address, parseUrl } from './url.ts';
