/**
 * WebSockets over HTTP/2 (RFC 8441), on `node:http2`: `sansocket/transport/http2`.
 *
 * @packageDocumentation
 */

export type { ShellClientOptions, Signal } from '../../shell/options.ts';
export { connect } from './client.ts';
export { attach } from './server.ts';
export { Http2ServerTransport, Http2Transport } from './stream.ts';
