/** Endpoints over what every runtime of the web has: TransformStreams and a MessageChannel. */
import { MessagePortTransport, type PortLike, webEnvironment, webPlatform } from '../../../src/transport/web/index.ts';
import { WebStreamTransport } from '../../../src/transport/web-streams.ts';
import type { Join } from '../cases.ts';
import { established, type Lent } from './established.ts';

/** Timers of the runtime; a while is 20 ms. */
export const webLent: Lent = {
  environment: webEnvironment(),
  platform: webPlatform,
  idle: () => new Promise((resolve) => setTimeout(resolve, 20)),
};

export const overStreams: Join = established(webLent, () => {
  const up = breakable();
  const down = breakable();
  const broken = new Error('reset by the test');
  return {
    server: new WebStreamTransport({ readable: up.readable, writable: down.writable }),
    client: new WebStreamTransport({ readable: down.readable, writable: up.writable }),
    reset() {
      up.fail(broken);
      down.fail(broken);
    },
  };
});

/** A stream into one side and out of the other, that fails when it is told to. */
function breakable(): {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly fail: (error: Error) => void;
} {
  let controller: TransformStreamDefaultController<Uint8Array> | undefined;
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
    start(own) {
      controller = own;
    },
  });
  return { readable, writable, fail: (error) => controller?.error(error) };
}

export const overPorts: Join = established(webLent, () => {
  const { port1, port2 } = new MessageChannel() as unknown as { port1: PortLike; port2: PortLike };
  return {
    server: new MessagePortTransport(port1),
    client: new MessagePortTransport(port2),
    // Half a reset: what comes next is no message of ours.
    reset: () => port2.postMessage({ not: 'ours' }),
  };
});
