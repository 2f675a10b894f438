/** Arbitrary frames, streams of them, cuts, options and operations. */

import fc from 'fast-check';
import type { Connection, ConnectionOptions, Role } from '../../src/index.ts';
import { UsageError } from '../../src/index.ts';
import { concat } from './bytes.ts';
import { type FrameParts, frame } from './frames.ts';

/** Sizes of chunks, used over and over. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });

export const role: fc.Arbitrary<Role> = fc.constantFrom('server', 'client');

const key = fc.tuple(
  fc.integer({ min: 0, max: 255 }),
  fc.integer({ min: 0, max: 255 }),
  fc.integer({ min: 0, max: 255 }),
  fc.integer({ min: 0, max: 255 }),
);

export const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });

export const text = (maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc
    .string({ unit: 'binary', maxLength })
    .filter((each) => !/[\ud800-\udfff]/u.test(each))
    .map((each) => new Uint8Array(Buffer.from(each, 'utf8')));

/** Options under which everything is delivered that a peer may send. */
export const deliveries: fc.Arbitrary<ConnectionOptions> = fc.record({
  delivery: fc.constantFrom('message' as const, 'message' as const, 'fragment' as const),
  text: fc.constantFrom('string' as const, 'bytes' as const),
  borrow: fc.boolean(),
  progress: fc.boolean(),
  autoPong: fc.constantFrom(true, true, false),
});

/** Small limits, so that they are met. */
export const limits: fc.Arbitrary<ConnectionOptions> = fc.record(
  {
    maxMessageSize: fc.constantFrom(1, 20, 125, 300),
    maxFrameSize: fc.constantFrom(1, 20, 126, 200),
    maxFragments: fc.constantFrom(1, 3, 8),
    maxControlFrames: fc.constantFrom(1, 3, 8),
  },
  { requiredKeys: [] },
);

export const options: fc.Arbitrary<ConnectionOptions> = fc
  .tuple(deliveries, limits)
  .map(([delivery, limit]) => ({ ...delivery, ...limit }));

/** A legal message as frames for a receiver of this role: fragments, with control frames in between. */
function message(receiver: Role): fc.Arbitrary<FrameParts[]> {
  const masked = receiver === 'server' ? key : fc.constant(null);
  const payload = fc.oneof(
    text(60).map((data) => ({ opcode: 1, data })),
    bytes(60).map((data) => ({ opcode: 2, data })),
    fc.constantFrom(125, 126, 127, 300).map((size) => ({ opcode: 2, data: new Uint8Array(size).fill(0x61) })),
  );
  const control = fc.record({ opcode: fc.constantFrom(9, 10), payload: bytes(6), key: masked });
  return fc
    .tuple(payload, fc.array(fc.nat(60), { maxLength: 3 }), fc.array(control, { maxLength: 2 }), masked)
    .map(([{ opcode, data }, at, controls, each]) => {
      const marks = [...at.filter((mark) => mark <= data.length), data.length].sort((a, b) => a - b);
      const frames: FrameParts[] = [];
      let from = 0;
      marks.forEach((mark, i) => {
        frames.push({
          opcode: i === 0 ? opcode : 0,
          fin: i === marks.length - 1,
          key: each,
          payload: data.subarray(from, mark),
        });
        from = mark;
      });
      controls.forEach((one, i) => {
        frames.splice(Math.min(frames.length, 2 * i + 1), 0, one);
      });
      return frames;
    });
}

/** Any frame at all. */
function anyFrame(): fc.Arbitrary<FrameParts> {
  return fc.record(
    {
      opcode: fc.integer({ min: 0, max: 15 }),
      fin: fc.boolean(),
      rsv: fc.constantFrom(0, 0, 0, 0x40, 0x20, 0x70),
      key: fc.option(key),
      payload: fc.oneof(bytes(20), text(20), bytes(140)),
      lengthBits: fc.constantFrom(undefined, undefined, 7 as const, 16 as const, 64 as const),
    },
    { requiredKeys: ['opcode'] },
  ) as fc.Arbitrary<FrameParts>;
}

/** The bytes of legal messages. */
export function legalStream(receiver: Role): fc.Arbitrary<Uint8Array> {
  return fc.array(message(receiver), { maxLength: 5 }).map((all) => concat(all.flat().map(frame)));
}

/** Bytes that look like frames: legal messages, a Close, broken frames, noise. */
export function stream(receiver: Role): fc.Arbitrary<Uint8Array> {
  const masked = receiver === 'server' ? key : fc.constant(null);
  const close = fc
    .tuple(fc.constantFrom(1000, 1001, 1005, 3000, 4999, 5000), text(10), masked)
    .map(([code, reason, each]) =>
      frame({ opcode: 8, key: each, payload: concat([Uint8Array.of(code >> 8, code & 0xff), reason]) }),
    );
  const tail = fc.oneof(fc.constant(new Uint8Array(0)), close, anyFrame().map(frame), bytes(30));
  return fc.tuple(legalStream(receiver), tail, bytes(4)).map(concat);
}

/** Something an application does; a usage error is an answer like any other. */
export interface Operation {
  readonly name: string;
  readonly run: (connection: Connection, now: number) => void;
}

export const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.string({ maxLength: 20 }).map((data) => op(`sendText ${data}`, (c) => c.sendText(data))),
  bytes(200).map((data) => op(`sendBinary ${data.length}`, (c) => c.sendBinary(data))),
  fc
    .tuple(bytes(90), fc.integer({ min: 1, max: 40 }))
    .map(([data, fragmentSize]) => op('sendBinary in fragments', (c) => c.sendBinary(data, { fragmentSize }))),
  fc
    .tuple(fc.constantFrom('text' as const, 'binary' as const), fc.boolean(), bytes(9))
    .map(([kind, last, data]) => op(`sendFragment ${kind} ${last}`, (c) => c.sendFragment(kind, data, last))),
  bytes(8).map((data) => op('ping', (c, now) => c.ping(now, data))),
  bytes(8).map((data) => op('pong', (c) => c.pong(data))),
  fc
    .tuple(fc.constantFrom(null, 1000, 1001, 1006, 4000), fc.string({ maxLength: 8 }))
    .map(([code, reason]) => op(`close ${code}`, (c, now) => c.close(now, code, reason))),
  fc.constant(op('fail', (c, now) => c.fail(now, new Error('test')))),
);

function op(name: string, run: Operation['run']): Operation {
  return {
    name,
    run: (connection, now) => {
      try {
        run(connection, now);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
      }
    },
  };
}
