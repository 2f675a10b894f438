/** Standard input as messages: line by line without losing a byte, or all of it as one. */

import { CommandError } from './io.ts';

/** More than any server takes: a line that never ends must not fill the memory. */
const LONGEST = 256 * 1024 * 1024;
const LF = 0x0a;
const CR = 0x0d;

/** The lines of a stream, as bytes without their ends. A last line that is not closed counts, if it is not empty. */
export async function* readLines(input: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array, void> {
  let rest: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    let start = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, start)) {
      rest.push(bytes.subarray(start, end));
      yield join(rest);
      rest = [];
      length = 0;
      start = end + 1;
    }
    if (start === bytes.length) continue;
    rest.push(bytes.subarray(start));
    length += bytes.length - start;
    if (length > LONGEST) throw new CommandError('a line of standard input is longer than 256 MiB');
  }
  if (length > 0) yield join(rest);
}

/** All of a stream. */
export async function readAll(input: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    chunks.push(bytes);
    length += bytes.length;
    if (length > LONGEST) throw new CommandError('standard input is longer than 256 MiB');
  }
  return join(chunks);
}

/** A line of text may have been ended by CR and LF. */
export function withoutReturn(line: Uint8Array): Uint8Array {
  return line.at(-1) === CR ? line.subarray(0, -1) : line;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
