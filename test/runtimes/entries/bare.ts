/** An engine of JavaScript with nothing around it: QuickJS, JavaScriptCore's shell. `print` is all it has to speak with. */
import { BARE, runSuite } from '../suite.ts';

declare const print: (line: string) => void;

// An interpreter takes its time.
void runSuite({ say: (line) => print(line), shells: BARE, largest: 524_288 });
