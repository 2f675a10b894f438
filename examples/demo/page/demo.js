/**
 * The demo page: the browser's own WebSocket on one side, and on the other what the server's engine saw of the same
 * connection, told over `/observe`. Whatever came from a peer is put in with `textContent`, never as HTML; the page's
 * Content-Security-Policy would refuse anything else.
 */

const MAX_ROWS = 400;
const MAX_MESSAGE = 32 * 1024 * 1024;
const PREVIEW = 160;

const session = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(12)))).replace(/[+/]/g, '-');
const origin = `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}`;
const encoder = new TextEncoder();

const byId = (id) => document.querySelector(`[data-testid="${id}"]`);
const onClick = (id, listener) => byId(id).addEventListener('click', listener);
const onSubmit = (name, listener) =>
  document.querySelector(`[data-form="${name}"]`).addEventListener('submit', (event) => {
    event.preventDefault();
    listener();
  });

// ---------------------------------------------------------------------------------------------- words and numbers

const whole = new Intl.NumberFormat('en');

function bytes(count) {
  if (count < 1024) return `${count} B`;
  const mebi = count >= 1024 * 1024;
  const value = count / (mebi ? 1024 * 1024 : 1024);
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${mebi ? 'MiB' : 'KiB'}`;
}

const milliseconds = (value) => (value < 10 ? `${value.toFixed(2)} ms` : `${value.toFixed(1)} ms`);
const quoted = (text) => (text.length > PREVIEW ? `“${text.slice(0, PREVIEW)}…”` : `“${text}”`);

function hex(data) {
  const shown = [...data.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return data.length > 16 ? `${shown} …` : shown;
}

const preview = (data) => (typeof data === 'string' ? quoted(data) : hex(data));
const sizeOf = (data) => (typeof data === 'string' ? encoder.encode(data).length : data.length);

/** An element with classes and text; `null` children are left out. */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== ''));
  return element;
}

// ------------------------------------------------------------------------------------------------------ timelines

/** One column: a row for each thing that happened, newest at the end, at most `MAX_ROWS`. */
class Timeline {
  constructor(side) {
    this.side = side;
    this.list = byId(`${side}-log`);
    this.totals = byId(`${side}-totals`);
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.counts = { toServer: 0, toBrowser: 0 };
    this.growing = new Map();
    this.showTotals();
  }

  /**
   * @param {{ at: number, endpoint: string, type: string, to?: 'server' | 'browser', kind?: string, size?: number,
   *   said?: string, detail?: string, verdict?: boolean | null, headers?: [string, string][], code?: number,
   *   reason?: string, latency?: number, clean?: boolean, key?: string }} entry
   */
  add(entry) {
    const row = this.row(entry);
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    const earlier = entry.key === undefined ? undefined : this.growing.get(entry.key);
    if (earlier?.isConnected) earlier.replaceWith(row);
    else this.list.append(row);
    if (entry.key !== undefined) {
      if (entry.type === 'progress') this.growing.set(entry.key, row);
      else this.growing.delete(entry.key);
    }
    while (this.list.childElementCount > MAX_ROWS) this.list.firstElementChild.remove();
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
    if (entry.type === 'message') {
      this.counts[entry.to === 'server' ? 'toServer' : 'toBrowser'] += entry.size;
      this.showTotals();
    }
  }

  row(entry) {
    const row = make('li');
    const facts = {
      testid: 'row',
      side: this.side,
      endpoint: entry.endpoint,
      type: entry.type,
      to: entry.to ?? 'none',
      kind: entry.kind,
      size: entry.size,
      code: entry.code,
      reason: entry.reason,
      latency: entry.latency,
      clean: entry.clean,
      verdict: entry.verdict ?? undefined,
    };
    for (const [name, value] of Object.entries(facts)) if (value !== undefined) row.dataset[name] = String(value);

    const arrow = make('span', entry.to === undefined ? 'arrow' : `arrow to-${entry.to}`);
    arrow.textContent = entry.to === undefined ? '·' : entry.to === 'server' ? '→' : '←';
    arrow.setAttribute('role', 'img');
    arrow.setAttribute('aria-label', entry.to === undefined ? 'event' : `to the ${entry.to}`);

    const verdict = entry.verdict ?? null;
    const what = make(
      'div',
      'what',
      make('b', '', entry.type),
      entry.kind === undefined ? null : make('span', '', entry.kind),
      entry.code === undefined ? null : make('span', '', String(entry.code)),
      entry.latency === undefined ? null : make('span', 'good', milliseconds(entry.latency)),
      entry.endpoint === 'echo' ? null : make('span', 'tag', entry.endpoint),
      verdict === null ? null : make('span', verdict ? 'good' : 'bad', verdict ? '✓ same bytes' : '✗ differs'),
      entry.size === undefined ? null : make('span', 'size', bytes(entry.size)),
    );
    const body = make(
      'div',
      '',
      what,
      entry.said === undefined ? null : make('div', 'detail said', entry.said),
      entry.detail === undefined ? null : make('div', 'detail', entry.detail),
    );
    if (entry.headers !== undefined) {
      const list = make('dl');
      for (const [name, value] of entry.headers) list.append(make('dt', '', name), make('dd', '', value));
      body.append(make('details', '', make('summary', '', `${entry.headers.length} headers`), list));
    }
    row.append(make('time', '', (Math.max(0, entry.at) / 1000).toFixed(3)), arrow, body);
    return row;
  }

  showTotals() {
    this.totals.textContent = `→ ${bytes(this.counts.toServer)}  ← ${bytes(this.counts.toBrowser)}`;
  }
}

const browser = new Timeline('browser');
const server = new Timeline('server');

// ---------------------------------------------------------------------------------------------------- connections

const states = { echo: 'closed', chat: 'closed', observer: 'connecting' };

function setState(name, state) {
  states[name] = state;
  const pill = byId(`status-${name}`);
  pill.dataset.state = state;
  pill.lastElementChild.textContent = state;
  for (const button of document.querySelectorAll('[data-needs]')) {
    const needed = states[button.dataset.needs] === 'open';
    const overObserver = /^server-/.test(button.dataset.testid);
    button.disabled = !needed || (overObserver && states.observer !== 'open');
  }
  byId('connect').disabled = states.echo !== 'closed' || states.observer !== 'open';
  byId('chat-join').disabled = states.chat !== 'closed';
  byId('chat-name').disabled = states.chat !== 'closed';
}

/** The browser's own WebSocket, with everything it does written into the left column. */
class Wire {
  constructor(endpoint, parameters = {}) {
    this.endpoint = endpoint;
    this.startedAt = performance.now();
    this.expected = [];
    const path = `/${endpoint}?${new URLSearchParams({ session, ...parameters })}`;
    this.socket = new WebSocket(origin + path);
    this.socket.binaryType = 'arraybuffer';
    this.note({ type: 'connect', to: 'server', detail: `GET /${endpoint}` });
    setState(endpoint, 'connecting');
    this.socket.addEventListener('open', () => {
      const { protocol, extensions } = this.socket;
      this.note({
        type: 'open',
        to: 'browser',
        detail: `subprotocol ${protocol || 'none'}, extensions ${extensions || 'none'}`,
      });
      setState(endpoint, 'open');
    });
    this.socket.addEventListener('message', ({ data }) => this.receive(data));
    this.socket.addEventListener('error', () => this.note({ type: 'error', detail: 'the browser gives no details' }));
    this.socket.addEventListener('close', ({ code, reason, wasClean }) => {
      const detail = `${wasClean ? 'clean' : 'not clean'}${reason ? `, ${quoted(reason)}` : ', no reason'}`;
      this.note({ type: 'closed', code, reason, clean: wasClean, detail });
      setState(endpoint, 'closed');
    });
  }

  note(entry) {
    browser.add({ endpoint: this.endpoint, at: performance.now() - this.startedAt, ...entry });
  }

  /** Sends text (a string) or binary (a Uint8Array); `expectEcho` compares what comes back with it. */
  send(data, { expectEcho = false, detail } = {}) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (expectEcho) this.expected.push(data);
    this.note({ type: 'message', to: 'server', ...describe(data), detail });
    this.socket.send(data);
  }

  receive(raw) {
    const data = typeof raw === 'string' ? raw : new Uint8Array(raw);
    const verdict = this.expected.length > 0 ? same(this.expected.shift(), data) : null;
    this.note({ type: 'message', to: 'browser', ...describe(data), verdict });
    this.onmessage?.(data);
  }

  close(code, reason) {
    setState(this.endpoint, 'closing');
    const detail = code === undefined ? 'without a code' : quoted(reason);
    this.note({ type: 'close', to: 'server', code, reason, detail });
    if (code === undefined) this.socket.close();
    else this.socket.close(code, reason);
  }
}

function describe(data) {
  return { kind: typeof data === 'string' ? 'text' : 'binary', size: sizeOf(data), said: preview(data) };
}

function same(sent, got) {
  if (typeof sent === 'string' || typeof got === 'string') return sent === got;
  return sent.length === got.length && sent.every((byte, index) => byte === got[index]);
}

// -------------------------------------------------------------------------------------------- the server's account

let observer = null;
let retryAfter = 250;

function observe() {
  setState('observer', 'connecting');
  observer = new WebSocket(`${origin}/observe?${new URLSearchParams({ session })}`);
  observer.addEventListener('open', () => {
    retryAfter = 250;
    setState('observer', 'open');
  });
  observer.addEventListener('message', ({ data }) => showRecord(JSON.parse(data)));
  observer.addEventListener('close', () => {
    setState('observer', 'closed');
    setTimeout(observe, retryAfter);
    retryAfter = Math.min(retryAfter * 2, 5000);
  });
}

const ask = (request) => observer.send(JSON.stringify(request));

function showRecord(record) {
  const { endpoint, at, type, kind, size, code, reason, clean } = record;
  const entry = { endpoint, at, type, kind, size, code, reason, clean };
  if (record.direction === 'in') entry.to = 'server';
  if (record.direction === 'out') entry.to = 'browser';
  if (type === 'open') {
    entry.said = record.requestLine;
    entry.headers = record.headers;
    entry.detail = `from ${record.peer}`;
  } else if (type === 'message') {
    const parts = [];
    if (record.fragments > 1) parts.push(`${record.fragments} fragments`);
    if (record.wireSize !== null) parts.push(`${whole.format(record.wireSize)} B on the wire`);
    entry.said = kind === 'text' ? quoted(record.preview) : record.preview;
    entry.detail = parts.join(', ');
    if (record.direction === 'in') entry.key = `${record.connection}`;
  } else if (type === 'progress') {
    entry.key = `${record.connection}`;
    entry.detail = `${record.fragments} fragment${record.fragments === 1 ? '' : 's'} so far`;
  } else if (type === 'ping' || type === 'pong') {
    entry.said = record.preview ? quoted(record.preview) : undefined;
    if (record.latency !== null && record.latency !== undefined) {
      entry.latency = record.latency;
      entry.detail = 'round trip';
      byId('rtt').textContent = milliseconds(record.latency);
      byId('rtt').classList.add('known');
    }
  } else if (type === 'close') {
    entry.detail = code === undefined ? 'drop, no Close frame' : quoted(reason);
  } else if (type === 'closed') {
    const begun = record.remote ? 'begun by the browser' : 'begun here';
    entry.detail = [clean ? `clean, ${begun}` : 'not clean', reason ? quoted(reason) : 'no reason'].join(', ');
  } else if (type === 'drain') {
    entry.detail = 'all that was sent is written';
  } else if (type === 'error') {
    entry.detail = record.error;
  }
  server.add(entry);
}

// ------------------------------------------------------------------------------------------------------- controls

let echo = null;

byId('address').textContent = `${origin}/echo`;
onClick('connect', () => {
  echo = new Wire('echo');
});
onClick('disconnect', () => echo.close());
onClick('clear', () => {
  browser.clear();
  server.clear();
});

onSubmit('text', () => echo?.send(byId('text-input').value, { expectEcho: true }));

onSubmit('file', async () => {
  const wire = echo;
  const [file] = byId('file-input').files;
  if (file === undefined) return byId('file-input').click();
  if (file.size > MAX_MESSAGE) {
    return wire.note({ type: 'error', detail: `${file.name}: the demo takes up to ${bytes(MAX_MESSAGE)}` });
  }
  const data = new Uint8Array(await file.arrayBuffer());
  wire.send(data, { expectEcho: true, detail: file.name });
});

onSubmit('large', () => {
  const [kind, size] = byId('large-kind').value.split(':');
  echo?.send(kind === 'text' ? largeText(Number(size)) : largeBinary(Number(size)), { expectEcho: true });
});

/** Bytes without a short period, so that a lost or moved fragment would show. */
function largeBinary(size) {
  const words = new Uint32Array(size / 4);
  let word = 1;
  for (let index = 0; index < words.length; index++) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    words[index] = word;
  }
  return new Uint8Array(words.buffer);
}

/** Characters of one to four bytes, so that fragments are cut inside of them. */
function largeText(size) {
  const unit = 'a wire, žluť, чай ☕ 😀 ';
  const count = Math.floor(size / sizeOf(unit));
  return unit.repeat(count) + '.'.repeat(size - count * sizeOf(unit));
}

onClick('server-ping', () => ask({ action: 'ping' }));
onClick('server-drop', () => ask({ action: 'drop' }));
for (const button of document.querySelectorAll('[data-close]')) {
  button.addEventListener('click', () => echo.close(Number(button.dataset.close), closeReason()));
}
for (const button of document.querySelectorAll('[data-server-close]')) {
  button.addEventListener('click', () =>
    ask({ action: 'close', code: Number(button.dataset.serverClose), reason: closeReason() }),
  );
}

/** A Close frame has room for 123 bytes of reason: longer ones lose their last characters. */
function closeReason() {
  const characters = [...byId('close-reason').value];
  while (sizeOf(characters.join('')) > 123) characters.pop();
  return characters.join('');
}

// ----------------------------------------------------------------------------------------------------------- chat

let chat = null;

function chatLine(className, ...children) {
  const log = byId('chat-log');
  log.append(make('li', className, ...children));
  while (log.childElementCount > MAX_ROWS) log.firstElementChild.remove();
  log.scrollTop = log.scrollHeight;
}

onSubmit('join', () => {
  const wire = new Wire('chat', { name: byId('chat-name').value });
  let mine = '';
  wire.onmessage = (data) => {
    const news = JSON.parse(data);
    if (news.type === 'welcome') {
      mine = news.name;
      byId('chat-name').value = mine;
      byId('chat-input').focus();
      chatLine('news', `you are ${mine}`);
    } else if (news.type === 'joined' || news.type === 'left') {
      chatLine('news', `${news.name} ${news.type}`);
    } else if (news.type === 'said') {
      chatLine(news.name === mine ? 'mine' : '', make('b', 'name', news.name), news.text);
    }
    if (news.people !== undefined) byId('chat-people').textContent = `here: ${news.people.join(', ')}`;
  };
  wire.socket.addEventListener('close', () => {
    byId('chat-people').textContent = '';
    chatLine('news', 'you left');
  });
  chat = wire;
});
onClick('chat-leave', () => chat.close(1000, 'leaving'));
onSubmit('chat', () => {
  const text = byId('chat-input').value;
  if (text === '' || states.chat !== 'open') return;
  chat.send(text);
  byId('chat-input').value = '';
});

// A list that scrolls is scrolled with the keyboard, too.
for (const list of document.querySelectorAll('[role="log"]')) list.tabIndex = 0;

observe();
