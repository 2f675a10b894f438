/** The gateway of the bulk run, in a process of its own: it tells how much memory it has. */

import { createGateway, type GatewayOptions } from '../../src/gateway/index.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as GatewayOptions;
const gateway = await createGateway({ port: 0, host: '127.0.0.1', ...options });
process.on('message', () => {
  (globalThis as { gc?: () => void }).gc?.();
  process.send!({ rss: process.memoryUsage.rss() });
});
process.on('disconnect', () => process.exit(0));
process.send!({ url: gateway.url });
