/*
 * Two endpoints, the opening and the closing handshake, over a link that may lose everything from any moment on, in one direction or
 * both, and with timers: is everybody always finally closed, exactly once, and does nothing follow the end?
 *
 * The moves of a phase are not here: they are in transitions.pml, written from src/connection/state.ts by `npm run model`. What
 * is modelled here is when an input happens, and what an endpoint does then. Messages are told by one `event`.
 */

#include "transitions.pml"

/* Frames, and what the transport says. */
mtype = { HELLO, ACCEPT, REFUSE, DATA, CLOSE, FIN };

#define CLIENT 0
#define SERVER 1

/* to[i]: what is on its way to i. */
chan to[2] = [QUEUE] of { mtype };
/* The direction to i is cut: nothing arrives any more, and nobody is told. */
bool cut[2];

byte phase[2];
bool closeOut[2];	/* its Close was sent */
bool closeIn[2];	/* a Close was processed */
bool ended[2];		/* its direction of the transport has ended, or all of it */
byte closedEvents[2];
bool eventAfterClose;
bool cleanClose[2];

#define PUT(i, m) if :: cut[i] -> skip :: else -> if :: nfull(to[i]) -> to[i]!m :: full(to[i]) -> cut[i] = true fi fi

/* The event `closed`, once; then the transport is dropped. */
inline finish(me, input) {
	MOVE(phase[me], input);
	closedEvents[me]++;
	cleanClose[me] = closeOut[me] && closeIn[me];
	if
	:: !ended[me] -> ended[me] = true; PUT(1 - me, FIN)
	:: else
	fi
}

/* §7.1.7: fails the connection; the peer is told if it still can be, and the transport ends. */
inline failConnection(me) {
	if
	:: phase[me] == open && !closeOut[me] -> closeOut[me] = true; PUT(1 - me, CLOSE)
	:: else
	fi;
	MOVE(phase[me], I_fail);
	if
	:: !ended[me] -> ended[me] = true; PUT(1 - me, FIN)
	:: else
	fi
}

/* An event for the application. */
inline event(me) {
	if
	:: closedEvents[me] > 0 -> eventAfterClose = true
	:: else
	fi
}

/* §7.1.1: both Closes are exchanged; the server ends the transport first. */
inline drain(me) {
	if
	:: me == SERVER && phase[me] == draining && !ended[me] -> ended[me] = true; PUT(1 - me, FIN)
	:: else
	fi
}

proctype Endpoint(byte me) {
	mtype m;
	byte budget = DATA_BUDGET;
	if
	:: me == CLIENT -> PUT(SERVER, HELLO)
	:: else
	fi;
	do
	/* Something arrives. */
	:: atomic { phase[me] != closed && to[me]?[m] && !cut[me] -> to[me]?m;
		if
		:: m == HELLO && phase[me] == connecting ->
			if
			:: true -> MOVE(phase[me], I_established); event(me); PUT(1 - me, ACCEPT)
			:: true -> MOVE(phase[me], I_refused); PUT(1 - me, REFUSE); ended[me] = true; PUT(1 - me, FIN)
			fi
		:: m == ACCEPT && phase[me] == connecting -> MOVE(phase[me], I_established); event(me)
		:: m == REFUSE && phase[me] == connecting -> MOVE(phase[me], I_refused);
			if
			:: !ended[me] -> ended[me] = true; PUT(1 - me, FIN)
			:: else
			fi
		:: m == DATA ->
			if
			/* §5.5.1: after a Close was received, or the connection failed, nothing is read. */
			:: phase[me] == open || phase[me] == close_sent -> event(me)
			:: else
			fi
		:: m == CLOSE ->
			if
			:: phase[me] == open || phase[me] == close_sent ->
				event(me);
				closeIn[me] = true;
				MOVE(phase[me], I_close_in);
				if
				/* §5.5.1: an endpoint that has not sent a Close answers. */
				:: ANSWERS && !closeOut[me] -> closeOut[me] = true; MOVE(phase[me], I_close_out); PUT(1 - me, CLOSE)
				:: else
				fi;
				drain(me)
			:: else
			fi
		:: m == FIN -> finish(me, I_transport_gone)
		:: else
		fi;
		m = 0
	   }
	/* The application. */
	:: atomic { phase[me] == open && budget > 0 -> budget--; PUT(1 - me, DATA) }
	:: atomic { phase[me] == open -> closeOut[me] = true; MOVE(phase[me], I_close_out); PUT(1 - me, CLOSE) }
	:: atomic { phase[me] == connecting && me == CLIENT ->
		MOVE(phase[me], I_close_out);
		if
		:: !ended[me] -> ended[me] = true; PUT(1 - me, FIN)
		:: else
		fi
	   }
	:: atomic { phase[me] == open -> failConnection(me) }
	:: atomic { phase[me] == open -> finish(me, I_transport_gone) }
	/* Time, which does not need the application: a deadline runs in every phase but open, where a dead peer is noticed by its silence. */
	:: atomic { phase[me] != closed && phase[me] != open && TIMERS -> finish(me, I_deadline) }
	:: atomic { phase[me] == open && (cut[me] || cut[1 - me] || phase[1 - me] == closed) && TIMERS -> failConnection(me) }
	:: phase[me] == closed -> break
	od
}

/* The link: from any moment on a direction may be gone. What is on its way goes with it. */
proctype Link() {
	do
	:: atomic { !cut[CLIENT] -> cut[CLIENT] = true }
	:: atomic { !cut[SERVER] -> cut[SERVER] = true }
	:: break
	od
}

init {
	atomic { run Endpoint(CLIENT); run Endpoint(SERVER); run Link() }
}

/* Whatever happens, as long as somebody acts. */
ltl finally { <> (phase[CLIENT] == closed && phase[SERVER] == closed) }
ltl once { [] (closedEvents[CLIENT] <= 1 && closedEvents[SERVER] <= 1) }
ltl last { [] !eventAfterClose }
/* Both call it clean only if both Closes are there; and a Close is never there twice. */
ltl clean { [] ((phase[CLIENT] == closed && cleanClose[CLIENT]) -> (closeOut[CLIENT] && closeIn[CLIENT] && closeOut[SERVER])) }
