// undici's client.

import { WebSocket } from 'undici';
import { driveBrowserLike } from './browser.mjs';

driveBrowserLike(WebSocket);
