/* Sleeping, one-shot timers with a callback, and intervals. */
#ifndef FILCH_TIMER_H
#define FILCH_TIMER_H

#include <filch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CLOCK_MONOTONIC (a virtual clock in simulation). */
FILCH_API filch_time filch_now(void);

/*
 * Parks for `span` ns, never less; <= 0 is a checkpoint. A span beyond the end of time is for
 * ever. Context: task or thread. Returns 0, -ECANCELED, -ENOMEM (no room for the timer).
 */
FILCH_API int filch_sleep(filch_time span);
/* The same until a point in time; one that has passed is a checkpoint. */
FILCH_API int filch_sleep_until(filch_time deadline);

typedef void filch_timer_fn(void *arg);

/*
 * A one-shot timer: fn(arg) runs on a worker, not as a task: it must not park. It may start or
 * stop its own timer, and free it. All-zero is valid: a timer that cannot be started.
 *
 *	filch_timer_init(&timer, NULL, expire, &session);
 *	filch_timer_start(&timer, filch_now() + FILCH_SECOND);
 *	...
 *	if (!filch_timer_stop(&timer))
 *		the session has expired, and expire() has returned
 */
struct filch_timer {
	struct filch_runtime *runtime;
	void *entry[4]; /* the library's */
	void *room[4];
};

/* `runtime` NULL: the caller's. 0, -EINVAL, -EPERM (NULL in a plain thread). */
FILCH_API int filch_timer_init(struct filch_timer *timer, struct filch_runtime *runtime,
			       filch_timer_fn *fn, void *arg);
/*
 * (Re)starts it; FILCH_NEVER only stops it, a deadline that has passed is due at once. After the
 * return no run of an earlier start begins or goes on (but the one that calls this).
 * Context: anywhere; does not park, but waits for a run. Returns 0, -EINVAL, -ENOMEM (only for a
 * timer that was not armed), -ESHUTDOWN in the child of a fork.
 */
FILCH_API int filch_timer_start(struct filch_timer *timer, filch_time deadline);
/*
 * True: the callback will not run for the last start. False: it has run. A run that has begun is
 * waited for (unless it is the caller), so the caller must hold no lock that fn takes.
 * Context: anywhere; does not park.
 */
FILCH_API bool filch_timer_stop(struct filch_timer *timer);
/* Stops it. NULL and all-zero are accepted. */
FILCH_API void filch_timer_fini(struct filch_timer *timer);

/*
 * A rhythm. The ticks that a slow consumer misses are not stored: only `next` is kept, and
 * the policy says what it becomes. A tick less than 5 ms (or a quarter of the period) late is
 * not a missed one.
 *
 *	filch_interval_init(&interval, 0, FILCH_SECOND, FILCH_INTERVAL_SKIP);
 *	while (filch_interval_wait(&interval, NULL) == 0)
 *		beat();
 */
enum filch_interval_policy {
	FILCH_INTERVAL_BURST, /* missed ticks follow at once */
	FILCH_INTERVAL_DELAY, /* the next tick is one period after the late one */
	FILCH_INTERVAL_SKIP   /* missed ticks are dropped; the rhythm stays */
};

struct filch_interval {
	filch_time period;
	filch_time next;
	enum filch_interval_policy policy;
	void *room[2];
};

/* The first tick is due at `first` (0: now). -EINVAL when period <= 0 or first < 0. */
FILCH_API int filch_interval_init(struct filch_interval *interval, filch_time first,
				  filch_time period, enum filch_interval_policy policy);
/* Parks until the next tick and stores when it was due (`due` may be NULL). Returns 0,
 * -EINVAL, -ENOMEM, -ECANCELED (then the tick is not lost). */
FILCH_API int filch_interval_wait(struct filch_interval *interval, filch_time *due);

#ifdef __cplusplus
}
#endif

#endif
