/** What the hooks of a server answered, read as strictly as it must be: what is misunderstood lets somebody in. */

import { show } from '../connection/options.ts';
import { readHeaders } from '../endpoint/header-list.ts';
import { UsageError } from '../errors.ts';
import { chooseSubprotocol } from '../handshake/negotiate.ts';
import type { Request } from '../handshake/request.ts';
import type { Acceptance, Refusal, ServerSettings, Verdict } from './options.ts';
import { checkOptions } from './registry.ts';

/** `status` stands for undefined here. */
const ACCEPTANCE = ['status', 'headers', 'subprotocol', 'context'];
const EITHER = [...ACCEPTANCE, 'body'];

/**
 * What `authorize` comes to: an acceptance, another answer, or false for a plain no.
 *
 * @throws UsageError for anything else, and for an object with a part that there is not: a misspelt status above all
 */
export function readVerdict<Context>(verdict: Verdict<Context>): Acceptance<Context> | Refusal | false {
  if (verdict === false) return false;
  if (verdict === undefined || verdict === true) return {};
  if (typeof verdict !== 'object' || verdict === null || Array.isArray(verdict)) {
    throw new UsageError('INVALID_ARGUMENT', `authorize must answer true, false or an object, not ${show(verdict)}`);
  }
  checkOptions('authorize', verdict, verdict.status === undefined ? ACCEPTANCE : EITHER);
  return verdict;
}

/** Whether that is an answer other than 101. */
export function isRefusal(answer: Acceptance | Refusal): answer is Refusal {
  return answer.status !== undefined;
}

/**
 * The subprotocol that the option `subprotocols` chooses, or `''`.
 *
 * @throws UsageError when its function answers with neither a string nor null
 */
export function subprotocolFor({ subprotocols }: Pick<ServerSettings, 'subprotocols'>, request: Request): string {
  const offered = request.subprotocols;
  if (subprotocols === undefined || offered.length === 0) return '';
  if (typeof subprotocols !== 'function') return chooseSubprotocol(offered, subprotocols) ?? '';
  const chosen: unknown = subprotocols(offered, request) ?? '';
  if (typeof chosen === 'string') return chosen;
  disown(chosen);
  throw new UsageError('INVALID_ARGUMENT', `subprotocols must choose a string or null, not ${show(chosen)}`);
}

/**
 * The headers of a 101: those of the option, and those of the acceptance.
 *
 * @throws UsageError for what are no headers, a promise among them, which would be a record without fields
 */
export function headersFor(
  { headers }: Pick<ServerSettings, 'headers'>,
  request: Request,
  acceptance: Acceptance,
): readonly (readonly [string, string])[] {
  let own = headers;
  if (typeof own === 'function') {
    const made: unknown = own(request);
    if (isPromise(made)) {
      disown(made);
      throw new UsageError('INVALID_ARGUMENT', 'headers must be made at once: there is no promise');
    }
    own = readHeaders(made, 'headers');
  }
  return acceptance.headers === undefined ? own : [...own, ...readHeaders(acceptance.headers, 'authorize')];
}

/** Whether it can be waited for. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | null | undefined)?.then === 'function';
}

/** What is refused may be a promise all the same: should it fail, nobody waits for it, and the process must not end. */
export function disown(value: unknown): void {
  if (isPromise(value)) void value.then(undefined, ignore);
}

function ignore(): void {}
