/**
 * The two directions of one connection under permessage-deflate (RFC 7692 section 7.2): which messages are compressed, and
 * when memory is held for them. How bytes are compressed is the codec's.
 */

import type { FaultCode } from '../../errors.ts';
import type { PayloadTransform } from '../extension.ts';
import type { DeflateCodec, Deflater, DeflaterOptions, Inflater } from './codec.ts';

/** RSV1: the "Per-Message Compressed" bit (RFC 7692 section 6). */
export const RSV1 = 0x40;

/** What the transforms of one extension share, whatever connection they serve. */
export class DeflatePool {
  readonly codec: DeflateCodec;
  private readonly deflaters = new Map<number, Deflater>();
  private readonly inflaters = new Map<number, Inflater[]>();

  constructor(codec: DeflateCodec) {
    this.codec = codec;
  }

  /** The one compressor without context takeover. The other options are the same for all of a pool. */
  sharedDeflater(options: DeflaterOptions): Deflater {
    let deflater = this.deflaters.get(options.windowBits);
    if (deflater === undefined) {
      deflater = this.codec.deflater(options);
      this.deflaters.set(options.windowBits, deflater);
    }
    return deflater;
  }

  /** The shared one threw: what is left of it is nobody's to use. */
  dropDeflater(windowBits: number): void {
    this.deflaters.delete(windowBits);
  }

  /** A decompressor for one message; `giveBack` it when the message is over. */
  takeInflater(windowBits: number): Inflater {
    return this.inflaters.get(windowBits)?.pop() ?? this.codec.inflater(windowBits);
  }

  giveBack(windowBits: number, inflater: Inflater): void {
    const free = this.inflaters.get(windowBits) ?? [];
    if (free.length >= 8) {
      inflater.release();
      return;
    }
    inflater.reset();
    free.push(inflater);
    this.inflaters.set(windowBits, free);
  }
}

/** How one direction was agreed on. */
export interface Direction {
  readonly windowBits: number;
  readonly contextTakeover: boolean;
}

/** What we send, besides the direction. */
export interface OutgoingRules {
  readonly level: number;
  readonly memoryLevel: number;
  /** Messages from so many bytes on are compressed… */
  readonly threshold: number;
  /** …up to so many. */
  readonly compressLimit: number;
  /** Nothing is compressed. */
  readonly plain: boolean;
}

/** What was agreed on and what we make of it: one object for all connections of an extension with the same terms. */
export class DeflatePlan {
  readonly pool: DeflatePool;
  readonly incoming: Direction;
  readonly outgoing: DeflaterOptions;
  readonly rules: OutgoingRules;
  readonly encodeKey: string | null;

  constructor(pool: DeflatePool, incoming: Direction, outgoing: Direction, rules: OutgoingRules) {
    this.pool = pool;
    this.incoming = incoming;
    this.rules = rules;
    const { level, memoryLevel, threshold, compressLimit } = rules;
    this.outgoing = { ...outgoing, level, memoryLevel };
    if (rules.plain) this.encodeKey = 'plain';
    else if (outgoing.contextTakeover) this.encodeKey = null;
    else this.encodeKey = `deflate ${outgoing.windowBits} ${level} ${memoryLevel} ${threshold} ${compressLimit}`;
  }
}

/** permessage-deflate for one connection. Memory is taken when the first compressed message passes, not before. */
export class DeflateTransform implements PayloadTransform {
  corrupt = false;

  private readonly plan: DeflatePlan;
  /** Of this connection alone; a shared one is the pool's. */
  private deflater: Deflater | null = null;
  private inflater: Inflater | null = null;
  private ending = false;

  constructor(plan: DeflatePlan) {
    this.plan = plan;
  }

  get rsvBits(): number {
    return RSV1;
  }

  get fault(): FaultCode {
    return 'DEFLATE_CORRUPT';
  }

  get encodeKey(): string | null {
    return this.plan.encodeKey;
  }

  /** RFC 7692 section 7.2.1. A message that is sent as it is leaves the history alone, on both sides. */
  encode(payload: Uint8Array): Uint8Array | null {
    const { rules } = this.plan;
    const size = payload.length;
    if (rules.plain || size < rules.threshold || size > rules.compressLimit || size === 0) return null;
    return this.compress(payload, true, size - 1);
  }

  /** A message that is sent piece by piece: compressed whatever its size, each piece readable once it has arrived. */
  encodePiece(piece: Uint8Array, _first: boolean, last: boolean): Uint8Array | null {
    if (this.plan.rules.plain) return null;
    return this.compress(piece, last, Number.POSITIVE_INFINITY);
  }

  write(piece: Uint8Array, last: boolean): void {
    this.ending = last;
    try {
      this.inflater ??= this.newInflater();
      this.inflater.write(piece, last);
    } catch {
      this.giveUp();
    }
  }

  read(): Uint8Array | null {
    const { inflater } = this;
    if (inflater === null) return null;
    try {
      const out = inflater.read();
      if (out !== null) return out;
    } catch {
      this.giveUp();
      return null;
    }
    if (inflater.corrupt) {
      this.giveUp();
    } else if (this.ending && !this.plan.incoming.contextTakeover) {
      this.plan.pool.giveBack(this.plan.incoming.windowBits, inflater);
      this.inflater = null;
    }
    return null;
  }

  release(): void {
    this.inflater?.release();
    this.inflater = null;
    this.deflater?.release();
    this.deflater = null;
  }

  private newInflater(): Inflater {
    const { pool, incoming } = this.plan;
    const { windowBits } = incoming;
    return incoming.contextTakeover ? pool.codec.inflater(windowBits) : pool.takeInflater(windowBits);
  }

  /** The message cannot be read: it is corrupt, or the codec threw, as zlib does without memory. No peer may end the process. */
  private giveUp(): void {
    this.corrupt = true;
    this.inflater?.release();
    this.inflater = null;
  }

  /** A compressor that threw may remember what the peer never saw: the next one begins without a history. */
  private compress(piece: Uint8Array, last: boolean, atMost: number): Uint8Array | null {
    const { pool, outgoing } = this.plan;
    const compressor = this.compressor();
    try {
      return compressor.deflate(piece, last, atMost);
    } catch (error) {
      if (outgoing.contextTakeover) this.deflater = null;
      else pool.dropDeflater(outgoing.windowBits);
      compressor.release();
      throw error;
    }
  }

  private compressor(): Deflater {
    const { pool, outgoing } = this.plan;
    if (!outgoing.contextTakeover) return pool.sharedDeflater(outgoing);
    this.deflater ??= pool.codec.deflater(outgoing);
    return this.deflater;
  }
}
