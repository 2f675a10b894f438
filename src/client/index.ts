/**
 * A WebSocket client for Node: `sansocket/client`.
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
export type { ClientTlsOptions, Pem, TlsCommon } from '../transport/node/tls.ts';
export { connect } from './connect.ts';
export type { ConnectOptions } from './options.ts';
export { type Address, parseUrl } from './url.ts';
