// Runs a script in QuickJS, which has `print` and nothing else: node quickjs.mjs MODULES VARIANT SCRIPT
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [, , modules, variant, script] = process.argv;
const require = createRequire(`${modules}/`);
const { newQuickJSWASMModuleFromVariant } = require('quickjs-emscripten');
const quickJs = await newQuickJSWASMModuleFromVariant(require(variant));
const context = quickJs.newContext();
const print = context.newFunction('print', (text) => console.log(context.getString(text)));
context.setProp(context.global, 'print', print);

const check = (result) => {
  if (!result.error) return result;
  console.error(context.dump(result.error));
  return process.exit(1);
};
check(context.evalCode(readFileSync(script, 'utf8'), script));
while (context.runtime.hasPendingJob()) check(context.runtime.executePendingJobs(1_000));
process.exit(0);
