/** Node's sockets, clock and platform for endpoints: `sansocket/transport/node`. */

import type { Environment } from '../../endpoint/options.ts';
import { nodeClock } from './clock.ts';

export { NodeClock, nodeClock } from './clock.ts';
export type { CloseMessage, FrameMessage, OpenMessage, RefusedMessage } from './diagnostics.ts';
export { nodePlatform, publicPlatform } from './platform.ts';
export { SocketTransport, type SocketTransportOptions } from './socket.ts';
export { staticReadAvailable } from './static-read.ts';
export { nodeDeflate, zlibAvailable } from './zlib.ts';

/** What this process lends its endpoints. */
export const nodeEnvironment: Environment = {
  clock: nodeClock,
  warn: (error) => process.emitWarning(error),
};
