/** What the demo prints: aligned lines, in colour if the terminal has it and NO_COLOR is not set. */

const STYLES = { bold: '1', dim: '2', red: '31', green: '32', cyan: '36' } as const;

export interface Printer {
  line(text?: string): void;
  title(name: string, text: string): void;
  step(ok: boolean, name: string, words: readonly string[], milliseconds: number): void;
  summary(passed: number, failed: number): void;
}

export function printerTo(stream: NodeJS.WriteStream): Printer {
  const coloured = stream.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
  const paint = (style: keyof typeof STYLES, text: string) =>
    coloured ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
  // Whoever read what is printed may be gone (`npm start | head`): the server stays up.
  stream.on('error', () => {});
  const line = (text = '') => {
    stream.write(`${text}\n`);
  };
  return {
    line,
    title: (name, text) => line(`\n  ${paint('bold', name)}  ${paint('cyan', text)}\n`),
    step(ok, name, words, took) {
      const mark = ok ? paint('green', '✓') : paint('red', '✗');
      const [first = '', ...rest] = words;
      const time = paint('dim', milliseconds(took).padStart(9));
      line(
        `  ${mark} ${paint('bold', name.padEnd(13))} ${time}   ${first.padEnd(26)}  ${paint('dim', rest.join('  '))}`.trimEnd(),
      );
    },
    summary(passed, failed) {
      const counts =
        failed === 0 ? paint('green', `${passed} steps passed`) : paint('red', `${passed} passed, ${failed} failed`);
      line(`\n  ${counts}\n`);
    },
  };
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  const mebi = count >= 1024 * 1024;
  const value = count / (mebi ? 1024 * 1024 : 1024);
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${mebi ? 'MiB' : 'KiB'}`;
}

export function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}
