/**
 * IP addresses: read strictly, compared as bytes, printed in one way (RFC 4291 section 2.2, RFC 5952). An IPv4 address that
 * comes as IPv6 (`::ffff:192.0.2.1`) is that IPv4 address. Whoever reads addresses loosely has lists that can be walked
 * around: no octal, no shortened IPv4, no zones, no spaces.
 */

/** An IP address: 4 bytes or 16. */
export type Address = Uint8Array;

const DECIMAL_OCTET = /^(?:0|[1-9]\d{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;
/** Of an IPv4 address inside of an IPv6 one (RFC 4291 section 2.5.5.2). */
const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);
/** NAT64 (RFC 6052 section 2.1). */
const NAT64 = Uint8Array.of(0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0);
/** 6to4 (RFC 3056 section 2): the IPv4 address follows. */
const SIX_TO_FOUR = Uint8Array.of(0x20, 0x02);
const ZEROS = new Uint8Array(12);

/** Reads an address; null if `text` is none. */
export function parseAddress(text: string): Address | null {
  const written = text.includes(':') ? parseIPv6(text) : parseIPv4(text);
  return written === null || !beginsWith(written, MAPPED) ? written : written.slice(12);
}

/** How many bits in front of the IPv4 address an IPv6 notation of it has: 96 for `::ffff:192.0.2.1`, else 0. */
export function mappedBits(text: string, address: Address): number {
  return address.length === 4 && text.includes(':') ? 96 : 0;
}

/** The one way to write an address: `192.0.2.1`, `2001:db8::1` (RFC 5952). */
export function formatAddress(address: Address): string {
  if (address.length === 4) return address.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (address[2 * i]! << 8) | address[2 * i + 1]!);
  const { start, length } = longestZeros(groups);
  const print = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return print(groups);
  return `${print(groups.slice(0, start))}::${print(groups.slice(start + length))}`;
}

/** `text` in the one way to write it; as it is if it is no address. */
export function canonicalAddress(text: string): string {
  const address = parseAddress(text);
  return address === null ? text : formatAddress(address);
}

/**
 * The IPv4 address that an IPv6 address carries along for somebody to route to: IPv4-compatible, NAT64 or 6to4; null if none.
 * It is another address: who allows the one does not allow the other, but who denies the one denies both.
 */
export function carriedIPv4(address: Address): Address | null {
  if (address.length !== 16) return null;
  if (beginsWith(address, SIX_TO_FOUR)) return address.slice(2, 6);
  // `::` and `::1` are themselves.
  const compatible = beginsWith(address, ZEROS) && (address[12] !== 0 || address[13] !== 0);
  return compatible || beginsWith(address, NAT64) ? address.slice(12) : null;
}

/** A string for the first `bits` bits of an address; equal for those that share them. */
export function prefixKey(address: Address, bits: number): string {
  let key = '';
  for (let i = 0; i < bits >> 3; i++) key += String.fromCharCode(address[i]!);
  const rest = bits & 7;
  return rest === 0 ? key : key + String.fromCharCode(address[bits >> 3]! & (0xff00 >> rest));
}

/** Whether no bit is set behind the first `bits`. */
export function isPrefix(address: Address, bits: number): boolean {
  const full = new Uint8Array(address);
  full.fill(0, (bits + 7) >> 3);
  if ((bits & 7) !== 0) full[bits >> 3]! &= 0xff00 >> (bits & 7);
  return full.every((octet, i) => octet === address[i]);
}

function parseIPv4(text: string): Address | null {
  const octets = text.split('.', 5);
  if (octets.length !== 4) return null;
  // A leading zero means octal to some and decimal to others.
  if (!octets.every((octet) => DECIMAL_OCTET.test(octet) && Number(octet) < 256)) return null;
  return Uint8Array.from(octets, Number);
}

function parseIPv6(text: string): Address | null {
  const halves = text.split('::', 3);
  if (halves.length > 2) return null;
  const [front, back] = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  if (front == null) return null;
  if (back === undefined) return front.length === 8 ? bytesOf(front) : null;
  // `::` stands for one group or more.
  if (back === null || front.length + back.length > 7) return null;
  return bytesOf([...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back]);
}

/** Groups between colons; the last two may be written as an IPv4 address. */
function parseGroups(text: string, atEnd: boolean): number[] | null {
  if (text === '') return [];
  const parts = text.split(':', 9);
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    const tail = atEnd && i === parts.length - 1 && part.includes('.') ? parseIPv4(part) : null;
    if (tail !== null) groups.push((tail[0]! << 8) | tail[1]!, (tail[2]! << 8) | tail[3]!);
    else if (GROUP.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups.length > 8 ? null : groups;
}

function bytesOf(groups: readonly number[]): Address {
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function beginsWith(address: Address, prefix: Uint8Array): boolean {
  return address.length > prefix.length && prefix.every((octet, i) => octet === address[i]);
}

/** The run of zeros that `::` stands for: the longest, of equals the first (RFC 5952 section 4.2.3). */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [i, group] of groups.entries()) {
    if (group !== 0) start = i + 1;
    else if (i + 1 - start > best.length) best = { start, length: i + 1 - start };
  }
  return best;
}
