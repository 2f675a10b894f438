/** Writing by way of the stream: public API alone. */

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

const EMPTY = new Uint8Array(0);

/** Who wants to know when what was written late has left. */
export interface StreamWriter {
  /** To be called when it has. */
  readonly afterWrite: () => void;
}

/** Whether the stream never writes at once: then every write is told. */
export function defersWrites(stream: Duplex): boolean {
  return !(stream instanceof Socket) || (stream as { encrypted?: boolean }).encrypted === true;
}

/** Writes the chunks; `deferring` is what `defersWrites` said. */
export function writeStream(
  stream: Duplex,
  chunks: readonly Uint8Array[],
  deferring: boolean,
  writer: StreamWriter,
): void {
  if (deferring) {
    // TLS joins what is written together anyway; and HTTP/2 calls an empty write done before what precedes it has left.
    stream.write(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks), writer.afterWrite);
    return;
  }
  if (chunks.length === 1) {
    stream.write(chunks[0]);
  } else {
    stream.cork();
    for (const chunk of chunks) stream.write(chunk);
    stream.uncork();
  }
  // Only what the kernel did not take at once is worth a callback: an empty write behind it reports when it has left.
  if (stream.writableLength > 0 && !stream.destroyed && stream.errored === null) stream.write(EMPTY, writer.afterWrite);
}
