/** Node: the contract over everything it has. */
import { overPorts, overStreams } from '../../contract/joins/web.ts';
import { BARE, runSuite } from '../suite.ts';
import { nodeExtras, nodeShells } from './node-shells.ts';
import { patience } from './shared.ts';

const say = (line: string) => console.log(line);
await runSuite({
  say,
  patience,
  shells: [
    ...BARE,
    { name: 'web streams', join: overStreams },
    { name: 'message port', join: overPorts },
    ...nodeShells,
  ],
  extras: nodeExtras(say),
});
process.exit(0);
