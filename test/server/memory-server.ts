/** A server whose connections are links in memory, on a clock that moves only when it is told. */

import { ClientConnection } from '../../src/connection/client-connection.ts';
import { ServerConnection } from '../../src/connection/server-connection.ts';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import { EndpointSettings } from '../../src/endpoint/options.ts';
import type { WebSocketError } from '../../src/errors.ts';
import { Gate } from '../../src/server/gate.ts';
import type { AttachOptions, Handler, ServerEndpoint } from '../../src/server/index.ts';
import { ATTACH_RULES, ServerSettings } from '../../src/server/options.ts';
import { Server } from '../../src/server/server.ts';
import { type LinkOptions, type MemoryLink, memoryLink, VirtualClock } from '../../src/transport/memory.ts';
import type { Addresses } from '../../src/transport/transport.ts';
import { seededRandom } from '../support/random.ts';

/** Where a guest comes from, what it asks for, and over which link. */
export interface GuestOptions extends LinkOptions {
  readonly path?: string;
  readonly address?: string | null;
  readonly port?: number | null;
  readonly secure?: boolean;
}

/** A client, and the server's end of its connection. */
export interface Guest {
  readonly socket: Endpoint;
  readonly here: ServerEndpoint;
  readonly link: MemoryLink;
  /** The data of all messages that came. */
  readonly got: unknown[];
}

export class MemoryServer<Context = unknown> {
  readonly clock: VirtualClock = new VirtualClock();
  readonly warnings: WebSocketError[] = [];
  readonly server: Server<Context>;
  private readonly gate: Gate;
  private readonly clientSettings: EndpointSettings;
  private lastPort = 40_000;

  constructor(options: AttachOptions<Context> = {}, handler: Handler<Context> = (socket) => socket.resume()) {
    // Guests offer what the server would take.
    const { compression = false } = options;
    this.clientSettings = new EndpointSettings({
      platform: { random: seededRandom(3) },
      pingInterval: null,
      compression: compression !== false,
    });
    const platform = { best: {}, open: {} };
    const settings = new ServerSettings(
      ATTACH_RULES,
      { pingInterval: null, ...options } as AttachOptions,
      'test',
      platform,
    );
    const environment = { clock: this.clock, warn: (error: WebSocketError) => this.warnings.push(error) };
    this.gate = new Gate(settings, handler as Handler, environment);
    this.server = new Server<Context>(this.gate, {
      address: () => null,
      url: '',
      stop: () => Promise.resolve(),
      release() {},
      ref() {},
      unref() {},
    });
  }

  /** Begins a connection; the client's endpoint has nothing behind it yet. */
  dial({ path = '/', address = '192.0.2.1', port = ++this.lastPort, secure = false, ...link }: GuestOptions = {}): {
    readonly socket: Endpoint;
    readonly link: MemoryLink;
  } {
    const { clock, warnings } = this;
    const joined = memoryLink(clock, link);
    const addresses: Addresses = {
      remoteAddress: address,
      remotePort: port,
      localAddress: '192.0.2.254',
      localPort: 443,
      secure,
    };
    Object.defineProperty(joined.left, 'addresses', { value: addresses });
    const { connection: settings } = this.gate.settings.endpoint;
    const accepted = {
      remoteAddress: address ?? undefined,
      remotePort: port ?? undefined,
      destroy: () => joined.left.destroy(),
    };
    if (!this.gate.dropped(accepted)) this.gate.admit(new ServerConnection(settings, clock.now()), joined.left);
    const client = new ClientConnection(
      { host: 'example.test', target: path },
      this.clientSettings.connection,
      clock.now(),
    );
    const environment = { clock, warn: (error: WebSocketError) => warnings.push(error) };
    return { socket: new Endpoint(client, joined.right, this.clientSettings, environment), link: joined };
  }

  /** A connection that has opened. */
  async guest(options: GuestOptions = {}): Promise<Guest> {
    const known = new Set(this.server.connections);
    const { socket, link } = this.dial(options);
    const got: unknown[] = [];
    socket.on('message', ({ data }) => got.push(data));
    socket.start();
    await this.clock.run(1);
    const here = [...this.server.connections].find((each) => !known.has(each));
    if (here === undefined) throw new Error('the connection did not open');
    return { socket, here, link, got };
  }

  /** A connection that was refused: its HTTP status. */
  async refusal(options: GuestOptions = {}): Promise<number | undefined> {
    const { socket } = this.dial(options);
    socket.start();
    await this.clock.run(1);
    const { error } = await Promise.race([socket.closed, this.clock.run(1_000).then(() => ({ error: null }))]);
    return error?.name === 'HandshakeError' ? error.status : undefined;
  }
}
