/** Bun: its own sockets, and those of node:. */
import { connect, serve } from '../../../src/transport/bun/index.ts';
import { runOwnSockets } from './own-sockets.ts';

await runOwnSockets({ name: 'Bun.listen', serve, connect, trust: (ca) => ({ ca }), dropsHandshakes: true });
process.exit(0);
