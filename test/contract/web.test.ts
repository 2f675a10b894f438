/** The contract of transports over web streams and message ports, as Node has them. */
import { describeContract } from './contract.ts';
import { overPorts, overStreams } from './joins/web.ts';

describeContract('web streams', overStreams);
describeContract('message port', overPorts);
