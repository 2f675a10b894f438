/** A backend for direct mode: `fork`ed by the test, it is handed clients. */

import { adopt } from '../../src/gateway/index.ts';

adopt(
  (socket, { name, request, remoteAddress, context }) => {
    socket.on('open', () => {
      const { subprotocol } = socket;
      socket.send(JSON.stringify({ name, target: request.target, remoteAddress, subprotocol, context }));
    });
    socket.on('message', ({ data }) => {
      if (data === 'throw') throw new Error('as asked');
      if (data === 'exit') process.exit(0);
      socket.send(data);
    });
  },
  { maxMessageSize: 8_388_608, maxFrameSize: 8_388_608 },
);
process.send!('ready');
