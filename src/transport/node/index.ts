/** Node's sockets, clock and platform for endpoints: `sansocket/transport/node`. */

import { inspect } from 'node:util';
import type { Environment } from '../../endpoint/options.ts';
import type { WebSocketError } from '../../errors.ts';
import { nodeClock } from './clock.ts';

export { NodeClock, nodeClock } from './clock.ts';
export type { CloseMessage, FrameMessage, OpenMessage, RefusedMessage } from './diagnostics.ts';
export { directWriteAvailable } from './direct-write.ts';
export { nodePlatform, publicPlatform } from './platform.ts';
export { SocketTransport, type SocketTransportOptions } from './socket.ts';
export { staticReadAvailable } from './static-read.ts';
export { nodeDeflate, zlibAvailable } from './zlib.ts';

/** What this process lends its endpoints. */
export const nodeEnvironment: Environment = {
  clock: nodeClock,
  warn,
};

/** Of a warning's cause, which has the line that failed, Node prints nothing; of its `detail` everything. */
function warn(error: WebSocketError): void {
  const { cause } = error;
  if (cause !== undefined) Object.defineProperty(error, 'detail', { value: shown(cause), configurable: true });
  process.emitWarning(error);
}

function shown(cause: unknown): string {
  try {
    return inspect(cause, { customInspect: false });
  } catch {
    // Its stack, or its name, is a getter that fails.
    return 'what was thrown cannot be shown';
  }
}
