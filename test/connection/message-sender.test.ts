/** Messages on their way out through extensions: what one of them refuses, and what is encoded once for many. */
import { describe, expect, it } from 'vitest';
import { Memory } from '../../src/codec/memory.ts';
import { pureText } from '../../src/codec/utf8.ts';
import { MessageSender } from '../../src/connection/message-sender.ts';
import { Settings } from '../../src/connection/options.ts';
import { Outgoing } from '../../src/connection/outgoing.ts';
import { TransformChain } from '../../src/extension/chain.ts';
import type { PayloadTransform } from '../../src/extension/extension.ts';
import { bytesOf, join, open, pattern, readFrames, textOf } from '../rfc6455/support.ts';

/** Turns every bit round; throws while `broken`. */
class Flip implements PayloadTransform {
  readonly rsvBits = 0x40;
  readonly corrupt = false;
  readonly encodeKey = 'flip';
  broken = false;
  encode(payload: Uint8Array): Uint8Array {
    if (this.broken) throw new Error('no memory');
    return payload.map((octet) => ~octet);
  }
  encodePiece(piece: Uint8Array): Uint8Array {
    return this.encode(piece);
  }
  write(): void {}
  read(): null {
    return null;
  }
  release(): void {}
}

function senderWith(transform: PayloadTransform | null): { sender: MessageSender; outgoing: Outgoing } {
  const outgoing = new Outgoing(Memory.shared, pureText, null);
  const chain = transform === null ? null : new TransformChain([transform]);
  return { sender: new MessageSender(outgoing, Settings.from({}), chain), outgoing };
}

const flipped = (text: string) => bytesOf(text).map((octet) => ~octet);

describe('a message in one frame for many', () => {
  it('is the frame that would be sent, of every size, and is not queued', () => {
    for (const size of [0, 1, 125, 126, 65_535, 65_536]) {
      const { sender, outgoing } = senderWith(null);
      const frame = sender.whole('binary', pattern(size))!;
      expect(outgoing.length).toBe(0);
      sender.binary(pattern(size), undefined);
      expect(frame).toEqual(join(...outgoing.take()));
    }
  });

  it('goes through the extensions; null where one throws', () => {
    const flip = new Flip();
    const { sender } = senderWith(flip);
    const [frame] = readFrames(sender.whole('text', bytesOf('hello'))!);
    expect(frame).toMatchObject({ fin: true, rsv: 0x40, opcode: 1, mask: null, payload: flipped('hello') });
    flip.broken = true;
    expect(sender.whole('text', bytesOf('hello'))).toBe(null);
    expect(sender.refusal).toMatchObject({ message: 'no memory' });
  });

  it('is the same for all whose key is the same', () => {
    expect(senderWith(null).sender.encodeKey).toBe('');
    expect(senderWith(new Flip()).sender.encodeKey).toBe(senderWith(new Flip()).sender.encodeKey);
    expect(senderWith(new Flip()).sender.encodeKey).not.toBe('');
    const { encodeKey: _, ...rest } = Object.assign(Object.create(Flip.prototype), new Flip());
    expect(senderWith(Object.assign(Object.create(Flip.prototype), rest)).sender.encodeKey).toBe(null);
  });
});

describe('an extension that throws', () => {
  it('refuses a message, and the connection goes on with the next', () => {
    const flip = new Flip();
    const { sender, outgoing } = senderWith(flip);
    flip.broken = true;
    expect(sender.text('a', undefined)).toBe(-1);
    expect(sender.binary(pattern(3), undefined)).toBe(-1);
    expect(sender.fragment('text', bytesOf('a'), false, true)).toBe(-1);
    expect([sender.midMessage, outgoing.length]).toEqual([false, 0]);
    expect(sender.text('plain', { compress: false })).toBe(7);
    flip.broken = false;
    expect(sender.text('late', undefined)).toBe(6);
    const frames = readFrames(join(...outgoing.take()));
    expect(frames.map(({ rsv, payload }) => [rsv, payload])).toEqual([
      [0, bytesOf('plain')],
      [0x40, flipped('late')],
    ]);
  });

  it('in the middle of a message leaves the message as it was', () => {
    const flip = new Flip();
    const { sender, outgoing } = senderWith(flip);
    sender.fragment('text', bytesOf('a'), false, true);
    flip.broken = true;
    expect(sender.fragment('text', bytesOf('b'), true, true)).toBe(-1);
    expect(sender.midMessage).toBe(true);
    flip.broken = false;
    sender.fragment('text', bytesOf('c'), true, true);
    expect(sender.midMessage).toBe(false);
    const frames = readFrames(join(...outgoing.take()));
    expect(frames.map(({ fin, rsv, opcode, payload }) => [fin, rsv, opcode, payload])).toEqual([
      [false, 0x40, 1, flipped('a')],
      [true, 0, 0, flipped('c')],
    ]);
  });

  it('sends what was accepted before as it is', () => {
    const flip = new Flip();
    const { sender, outgoing } = senderWith(flip);
    flip.broken = true;
    expect(sender.taken('binary', bytesOf('x'), undefined)).toBe(3);
    flip.broken = false;
    sender.taken('text', bytesOf('y'), { fragmentSize: 5 });
    const frames = readFrames(join(...outgoing.take()));
    expect(frames.map(({ rsv, opcode, payload }) => [rsv, opcode, payload])).toEqual([
      [0, 2, bytesOf('x')],
      [0x40, 1, flipped('y')],
    ]);
  });
});

it('a fragmented message is of one kind, is UTF-8 as a whole, and others wait for its end', () => {
  const { sender, outgoing } = senderWith(null);
  const euro = bytesOf('€');
  sender.fragment('text', euro.subarray(0, 1), false, true);
  expect(() => sender.fragment('binary', euro, true, true)).toThrow('fragmented text message');
  expect(() => sender.text('a', undefined)).toThrow('under way');
  expect(() => sender.binary(euro, undefined)).toThrow('under way');
  expect(() => sender.taken('binary', euro, undefined)).toThrow('under way');
  expect(() => sender.encoded({ bytes: euro, slab: null, start: 0 })).toThrow('under way');
  expect(() => sender.fragment('text', euro.subarray(1, 2), true, true)).toThrow('not UTF-8');
  expect(() => sender.fragment('text', Uint8Array.of(0x41), false, true)).toThrow('not UTF-8');
  sender.fragment('text', euro.subarray(1), true, true);
  sender.fragment('binary', Uint8Array.of(0xff), false, true);
  sender.abandon();
  expect(sender.midMessage).toBe(false);
  const frames = readFrames(join(...outgoing.take()));
  expect(textOf(join(...frames.slice(0, 2).map(({ payload }) => payload)))).toBe('€');
  expect(frames.map(({ fin, opcode }) => [fin, opcode])).toEqual([
    [false, 1],
    [true, 0],
    [false, 2],
  ]);
});

describe('a cap on what is unsent', () => {
  it('is asked before a message and before its first fragment, not in the middle of one', () => {
    const outgoing = new Outgoing(Memory.shared, pureText, null);
    const sender = new MessageSender(outgoing, Settings.from({ maxBufferedAmount: 10 }), null);
    sender.fragment('binary', pattern(20), false, true);
    expect(sender.fragment('binary', pattern(20), true, true)).toBe(22);
    for (const full of [
      () => sender.text('a', undefined),
      () => sender.text(bytesOf('a'), undefined),
      () => sender.text('a', { compress: true }),
      () => sender.binary(pattern(1), undefined),
      () => sender.binary(pattern(1), { fragmentSize: 1 }),
      () => sender.fragment('text', bytesOf('a'), true, true),
      () => sender.encoded({ bytes: pattern(3), slab: null, start: 0 }),
    ]) {
      expect(full()).toBe(0);
    }
    expect([sender.midMessage, outgoing.length]).toEqual([false, 44]);
    // What is no text is told even then.
    expect(() => sender.text(Uint8Array.of(0xff), undefined)).toThrow('not UTF-8');
    expect(() => sender.text('\ud800', { compress: true })).toThrow('lone surrogate');
    expect(sender.taken('binary', pattern(1), undefined)).toBe(3);
    outgoing.written(outgoing.take().reduce((sum, { length }) => sum + length, 0));
    expect(() => sender.text('a\udc00', undefined)).toThrow('lone surrogate');
    expect(sender.text('a', undefined)).toBe(3);
    expect(sender.binary(pattern(2), undefined)).toBe(4);
    outgoing.written(outgoing.take().reduce((sum, { length }) => sum + length, 0));
    expect(sender.encoded({ bytes: bytesOf('abc'), slab: null, start: 0 })).toBe(3);
  });
});

it('§5.4: a message is split into frames of the size that is asked for, with the bits on the first alone', () => {
  for (const [transform, rsv] of [
    [null, 0],
    [new Flip(), 0x40],
  ] as const) {
    const { sender, outgoing } = senderWith(transform);
    const wanted = (payload: Uint8Array) => (transform === null ? payload : payload.map((octet) => ~octet));
    for (const [size, fragmentSize, count] of [
      [10, 3, 4],
      [9, 3, 3],
      [3, 3, 1],
      [2, 3, 1],
      [0, 1, 1],
      [3, 1, 3],
    ] as const) {
      const payload = pattern(size).map((octet) => octet & 0x7f);
      for (const [opcode, send] of [
        [2, () => sender.binary(payload, { fragmentSize })],
        [1, () => sender.text(payload, { fragmentSize })],
      ] as const) {
        const wireSize = send();
        const wire = join(...outgoing.take());
        const frames = readFrames(wire);
        expect([wire.length, frames.length]).toEqual([wireSize, count]);
        frames.forEach((frame, i) => {
          expect(frame).toMatchObject({
            fin: i === count - 1,
            opcode: i === 0 ? opcode : 0,
            rsv: i === 0 ? rsv : 0,
          });
        });
        expect(join(...frames.map((frame) => frame.payload))).toEqual(wanted(payload));
      }
    }
  }
});

it('a transform is told the kind of a message, and what it threw is kept for whoever asks', () => {
  const kinds: string[] = [];
  const broken = new Error('out of memory');
  const transform: PayloadTransform = {
    rsvBits: 0x40,
    corrupt: false,
    encode(_, kind) {
      kinds.push(kind);
      return null;
    },
    encodePiece() {
      throw broken;
    },
    write() {},
    read: () => null,
    release() {},
  };
  const { connection } = open('server', {}, { transforms: [transform] });
  connection.sendText('a');
  connection.sendBinary(bytesOf('b'));
  connection.sendText(bytesOf('c'));
  expect(kinds).toEqual(['text', 'binary', 'text']);
  expect([connection.sendFragment('text', bytesOf('a'), true), connection.sender.refusal]).toEqual([-1, broken]);
});
