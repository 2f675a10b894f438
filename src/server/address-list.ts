/**
 * Lists of IP addresses and networks, and what two of them together let in. It reads no request: it is asked with the
 * address of the peer, before anything else is decided.
 */

import { show } from '../connection/options.ts';
import { UsageError } from '../errors.ts';
import { type Address, carriedIPv4, formatAddress, isPrefix, mappedBits, parseAddress, prefixKey } from './address.ts';

/** Entries of an address list: `'192.0.2.1'`, `'10.0.0.0/8'`, `'2001:db8::/32'`. */
export type AddressEntries = Iterable<string>;

/**
 * IP addresses and networks in CIDR notation. It may be changed at any time; a server asks it for each new connection.
 *
 * IPv4 and IPv6 are two worlds: `::/0` is every IPv6 address and no IPv4 one. An IPv4 address that comes as IPv6
 * (`::ffff:10.0.0.1`) is the IPv4 address. Names are not looked up, and a zone (`fe80::1%eth0`) is on no list.
 *
 * @example
 * const allowed = new AddressList(['127.0.0.1', '::1', '10.0.0.0/8']);
 * const server = await serve({ port: 8080, allowedAddresses: allowed });
 * allowed.add('2001:db8::/32');
 */
export class AddressList implements Iterable<string> {
  /** By family and length of the prefix: the prefixes, and how they are printed. */
  private readonly networks: Map<number, Map<string, string>> = new Map();

  /** @throws UsageError naming the entry that is no address and no network */
  constructor(entries: AddressEntries = []) {
    this.replace(entries);
  }

  /** The number of entries. */
  get size(): number {
    let size = 0;
    for (const prefixes of this.networks.values()) size += prefixes.size;
    return size;
  }

  /**
   * Adds an address or a network; returns false if it was there.
   *
   * @throws UsageError when it is neither
   */
  add(entry: string): boolean {
    const { slot, key, text } = readEntry(entry);
    const prefixes = this.networks.get(slot) ?? new Map<string, string>();
    if (prefixes.has(key)) return false;
    this.networks.set(slot, prefixes.set(key, text));
    return true;
  }

  /**
   * Removes an entry, however it was written; returns false if it was not there. A network does not contain its addresses as
   * entries.
   *
   * @throws UsageError when it is no address and no network
   */
  delete(entry: string): boolean {
    const { slot, key } = readEntry(entry);
    const prefixes = this.networks.get(slot);
    if (prefixes?.delete(key) !== true) return false;
    if (prefixes.size === 0) this.networks.delete(slot);
    return true;
  }

  /**
   * Takes these entries instead of its own.
   *
   * @throws UsageError naming the first that is no address and no network; then the list is as it was
   */
  replace(entries: AddressEntries): void {
    if (typeof entries === 'string' || typeof entries?.[Symbol.iterator] !== 'function') {
      throw new UsageError('INVALID_ARGUMENT', 'an address list is made of an array of addresses and networks');
    }
    const list = [...entries];
    for (const entry of list) readEntry(entry);
    this.networks.clear();
    for (const entry of list) this.add(entry);
  }

  /** Whether the address is one of the list, or in one of its networks. What is no address is in no list. */
  has(address: string | null): boolean {
    const parsed = address === null ? null : parseAddress(address);
    return parsed !== null && this.contains(parsed);
  }

  /** @internal */
  contains(address: Address): boolean {
    for (const [slot, prefixes] of this.networks) {
      const bits = slot - familyOf(address);
      if (bits >= 0 && bits <= 8 * address.length && prefixes.has(prefixKey(address, bits))) return true;
    }
    return false;
  }

  /** The entries, each in the one way to write it (RFC 5952). */
  *[Symbol.iterator](): Iterator<string> {
    for (const prefixes of this.networks.values()) yield* prefixes.values();
  }
}

/**
 * Whether a peer may connect. Whom `denied` has is out, also in an IPv6 address that carries the IPv4 one; then `allowed`
 * must have it, if there is such a list: an empty one lets nobody in. What cannot be read as an address is out.
 */
export function isAddressAllowed(
  address: string | null,
  allowed: AddressList | null,
  denied: AddressList | null,
): boolean {
  if (allowed === null && denied === null) return true;
  const parsed = address === null ? null : parseAddress(address);
  if (parsed === null) return false;
  if (denied !== null) {
    const carried = carriedIPv4(parsed);
    if (denied.contains(parsed) || (carried !== null && denied.contains(carried))) return false;
  }
  return allowed === null || allowed.contains(parsed);
}

/**
 * Reads the option of this name: a list that is already one is shared, and can be changed by whoever made it.
 *
 * @throws UsageError naming the option and the entry that is wrong
 */
export function readAddressList(value: unknown, name: string, where: string): AddressList | null {
  if (value === undefined || value === null) return null;
  if (value instanceof AddressList) return value;
  if (!Array.isArray(value)) {
    throw new UsageError(
      'INVALID_OPTION',
      `${where}: option '${name}' must be an AddressList or an array of addresses (or null for off)`,
    );
  }
  try {
    return new AddressList(value as string[]);
  } catch (error) {
    throw new UsageError('INVALID_OPTION', `${where}: option '${name}': ${(error as Error).message}`);
  }
}

interface Entry {
  /** The length of the prefix, and the family it is of. */
  readonly slot: number;
  readonly key: string;
  readonly text: string;
}

/** IPv4 prefixes have the slots 0 to 32, IPv6 prefixes those from 64 on. */
function familyOf(address: Address): number {
  return address.length === 4 ? 0 : 64;
}

function readEntry(entry: unknown): Entry {
  if (typeof entry !== 'string') {
    throw new UsageError('INVALID_ARGUMENT', `an entry of an address list must be a string, not ${show(entry)}`);
  }
  const refuse = (why: string): never => {
    throw new UsageError('INVALID_ARGUMENT', `${JSON.stringify(entry)} is no entry of an address list: ${why}`);
  };
  const [host = '', length, ...more] = entry.split('/');
  const address = parseAddress(host) ?? refuse(complaint(host));
  const all = 8 * address.length;
  if (length === undefined)
    return { slot: familyOf(address) + all, key: prefixKey(address, all), text: formatAddress(address) };
  // `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
  const mapped = mappedBits(host, address);
  const bits = Number(length) - mapped;
  if (more.length > 0 || !/^(?:0|[1-9]\d{0,2})$/.test(length) || bits < 0 || bits > all) {
    refuse(`behind the slash is the length of the prefix, ${mapped} to ${mapped + all}`);
  }
  if (!isPrefix(address, bits)) refuse(`it has bits behind its first ${length}: of a network they are all 0`);
  const text = bits === all ? formatAddress(address) : `${formatAddress(address)}/${bits}`;
  return { slot: familyOf(address) + bits, key: prefixKey(address, bits), text };
}

function complaint(host: string): string {
  if (host.includes('%')) return 'it has a zone, which means something on one machine only';
  if (host.startsWith('[')) return 'write an IPv6 address without brackets';
  if (/^[\d.]+$/.test(host)) return 'an IPv4 address is four numbers from 0 to 255, without leading zeros';
  if (host.includes(':')) return 'it is not a full IPv6 address';
  return "names are not looked up: write the address, such as '127.0.0.1' and '::1'";
}
