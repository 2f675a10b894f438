/** The example in examples/stdio: its transport keeps the contract, and no end of either process leaves anything behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { type Opened, openChild } from '../../examples/stdio/parent.ts';
import { overStdio } from '../../examples/stdio/transport.ts';
import type { EndpointOptions, TransportSink } from '../../src/endpoint/index.ts';
import { nodeEnvironment, nodePlatform } from '../../src/transport/node/index.ts';
import { describeContract, idle } from '../contract/contract.ts';
import { established } from '../contract/joins/established.ts';
import { exampleFile, run, runExample, until } from './support.ts';

const KIB = 1_024;
const MIB = 1_048_576;

const children: ChildProcess[] = [];

// Also what a test that failed has left.
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process whose standard streams are pipes. */
function start(command: string, ...args: string[]) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function opened(options: EndpointOptions = {}): Promise<Opened> {
  const one = await openChild(options);
  children.push(one.child);
  return one;
}

// What goes up passes through one process, what comes down through another.
describeContract(
  "examples/stdio's transport over pipes",
  established({ environment: nodeEnvironment, platform: nodePlatform, idle }, () => {
    const up = start('cat');
    const down = start('cat');
    return {
      server: overStdio(up.stdout, down.stdin),
      client: overStdio(down.stdout, up.stdin),
      reset() {
        up.kill('SIGKILL');
        down.kill('SIGKILL');
      },
    };
  }),
);

test('npx tsx examples/stdio/parent.ts: a whole exchange, a child that is killed, a parent that does not read', async () => {
  const example = runExample('stdio/parent.ts');
  expect(await example.ended).toBe(0);
  const lines = example.printed.split('\n').filter((line) => /^(—|parent: )/.test(line));
  const held = Number(/held back after (\d+) bytes/.exec(example.printed)?.[1]);
  expect(held).toBeLessThan(8 * MIB);
  expect(lines.map((line) => line.replace(/\d+\.\d\d ms/, 'N ms').replace(/^(parent: held back).*/, '$1'))).toEqual([
    '— talk',
    'parent: text of 5',
    'parent: binary of 3',
    'parent: binary of 1048576',
    'parent: latency N ms',
    'parent: closed with 1000, clean: true',
    'parent: the child ended 0 null',
    '— kill',
    'parent: closed with 1006, clean: false',
    'parent: the child ended null SIGKILL',
    '— hold',
    'parent: held back',
    'parent: got all back: true',
    'parent: the child ended 0 null',
  ]);
});

describe('a child', () => {
  test('that is killed in the middle of a message is 1006, once', async () => {
    const { child, socket, exited } = await opened();
    const codes: number[] = [];
    socket.on('close', ({ code }) => codes.push(code));
    child.kill('SIGSTOP');
    socket.send(new Uint8Array(MIB));
    child.kill('SIGKILL');
    expect(await socket.closed).toMatchObject({ code: 1006, clean: false, error: { code: /^TRANSPORT_/ } });
    expect(await exited).toEqual([null, 'SIGKILL']);
    expect(await socket.drained()).toBe(false);
    expect([codes, socket.send('late').code]).toEqual([[1006], 'not-open']);
  });

  test('that stops reading is sent no more than the caps allow, and gets all that was taken', async () => {
    const { child, socket, exited } = await opened({ maxBufferedAmount: MIB, overflow: 'refuse' });
    let back = 0;
    socket.on('message', ({ data }) => {
      back += data.length;
    });
    child.kill('SIGSTOP');
    let [taken, refused, most] = [0, 0, 0];
    for (let i = 0; i < 256; i++) {
      const { success, payloadSize } = socket.send(new Uint8Array(64 * KIB));
      if (success) taken += payloadSize;
      else refused++;
      most = Math.max(most, socket.bufferedAmount);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(refused).toBeGreaterThan(0);
    expect(most, 'one message above the cap').toBeLessThan(MIB + 65 * KIB);
    expect(taken - back, 'what waits here, and in the pipe').toBeLessThan(4 * MIB);
    child.kill('SIGCONT');
    await until(() => back === taken);
    expect(await socket.close(1000)).toMatchObject({ code: 1000, clean: true });
    expect(await exited).toEqual([0, null]);
  });

  test('that is stuck when the connection ends is killed', async () => {
    const { child, socket, exited } = await opened({ closeTimeout: 50 });
    child.kill('SIGSTOP');
    expect(await socket.close()).toMatchObject({ code: 1006, clean: false });
    expect(await exited).toEqual([null, 'SIGKILL']);
  });

  /** A parent that runs `script`, prints that it is ready, and is killed then; what was printed when both have ended. */
  async function orphaned(script: string): Promise<string> {
    const parent = run(process.execPath, [
      ...['--import', 'tsx', '--input-type=module', '--eval'],
      `const { openChild } = await import(${JSON.stringify(pathToFileURL(exampleFile('stdio/parent.ts')).href)});
      const { socket } = await openChild();
      ${script}
      console.log('parent: ready');`,
    ]);
    await parent.until('parent: ready');
    parent.child.kill('SIGKILL');
    // The two share one standard error, and it is closed when the second of them has ended.
    await parent.ended;
    return parent.printed;
  }

  test('ends with its parent', async () => {
    expect(await orphaned('')).toContain('child: closed with 1006');
  });

  test('ends with a parent that it waits for', async () => {
    await orphaned(`
      socket.pause();
      for (let i = 0; i < 32; i++) socket.send(new Uint8Array(65_536));
      // When no more leaves, the pipes are full.
      for (let before = -1; before !== socket.bufferedAmount; ) {
        before = socket.bufferedAmount;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    `);
  });
});

describe('what a process said before it ended', () => {
  /** What is told of a process, on a transport that is paused at once. */
  function paused(command: string, ...args: string[]) {
    const child = start(command, ...args);
    const told: string[] = [];
    let received = 0;
    const sink: TransportSink = {
      received(bytes) {
        received += bytes.length;
      },
      receivedBorrowed() {},
      written() {},
      ended: () => void told.push(`ended after ${received}`),
      closed: () => void told.push('closed'),
    };
    const transport = overStdio(child.stdout, child.stdin);
    transport.start(sink);
    transport.pause();
    return { child, told, transport, received: () => received };
  }

  test('is read to the end, paused or not', async () => {
    const { child, told } = paused('head', '-c', '60000', '/dev/zero');
    await once(child, 'exit');
    await until(() => told.includes('closed'));
    expect(told).toEqual(['ended after 60000', 'closed']);
  });

  test('has an end: one that only closed its input, and writes on, is dropped', async () => {
    const { child, told, transport, received } = paused('sh', '-c', 'exec 0<&-; exec cat /dev/zero');
    const exited = once(child, 'exit');
    // Until its input is closed.
    while (!told.includes('closed')) {
      transport.write([new Uint8Array(1)]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(told).toEqual(['closed']);
    expect(received()).toBeLessThan(2 * MIB);
    await exited;
  });
});
