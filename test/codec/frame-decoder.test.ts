/** What the cursor over frames says of itself between its steps. Its rules are in test/rfc6455/5*. */
import { describe, expect, it } from 'vitest';
import { ByteQueue } from '../../src/codec/byte-queue.ts';
import { FrameDecoder, Step } from '../../src/codec/frame-decoder.ts';
import { frame, OP, pattern } from '../rfc6455/support.ts';

const RULES = {
  masked: false,
  rsvBits: 0,
  maxFrameSize: Number.POSITIVE_INFINITY,
  maxMessageSize: Number.POSITIVE_INFINITY,
  maxFragments: Number.POSITIVE_INFINITY,
};

function fed(...chunks: readonly Uint8Array[]): { decoder: FrameDecoder; queue: ByteQueue } {
  const queue = new ByteQueue();
  for (const chunk of chunks) queue.push(chunk, chunk.length, false);
  return { decoder: new FrameDecoder(RULES), queue };
}

describe('FrameDecoder', () => {
  it('says what a frame still misses, piece by piece', () => {
    const bytes = frame({ opcode: OP.binary, payload: pattern(100) });
    const { decoder, queue } = fed(bytes.subarray(0, 1));
    expect([decoder.next(queue), decoder.missing]).toEqual([Step.needBytes, 0]);
    queue.push(bytes.subarray(1, 42), 41, false);
    expect([decoder.next(queue), decoder.missing]).toEqual([Step.data, 60]);
    expect([...decoder.bytes.subarray(decoder.start, decoder.end)]).toEqual([...pattern(100).subarray(0, 40)]);
    expect([decoder.firstPiece, decoder.lastPiece]).toEqual([true, false]);
    expect([decoder.next(queue), decoder.missing]).toEqual([Step.needBytes, 60]);
    queue.push(bytes.subarray(42), 60, false);
    expect([decoder.next(queue), decoder.missing]).toEqual([Step.data, 0]);
    expect([decoder.firstPiece, decoder.lastPiece]).toEqual([false, true]);
  });

  it('is in a message from its first header to its last byte, whatever control frames come in between', () => {
    const { decoder, queue } = fed();
    const step = (bytes: Uint8Array) => {
      queue.push(bytes, bytes.length, false);
      const step = decoder.next(queue);
      return { step, midMessage: decoder.midMessage, idle: decoder.idle };
    };
    const text = frame({ opcode: OP.text, payload: 'Hel', fin: false });
    expect(decoder).toMatchObject({ midMessage: false, idle: true });
    expect(step(text.subarray(0, 1))).toEqual({ step: Step.needBytes, midMessage: false, idle: false });
    expect(step(text.subarray(1, 2))).toEqual({ step: Step.needBytes, midMessage: true, idle: false });
    expect(step(text.subarray(2))).toEqual({ step: Step.data, midMessage: true, idle: false });
    const ping = frame({ opcode: OP.ping, payload: 'a' });
    expect(step(ping.subarray(0, 2))).toEqual({ step: Step.needBytes, midMessage: true, idle: false });
    expect(step(ping.subarray(2))).toEqual({ step: Step.control, midMessage: true, idle: false });
    const rest = frame({ opcode: OP.continuation, payload: 'lo' });
    expect(step(rest)).toEqual({ step: Step.data, midMessage: false, idle: true });
    expect(decoder).toMatchObject({ fragments: 2, messageLength: 5, wireSize: text.length + rest.length });
    expect(step(ping.subarray(0, 2))).toEqual({ step: Step.needBytes, midMessage: false, idle: false });
    expect(step(ping.subarray(2))).toEqual({ step: Step.control, midMessage: false, idle: true });
  });

  it('is never idle again after a fault', () => {
    const { decoder, queue } = fed(Uint8Array.of(0x83, 0));
    expect([decoder.next(queue), decoder.fault, decoder.idle]).toEqual([Step.fault, 'RESERVED_OPCODE', false]);
  });

  it('release() lets go of the chunk of the last piece', () => {
    const { decoder, queue } = fed(frame({ opcode: OP.text, payload: 'abc' }));
    decoder.next(queue);
    expect(decoder.end - decoder.start).toBe(3);
    decoder.release();
    expect([decoder.bytes.length, decoder.start, decoder.end]).toEqual([0, 0, 0]);
  });
});
