/** Two small extensions for tests: one adds a key to every byte (RSV1), one turns the payload round (RSV2). */
import type { Extension, ExtensionOffer, PayloadTransform } from '../../src/index.ts';

class AddTransform implements PayloadTransform {
  readonly rsvBits = 0x40;
  corrupt = false;
  released = 0;
  private readonly key: number;
  private piece: Uint8Array | null = null;

  constructor(key: number) {
    this.key = key;
  }

  encode(payload: Uint8Array): Uint8Array | null {
    return payload.length === 0 ? null : payload.map((octet) => octet + this.key);
  }

  write(piece: Uint8Array): void {
    // 0xde is what this code cannot read.
    if (piece.includes(0xde)) this.corrupt = true;
    this.piece = piece.map((octet) => octet - this.key);
  }

  read(): Uint8Array | null {
    const { piece } = this;
    this.piece = null;
    return piece;
  }

  release(): void {
    this.released++;
  }
}

class TurnTransform implements PayloadTransform {
  readonly rsvBits = 0x20;
  readonly corrupt = false;
  private kept: number[] = [];
  private ready = false;

  encode(payload: Uint8Array, kind: 'text' | 'binary'): Uint8Array | null {
    return kind === 'text' ? null : payload.slice().reverse();
  }

  write(piece: Uint8Array, last: boolean): void {
    this.kept.push(...piece);
    this.ready = last;
  }

  read(): Uint8Array | null {
    if (!this.ready) return null;
    const out = Uint8Array.from(this.kept.toReversed());
    this.kept = [];
    this.ready = false;
    return out;
  }

  release(): void {}
}

export const transforms: AddTransform[] = [];

export const add: Extension = {
  name: 'x-add',
  rsvBits: 0x40,
  offer: () => [{ name: 'x-add', parameters: [{ name: 'key', value: '3' }] }],
  accept(offer: ExtensionOffer) {
    const [parameter] = offer.parameters;
    if (parameter?.name !== 'key' || !/^[1-9]$/.test(parameter.value ?? '')) return null;
    const transform = new AddTransform(Number(parameter.value));
    transforms.push(transform);
    return { answer: offer, transform };
  },
  agree(answer: ExtensionOffer) {
    const [parameter, more] = answer.parameters;
    if (parameter?.name !== 'key' || parameter.value !== '3' || more !== undefined) return null;
    const transform = new AddTransform(3);
    transforms.push(transform);
    return transform;
  },
};

export const turn: Extension = {
  name: 'x-turn',
  rsvBits: 0x20,
  offer: () => [{ name: 'x-turn', parameters: [] }],
  accept: (offer: ExtensionOffer) => ({ answer: offer, transform: new TurnTransform() }),
  agree: () => new TurnTransform(),
};
