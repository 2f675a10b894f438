/**
 * A server, a network and any number of clients that connect again, on a virtual clock. Connections are real ones, handshake
 * and frames, over links in memory; who is let in, and what is cut, is for the test to say.
 */

import { type ClientShell, Reconnecting, type ReconnectingOptions, TransportError } from '../../src/client/index.ts';
import { ClientConnection } from '../../src/connection/client-connection.ts';
import { ServerConnection } from '../../src/connection/server-connection.ts';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import { type EndpointOptions, EndpointSettings } from '../../src/endpoint/options.ts';
import { type LinkOptions, type MemoryLink, memoryLink, VirtualClock } from '../../src/transport/memory.ts';
import type { Clock } from '../../src/transport/transport.ts';
import { seededNumbers, seededRandom } from '../support/random.ts';

/** How the server treats who comes: the handshake succeeds, is refused with a status, or there is nobody. */
export type Treatment = 'accept' | 'down' | { readonly status: number; readonly headers?: [string, string][] };

/** One connection, as the network sees it. */
export interface Line {
  readonly server: Endpoint;
  readonly client: Endpoint;
  readonly link: MemoryLink;
}

export class Simulation {
  readonly clock: VirtualClock = new VirtualClock();
  /** When each attempt began. */
  readonly arrivals: number[] = [];
  /** The connections whose handshake succeeded and that have not ended, from the server's side. */
  readonly lines: Set<Line> = new Set();
  /** What the server was sent, text messages only. */
  readonly received: string[] = [];
  readonly warnings: Error[] = [];
  treatment: Treatment = 'accept';
  /** Milliseconds until a refusal or a connection is there. */
  dialTime = 1;
  link: LinkOptions = {};
  /** Of the server's ends. */
  serverOptions: EndpointOptions = {};
  /** Attempts under way that were neither answered nor abandoned. */
  dialling = 0;
  wallClock = 1_700_000_000_000;
  random: () => number;
  onLine: (line: Line) => void = () => {};
  /** Called with each link before anything goes over it; the server is on the left. */
  onLink: (link: MemoryLink) => void = () => {};

  constructor(seed = 1) {
    this.random = seededNumbers(seed);
  }

  /** Holds on the process of the clients. */
  get holds(): number {
    return this.clock.holds;
  }

  get shell(): ClientShell {
    return {
      environment: { clock: this.clock, warn: (error) => this.warnings.push(error) },
      random: () => this.random(),
      wallClock: () => this.wallClock,
      prepare: (_, options) => {
        const settings = new EndpointSettings({ platform: { random: seededRandom(5) }, ...options }, 'client');
        return (sink) => {
          this.arrivals.push(this.clock.now());
          this.dialling++;
          let over = false;
          let endpoint: Endpoint | null = null;
          const settle = () => {
            if (over) return false;
            over = true;
            this.dialling--;
            return true;
          };
          const answer = () => {
            if (over) return;
            if (this.treatment === 'down') {
              settle();
              sink.failed(new TransportError('CONNECT_FAILED', new Error('nobody listens')));
              return;
            }
            const connection = new ClientConnection(
              { host: 'a.test', target: '/' },
              settings.connection,
              this.clock.now(),
            );
            const link = memoryLink(this.clock, this.link);
            this.onLink(link);
            const client = new Endpoint(connection, link.right, settings, this.shell.environment, {
              opened: () => settle() && sink.opened(client),
              closed: (__, { error }) => settle() && sink.failed(error!),
            });
            endpoint = client;
            this.serve(link, client);
            client.start();
          };
          this.clock.schedule({ wake: answer }, this.clock.now() + this.dialTime);
          return {
            abandon: () => {
              if (settle()) endpoint?.terminate();
            },
            ref: () => {},
            unref: () => {},
          };
        };
      },
    };
  }

  client(
    options: ReconnectingOptions & { readonly [option: string]: unknown } = {},
  ): Reconnecting<ReconnectingOptions> {
    return new Reconnecting('ws://a.test/', options, this.shell);
  }

  /** Cuts every connection: both sides learn of it. */
  cutAll(): void {
    for (const { link } of [...this.lines]) link.reset();
  }

  private serve(link: MemoryLink, client: Endpoint): void {
    const settings = new EndpointSettings(this.serverOptions, 'server');
    const accepting = new ServerConnection(settings.connection, this.clock.now());
    // The same clock, in another process: what keeps that one alive is not counted.
    const clock: Clock = Object.create(this.clock, { hold: { value: undefined } });
    const environment = { clock, warn: () => {} };
    const server: Endpoint = new Endpoint(accepting, link.left, settings, environment, {
      request: () => {
        const { treatment } = this;
        if (typeof treatment === 'object')
          accepting.reject(this.clock.now(), treatment.status, { headers: treatment.headers ?? [] });
        else accepting.accept(this.clock.now());
        server.wake();
      },
      opened: () => {
        const line: Line = { server, client, link };
        this.lines.add(line);
        server.on('close', () => this.lines.delete(line));
        server.on('message', ({ data }) => {
          this.received.push(String(data));
        });
        this.onLine(line);
      },
    });
    server.start();
  }
}
