// Peers that are installed apart from the package: `npm ci --prefix bench/peers`.

import { createRequire } from 'node:module';

/** The exports of a package in bench/peers. */
export const installed = createRequire(new URL('../peers/package.json', import.meta.url));
