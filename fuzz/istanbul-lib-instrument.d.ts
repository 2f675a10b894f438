/** What we use of a package that comes without types. */

declare module 'istanbul-lib-instrument' {
  export function createInstrumenter(options: {
    readonly esModules: boolean;
    readonly compact: boolean;
    readonly produceSourceMap?: boolean;
    /** Of Babel's parser. */
    readonly parserPlugins?: readonly string[];
  }): {
    instrumentSync(code: string, path: string): string;
    /** The counters of the last file, from nothing, as istanbul has them. */
    lastFileCoverage(): unknown;
  };
}
