/**
 * The engine of sansocket: RFC 6455 as a state machine over bytes. It imports in any runtime; nothing here reads a clock, a
 * socket or a platform global.
 *
 * @packageDocumentation
 */

export { CloseCode, closeCodeText } from './codec/close-code.ts';
export { Opcode } from './codec/opcode.ts';
export { pureText, type TextCodec } from './codec/utf8.ts';
export { ClientConnection, type ClientTarget } from './connection/client-connection.ts';
export { type Agreement, Connection, type Role, type Traffic } from './connection/connection.ts';
export { EstablishedConnection, type EstablishedOptions } from './connection/established-connection.ts';
export type {
  BinaryMessageEvent,
  ClosedEvent,
  ClosingEvent,
  ConnectionEvent,
  FragmentEvent,
  MessageEvent,
  OpenEvent,
  PingEvent,
  PongEvent,
  ProgressEvent,
  RequestEvent,
  TextMessageEvent,
} from './connection/events.ts';
export type { SendOptions } from './connection/message-sender.ts';
export { type ConnectionOptions, type Platform, Settings } from './connection/options.ts';
export {
  type AcceptOptions,
  type ParsedRequest,
  type RejectOptions,
  ServerConnection,
} from './connection/server-connection.ts';
export { type Input, type Phase, type ReadyState, TRANSITIONS, transition } from './connection/state.ts';
export * from './errors.ts';
export type {
  Extension,
  ExtensionAgreement,
  ExtensionOffer,
  ExtensionParameter,
  PayloadTransform,
} from './extension/extension.ts';
export type { DeflateCodec, Deflater, DeflaterOptions, Inflater } from './extension/permessage-deflate/codec.ts';
export type { PermessageDeflateOptions } from './extension/permessage-deflate/options.ts';
export { permessageDeflate, pureDeflate } from './extension/permessage-deflate/permessage-deflate.ts';
export { Headers } from './handshake/headers.ts';
export type { Request } from './handshake/request.ts';
