/**
 * The notation in which transcripts write bytes:
 *
 *     81 05 48 65             octets in hex
 *     "GET / HTTP/1.1\r\n"    a JSON string as UTF-8
 *     "a"*70000               repeated
 *     hex:ff*3                the same for octets
 *     frame fin text masked "Hello"
 *     frame rsv1 opcode=3 masked=01020304 length=16 hex:00ff
 *     frame fin close masked 1000 "bye"
 */

import { concat, fromHex, utf8 } from './bytes.ts';
import { EXAMPLE_KEY, frame } from './frames.ts';

const OPCODES: Readonly<Record<string, number>> = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** The words of a line; strings stay whole. */
export function words(line: string): string[] {
  return line.match(/"(?:[^"\\]|\\.)*"(?:\*\d+)?|\S+/g) ?? [];
}

/** The bytes that a line stands for. */
export function bytesOf(line: string): Uint8Array {
  const [first, ...rest] = words(line);
  if (first === 'frame') return frameOf(rest);
  return concat((first === undefined ? [] : [first, ...rest]).map(part));
}

/** A string, `hex:…` or a pair of hex digits, perhaps repeated. */
function part(word: string): Uint8Array {
  const [, core = '', times = '1'] = /^(.*?)(?:\*(\d+))?$/s.exec(word) ?? [];
  let bytes: Uint8Array;
  if (core.startsWith('"')) bytes = utf8(JSON.parse(core) as string);
  else if (/^(hex:)?([0-9a-f]{2})*$/i.test(core)) bytes = fromHex(core.replace('hex:', ''));
  else throw new Error(`not bytes: ${word}`);
  if (times === '1') return bytes;
  const out = new Uint8Array(bytes.length * Number(times));
  for (let at = 0; at < out.length; at += bytes.length) out.set(bytes, at);
  return out;
}

function frameOf(list: readonly string[]): Uint8Array {
  let opcode = 0;
  let fin = false;
  let rsv = 0;
  let key: readonly number[] | null = null;
  let lengthBits: 7 | 16 | 64 | undefined;
  const payload: Uint8Array[] = [];
  for (const word of list) {
    const [name = '', value = ''] = word.startsWith('"') ? [word] : word.split('=');
    if (name in OPCODES) opcode = OPCODES[name]!;
    else if (name === 'opcode') opcode = Number(value);
    else if (name === 'fin') fin = true;
    else if (/^rsv[123]$/.test(name)) rsv |= 0x80 >> Number(name[3]);
    else if (name === 'masked') key = value === '' ? EXAMPLE_KEY : Array.from(fromHex(value));
    else if (name === 'length') lengthBits = Number(value) as 16 | 64;
    else if (opcode === 8 && /^\d{4,5}$/.test(name))
      payload.push(Uint8Array.of(Number(name) >> 8, Number(name) & 0xff));
    else payload.push(part(word));
  }
  const parts = { opcode, fin, rsv, key, payload: concat(payload) };
  return frame(lengthBits === undefined ? parts : { ...parts, lengthBits });
}
