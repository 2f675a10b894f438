/**
 * WebSocket clients to UNIX-socket and TCP servers: `sansocket/gateway`.
 *
 * @packageDocumentation
 */

export { Endpoint } from '../endpoint/endpoint.ts';
export type * from '../endpoint/events.ts';
export type { EndpointOptions } from '../endpoint/options.ts';
export { type AdoptedPeer, type AdoptHandler, type AdoptOptions, adopt, type HandOverSource } from './adopt.ts';
export type {
  GatewayClient,
  GatewayClose,
  GatewayEventName,
  GatewayEvents,
  GatewayListener,
  GatewayRefusal,
} from './events.ts';
export { createGateway, Gateway } from './gateway.ts';
export type { Patterns, RuleOrder } from './name-rules.ts';
export type { GatewayOptions, Processes, Route } from './options.ts';
export type { FrameType } from './relay.ts';
export type { Framing } from './stream-framing.ts';
