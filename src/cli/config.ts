/**
 * The configuration file of `sansocket serve`, with the keys of the G2O server's JSON file. Every key is checked, and what is
 * wrong is named: nothing is ignored, and nothing is guessed.
 */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AddressList } from '../server/address-list.ts';
import type { ServerTlsOptions } from '../transport/node/tls.ts';
import { closest } from './arguments.ts';
import { CommandError } from './io.ts';

/** What the file says, its defaults filled in. */
export interface ServeConfig {
  /** Default 8080. */
  readonly port: number;
  /** Everything is sent as binary. Default false. */
  readonly sendBinary: boolean;
  /** Addresses and networks that may connect. Default none: nobody may. */
  readonly whitelist: readonly string[];
  /** Null: plain text. */
  readonly tls: ServerTlsOptions | null;
}

/** @throws CommandError naming the file, and the key that is wrong */
export function readConfig(path: string): ServeConfig {
  return parseConfig(readJson(path), path);
}

/** @throws CommandError if the file cannot be read, or is not JSON */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(`cannot read --config: ${(error as Error).message}`);
  }
  try {
    // Editors of some systems write a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new CommandError(`${path} is not JSON: ${(error as Error).message}`);
  }
}

/** @throws CommandError naming the key that is wrong; files that it names are looked for beside `path` */
export function parseConfig(value: unknown, path: string): ServeConfig {
  const top = new Section(value, path, '');
  const port = top.read('port', 8080, isPort, 'a whole number from 0 to 65535');
  const sendBinary = top.read('sendBinary', false, isBoolean, 'true or false');
  const whitelist = top.read('whitelist', [], isTexts, 'an array of addresses, as ["127.0.0.1", "10.0.0.0/8"]');
  try {
    new AddressList(whitelist);
  } catch (error) {
    top.refuse('whitelist', `cannot be used: ${(error as Error).message}`);
  }
  const tls = top.section('tls');
  top.finish();
  const secure = tls === null ? null : readTls(tls, dirname(path));
  tls?.finish();
  return { port, sendBinary, whitelist, tls: secure };
}

function readTls(tls: Section, directory: string): ServerTlsOptions | null {
  const enabled = tls.read('enabled', false, isBoolean, 'true or false');
  const certFile = tls.read('certFile', '', isText, 'the path of a file');
  const keyFile = tls.read('keyFile', '', isText, 'the path of a file');
  const caFile = tls.read('caFile', 'NONE', isText, "'NONE', 'SYSTEM' or the path of a file");
  // It is about the names of servers, and means nothing on one; files have it all the same.
  tls.read('disableHostnameValidation', false, isBoolean, 'true or false');
  if (!enabled) return null;
  // There is no way back to plain text: who asked for TLS must not get less without a word.
  for (const [key, file] of [
    ['certFile', certFile],
    ['keyFile', keyFile],
  ] as const) {
    if (file === '') tls.refuse(key, 'is missing, and tls.enabled is true');
  }
  if (caFile === '')
    tls.refuse('caFile', "is empty: give a file, 'SYSTEM', or 'NONE' to ask clients for no certificate");
  const cert = tls.file('certFile', resolve(directory, certFile));
  const key = tls.file('keyFile', resolve(directory, keyFile));
  if (caFile === 'NONE') return { cert, key };
  if (caFile === 'SYSTEM') return { cert, key, ca: 'SYSTEM', requestCert: true };
  return { cert, key, ca: tls.file('caFile', resolve(directory, caFile)) };
}

/** One object of the file: knows which keys were asked for, so that others can be refused. */
class Section {
  private readonly values: Readonly<Record<string, unknown>>;
  private readonly path: string;
  private readonly prefix: string;
  private readonly known: string[] = [];

  constructor(value: unknown, path: string, prefix: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new CommandError(`${path}: ${prefix === '' ? 'the file' : prefix.slice(0, -1)} must be an object, { … }`);
    }
    this.values = value as Record<string, unknown>;
    this.path = path;
    this.prefix = prefix;
  }

  read<T>(key: string, absent: T, check: (value: unknown) => value is T, wanted: string): T {
    this.known.push(key);
    if (!Object.hasOwn(this.values, key)) return absent;
    const value = this.values[key];
    if (!check(value)) this.refuse(key, `must be ${wanted}, not ${JSON.stringify(value)}`);
    return value as T;
  }

  section(key: string): Section | null {
    this.known.push(key);
    return Object.hasOwn(this.values, key) ? new Section(this.values[key], this.path, `${key}.`) : null;
  }

  /** The content of a file that a key names. */
  file(key: string, path: string): string {
    let text = '';
    try {
      text = readFileSync(path, 'latin1');
    } catch (error) {
      this.refuse(key, `cannot be read: ${(error as Error).message}`);
    }
    if (!text.includes('-----BEGIN')) this.refuse(key, `names a file that is not PEM: ${path}`);
    return text;
  }

  refuse(key: string, why: string): never {
    throw new CommandError(`${this.path}: ${this.prefix}${key} ${why}`);
  }

  /** @throws CommandError for a key that nobody asked for */
  finish(): void {
    for (const key of Object.keys(this.values)) {
      if (this.known.includes(key)) continue;
      const meant = closest(key, this.known);
      const hint = meant === null ? `there are ${this.known.join(', ')}` : `did you mean ${this.prefix}${meant}?`;
      this.refuse(key, `is no key of this file; ${hint}`);
    }
  }
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}
