/** Arbitrary compressed data in any pieces, and arbitrary values of Sec-WebSocket-Extensions. */

import { Inflate } from '../../src/extension/permessage-deflate/inflate.ts';
import { permessageDeflate } from '../../src/extension/permessage-deflate/permessage-deflate.ts';
import { formatExtensions, parseExtensions } from '../../src/handshake/header-grammar.ts';
import { equal } from '../../test/support/bytes.ts';
import { Choices, must } from './choices.ts';

/** Enough to see what matters; a bomb must not keep the fuzzer. */
const MOST = 1_000_000;

/** Messages, each in the pieces that `cut` makes of it: what came out, and whether it stopped being readable. */
function run(messages: readonly Uint8Array[], windowBits: number, size: number): { out: Uint8Array; corrupt: boolean } {
  const inflater = new Inflate(windowBits);
  const parts: Uint8Array[] = [];
  let total = 0;
  for (const message of messages) {
    for (let at = 0; at === 0 || at < message.length; at += size) {
      const lent = message.slice(at, at + size);
      inflater.write(lent, at + size >= message.length);
      for (let read = inflater.read(); read !== null; read = inflater.read()) {
        // The input is ours again as soon as there is output.
        lent.fill(0xee);
        must(read.length > 0 && read.length <= 32_768, `a piece has ${read.length} bytes`);
        must(inflater.retained <= Math.max(4_096, 2 << windowBits), `${inflater.retained} bytes are retained`);
        total += read.length;
        if (total > MOST) return { out: new Uint8Array(0), corrupt: true };
        parts.push(read.slice());
      }
      if (inflater.corrupt) {
        must(inflater.retained === 0, 'memory is kept for corrupt data');
        return { out: Buffer.concat(parts), corrupt: true };
      }
    }
  }
  return { out: Buffer.concat(parts), corrupt: false };
}

export function inflate(input: Uint8Array): void {
  const choices = new Choices(input);
  const windowBits = 8 + (choices.octet() & 7);
  const size = 1 + choices.octet();
  const messages: Uint8Array[] = [];
  for (let count = choices.octet() & 3; count > 0; count--) messages.push(choices.bytes(choices.octet()));
  messages.push(choices.rest());
  const whole = run(messages, windowBits, Number.POSITIVE_INFINITY);
  const cut = run(messages, windowBits, size);
  must(whole.corrupt === cut.corrupt, 'cuts decide whether data is corrupt (invariant 4)');
  must(equal(whole.out, cut.out), 'cuts show (invariant 4)');
}

const SERVERS = [{}, { windowBits: 15 }, { memory: 'shared' }, { windowBits: 8, threshold: 0 }] as const;

export function extensions(input: Uint8Array): void {
  const choices = new Choices(input);
  const extension = permessageDeflate(SERVERS[choices.octet() & 3]!);
  const value = Buffer.from(choices.rest()).toString('latin1');
  const list = parseExtensions([value]);
  if (list === null) return;
  const printed = formatExtensions(list);
  const again = parseExtensions([printed]);
  must(again !== null && formatExtensions(again) === printed, 'what is printed reads differently');
  for (const element of list) {
    const agreement = extension.accept(element);
    extension.agree(element);
    if (agreement === null || element.name !== extension.name) continue;
    // A client with the same offer must be able to take the answer.
    const names = new Set(element.parameters.map(({ name }) => name));
    for (const { name } of agreement.answer.parameters) {
      must(name !== 'client_max_window_bits' || names.has(name), 'the answer has what was not offered');
    }
    const sent = new Uint8Array(2_000).fill(97);
    const encoded = agreement.transform.encode(sent, 'binary');
    must(encoded !== null && encoded.length < 100, 'nothing was compressed');
    agreement.transform.release();
  }
}
