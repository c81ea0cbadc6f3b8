/* Timers: a heap per worker, timeouts of waits, one-shot callbacks. */
#ifndef FILCH_WAKE_TIMER_H
#define FILCH_WAKE_TIMER_H

#include "sched/park.h"
#include "sched/scheduler.h"

struct timers;

/* One heap per worker. -ENOMEM. Fills in the scheduler's source. */
int filch__timers_create(struct timers **timers, struct scheduler *scheduler, unsigned workers);
/* After the workers' end. What is still armed never fires. NULL is accepted. */
void filch__timers_destroy(struct timers *timers);
struct timers *filch__timers_of(struct scheduler *scheduler);

/* ---- The timeout of a wait ---- */

/*
 * filch__unpark(parker, epoch, PARK_TIMED_OUT) at `deadline`, from the caller's worker's
 * heap. Called by the task itself between arm and park. FILCH_NEVER arms nothing, nor does a
 * plain thread's parker, which times out by itself. 0 or -ENOMEM (nothing is armed).
 */
int filch__timer_arm_wait(struct timers *timers, struct parker *parker, uint64_t epoch,
			  filch_time deadline);
/*
 * After the wait, by the task itself: takes the entry out if it stands in this worker's
 * heap, else leaves it there, stale; its claim will fail, its epoch being over. Need not be called
 * when the wait timed out (the entry is gone); then not calling it is cheaper.
 */
void filch__timer_disarm_wait(struct timers *timers, struct parker *parker);

/* ---- A callback at a deadline ---- */

typedef void timer_callback_fn(void *arg);

/*
 * In the caller's memory; all-zero but for fn and arg it is idle. It may lie in the opaque part of
 * a public object (hence may_alias). Everything but `heap` is guarded by that heap's lock.
 */
struct __attribute__((may_alias)) timer_callback {
	timer_callback_fn *fn;
	void *arg;
	struct filch_pointer heap; /* the first that it was armed in, and no other ever after */
	uint32_t slot;
	uint32_t state; /* enum timer_callback_state */
};

/*
 *	state   set by
 *	IDLE    zero; disarm of an armed one
 *	ARMED   arm
 *	FIRED   the poll that takes it out, just before it calls fn
 */
enum timer_callback_state { TIMER_IDLE, TIMER_ARMED, TIMER_FIRED };

static inline void timer_callback_init(struct timer_callback *callback, timer_callback_fn *fn,
				       void *arg)
{
	*callback = (struct timer_callback){ .fn = fn, .arg = arg };
}

/*
 * fn(arg) at `deadline`, on a worker, under no lock; it must not park. It may arm or disarm
 * its own callback, and free it. Armed already: moved (that never fails). FILCH_NEVER: taken out.
 * A run that has begun is not waited for. Context: anywhere. 0 or -ENOMEM (all is as it was).
 */
int filch__timer_callback_arm(struct timers *timers, struct timer_callback *callback,
			      filch_time deadline);
/*
 * True: it will not run. False: it has run. In either case runs that have begun are waited for
 * (and what they arm anew is taken out), so the memory may go; but nothing is waited for when the
 * callback itself calls this. The caller must hold no lock that fn takes.
 */
bool filch__timer_callback_disarm(struct timers *timers, struct timer_callback *callback);
/* Disarms, waiting as disarm does, and arms. On -ENOMEM, which is possible only when it was
 * not armed, it is not. */
int filch__timer_callback_restart(struct timers *timers, struct timer_callback *callback,
				  filch_time deadline);

/* All heaps are in order. Takes the locks. */
bool filch__timers_is_valid(struct timers *timers);

#endif
