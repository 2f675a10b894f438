// The page of the chat: names and private words are commands of the server (WSHello, WSPrivate, WSWhois), everything else is
// said to all, as JSON with the name of who says it.

const get = (id) => document.getElementById(id);
let socket = null;
let name = '';

get('join').addEventListener('submit', (event) => {
  event.preventDefault();
  socket?.close(1000);
  const url = new URL('chat', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const opened = new WebSocket(url);
  socket = opened;
  opened.addEventListener('open', () => opened.send(`WSHello ${get('name').value.trim().replaceAll(/\s+/g, '_')}`));
  opened.addEventListener('message', ({ data }) => {
    if (socket === opened) take(data);
  });
  opened.addEventListener('close', ({ code, reason }) => {
    if (socket !== opened) return;
    show('note', `closed ${code}${reason === '' ? '' : `: ${reason}`}`);
    setState('closed', 'not connected');
  });
});

get('say').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = get('text').value.trim();
  if (text === '' || socket?.readyState !== WebSocket.OPEN) return;
  get('text').value = '';
  const [, to, words] = /^\/msg (\S+) (.+)$/.exec(text) ?? [];
  const [, whom] = /^\/whois (\S+)$/.exec(text) ?? [];
  if (to !== undefined) {
    socket.send(`WSPrivate ${to} ${JSON.stringify({ from: name, text: words, private: true })}`);
    show('own', `to ${to}: ${words}`);
  } else if (whom !== undefined) {
    socket.send(`WSWhois ${whom}`);
  } else {
    socket.send(JSON.stringify({ from: name, text }));
    show('own', `${name}: ${text}`);
  }
});

function take(data) {
  const [, verb, rest] = /^(WSWelcome|WSIs) (.*)$/s.exec(data) ?? [];
  if (verb === 'WSWelcome') {
    name = rest;
    setState('open', `you are ${name}`);
  } else if (verb === 'WSIs') {
    show('note', `who is ${rest}`);
  } else {
    const { from, text, private: alone } = read(data);
    show(alone ? 'private' : 'said', `${from}${alone ? ' to you' : ''}: ${text}`);
  }
}

/** What others send may be anything. */
function read(data) {
  try {
    const { from, text, private: alone } = JSON.parse(data);
    return { from: String(from), text: String(text), private: alone === true };
  } catch {
    return { from: 'somebody', text: data, private: false };
  }
}

function setState(state, text) {
  const element = get('state');
  element.dataset.state = state;
  element.textContent = text;
  for (const input of get('say').elements) input.disabled = state !== 'open';
}

function show(kind, text) {
  const line = document.createElement('li');
  line.className = kind;
  line.textContent = text;
  get('log').append(line);
  line.scrollIntoView();
}
