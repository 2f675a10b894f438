/** What an `authorize` hook answered, read as strictly as it must be: what is misunderstood lets somebody in. */

import { UsageError } from '../errors.ts';
import type { Acceptance, Refusal, Verdict } from './options.ts';
import { checkOptions } from './registry.ts';

/** `status` stands for undefined here. */
const ACCEPTANCE = ['status', 'headers', 'subprotocol', 'context'];
const EITHER = [...ACCEPTANCE, 'body'];

/**
 * What it comes to: an acceptance, another answer, or false for a plain no.
 *
 * @throws UsageError for anything else, and for an object with a part that there is not: a misspelt status above all
 */
export function readVerdict<Context>(verdict: Verdict<Context>): Acceptance<Context> | Refusal | false {
  if (verdict === false) return false;
  if (verdict === undefined || verdict === true) return {};
  if (typeof verdict !== 'object' || verdict === null || Array.isArray(verdict)) {
    throw new UsageError('INVALID_ARGUMENT', `authorize must answer true, false or an object, not ${String(verdict)}`);
  }
  checkOptions('authorize', verdict, verdict.status === undefined ? ACCEPTANCE : EITHER);
  return verdict;
}

/** Whether that is an answer other than 101. */
export function isRefusal(answer: Acceptance | Refusal): answer is Refusal {
  return answer.status !== undefined;
}
