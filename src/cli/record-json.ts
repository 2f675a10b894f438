/** Records as JSON for scripts: bytes become text where they are text, else base64. */

import { opcodeName, UNSAFE } from '../debug/lines.ts';
import type { FrameRecord, WireRecord } from '../debug/records.ts';

/** One line of JSON. What a terminal would act upon is written as an escape, which means the same. */
export function jsonLine(record: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(record).replace(UNSAFE, escapeUnits);
}

function escapeUnits(character: string): string {
  let out = '';
  for (let i = 0; i < character.length; i++) out += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return out;
}

/** A frame with names instead of numbers, and its payload readable. */
export function frameJson(frame: FrameRecord): Record<string, unknown> {
  const { type, at, from, fin, rsv, masked, length, wireSize, inflated, messageLength, payload } = frame;
  const shown = inflated ?? length;
  return {
    type,
    at: round(at),
    from,
    opcode: opcodeName(frame.opcode),
    fin,
    rsv1: (rsv & 0x40) !== 0,
    rsv2: (rsv & 0x20) !== 0,
    rsv3: (rsv & 0x10) !== 0,
    masked,
    length,
    wireSize,
    ...(inflated === null ? {} : { inflated }),
    ...(messageLength === null ? {} : { messageLength }),
    ...(frame.roundTrip === null ? {} : { roundTrip: round(frame.roundTrip) }),
    ...(frame.closeCode === null ? {} : { closeCode: frame.closeCode, closeReason: frame.closeReason }),
    ...(frame.missing === 0 ? {} : { missing: frame.missing }),
    ...payloadJson(frame.messageOpcode === 1 || frame.opcode >= 9, payload, shown > payload.length),
    ...(shown > payload.length ? { truncated: true } : {}),
  };
}

/** A record as it stands in a line of JSON. */
export function recordJson(record: WireRecord): Record<string, unknown> {
  if (record.type === 'frame') return frameJson(record);
  if (record.type === 'bytes') return { ...record, at: round(record.at), bytes: base64(record.bytes) };
  return { ...record, at: round(record.at) };
}

/** `{ data }`, with `encoding: 'base64'` where the bytes are no text. `cut`: more followed, perhaps of the last character. */
export function payloadJson(isText: boolean, bytes: Uint8Array, cut = false): Record<string, string> {
  if (isText) {
    try {
      // With `stream` the beginning of a character is no error, and left out.
      return { data: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut }) };
    } catch {
      // A fragment that begins within a character, or no text.
    }
  }
  return { data: base64(bytes), encoding: 'base64' };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Microseconds are as fine as a clock of milliseconds tells. */
export function round(at: number): number {
  return Math.round(at * 1_000) / 1_000;
}
