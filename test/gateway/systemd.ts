/**
 * The set-up of docs/gateway.md under a real systemd: `npx tsx test/gateway/systemd.ts`, as root (Debian: systemd-container, nginx-light).
 * systemd-nspawn boots this machine's own files, with an overlay in memory above them and a network of its own: no file of
 * the machine is changed, and nothing of it is reached. The files are those of examples/gateway, as they are.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { authority, local } from '../support/certificates.ts';
import { check as checkOne, summarise } from '../support/checks.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLES = join(ROOT, 'examples/gateway');
const CLI = 'node /opt/sansocket/dist/cli/main.js';
const UNIT = 'sansocket-gateway';
/** What `systemd-analyze security` may find at most, of 10: it calls 2.0 and below "OK". */
const EXPOSURE = 2;

const folder = mkdtempSync(join(tmpdir(), 'sansocket-systemd-'));
const tree = join(folder, 'root');
let container: ChildProcess | null = null;
/** One check; where it fails, what the container's journal says last. */
function check(name: string, body: () => unknown): Promise<void> {
  return checkOne(name, async () => {
    try {
      await body();
    } catch (error) {
      console.log(spawnSync('nsenter', [...intoContainer(), 'journalctl', '-n', '15', '--no-pager']).stdout.toString());
      throw error;
    }
  });
}

function run(command: string, ...words: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, words, { encoding: 'utf8', timeout: 300_000 });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${[command, ...words].join(' ')}: ${status}: ${stdout}${stderr}`);
  return stdout.trim();
}

/** What a shell in the container prints; throws if it fails. */
function within(script: string): string {
  return run('nsenter', ...intoContainer(), 'env', '-i', ...PATH, '/bin/sh', '-ec', script);
}

/** The same in the sandbox of the gateway: as root, but with its view of the file system. */
function inSandbox(script: string): string {
  return within(
    `nsenter --mount --target "$(systemctl show ${UNIT} --property MainPID --value)" /bin/sh -ec '${script}'`,
  );
}

const PATH = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'NO_COLOR=1'];

/** How nsenter gets to the container's first process. */
function intoContainer(): string[] {
  const { pid } = container!;
  const [first = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--target', first];
}

function property(name: string, unit = UNIT): string {
  return within(`systemctl show ${unit} --property ${name} --value`);
}

function expectThat(actual: unknown, wanted: unknown, what: string): void {
  if (actual !== wanted) throw new Error(`${what}: ${String(actual)} instead of ${String(wanted)}`);
}

/** The text of what a script does not manage to do. */
function refused(act: () => string): string {
  let printed: string;
  try {
    printed = act();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`it was possible: ${printed}`);
}

async function until(what: string, happens: () => boolean): Promise<void> {
  let why = '';
  for (let i = 0; i < 150; i++) {
    try {
      if (happens()) return;
    } catch (error) {
      why = `; ${(error as Error).message}`;
    }
    await wait(100);
  }
  throw new Error(`it did not happen: ${what}${why}`);
}

function prepare(): void {
  for (const command of ['systemd-nspawn', 'nginx', 'nsenter', 'mount']) run('which', command);
  run('mount', '-t', 'tmpfs', '-o', 'size=512m', 'tmpfs', folder);
  for (const name of ['upper', 'work', 'root']) mkdirSync(join(folder, name));
  const layers = `lowerdir=/,upperdir=${folder}/upper,workdir=${folder}/work`;
  run('mount', '-t', 'overlay', 'overlay', '-o', layers, tree);
  // Services of this machine are none of the container's.
  for (const wants of ['multi-user', 'timers', 'sysinit']) {
    rmSync(`${tree}/etc/systemd/system/${wants}.target.wants`, { recursive: true, force: true });
  }
  if (!existsSync('/usr/bin/node')) copyFileSync(process.execPath, `${tree}/usr/bin/node`);
  mkdirSync(`${tree}/opt/sansocket`, { recursive: true });
  run('npx', 'tsc', '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', `${tree}/opt/sansocket/dist`);
  copyFileSync(join(ROOT, 'package.json'), `${tree}/opt/sansocket/package.json`);
}

async function boot(): Promise<void> {
  const words = ['--directory', tree, '--boot', '--private-network', '--register=no', '--keep-unit'];
  const machine = [
    '--machine=sansocket-gateway',
    '--link-journal=no',
    '--console=pipe',
    'systemd.unit=multi-user.target',
  ];
  container = spawn('systemd-nspawn', [...words, ...machine], { stdio: ['ignore', 'ignore', 'inherit'] });
  await booted();
}

async function booted(): Promise<void> {
  await until('the container boots', () => /^(running|degraded)$/.test(within('systemctl is-system-running || true')));
}

/** As docs/gateway.md says. */
function install(): void {
  within('groupadd websocket; useradd -r -g websocket gateway; usermod -aG websocket www-data');
  const files: Record<string, string> = {
    'websocket.conf': '/etc/tmpfiles.d/websocket.conf',
    'sansocket-gateway.service': '/etc/systemd/system/sansocket-gateway.service',
    'sansocket-echo.service': '/etc/systemd/system/sansocket-echo.service',
    'nginx.conf': '/etc/nginx/nginx.conf',
  };
  for (const [from, to] of Object.entries(files)) give(to, readFileSync(join(EXAMPLES, from), 'utf8'));
  give('/etc/ssl/certs/site.pem', local.cert);
  give('/etc/ssl/private/site.key', local.key);
  give('/root/authority.pem', authority);
  within(`systemd-tmpfiles --create websocket.conf; systemctl daemon-reload`);
  within(`systemctl enable --now ${UNIT} sansocket-echo nginx`);
}

/** Writes a file in the container. */
function give(path: string, text: string): void {
  within(`base64 -d > ${path} <<end\n${Buffer.from(text).toString('base64')}\nend`);
}

/** What comes back from the echo server behind gateway and nginx. */
function echo(url = 'ws://127.0.0.1/echo', flags = ''): string {
  return within(`timeout 20 ${CLI} connect ${url} --message hello --once ${flags}`);
}

/** Once the gateway listens: systemd says "started" when the process is there. */
async function answering(): Promise<void> {
  await until('the echo comes back', () => echo() === 'hello');
}

async function checkAll(): Promise<void> {
  await check('installed as the document says: an echo by way of nginx and the gateway, ws and wss', async () => {
    install();
    await answering();
    expectThat(echo('wss://localhost/echo', '--ca /root/authority.pem'), 'hello', 'wss');
  });

  await check('everything comes back after a reboot', async () => {
    const gone = once(container!, 'exit');
    within('systemctl reboot --no-block');
    // So systemd-nspawn says that it is to be started once more.
    expectThat((await gone)[0], 133, 'its exit code');
    await boot();
    await answering();
    expectThat(property('NRestarts'), '0', 'restarts');
  });

  await check('the journal has a line of JSON for everything, and the address of the client behind nginx', async () => {
    await until('it is in the journal', () => journal().some(({ type }) => type === 'close'));
    const lines = journal();
    expectThat(lines[0]?.['url'], 'ws+unix:/run/gateway/front', 'the first line');
    expectThat(lines.find(({ type }) => type === 'open')?.['remoteAddress'], '127.0.0.1', 'the client');
  });

  await check('users and rights: gateway, group websocket, and sockets that others cannot connect to', () => {
    expectThat(within('stat -c "%a %U %G" /run/websocket'), '2770 root websocket', '/run/websocket');
    expectThat(within('stat -c "%a %G" /run/websocket/echo'), '660 websocket', 'the socket of the server');
    expectThat(within('stat -c "%a %U %G" /run/gateway'), '750 gateway websocket', '/run/gateway');
    expectThat(within('stat -c "%a %U %G" /run/gateway/front'), '770 gateway websocket', 'the socket of the gateway');
    for (const path of ['/run/gateway/front', '/run/websocket/echo']) {
      const text = refused(() => within(`runuser -u nobody -- socat -u OPEN:/dev/null UNIX-CONNECT:${path} 2>&1`));
      if (!text.includes('Permission denied')) throw new Error(text);
    }
  });

  await check('killed with SIGKILL it is started again, and nginx finds it', async () => {
    const before = property('MainPID');
    within(`kill -9 ${before}`);
    await until('it is started again', () => property('NRestarts') === '1' && property('MainPID') !== '0');
    if (property('MainPID') === before) throw new Error('the process is the same');
    await answering();
  });

  await check('the server behind it, killed as well: its socket is replaced', async () => {
    within(`kill -9 ${property('MainPID', 'sansocket-echo')}`);
    await until('it is started again', () => property('NRestarts', 'sansocket-echo') === '1');
    await answering();
  });

  await check('systemctl stop: clients get 1001, the service ends with success, and its socket is gone', async () => {
    const client = `timeout 30 ${CLI} connect ws://127.0.0.1/echo -m hello --wait 25s --json`;
    within(`(${client} > /tmp/client.json 2>&1; echo $? > /tmp/client.code) > /dev/null 2>&1 &`);
    await until('the client is there', () => within('cat /tmp/client.json').includes('"message"'));
    within(`systemctl stop ${UNIT}`);
    await until('the client ends', () => within('cat /tmp/client.code') === '0');
    if (!within('cat /tmp/client.json').includes('"code":1001')) throw new Error(within('cat /tmp/client.json'));
    expectThat(
      `${property('Result')} ${property('ExecMainStatus')} ${property('ActiveState')}`,
      'success 0 inactive',
      'it',
    );
    expectThat(within('test -e /run/gateway || echo gone'), 'gone', '/run/gateway');
    within(`systemctl start ${UNIT}`);
    await answering();
  });

  await check('a docroot that is not there: it says so, and is not started again and again', async () => {
    within(`systemctl stop ${UNIT} sansocket-echo; mv /run/websocket /run/elsewhere; systemctl start ${UNIT}`);
    await until('it fails', () => property('ActiveState') === 'failed');
    expectThat(`${property('ExecMainStatus')} ${property('NRestarts')}`, '2 0', 'exit code and restarts');
    const said = within(`journalctl -u ${UNIT} -o cat -n 5 --no-pager`);
    if (!said.includes('--docroot')) throw new Error(said);
    within(`mv /run/elsewhere /run/websocket; systemctl start ${UNIT} sansocket-echo`);
    await answering();
  });

  await check('the sandbox: nothing can be written, no home is seen, nothing can be gained', () => {
    for (const path of ['/etc/x', '/var/x', '/opt/sansocket/x', '/run/x', '/usr/x', '/run/websocket/x']) {
      expectThat(
        inSandbox(`touch ${path} 2>&1 | grep -o "Read-only file system" || echo "no error"`),
        'Read-only file system',
        path,
      );
    }
    inSandbox('touch /run/gateway/x && rm /run/gateway/x');
    // As root, which sees an empty folder where the user of the gateway sees none.
    expectThat(inSandbox('ls -A /home /root | grep -v : || true'), '', 'homes');
    const status = within(`cat /proc/${property('MainPID')}/status`);
    const value = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1];
    expectThat(value('NoNewPrivs'), '1', 'NoNewPrivs');
    expectThat(value('Seccomp'), '2', 'Seccomp');
    expectThat(`${value('CapBnd')} ${value('CapEff')}`, `${'0'.repeat(16)} ${'0'.repeat(16)}`, 'capabilities');
    expectThat(within('ls -A /tmp | grep -c systemd-private.*gateway'), '1', '/tmp of its own');
  });

  await check('the sandbox: what the process itself can reach', () => {
    give('/opt/sansocket/probe.mjs', PROBE);
    const unit = readFileSync(join(EXAMPLES, `${UNIT}.service`), 'utf8');
    const probe = unit.replace(/^ExecStart=.*$/m, 'ExecStart=/usr/bin/node /opt/sansocket/probe.mjs');
    // RuntimeDirectory would be removed with this one, under the gateway.
    give(
      '/etc/systemd/system/probe.service',
      probe.replace(/^Runtime.*$|^Restart.*$/gm, '').replace('[Service]', '[Service]\nType=oneshot'),
    );
    within('systemctl daemon-reload; systemctl start probe');
    const found = within('journalctl -u probe -o cat --no-pager | grep ^probe:').split('\n');
    expectThat(
      found.join('\n'),
      [
        'probe: write EROFS',
        'probe: home EACCES',
        'probe: packet no',
        'probe: lookup 127.0.0.1',
        'probe: others no',
      ].join('\n'),
      'the probe',
    );
  });

  await check(`systemd-analyze security: at most ${EXPOSURE} of 10, and verify has nothing to say`, () => {
    const verdict = within(`systemd-analyze security --no-pager ${UNIT}.service | tail -1`);
    console.log(`        ${verdict}`);
    const score = Number(/exposure level for \S+ ([\d.]+)/.exec(verdict.replace(/: /, ' '))?.[1] ?? Number.NaN);
    if (!(score <= EXPOSURE)) throw new Error(verdict);
    const files = `/etc/systemd/system/${UNIT}.service /etc/systemd/system/sansocket-echo.service`;
    expectThat(within(`systemd-analyze verify --man=no ${files} 2>&1 | grep -i sansocket || true`), '', 'verify');
  });
}

/** Tries what the directives forbid, and one thing that they must not: looking up a name. */
const PROBE = `
import { spawnSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { readdirSync, writeFileSync } from 'node:fs';
const attempt = (act) => { try { return String(act()); } catch (error) { return error.code; } };
console.log('probe: write', attempt(() => writeFileSync('/etc/x', '')));
console.log('probe: home', attempt(() => readdirSync('/root')));
const packet = "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)";
console.log('probe: packet', spawnSync('/usr/bin/python3', ['-c', packet]).status === 0 ? 'yes' : 'no');
console.log('probe: lookup', (await lookup('localhost', 4)).address);
const others = readdirSync('/proc').filter((name) => /^\\d+$/.test(name) && Number(name) !== process.pid);
console.log('probe: others', others.includes('1') ? 'yes' : 'no');
`;

function journal(): Record<string, unknown>[] {
  const lines = within(`journalctl -b -u ${UNIT} -o cat --no-pager`).split('\n');
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function end(): Promise<void> {
  if (container !== null && container.exitCode === null) {
    const gone = once(container, 'exit');
    try {
      within('systemctl poweroff --no-block');
    } catch {
      container.kill('SIGKILL');
    }
    const late = setTimeout(() => container?.kill('SIGKILL'), 30_000);
    await gone;
    clearTimeout(late);
  }
  for (const path of [tree, folder]) spawnSync('umount', ['--lazy', path]);
  rmdirSync(folder);
}

if (process.getuid?.() !== 0) throw new Error('only root can boot a container');
try {
  prepare();
  await boot();
  await checkAll();
} finally {
  await end();
}
summarise();
process.exit();
