/* What the tests of primitives share: calls made in tasks of a group, in order, one at a time. */
#ifndef TESTS_SYNC_WAITERS_H
#define TESTS_SYNC_WAITERS_H

#include "platform/sanitizer.h"
#include "task/parked.h"

#include <pthread.h>
#include <stdlib.h>

#define LONG (3600 * FILCH_SECOND)

/* Lets others run until it is true. In a plain thread, too. */
#define await_that(condition)                                                                      \
	do {                                                                                       \
		while (!(condition))                                                               \
			give_way();                                                                \
	} while (0)

/* With 1, 2, 8 and 64 workers. */
static inline void play_crowded(filch_task_fn *scenario)
{
	play(scenario);
	cr_assert_eq(run_with(64, scenario, NULL), 0, "with 64 workers");
}

/* A blocking call to be made in a task of its own. */
struct call {
	int (*fn)(struct call *call);
	void *object;
	int64_t amount;
	filch_time deadline;
	int *order;
	/* What came of it. */
	int done;
	int status;
	int place; /* the how manyth to return */
	unsigned index;
	struct filch_task *task;
};

struct scene {
	struct filch_group group;
	int order;
	unsigned count;
	struct call calls[40];
};

static inline int make_call(void *arg)
{
	struct call *call = arg;

	call->status = call->fn(call);
	call->place = __atomic_add_fetch(call->order, 1, __ATOMIC_ACQ_REL);
	flag_add(&call->done);
	return 0;
}

static inline void scene_open(struct scene *scene)
{
	scene->order = 0;
	scene->count = 0;
	cr_expect_eq(filch_group_open(&scene->group, NULL), 0);
}

static inline struct call *scene_call(struct scene *scene, int (*fn)(struct call *call),
				      void *object, int64_t amount)
{
	struct call *call = &scene->calls[scene->count++];

	*call = (struct call){ .fn = fn, .object = object, .amount = amount };
	call->deadline = FILCH_NEVER;
	call->order = &scene->order;
	call->status = 1;
	cr_expect_eq(filch_group_spawn_with(&scene->group, NULL, make_call, call, &call->task), 0);
	return call;
}

static inline void call_cancel(struct call *call)
{
	cr_expect(filch_task_cancel(call->task, 0));
}

static inline void call_await(struct call *call)
{
	flag_await(&call->done, 1);
}

/* Counted as waiting, it has yet to get where a cancel ends its wait. */
static inline void call_await_parked(struct call *call)
{
	task_await_parked(call->task);
}

static inline bool call_is_done(struct call *call)
{
	return flag_get(&call->done) != 0;
}

static inline void scene_close(struct scene *scene)
{
	cr_expect_eq(filch_group_close(&scene->group), 0);
	for (unsigned i = 0; i < scene->count; i++)
		filch_task_release(scene->calls[i].task);
}

/* A scope that has been cancelled is entered; to be left by leave_cancelled. */
static inline void enter_cancelled(struct filch_token *token)
{
	filch_token_init(token);
	filch_scope_enter(token);
	filch_token_cancel(token, 0);
}

static inline void leave_cancelled(struct filch_token *token)
{
	cr_expect_eq(filch_scope_leave(token), 0);
	filch_token_fini(token);
}

static inline uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* So often where every step costs the tool dearly. */
static inline int rounds(int many)
{
	return sanitize_is_thread() || sanitize_is_address() || sanitize_is_valgrind() ? many / 10
										       : many;
}

#endif
