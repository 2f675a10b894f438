/**
 * A line at the bottom of the terminal that is edited while other lines appear above it. Editing and history are those of
 * `node:readline`.
 */

import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline';
import { type Readable, Transform } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/**
 * Gives readline one character at a time. Of a chunk with several it takes all but the last for the end of the line, wherever
 * the cursor is: what is pasted into the middle would end up behind it.
 */
class Keys extends Transform {
  private readonly decoder = new StringDecoder('utf8');

  constructor() {
    super({ readableObjectMode: true });
  }

  override _transform(chunk: Uint8Array, _: BufferEncoding, done: () => void): void {
    for (const character of this.decoder.write(Buffer.from(chunk))) this.push(character);
    done();
  }
}

/** A terminal can give each key as it is pressed, instead of lines. */
type Keyboard = Readable & { setRawMode?(raw: boolean): unknown };

/** What a prompt tells. */
export interface PromptSink {
  line(text: string): void;
  /** Ctrl-D, or Ctrl-C on an empty line: nothing will be typed any more. */
  ended(): void;
}

/** An editable line. */
export class Prompt {
  private readonly input: Keyboard;
  private readonly keys: Keys = new Keys();
  private readonly output: NodeJS.WritableStream;
  private readonly readline: Interface;
  private open = true;

  constructor(
    input: Keyboard,
    output: NodeJS.WritableStream,
    prompt: string,
    words: readonly string[],
    sink: PromptSink,
  ) {
    this.input = input;
    this.output = output;
    input.setRawMode?.(true);
    input.pipe(this.keys);
    this.readline = createInterface({
      input: this.keys,
      output,
      prompt,
      terminal: true,
      historySize: 1_000,
      removeHistoryDuplicates: true,
      // Where there is nothing to complete a tab is a tab: what is pasted may well have some.
      completer: (line: string) => [
        line.startsWith('/') ? words.filter((word) => word.startsWith(line)) : [`${line}\t`],
        line,
      ],
    });
    this.readline.on('line', (text) => {
      sink.line(text);
      if (this.open) this.readline.prompt();
    });
    this.readline.on('SIGINT', () => {
      // As in a shell: first what is typed, then the shell.
      if (this.readline.line !== '') this.readline.write(null, { ctrl: true, name: 'u' });
      else this.readline.close();
    });
    // Left to readline the terminal stays as it is for the shell, and nothing is read when it is over: it takes `Keys` for one.
    this.readline.on('SIGTSTP', () => {
      input.setRawMode?.(false);
      // While the job is stopped no time passes; where nobody could go on with it, it is not stopped at all.
      setTimeout(() => {
        if (!this.open) return;
        input.setRawMode?.(true);
        this.readline.prompt(true);
      }, 100);
      // All of the job: npx, too.
      process.kill(0, 'SIGTSTP');
    });
    this.readline.on('close', () => {
      const was = this.open;
      this.open = false;
      this.input.unpipe(this.keys);
      this.input.setRawMode?.(false);
      if (was) sink.ended();
    });
    this.readline.prompt();
  }

  /** Prints lines above the one that is edited. */
  print(text: string): void {
    const { output, readline, open } = this;
    if (!open) {
      output.write(`${text}\n`);
      return;
    }
    const { rows } = readline.getCursorPos();
    moveCursor(output, 0, -rows);
    cursorTo(output, 0);
    clearScreenDown(output);
    // A line that is wrapped is drawn again from its first row: readline goes up to where it believes that to be.
    output.write(`${text}\n${'\n'.repeat(rows)}`);
    readline.prompt(true);
  }

  /** Gives the terminal back. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    moveCursor(this.output, 0, -this.readline.getCursorPos().rows);
    cursorTo(this.output, 0);
    clearScreenDown(this.output);
    this.readline.close();
  }
}
