/**
 * A WebSocket over the standard streams of a process: the transport of an endpoint, one stream to read from and one to write to.
 * The parent passes `child.stdout` and `child.stdin`, the child `process.stdin` and `process.stdout`.
 *
 * It is that of docs/embedding.md but for one thing. A socket that breaks, breaks in both directions; of two pipes one may be full of
 * what a process said before it died, when nothing can be written to it any more. That is read to its end.
 */
import { finished, type Readable, type Writable } from 'node:stream';
import type { Transport, TransportSink } from '../../src/endpoint/index.ts';

/** More than the system keeps in a pipe: nobody who has died has this to say. */
const LAST_WORDS = 1_048_576;

/** Streams of stdio keep their process alive; those of a file do not. */
interface Holding {
  ref?(): unknown;
  unref?(): unknown;
}

/** The transport over what comes from a process and what goes to it. */
export function overStdio(input: Readable & Holding, output: Writable & Holding): Transport {
  let sink: TransportSink | undefined;
  let cause: Error | undefined;
  let unwritten = 0;
  let open = 2;
  let lastWords = Number.POSITIVE_INFINITY;
  const destroy = () => {
    input.destroy();
    output.destroy();
  };
  const over = (error?: Error | null) => {
    cause ??= error ?? undefined;
    open -= 1;
    if (open === 0) sink?.closed(cause);
  };
  return {
    start(receiver) {
      sink = receiver;
      input.on('data', (bytes: Uint8Array) => {
        receiver.received(bytes);
        lastWords -= bytes.length;
        if (lastWords < 0) destroy();
      });
      input.on('end', () => receiver.ended());
      finished(input, { writable: false }, (error) => {
        if (error) output.destroy();
        over(error);
      });
      finished(output, { readable: false }, (error) => {
        if (error) {
          // Also while the application holds events back: it may wait for what will never be written.
          lastWords = LAST_WORDS;
          input.resume();
        }
        over(error);
      });
    },
    write(chunks) {
      output.cork();
      for (const chunk of chunks) {
        unwritten += chunk.length;
        output.write(chunk, (error) => {
          if (error) return;
          unwritten -= chunk.length;
          sink?.written();
        });
      }
      output.uncork();
      return unwritten;
    },
    get unwritten() {
      return unwritten;
    },
    end: () => void output.end(),
    destroy,
    pause() {
      if (lastWords > LAST_WORDS) input.pause();
    },
    resume: () => void input.resume(),
    ref() {
      for (const stream of [input, output]) stream.ref?.();
    },
    unref() {
      for (const stream of [input, output]) stream.unref?.();
    },
    addresses: { remoteAddress: null, remotePort: null, localAddress: null, localPort: null, secure: false },
  };
}
