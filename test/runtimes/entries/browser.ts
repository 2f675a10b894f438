/** A page: no sockets, but all else. It is loaded as modules, file by file. */
import { overPorts, overStreams } from '../../contract/joins/web.ts';
import { BARE, runSuite } from '../suite.ts';

await runSuite({
  say: (line) => console.log(line),
  patience: () => new Promise((_, reject) => setTimeout(() => reject(new Error('it takes more than 60 s')), 60_000)),
  shells: [...BARE, { name: 'web streams', join: overStreams }, { name: 'message port', join: overPorts }],
});
