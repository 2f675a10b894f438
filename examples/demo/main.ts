/**
 * `npm start`: the demo. It serves the page, lets our own client talk to the same server in the terminal, and stays up
 * until Ctrl-C.
 */
import { parseArgs } from 'node:util';
import { printerTo } from './print.ts';
import { startDemo } from './server.ts';
import { tour } from './tour.ts';

const USAGE = `usage: npm start -- [--port N] [--once]

  --port N   listen on 127.0.0.1:N (default: PORT, or the first free port from 8080; 0: any)
  --once     end after the tour, with exit status 1 if one of its steps failed
`;

const printer = printerTo(process.stdout);
const options = readArguments();
const demo = await startDemo(options.ports).catch((error: Error) => leave(1, `cannot start: ${error.message}\n`));

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort();
    printer.line(`\n  ${signal}: closing every connection with 1001`);
    void demo.close().then(() => process.exit(0));
  });
}

printer.title('sansocket', demo.url);
const ok = await tour(demo.url, printer, options.once ? 0 : 250, stopping.signal);
if (options.once) {
  await demo.close();
  process.exitCode = ok ? 0 : 1;
} else if (!stopping.signal.aborted) {
  printer.line(`  open ${demo.url} — Ctrl-C stops`);
}

function readArguments(): { ports: readonly number[]; once: boolean } {
  try {
    const { values } = parseArgs({
      options: { port: { type: 'string' }, once: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help === true) leave(0, USAGE);
    const wanted = values.port ?? process.env['PORT'];
    const ports =
      wanted === undefined || wanted === '' ? Array.from({ length: 20 }, (_, index) => 8080 + index) : [Number(wanted)];
    if (!ports.every((port) => Number.isInteger(port) && port >= 0 && port <= 65535)) {
      leave(2, `'${wanted}' is not a port\n`);
    }
    return { ports, once: values.once === true };
  } catch (error) {
    return leave(2, `${(error as Error).message}\n\n${USAGE}`);
  }
}

function leave(status: number, text: string): never {
  (status === 0 ? process.stdout : process.stderr).write(text);
  process.exit(status);
}
