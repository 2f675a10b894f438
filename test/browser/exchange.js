/**
 * Runs in the page: `exchange(path, kind, size)` opens a WebSocket, sends one message of `size` bytes and tells whether the
 * same came back, whole, and which extensions were in use. Plain JavaScript, because it is handed to the browser as it is.
 */
globalThis.exchange = (path, kind, size) =>
  new Promise((resolve) => {
    const sent = kind === 'text' ? text(size) : binary(size);
    const socket = new WebSocket(`ws://${location.host}${path}`);
    const messages = [];
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => socket.send(sent);
    socket.onmessage = ({ data }) => {
      messages.push(typeof data === 'string' ? data : new Uint8Array(data));
      socket.close(1000, `${kind} ${size}`);
    };
    socket.onclose = ({ code, wasClean }) => {
      const got = messages[0];
      resolve({
        messages: messages.length,
        same: got !== undefined && same(sent, got),
        code,
        wasClean,
        extensions: socket.extensions,
      });
    };
  });

/** Exactly `size` bytes of UTF-8 with characters of one to four bytes. */
function text(size) {
  const unit = 'wire žluť чай ☕ 😀 ';
  const unitSize = new TextEncoder().encode(unit).length;
  const count = Math.floor(size / unitSize);
  return unit.repeat(count) + '.'.repeat(size - count * unitSize);
}

function binary(size) {
  const data = new Uint8Array(size);
  let word = size;
  for (let index = 0; index < size; index++) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    data[index] = word >>> 24;
  }
  return data;
}

function same(sent, got) {
  if (typeof sent === 'string' || typeof got === 'string') return sent === got;
  return sent.length === got.length && sent.every((byte, index) => byte === got[index]);
}
