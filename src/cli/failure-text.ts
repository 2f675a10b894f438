/** Failures in words. */

import { printableText } from '../debug/lines.ts';

/** Of a failure of TLS: a thread, a number, and a file of OpenSSL. */
const OPENSSL = /[0-9A-F]+:error:[\s\S]*/;

/** A failure in words: its text and, where an RFC says so, the section. */
export function describeError(error: Error): string {
  const text = printableText(error.message.replace(OPENSSL, (all) => inWords(error, all)));
  const section = (error as { section?: unknown }).section;
  const told = typeof section === 'string' && (error as { closeCode?: unknown }).closeCode !== undefined;
  return told ? `${text} (${section})` : text;
}

function inWords({ cause }: Error, all: string): string {
  const { code, reason } = (cause ?? {}) as { code?: unknown; reason?: unknown };
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'what answers there does not speak TLS: is it ws: or http:?';
  return typeof reason === 'string' ? `TLS: ${reason}` : all;
}
