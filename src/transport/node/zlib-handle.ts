/**
 * The handle of a zlib stream, driven synchronously: one call into native code, nothing queued. Handles are not public API;
 * `callsAsWeDo` asks Node itself how it calls them. It knows no messages.
 */

import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib';

export const Z_SYNC_FLUSH: number = constants.Z_SYNC_FLUSH;
export const Z_BLOCK: number = constants.Z_BLOCK;
/** Output is made here, and copied or used up before the next call. */
export const OUT_SIZE = 65_536;
export const out: Uint8Array = /* @__PURE__ */ new Uint8Array(OUT_SIZE);
export const NONE: Uint8Array = /* @__PURE__ */ new Uint8Array(0);
/** RFC 7692 section 7.2.2. */
export const TAIL: Uint8Array = /* @__PURE__ */ Uint8Array.of(0, 0, 0xff, 0xff);

interface Handle {
  onerror: (message: string, errno: number, code: string) => void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  reset(): void;
  close(): void;
}

/** What is used of a zlib stream. */
interface Engine {
  readonly _handle: Handle;
  /** After a call: the room that is left, and the input. */
  readonly _writeState: Uint32Array;
}

/** A handle, and how its last call went. */
export class Native {
  failed = false;
  private readonly handle: Handle;
  private readonly state: Uint32Array;

  constructor(engine: unknown) {
    const { _handle, _writeState } = engine as Engine;
    this.handle = _handle;
    this.state = _writeState;
    _handle.onerror = () => {
      this.failed = true;
    };
  }

  /** Works through `input[at, end)` until it is used up, or `out` is full, or an end was found. */
  run(flush: number, input: Uint8Array, at: number, end: number): void {
    this.handle.writeSync(flush, input, at, end - at, out, 0, OUT_SIZE);
  }

  /** Bytes of `out` that the last call filled. */
  get made(): number {
    return OUT_SIZE - this.state[0]!;
  }

  /** Bytes of the input that it left. */
  get left(): number {
    return this.state[1]!;
  }

  reset(): void {
    this.handle.reset();
    this.failed = false;
  }

  close(): void {
    this.handle.close();
  }
}

/**
 * Whether this Node calls its handles as we do: it is watched on the synchronous way of its own streams. A call with wrong
 * arguments could end the process.
 */
export function callsAsWeDo(): boolean {
  return watched(createDeflateRaw) && watched(createInflateRaw);
}

function watched(create: (options: { chunkSize: number }) => unknown): boolean {
  const engine = create({ chunkSize: 64 }) as Engine & {
    _processChunk(input: Uint8Array, flush: number): Uint8Array;
  };
  const { _handle: handle, _writeState: state } = engine;
  const calls: unknown[][] = [];
  const { writeSync } = handle;
  handle.writeSync = function (...given) {
    calls.push(given);
    writeSync.apply(this, given);
  };
  const input = Uint8Array.of(0, 0, 0, 0xff, 0xff, 0);
  engine._processChunk(input, Z_SYNC_FLUSH);
  const [call = []] = calls;
  const [flush, given, at, length, output, outputAt, outputLength] = call;
  return (
    call.length === 7 &&
    [flush, given, at, length].every((each, i) => each === [Z_SYNC_FLUSH, input, 0, input.length][i]) &&
    output instanceof Uint8Array &&
    outputAt === 0 &&
    outputLength === 64 &&
    state instanceof Uint32Array &&
    state.length >= 2 &&
    [handle.reset, handle.close].every((each) => typeof each === 'function') &&
    typeof handle.onerror === 'function'
  );
}

export function concat(head: Uint8Array, rest: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + rest.length);
  whole.set(head);
  whole.set(rest, head.length);
  return whole;
}
