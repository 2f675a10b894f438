/** What can go wrong, in which phase it can, and why not in the others. */

import type { Phase } from '../src/index.ts';
import type { Action } from './plan.ts';
import type { Peer } from './watch.ts';

const NETWORK = [
  'shred',
  'stall',
  'partial write',
  'half-open',
  'silence',
  'reset',
  'one-sided reset',
  'end',
  'last byte, end',
  'last byte, reset',
  'last byte, silence',
  'garbage',
] as const;
const PROCESS = ['clock forward', 'clock back', 'freeze', 'early alarm', 'slow reader', 'terminate', 'close'] as const;
const LISTENER = ['listener throws', 'listener rejects', 'slow listener', 'operation in a listener'] as const;
/** Between a gateway and its backend; the phase is that of the gateway's endpoint. */
const BACKEND = [
  'backend shred',
  'backend partial write',
  'backend stall',
  'backend slow reader',
  'backend freeze',
  'backend reset',
  'backend silence',
  'backend end',
  'backend misframes',
] as const;
export type BackendFault = (typeof BACKEND)[number];

export const FAULT_KINDS = [...NETWORK, ...PROCESS, ...LISTENER, ...BACKEND] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export const LISTENER_KINDS: ReadonlySet<string> = new Set<string>(LISTENER);
export const BACKEND_KINDS: ReadonlySet<FaultKind> = new Set<FaultKind>(BACKEND);
const NETWORK_KINDS: ReadonlySet<string> = new Set<string>(NETWORK);

/** Why a fault cannot strike in a phase; empty if it can. */
export function whyNot(kind: FaultKind, phase: Phase): string {
  if (phase === 'close-received') return 'nobody sees it: a Close is answered in the call that reads it';
  if (phase === 'closed' && NETWORK_KINDS.has(kind)) return 'it has left its transport';
  if (phase === 'connecting' && LISTENER_KINDS.has(kind)) return 'no listener is called before open';
  return '';
}

export function isPossible(kind: FaultKind, phase: Phase): boolean {
  return whyNot(kind, phase) === '';
}

export function isFault(kind: Action['kind']): kind is FaultKind {
  return (FAULT_KINDS as readonly string[]).includes(kind);
}

function isBehind(kind: FaultKind): kind is BackendFault {
  return BACKEND_KINDS.has(kind);
}

/** Milliseconds that may pass without breaking anything. */
export const HARMLESS = 300;

/** Lets a fault of the network or the process strike; false if there was nothing to strike at. */
export function strike(kind: FaultKind, peer: Peer, size: number, seed: number): boolean {
  const { end, host, session, other } = peer;
  const far = other.end;
  if (isBehind(kind)) return session.joined?.strike(kind, size) ?? false;
  switch (kind) {
    case 'shred':
      end.shred(1 + Math.floor(size * 400));
      return true;
    case 'stall':
      end.stall(session.calm ? HARMLESS * size : 20_000 * size * size);
      if (!session.calm) session.damage(kind);
      return true;
    case 'partial write':
      end.narrow(1 + Math.floor(size * 60));
      return true;
    case 'half-open':
      end.deafen();
      break;
    case 'silence':
      end.mute();
      far.mute();
      break;
    case 'reset':
      end.reset();
      far.reset();
      break;
    case 'one-sided reset':
      end.reset();
      break;
    case 'end':
      far.finish();
      break;
    case 'last byte, end':
      end.afterBytes(Math.floor(size * 40), () => {
        end.mute();
        end.ended();
        far.reset();
      });
      break;
    case 'last byte, reset':
      end.afterBytes(Math.floor(size * 40), () => {
        end.reset();
        far.reset();
      });
      break;
    case 'last byte, silence':
      end.afterBytes(Math.floor(size * 40), () => {
        end.mute();
        far.mute();
      });
      break;
    case 'garbage': {
      const bytes = garbage(size, seed);
      const fatal = peer.atFrameBoundary && isFatal(seed, peer.role);
      peer.trusting = false;
      // What the peer hears of it may be anything that bytes can make an endpoint say: but it says it legally.
      if (!end.inject(bytes)) return false;
      if (fatal && peer.phase === 'open') peer.broken(`took ${bytes.slice(0, 8).join(' ')} for a frame`);
      break;
    }
    case 'clock forward':
      host.jump(40_000 * size * size);
      session.damageHost(host, kind);
      return true;
    case 'clock back':
      host.jump(-40_000 * size * size);
      session.damageHost(host, kind);
      return true;
    case 'freeze':
      host.freeze(30_000 * size * size * size);
      session.damageHost(host, kind);
      return true;
    case 'early alarm':
      host.wakeEarly();
      return true;
    case 'slow reader': {
      peer.endpoint.pause();
      session.world.later(host, 15_000 * size, () => peer.endpoint.resume());
      break;
    }
    case 'terminate':
      peer.endpoint.terminate();
      break;
    case 'close':
      peer.owes(
        'close',
        peer.endpoint.close(size < 0.5 ? 1000 : 4000 + Math.floor(size * 999), 'b'.repeat(size * 123)),
      );
      return true;
    default:
      throw new Error(`${kind} strikes inside of a listener`);
  }
  session.damage(kind);
  return true;
}

/** Frames that are wrong in one way; the first two only on their way to a server: a client may be without limits. */
const WRONG: readonly (readonly number[])[] = [
  [0x81, 0x05, 72, 101, 108, 108, 111],
  [0x82, 0x7f, 0, 0, 0, 0, 0x40, 0, 0, 0],
  [0x83, 0x80, 1, 2, 3, 4],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x88, 0x01, 0x03],
  [0x88, 0x81, 0, 0, 0, 0, 3],
  [0x80, 0x00],
  [0x0d, 0x0a, 0x0d, 0x0a],
  [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe],
];

/** Wrong frames, or noise. */
function garbage(size: number, seed: number): Uint8Array {
  const shape = WRONG[seed % (WRONG.length + 1)];
  if (shape !== undefined) return Uint8Array.from(shape);
  return Uint8Array.from({ length: 1 + Math.floor(size * 200) }, (_, i) => (seed >>> (i & 15)) * (i + 7));
}

/** Whether that garbage must end a connection at once. */
function isFatal(seed: number, role: 'client' | 'server'): boolean {
  const shape = seed % (WRONG.length + 1);
  return shape < WRONG.length && (shape > 1 || role === 'server');
}
