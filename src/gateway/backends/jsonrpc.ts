/** The sample server `jsonrpc`: the methods of a module, called by JSON-RPC 2.0. */

import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageError } from '../../errors.ts';
import type { Framing } from '../stream-framing.ts';
import { answer, type Methods } from './json-rpc.ts';
import { JsonSplitter } from './json-splitter.ts';
import { Peer } from './peer.ts';

/** What a module exports: `init` is called for every client. */
export interface RpcModule {
  init(config: string): RpcService | Promise<RpcService>;
}

/** What one client may call. */
export interface RpcService {
  readonly methods: Methods;
  /** The client is gone. */
  release?(): unknown;
}

const LIMIT = 1_048_576;

/** What there is without a module. */
const BUILT_IN: RpcModule = {
  init: () => ({
    methods: {
      echo: (params) => params ?? null,
      add: {
        params: ['a', 'b'],
        run: (a: unknown, b: unknown) => {
          if (typeof a === 'number' && typeof b === 'number') return a + b;
          throw Object.assign(new Error('Invalid params'), { code: -32602, data: 'a and b are numbers' });
        },
      },
      time: { params: [], run: () => new Date().toISOString() },
    },
  }),
};

/**
 * Loads a module.
 *
 * @throws UsageError when it cannot be loaded, or exports no `init`
 */
export async function loadRpcModule(path: string | null): Promise<RpcModule> {
  if (path === null) return BUILT_IN;
  let loaded: Partial<RpcModule>;
  try {
    loaded = (await import(pathToFileURL(resolve(path)).href)) as Partial<RpcModule>;
  } catch (error) {
    throw new UsageError('INVALID_ARGUMENT', `the module ${path} cannot be loaded: ${(error as Error).message}`);
  }
  if (typeof loaded.init !== 'function') {
    throw new UsageError('INVALID_ARGUMENT', `the module ${path} exports no function 'init'`);
  }
  return loaded as RpcModule;
}

/** Serves one client. `failed` hears of what methods threw. */
export async function serveRpc(
  socket: Socket,
  { init }: RpcModule,
  config: string,
  framing: Framing,
  failed: (error: unknown) => void,
): Promise<void> {
  socket.pause();
  let service: RpcService;
  try {
    service = await init(config);
    if (typeof service?.methods !== 'object' || service.methods === null) {
      throw new UsageError('INVALID_ARGUMENT', 'init() of the module must return { methods }, or a promise of it');
    }
  } catch (error) {
    failed(error);
    socket.destroy();
    return;
  }
  const release = async () => {
    try {
      await service.release?.();
    } catch (error) {
      failed(error);
    }
  };
  if (socket.destroyed) {
    await release();
    return;
  }
  const splitter = new JsonSplitter(LIMIT);
  const respond = async (text: string) => {
    peer.begin();
    const reply = await answer(text, service.methods, failed);
    if (reply !== null) peer.send(Buffer.from(reply));
    peer.done();
  };
  const take = (message: Uint8Array) => {
    // Without boundaries on the stream the texts have their own.
    if (framing !== 'chunk') void respond(Buffer.from(message).toString());
    else if (!splitter.push(message, (text) => void respond(text))) socket.destroy();
  };
  const peer = new Peer(socket, framing, take, release);
  socket.resume();
}
