/** Run by descriptors.test.ts as a process of its own, with few file descriptors. Ends when its standard input does. */
import { serve } from '../../src/server/index.ts';

const server = await serve({ port: 0, host: '127.0.0.1' });
console.log(server.port);
process.stdin.resume().on('end', () => void server.close());
