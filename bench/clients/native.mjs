// The WebSocket that a runtime has built in: Bun's and Deno's.

import { driveBrowserLike } from './browser.mjs';

driveBrowserLike(WebSocket);
