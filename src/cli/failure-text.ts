/** Failures in words. */

import { printableText } from '../debug/lines.ts';

/** A failure in words: its text and, where an RFC says so, the section. */
export function describeError(error: Error): string {
  const text = printableText(error.message);
  const section = (error as { section?: unknown }).section;
  const told = typeof section === 'string' && (error as { closeCode?: unknown }).closeCode !== undefined;
  return told ? `${text} (${section})` : text;
}
