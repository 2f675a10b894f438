/**
 * A strict reader of what one side writes, byte by byte and by the letter of the RFC. It shares no code with the engine: what
 * it objects to is a defect, whatever our own decoder thinks of it. It sees what was written, not what arrives.
 */

const LATIN1 = /* @__PURE__ */ new TextDecoder('latin1');
const STRICT = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true });

/** Close codes that may be on the wire: §7.4, and IANA's registry up to 1014. */
function isLegalCode(code: number): boolean {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/** The Close frame that was written. */
export interface WrittenClose {
  /** 1005 if it was empty. */
  readonly code: number;
  readonly reason: string;
}

/** Reads one direction of one connection. */
export class WireReader {
  /** The Close, when all of it was written. */
  close: WrittenClose | null = null;
  /** A server agreed to compress. */
  compressed = false;
  private headWritten = false;
  private readonly masked: boolean;
  private readonly rsv1: () => boolean;
  private head = '';
  private header: number[] = [];
  private need = 2;
  private payload: number[] | null = null;
  private left = 0;
  private opcode = 0;
  private key: number[] = [];
  private at = 0;
  private midMessage = false;
  private refused = false;

  /** `masked`: a client writes. `rsv1`: whether compression was agreed. */
  constructor(masked: boolean, rsv1: () => boolean) {
    this.masked = masked;
    this.rsv1 = rsv1;
  }

  /** Takes what was written; says what is wrong with it, or nothing. */
  read(chunk: Uint8Array): string {
    let i = 0;
    if (!this.headWritten) {
      const text = this.head + LATIN1.decode(chunk);
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) {
        this.head = text;
        return '';
      }
      i = end + 4 - this.head.length;
      this.head = text.slice(0, end);
      this.headWritten = true;
      this.compressed = /^sec-websocket-extensions:/im.test(this.head);
      this.refused = !this.masked && !text.startsWith('HTTP/1.1 101 ');
    }
    // A refusal has a body, not frames.
    if (this.refused) return '';
    while (i < chunk.length) {
      if (this.close !== null) return 'bytes after the Close frame';
      if (this.need > 0) {
        this.header.push(chunk[i++]!);
        if (--this.need === 0) {
          const objection = this.headerRead();
          if (objection !== '') return objection;
        }
        continue;
      }
      const size = Math.min(this.left, chunk.length - i);
      if (this.payload !== null) for (let k = 0; k < size; k++) this.payload.push(chunk[i + k]! ^ this.octet(k));
      this.at += size;
      this.left -= size;
      i += size;
      if (this.left === 0) {
        const objection = this.frameRead();
        if (objection !== '') return objection;
      }
    }
    return '';
  }

  private octet(k: number): number {
    return this.masked ? this.key[(this.at + k) & 3]! : 0;
  }

  private headerRead(): string {
    const { header } = this;
    const first = header[0]!;
    const second = header[1]!;
    const short = second & 0x7f;
    if (header.length === 2) {
      const objection = this.judge(first, second);
      this.need = (short === 126 ? 2 : short === 127 ? 8 : 0) + (this.masked ? 4 : 0);
      if (objection !== '' || this.need > 0) return objection;
    }
    const lengthEnd = header.length - (this.masked ? 4 : 0);
    let length = short;
    if (short >= 126) length = header.slice(2, lengthEnd).reduce((sum, octet) => sum * 256 + octet, 0);
    if (short === 126 && length < 126) return 'a length that is not minimal';
    if (short === 127 && (length < 65_536 || header[2]! >= 0x80)) return 'a length that is not minimal';
    this.key = header.slice(lengthEnd);
    this.opcode = first & 0x0f;
    this.left = length;
    this.at = 0;
    this.payload = this.opcode >= 8 ? [] : null;
    return length === 0 ? this.frameRead() : '';
  }

  private judge(first: number, second: number): string {
    const opcode = first & 0x0f;
    const fin = first >= 0x80;
    if (second >= 0x80 !== this.masked)
      return this.masked ? 'an unmasked frame of a client' : 'a masked frame of a server';
    if ((first & 0x30) !== 0) return 'a reserved bit';
    if ((first & 0x40) !== 0 && (opcode === 0 || opcode >= 8 || !this.rsv1())) return 'RSV1 where it may not be';
    if (opcode >= 8) {
      if (opcode > 10) return `the reserved opcode ${opcode}`;
      if (!fin) return 'a fragmented control frame';
      return (second & 0x7f) > 125 ? 'a long control frame' : '';
    }
    if (opcode > 2) return `the reserved opcode ${opcode}`;
    if ((opcode === 0) !== this.midMessage)
      return this.midMessage ? 'a message within a message' : 'a stray continuation';
    this.midMessage = !fin;
    return '';
  }

  private frameRead(): string {
    this.header = [];
    this.need = 2;
    const { payload } = this;
    this.payload = null;
    return payload !== null && this.opcode === 8 ? this.closeRead(payload) : '';
  }

  private closeRead(payload: readonly number[]): string {
    if (payload.length === 1) return 'a Close frame of one octet';
    if (payload.length === 0) {
      this.close = { code: 1005, reason: '' };
      return '';
    }
    const code = payload[0]! * 256 + payload[1]!;
    if (!isLegalCode(code)) return `the close code ${code}`;
    try {
      this.close = { code, reason: STRICT.decode(Uint8Array.from(payload.slice(2))) };
    } catch {
      return 'a reason that is not UTF-8';
    }
    return '';
  }
}
