/* A queue's beginning and end: options, shutdown, join, statistics. */
#include "sync/queue_store.h"

#include "platform/allocate.h"
#include "platform/clock.h"

#include <errno.h>

/* ---- The beginning ---- */

static int check_options(const struct filch_queue_options *options)
{
	bool waits = options->overflow == FILCH_QUEUE_WAIT;
	bool drops_old = !waits && options->overflow != FILCH_QUEUE_DROP_NEWEST;

	if (options->size < offsetof(struct filch_queue_options, room) ||
	    options->order > FILCH_QUEUE_PRIORITY || options->overflow > FILCH_QUEUE_CONFLATE)
		return -EINVAL;
	if ((options->order == FILCH_QUEUE_PRIORITY) != (options->compare != NULL))
		return -EINVAL;
	if (options->capacity == 0 && (options->order != FILCH_QUEUE_FIFO || drops_old))
		return -EINVAL;
	if (options->capacity == FILCH_QUEUE_UNBOUNDED && (!waits || options->memory))
		return -EINVAL;
	if (drops_old && (options->order == FILCH_QUEUE_PRIORITY ||
			  (options->undelivered && options->element_size > FILCH_QUEUE_DROP_SIZE)))
		return -EINVAL;
	return 0;
}

static int get_memory(struct filch_queue *queue, void *memory)
{
	size_t bytes;

	if (queue->capacity == 0 || queue->capacity == FILCH_QUEUE_UNBOUNDED)
		return 0;
	bytes = filch__store_bytes(queue, queue->capacity);
	queue->foreign = memory != NULL;
	if (!memory)
		memory = bytes ? filch__allocate(queue->allocator, bytes) : NULL;
	if (!memory)
		return -ENOMEM;
	filch__store_move(queue, memory, queue->capacity);
	return 0;
}

int filch_queue_init(struct filch_queue *queue, const struct filch_queue_options *options)
{
	if (!queue || !options || check_options(options) < 0)
		return -EINVAL;
	*queue = (struct filch_queue){
		.element_size = options->element_size,
		.capacity = options->capacity,
		.order = (uint8_t)options->order,
		.overflow = (uint8_t)options->overflow,
		.compare = options->compare,
		.undelivered = options->undelivered,
		.context = options->context,
		.allocator = options->allocator,
	};
	if (options->order != FILCH_QUEUE_FIFO || options->capacity == FILCH_QUEUE_UNBOUNDED)
		queue->flags = QUEUE_SPECIAL;
	/* relaxed: not shared yet. */
	word32_store_relaxed(&queue->state, queue->flags);
	return get_memory(queue, options->memory);
}

/* ---- The end ---- */

static void wake_joiners(struct filch_queue *queue)
{
	struct list *link;

	while ((link = list_pop_front(joiners_of(queue))))
		filch__queue_wake(queue, container_of(link, struct queue_waiter, waiter.link), 0);
}

static void reduce_unfinished(struct filch_queue *queue, uint64_t count)
{
	queue->unfinished -= count < queue->unfinished ? count : queue->unfinished;
	if (queue->unfinished == 0)
		wake_joiners(queue);
}

/* The elements are out of everybody's reach: puts fail, and there is nothing to be got. */
static void drain(struct filch_queue *queue)
{
	size_t count = queue->count;

	queue->count = 0;
	if (queue->undelivered && count > 0) {
		queue->flags |= QUEUE_DRAINING;
		queue_unguard(queue);
		filch__store_each(queue, count, queue->undelivered, queue->context);
		queue_guard(queue);
		queue->flags &= ~QUEUE_DRAINING;
	}
	queue->free += count;
	reduce_unfinished(queue, count);
}

void filch__queue_shut(struct filch_queue *queue, bool immediate)
{
	struct queue_waiter *putter;

	queue->flags |= immediate ? QUEUE_CLOSED | QUEUE_IMMEDIATE : QUEUE_CLOSED;
	while ((putter = filch__queue_pop(queue, putters_of(queue))))
		filch__queue_wake(queue, putter, -EPIPE);
	if (immediate)
		drain(queue);
	filch__queue_settle_end(queue);
	queue_unguard(queue);
}

int filch_queue_shutdown(struct filch_queue *queue, bool immediate)
{
	if (!queue)
		return -EINVAL;
	queue_guard(queue);
	filch__queue_shut(queue, immediate);
	return 0;
}

static bool is_busy(struct filch_queue *queue)
{
	return queue->reserved > 0 || queue->leaving > 0 || queue->flags & QUEUE_DRAINING ||
	       !list_is_empty(getters_of(queue)) || !list_is_empty(putters_of(queue)) ||
	       !list_is_empty(joiners_of(queue));
}

int filch_queue_fini(struct filch_queue *queue)
{
	void *memory;
	bool busy;

	if (!queue)
		return 0;
	queue_guard(queue);
	busy = is_busy(queue);
	queue_unguard(queue);
	if (busy)
		return -EBUSY;
	if (queue->undelivered)
		filch__store_each(queue, queue->count, queue->undelivered, queue->context);
	memory = filch__store_memory(queue);
	filch__free(queue->allocator, memory);
	*queue = (struct filch_queue){ .flags = 0 };
	return 0;
}

/* ---- Join ---- */

int filch_queue_task_done(struct filch_queue *queue)
{
	int status = -EOVERFLOW;

	if (!queue)
		return -EINVAL;
	queue_guard(queue);
	if (queue->unfinished > 0) {
		reduce_unfinished(queue, 1);
		status = 0;
	}
	queue_unguard(queue);
	return status;
}

static int join(struct filch_queue *queue, filch_time deadline)
{
	static const struct waited done = { .name = "a queue's elements to be done" };
	struct queue_waiter waiter = { .element = NULL };
	int status;

	queue_guard(queue);
	if (queue->unfinished == 0) {
		queue_unguard(queue);
		return 0;
	}
	if (deadline != FILCH_NEVER && deadline <= filch__clock_now()) {
		queue_unguard(queue);
		return -ETIMEDOUT;
	}
	filch__waiter_begin(&waiter.waiter);
	waiter_says(&waiter.waiter, &done, queue);
	list_push_back(joiners_of(queue), &waiter.waiter.link);
	queue_unguard(queue);
	status = filch__waiter_wait(&waiter.waiter, deadline);
	if (status == 0)
		return filch__queue_come(&waiter);
	queue_guard(queue);
	filch__queue_leave(queue, &waiter);
	queue_unguard(queue);
	return status;
}

int filch_queue_join_until(struct filch_queue *queue, filch_time deadline)
{
	int status = queue ? filch__wait_enter() : -EINVAL;

	return status < 0 ? status : join(queue, deadline);
}

int filch_queue_join(struct filch_queue *queue)
{
	return filch_queue_join_until(queue, FILCH_NEVER);
}

int filch_queue_try_join(struct filch_queue *queue)
{
	int status = queue ? join(queue, 0) : -EINVAL;

	return status == -ETIMEDOUT ? -EAGAIN : status;
}

/* ---- Looking ---- */

int filch_queue_peek(struct filch_queue *queue, void *element)
{
	int status;

	if (!queue_takes(queue, element))
		return -EINVAL;
	queue_guard(queue);
	status = filch__queue_get_closed(queue, NULL);
	if (status == 0 && queue->count == 0)
		status = -EAGAIN;
	if (status == 0)
		copy_element(element, filch__store_next(queue), queue->element_size);
	queue_unguard(queue);
	return status;
}

size_t filch_queue_size(struct filch_queue *queue)
{
	size_t size;

	if (!queue)
		return 0;
	queue_guard(queue);
	size = queue->count;
	queue_unguard(queue);
	return size;
}

static size_t length(const struct list *head)
{
	size_t count = 0;

	for (const struct list *link = head->next; link && link != head; link = link->next)
		count++;
	return count;
}

void filch_queue_get_statistics(struct filch_queue *queue,
				struct filch_queue_statistics *statistics)
{
	queue_guard(queue);
	*statistics = (struct filch_queue_statistics){
		.size = queue->count,
		.reserved = queue->reserved,
		.unfinished = queue->unfinished,
		.getters = length(getters_of(queue)),
		.putters = length(putters_of(queue)),
		.joiners = length(joiners_of(queue)),
		.contended = queue->contended,
		.closed = (queue->flags & QUEUE_CLOSED) != 0,
	};
	queue_unguard(queue);
}
