/** Failures in words. */

import { printableText } from '../debug/lines.ts';

/** Of a failure of TLS: a thread, a number, a library and a function of OpenSSL; then its reason, and where it was found. */
const OPENSSL = /[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:([^:]*)[\s\S]*/;

/** What OpenSSL says of a peer that speaks something else, from either side. */
const OTHERS: Readonly<Record<string, string>> = {
  'wrong version number': 'what answers there does not speak TLS: is it ws: or http:?',
  'http request': 'what came is HTTP without TLS: the URL begins with ws: or http:',
};

/** A failure in words: its text and, where an RFC says so, the section. */
export function describeError(error: Error): string {
  const text = describeReason(error.message);
  const section = (error as { section?: unknown }).section;
  const told = typeof section === 'string' && (error as { closeCode?: unknown }).closeCode !== undefined;
  return told ? `${text} (${section})` : text;
}

/** The same of the text of a failure. */
export function describeReason(text: string): string {
  return printableText(text.replace(OPENSSL, (_, reason: string) => OTHERS[reason] ?? `TLS: ${reason}`));
}
