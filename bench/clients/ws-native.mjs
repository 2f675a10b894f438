// ws's client with its native add-ons.

import { installed } from '../servers/installed.mjs';
import { driveWith } from './ws-common.mjs';

installed('bufferutil');
installed('utf-8-validate');
driveWith(installed('ws'));
