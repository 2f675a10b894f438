/**
 * The form of a Host field: `uri-host [ ":" port ]` (RFC 9110 section 7.2; RFC 3986 section 3.2.2).
 * It knows the grammar, and not which hosts exist.
 */
import { BYTE_CLASS, TOKEN_BYTE } from './header-grammar.ts';

/**
 * Whether `text` is a host with or without a port: a name or IPv4 address, or an IPv6 address in brackets. Not empty,
 * without userinfo, zone or anything that belongs to another part of a URL. IPvFuture is refused: there is none.
 */
export function isValidHost(text: string): boolean {
  let end: number;
  if (text.charCodeAt(0) === 0x5b) {
    const bracket = text.indexOf(']');
    if (bracket < 0 || !isIPv6(text.slice(1, bracket))) return false;
    end = bracket + 1;
  } else {
    end = nameEnd(text);
    if (end === 0) return false;
  }
  return end === text.length || (text.charCodeAt(end) === 0x3a && isPort(text.slice(end + 1)));
}

/** A port may be empty (RFC 3986 section 3.2.3). */
function isPort(text: string): boolean {
  if (text.length > 5) return false;
  let port = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65535;
}

/** Where the reg-name at the start of `text` ends; 0 if it is none. */
function nameEnd(text: string): number {
  let i = 0;
  for (; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x3a) break;
    if (unit === 0x25) {
      // The two digits are name characters themselves.
      if (!isHexDigit(text.charCodeAt(i + 1)) || !isHexDigit(text.charCodeAt(i + 2))) return 0;
    } else if (!isNameCharacter(unit)) {
      return 0;
    }
  }
  return i;
}

/** unreserved or sub-delims: a token character but `#`, `^`, the backtick and the bar, or one of `(),;=`. */
function isNameCharacter(unit: number): boolean {
  if (unit > 0x7e) return false;
  if ((BYTE_CLASS[unit]! & TOKEN_BYTE) !== 0) return unit !== 0x23 && unit !== 0x5e && unit !== 0x60 && unit !== 0x7c;
  return unit === 0x28 || unit === 0x29 || unit === 0x2c || unit === 0x3b || unit === 0x3d;
}

/** Eight groups of one to four hex digits; `::` once for one group or more of zeros; the last two may be an IPv4 address. */
function isIPv6(text: string): boolean {
  let groups = 0;
  let gap = false;
  let i = 0;
  if (text.startsWith('::')) {
    gap = true;
    i = 2;
  }
  while (i < text.length) {
    const start = i;
    while (isHexDigit(text.charCodeAt(i))) i++;
    if (text.charCodeAt(i) === 0x2e) {
      if (!isIPv4(text.slice(start))) return false;
      groups += 2;
      break;
    }
    if (i === start || i - start > 4) return false;
    groups++;
    if (i === text.length) break;
    if (text.charCodeAt(i) !== 0x3a) return false;
    i++;
    if (text.charCodeAt(i) === 0x3a) {
      if (gap) return false;
      gap = true;
      i++;
    } else if (i === text.length) {
      return false;
    }
  }
  return gap ? groups < 8 : groups === 8;
}

function isIPv4(text: string): boolean {
  const parts = text.split('.');
  if (parts.length !== 4) return false;
  for (const part of parts) {
    if (part.length === 0 || part.length > 3 || (part.length > 1 && part.startsWith('0'))) return false;
    for (let i = 0; i < part.length; i++) {
      const digit = part.charCodeAt(i) - 0x30;
      if (digit < 0 || digit > 9) return false;
    }
    if (Number(part) > 255) return false;
  }
  return true;
}

function isHexDigit(unit: number): boolean {
  const lower = unit | 0x20;
  return (unit >= 0x30 && unit <= 0x39) || (lower >= 0x61 && lower <= 0x66);
}
