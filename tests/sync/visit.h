/* What the tests of the reader-writer lock share: visitors that come one after the other. */
#ifndef TESTS_SYNC_VISIT_H
#define TESTS_SYNC_VISIT_H

#include "sync/crew.h"

#include <filch/rwlock.h>

struct house;

struct visitor {
	struct house *house;
	int index;
	bool writes;
	filch_time deadline;
	int leave; /* it stays until this is set */
};

/* Visitors 0, 1, ... come in this order; statuses are 1 before they have or have not got in. */
struct house {
	struct filch_rwlock lock;
	struct crew crew;
	struct visitor visitors[16];
	int count;
	char text[17];
};

static inline struct filch_rwlock_statistics rwlock_at(struct filch_rwlock *lock)
{
	struct filch_rwlock_statistics at;

	filch_rwlock_get_statistics(lock, &at);
	return at;
}

static inline int visit(void *arg)
{
	struct visitor *visitor = arg;
	struct house *house = visitor->house;
	int status = visitor->writes
			     ? filch_rwlock_acquire_write_until(&house->lock, visitor->deadline)
			     : filch_rwlock_acquire_read_until(&house->lock, visitor->deadline);

	if (status == 0)
		crew_arrive(&house->crew, visitor->index);
	__atomic_store_n(&house->crew.status[visitor->index], status, __ATOMIC_RELEASE);
	if (status < 0)
		return 0;
	flag_await(&visitor->leave, 1);
	status = visitor->writes ? filch_rwlock_release_write(&house->lock)
				 : filch_rwlock_release_read(&house->lock);
	cr_expect_eq(status, 0);
	return 0;
}

/* Returns when it is inside, or in the queue. */
static inline void invite(struct house *house, char kind, filch_time deadline)
{
	int index = house->count++;
	struct visitor *visitor = &house->visitors[index];
	unsigned waiting = rwlock_at(&house->lock).waiting;

	*visitor = (struct visitor){ house, index, kind == 'w', deadline, 0 };
	house->crew.status[index] = 1;
	cr_expect_eq(filch_group_spawn_with(&house->crew.group, NULL, visit, visitor,
					    &house->crew.tasks[index]),
		     0);
	while (__atomic_load_n(&house->crew.status[index], __ATOMIC_ACQUIRE) == 1 &&
	       (rwlock_at(&house->lock).waiting == waiting ||
		!task_is_parked(house->crew.tasks[index])))
		filch_yield();
}

/* "rrw": two readers, then a writer. */
static inline void open_house(struct house *house, unsigned limit, const char *kinds)
{
	static const struct filch_group_options supervise = { .size = sizeof(supervise),
							      .policy = FILCH_GROUP_SUPERVISE };

	*house = (struct house){ .count = 0 };
	if (limit > 0)
		cr_expect_eq(filch_rwlock_init(&house->lock, limit), 0);
	filch_group_open(&house->crew.group, &supervise);
	for (; *kinds; kinds++)
		invite(house, *kinds, FILCH_NEVER);
}

static inline void send_off(struct house *house, int index)
{
	flag_add(&house->visitors[index].leave);
}

static inline void await_waiting(struct house *house, unsigned count)
{
	while (rwlock_at(&house->lock).waiting != count)
		filch_yield();
}

static inline void close_house(struct house *house)
{
	for (int i = 0; i < house->count; i++)
		send_off(house, i);
	cr_expect_eq(filch_group_close(&house->crew.group), 0);
	for (int i = 0; i < 16; i++)
		filch_task_release(house->crew.tasks[i]);
	cr_expect_eq(filch_rwlock_fini(&house->lock), 0);
}

/* "01" in the order in which they got in, so far. */
static inline const char *inside_so_far(struct house *house)
{
	return crew_order(&house->crew, house->text);
}

#endif
