/**
 * A game server with the WebSocket module loaded, a script, and a clock that runs fast.
 *
 *     npx tsx examples/g2o/main.ts               with the g2ows.json beside this file
 *     npx tsx examples/g2o/main.ts g2ows.json    with another
 *
 * `python3 examples/g2o/client.py` prints what it says; so does `sansocket connect ws://localhost:8080`.
 */
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../src/cli/config.ts';
import { type G2o, loadModule } from './module.ts';
import script from './script.ts';

const game = await start(process.argv[2] ?? fileURLToPath(new URL('./g2ows.json', import.meta.url))).catch(
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);
script(game);

// A minute of the game is a second.
let minutes = 8 * 60;
const clock = setInterval(() => {
  minutes++;
  game.callEvent('onTime', Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60);
}, 1_000);

process.once('SIGINT', () => {
  clearInterval(clock);
  void game.stop();
});

/** What is wrong with the file, or with a key of it, is an error that names it; the module takes its defaults then. */
async function start(file: string): Promise<G2o> {
  return loadModule(readConfig(file));
}
