/* Time for users: now, sleep, one-shot timers, intervals. */
#include <filch/timer.h>

#include "base/world.h"
#include "platform/clock.h"
#include "wake/timer.h"
#include "wake/wait.h"

#include <errno.h>

/* A tick this late still counts as in time (for a short period a quarter of that): what waking
 * up takes must not shift the rhythm of FILCH_INTERVAL_DELAY. */
#define LATE (5 * FILCH_MILLISECOND)

/* `span` is positive. */
static filch_time add(filch_time time, filch_time span)
{
	return time > FILCH_NEVER - span ? FILCH_NEVER : time + span;
}

filch_time filch_now(void)
{
	return filch__clock_now();
}

int filch_sleep(filch_time span)
{
	return filch_sleep_until(span > 0 ? add(filch__clock_now(), span) : 0);
}

int filch_sleep_until(filch_time deadline)
{
	int status = filch__wait_enter();

	if (status < 0 || filch__wait_is_over(deadline))
		return status;
	status = filch__wait_sleep(deadline);
	return status == -ETIMEDOUT ? 0 : status;
}

/* ---- One-shot timers ---- */

_Static_assert(sizeof(struct timer_callback) <= sizeof(((struct filch_timer *)0)->entry),
	       "struct filch_timer has room for a callback");

static struct timer_callback *callback_of(struct filch_timer *timer)
{
	return (struct timer_callback *)(void *)timer->entry;
}

/* A runtime begins with its scheduler. */
static struct scheduler *scheduler_of(const struct filch_timer *timer)
{
	return (struct scheduler *)(void *)timer->runtime;
}

static struct timers *timers_of(const struct filch_timer *timer)
{
	return filch__timers_of(scheduler_of(timer));
}

/* In the child of a fork nobody fires it, and its lock may be held for ever. */
static bool is_left_behind(const struct filch_timer *timer)
{
	return !filch__scheduler_self() && filch__scheduler_is_foreign(scheduler_of(timer));
}

/* Virtual times mean nothing outside their simulation, nor real ones inside. */
static bool is_elsewhere(const struct filch_timer *timer)
{
	return unlikely(scheduler_of(timer)->world != filch__world_self());
}

int filch_timer_init(struct filch_timer *timer, struct filch_runtime *runtime, filch_timer_fn *fn,
		     void *arg)
{
	struct scheduler *scheduler;

	if (!timer || !fn)
		return -EINVAL;
	if (!runtime) {
		scheduler = filch__scheduler_self();
		if (!scheduler)
			return -EPERM;
		runtime = scheduler->runtime;
	}
	*timer = (struct filch_timer){ .runtime = runtime };
	timer_callback_init(callback_of(timer), fn, arg);
	return 0;
}

int filch_timer_start(struct filch_timer *timer, filch_time deadline)
{
	if (!timer || !timer->runtime)
		return -EINVAL;
	if (is_elsewhere(timer))
		return -EPERM;
	if (is_left_behind(timer))
		return -ESHUTDOWN;
	return filch__timer_callback_restart(timers_of(timer), callback_of(timer), deadline);
}

bool filch_timer_stop(struct filch_timer *timer)
{
	if (!timer || !timer->runtime)
		return true;
	if (is_elsewhere(timer))
		return false;
	if (is_left_behind(timer))
		return true;
	return filch__timer_callback_disarm(timers_of(timer), callback_of(timer));
}

void filch_timer_fini(struct filch_timer *timer)
{
	if (!timer)
		return;
	filch_timer_stop(timer);
	timer->runtime = NULL;
}

/* ---- Intervals ---- */

int filch_interval_init(struct filch_interval *interval, filch_time first, filch_time period,
			enum filch_interval_policy policy)
{
	if (!interval || period <= 0 || first < 0 || policy > FILCH_INTERVAL_SKIP)
		return -EINVAL;
	*interval = (struct filch_interval){
		.period = period,
		.next = first > 0 ? first : filch__clock_now(),
		.policy = policy,
	};
	return 0;
}

/* When the tick after the one of `due`, taken at `now`, is due. */
static filch_time tick_after(const struct filch_interval *interval, filch_time due, filch_time now)
{
	filch_time period = interval->period;

	if (now - due <= (period / 4 < LATE ? period / 4 : LATE))
		return add(due, period);
	switch (interval->policy) {
	case FILCH_INTERVAL_DELAY:
		return add(now, period);
	case FILCH_INTERVAL_SKIP:
		return add(now - (now - due) % period, period);
	case FILCH_INTERVAL_BURST:
		break;
	}
	return add(due, period);
}

int filch_interval_wait(struct filch_interval *interval, filch_time *due)
{
	filch_time tick;
	int status;

	if (!interval || interval->period <= 0)
		return -EINVAL;
	tick = interval->next;
	status = filch_sleep_until(tick);
	if (status < 0)
		return status;
	interval->next = tick_after(interval, tick, filch__clock_now());
	if (due)
		*due = tick;
	return 0;
}
