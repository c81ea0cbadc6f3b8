/* Something to park at: counted permits, first come first served, on the one waiting function. */
#ifndef FILCH_TESTS_PERMITS_H
#define FILCH_TESTS_PERMITS_H

#include "data/spin.h"
#include "platform/clock.h"
#include "wake/wait.h"

#include <filch.h>

/* All-zero: none, nobody waits. */
struct permits {
	struct spin lock;
	struct list waiters;
	unsigned count;
};

static inline int permits_acquire(struct permits *permits)
{
	struct waiter waiter;
	bool granted;
	int status;

	filch__waiter_begin(&waiter);
	spin_acquire(&permits->lock);
	granted = permits->count > 0;
	if (granted)
		permits->count--;
	else
		list_push_back(&permits->waiters, &waiter.link);
	spin_release(&permits->lock);
	if (granted) {
		filch__waiter_abort(&waiter);
		return 0;
	}
	status = filch__waiter_wait(&waiter, FILCH_NEVER);
	spin_acquire(&permits->lock);
	if (list_is_linked(&waiter.link))
		list_remove(&waiter.link);
	spin_release(&permits->lock);
	return status;
}

static inline void permits_release(struct permits *permits)
{
	struct list *link;

	spin_acquire(&permits->lock);
	while ((link = list_pop_front(&permits->waiters))) {
		if (waiter_grant(container_of(link, struct waiter, link)))
			break;
	}
	if (!link)
		permits->count++;
	spin_release(&permits->lock);
}

/* ---- What tests of the scheduler share ---- */

static inline int run_workers(unsigned workers, filch_task_fn *fn, void *arg)
{
	struct filch_options options = { .size = sizeof(options), .workers = workers };

	return filch_run_with(&options, fn, arg);
}

/* A task that computes: nothing of it reaches the runtime. */
static inline void compute(filch_time span)
{
	filch_time end = filch_now() + span;

	while (filch_now() < end)
		;
}

#endif
