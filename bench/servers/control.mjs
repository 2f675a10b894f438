// What every server and client under test says to the harness: JSON lines on stdout, commands on stdin. A process whose
// stdin ends exits, so that none outlives the harness.

import { createInterface } from 'node:readline';

/** The settings given by the harness as one JSON argument. */
export const settings = JSON.parse(process.argv[2] ?? '{}');

export function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const commands = new Map([
  [
    'memory',
    async () => {
      for (let i = 0; i < 4; i++) {
        globalThis.gc?.();
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      say({ rss: process.memoryUsage.rss() });
    },
  ],
]);

/** Adds a command; its words arrive as arguments. */
export function onCommand(name, listener) {
  commands.set(name, listener);
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [name, ...words] = line.split(' ');
    commands.get(name)?.(...words);
  })
  .on('close', () => process.exit(0));
