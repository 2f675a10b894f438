// One process of the codec suite: times the codec of one library, nothing else. Input is made anew before each timed
// stretch, because a decoder may unmask in place and may keep what it was given.

import { encodeMessage, payload } from '../load/payload.mjs';
import { onCommand, say, settings } from '../servers/control.mjs';

const { peer, task, kind, size } = settings;
const library = await import(`./${peer}`);
const CHUNK = 64 * 1024; // what one read of Node brings at most
const STRETCH = 512 * 1024; // bytes timed at once: still in a cache, as after a read

const data = payload(size, kind);
const message = encodeMessage({ data, kind, key: Buffer.from([0x37, 0xfa, 0x21, 0x3d]) });
const perChunk = Math.max(1, Math.floor(CHUNK / message.length));
const chunk = Buffer.concat(Array(perChunk).fill(message));
const chunkCount = Math.max(1, Math.floor(STRETCH / chunk.length));
const perStretch = perChunk * chunkCount;
/** Plain bytes for ours, a Buffer for ws: each what it is used to. */
const part = peer.startsWith('ours') ? new Uint8Array(data) : Buffer.from(data);
/** Results are kept, so that no call can be left out. */
let kept;

function freshChunk() {
  const copy = Buffer.allocUnsafeSlow(chunk.length);
  chunk.copy(copy);
  return copy;
}

/** Runs one timed stretch; adds to `sum`. */
function decodeStretch(decoder, sum) {
  const chunks = Array.from({ length: chunkCount }, freshChunk);
  const before = decoder.count();
  const start = process.cpuUsage();
  for (let i = 0; i < chunks.length; i++) decoder.feed(chunks[i]);
  const messages = decoder.count() - before;
  add(sum, start, messages);
  if (messages !== perStretch) throw new Error(`${messages} messages instead of ${perStretch}`);
}

function encodeStretch(encoder, sum) {
  const value = kind === 'text' ? data.toString() : data;
  const begin = performance.now();
  const start = process.cpuUsage();
  let messages = 0;
  // Without a mask a message costs the same at every size: many of them, for the clock's sake.
  do {
    for (let i = 0; i < perStretch; i++) encoder.send(value);
    messages += perStretch;
  } while (performance.now() - begin < 5);
  encoder.flush();
  add(sum, start, messages);
}

/** The parts alone: one call a message on bytes that stay where they are. */
function partStretch(call, sum) {
  const begin = performance.now();
  const start = process.cpuUsage();
  let messages = 0;
  do {
    for (let i = 0; i < perStretch; i++) kept = call(part);
    messages += perStretch;
  } while (performance.now() - begin < 5);
  add(sum, start, messages);
}

/** Nothing waits here: time is CPU time, which other processes on the machine do not touch. */
function add(sum, start, messages) {
  const { user, system } = process.cpuUsage(start);
  sum.seconds += (user + system) / 1e6;
  sum.targetCpu = sum.seconds;
  sum.messages += messages;
}

const [worker, stretch] = prepare();

function prepare() {
  switch (task) {
    case 'decode':
      return [library.createDecoder(), decodeStretch];
    case 'mask':
      return [library.createMasker(), partStretch];
    case 'validate':
      return [library.createValidator(), partStretch];
    case 'to string':
      return [library.createTextDecoder(), partStretch];
    default:
      return [library.createEncoder(task === 'encode masked', kind), encodeStretch];
  }
}

async function run(milliseconds) {
  const sum = { messages: 0, seconds: 0, ownCpu: 0, targetCpu: 0 };
  const end = performance.now() + milliseconds;
  do {
    stretch(worker, sum);
    await new Promise(setImmediate); // streams finish their turn, untimed for everyone
  } while (performance.now() < end);
  return sum;
}

onCommand('measure', async (warmup, duration) => {
  await run(Number(warmup));
  const sum = await run(Number(duration));
  if (kept === null || kept === false) throw new Error('the text was taken for wrong');
  say(sum);
});
say({ ready: true });
