/**
 * Mutants that nobody can notice, by their file and the reason: the line with the changed place between « and », and what stands
 * there instead. The list is of those that a run has met: it grows.
 */
export const EQUIVALENTS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'src/codec/byte-queue.ts': {},
  'src/codec/frame-decoder.ts': {
    'read only after a step that sets it': ['start = «0»;  →  (0 + 1)', 'end = «0»;  →  (0 + 1)'],
    'every header sets it': ['private phase = «0»;  →  (0 + 1)', 'private frameLength = «0»;  →  (0 + 1)'],
  },
  'src/codec/mask.ts': {
    'two ways to the same octets, and what is remembered of a buffer: time or memory only': [
      'if («length >= COPY_FROM») {  →  false',
      'const words = «bytes === lastBytes && wordEnd <= lastWords.length» ? lastWords : wordsOf(bytes, wordEnd);  →  false',
      '«lastBuffer = buffer;»  →  ;',
      '«lastWords = words;»  →  ;',
    ],
  },
  'src/codec/memory.ts': {
    'a smaller bound: copied more often, time only': [
      'const most = «size > MIDDLE» ? 2 * size : size > SMALL ? MIDDLE_SLAB : size > TINY ? SMALL_SLAB : TINY_SLAB;  →  true',
    ],
    'a loop or set(): time only': [
      'if (size «<» 32) for (let i = 0; i < size; i++) into[at + i] = bytes[start + i]!;  →  <=',
      'if (size < «32») for (let i = 0; i < size; i++) into[at + i] = bytes[start + i]!;  →  (32 + 1)',
    ],
    'the octet behind it is not used yet': [
      'if (size < 32) for (let i = 0; i «<» size; i++) into[at + i] = bytes[start + i]!;  →  <=',
    ],
    'asked for speed: the map says the same': ['if («buffer === this.lastVolatile») return;  →  false'],
  },
  'src/codec/opcode.ts': {
    '0x8 itself compares the same with either bound': [
      'return (opcode & 0x7) > (opcode «<» 0x8 ? Opcode.binary : Opcode.pong - 0x8);  →  <=',
      'return (opcode & 0x7) > (opcode < «0x8» ? Opcode.binary : Opcode.pong - 0x8);  →  (0x8 + 1)',
    ],
  },
  'src/codec/utf8.ts': {
    'a run of ASCII in one go or octet by octet: time only': [
      'const BATCH = «1024»;  →  (1024 + 1)',
      'const units: number[] = /* @__PURE__ */ new Array<number>(BATCH).fill(«0»);  →  (0 + 1)',
      'if (i + 4 «>» end) continue;  →  >=',
    ],
    'any number that is no other state': ['const REJECTED = «8»;  →  (8 + 1)'],
    'otherwise nothing is left to scan': ['if («state === LEAD») {  →  true'],
  },
  'src/codec/view.ts': {
    'what is remembered of a buffer: time or memory only; the first array sets all of it': [
      'const REMEMBER_UP_TO = «1» << 20;  →  (1 + 1)',
    ],
  },
  'src/handshake/base64.ts': {
    'before the beginning there is no sign of padding': [
      'if (length «>» 0 && text.charCodeAt(length - 1) === 0x3d) padding = text.charCodeAt(length - 2) === 0x3d ? 2 : 1;  →  >=',
    ],
  },
  'src/handshake/header-grammar.ts': {
    'writes beyond the table, which does nothing': ['for (let byte = 0x20; byte «<» 256; byte++) {  →  <='],
    '0x7f itself is left out before': [
      'if (byte !== 0x7f) table[byte] = byte < «0x7f» ? VALUE_BYTE | LINE_BYTE : VALUE_BYTE;  →  (0x7f + 1)',
    ],
    'a list of one token is found by the general way, too: time only': [
      'if (value.length «===» token.length && equalsIgnoreCase(value, token)) return true;  →  !==',
    ],
    'beyond the bound is nothing that is taken': [
      'while (end «>» start && isSpace(value.charCodeAt(end - 1))) end--;  →  >=',
      'if («at < 0») return null;  →  false',
      'while (at «<» text.length && isSpace(text.charCodeAt(at))) at++;  →  <=',
      'if (unit > «0x7e» || (BYTE_CLASS[unit]! & TOKEN_BYTE) === 0) break;  →  (0x7e + 1)',
    ],
    'a list of parameters never ends at 0: a name is before it': ['if (at < «0») return null;  →  (0 + 1)'],
    'beyond the end there is no token character either': ['while («at < text.length») {  →  true'],
  },
  'src/handshake/headers.ts': {
    'the second field of a name is never at 0': [
      'for (; next «>=» 0; next = this.find(name, next + 2)) values.push(this.raw[next + 1]!);  →  >',
      'for (; next >= «0»; next = this.find(name, next + 2)) values.push(this.raw[next + 1]!);  →  (0 + 1)',
    ],
  },
  'src/handshake/host.ts': {
    'the table has no token beyond, and the comparisons behind it no such character': [
      'if («unit > 0x7e») return false;  →  false',
      'if (unit > «0x7e») return false;  →  (0x7e + 1)',
    ],
    'a number of four digits is above 255, or begins with 0': [
      "if (part.length === 0 || part.length > «3» || (part.length > 1 && part.startsWith('0'))) return false;  →  (3 + 1)",
    ],
  },
  'src/handshake/request.ts': {
    'memory only: they are the same when they are cut again': ['«this.cut = null;»  →  ;'],
    'beyond the end no character is wrong': ['for (let i = 0; i «<» target.length; i++) {  →  <='],
  },
  'src/handshake/sha1.ts': {
    'beyond what is read': [
      'const schedule: Int32Array = new Int32Array(«80»);  →  (80 + 1)',
      'for (let i = 0; i «<» 5; i++) writeWord(digest, i * 4, state[i]!);  →  <=',
    ],
  },
  'src/extension/permessage-deflate/alphabets.ts': {
    'beyond what is read': [
      'for (let symbol = 4; symbol «<» DISTANCE_SYMBOLS; symbol++) extra[symbol] = (symbol >>> 1) - 1;  →  <=',
      'for (let symbol = 0; symbol «<» 29; symbol++) {  →  <=',
    ],
  },
  'src/extension/permessage-deflate/block-reader.ts': {
    'any number that is no other state': ['const COPY = «9»;  →  (9 + 1)'],
    'when it turns to the other way, or asks for room: the output is the same': [
      'const LONGEST = «258»;  →  (258 + 1)',
      'if (limit - this.at «<» LONGEST) return Stop.needRoom;  →  <=',
      'if (bitCount < «15») continue;  →  (15 + 1)',
    ],
    'read only after it is set': [
      'private count = «0»;  →  (0 + 1)',
      'private lengthCount = «0»;  →  (0 + 1)',
      'private distance = «0»;  →  (0 + 1)',
    ],
    'when the faster way begins: time only': [
      'if (this.state === SYMBOL && this.input.length «-» this.inputAt >= 16 && !this.fast(limit)) return Stop.corrupt;  →  +',
      'if («this.input.length - this.inputAt >= 16») return Stop.not;  →  false',
    ],
    'more than enough is asked for; what is missing counts as 0 and is noticed by its length': [
      'this.need(«14»);  →  (14 + 1)',
      'this.need(«20»);  →  (20 + 1)',
    ],
    'a set goes back to the pool later, a code is found the other way: time or memory only': [
      'if («entry === 0») entry = literals.long(this.bits);  →  true',
      '«this.leaveSet();»  →  ;',
      'if («entry === 0») entry = literals.long(bits);  →  true',
      'if («entry === 0») entry = distances.long(bits);  →  true',
      'if («this.state === HEADER») this.leaveSet();  →  false',
    ],
    'when the slower way begins: time only': ['const inputEnd = input.length - «16»;  →  (16 + 1)'],
  },
  'src/extension/permessage-deflate/block-writer.ts': {
    'how much is reserved: memory only': [
      'const MOST_KEPT = «1_048_576»;  →  (1_048_576 + 1)',
      'if (this.out.length «>» MOST_KEPT) this.out = new Uint8Array(SMALLEST);  →  >=',
      'if («this.out.length > MOST_KEPT») this.out = new Uint8Array(SMALLEST);  →  false',
      '«this.reserve(fixedBits);»  →  ;',
      'this.reserve(«8» * size + 64);  →  (8 + 1)',
      'const needed = this.at + (bits >>> 3) + «16»;  →  (16 + 1)',
    ],
    'begin() sets it': ['private bits = «0»;  →  (0 + 1)', 'private bitCount = «0»;  →  (0 + 1)'],
    'whether an own code is tried for a short block: size only': [
      'if (count «>=» FEW_TOKENS) {  →  >',
      'if («count >= FEW_TOKENS») {  →  true',
    ],
    'lengths that are sent and need not be: size only, or set before it is read': [
      'while («runCount > 4 && this.runs.lengths[CODE_LENGTH_ORDER[runCount - 1]!] === 0») runCount--;  →  false',
      'while (runCount > 4 && this.runs.lengths[CODE_LENGTH_ORDER[runCount - 1]!] «===» 0) runCount--;  →  !==',
      'while (runCount > 4 && this.runs.lengths[CODE_LENGTH_ORDER[runCount «-» 1]!] === 0) runCount--;  →  +',
      'while (runCount > 4 && this.runs.lengths[CODE_LENGTH_ORDER[runCount - «1»]!] === 0) runCount--;  →  (1 + 1)',
    ],
    'which kind of block is written: the message is the same': [
      'ownBits += 14 + 3 «*» runCount;  →  /',
      'const storedBits = 8 * size + 40 «*» Math.max(1, Math.ceil(size / MOST_STORED)) - 3;  →  /',
      'const storedBits = 8 * size + 40 * Math.max(1, Math.ceil(size / MOST_STORED)) - «3»;  →  (3 + 1)',
      '} else if (fixedBits «<=» ownBits) {  →  <',
      'let extraBits = «0»;  →  (0 + 1)',
      'let bits = «3»;  →  (3 + 1)',
      '«extraBits += RUN_EXTRA[symbol - 16]!;»  →  ;',
    ],
    'how a run of lengths is told: size only': [
      'if («length !== 0») {  →  true',
      'if (length !== «0») {  →  (0 + 1)',
      'while («run >= 3») {  →  false',
      'const most = «length !== 0» ? 6 : 138;  →  true',
    ],
    'bits are moved out sooner or later, and there is room for them': ['if (bitCount «>=» 16) {  →  >'],
  },
  'src/extension/permessage-deflate/code-lengths.ts': {
    'beyond what is read': [
      'for (let symbol = 0; symbol «<» size; symbol++) {  →  <=',
      'for (let i = 0; i «<» used; i++) nodes[i] = order[i]! >>> 9;  →  <=',
    ],
    'the code of a symbol that does not occur is not read': [
      'if (length «>» 0) codes[symbol] = reverse(next[length]!++, length);  →  >=',
    ],
    'a sort takes any gaps: time only': [
      'for (let gap = size «>» 40 ? (size > 120 ? 57 : 23) : 4; ; gap = gap > 23 ? 23 : gap > 10 ? 10 : gap > 4 ? 4 : 1) {  →  >=',
      'for (let gap = «size > 40» ? (size > 120 ? 57 : 23) : 4; ; gap = gap > 23 ? 23 : gap > 10 ? 10 : gap > 4 ? 4 : 1) {  →  true',
      'for (let gap = size > 40 ? («size > 120» ? 57 : 23) : 4; ; gap = gap > 23 ? 23 : gap > 10 ? 10 : gap > 4 ? 4 : 1) {  →  true',
      'for (let gap = size > 40 ? («size > 120» ? 57 : 23) : 4; ; gap = gap > 23 ? 23 : gap > 10 ? 10 : gap > 4 ? 4 : 1) {  →  false',
      'for (let gap = size > 40 ? (size > 120 ? 57 : 23) : 4; ; gap = «gap > 23» ? 23 : gap > 10 ? 10 : gap > 4 ? 4 : 1) {  →  false',
      'for (let gap = size > 40 ? (size > 120 ? 57 : 23) : 4; ; gap = gap > 23 ? 23 : «gap > 10» ? 10 : gap > 4 ? 4 : 1) {  →  false',
      'for (; at >= gap && values[at - gap]! «>» value; at -= gap) values[at] = values[at - gap]!;  →  >=',
    ],
    'of equal weights either may come first': [
      'if (leaf >= size || (inner < made && nodes[inner]! «<» nodes[leaf]!)) {  →  <=',
    ],
  },
  'src/extension/permessage-deflate/copy-match.ts': {
    'two ways to copy the same: time only': ['if (length «>» 30) {  →  >='],
  },
  'src/extension/permessage-deflate/deflate.ts': {
    'what is known of history is a hint that the octets confirm, and room is reserved: time, size or memory only': [
      'private end = «0»;  →  (0 + 1)',
      'private base = «0»;  →  (0 + 1)',
      '«this.slid = false;»  →  ;',
      'if («this.slid») this.reset();  →  false',
      'if (this.base «<» MOST_PLACES) return;  →  <=',
      'if (this.place + piece.length «>=» MOST_PLACES) {  →  >',
      '«this.matcher.clear();»  →  ;',
    ],
    'how much room there is: memory only': ['if (this.end + wish «>» this.buffer.length) {  →  >='],
  },
  'src/extension/permessage-deflate/inflate.ts': {
    'how much is made at once, and where: write() sets the rest': [
      'private inTail = «false»;  →  true',
      'if (reader.out.length === «0» && !this.corrupt) this.grow(4 * piece.length);  →  (0 + 1)',
      'this.grow(«2» * limit);  →  (2 + 1)',
      'while (capacity < wish && capacity < this.most) capacity *= «2»;  →  (2 + 1)',
    ],
  },
  'src/extension/permessage-deflate/matcher.ts': {
    'how hard a level tries: any number gives the same message': [
      '{ lazy: 0, insert: 4, good: 4, enough: «8», chain: 4 },  →  (8 + 1)',
      '{ lazy: «0», insert: 4, good: 4, enough: 8, chain: 4 },  →  (0 + 1)',
      '{ lazy: 0, insert: «4», good: 4, enough: 8, chain: 4 },  →  (4 + 1)',
      '{ lazy: 0, insert: 4, good: 4, enough: 8, chain: «4» },  →  (4 + 1)',
      '{ lazy: 0, insert: 6, good: 5, enough: 16, chain: «6» },  →  (6 + 1)',
      '{ lazy: «0», insert: 16, good: 6, enough: 32, chain: 8 },  →  (0 + 1)',
      '{ lazy: 0, insert: 16, good: 6, enough: «32», chain: 8 },  →  (32 + 1)',
      '{ lazy: «4», insert: 258, good: 4, enough: 16, chain: 12 },  →  (4 + 1)',
      '{ lazy: 4, insert: «258», good: 4, enough: 16, chain: 12 },  →  (258 + 1)',
      '{ lazy: 4, insert: 258, good: «4», enough: 16, chain: 12 },  →  (4 + 1)',
      '{ lazy: 4, insert: 258, good: 4, enough: «16», chain: 12 },  →  (16 + 1)',
      '{ lazy: 16, insert: «258», good: 8, enough: 128, chain: 96 },  →  (258 + 1)',
      '{ lazy: 16, insert: 258, good: 8, enough: «128», chain: 96 },  →  (128 + 1)',
      '{ lazy: 32, insert: 258, good: «8», enough: 128, chain: 192 },  →  (8 + 1)',
      '{ lazy: 32, insert: 258, good: 8, enough: 128, chain: «192» },  →  (192 + 1)',
      '{ lazy: 128, insert: 258, good: «32», enough: 258, chain: 768 },  →  (32 + 1)',
      '{ lazy: 128, insert: 258, good: 32, enough: «258», chain: 768 },  →  (258 + 1)',
      '{ lazy: 128, insert: 258, good: 32, enough: 258, chain: «768» },  →  (768 + 1)',
      '{ lazy: 258, insert: 258, good: 32, enough: 258, chain: «2_048» },  →  (2_048 + 1)',
    ],
    'how hard it tries: any other search gives the same message': [
      'const patience = lazy === 0 ? «1» : lazy;  →  (1 + 1)',
      'let tries = «held >= good» ? chain >> 2 : chain;  →  true',
      '} while (step !== «0» && far <= reach && --tries > 0);  →  (0 + 1)',
    ],
    'what the tables say is only a hint that the octets confirm': [
      'if («step > window || step <= 0») step = 0;  →  false',
      'if (step > window || step «<=» 0) step = 0;  →  <',
      'if (step > window || step <= «0») step = 0;  →  (0 + 1)',
      'back[place & mask] = step «<=» window && step > 0 ? step : 0;  →  <',
      'back[place & mask] = step <= window && step > «0» ? step : 0;  →  (0 + 1)',
    ],
    'a match that is no better than the one held: the message is the same': [
      'length = held > SHORTEST - «1» ? held : SHORTEST - 1;  →  (1 + 1)',
      'length = held > SHORTEST - 1 ? held : SHORTEST - «1»;  →  (1 + 1)',
    ],
    'places that are not entered are not found again: the message is the same': [
      'const last = end <= hashEnd «+» 1 ? end : hashEnd + 1;  →  -',
      'const last = end <= hashEnd + 1 ? end : hashEnd «+» 1;  →  -',
      'this.enter(words, i + «1», last, base);  →  (1 + 1)',
      '«this.enter(words, i + 1, last, base);»  →  ;',
    ],
  },
  'src/extension/permessage-deflate/prefix-decoder.ts': {
    'what has no code is not looked at': [
      'counts[0] = «0»;  →  (0 + 1)',
      'while (longest > «0» && counts[longest] === 0) longest--;  →  (0 + 1)',
      'const entries = new Int32Array(«32»).fill(INVALID);  →  (32 + 1)',
    ],
    'no code is shorter than two bits in a table that is left': [
      'for (let length = «1»; length <= 15; length++) {  →  (1 + 1)',
    ],
    'how many bits the table looks at: longer codes are found the other way': [
      'readonly codeLengths: PrefixDecoder = new PrefixDecoder(CODE_LENGTH_ENTRIES, «7»);  →  (7 + 1)',
    ],
    'time or memory only': [
      'if («this !== DecoderSet.fixedSet && DecoderSet.free.length < 8») DecoderSet.free.push(this);  →  false',
      'if (this !== DecoderSet.fixedSet && DecoderSet.free.length < «8») DecoderSet.free.push(this);  →  (8 + 1)',
      'if (this !== DecoderSet.fixedSet && DecoderSet.free.length < 8) «DecoderSet.free.push(this);»  →  ;',
    ],
    'written again behind it, or beyond what is read': [
      'for (let bit = 0; bit «<» 8; bit++) if ((byte & (1 << bit)) !== 0) table[byte]! |= 0x80 >> bit;  →  <=',
    ],
  },
  'src/connection/client-connection.ts': {
    'room is reserved anew: time only': ['if («length > refusal.store.length») {  →  true'],
  },
  'src/connection/connection.ts': {
    'marks a buffer that is copied anyway': [
      'if («this.settings.borrow») this.settings.memory.markVolatile(buffer.buffer);  →  true',
    ],
    'the lowest bit is set in the opcode of a ping, too': [
      'this.outgoing.frame(«0x80» | Opcode.ping, data);  →  (0x80 + 1)',
    ],
  },
  'src/connection/established-connection.ts': {
    'copies what it was given: time only': [
      'if (head !== undefined && head.length > 0) this.incoming.queue.push(head, head.length, «false»);  →  true',
    ],
  },
  'src/connection/incoming.ts': {
    'through the assembler comes the same: time only': [
      'if («decoder.lastPiece && decoder.fin && decoder.messageRsv === 0») {  →  false',
    ],
    'a copy is as good: time and memory only': [
      'if («settings.borrow») data = viewOf(bytes, start, end);  →  false',
      'else if («owned») data = settings.memory.keep(bytes, start, end);  →  false',
      'if («settings.borrow») this.piece = viewOf(bytes, start, end);  →  false',
      'else this.piece = «owned» ? memory.keep(bytes, start, end) : memory.copy(bytes, start, end);  →  true',
    ],
    'begin() sets it': ['private total = «0»;  →  (0 + 1)'],
  },
  'src/connection/message-assembler.ts': {
    'begin() or finish() sets it': [
      'end = «0»;  →  (0 + 1)',
      'unjudged = «false»;  →  true',
      'private pooling = «false»;  →  true',
      'private isText = «false»;  →  true',
      'private judged = «0»;  →  (0 + 1)',
      'private runEnd = «0»;  →  (0 + 1)',
    ],
    'set again before it is read': ['«this.run = NONE;»  →  ;'],
    'where and how much is reserved: memory only': [
      '«this.pooling = pooling || transform !== null;»  →  ;',
      'if («old.length > 0 || expected === 0») capacity = Math.max(capacity, 2 * old.length, 1_024);  →  false',
      'if (old.length > «0» || expected === 0) capacity = Math.max(capacity, 2 * old.length, 1_024);  →  (0 + 1)',
      'if (old.length > 0 || expected «===» 0) capacity = Math.max(capacity, 2 * old.length, 1_024);  →  !==',
      'if (old.length > 0 || expected === «0») capacity = Math.max(capacity, 2 * old.length, 1_024);  →  (0 + 1)',
      'if (old.length > 0 || expected === 0) capacity = Math.max(capacity, «2» * old.length, 1_024);  →  (2 + 1)',
      'if («capacity > this.maxMessageSize») capacity = Math.max(needed, this.maxMessageSize);  →  false',
    ],
  },
  'src/connection/message-sender.ts': {
    'the general way queues the same: time only': ['if («options !== undefined || this.chain !== null»)  →  true'],
    'the lowest bit is set in the opcode of text, too': [
      'const wireSize = this.outgoing.textFrame(«0x80» | Opcode.text, text);  →  (0x80 + 1)',
    ],
    'a frame that was queued takes two octets or more': [
      'if (wireSize «<» 0) throw loneSurrogate();  →  <=',
      'if (wireSize < «0») throw loneSurrogate();  →  (0 + 1)',
      'return wireSize «>=» 0 ? wireSize : this.unless(false, Opcode[kind], bytes, { ...options, compress: false });  →  >',
    ],
    'no mask: the key is ignored': [
      'writeHeader(frame, 0, 0x80 | rsvBits | Opcode[kind], payload.length, false, «0»);  →  (0 + 1)',
    ],
  },
  'src/connection/options.ts': {
    'taking a reader sets it: memory only': ['«reader.chain = null;»  →  ;'],
  },
  'src/connection/outgoing.ts': {
    'copied or referred to: the octets are the same': ['const COPY_LIMIT = «32_768»;  →  (32_768 + 1)'],
    'no mask: the key is ignored': [
      'this.end = writeHeader(this.slab!.bytes, this.end, first, size, false, «0»);  →  (0 + 1)',
    ],
    'moves octets to where they are': [
      'if («header !== guess») into.copyWithin(from + header, from + guess, from + guess + size);  →  true',
    ],
    'how much room a region is given ahead: memory only': [
      'const previous = this.end «-» this.start;  →  +',
      'const wish = «slab === null» ? size : Math.max(size, Math.min(2 * previous, 16_384));  →  false',
      'const wish = slab === null ? size : Math.max(size, Math.min(2 «*» previous, 16_384));  →  /',
    ],
  },
  'src/connection/server-connection.ts': {
    'the phase is asked first, and it is over': ['«this.request = null;»  →  ;', '«this.deciding = false;»  →  ;'],
  },
  'src/connection/shared-frames.ts': {
    'no mask: the key is ignored': [
      'const at = writeHeader(into, start, 0x80 | opcode, size, false, «0»);  →  (0 + 1)',
    ],
  },
};
