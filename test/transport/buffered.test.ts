/** What transports have in common that keep their output: order, ends and the one report, whatever the stream under it does. */
import { describe, expect, test } from 'vitest';
import { BufferedTransport } from '../../src/transport/buffered.ts';
import { Pieces } from '../../src/transport/pieces.ts';
import type { TransportSink } from '../../src/transport/transport.ts';

/** A stream that takes at most `room` bytes a write, and answers when it is told to. */
class Scripted extends BufferedTransport {
  readonly log: string[] = [];
  room = 4;
  private answers: (() => void)[] = [];

  /** The stream gets on: whatever was asked of it is done. */
  step(): void {
    for (const answer of this.answers.splice(0)) answer();
  }

  gives(bytes: string): void {
    if (!this.readDone()) return;
    this.log.push(`gives ${bytes}`);
    this.sink?.received(encode(bytes));
    this.read();
  }

  endsReading(): void {
    if (this.readDone()) this.readEnded();
  }

  breaks(error?: Error): void {
    this.fail(error);
  }

  protected override fetch(): void {
    this.log.push('fetch');
  }

  protected override flush(): void {
    const bytes = this.queue.next();
    const taken = bytes.subarray(0, this.room);
    this.busy = true;
    this.answers.push(() => {
      this.log.push(`write ${String.fromCharCode(...taken)}`);
      this.busy = false;
      this.queue.back(bytes.subarray(taken.length));
      this.wrote(taken.length);
    });
  }

  protected override shut(): void {
    this.log.push('shut');
    this.answers.push(() => this.writeEnded());
  }

  protected override release(orderly: boolean, cause: unknown): void {
    this.log.push(`release ${orderly} ${cause instanceof Error ? cause.message : cause}`);
  }
}

function scripted(react: (what: string, transport: Scripted) => void = () => {}) {
  const transport = new Scripted();
  const heard: string[] = [];
  const hear = (what: string) => {
    heard.push(what);
    react(what, transport);
  };
  const sink: TransportSink = {
    received: (bytes) => hear(`received ${String.fromCharCode(...bytes)}`),
    receivedBorrowed: () => hear('borrowed'),
    written: () => hear(`written, ${transport.unwritten} left`),
    ended: () => hear('ended'),
    closed: (cause) => hear(`closed ${cause instanceof Error ? cause.message : cause}`),
  };
  return { transport, heard, sink };
}

describe('a transport that keeps its output', () => {
  test('writes in order, one at a time, what the stream did not take first', () => {
    const { transport, heard, sink } = scripted();
    transport.start(sink);
    expect(transport.write([encode('ab'), encode(''), encode('cdefg')])).toBe(7);
    expect(transport.write([encode('h')])).toBe(8);
    for (let i = 0; i < 5; i++) transport.step();
    expect(transport.log).toEqual(['fetch', 'write abcd', 'write efgh']);
    expect(heard).toEqual(['written, 4 left', 'written, 0 left']);
  });

  test('shuts once, behind what was written, whatever is asked of it then', () => {
    const { transport, sink } = scripted();
    transport.start(sink);
    transport.write([encode('abcdef')]);
    transport.end();
    transport.end();
    expect(transport.write([encode('late')])).toBe(0);
    for (let i = 0; i < 5; i++) transport.step();
    transport.end();
    expect(transport.log).toEqual(['fetch', 'write abcd', 'write ef', 'shut']);
  });

  test.each([
    ['the peer', ['endsReading', 'end']],
    ['we', ['end', 'endsReading']],
  ] as const)('closes once when both directions have ended, %s first', async (_, calls) => {
    const { transport, heard, sink } = scripted();
    transport.start(sink);
    for (const call of calls) {
      transport[call]();
      transport.step();
    }
    expect(heard, 'not from inside of a call').toEqual(['ended']);
    await settle();
    transport.destroy();
    transport.breaks(new Error('late'));
    transport.endsReading();
    await settle();
    expect(heard).toEqual(['ended', 'closed undefined']);
    expect(transport.log.filter((line) => line.startsWith('release'))).toEqual(['release true undefined']);
  });

  test('what was not written when it breaks stays unwritten, and nothing is heard behind the end', async () => {
    const { transport, heard, sink } = scripted();
    transport.start(sink);
    transport.write([encode('abcdef')]);
    transport.breaks(new Error('reset'));
    transport.breaks(new Error('again'));
    transport.step();
    transport.gives('late');
    await settle();
    transport.step();
    expect(transport.unwritten).toBeGreaterThan(0);
    expect(heard).toEqual(['closed reset']);
    expect(transport.write([encode('x')])).toBe(0);
    expect(transport.log).not.toContain('gives late');
  });

  test('a stream that breaks without a reason has one all the same', async () => {
    const { transport, heard, sink } = scripted();
    transport.start(sink);
    transport.breaks();
    await settle();
    expect(heard).toEqual(['closed the stream failed']);
  });

  test.each(['destroy', 'breaks'] as const)('%s before the start is told after it, once', async (call) => {
    for (const late of [false, true]) {
      const { transport, heard, sink } = scripted();
      if (call === 'breaks') transport.breaks(new Error('reset'));
      else transport.destroy();
      if (late) await settle();
      transport.start(sink);
      expect(heard).toEqual([]);
      await settle();
      expect(heard).toEqual([call === 'breaks' ? 'closed reset' : 'closed undefined']);
      expect(transport.log).toEqual([`release false ${call === 'breaks' ? 'reset' : 'undefined'}`]);
    }
  });

  test('reads nothing while it is paused, and once when it is resumed twice', () => {
    const { transport, heard, sink } = scripted((what, own) => {
      if (what.startsWith('received')) own.pause();
    });
    transport.start(sink);
    transport.gives('a');
    expect(transport.log).toEqual(['fetch', 'gives a']);
    transport.resume();
    transport.resume();
    expect(transport.log).toEqual(['fetch', 'gives a', 'fetch']);
    transport.gives('b');
    expect(heard).toEqual(['received a', 'received b']);
  });

  test('a sink that ends or drops it from inside of a report does no harm', async () => {
    for (const act of ['end', 'destroy'] as const) {
      const { transport, heard, sink } = scripted((what, own) => {
        if (what.startsWith('written')) own[act]();
        if (what.startsWith('closed')) own.destroy();
      });
      transport.start(sink);
      transport.write([encode('abcdefgh')]);
      for (let i = 0; i < 6; i++) transport.step();
      transport.endsReading();
      await settle();
      expect(heard.filter((line) => line.startsWith('closed'))).toEqual(['closed undefined']);
      expect(transport.log.includes('write efgh')).toBe(act === 'end');
    }
  });
});

describe('what waits for its stream', () => {
  test('comes as it is, or joined to a piece, and never more than it was', () => {
    const pieces = new Pieces();
    const large = new Uint8Array(100_000).fill(7);
    expect(pieces.add([encode('ab'), encode(''), encode('c'), large, encode('d')])).toBe(100_004);
    expect(String.fromCharCode(...pieces.next())).toBe('abc');
    expect(pieces.next(), 'not copied').toBe(large);
    pieces.back(large.subarray(99_999));
    pieces.back(new Uint8Array(0));
    expect([...pieces.next()]).toEqual([7, 100]);
    expect(pieces.isEmpty).toBe(true);
    expect(pieces.next().length).toBe(0);
  });

  test('comes as copies of 64 KiB at most for streams that keep them', () => {
    const pieces = new Pieces();
    const large = new Uint8Array(150_000).map((_, i) => i & 0xff);
    pieces.add([large, encode('abc')]);
    const lengths: number[] = [];
    const whole: number[] = [];
    while (!pieces.isEmpty) {
      const piece = pieces.take();
      expect(piece.buffer).not.toBe(large.buffer);
      lengths.push(piece.length);
      whole.push(...piece);
    }
    expect(lengths).toEqual([65_536, 65_536, 18_931]);
    expect(whole).toEqual([...large, ...encode('abc')]);
  });
});

function encode(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await Promise.resolve();
}
