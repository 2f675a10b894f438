/**
 * The reference pages that come from the source: docs/state-machine.md from the transition table, docs/errors.md from the
 * table of faults, docs/options.md from the rules of the options and their doc comments, and what proofs/ finds in the tests.
 *
 * `npm run docs` writes them; test/docs.test.ts compares the committed files with what this gives.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { CONNECTION_RULES, type Rule, type Rules } from '../src/connection/options.ts';
import { type Input, type Phase, readyStateOf, TRANSITIONS } from '../src/connection/state.ts';
import { ENDPOINT_RULES } from '../src/endpoint/options.ts';
import { FAULTS, type FaultCode, rowOf } from '../src/errors.ts';
import { coverage } from './proofs/pages.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** The generated pages by their path in the repository. */
export function generatedPages(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/state-machine.md', stateMachinePage()],
    ['docs/errors.md', errorsPage()],
    ['docs/options.md', optionsPage()],
    ...coverage(ROOT).pages,
  ]);
}

// ── state machine ────────────────────────────────────────────────────────────────────────────────────────────────────

const PHASES: { readonly [P in Phase]: readonly [section: string, meaning: string] } = {
  connecting: [
    '4',
    'The opening handshake is under way. A server may be waiting for the application to accept or reject.',
  ],
  open: ['4.1, 4.2.2', 'Data flows in both directions. Pings are sent and their pongs awaited.'],
  'close-sent': [
    '7.1.2',
    "Our Close is queued or sent, the peer's is awaited. What the peer still sends is delivered; we send nothing more.",
  ],
  'close-received': [
    '5.5.1',
    "The peer's Close came. Nothing behind it is read. Our answer follows in the same call, so this phase is never seen from outside.",
  ],
  draining: [
    '7.1.1',
    "Both Closes are exchanged. What is queued leaves; then the transport ends, the server's side first.",
  ],
  failing: [
    '7.1.7',
    'The connection failed, or the opening was refused. A Close or an HTTP answer may still be leaving; nothing is read.',
  ],
  closed: ['7.1.4', 'The `closed` event is queued or taken. No bytes, no deadline, nothing to do.'],
};

const INPUTS: { readonly [I in Input]: string } = {
  established: 'the opening handshake succeeded',
  refused: 'the opening handshake was answered with something other than a 101',
  'close-out': "`close()` was called, or the peer's Close is answered",
  'close-in': "the peer's Close frame was read",
  fail: 'a fault of the peer, an unanswered ping, a limit, or a failure of the application',
  'transport-gone': 'the transport ended or broke, and what came before was read',
  deadline: '`handshakeTimeout` or `closeTimeout` passed',
};

function stateMachinePage(): string {
  const phases = Object.keys(PHASES) as Phase[];
  const inputs = Object.keys(INPUTS) as Input[];
  const cell = (phase: Phase, input: Input) => {
    const next = TRANSITIONS[phase][input];
    return next === undefined ? '' : next === 'ignored' ? '.' : next;
  };
  const edges = phases.flatMap((phase) => edgesOf(phase, inputs));
  return page('The state machine', 'src/connection/state.ts', [
    'A connection of either role is in one of seven phases. What moves it is one of seven inputs. The table below is the',
    'object `TRANSITIONS` that the engine runs on, printed: a phase means "go there", `.` means legal and ignored, and an',
    'empty cell cannot happen; if it did, it would be a defect of the engine and throws.',
    '',
    ...table(
      ['phase \\ input', ...inputs],
      phases.map((phase) => [`**${phase}**`, ...inputs.map((input) => cell(phase, input))]),
    ),
    '',
    '```mermaid',
    'stateDiagram-v2',
    '    direction LR',
    '    [*] --> connecting',
    ...edges,
    '    closed --> [*]',
    '```',
    '',
    '## Phases',
    '',
    'The four states of the WebSocket API (`readyState`) are a projection of the phases.',
    '',
    ...table(
      ['phase', 'readyState', 'RFC 6455', 'meaning'],
      phases.map((phase) => [`**${phase}**`, readyStateOf(phase), ...PHASES[phase]]),
    ),
    '',
    '## Inputs',
    '',
    ...table(
      ['input', 'happens when'],
      inputs.map((input) => [`**${input}**`, INPUTS[input]]),
    ),
    '',
    '## What the role decides',
    '',
    'The table does not know whether it serves a client or a server. The role decides only three things: whether frames are',
    'masked (section 5.1), who ends the transport first once both Closes are exchanged (the server, section 7.1.1), and which',
    'side of the opening handshake is spoken (sections 4.1 and 4.2).',
  ]);
}

/** Edges with the same ends share an arrow. */
function edgesOf(phase: Phase, inputs: readonly Input[]): string[] {
  const labels = new Map<Phase, Input[]>();
  for (const input of inputs) {
    const next = TRANSITIONS[phase][input];
    if (next === undefined || next === 'ignored') continue;
    labels.set(next, [...(labels.get(next) ?? []), input]);
  }
  // A hyphen would end a name in the diagram's language.
  const name = (each: Phase) => each.replace('-', '_');
  return [...labels].map(([next, causes]) => `    ${name(phase)} --> ${name(next)}: ${causes.join(', ')}`);
}

// ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────

type Kind = ReturnType<typeof rowOf>['kind'];

const KINDS: { readonly [K in Kind]: readonly [title: string, meaning: string, advice: string] } = {
  handshake: [
    '`HandshakeError`',
    'The opening handshake failed. `status` is the HTTP status that the server sent or the client received, 0 if there was none. On a client that got an answer, `response` has its status, headers and at most 64 KiB of its body. `connect()` rejects with it.',
    'Look at `status` and `response`. A server needs to do nothing: the client was answered.',
  ],
  protocol: [
    '`ProtocolError`',
    'The peer broke the RFC. It was sent a Close with `closeCode`, and nothing more was read.',
    "It is the peer's defect, or something between you changes bytes. Nothing can be retried on this connection.",
  ],
  limit: [
    '`LimitError`',
    'The peer kept to the RFC and passed a limit of ours. `option` names the limit; `closeCode` is what the peer was sent.',
    'Raise the option named, if the traffic is legitimate; its cost is memory a connection.',
  ],
  timeout: [
    '`TimeoutError`',
    'Nobody answered in time. `option` names the deadline.',
    'Treat the connection as lost. A client may connect again.',
  ],
  transport: [
    '`TransportError`',
    "The wire ended or broke. Locally this is 1006; nothing is put on the wire. `cause` is the transport's own error, if it had one.",
    'Treat the connection as lost. A client may connect again.',
  ],
  application: [
    '`ApplicationError`',
    'Our own side failed: a listener, handler or hook threw, or a streamed source did. `cause` is what was thrown.',
    'Fix what threw, or take it yourself with `onListenerError`.',
  ],
};

/** What to do about a fault, where it is more than its kind says. */
const ADVICE: { readonly [Code in FaultCode]?: string } = {
  HTTP_VERSION_UNSUPPORTED: 'a proxy in between may speak HTTP/1.0: have it use 1.1 to this server',
  HOST_INVALID: 'a proxy must pass one Host',
  BODY_PRESENT: 'bytes of a body could be taken for frames, so there must not be any',
  UPGRADE_REQUIRED: 'a plain request: answer it with `onRequest`, or let the 426 stand',
  UPGRADE_INVALID: 'a proxy must pass Upgrade and Connection',
  ORIGIN_REFUSED: "list the page's origin in `allowedOrigins`, or make the proxy pass the Host it was asked for",
  REQUEST_REFUSED: 'the status is 403, or what `authorize` chose: ask the application why',
  EARLY_DATA: "only with `earlyData: 'refuse'`",
  STATUS_UNEXPECTED: 'read `status` and `response.body`: redirect, authentication, wrong path',
  ACCEPT_MISMATCH: 'the answer is not from a WebSocket server, or it is a cached one',
  SUBPROTOCOL_UNREQUESTED: 'offer it in `subprotocols`',
  REDIRECT_REFUSED: 'the detail says why; connect to the new address yourself if you trust it',
  PROXY_REFUSED:
    'read `status`: 407 wants a user and a password in the URL of `proxy`, 403 forbids the host or its port',
  CONNECT_FAILED: '`cause` says why: nobody listens there, the name is unknown, or the certificate is not trusted',
  PROXY_FAILED: 'look at `proxy`, or at the environment if that is where it comes from',
  ADDRESS_REFUSED:
    'put the peer on `allowedAddresses`, or take it off `deniedAddresses`; behind a proxy that is the proxy',
  PATH_NOT_FOUND: 'the server has no route for the path',
  SERVER_BUSY:
    'try again later; on the server see `maxConnections`, `maxConnectionsPerAddress` and `maxPendingHandshakes`',
  UTF8_INVALID: 'send bytes that are not text as binary',
  MASK_MISSING: 'the peer is a server talking to a server, or does not mask',
  OUTGOING_OVERFLOW: "heed `writable` and `drained()`, raise the option, or choose `overflow: 'refuse'`",
  PONG_TIMEOUT: 'the peer is gone or hangs; raise `pongTimeout` if it may pause for longer',
  CLOSING_TIMEOUT: 'the peer ignores our Close',
  OPENING_TIMEOUT: 'DNS, TCP, TLS and HTTP together took too long',
  TRANSPORT_ENDED: "the peer's process ended, or a proxy closed an idle connection: lower `pingInterval`",
  TERMINATED: 'our own `terminate()`, or `close()` before the connection was open',
};

function errorsPage(): string {
  const codes = Object.keys(FAULTS) as FaultCode[];
  const sections = (Object.keys(KINDS) as Kind[]).flatMap((kind) => {
    const [title, meaning, advice] = KINDS[kind];
    const rows = codes.filter((code) => rowOf(code).kind === kind);
    return ['', `## ${title}`, '', meaning, '', `*What to do.* ${advice}`, '', ...faultTable(rows)];
  });
  return page('Errors', 'src/errors.ts', [
    'Every way a connection can fail has one row here and one name, its `code`. Names are stable; texts are for people and may',
    'change. The error arrives as `closed.error` (engine), in the `error` event and `close.error` (endpoints), and is what',
    '`connect()` and iteration throw. A clean close is never an error.',
    '',
    '`UsageError` is the exception: it is thrown at once to whoever called with a wrong option (`INVALID_OPTION`), a wrong',
    'argument (`INVALID_ARGUMENT`) or at the wrong moment (`INVALID_STATE`), and changes nothing.',
    '',
    '"Wire" is what the peer is told: an HTTP status before the connection is open, a close code after. Where it is empty the',
    'peer is told nothing; on the local side an abnormal end has code 1006. 1005, 1006 and 1015 are never sent.',
    ...sections,
  ]);
}

function faultTable(codes: readonly FaultCode[]): string[] {
  return table(
    ['fault', 'wire', 'option', 'section', 'text', 'what to do'],
    codes.map((code) => {
      const { status, closeCode, option, section, text } = rowOf(code);
      const wire = [status, closeCode].filter((each) => each !== undefined).join(', ');
      const name = option === undefined ? '' : `\`${option}\``;
      return [`\`${code}\``, wire, name, section, text, ADVICE[code] ?? ''];
    }),
  );
}

// ── options ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function optionsPage(): string {
  const own = Object.fromEntries(Object.entries(ENDPOINT_RULES).filter(([name]) => !(name in CONNECTION_RULES)));
  return page('Options', 'the options.ts of src/connection, endpoint, server and client', [
    'Sizes are in bytes, durations in milliseconds. Every option is checked when it is given: an unknown name, a wrong type or a',
    'meaningless value is a `UsageError` that names it, and nothing is converted. Where `null` is allowed it means "off", and',
    'nothing else does. Options are properties of the object itself: what is inherited, or a getter or method of a class, is refused.',
    '',
    '## Of a connection',
    '',
    'For `ServerConnection`, `ClientConnection` and `EstablishedConnection`, and for everything above them.',
    '',
    ...optionTable(CONNECTION_RULES, 'src/connection/options.ts', 'ConnectionOptions'),
    '',
    '## Of an endpoint',
    '',
    'For `Endpoint`, `serve` and `connect`, besides those of a connection.',
    '',
    ...optionTable(own, 'src/endpoint/options.ts', 'EndpointOptions'),
    '',
    '## Of a server',
    '',
    'For `serve` and `attach`, besides those of an endpoint.',
    '',
    ...meanings('src/server/options.ts', 'AttachOptions'),
    '',
    'And for `serve`, which listens itself:',
    '',
    ...meanings('src/server/options.ts', 'ServeOptions'),
    '',
    '## Of a client',
    '',
    'For `connect` and `ReconnectingClient`, besides those of an endpoint.',
    '',
    ...meanings('src/client/options.ts', 'ConnectOptions'),
    '',
    'A `ReconnectingClient` has `reconnect`, `queue` and `onEvent` besides ([connecting again](reconnecting.md)); its `signal` stops it.',
    'What `compression` and `debug` may hold is in [compression](compression.md) and [debugging](debugging.md), what a gateway has besides',
    'a server in [the gateway](gateway.md).',
    '',
    '## TLS',
    '',
    'For `tls` and `proxyTls`. PEM is text or bytes, or the path of a file that holds it.',
    '',
    ...meanings('src/transport/node/tls.ts', 'TlsCommon'),
    '',
    'Of a server, which must have `cert` and `key`:',
    '',
    ...meanings('src/transport/node/tls.ts', 'ServerTlsOptions'),
    '',
    'Of a client:',
    '',
    ...meanings('src/transport/node/tls.ts', 'ClientTlsOptions'),
  ]);
}

/** Options of many types, which no table of rules describes: what their comments say, defaults included. */
function meanings(file: string, type: string): string[] {
  // One without a comment only narrows a type.
  const said = [...memberComments(file, type)].filter(([, text]) => text !== '');
  return table(
    ['option', 'meaning'],
    said.map(([name, text]) => [`\`${name}\``, text]),
  );
}

function optionTable(rules: Rules, file: string, type: string): string[] {
  const comments = memberComments(file, type);
  return table(
    ['option', 'default', 'value', 'meaning'],
    Object.entries(rules).map(([name, rule]) => [
      `\`${name}\``,
      defaultOf(rule),
      allowedBy(rule),
      comments.get(name) ?? '',
    ]),
  );
}

function defaultOf({ kind, default: value }: Rule): string {
  if (value === null) return '';
  if (typeof value === 'number') return value.toLocaleString('en-US') + (kind === 'duration' ? ' ms' : '');
  return typeof value === 'object' ? 'none' : `\`${typeof value === 'string' ? `'${value}'` : String(value)}\``;
}

function allowedBy({ kind, nullable }: Rule): string {
  const value = typeof kind === 'string' ? kind : kind.map((each) => `\`'${each}'\``).join(' ');
  return nullable === true ? `${value}, \`null\`` : value;
}

/** The doc comment of each member of an interface, in one line. */
export function memberComments(file: string, type: string): ReadonlyMap<string, string> {
  const tree = ts.createSourceFile(file, readFileSync(ROOT + file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const comments = new Map<string, string>();
  for (const statement of tree.statements) {
    if (!ts.isInterfaceDeclaration(statement) || statement.name.text !== type) continue;
    for (const member of statement.members) {
      const text = ts.getTextOfJSDocComment(ts.getJSDocCommentsAndTags(member).find(ts.isJSDoc)?.comment) ?? '';
      const plain = text.replace(/\s+/g, ' ').replaceAll(/\{@link (\w+)\}/g, '`$1`');
      comments.set((member.name as ts.Identifier).text, plain);
    }
  }
  return comments;
}

// ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function page(title: string, source: string, lines: readonly string[]): string {
  const note = `<!-- Generated from ${source} by \`npm run docs\`: edit the source, not this page. -->`;
  return `${[`# ${title}`, '', note, '', ...lines].join('\n')}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of generatedPages()) {
    writeFileSync(ROOT + path, text);
    console.log(`wrote ${path}`);
  }
}
