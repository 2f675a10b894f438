/** One call of the command line: finds the verb, reads its flags, runs it, and says what was wrong. */

import { readFileSync } from 'node:fs';
import { printableText } from '../debug/lines.ts';
import { UsageError, WebSocketError } from '../errors.ts';
import { closest, parseArguments } from './arguments.ts';
import { describeError } from './failure-text.ts';
import { inFlags } from './flag-names.ts';
import { generalHelp, HELP_FLAG, verbHelp } from './help.ts';
import { CommandError, Exit, type Io } from './io.ts';
import { styleFor } from './style.ts';
import { VERBS, type VerbRow } from './verbs.ts';

/**
 * Runs a command line.
 *
 * @param argv what stands behind `sansocket`
 * @returns the exit code; never rejects because of what was typed, or of a peer
 */
export async function run(
  argv: readonly string[],
  io: Io,
  verbs: Readonly<Record<string, VerbRow>> = VERBS,
): Promise<number> {
  const [first, ...rest] = argv;
  const style = styleFor(io.stdout, io.environment);
  if (first === undefined) {
    io.stderr.write(generalHelp(verbs, styleFor(io.stderr, io.environment)));
    return Exit.usage;
  }
  if (first === '--version' || first === '-V') {
    io.stdout.write(`${version()}\n`);
    return Exit.ok;
  }
  const asksHelp = first === 'help' || first === '--help' || first === '-h';
  const name = asksHelp ? rest[0] : first;
  if (name === undefined) {
    io.stdout.write(generalHelp(verbs, style));
    return Exit.ok;
  }
  const row = Object.hasOwn(verbs, name) ? verbs[name]! : null;
  if (row === null) return complain(io, '', unknownVerb(name, Object.keys(verbs)));
  const { verb } = await row.load();
  try {
    const given = parseArguments(asksHelp ? ['--help'] : rest, { ...verb.flags, ...HELP_FLAG });
    if (given.has('help')) {
      io.stdout.write(verbHelp(name, verb, style));
      return Exit.ok;
    }
    return await verb.run(given, io);
  } catch (error) {
    // A UsageError is about a URL or an option that the command line gave.
    if (error instanceof UsageError) {
      return complain(io, name, inFlags(error.message.replace(/^(connect|serve|gateway|trace): /, ''), verb.flags));
    }
    if (error instanceof CommandError) return complain(io, name, error.message);
    if (error instanceof WebSocketError || isSystemError(error)) {
      io.stderr.write(`${styleFor(io.stderr, io.environment).red('error:')} ${describeError(error as Error)}\n`);
      return Exit.failed;
    }
    throw error;
  }
}

function complain(io: Io, verb: string, text: string): number {
  const { red, dim } = styleFor(io.stderr, io.environment);
  const hint = verb === '' ? 'sansocket --help' : `sansocket ${verb} --help`;
  io.stderr.write(`${red('error:')} ${printableText(text)}\n${dim(`see '${hint}'`)}\n`);
  return Exit.usage;
}

function unknownVerb(name: string, verbs: readonly string[]): string {
  if (name.startsWith('-')) return `there is no option '${name}' before a verb`;
  const meant = closest(name, [...verbs, 'help']);
  return `there is no verb '${name}'${meant === null ? `; there are ${verbs.join(', ')}` : `; did you mean '${meant}'?`}`;
}

/** Of a socket, a file or a name: Node's errors have a code in capitals. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && /^E[A-Z0-9_]+$/.test(String((error as NodeJS.ErrnoException).code));
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
