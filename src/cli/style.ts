/**
 * Colours of a terminal, and when there are any: never in a pipe, never with `NO_COLOR` (https://no-color.org) or a dumb
 * terminal, always with `FORCE_COLOR`.
 */

import type { Painter, Part } from '../debug/lines.ts';
import type { Io, Output } from './io.ts';

/** Paints text, or leaves it as it is. */
export interface Style {
  readonly colours: boolean;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  magenta(text: string): string;
}

/** The style for what is written to `output`. */
export function styleFor(output: Output, environment: Io['environment']): Style {
  return styleOf(wantsColour(output, environment));
}

function wantsColour(output: Output, environment: Io['environment']): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = environment;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0';
  return output.isTTY && TERM !== 'dumb';
}

/** A style with colours, or the one that changes nothing. */
export function styleOf(colours: boolean): Style {
  const paint = (on: number, off: number) => (text: string) =>
    colours && text !== '' ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    colours,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
    magenta: paint(35, 39),
  };
}

/** How the parts of a traced line look. */
export function painterOf(style: Style): Painter {
  const parts: Record<Part, (text: string) => string> = {
    data: style.green,
    continuation: style.green,
    control: style.magenta,
    head: style.bold,
    dim: style.dim,
    good: style.cyan,
    bad: style.red,
  };
  return (part, text) => parts[part](text);
}
