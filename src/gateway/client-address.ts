/**
 * Who a client is when proxies stand in front: the peer of the socket, or what proxies that we trust say of theirs. A header that
 * anybody can write proves nothing.
 */

import { UsageError } from '../errors.ts';
import type { Headers } from '../handshake/headers.ts';
import { canonicalAddress, parseAddress } from '../server/address.ts';
import { type AddressList, readAddressList } from '../server/address-list.ts';
import type { Peer } from '../server/options.ts';

/** The proxies whose word counts: addresses and networks, and `'unix'` for whoever connects over a UNIX socket. */
export class TrustedProxies {
  private readonly list: AddressList;
  private readonly unix: boolean;

  /** @throws UsageError naming the entry that is none of these */
  constructor(entries: unknown, where: string) {
    if (!Array.isArray(entries)) {
      throw new UsageError('INVALID_OPTION', `${where}: option 'trustedProxies' must be an array of addresses`);
    }
    this.unix = entries.includes('unix');
    const addresses = entries.filter((entry) => entry !== 'unix');
    this.list = readAddressList(addresses, 'trustedProxies', where)!;
  }

  /** Whether that peer is one of them. */
  has(address: string | null): boolean {
    return address === null ? this.unix : this.list.has(address);
  }
}

/**
 * The client's address: the peer's own, unless that is a trusted proxy. Then it is the last entry of X-Forwarded-For that is no
 * trusted proxy: everything before it may be the client's invention. Null where a trusted proxy names no address.
 */
export function clientAddress(peer: string | null, headers: Headers, trusted: TrustedProxies | null): string | null {
  if (trusted === null || !trusted.has(peer)) return peer;
  const hops = headers
    .getAll('x-forwarded-for')
    .flatMap((value) => value.split(','))
    .map((hop) => hop.trim());
  let address = peer;
  for (const hop of hops.reverse()) {
    address = hop;
    if (!trusted.has(hop)) break;
  }
  return address === null || parseAddress(address) === null ? null : canonicalAddress(address);
}

/** Who asks to connect, for hooks: behind a trusted proxy that is the client, whose port nobody tells. */
export function clientOf(peer: Peer, remoteAddress: string | null): Peer {
  if (remoteAddress === peer.remoteAddress) return peer;
  const { secure, signal } = peer;
  // The certificate is the proxy's.
  return { remoteAddress, remotePort: null, secure, peerCertificate: null, signal };
}
