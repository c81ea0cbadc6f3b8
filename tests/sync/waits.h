/* What the tests of conditions share: tasks that wait, one after the other. */
#ifndef TESTS_SYNC_WAITS_H
#define TESTS_SYNC_WAITS_H

#include "sync/crew.h"

#include <filch/condition.h>

static inline bool is_mine(struct filch_lock *lock)
{
	struct filch_lock_statistics statistics;

	filch_lock_get_statistics(lock, &statistics);
	return statistics.mine;
}

static inline unsigned waiting_for(struct filch_condition *condition)
{
	struct filch_condition_statistics statistics;

	filch_condition_get_statistics(condition, &statistics);
	return statistics.waiting;
}

static inline unsigned waiting_for_lock(struct filch_lock *lock)
{
	struct filch_lock_statistics statistics;

	filch_lock_get_statistics(lock, &statistics);
	return statistics.waiting;
}

struct scene;

struct waits {
	struct scene *scene;
	int index;
	filch_time deadline;
	int reason; /* of its own scope, afterwards */
};

struct scene {
	struct filch_lock lock;
	struct filch_condition condition;
	struct crew crew;
	struct waits waits[16];
	char text[17];
};

/* Waits once; arrives with the lock, whatever became of the wait. */
static inline int wait_once(void *arg)
{
	struct waits *waits = arg;
	struct scene *scene = waits->scene;

	cr_expect_eq(filch_lock_acquire(&scene->lock), 0);
	flag_add(&scene->crew.status[waits->index]);
	scene->crew.status[waits->index] =
		filch_condition_wait_until(&scene->condition, &scene->lock, waits->deadline);
	cr_expect(is_mine(&scene->lock));
	waits->reason = filch_task_reason(filch_task_self());
	crew_arrive(&scene->crew, waits->index);
	cr_expect_eq(filch_lock_release(&scene->lock), 0);
	return 0;
}

/* Returns when it waits. The caller does not hold the lock. */
static inline void add_waits(struct scene *scene, int index, filch_time deadline)
{
	scene->waits[index] = (struct waits){ scene, index, deadline, 0 };
	scene->crew.status[index] = 1;
	cr_expect_eq(filch_group_spawn_with(&scene->crew.group, NULL, wait_once,
					    &scene->waits[index], &scene->crew.tasks[index]),
		     0);
	while (flag_get(&scene->crew.status[index]) == 1)
		filch_yield();
	/* It has the lock until it is in the queue. */
	cr_expect_eq(filch_lock_acquire(&scene->lock), 0);
	cr_expect_eq(filch_lock_release(&scene->lock), 0);
	task_await_parked(scene->crew.tasks[index]);
}

/* `count` wait, in their order. */
static inline void open_scene(struct scene *scene, int count, unsigned flags)
{
	static const struct filch_group_options collect = { .size = sizeof(collect),
							    .policy = FILCH_GROUP_COLLECT };

	*scene = (struct scene){ 0 };
	cr_expect_eq(filch_condition_init(&scene->condition, flags), 0);
	filch_group_open(&scene->crew.group, &collect);
	for (int i = 0; i < count; i++)
		add_waits(scene, i, FILCH_NEVER);
}

static inline void close_scene(struct scene *scene)
{
	cr_expect_eq(filch_group_close(&scene->crew.group), 0);
	for (int i = 0; i < 16; i++)
		filch_task_release(scene->crew.tasks[i]);
	cr_expect_eq(filch_condition_fini(&scene->condition), 0);
	cr_expect_eq(filch_lock_fini(&scene->lock), 0);
}

static inline void notify(struct scene *scene, unsigned count)
{
	cr_expect_eq(filch_lock_acquire(&scene->lock), 0);
	cr_expect_eq(filch_condition_notify(&scene->condition, count), 0);
	cr_expect_eq(filch_lock_release(&scene->lock), 0);
}

#endif
