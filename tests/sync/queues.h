/* What the tests of queues share: making one, waiting until somebody waits at it. */
#ifndef TESTS_SYNC_QUEUES_H
#define TESTS_SYNC_QUEUES_H

#include "task/parked.h"

#include <filch/channel.h>
#include <filch/queue.h>
#include <filch/select.h>
#include <pthread.h>

static inline void make_queue(struct filch_queue *queue, size_t capacity)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(int),
					       .capacity = capacity };

	cr_expect_eq(filch_queue_init(queue, &options), 0);
}

static inline struct filch_queue_statistics look(struct filch_queue *queue)
{
	struct filch_queue_statistics statistics;

	filch_queue_get_statistics(queue, &statistics);
	return statistics;
}

static inline void await_getters(struct filch_queue *queue, size_t count)
{
	while (look(queue).getters != count)
		give_way();
}

static inline void await_putters(struct filch_queue *queue, size_t count)
{
	while (look(queue).putters != count)
		give_way();
}

static inline void await_joiners(struct filch_queue *queue, size_t count)
{
	while (look(queue).joiners != count)
		give_way();
}

static inline int put_int(struct filch_queue *queue, int value)
{
	return filch_queue_put(queue, &value);
}

static inline int try_put_int(struct filch_queue *queue, int value)
{
	return filch_queue_try_put(queue, &value);
}

/* The element, or the error. */
static inline int get_int(struct filch_queue *queue)
{
	int value = 0, status = filch_queue_get(queue, &value);

	return status < 0 ? status : value;
}

static inline int try_get_int(struct filch_queue *queue)
{
	int value = 0, status = filch_queue_try_get(queue, &value);

	return status < 0 ? status : value;
}

/* ---- One call, in a task of its own ---- */

struct call {
	struct filch_queue *queue;
	int value;  /* put, or got */
	int status; /* when done */
	int done;
};

static inline int call_get(void *arg)
{
	struct call *call = arg;

	call->status = filch_queue_get(call->queue, &call->value);
	flag_add(&call->done);
	return 0;
}

static inline int call_put(void *arg)
{
	struct call *call = arg;

	call->status = filch_queue_put(call->queue, &call->value);
	flag_add(&call->done);
	return 0;
}

static inline int call_join(void *arg)
{
	struct call *call = arg;

	call->status = filch_queue_join(call->queue);
	flag_add(&call->done);
	return 0;
}

static inline struct filch_task *start(struct filch_group *group, filch_task_fn *fn, void *arg)
{
	struct filch_task *task = NULL;

	cr_expect_eq(filch_group_spawn_with(group, NULL, fn, arg, &task), 0);
	return task;
}

/* The same, and lets others run until it is parked, or has ended. */
static inline struct filch_task *start_parked(struct filch_group *group, filch_task_fn *fn,
					      void *arg)
{
	struct filch_task *task = start(group, fn, arg);

	task_await_parked(task);
	return task;
}

static inline void end_queue(struct filch_queue *queue)
{
	cr_expect_eq(filch_queue_fini(queue), 0);
}

#endif
