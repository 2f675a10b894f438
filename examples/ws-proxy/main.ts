/**
 * A proxy: whoever connects to it talks to another server, and both see what they would see without it: path, subprotocol,
 * messages, who closes and why.
 *
 *     npx tsx examples/ws-proxy/main.ts ws://backend.test:9000 [port]
 *
 * Payload passes in pieces as it comes, never a whole message in memory. Who is slow to read is waited for, and so the other
 * side is read from no faster.
 */
import { fileURLToPath } from 'node:url';
import { connect, type Endpoint, HandshakeError, parseUrl } from '../../src/client/index.ts';
import { type ServeOptions, type Server, serve, type Verdict } from '../../src/server/index.ts';

/** Headers of the client that are the backend's business. Those of the handshake are between two ends. */
const PASSED_ON = ['Origin', 'Cookie', 'Authorization', 'User-Agent', 'Accept-Language'];

/**
 * Starts a proxy to `backend`: `ws://host:port` or `wss://…`; the path comes from each client.
 *
 * @throws UsageError (as a rejection) when `backend` is no URL, or an option is wrong
 */
export async function startProxy(backend: string, options: ServeOptions<Endpoint>): Promise<Server<Endpoint>> {
  parseUrl(backend);
  const common = { delivery: 'fragment', maxMessageSize: null } as const;
  return serve<Endpoint>(
    {
      ...common,
      // The backend sees the Origin, and decides.
      allowedOrigins: '*',
      authorize: async (request, peer): Promise<Verdict<Endpoint>> => {
        const headers: [string, string][] = PASSED_ON.flatMap((name) =>
          request.headers.getAll(name).map((value): [string, string] => [name, value]),
        );
        const before = request.headers.getAll('X-Forwarded-For');
        headers.push(['X-Forwarded-For', [...before, peer.remoteAddress ?? 'unknown'].join(', ')]);
        const { signal } = peer;
        try {
          const { subprotocols, path, query } = request;
          const upstream = await connect(backend.replace(/\/$/, '') + path + query, {
            ...common,
            headers,
            subprotocols,
            signal,
          });
          // The client may be gone before it has its 101; nobody else would close this then.
          signal.addEventListener('abort', () => upstream.terminate());
          return { context: upstream, subprotocol: upstream.subprotocol || null };
        } catch (error) {
          if (signal.aborted) return false;
          return refusal(error);
        }
      },
      ...options,
    },
    (client) => {
      pipe(client, client.context);
      pipe(client.context, client);
    },
  );
}

/** The backend's own refusal, or that there is none to be had from it (RFC 9110 sections 15.6.3 and 15.6.5). */
function refusal(error: unknown): Verdict<Endpoint> {
  if (!(error instanceof HandshakeError) || error.response === null) {
    // Not why: where the backend is, is nobody's business.
    return { status: 502, body: 'the backend cannot be reached\n' };
  }
  const { status, body } = error.response;
  // Of what is no refusal there is nothing to pass on.
  return status >= 400 && status <= 599 ? { status, body } : { status: 502 };
}

/** Everything that `from` gets goes to `to`, its end as well. */
function pipe(from: Endpoint, to: Endpoint): void {
  from.on('fragment', ({ kind, data, last }) => {
    const { writable } = to.sendFragment(kind, data, last);
    // While this promise is open, nothing more is read on this side.
    return writable ? undefined : to.drained();
  });
  // Told also if it ended before this.
  void from.closed.then(({ code, reason, error }) => {
    // 1005 is an empty Close and 1006 none at all: neither may be sent (RFC 6455 section 7.4.1).
    if (code === 1005) void to.close();
    else if (code === 1006) void to.close(1011, error?.code ?? '');
    else void to.close(code, reason);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [backend, port = '8080'] = process.argv.slice(2);
  if (backend === undefined) {
    console.error('usage: npx tsx examples/ws-proxy/main.ts ws://HOST:PORT [port]');
    process.exit(2);
  }
  const proxy = await startProxy(backend, { host: '127.0.0.1', port: Number(port) });
  console.log(`${proxy.url} leads to ${backend}`);
  proxy.on('connection', (client) => {
    console.log(`${client.id} ${client.request?.target}`);
    void client.closed.then(({ code, reason }) => console.log(`${client.id} closed ${code} ${reason}`));
  });
  proxy.on('refused', ({ remoteAddress, status }) => console.log(`${remoteAddress} refused with ${status}`));
  process.once('SIGINT', () => proxy.close());
}
