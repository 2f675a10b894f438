/**
 * The grammar inside header values (RFC 9110 section 5.6; RFC 6455 section 9.1): tokens, quoted strings, lists, and the
 * extension list that is made of them. Each function walks its text once and never goes back.
 * It knows no field by name, and neither offers nor answers.
 */
import { UsageError } from '../errors.ts';
import type { ExtensionOffer, ExtensionParameter } from '../extension/extension.ts';
import { equalsIgnoreCase } from './text.ts';

/** What a byte may be part of; the head parser reads the same table. */
export const TOKEN_BYTE: number = 1;
/** Visible, space, tab or obs-text: what a field value may hold. */
export const VALUE_BYTE: number = 2;
/** Visible ASCII or space: what a request line may hold. */
export const LINE_BYTE: number = 4;

/** For each byte, the sum of the classes above that it belongs to. */
export const BYTE_CLASS: Uint8Array = classify();

function classify(): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0x20; byte < 256; byte++) {
    if (byte !== 0x7f) table[byte] = byte < 0x7f ? VALUE_BYTE | LINE_BYTE : VALUE_BYTE;
  }
  table[0x09] = VALUE_BYTE;
  for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
    table[character.charCodeAt(0)]! |= TOKEN_BYTE;
  }
  return table;
}

/** Whether `text` is a token: at least one character, all of them allowed (RFC 9110 section 5.6.2). */
export function isToken(text: string): boolean {
  return text.length > 0 && tokenEnd(text, 0) === text.length;
}

/**
 * The elements of a list of tokens that may be spread over several fields, in order; `null` if one is empty or no token.
 * RFC 9110 section 5.6.1.2 would have empty elements ignored; the lists read with this are written by programs, and an
 * empty one is a mistake or a probe.
 */
export function parseTokenList(values: readonly string[]): string[] | null {
  const tokens: string[] = [];
  for (const value of values) {
    let at = 0;
    for (;;) {
      const start = skipSpace(value, at);
      const end = tokenEnd(value, start);
      if (end === start) return null;
      tokens.push(value.slice(start, end));
      at = skipSpace(value, end);
      if (at === value.length) break;
      if (value.charCodeAt(at) !== COMMA) return null;
      at++;
    }
  }
  return tokens;
}

/**
 * Whether a comma-separated list holds `token`, ignoring case and empty elements. Elements of another form, such as the
 * `HTTP/2.0` that an Upgrade field may hold, are passed over.
 */
export function hasToken(values: readonly string[], token: string): boolean {
  for (const value of values) {
    if (value.length === token.length && equalsIgnoreCase(value, token)) return true;
    let at = 0;
    while (at <= value.length) {
      let comma = value.indexOf(',', at);
      if (comma < 0) comma = value.length;
      const start = Math.min(skipSpace(value, at), comma);
      let end = comma;
      while (end > start && isSpace(value.charCodeAt(end - 1))) end--;
      if (end - start === token.length && equalsIgnoreCase(value.slice(start, end), token)) return true;
      at = comma + 1;
    }
  }
  return false;
}

/**
 * The elements of Sec-WebSocket-Extensions, in order and with all repetitions, or `null` if a value breaks the grammar.
 *
 * Empty elements are ignored, as the list rule that section 9.1 refers to wants it, but a field needs one that is not.
 * A quoted value must be a token once it is unquoted (section 9.1), so the two spellings are one value here.
 */
export function parseExtensions(values: readonly string[]): ExtensionOffer[] | null {
  const offers: ExtensionOffer[] = [];
  for (const value of values) {
    const before = offers.length;
    let at = 0;
    for (;;) {
      const start = skipSpace(value, at);
      const end = tokenEnd(value, start);
      at = end;
      if (end > start) {
        const parameters: ExtensionParameter[] = [];
        at = parseParameters(value, end, parameters);
        if (at < 0) return null;
        offers.push({ name: value.slice(start, end), parameters });
      }
      if (at === value.length) break;
      if (value.charCodeAt(at) !== COMMA) return null;
      at++;
    }
    if (offers.length === before) return null;
  }
  return offers;
}

/** Reads `*( ";" parameter )`; returns where it ends, past trailing space, or -1. */
function parseParameters(value: string, from: number, into: ExtensionParameter[]): number {
  let at = skipSpace(value, from);
  while (value.charCodeAt(at) === SEMICOLON) {
    const start = skipSpace(value, at + 1);
    const end = tokenEnd(value, start);
    if (end === start) return -1;
    const name = value.slice(start, end);
    at = skipSpace(value, end);
    if (value.charCodeAt(at) !== EQUALS) {
      into.push({ name, value: null });
      continue;
    }
    at = skipSpace(value, at + 1);
    if (value.charCodeAt(at) === QUOTE) {
      const quoted = unquote(value, at);
      if (quoted === null || !isToken(quoted.text)) return -1;
      into.push({ name, value: quoted.text });
      at = skipSpace(value, quoted.end);
    } else {
      const valueEnd = tokenEnd(value, at);
      if (valueEnd === at) return -1;
      into.push({ name, value: value.slice(at, valueEnd) });
      at = skipSpace(value, valueEnd);
    }
  }
  return at;
}

/** Reads the quoted string (RFC 9110 section 5.6.4) that begins at `at`; `end` is just past its closing quote. */
function unquote(value: string, at: number): { text: string; end: number } | null {
  let text = '';
  let from = at + 1;
  for (let i = from; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit === QUOTE) return { text: text + value.slice(from, i), end: i + 1 };
    if (unit === BACKSLASH) {
      text += value.slice(from, i);
      from = ++i;
    }
  }
  return null;
}

/**
 * The Sec-WebSocket-Extensions value of a list of offers or answers; empty for an empty list. Parsing it gives the list back.
 *
 * @throws UsageError INVALID_ARGUMENT if a name or a value is no token: the grammar cannot carry it (section 9.1)
 */
export function formatExtensions(offers: readonly ExtensionOffer[]): string {
  let header = '';
  for (const offer of offers) {
    header += (header === '' ? '' : ', ') + tokenOf(offer.name, 'an extension');
    for (const { name, value } of offer.parameters) {
      header += `; ${tokenOf(name, 'an extension parameter')}`;
      if (value !== null) header += `=${tokenOf(value, 'the value of an extension parameter')}`;
    }
  }
  return header;
}

function tokenOf(text: string, what: string): string {
  if (isToken(text)) return text;
  throw new UsageError('INVALID_ARGUMENT', `${what} must be a token (RFC 9110 5.6.2): ${JSON.stringify(String(text))}`);
}

/** What is wrong with a field that a caller wants sent, or `null` if nothing is. */
export function checkHeaderField(name: string, value: string): string | null {
  if (typeof name !== 'string' || !isToken(name)) return 'its name is not a token';
  if (typeof value !== 'string') return 'its value is not a string';
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit > 0xff) return 'its value has a character beyond latin1';
    if ((BYTE_CLASS[unit]! & VALUE_BYTE) === 0) return 'its value has a control character';
  }
  if (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(value.length - 1))) {
    return 'its value begins or ends with whitespace';
  }
  return null;
}

const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}

function skipSpace(text: string, at: number): number {
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** Where the run of token characters from `at` on ends. */
function tokenEnd(text: string, at: number): number {
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7e || (BYTE_CLASS[unit]! & TOKEN_BYTE) === 0) break;
    at++;
  }
  return at;
}
