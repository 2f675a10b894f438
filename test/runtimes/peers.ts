/** What our client does with a real server, and our server with a real client, in any runtime. */
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import type { EndpointOptions } from '../../src/endpoint/options.ts';
import { pattern } from '../contract/cases.ts';
import { equals, holds, matches } from '../contract/claims.ts';
import type { Extra } from './suite.ts';

const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_048_576, 16_777_216] as const;

/** Lets the largest of them through. */
export const RAISED: EndpointOptions = { maxMessageSize: 16_777_216, maxBufferedAmount: 67_108_864, compression: true };

/** Cases of a client: `connect` opens a connection to an echo that knows the subprotocol `echo`. */
export function clientCases(shell: string, connect: (options: object) => Promise<Endpoint>): readonly Extra[] {
  const echoed = async (socket: Endpoint, data: string | Uint8Array, fragmentSize?: number) => {
    const answer = new Promise<string | Uint8Array>((resolve) => {
      const undo = socket.on('message', (message) => {
        undo();
        resolve(message.data);
      });
    });
    holds(socket.send(data, fragmentSize === undefined ? {} : { fragmentSize }).success, 'it is taken');
    return answer;
  };
  return [
    {
      shell,
      name: 'a real server echoes every size, text and binary, whole and in fragments',
      async run() {
        const socket = await connect({ subprotocols: ['other', 'echo'], ...RAISED });
        equals(socket.subprotocol, 'echo');
        for (const size of SIZES) {
          const bytes = pattern(size);
          for (const fragmentSize of [undefined, 1 + (size >> 2)]) {
            const back = await echoed(socket, bytes, fragmentSize);
            holds(typeof back !== 'string' && same(back, bytes), `${size} B come back`);
          }
          const text = 'é'.repeat(size >> 1);
          holds((await echoed(socket, text)) === text, `${size} B of text come back`);
        }
        holds((await socket.ping())! >= 0, 'a ping comes back');
        matches(await socket.close(4001, 'enough'), { code: 4001, clean: true, remote: false });
      },
    },
    {
      shell,
      name: 'a real server closes, and drops',
      async run() {
        const closed = await connect({});
        closed.resume();
        closed.send('close');
        matches(await closed.closed, { code: 4321, reason: 'as asked', clean: true, remote: true });
        const dropped = await connect({});
        dropped.resume();
        dropped.send('drop');
        matches(await dropped.closed, { code: 1006, clean: false });
      },
    },
    {
      shell,
      name: 'a signal that aborts ends the attempt with its reason',
      async run() {
        const reason = new Error('as asked');
        const error = await connect({ signal: AbortSignal.abort(reason) }).catch((thrown: unknown) => thrown);
        holds(error === reason, `it rejects with the reason, not with ${String(error)}`);
      },
    },
  ];
}

/**
 * Serves a real client: tells where, echoes, and resolves when a client has sent `stop`.
 *
 * @param start listens on any port; the handler gets every connection
 * @param secure whether it is TLS that it listens for
 */
export function serverCase(
  shell: string,
  say: (line: string) => void,
  start: (
    handler: (socket: Endpoint) => void,
    options: EndpointOptions & { subprotocols: readonly string[] },
  ) => Promise<{ readonly port: number; close(): Promise<void> }>,
  secure = false,
): Extra {
  return {
    shell,
    name: 'a real client comes and goes',
    async run() {
      let stop: () => void = () => {};
      const stopped = new Promise<void>((resolve) => {
        stop = resolve;
      });
      const server = await start(
        (socket) => {
          socket.on('message', ({ data }) => {
            if (data === 'stop') stop();
            else socket.send(data);
          });
        },
        { ...RAISED, subprotocols: ['echo'] },
      );
      say(JSON.stringify({ listening: server.port, shell, secure }));
      await stopped;
      await server.close();
    },
  };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}
