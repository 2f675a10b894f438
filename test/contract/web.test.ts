/** The contract of transports over web streams and message ports, as Node has them. */
import { expect, test } from 'vitest';
import { WebStreamTransport } from '../../src/transport/web-streams.ts';
import { describeContract } from './contract.ts';
import { overPorts, overStreams } from './joins/web.ts';

describeContract('web streams', overStreams);
describeContract('message port', overPorts);

test('what cannot be closed, as it is closed already, is over all the same', async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const close = () => {
    throw new Error('closed already');
  };
  const transport = new WebStreamTransport({ readable, writable }, { close });
  const cause = await new Promise((resolve) => {
    const ignore = () => {};
    transport.start({
      ...{ received: ignore, receivedBorrowed: ignore, written: ignore, ended: ignore },
      closed: resolve,
    });
    transport.destroy();
  });
  expect(cause).toBeUndefined();
});
