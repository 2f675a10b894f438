/** The sources of `sendStream`: what fails is heard whenever it does, and what is not read to its end is let go. */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { StreamSource } from '../../src/endpoint/outgoing-stream.ts';
import { OP, pattern, textOf } from '../rfc6455/support.ts';
import { type Script, ScriptTransport, script } from './script.ts';

/** An open endpoint whose peer takes nothing, and above whose mark something waits. */
function slow(): Script {
  const made = script({ highWaterMark: 100 }, new ScriptTransport(0));
  made.endpoint.resume();
  made.endpoint.send(pattern(1_000));
  return made;
}

/** A source of each kind that never comes to an end by itself, with what says how often it was let go. */
function endless(): { [kind: string]: { readonly source: StreamSource; readonly left: () => number } } {
  const readable = new Readable({ read() {} });
  readable.push('a');
  let closed = 0;
  readable.on('close', () => closed++);
  let finished = 0;
  async function* generate() {
    try {
      for (;;) yield 'a';
    } finally {
      finished++;
    }
  }
  const generator = generate();
  let returned = 0;
  const iterator = {
    next: async () => ({ done: false, value: 'a' }) as const,
    return: async () => {
      returned++;
      return { done: true, value: undefined } as const;
    },
  };
  let cancelled = 0;
  const web = new ReadableStream<string>({
    pull: (controller) => controller.enqueue('a'),
    cancel: () => void cancelled++,
  });
  return {
    readable: { source: readable, left: () => closed },
    generator: { source: generator, left: () => finished },
    iterator: { source: { [Symbol.asyncIterator]: () => iterator }, left: () => returned },
    web: { source: web as unknown as StreamSource, left: () => cancelled },
  };
}

const KINDS = Object.keys(endless());

describe('a source that fails while the peer is slow', () => {
  it('rejects at once and fails the connection with 1011: its error has a listener from the beginning', async () => {
    const { endpoint, clock, transport } = slow();
    const source = new Readable({ read() {} });
    const sent = endpoint.sendStream('binary', source);
    expect(source.listenerCount('error')).toBeGreaterThan(0);
    source.destroy(new Error('no such file'));
    const outcome = expect(sent).rejects.toThrow('no such file');
    await clock.settle();
    await outcome;
    transport.drain();
    await clock.settle();
    expect(transport.frames.map(({ opcode }) => opcode)).toEqual([OP.binary, OP.close]);
    await clock.run(10_000);
    expect(await endpoint.closed).toMatchObject({ error: { code: 'APPLICATION_FAILED' } });
  });

  it('a file that is not there', async () => {
    const { endpoint, clock } = slow();
    const outcome = expect(endpoint.sendStream('binary', createReadStream('/no/such/file'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
    await clock.settle();
    await outcome;
    await clock.run(10_000);
    expect(endpoint.readyState).toBe('closed');
  });

  it('nothing but the first chunk is asked for meanwhile', async () => {
    const { endpoint, clock, transport } = slow();
    let made = 0;
    function* source() {
      while (made < 3) yield `${++made}`;
    }
    const sent = endpoint.sendStream('text', source());
    await clock.settle();
    expect([made, transport.frames.length]).toEqual([1, 1]);
    transport.drain();
    await clock.settle();
    expect(await sent).toMatchObject({ success: true, payloadSize: 3 });
    expect(transport.frames.slice(1).map(({ payload }) => textOf(payload))).toEqual(['1', '2', '3', '']);
  });
});

describe('a source that is not read to its end', () => {
  for (const kind of KINDS) {
    it(`is let go once when nothing can be sent any more, ${kind}`, async () => {
      const { endpoint, clock } = script();
      endpoint.resume();
      endpoint.terminate();
      await clock.settle();
      const { source, left } = endless()[kind]!;
      // A generator that nobody has asked for anything has nothing to tidy up.
      if (kind === 'generator') await (source as AsyncGenerator<string>).next();
      expect(await endpoint.sendStream('text', source)).toMatchObject({ success: false, code: 'not-open' });
      await expect.poll(left).toBe(1);
    });

    it(`is let go once when the connection ends while the peer is slow, ${kind}`, async () => {
      const { endpoint, clock, transport } = slow();
      const { source, left } = endless()[kind]!;
      const sent = endpoint.sendStream('text', source);
      await clock.settle();
      transport.sink!.closed(new Error('reset'));
      expect(await sent).toMatchObject({ success: false, code: 'not-open' });
      await expect.poll(left).toBe(1);
      await clock.settle();
      expect([left(), transport.frames.length, clock.pendingAlarms]).toEqual([1, 1, 0]);
    });

    it(`is let go once when a chunk is refused, ${kind}`, async () => {
      const { endpoint, clock } = script();
      endpoint.resume();
      const { source, left } = endless()[kind]!;
      // Strings, where bytes belong.
      if (source instanceof Readable) source.setEncoding('utf8');
      const outcome = expect(endpoint.sendStream('binary', source)).rejects.toThrow('takes bytes');
      await clock.settle();
      await outcome;
      await expect.poll(left).toBe(1);
    });
  }

  it('is destroyed at once where it was asked for a chunk that never comes', async () => {
    const { endpoint, clock } = script();
    endpoint.resume();
    const source = new Readable({ read() {} });
    const sent = endpoint.sendStream('binary', source);
    await clock.settle();
    endpoint.terminate();
    expect(await sent).toMatchObject({ code: 'not-open' });
    expect(source.destroyed).toBe(true);
  });

  it('ends no process with what it fails with later', async () => {
    const { endpoint, clock } = script();
    endpoint.terminate();
    await clock.settle();
    // It is opened when it is destroyed already, and fails then.
    const source = createReadStream('/no/such/file');
    const over = new Promise<void>((resolve) => source.on('close', () => resolve()));
    expect(await endpoint.sendStream('binary', source)).toMatchObject({ code: 'not-open' });
    expect(source.listenerCount('error')).toBeGreaterThan(0);
    await over;
  });

  it('may fail to tidy up: nobody is told', async () => {
    const { endpoint, clock } = script();
    endpoint.terminate();
    await clock.settle();
    const fails = () => {
      throw new Error('not so');
    };
    const hostile: object[] = [
      { [Symbol.asyncIterator]: fails },
      { [Symbol.asyncIterator]: () => ({ return: fails }) },
      { [Symbol.asyncIterator]: () => ({ return: () => Promise.reject(new Error('not so')) }) },
      { [Symbol.iterator]: () => ({}), on: fails, destroy: fails },
    ];
    for (const source of hostile) {
      expect(await endpoint.sendStream('text', source as StreamSource)).toMatchObject({ code: 'not-open' });
    }
  });

  it("is its caller's still where the call was refused: another stream is open, or a fragmented message", async () => {
    for (const open of ['stream', 'fragment'] as const) {
      const { endpoint, clock } = script();
      endpoint.resume();
      const never = new Readable({ read() {} });
      if (open === 'stream') void endpoint.sendStream('binary', never);
      else endpoint.sendFragment('binary', pattern(1), false);
      const source = Readable.from(['a', 'b']);
      expect(() => endpoint.sendStream('text', source)).toThrow(open === 'stream' ? 'open already' : 'under way');
      expect([source.destroyed, await source.toArray()]).toEqual([false, ['a', 'b']]);
      endpoint.terminate();
      await clock.settle();
    }
  });
});
