/** Finds the few actions that a failure needs: leaves out halves, quarters, single ones, as long as it still fails (ddmin). */

import type { Action, Plan } from './plan.ts';

/**
 * The plan with only those actions, sessions and clients that matter.
 *
 * @param fails whether a plan fails; it is called at most `most` times
 */
export async function shrink(plan: Plan, fails: (plan: Plan) => Promise<boolean>, most = 300): Promise<Plan> {
  let tries = 0;
  const less = async <T>(all: readonly T[], with_: (rest: readonly T[]) => Plan): Promise<readonly T[]> => {
    let kept = all;
    for (let parts = 2; kept.length > 0 && tries < most; ) {
      const size = Math.ceil(kept.length / parts);
      let smaller: readonly T[] | null = null;
      for (let at = 0; at < kept.length && tries < most; at += size) {
        const rest = [...kept.slice(0, at), ...kept.slice(at + size)];
        tries++;
        if (await fails(with_(rest))) {
          smaller = rest;
          break;
        }
      }
      if (smaller !== null) {
        kept = smaller;
        parts = Math.max(2, parts - 1);
      } else if (size === 1) {
        break;
      } else {
        parts = Math.min(kept.length, parts * 2);
      }
    }
    return kept;
  };
  let best = plan;
  best = { ...best, sessions: await less(best.sessions, (sessions) => ({ ...best, sessions })) };
  best = { ...best, clients: await less(best.clients, (clients) => ({ ...best, clients })) };
  best = { ...best, joined: await less(best.joined, (joined) => ({ ...best, joined })) };
  const keys = new Set([...best.sessions, ...best.clients, ...best.joined].map(({ key }) => key));
  const of = ({ session }: Action): boolean => keys.has(session.split('.')[0]!);
  const own = { ...best, actions: best.actions.filter(of) };
  if (await fails(own)) best = own;
  return { ...best, actions: await less(best.actions, (actions) => ({ ...best, actions })) };
}

/** An action as a line. */
export function printAction({ session, side, kind, at, phase, after, size }: Action): string {
  const when = at === null ? `${after} steps into ${phase}` : `${at} ms after it began`;
  return `${session} ${side}: ${kind} (${size.toFixed(3)}), ${when}`;
}
