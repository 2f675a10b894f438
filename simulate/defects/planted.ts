/** Defects as one might make them, each by a change of one place in src/. A simulation that does not find them proves nothing. */

/** A change that breaks something. */
export interface Defect {
  readonly name: string;
  /** Below src/. */
  readonly file: string;
  /** Found exactly once there. */
  readonly find: string;
  readonly replace: string;
}

export const DEFECTS: readonly Defect[] = [
  {
    name: 'a pong is lost',
    file: 'connection/connection.ts',
    find: "if (this.settings.autoPong && this.phase === 'open') this.outgoing.setPong(payload.slice());",
    replace: '',
  },
  {
    name: 'a frame without a mask is accepted',
    file: 'codec/frame-check.ts',
    find: 'if (second >= 0x80 !== rules.masked) return',
    replace: 'if (second >= 0x80 && !rules.masked) return',
  },
  {
    name: 'a Close is not answered',
    file: 'connection/connection.ts',
    find: 'this.queueClose(echo);',
    replace: '',
  },
  {
    name: 'a timer stays behind',
    file: 'endpoint/driver.ts',
    find: `    if (connection.readyState === 'closed') {
      if (this.wakeAt !== Number.POSITIVE_INFINITY) this.clock.cancel(this, this.wakeAt);`,
    replace: "    if (connection.readyState === 'closed') {",
  },
  {
    name: 'a length of 126 is written in seven bits',
    file: 'codec/frame-encoder.ts',
    find: 'if (payloadLength < 126) {',
    replace: 'if (payloadLength <= 126) {',
  },
  {
    name: 'the end is told twice',
    file: 'connection/connection.ts',
    find: 'this.emit(this.ending.closed(input, unsent));',
    replace: 'this.emit(this.ending.closed(input, unsent)); this.emit(this.ending.closed(input, unsent));',
  },
  {
    name: 'a read buffer is kept beyond its loan',
    file: 'connection/incoming.ts',
    find: `    if (this.assembling) this.assembler!.spill(this.decoder.messageLength);
    this.queue.keep();`,
    replace: '',
  },
  {
    name: 'a dead peer is never given up',
    file: 'connection/heartbeat.ts',
    find: 'if (this.suspended || this.entries === null) return NEVER;',
    replace: 'return NEVER;',
  },
  {
    name: 'a broken transport counts as one that has ended in order',
    file: 'connection/ending.ts',
    find: 'const clean = this.exchanged && unsent === 0;',
    replace: 'const clean = this.exchanged || this.closeQueued;',
  },
  {
    name: 'a message that waited is handed over twice',
    file: 'client/dispatch.ts',
    find: 'const message = this.queue.take()!;',
    replace: 'const message = this.queue.take()!; Object(this).again ??= this.queue.push(message);',
  },
  {
    name: 'our own close code is told for the peer’s',
    file: 'connection/ending.ts',
    find: 'code: peerClose === null ? CloseCode.abnormal : peerClose.code,',
    replace: 'code: peerClose === null ? CloseCode.abnormal : 1000,',
  },
  {
    name: 'a gateway uses memory again that its socket has not written',
    file: 'gateway/backend-writer.ts',
    find: `    if (socket.writableLength === 0) {
      this.reclaim();`,
    replace: `    if (socket.writableLength >= 0) {
      this.reclaim();`,
  },
  {
    name: 'a backend that was held is never read again',
    file: 'gateway/relay.ts',
    find: `    this.backendHeld = false;
    this.backend.resume();`,
    replace: '    this.backendHeld = false;',
  },
  {
    name: 'a gateway drops what a client said last',
    file: 'gateway/relay.ts',
    find: 'backend.writer.end();',
    replace: 'backend.destroy();',
  },
];
