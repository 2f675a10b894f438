/** The contract of transports over HTTP/2. */
import { describeContract } from './contract.ts';
import { overHttp2 } from './joins/http2.ts';

describeContract('HTTP/2', overHttp2);
