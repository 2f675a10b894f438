/** The client that connects again, on Node's sockets, clock and chance. */

import { checkRecord } from '../connection/options.ts';
import { readHeaders } from '../endpoint/header-list.ts';
import { nodeEnvironment } from '../transport/node/index.ts';
import type { AttemptHandle, AttemptSink, ClientShell, UrlLike } from './client-shell.ts';
import { Attempt, ConnectPlan } from './connect.ts';
import type { ConnectOptions } from './options.ts';
import type { ReconnectingOptions } from './reconnect-options.ts';
import { Reconnecting } from './reconnecting.ts';

/** Options of {@link ReconnectingClient}: those of `connect`, and when and how it connects again. */
export interface ReconnectingClientOptions extends Omit<ConnectOptions, 'signal' | 'on'>, ReconnectingOptions {}

/** What this process lends. */
const nodeShell: ClientShell = {
  environment: nodeEnvironment,
  random: Math.random,
  wallClock: Date.now,
  prepare(url: UrlLike, options: ConnectOptions): (sink: AttemptSink) => AttemptHandle {
    const plan = new ConnectPlan(url, options);
    const { clock } = nodeEnvironment;
    const connection = (startedAt: number) => plan.connection(plan.first, startedAt);
    // A request that cannot be written is refused now, and not at some attempt.
    connection(clock.now()).terminate(clock.now());
    return (sink) => {
      const startedAt = clock.now();
      return new Attempt(plan, connection(startedAt), startedAt, sink);
    };
  },
};

/**
 * A client that connects again when its connection is lost: after waits that grow and are spread by chance, and not where
 * another attempt would end the same. What is sent meanwhile waits in a bounded queue.
 *
 * @example
 * const client = new ReconnectingClient('wss://example.test/feed', { reconnect: { maxWait: 10_000 } });
 * client.on('open', () => client.send('subscribe news'));
 * client.on('message', ({ data }) => console.log(data));
 * client.on('error', ({ reason, waitTime }) => console.log(reason, waitTime));
 * const { success, waitTime } = await client.start();
 * await client.stop();
 */
export class ReconnectingClient extends Reconnecting<ReconnectingClientOptions> {
  /**
   * Nothing is dialled before `start()`.
   *
   * @throws UsageError for a URL or an option that is wrong
   */
  constructor(url: UrlLike, options: ReconnectingClientOptions = {}) {
    super(url, kept(options, 'client'), nodeShell);
  }

  override configure(changes: Partial<ReconnectingClientOptions> & { readonly url?: UrlLike }): this {
    return super.configure(kept(changes, 'configure'));
  }
}

/** With headers as they are now: `configure` reads once more what it does not name, and a list may give its pairs but once. */
function kept<T extends Partial<ReconnectingClientOptions>>(options: T, where: string): T {
  checkRecord(options, where);
  const { headers, proxyHeaders } = options;
  return {
    ...options,
    ...(headers === undefined ? {} : { headers: readHeaders(headers, 'connect') }),
    ...(proxyHeaders === undefined ? {} : { proxyHeaders: readHeaders(proxyHeaders, 'connect', 'proxyHeaders') }),
  };
}
