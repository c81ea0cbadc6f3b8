/* The park word: how one wait gets exactly one outcome, for tasks and for plain threads. */
#ifndef FILCH_SCHED_PARK_H
#define FILCH_SCHED_PARK_H

#include "base/atomic.h"
#include <filch/types.h>

/*
 * word = epoch << 8 | outcome << 4 | state
 *
 *	RUNNING --arm--> ARMED --commit, after the switch--> PARKED
 *	                   |  claim: the waker does not           | claim: the waker, and only it,
 *	                   v  enqueue; the commit fails           v enqueues the fiber
 *	                  WON <-----------------------------------'
 *
 *	state     set by                        cleared by
 *	RUNNING   the task, having read WON     the task, arming
 *	ARMED     the task, before it publishes its waiter
 *	PARKED    the worker that left the stack
 *	WON       the one winning waker
 *
 * Until it is won there is COMMITTED, or nothing, in the outcome's place. A wait is committed by
 * who moves its waiter on to another queue (a condition's to that of its lock): from then on
 * timeouts and cancels lose, and only filch__park_claim_committed ends it.
 *
 * Whoever may wake holds (parker, epoch). A late one finds another epoch, or WON,
 * and touches nothing. A fiber's parker is type-stable while its runtime lives; that
 * of a plain thread lives as long as the thread, so who may wake a thread must be
 * detached, under its object's lock, before the thread's wait returns.
 */
enum park_state { PARK_RUNNING, PARK_ARMED, PARK_PARKED, PARK_WON };

enum park_outcome {
	PARK_UNDECIDED = 0, /* in no park word */
	PARK_GRANTED = 1,
	PARK_TIMED_OUT = 2,
	PARK_CANCELLED = 3,
	PARK_CLOSED = 4
};

#define PARK_COMMITTED 8 /* in the place of an outcome, but not one */

struct fiber;

struct parker {
	struct filch_word64 word;
	struct fiber *fiber; /* NULL: a plain thread */
	/* Owned by wake/timer: where this parker's timeout stands in which heap. */
	void *timer_heap;
	/* Owned by wake/wait: while parked, the wait. */
	const void *waiter;
	uint32_t timer_index;
};

/* The caller's parker, task or thread. Never NULL. Valid for the task across parks. */
struct parker *filch__parker_self(void);

/* Begins a wait: RUNNING -> ARMED under a new epoch, which is returned. */
uint64_t filch__park_arm(struct parker *parker);

/*
 * Ends the wait that arm began: parks until somebody has won (at once if so already) and returns
 * the outcome. A plain thread times out by itself at `deadline`; for a task the
 * timeout is a timer's claim and `deadline` is ignored.
 */
enum park_outcome filch__park(struct parker *parker, uint64_t epoch, filch_time deadline);

/*
 * Claims the wait for `outcome` and makes its owner runnable. False when the wait was over
 * already (other epoch, or won by another). Context: anywhere, also under a spin.
 */
bool filch__unpark(struct parker *parker, uint64_t epoch, enum park_outcome outcome);

/* What a claim leaves to be done, in two steps for who claims under a spin: all-zero is nothing. */
struct parked {
	struct fiber *fiber;
	struct parker *thread;
};

bool filch__park_claim(struct parker *parker, uint64_t epoch, enum park_outcome outcome,
		       struct parked *parked);
/* Makes the owner of the claimed wait runnable. */
void filch__park_resume(const struct parked *parked);

/* No timeout and no cancel ends this wait any more. False when it was over already. */
bool filch__park_commit(struct parker *parker, uint64_t epoch);
/* Claims a wait that the caller, and only it, may end. */
void filch__park_claim_committed(struct parker *parker, uint64_t epoch, enum park_outcome outcome,
				 struct parked *parked);

/* Is this wait still undecided? A hint for who collects stale entries. */
bool filch__park_is_waiting(const struct parker *parker, uint64_t epoch);

#endif
