/**
 * Looking at connections from outside, for authors of shells, proxies and tools: what passes on a wire as records, records as
 * lines, and a tap that is put before a transport. It imports in any runtime: `sansocket/debug`.
 *
 * @packageDocumentation
 */

export { formatDebugRecord, formatRecord, type Painter, type Part, printableText } from './lines.ts';
export {
  type Debug,
  type DebugLevel,
  type DebugOptions,
  type DebugRecord,
  type DebugSink,
  LineDebug,
} from './options.ts';
export type {
  BytesRecord,
  EndRecord,
  FaultRecord,
  FrameRecord,
  HeadRecord,
  Side,
  StateRecord,
  WireRecord,
} from './records.ts';
export { Tap, type Watched } from './tap.ts';
export { type SeenRequest, WireReader, type WireReaderOptions } from './wire-reader.ts';
