/** `sansocket bench`: what it counts, what it prints, and whom it does not load. */
import { describe, expect, test } from 'vitest';
import { Histogram } from '../../src/cli/histogram.ts';
import { serve } from '../../src/server/serve.ts';
import { Command, cli, echoServer } from './support.ts';

describe('bench', () => {
  test('--json: every message came back, and the percentiles are in order', async () => {
    const server = await echoServer();
    const flags = ['-c', '3', '-i', '4', '-z', '1KiB', '-n', '200', '--binary', '--json'];
    const { code, stdout, stderr } = await cli(['bench', server.url, ...flags]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ connections: 3, inFlight: 4, size: 1024, binary: true, messages: 200, lost: 0 });
    const { least, p50, p90, p99, p999, most } = result.latency;
    expect([least, p50, p90, p99, p999, most]).toEqual([least, p50, p90, p99, p999, most].toSorted((a, b) => a - b));
    expect(server.statistics).toMatchObject({ opened: 3 });
    await server.close();
  });

  test('for people: a rate, percentiles and a histogram', async () => {
    const server = await echoServer();
    const { code, stdout } = await cli(['bench', server.url, '-c', '2', '-n', '50']);
    expect(code).toBe(0);
    expect(stdout).toContain(`2 connections to ${server.url}, 1 x 125 B text under way each`);
    expect(stdout).toMatch(/^[\d,]+ messages\/s {2}50 there and back$/m);
    for (const name of ['p50', 'p90', 'p99', 'p999'])
      expect(stdout).toMatch(new RegExp(`^  ${name} +[\\d.]+ m?s$`, 'm'));
    expect(stdout).toMatch(/^ {2}≤ +[\d.]+ m?s {2}█+ \d+$/m);
    await server.close();
  });

  test('a server that gives nothing back: that is said, and sizes are whole', async () => {
    const server = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
      socket.on('message', () => {});
    });
    const { code, stdout } = await cli(['bench', server.url, '-c', '1', '-d', '50ms']);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /\n0 messages\/s .*\n[\d.]+ [KiB]+\/s sent, 0 B\/s received\nno answer came: the server must give/,
    );
    expect(stdout).not.toMatch(/\d\.\d+ B\/s/);
    await server.close();
  });

  test('a terminal has a progress bar, and it is taken away', async () => {
    const server = await echoServer();
    const command = new Command(['bench', server.url, '-c', '1', '-d', '1h'], { tty: true, input: null });
    await command.until(/░+\S* +0 % {2}[\d,]+ messages/);
    const { code, stderr } = await command.interrupt();
    expect(code).toBe(0);
    expect(stderr.endsWith('\r\x1b[K')).toBe(true);
    await server.close();
  });

  test('a duration is one', async () => {
    const server = await echoServer();
    const { code, stdout } = await cli(['bench', server.url, '-c', '1', '-d', '50ms', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).messages).toBeGreaterThan(0);
    await server.close();
  });

  test('a server that falls silent does not shorten the time', async () => {
    const server = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
      let answers = 0;
      socket.on('message', ({ data }) => void (answers++ === 0 && socket.send(data)));
    });
    const { code, stdout } = await cli(['bench', server.url, '-c', '1', '-d', '200ms', '--json']);
    expect(code).toBe(0);
    const { messages, elapsed } = JSON.parse(stdout);
    expect(messages).toBe(1);
    // What is reported, not what it took: a timer may be a millisecond early.
    expect(elapsed).toBeGreaterThanOrEqual(199);
    await server.close();
  });

  test('an interrupt ends it with what was measured', async () => {
    const server = await echoServer();
    const command = new Command(['bench', server.url, '-c', '1', '-d', '1h', '--json'], { input: null });
    while (server.connections.size === 0 || [...server.connections][0]!.statistics.messagesReceived < 10) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { code, stdout } = await command.interrupt();
    expect(code).toBe(0);
    expect(JSON.parse(stdout).messages).toBeGreaterThan(0);
    await server.close();
  });

  test('connections that are lost are told, and a failure', async () => {
    const server = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
      socket.on('message', ({ data }) => {
        socket.send(data);
        socket.terminate();
      });
    });
    const { code, stdout } = await cli(['bench', server.url, '-c', '2', '-d', '1h']);
    expect(code).toBe(1);
    expect(stdout).toContain('2 connections were lost');
    await server.close();
  });

  test('interrupted while it opens its connections', async () => {
    const slow = await serve({ port: 0, host: '127.0.0.1', authorize: () => new Promise<never>(() => {}) });
    const command = new Command(['bench', slow.url]);
    while (slow.statistics.pending === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await command.interrupt()).toEqual({ code: 130, stdout: '', stderr: '' });
    await slow.close();
  });

  test('nobody there', async () => {
    const { code, stderr } = await cli(['bench', 'ws://127.0.0.1:1', '-c', '3']);
    expect(code).toBe(1);
    expect(stderr).toContain('ECONNREFUSED');
  });

  test.each([
    [['ws://192.0.2.1/'], '192.0.2.1 is not this machine: add --yes'],
    [['ws://[2001:db8::1]/'], '2001:db8::1 is not this machine'],
    [['ws://localhost/', '--proxy', 'http://192.0.2.1:3128'], 'add --yes'],
    [['ws://localhost/', '--redirects', '1'], 'add --yes'],
    [[], 'a URL is missing'],
    [['ws://localhost/', '-n', '1', '-d', '1s'], '--messages and --duration exclude each other'],
    [['ws://localhost/', '-d', '0s'], '--duration must be above 0'],
    [['ws://localhost/', '-d', '5'], 'a number and a unit'],
    [['ws://localhost/', '-c', '0'], '--connections must be a whole number from 1'],
    [['ws://localhost/', '-z', '1GiB'], '--size must be at most 64MiB'],
  ])('%o is refused', async (argv, told) => {
    const { code, stdout, stderr } = await cli(['bench', ...argv]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told);
  });
});

describe('a histogram', () => {
  test('is right to its 1.1 %', () => {
    const histogram = new Histogram();
    const samples = Array.from({ length: 10_000 }, (_, i) => 0.002 * 1.001 ** i);
    for (const sample of samples) histogram.add(sample);
    for (const share of [0, 0.001, 0.5, 0.9, 0.999, 1]) {
      const exact = samples[Math.max(0, Math.ceil(share * samples.length) - 1)]!;
      expect(histogram.percentile(share) / exact).toBeGreaterThanOrEqual(0.999999);
      expect(histogram.percentile(share) / exact).toBeLessThan(1.0111);
    }
    expect(histogram.mean).toBeCloseTo(samples.reduce((sum, each) => sum + each) / samples.length, 6);
    expect(histogram.rows(12).reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
    expect(histogram.rows(12).length).toBeLessThanOrEqual(12);
  });

  test('holds what is beyond its ends, and nothing', () => {
    const histogram = new Histogram();
    expect(histogram.percentile(0.5)).toBe(0);
    expect(histogram.rows(5)).toEqual([]);
    histogram.add(0);
    histogram.add(1e9);
    expect(histogram.percentile(0)).toBe(0.001);
    expect(histogram.percentile(1)).toBeLessThanOrEqual(1e9);
    expect(histogram.rows(5).reduce((sum, { count }) => sum + count, 0)).toBe(2);
  });
});
