/** `sansocket decode`: bytes as people have them (hexadecimal, base64, a file) taken apart frame by frame. */

import { readFileSync } from 'node:fs';
import { FrameReader } from '../debug/frame-reader.ts';
import { formatRecord, formatSize, hex, opcodeName, printableText } from '../debug/lines.ts';
import { PingLedger } from '../debug/ping-ledger.ts';
import type { FaultRecord, FrameRecord } from '../debug/records.ts';
import { Inflate } from '../extension/permessage-deflate/inflate.ts';
import { decodeBase64 } from '../handshake/base64.ts';
import { HeadParser } from '../handshake/head-parser.ts';
import type { Arguments } from './arguments.ts';
import { type HeaderBits, readHeaderBits } from './header-bits.ts';
import { CommandError, Exit, type Io } from './io.ts';
import { frameJson, jsonLine } from './record-json.ts';
import { painterOf, type Style, styleFor } from './style.ts';
import type { Verb } from './verbs.ts';

const LIMITS = { maxHeadSize: 262_144, maxRequestLine: 65_536, maxHeaders: 1_000 };
const PREVIEW = 4_096;

export const verb: Verb = {
  usage: ['HEX... [OPTION...]', '--base64 TEXT', '--file FILE', '< FILE'],
  about:
    'Takes bytes apart: an HTTP head, if they begin with one, then frames with every bit of their headers. Bytes are given ' +
    'in hexadecimal (spaces, commas, colons and 0x are fine), in base64, or as they are in a file or on standard input.',
  flags: {
    base64: { short: 'b', value: 'TEXT', help: 'the bytes in base64' },
    file: { short: 'f', value: 'FILE', help: 'a file that holds the bytes; - for standard input' },
    from: {
      value: 'SIDE',
      help: 'client or server: who sent them decides about masks. Default: as the first frame is',
    },
    deflate: { help: 'permessage-deflate was agreed on: RSV1 marks compressed messages' },
    json: { help: 'one line of JSON a frame' },
  },
  examples: [
    ['sansocket decode 81 85 37 fa 21 3d 7f 9f 4d 51 58', 'the masked "Hello" of the RFC'],
    ['sansocket decode --deflate c1 07 f2 48 cd c9 c9 07 00', 'and compressed, of RFC 7692'],
    ['sansocket decode --file capture.bin --from server', 'a file of one direction'],
  ],
  run: async (given, io) => {
    const from = given.choice('from', ['client', 'server']);
    const bytes = await readInput(given, io);
    if (bytes.length === 0) throw new CommandError('there are no bytes to decode');
    return new Decoding(bytes, from, given, io).run();
  },
};

async function readInput(given: Arguments, io: Io): Promise<Uint8Array> {
  const base64 = given.text('base64');
  const file = given.text('file');
  const typed = given.positionals.join(' ');
  if (Number(base64 !== null) + Number(file !== null) + Number(typed !== '') > 1) {
    throw new CommandError('give the bytes once: in hexadecimal, with --base64 or with --file');
  }
  if (typed !== '') return parseHex(typed);
  if (base64 !== null) {
    const bytes = decodeBase64(base64.replace(/\s+/g, ''));
    if (bytes === null) throw new CommandError('what --base64 gives is not base64');
    return bytes;
  }
  if (file !== null && file !== '-') return readFile(file);
  if (io.stdin.isTTY === true && file === null) throw new CommandError('give bytes in hexadecimal, --base64 or --file');
  const chunks: Uint8Array[] = [];
  for await (const chunk of io.stdin) chunks.push(chunk as Uint8Array);
  return new Uint8Array(Buffer.concat(chunks));
}

function readFile(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new CommandError(`cannot read --file: ${(error as Error).message}`);
  }
}

/** @throws CommandError naming the first character that is no digit */
function parseHex(text: string): Uint8Array {
  const digits = text.replace(/0x|\\x/gi, ' ').replace(/[\s,:;-]+/g, '');
  const wrong = /[^0-9a-f]/i.exec(digits);
  if (wrong !== null) throw new CommandError(`'${wrong[0]}' is no hexadecimal digit; for base64 write --base64`);
  if (digits.length % 2 !== 0)
    throw new CommandError('the hexadecimal digits are odd in number: half a byte is missing');
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/** One input, from its first byte to its end or its first violation. */
class Decoding {
  private readonly bytes: Uint8Array;
  private readonly given: Arguments;
  private readonly io: Io;
  private readonly style: Style;
  private readonly json: boolean;
  private from: 'client' | 'server' | null;
  private violations = 0;

  constructor(bytes: Uint8Array, from: 'client' | 'server' | null, given: Arguments, io: Io) {
    this.bytes = bytes;
    this.from = from;
    this.given = given;
    this.io = io;
    this.style = styleFor(io.stdout, io.environment);
    this.json = given.has('json');
  }

  run(): number {
    const start = this.head();
    if (start >= 0) this.frames(start);
    return this.violations > 0 ? Exit.violation : Exit.ok;
  }

  /** Reads a head if there is one; returns where frames begin, or -1 if they cannot be found. */
  private head(): number {
    const { bytes } = this;
    const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 8)).toString('latin1');
    const isResponse = start.startsWith('HTTP/');
    if (!isResponse && !/^[A-Z]{3,7} /.test(start)) return 0;
    const parser = new HeadParser(LIMITS, isResponse ? 'response' : 'request');
    const end = parser.push(bytes, 0, bytes.length);
    if (parser.fault !== null || end < 0) {
      this.complain(parser.fault ?? 'the head is cut: its blank line is missing');
      return -1;
    }
    this.from ??= isResponse ? 'server' : 'client';
    const { firstLine, rawHeaders } = parser;
    if (this.json) {
      const headers = Array.from({ length: rawHeaders.length / 2 }, (_, i) => rawHeaders.slice(2 * i, 2 * i + 2));
      this.line(jsonLine({ type: 'head', from: this.from, at: 0, line: firstLine, headers, wireSize: end }));
      return end;
    }
    this.line(this.style.bold(printableText(firstLine)));
    for (let i = 0; i < rawHeaders.length; i += 2) {
      this.line(`${this.style.cyan(rawHeaders[i]!)}: ${printableText(rawHeaders[i + 1]!)}`);
    }
    this.line('');
    return end;
  }

  private frames(start: number): void {
    const { bytes, given } = this;
    let at = start;
    const records: (FrameRecord | FaultRecord)[] = [];
    const first = readHeaderBits(bytes, start);
    const masked = this.from === null ? (first?.masked ?? false) : this.from === 'client';
    const deflate = given.has('deflate');
    const reader = new FrameReader(
      masked ? 'client' : 'server',
      { masked, rsvBits: deflate ? 0x40 : 0, inflater: deflate ? new Inflate(15) : null, independent: false },
      PREVIEW,
      new PingLedger(),
      (record) => records.push(record),
    );
    while (at < bytes.length) {
      const header = readHeaderBits(bytes, at);
      if (header === null) {
        if (!this.json) this.line(`${this.offset(at)}  ${this.style.yellow(hex(bytes.subarray(at)))}`);
        this.complain(`the bytes end inside a frame header, ${bytes.length - at} of it at offset ${at}`);
        return;
      }
      const end = Number(header.length) + at + header.size;
      // Fed frame by frame, so that what is said stands with the frame that it is about.
      reader.read(bytes.subarray(at, Math.min(end, bytes.length)), 0);
      if (end > bytes.length) reader.end(0);
      if (!this.json) this.show(at, header, Math.min(end, bytes.length));
      for (const record of records) this.tell(record, at, header);
      const fatal = records.some((record) => record.type === 'fault' && record.fatal);
      records.length = 0;
      if (end > bytes.length && !fatal) {
        this.complain(`the payload is cut: ${end - bytes.length} of ${header.length} bytes are missing`);
      }
      if (fatal) return;
      if (!this.json && end < bytes.length) this.line('');
      at = end;
    }
  }

  /** The bytes of the header, and every field of it. */
  private show(at: number, header: HeaderBits, end: number): void {
    const { dim, bold, yellow } = this.style;
    const { fin, rsv, opcode, masked, length7, length, key, size } = header;
    const bytes = this.bytes.subarray(at, at + size);
    const payload = this.bytes.subarray(at + size, Math.min(end, at + size + 12));
    const more = end - at - size > payload.length ? ' …' : '';
    this.line(`${this.offset(at)}  ${yellow(hex(bytes))}  ${dim(`${hex(payload)}${more}`)}`);
    const bit = (value: boolean) => (value ? bold('1') : '0');
    const extended = length7 < 126 ? '' : dim(` (${length7}, then ${length7 === 126 ? 16 : 64} bits)`);
    this.line(
      `          FIN ${bit(fin)}  RSV ${rsv === 0 ? '000' : bold(rsv.toString(2).padStart(3, '0'))}` +
        `  opcode ${bold(`0x${opcode.toString(16)}`)} ${dim(opcodeName(opcode))}  MASK ${bit(masked)}` +
        `  length ${bold(String(length))}${extended}${key === null ? '' : `  key ${bold(hex(key).replaceAll(' ', ''))}`}`,
    );
  }

  private offset(at: number): string {
    return this.style.dim(at.toString(16).padStart(8, '0'));
  }

  private tell(record: FrameRecord | FaultRecord, at: number, { size }: HeaderBits): void {
    if (record.type === 'fault') this.violations++;
    if (this.json) {
      const shown = record.type === 'frame' ? { ...frameJson(record), offset: at, headerSize: size } : record;
      const { at: _, from: __, ...rest } = shown as Record<string, unknown>;
      this.line(jsonLine(rest));
      return;
    }
    this.line(`          ${formatRecord(record, painterOf(this.style))}`);
    if (record.type === 'frame' && record.inflated !== null && record.inflated > record.payload.length) {
      this.line(`          ${this.style.dim(`the first ${formatSize(record.payload.length)} of it`)}`);
    }
  }

  private complain(text: string): void {
    this.violations++;
    if (this.json) this.line(jsonLine({ type: 'error', text }));
    else this.line(`          ${this.style.red(text)}`);
  }

  private line(text: string): void {
    this.io.stdout.write(`${text}\n`);
  }
}
