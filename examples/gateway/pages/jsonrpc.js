// The page of the JSON-RPC server: what is written is sent, what comes back is shown.

const get = (id) => document.getElementById(id);
const url = new URL('jsonrpc', location.href);
url.protocol = url.protocol.replace('http', 'ws');

const EXAMPLES = {
  single: { jsonrpc: '2.0', method: 'add', params: [1, 2], id: 1 },
  batch: [
    { jsonrpc: '2.0', method: 'add', params: { a: 20, b: 22 }, id: 'sum' },
    { jsonrpc: '2.0', method: 'echo', params: ['nobody answers this'] },
    { jsonrpc: '2.0', method: 'none', id: 2 },
  ],
  wrong: { jsonrpc: '2.0', method: 'add', params: ['one'], id: 3 },
};

const socket = new WebSocket(url);
socket.addEventListener('open', () => setState('open', 'connected'));
socket.addEventListener('close', ({ code }) => setState('closed', `closed ${code}`));
socket.addEventListener('message', ({ data }) => show('answer', data));

get('call').addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  // Also what is no JSON: the server says what it thinks of it.
  socket.send(get('request').value);
  show('request', get('request').value);
});
for (const [id, example] of Object.entries(EXAMPLES)) {
  get(id).addEventListener('click', () => {
    get('request').value = JSON.stringify(example, null, 2);
  });
}
get('single').click();

function setState(state, text) {
  get('state').dataset.state = state;
  get('state').textContent = text;
}

function show(kind, text) {
  const line = document.createElement('li');
  line.className = kind;
  line.textContent = text;
  get('log').append(line);
  line.scrollIntoView();
}
