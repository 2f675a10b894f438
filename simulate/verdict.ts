/** What must be true of a session when everything has come to rest, and when it is over. */

import type { Session } from './session.ts';

/** After these a side hears nothing more of the other. */
const CUTS = ['half-open', 'silence', 'last byte, silence', 'last byte, end', 'end'];

/** After a long silence: where both look for each other, half-open links were noticed. */
export function checkNoticed({ damages, client, server, joined }: Session): void {
  if (!CUTS.some((how) => damages.has(how))) return;
  for (const peer of [client, server]) {
    const looks = [peer, peer.other].every(({ settings }) => Number.isFinite(settings.connection.pingInterval));
    const held = peer === server && joined?.clientHeld === true;
    if (looks && !held && !peer.over) peer.broken('nobody noticed that the peer is gone');
  }
}

/** Of a session that is over, or should be. */
export function judge({ client, server, damages, joined, reconnecting }: Session): void {
  const objection = joined?.objection() ?? '';
  if (objection !== '') server.broken(objection);
  for (const peer of [client, server]) {
    if (!peer.over) peer.broken('never closed');
    if (peer.owed.size > 0) peer.broken(`owes ${[...peer.owed].map(([what, n]) => `${n} × ${what}`).join(', ')}`);
    if (damages.size > 0) continue;
    const { closeEvent } = peer;
    if (!peer.opened) peer.broken('never opened, though nothing befell it');
    if (closeEvent?.clean !== true) {
      peer.broken(`ended with ${closeEvent?.code} ${closeEvent?.error?.code}, though nothing befell it`);
    }
    if (joined !== null && (peer === server ? joined.clientLeft : joined.dropped)) continue;
    const lost = peer.sent.length - peer.delivered;
    if (lost > 0 && !(peer === client && reconnecting !== null)) {
      peer.broken(`${lost} messages did not arrive, though nothing befell them`);
    }
  }
}
