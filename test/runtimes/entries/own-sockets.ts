/** What runs over a runtime's own sockets, in plain text and in TLS: the contract, real peers, and certificates that are wrong. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Endpoint } from '../../../src/endpoint/endpoint.ts';
import type { ShellClientOptions, ShellHandler, ShellServerOptions } from '../../../src/shell/options.ts';
import type { Join } from '../../contract/cases.ts';
import { equals, holds } from '../../contract/claims.ts';
import { shells } from '../../contract/joins/established.ts';
import { overPorts, overStreams, webLent } from '../../contract/joins/web.ts';
import { authority, expired, local, other } from '../../support/certificates.ts';
import { clientCases, serverCase } from '../peers.ts';
import { BARE, type Extra, runSuite } from '../suite.ts';
import { nodeExtras, nodeShells } from './node-shells.ts';
import { patience, peerPort, securePeerPort } from './shared.ts';

interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

/** The two functions of a shell. */
export interface OwnSockets {
  /** The name of the runtime's function that listens. */
  readonly name: string;
  serve(
    options: ShellServerOptions & { port: number; hostname: string; tls?: { cert: string; key: string } },
    handler: ShellHandler,
  ): Listening;
  connect(url: string, options: ShellClientOptions): Promise<Endpoint>;
  /** The option of `connect` that trusts an authority. */
  trust(authority: string): object;
  /** Whether the runtime closes a socket on which TLS has not shaken hands, when it is told to. */
  readonly dropsHandshakes: boolean;
}

const say = (line: string) => console.log(line);
const HERE = { port: 0, hostname: '127.0.0.1' };

/** Runs the suite over these sockets, over those of `node:`, and over what all runtimes have. */
export async function runOwnSockets(own: OwnSockets): Promise<void> {
  const { name, serve, connect, trust } = own;
  const secureName = `${name}, TLS`;
  const trusted = (options: object) => ({ ...options, ...trust(authority) });
  await runSuite({
    say,
    patience,
    shells: [
      ...BARE,
      { name: 'web streams', join: overStreams },
      { name: 'message port', join: overPorts },
      { name, join: over(own, false) },
      { name: secureName, join: over(own, true) },
      ...nodeShells,
    ],
    extras: [
      ...clientCases(name, (options) => connect(`ws://127.0.0.1:${peerPort}/`, options)),
      ...clientCases(secureName, (options) => connect(`wss://localhost:${securePeerPort}/`, trusted(options))),
      serverCase(name, say, async (handler, options) => serve({ ...options, ...HERE }, handler)),
      serverCase(
        secureName,
        say,
        async (handler, options) => serve({ ...options, ...HERE, tls: local }, handler),
        true,
      ),
      ...tlsCases(own, secureName),
      ...nodeExtras(say),
    ],
  });
}

function over({ serve, connect, trust }: OwnSockets, secure: boolean): Join {
  return async (options) => {
    let accept: (endpoint: Endpoint) => void = () => {};
    const accepted = new Promise<Endpoint>((resolve) => {
      accept = resolve;
    });
    const server = serve({ ...options.server, ...HERE, ...(secure ? { tls: local } : {}) }, accept);
    const connecting = secure
      ? connect(`wss://localhost:${server.port}/`, { ...options.client, ...trust(authority) })
      : connect(`ws://127.0.0.1:${server.port}/`, { ...options.client });
    return shells(webLent.idle, accepted, connecting, drop, () => server.close());
  };
}

/** Drops the socket under an endpoint. */
function drop(endpoint: Endpoint): void {
  (endpoint as unknown as { transport: { fail(cause: unknown): void } }).transport.fail(new Error('reset by the test'));
}

function tlsCases(own: OwnSockets, shell: string): readonly Extra[] {
  const { serve, connect, trust, dropsHandshakes } = own;
  const refused = async (tls: { cert: string; key: string }, options: object, url: (port: number) => string) => {
    let opened = 0;
    const server = serve({ ...HERE, tls }, () => {
      opened++;
    });
    const error = await connect(url(server.port), options).then(
      () => null,
      (thrown: { code?: string }) => thrown,
    );
    holds(error !== null, 'it does not open');
    equals(error?.code, 'CONNECT_FAILED');
    holds(opened === 0, 'the server has seen no request');
    await server.close();
  };
  const silent = createServer();
  const here = (port: number) => `wss://localhost:${port}/`;
  return [
    {
      shell,
      name: 'what it knows of itself is said to be secure',
      async run() {
        const { server, client, dispose } = await over(own, true)({});
        holds(client.secure && server.secure, 'both ends say so');
        holds(client.remotePort === server.localPort, 'and agree on the port');
        await dispose();
      },
    },
    {
      shell,
      name: 'a certificate of an authority that is not trusted is refused before the request leaves',
      run: () => refused(local, {}, here),
    },
    {
      shell,
      name: 'so is one of another name',
      run: () => refused(other, trust(authority), here),
    },
    { shell, name: 'so is one that has expired', run: () => refused(expired, trust(authority), here) },
    {
      shell,
      name: `a server that does not answer the handshake of TLS is given up${dropsHandshakes ? ', and let go' : ''}`,
      async run() {
        const held = new Promise<Socket>((resolve) => {
          silent.once('connection', resolve);
        });
        await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
        const { port } = silent.address() as AddressInfo;
        const error = connect(`wss://127.0.0.1:${port}/`, { handshakeTimeout: 200 }).catch((thrown) => thrown);
        const socket = (await held).on('error', () => {}).resume();
        const gone = new Promise((resolve) => socket.once('close', resolve));
        equals((await error).code, 'OPENING_TIMEOUT');
        if (dropsHandshakes) await gone;
        else socket.destroy();
        await new Promise((resolve) => silent.close(resolve));
      },
    },
    {
      shell,
      name: 'a client that speaks plain text to it is dropped, and others are served',
      async run() {
        const server = serve({ ...HERE, tls: local }, () => {});
        const error = await connect(`ws://127.0.0.1:${server.port}/`, { handshakeTimeout: 5_000 }).then(
          () => null,
          (thrown: unknown) => thrown,
        );
        holds(error !== null, 'it does not open');
        const next = await connect(here(server.port), trust(authority));
        await next.close();
        await server.close();
      },
    },
  ];
}
