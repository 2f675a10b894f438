/**
 * The life of a connection as one table (RFC 6455 sections 4, 5.5.1 and 7.1). Everything that moves a connection from one
 * phase to another is here. This file does not know its role: client and server obey the same table.
 */

/** Where a connection is. */
export type Phase = 'connecting' | 'open' | 'close-sent' | 'close-received' | 'draining' | 'failing' | 'closed';

/** What can happen to it. */
export type Input = 'established' | 'refused' | 'close-out' | 'close-in' | 'fail' | 'transport-gone' | 'deadline';

/** The four states of the WebSocket API. */
export type ReadyState = 'connecting' | 'open' | 'closing' | 'closed';

/** `ignored`: legal and without effect. An absent input cannot happen in that phase. */
type Row = { readonly [I in Input]?: Phase | 'ignored' };

/** The transition table; docs/state-machine.md is generated from it. */
export const TRANSITIONS: { readonly [P in Phase]: Row } = {
  // §4: until the opening handshake is over.
  connecting: {
    established: 'open',
    refused: 'failing',
    'close-out': 'failing',
    fail: 'failing',
    'transport-gone': 'closed',
    deadline: 'closed',
  },
  // §4.1, §4.2.2: data may flow.
  open: { 'close-out': 'close-sent', 'close-in': 'close-received', fail: 'failing', 'transport-gone': 'closed' },
  // §7.1.2: our Close is queued, the peer's is awaited; its data is still delivered.
  'close-sent': {
    'close-out': 'ignored',
    'close-in': 'draining',
    fail: 'failing',
    'transport-gone': 'closed',
    deadline: 'closed',
  },
  // §5.5.1: the peer's Close came and must be answered.
  'close-received': {
    'close-out': 'draining',
    'close-in': 'ignored',
    fail: 'failing',
    'transport-gone': 'closed',
    deadline: 'closed',
  },
  // §7.1.1: both Closes are exchanged; the transport ends, the server's side first.
  draining: {
    'close-out': 'ignored',
    'close-in': 'ignored',
    fail: 'ignored',
    'transport-gone': 'closed',
    deadline: 'closed',
  },
  // §7.1.7: failed; what is still queued leaves, nothing is read any more.
  failing: {
    'close-out': 'ignored',
    'close-in': 'ignored',
    fail: 'ignored',
    'transport-gone': 'closed',
    deadline: 'closed',
  },
  // §7.1.4
  closed: {
    'close-out': 'ignored',
    'close-in': 'ignored',
    fail: 'ignored',
    'transport-gone': 'ignored',
    deadline: 'ignored',
  },
};

/** The phase that follows. An input that cannot happen is a defect of ours and throws. */
export function transition(phase: Phase, input: Input): Phase {
  const next = TRANSITIONS[phase][input];
  if (next === undefined) throw new Error(`sansocket defect: ${input} cannot happen in phase ${phase}`);
  return next === 'ignored' ? phase : next;
}

/** The public state that a phase shows as. */
export function readyStateOf(phase: Phase): ReadyState {
  switch (phase) {
    case 'connecting':
    case 'open':
    case 'closed':
      return phase;
    default:
      return 'closing';
  }
}
