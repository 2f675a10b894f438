/**
 * The same stimuli against `ws` and ourselves, over real sockets. Every difference is a row of differences.md with its reason
 * (reasons.ts); a new one, one that is gone, and one that reads otherwise fail here. `npx vitest run test/differential -u` writes
 * the page.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askClient, type Implementation, ServerUnderTest } from './peers.ts';
import { REASONS } from './reasons.ts';
import { ANSWERS, FRAMES, REQUESTS } from './stimuli.ts';

/** What a stimulus got from both. */
interface Outcome {
  readonly stimulus: string;
  readonly ours: string;
  readonly ws: string;
}

const outcomes: Record<'Requests to a server' | 'Answers to a client' | 'Frames', Outcome[]> = {
  'Requests to a server': [],
  'Answers to a client': [],
  Frames: [],
};

const PROPER =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %\r\n';
const DEFLATE = 'Sec-WebSocket-Extensions: permessage-deflate\r\n';

describe.each([false, true])('servers, with compression: %s', (deflate) => {
  let servers: Record<Implementation, ServerUnderTest>;

  beforeAll(async () => {
    servers = { ours: await ServerUnderTest.start('ours', deflate), ws: await ServerUnderTest.start('ws', deflate) };
  });

  afterAll(() => Promise.all([servers.ours.close(), servers.ws.close()]));

  const requests = REQUESTS.filter(({ name }) => name.startsWith('permessage-deflate') === deflate);

  test.each(requests)('the request: $name', async (stimulus) => {
    const ours = await servers.ours.request(stimulus);
    outcomes['Requests to a server'].push({ stimulus: stimulus.name, ours, ws: await servers.ws.request(stimulus) });
  });

  const frames = FRAMES.filter((each) => (each.deflate ?? false) === deflate);

  test.each(frames)('frames, to a server and to a client alike: $name', async (stimulus) => {
    const toClient = { ...stimulus, answer: `${PROPER}${deflate ? DEFLATE : ''}\r\n` };
    const outcome = { ours: '', ws: '' };
    for (const which of ['ours', 'ws'] as const) {
      outcome[which] = (await servers[which].frames(stimulus)).replace(/^open with permessage-deflate/, 'open');
      expect(await askClient(which, toClient), which).toBe(outcome[which]);
    }
    outcomes.Frames.push({ stimulus: stimulus.name, ...outcome });
  });
});

test.each(ANSWERS)('the answer to a client: $name', async (stimulus) => {
  const ours = await askClient('ours', stimulus);
  outcomes['Answers to a client'].push({ stimulus: stimulus.name, ours, ws: await askClient('ws', stimulus) });
});

describe('differences from ws', () => {
  test('each has its reason, and each reason its difference', () => {
    const different = Object.values(outcomes)
      .flat()
      .filter(({ ours, ws }) => ours !== ws);
    const reasoned = REASONS.flatMap(({ of }) => of);
    expect([...new Set(different.map(({ stimulus }) => stimulus))].sort()).toEqual([...reasoned].sort());
    for (const { sections } of REASONS) expect(sections).toMatch(/§\d/);
  });

  test('are what the page says', async () => {
    await expect(page()).toMatchFileSnapshot('differences.md');
  });
});

function page(): string {
  const lines = [
    '# Differences from ws',
    '',
    '<!-- Written by `npx vitest run test/differential -u`: change stimuli.ts and reasons.ts, not this page. -->',
    '',
    'The same octets were given to `ws` 8.23 and to sansocket, with equal limits of message size and everything else at its default.',
    '`works`: a ping behind the stimulus was answered, and a Close with 1000. Sections are of RFC 6455 unless they say otherwise.',
  ];
  for (const [title, rows] of Object.entries(outcomes)) {
    const different = rows.filter(({ ours, ws }) => ours !== ws);
    lines.push(
      '',
      `## ${title}`,
      '',
      `${rows.length} stimuli, ${rows.length - different.length} of them with equal results.`,
      '',
    );
    lines.push('| stimulus | ours | ws | | reason |', '|---|---|---|---|---|');
    for (const { stimulus, ours, ws } of different) {
      const { sections, reason } = REASONS.find(({ of }) => of.includes(stimulus))!;
      lines.push(`| ${stimulus} | ${ours} | ${ws} | ${sections} | ${reason} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}
