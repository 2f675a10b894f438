/** What `sansocket serve` does with messages: it gives them back, or passes them on. */

import type { MessageEvent } from '../connection/events.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { Request } from '../handshake/request.ts';
import type { Server } from '../server/server.ts';

/** The modes by name. */
export const MODES = ['echo', 'broadcast', 'chat'] as const;
export type Mode = (typeof MODES)[number];

/** Takes a connection. `server` is there before the first one. */
export type ModeHandler = (server: Server, socket: Endpoint, request: Request) => void;

const LONGEST_NAME = 32;

/** @param asBinary everything is sent as binary, whatever came */
export function handlerOf(mode: Mode, asBinary: boolean): ModeHandler {
  switch (mode) {
    case 'echo':
      return echo(asBinary);
    case 'broadcast':
      return broadcast(asBinary);
    case 'chat':
      return new Chat(asBinary).enter;
  }
}

function echo(asBinary: boolean): ModeHandler {
  return (_, socket) => {
    socket.on('message', ({ kind, data }: MessageEvent) => {
      const { success, writable } = socket.send(data, { binary: asBinary || kind === 'binary' });
      // Who does not read what it asked for is not read from.
      return success && !writable ? socket.drained() : undefined;
    });
  };
}

function broadcast(asBinary: boolean): ModeHandler {
  return (server, socket) => {
    socket.on('message', ({ kind, data }: MessageEvent) => {
      server.broadcast(data, { binary: asBinary || kind === 'binary', except: socket });
    });
  };
}

/** Everybody has a name: that of the query (`?name=ada`), or one that is given out. */
class Chat {
  private readonly binary: boolean;
  private readonly names: Map<Endpoint, string> = new Map();
  private guests = 0;

  constructor(asBinary: boolean) {
    this.binary = asBinary;
  }

  readonly enter: ModeHandler = (server, socket, request) => {
    const { binary, names } = this;
    const say = (text: string, except?: Endpoint) =>
      void server.broadcast(binary ? Buffer.from(text) : text, { binary, ...(except === undefined ? {} : { except }) });
    const tell = (text: string) => void socket.send(binary ? Buffer.from(text) : text, { binary });
    socket.on('open', () => {
      const name = this.free(wantedName(request));
      const others = [...names.values()];
      names.set(socket, name);
      tell(`you are ${name}; ${others.length === 0 ? 'nobody else is here' : `here are ${others.join(', ')}`}`);
      say(`${name} joined`, socket);
    });
    socket.on('message', ({ kind, data }: MessageEvent) => {
      if (kind === 'binary' && !binary) void socket.close(1003, 'text only');
      else say(`${names.get(socket)}: ${kind === 'text' ? data : Buffer.from(data).toString()}`, socket);
    });
    socket.on('close', () => {
      const name = names.get(socket);
      names.delete(socket);
      if (name !== undefined) say(`${name} left`);
    });
  };

  /** A name that nobody has. */
  private free(wanted: string): string {
    const taken = new Set(this.names.values());
    if (wanted !== '' && !taken.has(wanted)) return wanted;
    for (;;) {
      const name = wanted === '' ? `guest-${++this.guests}` : `${wanted}-${++this.guests}`;
      if (!taken.has(name)) return name;
    }
  }
}

/** Letters, digits and a few signs: a name stands before everything that its owner says. */
function wantedName(request: Request): string {
  const at = request.target.indexOf('?');
  const name = at < 0 ? null : new URLSearchParams(request.target.slice(at)).get('name');
  const letters = (name ?? '').replace(/[^\p{L}\p{N}._-]+/gu, '');
  // A letter may be two units: it is not cut in half.
  return [...letters].slice(0, LONGEST_NAME).join('');
}
