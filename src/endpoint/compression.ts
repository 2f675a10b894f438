/** The option `compression`: what stands behind it is an extension like any other. */

import { checkRecord, type Platform } from '../connection/options.ts';
import { UsageError } from '../errors.ts';
import type { Extension } from '../extension/extension.ts';
import type { DeflateCodec } from '../extension/permessage-deflate/codec.ts';
import type { PermessageDeflateOptions } from '../extension/permessage-deflate/options.ts';
import { permessageDeflate, pureDeflate } from '../extension/permessage-deflate/permessage-deflate.ts';

/** Whether and how messages are compressed: off, with the defaults, or as it says. */
export type Compression = boolean | PermessageDeflateOptions;

/** Enough for any program that does not make up options as it goes. */
const MOST_SHARED = 16;
const shared = /* @__PURE__ */ new WeakMap<DeflateCodec, Map<string, Extension>>();

/**
 * The extensions of a connection, compression behind the others.
 *
 * @throws UsageError when the option is neither a boolean nor an object, or what it says is wrong
 */
export function withCompression(
  extensions: readonly Extension[],
  value: Compression | undefined,
  platform: Platform,
  where: string,
): readonly Extension[] {
  if (value === undefined || value === false) return extensions;
  if (value !== true && (typeof value !== 'object' || value === null || Array.isArray(value))) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'compression' must be a boolean or an object`);
  }
  if (value !== true) checkRecord(value, `${where}: compression`);
  const compression = extensionFor(value === true ? {} : value, platform.deflate ?? pureDeflate);
  if (extensions.some(({ name }) => name === compression.name)) {
    throw new UsageError(
      'INVALID_OPTION',
      `${where}: option 'compression' and one of 'extensions' both are ${compression.name}: choose one`,
    );
  }
  return [...extensions, compression];
}

/** Clients with the same options share an extension, and so what it shares among its connections. */
function extensionFor(options: PermessageDeflateOptions, codec: DeflateCodec): Extension {
  const made = permessageDeflate({ ...options, codec: options.codec === undefined ? codec : options.codec });
  if (options.codec !== undefined) return made;
  // All of them have been checked: they are numbers, booleans, words, and `null`.
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const key = given
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join();
  const known = shared.get(codec) ?? new Map<string, Extension>();
  shared.set(codec, known);
  const extension = known.get(key) ?? made;
  if (known.size < MOST_SHARED) known.set(key, extension);
  return extension;
}
