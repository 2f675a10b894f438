/**
 * Records as text: one line each, for a log or a terminal. Nothing of a peer reaches the line but printable characters: no
 * control character, no line break, nothing that a terminal would obey. Who wants colours passes a painter.
 */

import { closeCodeText } from '../codec/close-code.ts';
import { Opcode } from '../codec/opcode.ts';
import { pureText } from '../codec/utf8.ts';
import type { DebugRecord } from './options.ts';
import type { FrameRecord, StateRecord, WireRecord } from './records.ts';

/** What a part of a line is: who paints decides by it. */
export type Part = 'data' | 'control' | 'continuation' | 'dim' | 'bad' | 'good' | 'head';

/** Marks a part of a line, as with a colour. */
export type Painter = (part: Part, text: string) => string;

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is looked for
const HAS_CONTROL = /[\x00-\x1f\x7f-\x9f]/;
/** Controls (C0, DEL, C1), what turns the direction of text around or hides in it, surrogates, and separators of lines. */
export const UNSAFE: RegExp =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are looked for
  /[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;
const PLAIN: Painter = (_, text) => text;
/** Characters of a payload that a line shows. */
const SHOWN = 60;
/** Bytes of a read or a write that a line shows. */
const DUMPED = 32;

/** The line of one record of a debugged connection: `server#1 in  text fin 5 B "hello"`. */
export function formatDebugRecord(record: DebugRecord): string {
  const { role, connection, at } = record;
  const direction = record.type === 'state' ? '' : record.from === role ? 'out ' : 'in  ';
  return `${role}#${connection} +${formatMilliseconds(at)} ${direction}${formatRecord(record)}`;
}

/** What one record says, without when and by whom. */
export function formatRecord(record: WireRecord | StateRecord, paint: Painter = PLAIN): string {
  switch (record.type) {
    case 'head':
      return `${paint('head', printableText(record.line))}  ${paint('dim', formatSize(record.wireSize))}`;
    case 'frame':
      return formatFrame(record, paint);
    case 'fault':
      return paint('bad', `violation ${record.code} (${record.section}): ${record.text}`);
    case 'end':
      return paint('dim', `end after ${formatSize(record.wireSize)}`);
    case 'bytes': {
      const { bytes } = record;
      const more = bytes.length > DUMPED ? ' …' : '';
      return paint('dim', `bytes ${formatSize(bytes.length)}: ${hex(bytes.subarray(0, DUMPED))}${more}`);
    }
    case 'state':
      return `state ${record.before} -> ${record.state}`;
  }
}

/** The name of an opcode, or its number. */
export function opcodeName(opcode: number): string {
  for (const [name, value] of Object.entries(Opcode)) if (value === opcode) return name;
  return `opcode ${opcode}`;
}

/** Bytes as `12 B`, `1.2 KiB`, `3.4 MiB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let size = bytes / 1024;
  let unit = 0;
  while (size >= 1023.95 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds as `0.42 ms`, `12.3 ms`, `4.567 s`. */
export function formatMilliseconds(duration: number): string {
  if (duration >= 1_000) return `${(duration / 1_000).toFixed(3)} s`;
  return `${duration.toFixed(duration < 10 ? 2 : 1)} ms`;
}

/** Bytes in hexadecimal, with a space between them. */
export function hex(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += (i === 0 ? '' : ' ') + bytes[i]!.toString(16).padStart(2, '0');
  return text;
}

/** A text with everything escaped that a terminal or a log would act upon. */
export function printableText(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const point = character.codePointAt(0)!;
    return SHORT[character] ?? (point < 0x100 ? `\\x${pad(point, 2)}` : `\\u{${pad(point, 4)}}`);
  });
}

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function pad(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}

function formatFrame(frame: FrameRecord, paint: Painter): string {
  const { opcode, rsv, fin, length } = frame;
  const isData = opcode < 8;
  const kind = opcode === 0 ? 'continuation' : isData ? 'data' : 'control';
  const parts = [paint(kind, opcodeName(opcode).padEnd(isData ? 6 : 5))];
  if (isData && fin) parts.push('fin');
  for (const [bit, name] of RESERVED) if ((rsv & bit) !== 0) parts.push(name);
  parts.push(sizes(frame, length));
  if (frame.missing > 0) parts.push(paint('bad', `cut: ${formatSize(frame.missing)} missing`));
  if (frame.roundTrip !== null) parts.push(paint('good', `round trip ${formatMilliseconds(frame.roundTrip)}`));
  if (frame.closeCode !== null) {
    parts.push(`${frame.closeCode} ${paint('dim', `(${closeCodeText(frame.closeCode)})`)}`);
    if (frame.closeReason !== '') parts.push(quote(frame.closeReason));
  } else if (frame.payload.length > 0) {
    parts.push(paint('dim', preview(frame)));
  }
  return parts.join('  ');
}

const RESERVED = [
  [0x40, 'rsv1'],
  [0x20, 'rsv2'],
  [0x10, 'rsv3'],
] as const;

/** As on the wire; of a compressed frame what it holds, in how much, and the difference. */
function sizes({ inflated }: FrameRecord, length: number): string {
  if (inflated === null) return formatSize(length);
  const change = inflated === 0 ? 0 : Math.round(100 * (length / inflated - 1));
  return `${formatSize(inflated)} in ${formatSize(length)} (${change > 0 ? '+' : ''}${change} %)`;
}

/** The beginning of a payload: text as text, everything else in hexadecimal. */
function preview({ payload, messageOpcode, opcode, inflated, length, rsv }: FrameRecord): string {
  const size = inflated ?? length;
  const opaque = inflated === null && rsv !== 0;
  if (!opaque && (messageOpcode === Opcode.text || opcode >= 8)) {
    const text = decodeStart(payload);
    // The payload of a ping may be anything; if it has control characters, it was not meant to be read.
    if (text !== null && (opcode < 8 || !HAS_CONTROL.test(text))) return quote(text, size > payload.length);
  }
  const shown = payload.subarray(0, SHOWN / 3);
  return `${hex(shown)}${size > shown.length ? ' …' : ''}`;
}

/** UTF-8 that may have been cut at both ends; null if it is none. */
function decodeStart(bytes: Uint8Array): string | null {
  let start = 0;
  while (start < 3 && (bytes[start]! & 0xc0) === 0x80) start++;
  for (let cut = 0; cut < 4 && cut <= bytes.length - start; cut++) {
    const text = pureText.decode(bytes, start, bytes.length - cut);
    if (text !== null) return text;
  }
  return null;
}

function quote(text: string, more = false): string {
  const characters = [...text];
  const shown = characters.slice(0, SHOWN).join('');
  return `"${printableText(shown)}"${more || characters.length > SHOWN ? '…' : ''}`;
}
