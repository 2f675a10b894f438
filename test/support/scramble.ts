/**
 * A small extension for tests: payloads are XORed with an octet that both sides negotiate, behind a marker octet that tells
 * a damaged payload. It can claim any RSV bit, so that two of them run in one connection.
 */

import type { Extension, ExtensionAgreement, ExtensionOffer, PayloadTransform } from '../../src/index.ts';

const MARKER = 0x21;

/** The transform of one connection. Output comes in pieces of at most `pieceSize` bytes. */
export class ScrambleTransform implements PayloadTransform {
  readonly rsvBits: number;
  corrupt = false;
  released = 0;
  private readonly octet: number;
  private readonly pieceSize: number;
  private pending: Uint8Array = new Uint8Array(0);
  private atStart = true;

  constructor(rsvBits: number, octet: number, pieceSize: number) {
    this.rsvBits = rsvBits;
    this.octet = octet;
    this.pieceSize = pieceSize;
  }

  /** Empty payloads are left as they are. */
  encode(payload: Uint8Array): Uint8Array | null {
    if (payload.length === 0) return null;
    const out = new Uint8Array(payload.length + 1);
    out[0] = MARKER;
    for (let i = 0; i < payload.length; i++) out[i + 1] = payload[i]! ^ this.octet;
    return out;
  }

  write(piece: Uint8Array, last: boolean): void {
    let from = 0;
    if (this.atStart && piece.length > 0) {
      if (piece[0] !== MARKER) this.corrupt = true;
      this.atStart = false;
      from = 1;
    }
    const next = new Uint8Array(this.pending.length + piece.length - from);
    next.set(this.pending);
    for (let i = from; i < piece.length; i++) next[this.pending.length + i - from] = piece[i]! ^ this.octet;
    this.pending = next;
    if (last) {
      if (this.atStart) this.corrupt = true;
      this.atStart = true;
    }
  }

  read(): Uint8Array | null {
    if (this.corrupt || this.pending.length === 0) return null;
    const out = this.pending.subarray(0, this.pieceSize);
    this.pending = this.pending.subarray(this.pieceSize);
    return out;
  }

  release(): void {
    this.released++;
  }
}

export interface ScrambleOptions {
  readonly name?: string;
  readonly rsvBits?: number;
  readonly octet?: number;
  readonly pieceSize?: number;
  /** A server that declines every offer. */
  readonly declines?: boolean;
}

/** The extension; `made` collects the transforms it gave to connections. */
export class Scramble implements Extension {
  readonly name: string;
  readonly rsvBits: number;
  readonly made: ScrambleTransform[] = [];
  private readonly octet: number;
  private readonly pieceSize: number;
  private readonly declines: boolean;

  constructor({
    name = 'scramble',
    rsvBits = 0x40,
    octet = 0x2a,
    pieceSize = 7,
    declines = false,
  }: ScrambleOptions = {}) {
    this.name = name;
    this.rsvBits = rsvBits;
    this.octet = octet;
    this.pieceSize = pieceSize;
    this.declines = declines;
  }

  offer(): readonly ExtensionOffer[] {
    return [{ name: this.name, parameters: [{ name: 'octet', value: String(this.octet) }] }];
  }

  accept(offer: ExtensionOffer): ExtensionAgreement | null {
    const octet = octetOf(offer);
    return this.declines || octet === null ? null : { answer: offer, transform: this.make(octet) };
  }

  agree(answer: ExtensionOffer): PayloadTransform | null {
    const octet = octetOf(answer);
    return octet === this.octet ? this.make(octet) : null;
  }

  private make(octet: number): ScrambleTransform {
    const transform = new ScrambleTransform(this.rsvBits, octet, this.pieceSize);
    this.made.push(transform);
    return transform;
  }
}

function octetOf({ parameters }: ExtensionOffer): number | null {
  const [only] = parameters;
  if (parameters.length !== 1 || only?.name !== 'octet' || only.value === null) return null;
  const octet = Number(only.value);
  return Number.isInteger(octet) && octet >= 0 && octet < 256 ? octet : null;
}
