/**
 * The other side of a gateway's direct mode: a process that is handed clients goes on with them where the gateway stopped. The
 * client has not heard the 101 yet; it leaves from here, when the socket is here, so that nothing can be sent in between.
 */

import type { Socket } from 'node:net';
import { EstablishedConnection } from '../connection/established-connection.ts';
import { checkRecord, withPlatform } from '../connection/options.ts';
import { Endpoint } from '../endpoint/endpoint.ts';
import { type EndpointOptions, EndpointSettings } from '../endpoint/options.ts';
import { UsageError } from '../errors.ts';
import { ReceivedRequest, type Request } from '../handshake/request.ts';
import { encodeLatin1 } from '../handshake/text.ts';
import { nodeEnvironment } from '../transport/node/index.ts';
import { nodePlatform, publicPlatform } from '../transport/node/platform.ts';
import { SocketTransport } from '../transport/node/socket.ts';

/** What goes over the channel between the processes, with the socket. */
export interface HandOver {
  readonly type: typeof HAND_OVER;
  /** Of this client on this channel: to be answered with a {@link Receipt} of the same. */
  readonly number: number;
  /** When the gateway gives it up, by the clock of the machine (`Date.now()`). */
  readonly deadline: number;
  readonly name: string;
  readonly request: {
    readonly method: string;
    readonly target: string;
    readonly version: string;
    readonly rawHeaders: readonly string[];
  };
  /** The 101, one character a byte. */
  readonly response: string;
  readonly subprotocol: string;
  /** What the client sent behind its request, as base64. */
  readonly head: string;
  readonly remoteAddress: string | null;
  /** Of the gateway's `authorize`, as the channel carries it. */
  readonly context?: unknown;
}

/** What goes back. */
export interface Receipt {
  readonly type: typeof RECEIPT;
  readonly number: number;
  /** Null when the client is here; otherwise why it is not. */
  readonly failure: string | null;
}

/** The `type` of a {@link HandOver}. */
export const HAND_OVER = 'sansocket:hand-over';
const RECEIPT = 'sansocket:receipt';

/** Options of {@link adopt}: those of endpoints, but for what the handshake has settled. */
export interface AdoptOptions extends EndpointOptions {
  /** Whether parts of Node that are not public API may be used where a check has proved them. Default true. */
  readonly internals?: boolean;
}

/** A client that was handed over. */
export interface AdoptedPeer {
  /** The name that the client asked for. */
  readonly name: string;
  /** Its request, as the gateway got it. */
  readonly request: Request;
  /** Who it is, behind trusted proxies too; null if that is not known. */
  readonly remoteAddress: string | null;
  /** What the gateway's `authorize` gave it along, as the channel carries it: JSON, unless `fork` was told otherwise. */
  readonly context: unknown;
}

/** Takes a client before its `open` is delivered: listeners attached before the first `await` miss nothing. */
export type AdoptHandler = (socket: Endpoint, peer: AdoptedPeer) => unknown;

/** Who hands over: `process` in a process made by `child_process.fork()`. */
export interface HandOverSource {
  /** Listens to what comes over the channel. */
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
  /** Listens no longer. */
  off(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
  /** Answers whether a client has been taken. */
  send?(message: unknown, callback: (error: Error | null) => void): unknown;
}

/**
 * Takes the clients that a gateway with `mode: 'direct'` hands to this process. Other messages on the channel are left alone.
 *
 * @param options of the endpoints; sizes in bytes, durations in milliseconds
 * @param source who hands over. Default: the process that made this one
 * @returns undoes it; the clients that came stay
 * @throws UsageError naming the option that is wrong or means nothing here, or when this process has no channel
 * @example
 * adopt((socket, { name }) => {
 *   socket.on('message', ({ data }) => socket.send(`${name} heard ${data}`));
 * });
 */
export function adopt(
  handler: AdoptHandler,
  options: AdoptOptions = {},
  source: HandOverSource = process as HandOverSource,
): () => void {
  if (typeof handler !== 'function') throw new UsageError('INVALID_ARGUMENT', 'adopt: the handler must be a function');
  if ((source as unknown) === process && process.send === undefined) {
    throw new UsageError(
      'INVALID_STATE',
      'adopt: this process has no channel to a gateway: make it with child_process.fork()',
    );
  }
  checkRecord(options, 'adopt');
  for (const name of ['compression', 'extensions', 'plainRequests'] as const) {
    if (options[name] === undefined) continue;
    throw new UsageError(
      'INVALID_OPTION',
      `adopt: option '${name}' means nothing here: the handshake is the gateway's`,
    );
  }
  const { internals = true, ...rest } = options;
  if (typeof internals !== 'boolean')
    throw new UsageError('INVALID_OPTION', "adopt: option 'internals' must be true or false");
  const lent = withPlatform(internals ? nodePlatform : publicPlatform, options.platform, 'adopt');
  const settings = new EndpointSettings({ ...rest, platform: lent }, 'adopt');
  const take = (message: unknown, handle: unknown): void => {
    if (!isHandOver(message)) return;
    const { number, deadline } = message;
    const socket = (handle ?? null) as Socket | null;
    // The gateway has given it up, and has said so.
    const late = Date.now() >= deadline ? 'the process took it too late' : null;
    // One that was closed on the way comes without a socket.
    const failure = socket === null ? 'the client has gone' : late;
    source.send?.({ type: RECEIPT, number, failure } satisfies Receipt, ignore);
    if (failure !== null) socket?.destroy();
    else if (socket !== null) begin(message, socket, handler, settings, internals);
  };
  source.on('message', take);
  return () => {
    source.off('message', take);
  };
}

function isHandOver(message: unknown): message is HandOver {
  return (message as Partial<HandOver> | null | undefined)?.type === HAND_OVER;
}

/** @internal */
export function isReceipt(message: unknown): message is Receipt {
  return (message as Partial<Receipt> | null | undefined)?.type === RECEIPT;
}

function begin(
  handed: HandOver,
  socket: Socket,
  handler: AdoptHandler,
  settings: EndpointSettings,
  internals: boolean,
): void {
  const { name, subprotocol, remoteAddress, context } = handed;
  const { method, target, version, rawHeaders } = handed.request;
  const request = new ReceivedRequest(method, target, version, rawHeaders);
  // Without Nagle: a message waits for nobody. The peer's end is the engine's to judge.
  socket.setNoDelay(true);
  socket.allowHalfOpen = true;
  const connection = new EstablishedConnection(
    { role: 'server', subprotocol, headers: request.readHeaders() },
    settings.connection,
    nodeEnvironment.clock.now(),
  );
  request.rest();
  const head = new Uint8Array(Buffer.from(handed.head, 'base64'));
  const transport = new SocketTransport(socket, { head, internals });
  const endpoint: Endpoint = new Endpoint(connection, transport, settings, nodeEnvironment, {
    opened: () => {
      try {
        Promise.resolve(handler(endpoint, { name, request, remoteAddress, context })).catch((error: unknown) =>
          endpoint.report(error, 'open'),
        );
      } catch (error) {
        endpoint.report(error, 'open');
      }
    },
  });
  endpoint.request = request;
  socket.write(encodeLatin1(handed.response));
  endpoint.start();
}

/** A gateway that has gone needs no answer. */
function ignore(): void {}
