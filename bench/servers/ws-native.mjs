// ws with its native add-ons, bufferutil and utf-8-validate: it takes them where they are installed beside it.

import { installed } from './installed.mjs';
import { serveWith } from './ws-common.mjs';

installed('bufferutil');
installed('utf-8-validate');
serveWith(installed('ws'));
