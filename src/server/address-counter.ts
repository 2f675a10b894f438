/** How many connections each peer address has: what `maxConnectionsPerAddress` is held against. */

import { parseAddress, prefixKey } from './address.ts';

/** A host with IPv6 has a whole network of so many bits: its addresses are counted as one. */
const IPV6_HOST_BITS = 64;

/** Counts connections by address. An address that has none any more costs nothing. */
export class AddressCounter {
  private readonly counts: Map<string, number> = new Map();
  private readonly members: Map<object, string> = new Map();

  /** How many connections there are from an address, `others` aside; none without an address (UNIX sockets). */
  count(address: string | null, others: Iterable<object> = []): number {
    if (address === null) return 0;
    const key = keyOf(address);
    let count = this.counts.get(key) ?? 0;
    for (const other of others) if (this.members.get(other) === key) count--;
    return count;
  }

  /** Counts a connection from now on, once. */
  enter(member: object, address: string | null): void {
    if (address === null || this.members.has(member)) return;
    const key = keyOf(address);
    this.members.set(member, key);
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  /** Counts a connection no longer, if it was counted. */
  leave(member: object): void {
    const key = this.members.get(member);
    if (key === undefined) return;
    this.members.delete(member);
    const count = this.counts.get(key)!;
    if (count > 1) this.counts.set(key, count - 1);
    else this.counts.delete(key);
  }

  /** How many addresses there are; an IPv6 network is one. */
  get size(): number {
    return this.counts.size;
  }
}

function keyOf(text: string): string {
  const address = parseAddress(text);
  // With a zone it is an address of the link: there is no network to count by.
  if (address === null) return text;
  return prefixKey(address, address.length === 4 ? 32 : IPV6_HOST_BITS);
}
