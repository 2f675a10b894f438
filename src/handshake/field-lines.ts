/**
 * Header fields that a caller wants sent: checked, and printed as lines (RFC 9112 section 5).
 * What the handshake itself says is not the caller's to say. It knows neither requests nor responses.
 */
import { printable, UsageError } from '../errors.ts';
import { checkHeaderField, parseExtensions } from './header-grammar.ts';
import { equalsIgnoreCase } from './text.ts';

/** Name and value of a field to send. */
export type HeaderField = readonly [name: string, value: string];

/**
 * `headers` as lines that each end with CRLF.
 *
 * @param once fields that may not be given twice, in lower case
 * @throws UsageError INVALID_ARGUMENT naming the field that is malformed, repeated, or the handshake's own
 */
export function formatFields(headers: readonly HeaderField[], once: readonly string[]): string {
  let lines = '';
  for (const field of headers) {
    if (!Array.isArray(field) || field.length !== 2) {
      throw new UsageError('INVALID_ARGUMENT', 'headers must be pairs of a name and a value');
    }
    const [name, value] = field as HeaderField;
    // A line break in a value would begin a field, or a message, of somebody else's choosing.
    const wrong = checkHeaderField(name, value) ?? refusedName(name);
    if (wrong !== null) throw new UsageError('INVALID_ARGUMENT', `the header '${printable(String(name))}': ${wrong}`);
    lines += `${name}: ${value}\r\n`;
  }
  for (const name of once) {
    if (countField(headers, name) > 1) throw new UsageError('INVALID_ARGUMENT', `the header '${name}' is given twice`);
  }
  return lines;
}

/** How many of `headers` have this name, ignoring case. */
export function countField(headers: readonly HeaderField[], name: string): number {
  let count = 0;
  for (const [given] of headers) if (equalsIgnoreCase(given, name)) count++;
  return count;
}

/** Throws a UsageError unless `text` passes `check`. */
export function requireArgument(valid: boolean, what: string, text: unknown): void {
  if (!valid) throw new UsageError('INVALID_ARGUMENT', `${what}: '${printable(String(text))}'`);
}

/** `value`, which is fit for a line if it parses: nothing but tokens, separators, spaces and tabs can be in it. */
export function extensionsOf(value: string): string {
  requireArgument(parseExtensions([value]) !== null, 'the extensions are malformed', value);
  return value;
}

function refusedName(name: string): string | null {
  const lower = name.toLowerCase();
  if (lower === 'upgrade' || lower === 'connection' || lower.startsWith('sec-websocket-')) {
    return 'the handshake itself sets it';
  }
  if (lower === 'content-length' || lower === 'transfer-encoding')
    return 'the length of a body is not for callers to set';
  return null;
}
