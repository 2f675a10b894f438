/** Header fields as callers give them, read into pairs. What a name and a value may hold is the handshake's to say. */

import { checkOwn, show } from '../connection/options.ts';
import { UsageError } from '../errors.ts';

/**
 * Header fields to send: a record (an array sends the field once for each value), pairs of name and value, or lines
 * `Name: value` joined with CRLF.
 */
export type HeaderList =
  | Readonly<Record<string, string | readonly string[]>>
  | Iterable<readonly [name: string, value: string]>
  | string;

/**
 * The pairs of `list`, copied: what becomes of it later changes nothing.
 *
 * @param name of the option
 * @throws UsageError naming what is wrong; `where` says whose headers they are
 */
export function readHeaders(list: unknown, where: string, name = 'headers'): (readonly [string, string])[] {
  if (list === undefined) return [];
  if (typeof list === 'string') return fromLines(list, where, name);
  if (typeof list !== 'object' || list === null) {
    throw new UsageError('INVALID_OPTION', `${where}: '${name}' must be a record, pairs or lines, not ${show(list)}`);
  }
  if (typeof (list as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function') {
    return [...(list as Iterable<unknown>)].map((pair) => {
      if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((part) => typeof part === 'string')) {
        throw new UsageError('INVALID_OPTION', `${where}: each of '${name}' must be a pair of a name and a value`);
      }
      const [field, value] = pair as unknown as readonly [string, string];
      return [field, value] as const;
    });
  }
  checkOwn(list, `${where}: ${name}`);
  const pairs: (readonly [string, string])[] = [];
  for (const [field, value] of Object.entries(list as Record<string, unknown>)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (typeof each !== 'string') {
        throw new UsageError(
          'INVALID_OPTION',
          `${where}: '${name}': the value of ${JSON.stringify(field)} must be a string, not ${show(each)}`,
        );
      }
      pairs.push([field, each]);
    }
  }
  return pairs;
}

function fromLines(text: string, where: string, name: string): (readonly [string, string])[] {
  const lines = text.split('\r\n');
  // The last line may be closed like the others.
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => {
    const colon = line.indexOf(':');
    if (colon < 1) {
      throw new UsageError(
        'INVALID_OPTION',
        `${where}: each line of '${name}' must be 'Name: value', not ${JSON.stringify(line)}`,
      );
    }
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')] as const;
  });
}
