/* What the tests of locks share: tasks that come one after the other, and what they found. */
#ifndef TESTS_SYNC_CREW_H
#define TESTS_SYNC_CREW_H

#include "task/parked.h"

#include <filch/lock.h>
#include <pthread.h>
#include <stdlib.h>

/* Members 0, 1, ... of a crew note the order in which they get there. */
struct crew {
	struct filch_group group;
	struct filch_task *tasks[16];
	int status[16];
	int order[16];
	int places, arrived;
	int go; /* who waits inside leaves when it is set */
};

static inline void crew_arrive(struct crew *crew, int index)
{
	int place = __atomic_fetch_add(&crew->places, 1, __ATOMIC_RELAXED);

	crew->order[place] = index;
	while (flag_get(&crew->arrived) != place)
		sched_yield();
	flag_add(&crew->arrived);
}

/* "012" in the order of arrival. */
static inline const char *crew_order(struct crew *crew, char text[17])
{
	int count = flag_get(&crew->arrived);

	for (int i = 0; i < count; i++)
		text[i] = (char)('0' + crew->order[i]);
	text[count] = '\0';
	return text;
}

static inline void lock_await_waiting(struct filch_lock *lock, unsigned count)
{
	struct filch_lock_statistics statistics;

	do {
		give_way();
		filch_lock_get_statistics(lock, &statistics);
	} while (statistics.waiting != count);
}

static inline void busy_for(filch_time span)
{
	filch_time end = filch_now() + span;

	while (filch_now() < end)
		;
}

/* A small generator: each caller has its own state, not 0. */
static inline unsigned chance(unsigned *state, unsigned below)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % below;
}

#endif
