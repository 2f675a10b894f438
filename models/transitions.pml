/* Written by `npm run model` from src/connection/state.ts: change that. */

#define connecting 0
#define open 1
#define close_sent 2
#define close_received 3
#define draining 4
#define failing 5
#define closed 6

#define I_established 0
#define I_refused 1
#define I_close_out 2
#define I_fail 3
#define I_transport_gone 4
#define I_deadline 5
#define I_close_in 6

/* How much may be on its way, and how many messages each side sends. */
#define QUEUE 5
#define DATA_BUDGET 1
/* Whether deadlines are kept, and a Close is answered. */
#define TIMERS true
#define ANSWERS true

inline MOVE(phase, input) {
	if
	:: phase == connecting && input == I_established -> phase = open
	:: phase == connecting && input == I_refused -> phase = failing
	:: phase == connecting && input == I_close_out -> phase = failing
	:: phase == connecting && input == I_fail -> phase = failing
	:: phase == connecting && input == I_transport_gone -> phase = closed
	:: phase == connecting && input == I_deadline -> phase = closed
	:: phase == open && input == I_close_out -> phase = close_sent
	:: phase == open && input == I_close_in -> phase = close_received
	:: phase == open && input == I_fail -> phase = failing
	:: phase == open && input == I_transport_gone -> phase = closed
	:: phase == close_sent && input == I_close_out -> phase = close_sent
	:: phase == close_sent && input == I_close_in -> phase = draining
	:: phase == close_sent && input == I_fail -> phase = failing
	:: phase == close_sent && input == I_transport_gone -> phase = closed
	:: phase == close_sent && input == I_deadline -> phase = closed
	:: phase == close_received && input == I_close_out -> phase = draining
	:: phase == close_received && input == I_close_in -> phase = close_received
	:: phase == close_received && input == I_fail -> phase = failing
	:: phase == close_received && input == I_transport_gone -> phase = closed
	:: phase == close_received && input == I_deadline -> phase = closed
	:: phase == draining && input == I_close_out -> phase = draining
	:: phase == draining && input == I_close_in -> phase = draining
	:: phase == draining && input == I_fail -> phase = draining
	:: phase == draining && input == I_transport_gone -> phase = closed
	:: phase == draining && input == I_deadline -> phase = closed
	:: phase == failing && input == I_close_out -> phase = failing
	:: phase == failing && input == I_close_in -> phase = failing
	:: phase == failing && input == I_fail -> phase = failing
	:: phase == failing && input == I_transport_gone -> phase = closed
	:: phase == failing && input == I_deadline -> phase = closed
	:: phase == closed && input == I_close_out -> phase = closed
	:: phase == closed && input == I_close_in -> phase = closed
	:: phase == closed && input == I_fail -> phase = closed
	:: phase == closed && input == I_transport_gone -> phase = closed
	:: phase == closed && input == I_deadline -> phase = closed
	/* A blank cell: it cannot happen. */
	:: else -> assert(false)
	fi
}
