/** `sansocket key`: the two header values that prove an opening handshake (RFC 6455 section 1.3). */

import { randomBytes } from 'node:crypto';
import { acceptKey, isValidKey } from '../handshake/accept-key.ts';
import { CommandError, Exit } from './io.ts';
import type { Verb } from './verbs.ts';

export const verb: Verb = {
  usage: ['[KEY] [OPTION...]'],
  about: 'Prints the Sec-WebSocket-Accept that answers KEY; without KEY, a new random key and its answer.',
  flags: {
    accept: { short: 'a', help: 'print the bare value of Sec-WebSocket-Accept, for scripts' },
    json: { help: 'print one line of JSON' },
  },
  examples: [
    ['sansocket key dGhlIHNhbXBsZSBub25jZQ==', 'the answer to the key of the RFC'],
    ['sansocket key', 'a new key, to try a server by hand'],
  ],
  run: async (given, io) => {
    const [key = randomBytes(16).toString('base64'), ...more] = given.positionals;
    if (more.length > 0) throw new CommandError('give one key, or none');
    if (!isValidKey(key)) {
      throw new CommandError(`'${key}' is no key: a key is 16 bytes in base64, 24 characters that end with ==`);
    }
    if (given.has('accept') && given.positionals.length === 0) {
      throw new CommandError('--accept needs the key that it answers');
    }
    const accept = acceptKey(key);
    if (given.has('json')) io.stdout.write(`${JSON.stringify({ key, accept })}\n`);
    else if (given.has('accept')) io.stdout.write(`${accept}\n`);
    else io.stdout.write(`Sec-WebSocket-Key: ${key}\nSec-WebSocket-Accept: ${accept}\n`);
    return Exit.ok;
  },
};
