// ws with its default options and without native add-ons, as npm installs it.

import * as ws from 'ws';
import { serveWith } from './ws-common.mjs';

serveWith(ws);
