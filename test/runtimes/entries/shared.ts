/** What the entries of the runtimes have in common. */

/** The port of the `ws` server that the runner has started; put in place when the entry is bundled. */
declare const PEER_PORT: number;
/** The port of the same over TLS. */
declare const SECURE_PEER_PORT: number;
/** The port of the runner's relay, which joins every two connections. */
declare const RELAY_PORT: number;

export const peerPort: number = PEER_PORT;
export const securePeerPort: number = SECURE_PEER_PORT;
export const relayPort: number = RELAY_PORT;

/** No case takes longer. */
export function patience(): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error('it takes more than 60 s')), 60_000);
    (timer as { unref?: () => void }).unref?.();
  });
}
