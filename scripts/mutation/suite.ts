/**
 * The tests of the engine in one process that stays warm: loads test files and sources of its own accord, anew for each mutant, and runs
 * single tests of them. Not a test runner for people: it knows what these tests use of Vitest, and says no more than whether one failed.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compileFunction } from 'node:vm';
import { transformSync } from 'esbuild';

/** Mutants by switch; the one in the first place is on. */
export const active = new Int32Array(1);

/** Raised by a loop that goes on for much longer than without a mutant. */
class Endless extends Error {
  override readonly name = 'Endless';
}

let allowed = Infinity;
let taken = 0;

function step(): void {
  if (++taken > allowed) throw new Endless('a loop does not end');
}

/** From now on loops may take so many steps. */
export function allowSteps(count: number): void {
  allowed = count;
  taken = 0;
}

/** The steps that loops took since then. */
export function stepsTaken(): number {
  return taken;
}

type Hook = () => unknown;

export interface Test {
  readonly name: string;
  run(): Promise<void>;
}

export type Exports = Record<string, unknown>;

type Factory = (
  exports: Exports,
  require: (specifier: string) => unknown,
  module: { exports: Exports },
  m: Int32Array,
  step: () => void,
  hit: (id: number) => boolean,
) => void;

/** What becomes of the text of a file before it is compiled. */
export type Rewrite = (path: string, text: string) => string;

const replaced = new Map<string, unknown>();

/** From now on the tests get this in the place of a package. */
export function replaceModule(name: string, exports: unknown): void {
  replaced.set(name, exports);
}

/** Compiled files. Their modules are made anew in each `World`. */
export class Compiled {
  readonly #factories = new Map<string, Factory>();
  readonly #rewrite: Rewrite;
  readonly hit: (id: number) => boolean;

  constructor(rewrite: Rewrite, hit: (id: number) => boolean = () => false) {
    this.#rewrite = rewrite;
    this.hit = hit;
  }

  factory(path: string): Factory {
    let factory = this.#factories.get(path);
    if (factory === undefined) {
      const { code } = transformSync(this.#rewrite(path, readFileSync(path, 'utf8')), {
        loader: 'ts',
        format: 'cjs',
        target: 'node20',
        sourcefile: path,
        supported: { 'dynamic-import': false },
        define: {
          'import.meta.dirname': JSON.stringify(dirname(path)),
          'import.meta.filename': JSON.stringify(path),
          'import.meta.url': JSON.stringify(`file://${path}`),
        },
        logLevel: 'error',
      });
      factory = compileFunction(code, ['exports', 'require', 'module', '$m', '$step', '$hit'], {
        filename: path,
      }) as Factory;
      this.#factories.set(path, factory);
    }
    return factory;
  }
}

/** One set of modules, as a fresh process would have it. */
export class World {
  readonly #compiled: Compiled;
  readonly #modules = new Map<string, { exports: Exports }>();
  readonly #files = new Map<string, Test[]>();
  readonly #collector = new Collector();

  constructor(compiled: Compiled) {
    this.#compiled = compiled;
  }

  /** The files loaded so far. */
  get paths(): ReadonlySet<string> {
    return new Set(this.#modules.keys());
  }

  /** The tests of a file, in its order. Throws what loading it throws. */
  tests(path: string): readonly Test[] {
    let tests = this.#files.get(path);
    if (tests === undefined) {
      tests = this.#collector.collect(() => this.load(path));
      this.#files.set(path, tests);
    }
    return tests;
  }

  load(path: string): Exports {
    const known = this.#modules.get(path);
    if (known !== undefined) return known.exports;
    const module = { exports: {} as Exports };
    this.#modules.set(path, module);
    const outside = createRequire(path);
    const require = (specifier: string): unknown => {
      if (specifier === 'vitest') return { ...this.#collector.words, expect };
      if (specifier.startsWith('.')) return this.load(join(dirname(path), specifier));
      return replaced.get(specifier) ?? outside(specifier);
    };
    this.#compiled.factory(path)(module.exports, require, module, active, step, this.#compiled.hit);
    return module.exports;
  }
}

interface Suite {
  readonly name: string;
  readonly parent: Suite | null;
  readonly before: Hook[];
  readonly after: Hook[];
}

function suite(name: string, parent: Suite | null): Suite {
  return { name, parent, before: [], after: [] };
}

/** What `describe` and `it` say. */
class Collector {
  #tests: Test[] = [];
  #suite: Suite = suite('', null);

  /** The tests that are told of meanwhile, by a file or by what it imports. */
  collect(load: Hook): Test[] {
    this.#tests = [];
    this.#suite = suite('', null);
    load();
    return this.#tests;
  }

  get words(): Exports {
    const describe = (name: string, body: Hook): void => {
      const outer = this.#suite;
      this.#suite = suite(`${outer.name}${name} > `, outer);
      const result = body();
      if (result instanceof Promise) throw new Error(`${name}: describe() is not awaited here`);
      this.#suite = outer;
    };
    const it = (name: string, a: unknown, b?: unknown): void => {
      // Options may stand before the body; their time limits are not for here.
      const body = typeof a === 'function' ? a : b;
      this.#tests.push(testOf(this.#suite, name, body as Hook));
    };
    const each = (word: typeof it) => (rows: readonly unknown[]) => {
      return (name: string, body: (...row: unknown[]) => unknown, options?: unknown): void => {
        rows.forEach((row, i) => {
          word(`${name} [${i}]`, () => (Array.isArray(row) ? body(...row) : body(row)), options);
        });
      };
    };
    return {
      describe: Object.assign(describe, { each: each(describe as typeof it) }),
      it: Object.assign(it, { each: each(it) }),
      test: Object.assign(it, { each: each(it) }),
      beforeEach: (hook: Hook) => this.#suite.before.push(hook),
      afterEach: (hook: Hook) => this.#suite.after.push(hook),
    };
  }
}

function testOf(parent: Suite, name: string, body: Hook): Test {
  return {
    name: parent.name + name,
    async run() {
      const suites: Suite[] = [];
      for (let each: Suite | null = parent; each !== null; each = each.parent) suites.unshift(each);
      try {
        for (const { before } of suites) for (const hook of before) await hook();
        await body();
      } finally {
        for (const { after } of suites.reverse()) for (const hook of after) await hook();
      }
    },
  };
}

const vitest = await import('@vitest/expect');
vitest.chai.use(vitest.JestExtend);
vitest.chai.use(vitest.JestChaiExpect);
vitest.chai.use(vitest.JestAsymmetricMatchers);
const expect = Object.assign(
  (value: unknown, message?: string) => vitest.chai.expect(value, message),
  vitest.chai.expect,
);
