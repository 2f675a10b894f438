/**
 * The configuration file of `sansocket gateway`: options of `createGateway` by their own names, as far as JSON has words for them,
 * and `pages`. Whether they are right is for the gateway to say; files are looked for beside the one that names them.
 */

import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { UsageError } from '../errors.ts';
import { readJson } from './config.ts';
import { CommandError } from './io.ts';

/** A module for the clients of a name, in direct mode. */
export interface Module {
  readonly name: string;
  readonly file: string;
}

/** What a file says. */
export class GatewayConfig {
  /** By name. `processes` are the modules to be run, and `pages` is a folder. */
  readonly options: Readonly<Record<string, unknown>>;
  private readonly path: string;

  /** @throws CommandError naming the file, and what is wrong with it */
  constructor(path: string) {
    this.path = path;
    const value = readJson(path);
    if (!isRecord(value)) throw new CommandError(`${path}: the file must be an object, { … }`);
    const options: Record<string, unknown> = { ...value };
    const folder = dirname(path);
    for (const name of ['docroot', 'path', 'pages']) {
      if (Object.hasOwn(value, name)) options[name] = beside(folder, value[name]);
    }
    const { tls, pages = '', processes } = options;
    if (isRecord(tls)) {
      options['tls'] = Object.fromEntries(
        Object.entries(tls).map(([name, given]) => [name, fileOfTls(folder, name, given)]),
      );
    }
    if (typeof pages !== 'string') throw new CommandError(`${path}: pages must be the path of a folder`);
    if (processes !== undefined) options['processes'] = this.readModules(folder, processes);
    this.options = options;
  }

  private readModules(folder: string, value: unknown): Module[] {
    const wanted = `${this.path}: processes must be the files of modules by name, as { "chat": "./chat.js" }`;
    if (!isRecord(value)) throw new CommandError(wanted);
    return Object.entries(value).map(([name, given]) => {
      if (typeof given !== 'string') throw new CommandError(wanted);
      const file = resolve(folder, given);
      if (!isModule(file)) throw new CommandError(`${this.path}: processes: there is no module '${given}'`);
      return { name, file };
    });
  }

  /** An error about what the file says, and no flag, names the file. */
  blame(error: unknown, flags: object): unknown {
    if (!(error instanceof UsageError)) return error;
    const { message } = error;
    const [, option, mode, quoted] = /\boption '(\w+)|\b(mode) '|'(\w+)/.exec(message) ?? [];
    const name = option ?? mode ?? quoted;
    if (name === undefined || !Object.hasOwn(this.options, name) || Object.hasOwn(flags, name)) return error;
    return new CommandError(`${this.path}: ${message.replace(/^gateway: /, '')}`);
  }
}

/** Whether `fork` would find it. */
export function isModule(file: string): boolean {
  try {
    createRequire(`${process.cwd()}/`).resolve(resolve(file));
    return true;
  } catch {
    return false;
  }
}

/** What is no path is left for the gateway to refuse. */
function beside(folder: string, given: unknown): unknown {
  return typeof given === 'string' && given !== '' ? resolve(folder, given) : given;
}

function fileOfTls(folder: string, name: string, given: unknown): unknown {
  const isFile = ['cert', 'key', 'ca'].includes(name) && given !== 'SYSTEM' && given !== 'NONE';
  return isFile && !String(given).includes('-----BEGIN') ? beside(folder, given) : given;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
