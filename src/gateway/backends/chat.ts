/**
 * The sample server `chat`: what one says, all others hear. With commands: `WSHello <name>` takes a name and answers
 * `WSWelcome <name>`, `WSPrivate <name> <text>` is for one alone, `WSWhois <name>` answers `WSIs <name> <address>`.
 */

import type { Socket } from 'node:net';
import type { Framing } from '../stream-framing.ts';
import { Peer } from './peer.ts';

/** How a chat is run. */
export interface ChatOptions {
  readonly framing: Framing;
  /** Whether commands are understood (-w). */
  readonly commands: boolean;
  /** Whether who says something hears it too. */
  readonly echoSelf: boolean;
}

const LONGEST_NAME = 30;

/** One room. */
export class Chat {
  private readonly options: ChatOptions;
  private readonly members: Map<Peer, Member> = new Map();

  constructor(options: ChatOptions) {
    this.options = options;
  }

  /** Takes a client in. */
  join(socket: Socket): void {
    const { remoteAddress = null } = socket;
    const peer = new Peer(
      socket,
      this.options.framing,
      (message) => this.heard(peer, message),
      () => this.members.delete(peer),
    );
    this.members.set(peer, { name: null, address: remoteAddress });
  }

  private heard(from: Peer, message: Uint8Array): void {
    if (this.options.commands && this.obeyed(from, Buffer.from(message).toString())) return;
    for (const peer of this.members.keys()) if (peer !== from || this.options.echoSelf) peer.send(message);
  }

  private obeyed(from: Peer, text: string): boolean {
    const [, verb, rest = ''] = /^(WS[A-Z][a-z]+)(?:\s+(.*))?$/s.exec(text.trim()) ?? [];
    const [, name = '', words = ''] = /^(\S*)\s*(.*)$/s.exec(rest)!;
    switch (verb) {
      case 'WSHello':
        this.welcome(from, name);
        return true;
      case 'WSPrivate': {
        const to = this.find(name);
        if (to === null) say(from, `WSIs ${name} undefined`);
        else to[0].send(Buffer.from(words));
        return true;
      }
      case 'WSWhois': {
        const whom = this.find(name);
        // Behind a gateway all clients come from it: over a UNIX socket there is no address to tell.
        say(from, `WSIs ${name} ${whom === null ? 'undefined' : (whom[1].address ?? 'network error')}`);
        return true;
      }
      default:
        return false;
    }
  }

  private welcome(peer: Peer, wanted: string): void {
    const member = this.members.get(peer);
    if (member === undefined) return;
    member.name = null;
    const base = wanted === '' ? 'guest' : [...wanted].slice(0, LONGEST_NAME).join('');
    let name = base;
    for (let count = 1; this.find(name) !== null && count < 1_000; count++) {
      name = `${[...base].slice(0, LONGEST_NAME - 3).join('')}${String(count).padStart(3, '0')}`;
    }
    // A thousand of one name: who comes now has none.
    if (this.find(name) === null) member.name = name;
    say(peer, `WSWelcome ${member.name ?? ''}`.trimEnd());
  }

  private find(name: string): [Peer, Member] | null {
    for (const entry of this.members) if (entry[1].name === name) return entry;
    return null;
  }
}

interface Member {
  name: string | null;
  readonly address: string | null;
}

function say(peer: Peer, text: string): void {
  peer.send(Buffer.from(text));
}
