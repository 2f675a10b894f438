/** Events and frames as one line of text, the same for equal content: what tests and transcripts compare. */

import type { ConnectionEvent } from '../../src/index.ts';
import { digest, hex } from './bytes.ts';
import { EXAMPLE_KEY, type ReadFrame, readFrames } from './frames.ts';

const OPCODES: Readonly<Record<number, string>> = {
  0: 'continuation',
  1: 'text',
  2: 'binary',
  8: 'close',
  9: 'ping',
  10: 'pong',
};

/** Bytes as a quoted string, as hex, or as a repetition. */
export function printBytes(bytes: Uint8Array): string {
  if (bytes.length > 8 && bytes.every((octet) => octet === bytes[0])) {
    return `${printBytes(bytes.subarray(0, 1))}*${bytes.length}`;
  }
  if (bytes.length > 512) return `hex:${hex(bytes.subarray(0, 8))}...(${bytes.length} bytes, ${digest(bytes)})`;
  const text = Buffer.from(bytes).toString('utf8');
  const printable = !/[^\r\n\t\u0020-\u007e\u00a1-\u02af\u0391-\u03c9\u20ac]/u.test(text);
  return printable && Buffer.from(text, 'utf8').equals(bytes) ? JSON.stringify(text) : `hex:${hex(bytes)}`;
}

/** `type {fields}`; errors as their code, requests as method and target. */
export function printEvent(event: ConnectionEvent): string {
  const { type, ...fields } = event;
  if (event.type === 'request') return `request ${event.request.method} ${event.request.target}`;
  const shown = Object.entries(fields).flatMap(([name, value]): string[] => {
    if (name === 'headers') return [];
    if (name === 'error') return [`error: ${(value as { code?: string } | null)?.code ?? 'null'}`];
    if (value instanceof Uint8Array) return [`${name}: ${printBytes(value)}`];
    if (typeof value === 'string' && value.length > 512)
      return [`${name}: ${value.length} units, ${digest(Buffer.from(value))}`];
    return [`${name}: ${JSON.stringify(value)}`];
  });
  return `${type} { ${shown.join(', ')} }`;
}

/** A frame in the notation of the transcripts. */
export function printFrame({ opcode, fin, rsv, key, payload }: ReadFrame): string {
  const words = ['frame'];
  if (fin) words.push('fin');
  if ((rsv & 0x40) !== 0) words.push('rsv1');
  if ((rsv & 0x20) !== 0) words.push('rsv2');
  if ((rsv & 0x10) !== 0) words.push('rsv3');
  words.push(OPCODES[opcode] ?? `opcode=${opcode}`);
  if (key !== null)
    words.push(
      hex(Uint8Array.from(key)) === hex(Uint8Array.from(EXAMPLE_KEY))
        ? 'masked'
        : `masked=${hex(Uint8Array.from(key))}`,
    );
  if (opcode === 8 && payload.length >= 2) {
    words.push(String((payload[0]! << 8) | payload[1]!));
    if (payload.length > 2) words.push(printBytes(payload.subarray(2)));
  } else if (payload.length > 0) {
    words.push(printBytes(payload));
  }
  return words.join(' ');
}

/** Output as lines: an HTTP head line by line, then frames one by one. */
export function printOutput(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  let rest = bytes;
  const start = Buffer.from(bytes.subarray(0, 5)).toString('latin1');
  if (start.startsWith('HTTP/') || start.startsWith('GET ')) {
    const text = Buffer.from(bytes).toString('latin1');
    const end = text.indexOf('\r\n\r\n') + 4;
    const upgraded = text.startsWith('HTTP/1.1 101') || text.startsWith('GET ');
    const head = upgraded ? text.slice(0, end) : text;
    lines.push(...head.split(/(?<=\n)/).map((line) => JSON.stringify(line)));
    rest = upgraded ? bytes.subarray(end) : bytes.subarray(bytes.length);
  }
  lines.push(...readFrames(rest).map(printFrame));
  return lines;
}
