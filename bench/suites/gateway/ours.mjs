// sansocket as a gateway, with its defaults but for the frame type: the load is binary.

import { createGateway } from 'sansocket/gateway';
import { say, settings } from '../../servers/control.mjs';

const routes = [{ prefix: '', path: settings.path }];
const gateway = await createGateway({ host: '127.0.0.1', port: 0, routes, frameType: 'binary' });
say({ port: gateway.port });
