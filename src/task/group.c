/* Opening, spawning into, and closing a group. */
#include "task/task.h"

#include "base/panic.h"
#include "platform/clock.h"
#include "wake/token.h"

#include <errno.h>

/*
 * Children that end elsewhere count down from here; the owner settles the difference once. So far
 * from 0 in both directions that a group may live for ever, and short to write in machine code.
 */
#define BIAS ((uint64_t)INT32_MIN)

static int configure(struct filch_group *group, const struct filch_group_options *options)
{
	int status = 0;

	if (options->size < offsetof(struct filch_group_options, room) ||
	    options->policy > FILCH_GROUP_SUPERVISE || options->deadline < 0)
		return -EINVAL;
	group->policy = options->policy;
	if (options->shield)
		filch__token_make_shield(&group->token);
	if (options->deadline > 0)
		status = filch_token_set_deadline(&group->token, options->deadline);
	return status == -EBUSY ? 0 : status; /* cancelled already: it is born so */
}

static FILCH_COLD int configure_or_undo(struct filch_group *group,
					const struct filch_group_options *options)
{
	int status = configure(group, options);

	if (status < 0) {
		((struct filch__task *)group->owner)->scope = group->token.parent;
		filch__token_close(&group->token);
		group->owner = NULL;
	}
	return status;
}

/* The three short paths are never inlined into a caller, not even between files: each looks at
 * the thread-local once, and a caller may park between two of them. */
FILCH_NOINLINE int filch_group_open(struct filch_group *group,
				    const struct filch_group_options *options)
{
	struct fiber *self = fiber_self_at_entry();
	struct filch__task *task;

	if (unlikely(!group))
		return -EINVAL;
	task = self->task;
	if (unlikely(!task->scope))
		return -EPERM;
	if (unlikely(task->scope == &group->token))
		return group->owner == task ? -EBUSY : -EPERM;
	token_open(&group->token, task->scope, TOKEN_GROUP);
	group->fiber = self;
	group->owner = task;
	group->left = 0;
	/* relaxed: not shared yet; spawning publishes it. */
	word64_store_relaxed(&group->pending, BIAS);
	group->policy = FILCH_GROUP_FAIL_FAST;
	group->ready = 0;
	task->scope = &group->token;
	return likely(!options) ? 0 : configure_or_undo(group, options);
}

/* Puts an item at the bottom of the caller's own deque. */
static int push(struct fiber *self, const struct deque_item *item)
{
	struct worker *worker = self->worker;
	int status;

	status = deque_push(&worker->tasks, item);
	if (likely(status == 0))
		worker_offer(worker);
	return status;
}

static int spawn_as_member(struct fiber *self, struct filch_group *group, filch_task_fn *fn,
			   void *arg, struct filch_task *record)
{
	struct deque_item item = item_make(fn, arg, group, record, ITEM_COUNTED);
	int status;

	if (!self || !filch__task_is_member(self->task, group))
		return -EPERM;
	/* relaxed: the caller is a live member, so that the count cannot reach its end meanwhile.
	 */
	word64_add_relaxed(&group->pending, 1);
	status = push(self, &item);
	if (status < 0)
		/* relaxed: as above. */
		word64_sub_relaxed(&group->pending, 1);
	return status;
}

static FILCH_COLD int spawn_slowly(struct filch_group *group, filch_task_fn *fn, void *arg,
				   struct filch_task *record)
{
	struct fiber *self = filch__fiber_self();
	struct deque_item item = item_make(fn, arg, group, record, 0);
	int status;

	if (!group || !fn)
		return -EINVAL;
	if (!self || self->task != group->owner)
		return spawn_as_member(self, group, fn, arg, record);
	status = push(self, &item);
	if (status == 0)
		group->left++;
	return status;
}

/* A tail call: the short path needs no frame. */
static FILCH_COLD FILCH_NOINLINE int share(struct worker *worker)
{
	filch__worker_share(worker);
	return 0;
}

/* What a push comes to when nothing is in the way; all else is done slowly. */
FILCH_NOINLINE int filch_group_spawn(struct filch_group *group, filch_task_fn *fn, void *arg)
{
	struct fiber *self = fiber_self_at_entry();
	struct worker *worker;
	struct deque_item item;

	if (unlikely(!group))
		return -EINVAL;
	if (unlikely(!fn))
		return -EINVAL;
	if (unlikely(self->task != group->owner))
		return spawn_slowly(group, fn, arg, NULL);
	worker = self->worker;
	if (unlikely(deque_is_full(&worker->tasks)))
		return spawn_slowly(group, fn, arg, NULL);
	item = item_make(fn, arg, group, NULL, 0);
	deque_push_surely(&worker->tasks, &item);
	group->left++;
	return likely(!worker_is_wanted(worker)) ? 0 : share(worker);
}

int filch__group_spawn_record(struct filch_group *group, filch_task_fn *fn, void *arg,
			      struct filch_task *record)
{
	token_open(&record->token, &group->token, 0);
	record->group = group;
	return spawn_slowly(group, fn, arg, record);
}

/* R9: by time, and only when somebody waits for this worker. */
static FILCH_COLD void breathe(struct fiber *self)
{
	struct worker *worker = self->worker;

	filch__worker_measure_tick(worker);
	if (filch__worker_is_pressed(worker))
		filch__wait_breathe(self);
}

/* The newest item if it is a child of this very group (R7). */
static FILCH_ALWAYS_INLINE bool pop_child(struct worker *worker, const struct filch_group *group,
					  struct deque_item *item)
{
	bool mine;

	gate_enter(&worker->gate);
	mine = deque_pop_if(&worker->tasks, group, item);
	if (unlikely(!mine) && deque_is_private_empty(&worker->tasks) &&
	    filch__deque_reclaim(&worker->tasks))
		mine = deque_pop_if(&worker->tasks, group, item);
	gate_leave(&worker->gate);
	return mine;
}

/* Anything but a plain child with enough stack left. False when there is no stack for it: it goes
 * back, and whoever waits for it parks, which gives the loop a stack to run it on. */
static FILCH_COLD bool run_specially(struct fiber *self, struct filch_group *group,
				     struct deque_item item)
{
	if (!filch__task_try_run(self, &item)) {
		deque_push_surely(&self->worker->tasks, &item); /* where it has just come from */
		worker_offer(self->worker);
		return false;
	}
	if ((uintptr_t)item.word[3] & ITEM_COUNTED)
		filch__group_child_done(group);
	else
		group->left--;
	return true;
}

/*
 * What the children of one group are to the library, one after the other: a frame that is set
 * up once. Only the innermost scope and the budget need a look between two of them.
 */
static FILCH_ALWAYS_INLINE void run_children(struct fiber *self, struct filch_group *group,
					     struct filch__task *owner)
{
	struct filch__task child;
	struct deque_item item;

	task_set_plain(&child, group);
	for (;;) {
		/* A child may have parked: the worker is another one then. */
		struct worker *worker = self->worker;
		int status;

		if (unlikely(--worker->tick == 0)) {
			breathe(self);
			worker = self->worker;
		}
		/* R6 holds: who runs a task has a spare stack. */
		FILCH_ASSERT(worker->spare);
		if (unlikely(!pop_child(worker, group, &item)))
			break;
		worker_offer(worker);
		if (unlikely(item.word[3] || !stack_has_room(self))) {
			if (!run_specially(self, group, item))
				break;
			continue;
		}
		status = task_call(self, &child, group, &item);
		self->task = owner;
		if (unlikely(status < 0))
			filch__task_failed_in_place(self, group, status);
		if (--group->left == 0)
			break;
	}
}

static bool is_done(const struct filch_group *group)
{
	/* acquire: pairs with the decrement in filch__group_child_done. */
	return word64_load_acquire(&group->pending) + group->left == BIAS;
}

/* Parks until the last child has ended elsewhere (R12). */
static FILCH_COLD void wait_for_the_rest(struct filch_group *group)
{
	static const struct waited children = { .name = "its children" };
	uint64_t change = group->left - BIAS;
	struct waiter waiter;

	filch__waiter_begin(&waiter);
	waiter_says(&waiter, &children, NULL);
	group->waiter = waiter.epoch;
	/* acq_rel: releases waiter to the last child; acquires what the children wrote. */
	if (word64_add_acq_rel(&group->pending, change) + change == 0)
		filch__waiter_abort(&waiter);
	else
		filch__waiter_wait_surely(&waiter);
}

void filch__group_child_done(struct filch_group *group)
{
	struct fiber *owner = group->fiber;

	if (unlikely(!owner)) {
		struct scheduler *scheduler = filch__scheduler_self();

		scheduler->root_left(scheduler);
		return;
	}
	/* acq_rel: releases the child's work to the owner, and orders the children among each
	 * other. Unless it is the last, *group may be gone from here on. */
	if (word64_sub_acq_rel(&group->pending, 1) != 1)
		return;
	/* The owner waits for us alone. */
	filch__unpark(&owner->parker, group->waiter, PARK_GRANTED);
}

FILCH_COLD void filch__group_failed(struct filch_group *group, struct filch_task *record,
				    int status)
{
	if (group->policy == FILCH_GROUP_SUPERVISE) {
		struct scheduler *scheduler = filch__scheduler_self();

		if (!record)
			scheduler->unobserved(scheduler, NULL, status);
		return;
	}
	filch__group_note(group);
	if (group->failure == 0) {
		group->failure = (uint32_t)-status;
		if (record)
			/* relaxed: as in observe: its close tells. */
			word32_store_relaxed(&record->observed, 1);
	}
	filch__group_noted(group);
	if (group->policy == FILCH_GROUP_FAIL_FAST)
		filch_token_cancel(&group->token, status);
}

static FILCH_ALWAYS_INLINE void join(struct fiber *self, struct filch_group *group,
				     struct filch__task *owner)
{
	if (likely(group->left != 0))
		run_children(self, group, owner);
	if (unlikely(!is_done(group)))
		wait_for_the_rest(group);
}

/* The slow end: outcomes, a linked token, a failure, a cancel. */
static FILCH_COLD int end_slowly(struct filch_group *group, struct fiber *self)
{
	int failure = group->ready ? -(int)group->failure : 0;

	filch__token_close(&group->token);
	filch__group_drop_outcomes(group);
	if (failure < 0)
		return failure;
	return token_is_cancelled(self->task->scope, self->worker->scheduler) ? -ECANCELED : 0;
}

FILCH_NOINLINE int filch_group_close(struct filch_group *group)
{
	struct fiber *self = fiber_self_at_entry();
	struct filch__task *task;

	if (unlikely(!group))
		return -EINVAL;
	task = self->task;
	/* First the scope: then there is such a group, and it is ours or the one we are a child of. */
	if (unlikely(task->scope != &group->token || group->owner != task))
		return -EPERM;
	join(self, group, task);
	group->owner = NULL;
	task->scope = group->token.parent;
	if (likely(token_is_pristine(&group->token) &&
		   !token_is_cancelled(task->scope, self->worker->scheduler)))
		return 0;
	return end_slowly(group, self);
}

bool filch_group_cancel(struct filch_group *group, int reason)
{
	/* Closed: the owner's runtime may be gone. */
	if (!group || !group->owner)
		return false;
	return filch__token_cancel(&group->token, reason,
				   ((struct fiber *)group->fiber)->scheduler);
}

int filch_group_run(const struct filch_group_options *options,
		    int (*body)(struct filch_group *group, void *arg), void *arg)
{
	struct filch_group group;
	int status, closed;

	if (!body)
		return -EINVAL;
	status = filch_group_open(&group, options);
	if (status < 0)
		return status;
	status = body(&group, arg);
	/* Told to end, and ended: no failure. A group that is closed says whether others should. */
	if (status == -ECANCELED && filch__token_poll(&group.token, NULL))
		status = 0;
	if (status < 0)
		filch_token_cancel(&group.token, status);
	closed = filch_group_close(&group);
	return status < 0 ? status : closed;
}
