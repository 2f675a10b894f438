// Counts the data messages in a byte stream by their frame headers, without looking at payloads.

export class FrameCounter {
  messages = 0;
  bytes = 0;
  #header = Buffer.alloc(14);
  #have = 0;
  #remaining = 0;
  #inPayload = false;
  #opcode = 0;
  #fin = false;

  take(chunk) {
    let at = 0;
    while (at < chunk.length) {
      if (this.#inPayload) {
        const length = Math.min(this.#remaining, chunk.length - at);
        if (this.#opcode < 8) this.bytes += length;
        this.#remaining -= length;
        at += length;
        if (this.#remaining === 0) this.#end();
        continue;
      }
      const header = this.#header;
      header[this.#have++] = chunk[at++];
      if (this.#have < 2) continue;
      const short = header[1] & 127;
      const need = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (header[1] & 128 ? 4 : 0);
      if (this.#have < need) continue;
      this.#fin = header[0] >= 128;
      this.#opcode = header[0] & 15;
      if (this.#opcode === 8) throw new Error('the connection was closed while measuring');
      this.#remaining =
        short === 126 ? header.readUInt16BE(2) : short === 127 ? Number(header.readBigUInt64BE(2)) : short;
      this.#inPayload = true;
      if (this.#remaining === 0) this.#end();
    }
  }

  #end() {
    this.#inPayload = false;
    this.#have = 0;
    if (this.#opcode < 8 && this.#fin) this.messages++;
  }
}
