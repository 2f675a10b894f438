// ws's client without native add-ons, as npm installs it.

import * as ws from 'ws';
import { driveWith } from './ws-common.mjs';

driveWith(ws);
