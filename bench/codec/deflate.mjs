// Microseconds of CPU a message and compressed size: the pure DEFLATE and node:zlib's synchronous calls, on JSON.
// After a build: node bench/codec/deflate.mjs [level]

import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { Deflate, IndependentDeflate } from '../../dist/extension/permessage-deflate/deflate.js';
import { Inflate } from '../../dist/extension/permessage-deflate/inflate.js';

const level = Number(process.argv[2] ?? 6);
const finishFlush = constants.Z_SYNC_FLUSH;
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
const WORDS = 'order trade price status update cancel alpha beta gamma delta buy sell limit market'.split(' ');

function json(size, seed) {
  let state = seed;
  const next = (most) => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state % most;
  };
  let text = '[';
  while (text.length < size) {
    text += `${JSON.stringify({ id: next(1e9), type: WORDS[next(14)], price: next(1e7) / 100, open: next(2) === 1, note: WORDS[next(14)] })},`;
  }
  return Buffer.from(text.slice(0, size));
}

/** The least CPU time of a call in several stretches. */
function microseconds(run) {
  let best = Number.POSITIVE_INFINITY;
  for (let stretch = 0; stretch < 10; stretch++) {
    const end = performance.now() + 60;
    const start = process.cpuUsage();
    let calls = 0;
    for (; performance.now() < end; calls++) run(calls);
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / calls);
  }
  return best.toFixed(1);
}

const rows = [];
for (const size of [100, 1_024, 16_384, 65_536]) {
  const messages = Array.from({ length: 32 }, (_, i) => json(size, i + 1));
  const message = (i) => messages[i & 31];
  const options = { level, windowBits: 15, memoryLevel: 8, contextTakeover: false };
  const independent = new IndependentDeflate(options);
  const takeover = new Deflate({ ...options, contextTakeover: true });
  const ours = messages.map((each) => independent.deflate(each, true, Number.POSITIVE_INFINITY));
  const theirs = messages.map((each) => deflateRawSync(each, { level, finishFlush }));
  const sum = (all, less) => all.reduce((total, { length }) => total + length - less, 0);
  const inflater = new Inflate(15);
  rows.push({
    size,
    'bytes / zlib': (sum(ours, 0) / sum(theirs, 4)).toFixed(3),
    'deflate us': microseconds((i) => independent.deflate(message(i), true, Number.POSITIVE_INFINITY)),
    'with context': microseconds((i) => takeover.deflate(message(i), true, Number.POSITIVE_INFINITY)),
    'zlib deflate': microseconds((i) => deflateRawSync(message(i), { level, finishFlush })),
    'inflate us': microseconds((i) => {
      inflater.reset();
      inflater.write(ours[i & 31], true);
      while (inflater.read() !== null);
    }),
    'zlib inflate': microseconds((i) => inflateRawSync(Buffer.concat([ours[i & 31], TAIL]), { finishFlush })),
  });
}
console.table(rows);
