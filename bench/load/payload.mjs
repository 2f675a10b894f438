// The test payloads, byte for byte those of common.h.

const UNIT = Buffer.from('Привет, мир! Grüße 你好世界 ');

/** @returns {Buffer} `size` bytes of `kind`: 'binary', 'text' (ASCII) or 'unicode' (UTF-8 of two and three bytes) */
export function payload(size, kind) {
  const bytes = Buffer.alloc(size, 'x');
  if (kind === 'binary') for (let i = 0; i < size; i++) bytes[i] = i * 31 + 7;
  if (kind === 'text') for (let i = 0; i < size; i++) bytes[i] = 97 + (i % 26);
  if (kind === 'unicode') for (let i = 0; i + UNIT.length <= size; i += UNIT.length) bytes.set(UNIT, i);
  return bytes;
}

/** A whole frame, masked when `key` is given. */
export function encodeFrame({ fin = true, opcode, data, key }) {
  const extended = data.length < 126 ? 0 : data.length < 65536 ? 2 : 8;
  const header = Buffer.alloc(2 + extended + (key ? 4 : 0));
  header[0] = (fin ? 0x80 : 0) | opcode;
  header[1] = (key ? 0x80 : 0) | (extended === 0 ? data.length : extended === 2 ? 126 : 127);
  if (extended === 2) header.writeUInt16BE(data.length, 2);
  if (extended === 8) header.writeBigUInt64BE(BigInt(data.length), 2);
  if (!key) return Buffer.concat([header, data]);
  header.set(key, header.length - 4);
  const masked = Buffer.alloc(data.length);
  for (let i = 0; i < data.length; i++) masked[i] = data[i] ^ key[i & 3];
  return Buffer.concat([header, masked]);
}

/** One message in frames of at most `fragment` bytes (0: one frame), back to back. */
export function encodeMessage({ data, kind, fragment = 0, key }) {
  const piece = fragment > 0 ? fragment : Math.max(1, data.length);
  const frames = [];
  for (let offset = 0; offset === 0 || offset < data.length; offset += piece) {
    const opcode = offset > 0 ? 0 : kind === 'binary' ? 2 : 1;
    const fin = offset + piece >= data.length;
    frames.push(encodeFrame({ fin, opcode, data: data.subarray(offset, offset + piece), key }));
  }
  return Buffer.concat(frames);
}
