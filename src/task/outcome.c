/* Children with a handle: spawning them, their readiness, their outcomes. */
#include "task/task.h"

#include "base/panic.h"
#include "wake/token.h"

#include <errno.h>

static struct spin *lock_of(struct filch_group *group)
{
	return (struct spin *)(void *)&group->token.lock;
}

static struct list *outcomes_of(struct filch_group *group)
{
	return (struct list *)(void *)group->outcomes;
}

void filch__group_note(struct filch_group *group)
{
	spin_acquire(lock_of(group));
	if (group->ready)
		return;
	group->outcomes[0] = group->outcomes[1] = group->listener = NULL;
	group->failure = group->handles = group->given = 0;
	group->ready = 1;
	/* relaxed: read by the owner when all children have ended, which orders. */
	word32_or_relaxed(&group->token.state, TOKEN_NOTED);
}

void filch__group_noted(struct filch_group *group)
{
	spin_release(lock_of(group));
}

static void count_handle(struct filch_group *group, int change)
{
	filch__group_note(group);
	group->handles += (uint32_t)change;
	filch__group_noted(group);
}

static int spawn_record(struct filch_group *group, const struct filch_task_options *options,
			filch_task_fn *fn, void *arg, struct task_start *start,
			struct filch_task **task)
{
	struct scheduler *scheduler = filch__scheduler_self();
	struct filch_task *record;
	int status;

	if (!group || !fn)
		return -EINVAL;
	if (!scheduler)
		return -EPERM;
	status = filch__task_create(&record, scheduler, options, task != NULL);
	if (status < 0)
		return status;
	if (task) {
		record->flags |= TASK_OUTCOME;
		count_handle(group, 1);
	}
	record->start = start;
	status = filch__group_spawn_record(group, fn, arg, record);
	if (status < 0) {
		if (task) {
			count_handle(group, -1);
			filch_task_release(record);
		}
		filch_task_release(record);
		return status;
	}
	if (task)
		*task = record;
	return 0;
}

int filch_group_spawn_with(struct filch_group *group, const struct filch_task_options *options,
			   filch_task_fn *fn, void *arg, struct filch_task **task)
{
	return spawn_record(group, options, fn, arg, NULL, task);
}

/* Cancelled before the child was ready: the child alone is cancelled, and awaited, since it
 * knows our frame. */
static void withdraw_start(struct filch_task *record, struct task_start *start)
{
	struct filch_token shield;

	filch_task_cancel(record, -ECANCELED);
	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	filch_task_wait(record, NULL);
	filch_scope_leave(&shield);
	filch_token_fini(&shield);
	(void)start;
}

int filch_group_start(struct filch_group *group, const struct filch_task_options *options,
		      filch_task_fn *fn, void *arg, void **value, struct filch_task **task)
{
	struct task_start start = { .started = false };
	struct filch_task *record;
	int own = filch__wait_enter();
	int status;

	if (own < 0)
		return own;
	if (!filch__fiber_self())
		return -EPERM;
	filch__waiter_begin(&start.waiter);
	status = spawn_record(group, options, fn, arg, &start, &record);
	if (status < 0) {
		filch__waiter_abort(&start.waiter);
		return status;
	}
	own = filch__waiter_wait(&start.waiter, FILCH_NEVER);
	if (own < 0)
		withdraw_start(record, &start);
	else if (!start.started)
		own = filch_task_wait(record, &status) < 0 || status >= 0 ? -ECHILD : status;
	else if (value)
		*value = start.value;
	if (own == 0 && task)
		*task = record;
	else
		filch_task_release(record);
	return own;
}

int filch_task_started(void *value)
{
	struct filch_task *record = filch_task_self();
	int status = -EPERM;

	if (!record)
		return -EPERM;
	spin_acquire(&record->lock);
	if (record->start) {
		record->start->value = value;
		record->start->started = true;
		waiter_grant(&record->start->waiter);
		record->start = NULL;
		record->flags |= TASK_STARTED;
		status = 0;
	} else if (record->flags & TASK_STARTED) {
		status = -EALREADY;
	}
	spin_release(&record->lock);
	return status;
}

void filch__group_add_outcome(struct filch_group *group, struct filch_task *record)
{
	struct waiter *listener;

	spin_acquire(lock_of(group));
	list_push_back(outcomes_of(group), &record->link);
	listener = (struct waiter *)group->listener;
	if (listener)
		waiter_grant(listener);
	group->listener = NULL;
	spin_release(lock_of(group));
}

/* Under the lock: 0 and the record, -ENODATA, or -EAGAIN. */
static int take_outcome(struct filch_group *group, struct filch_task **record)
{
	struct list *link;

	if (!group->ready)
		return -ENODATA;
	link = list_pop_front(outcomes_of(group));
	if (!link)
		return group->handles == group->given ? -ENODATA : -EAGAIN;
	group->given++;
	*record = container_of(link, struct filch_task, link);
	return 0;
}

static int next_outcome(struct filch_group *group, struct filch_task **record)
{
	for (;;) {
		struct waiter waiter;
		int status;

		filch__waiter_begin(&waiter);
		spin_acquire(lock_of(group));
		status = take_outcome(group, record);
		group->listener = status == -EAGAIN ? &waiter : NULL;
		spin_release(lock_of(group));
		if (status != -EAGAIN) {
			filch__waiter_abort(&waiter);
			return status;
		}
		status = filch__waiter_wait(&waiter, FILCH_NEVER);
		spin_acquire(lock_of(group));
		group->listener = NULL;
		spin_release(lock_of(group));
		if (status < 0)
			return status;
	}
}

int filch_group_next_outcome(struct filch_group *group, struct filch_group_outcome *outcome)
{
	struct fiber *self = filch__fiber_self();
	struct filch_task *record = NULL;
	int status;

	if (!group || !outcome)
		return -EINVAL;
	if (!self || group->owner != self->task)
		return -EPERM;
	status = filch__wait_enter();
	if (status == 0)
		status = next_outcome(group, &record);
	if (status < 0)
		return status;
	/* relaxed: read when the last reference goes. */
	word32_store_relaxed(&record->observed, 1);
	outcome->task = record;
	outcome->status = record->status;
	outcome->reason = record->was_cancelled ? record->reason : 0;
	return 0;
}

void filch__group_drop_outcomes(struct filch_group *group)
{
	struct list *link;

	while (group->ready && (link = list_pop_front(outcomes_of(group))))
		filch_task_release(container_of(link, struct filch_task, link));
}
