/* A task's record: created, awaited, cancelled, released. */
#include "task/task.h"

#include "base/panic.h"
#include "platform/allocate.h"
#include "wake/token.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int check_options(const struct filch_task_options *options)
{
	if (options->size < offsetof(struct filch_task_options, room) ||
	    options->stack_class > FILCH_STACK_LARGE)
		return -EINVAL;
	return 0;
}

static void apply(struct filch_task *task, const struct filch_task_options *options)
{
	if (options->name)
		snprintf(task->name, sizeof(task->name), "%s", options->name);
	if (options->sticky)
		task->flags |= TASK_STICKY;
	if (options->skip_if_cancelled)
		task->flags |= TASK_SKIP_IF_CANCELLED;
	if (options->stack_class == FILCH_STACK_LARGE)
		task->flags |= TASK_LARGE;
	if (options->budget)
		task->budget = options->budget;
}

int filch__task_create(struct filch_task **created, struct scheduler *scheduler,
		       const struct filch_task_options *options, bool handle)
{
	struct filch_task *task;
	int status = options ? check_options(options) : 0;

	if (status < 0)
		return status;
	task = filch__allocate_zeroed(scheduler->allocator, sizeof(*task));
	if (!task)
		return -ENOMEM;
	task->scheduler = scheduler;
	task->budget = TASK_BUDGET;
	if (options)
		apply(task, options);
	/* relaxed: not shared yet. */
	word32_store_relaxed(&task->references, handle ? 2 : 1);
	*created = task;
	return 0;
}

struct filch_task *filch_task_acquire(struct filch_task *task)
{
	if (task)
		/* relaxed: the caller's own reference keeps it. */
		word32_add_relaxed(&task->references, 1);
	return task;
}

void filch_task_release(struct filch_task *task)
{
	struct scheduler *scheduler;

	/* acq_rel: the last one sees what all others did with the task. */
	if (!task || word32_sub_acq_rel(&task->references, 1) != 1)
		return;
	scheduler = task->scheduler;
	/* relaxed: nobody else holds it. */
	if (task->status < 0 && !task->was_cancelled && !word32_load_relaxed(&task->observed))
		scheduler->unobserved(scheduler, task->name, task->status);
	filch__free(scheduler->allocator, task);
}

void filch__task_end(struct filch_task *task, int status, bool was_cancelled)
{
	struct list *link;

	spin_acquire(&task->lock);
	task->status = status;
	task->was_cancelled = was_cancelled;
	/* release: pairs with the acquire in is_done. */
	word32_store_release(&task->done, 1);
	if (task->start)
		waiter_grant(&task->start->waiter); /* it may be gone now */
	while ((link = list_pop_front(&task->joiners)))
		waiter_grant(container_of(link, struct waiter, link)); /* it may be gone now */
	spin_release(&task->lock);
	if (task->flags & TASK_ROOT)
		task->scheduler->root_ended(task->scheduler, task);
	if (task->flags & TASK_OUTCOME)
		filch__group_add_outcome(task->group, filch_task_acquire(task));
	filch_task_release(task);
}

static bool is_done(const struct filch_task *task)
{
	/* acquire: pairs with the release in filch__task_end. */
	return word32_load_acquire(&task->done) != 0;
}

static void observe(struct filch_task *task, int *status)
{
	/* relaxed: read when the last reference goes, which orders. */
	word32_store_relaxed(&task->observed, 1);
	if (status)
		*status = task->status;
}

bool filch__task_is_member(const struct filch__task *task, const struct filch_group *group)
{
	while (task) {
		if (group->owner == task || task->group == group)
			return true;
		task = task->group ? (const struct filch__task *)task->group->owner : NULL;
	}
	return false;
}

/* Waiting for oneself, or for a task that waits for us to end. */
static bool is_ancestor(const struct filch_task *record)
{
	struct fiber *self = filch__fiber_self();
	const struct filch__task *task = self ? self->task : NULL;

	while (task) {
		if (task->record == record)
			return true;
		task = task->group ? (const struct filch__task *)task->group->owner : NULL;
	}
	return false;
}

/* Nobody will ever end it here. */
static bool is_left_behind(const struct filch_task *task)
{
	return !filch__fiber_self() && filch__scheduler_is_foreign(task->scheduler);
}

int filch_task_try_wait(struct filch_task *task, int *status)
{
	if (!task)
		return -EINVAL;
	if (!is_done(task)) {
		if (is_left_behind(task))
			return -ESHUTDOWN;
		return is_ancestor(task) ? -EDEADLK : -EAGAIN;
	}
	observe(task, status);
	return 0;
}

static void name_awaited(const void *task, char *text, size_t size)
{
	snprintf(text, size, "'%s'", filch_task_name(task));
}

static int wait_for(struct filch_task *task, filch_time deadline)
{
	static const struct waited end = { .name = "the end of a task", .describe = name_awaited };
	struct waiter waiter;
	int status;

	filch__waiter_begin(&waiter);
	waiter_says(&waiter, &end, task);
	spin_acquire(&task->lock);
	if (is_done(task)) {
		spin_release(&task->lock);
		filch__waiter_abort(&waiter);
		return 0;
	}
	list_push_back(&task->joiners, &waiter.link);
	spin_release(&task->lock);
	status = filch__waiter_wait(&waiter, deadline);
	spin_acquire(&task->lock);
	if (list_is_linked(&waiter.link))
		list_remove(&waiter.link);
	spin_release(&task->lock);
	return status;
}

int filch_task_wait_until(struct filch_task *task, int *status, filch_time deadline)
{
	int own;

	if (!task)
		return -EINVAL;
	own = filch__wait_enter();
	if (own < 0)
		return own;
	if (!is_done(task)) {
		if (is_left_behind(task))
			return -ESHUTDOWN;
		if (is_ancestor(task))
			return -EDEADLK;
		own = filch__wait_is_over(deadline) ? -ETIMEDOUT : wait_for(task, deadline);
		if (own < 0)
			return own;
	}
	observe(task, status);
	return 0;
}

int filch_task_wait(struct filch_task *task, int *status)
{
	return filch_task_wait_until(task, status, FILCH_NEVER);
}

bool filch_task_cancel(struct filch_task *task, int reason)
{
	if (!task || is_left_behind(task))
		return false;
	/* The token is the record's: it may leave the tree meanwhile, but not go. */
	return !is_done(task) && filch__token_cancel(&task->token, reason, task->scheduler);
}

int filch_task_cancel_and_wait(struct filch_task *task, int reason, int *status)
{
	filch_task_cancel(task, reason);
	return filch_task_wait(task, status);
}

bool filch_task_was_cancelled(const struct filch_task *task)
{
	return task && is_done(task) && task->was_cancelled;
}

int filch_task_reason(const struct filch_task *task)
{
	if (!task)
		return 0;
	return is_done(task) ? task->reason : filch_token_reason(&task->token);
}

const char *filch_task_name(const struct filch_task *task)
{
	return task ? task->name : "";
}

struct filch_task *filch_task_self(void)
{
	struct fiber *self = filch__fiber_self();

	return self ? self->task->record : NULL;
}

int filch_yield(void)
{
	struct fiber *self = filch__fiber_self();
	int status = filch__checkpoint();

	if (status < 0)
		return status;
	if (!self) {
		filch__thread_yield();
		return 0;
	}
	if (self->task == &filch__task_none)
		return -EPERM; /* a timer's callback */
	self->task->operations = self->task->budget;
	filch__wait_yield(self);
	return 0;
}

int filch_task_set_budget(unsigned operations)
{
	struct fiber *self = filch__fiber_self();

	if (!self)
		return -EPERM;
	if (operations == 0)
		return -EINVAL;
	self->task->budget = self->task->operations = operations;
	return 0;
}
