/* Starting a child and waiting until it is ready. */
#include "task/task.h"

#include "wake/token.h"

#include <errno.h>

/* What became of a child that has ended unready: -ECHILD, or its failure. */
static int failure_of(struct filch_task *record)
{
	int status = 0;

	filch_task_try_wait(record, &status);
	return status < 0 && !filch_task_was_cancelled(record) ? status : -ECHILD;
}

/* Cancelled before the child was ready: the child alone is cancelled, and awaited, since it
 * knows our frame. Its cleanup's failure goes before the cancel. */
static int withdraw(struct filch_task *record, const struct task_start *start)
{
	struct filch_token shield;
	int failure;

	filch_task_cancel(record, -ECANCELED);
	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	filch_task_wait(record, NULL);
	filch_scope_leave(&shield);
	filch_token_fini(&shield);
	failure = start->started ? -ECHILD : failure_of(record);
	return failure == -ECHILD ? -ECANCELED : failure;
}

int filch_group_start(struct filch_group *group, const struct filch_task_options *options,
		      filch_task_fn *fn, void *arg, void **value, struct filch_task **task)
{
	static const struct waited readiness = { .name = "a child to start" };
	struct task_start start = { .kept = task != NULL };
	struct filch_task *record;
	int own = filch__wait_enter();
	int status;

	if (own < 0)
		return own;
	if (!filch__fiber_self())
		return -EPERM;
	filch__waiter_begin(&start.waiter);
	waiter_says(&start.waiter, &readiness, NULL);
	status = filch__group_spawn_handle(group, options, fn, arg, &start, &record);
	if (status < 0) {
		filch__waiter_abort(&start.waiter);
		return status;
	}
	own = filch__waiter_wait(&start.waiter, FILCH_NEVER);
	if (own < 0)
		own = withdraw(record, &start);
	else if (!start.started)
		own = failure_of(record);
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
	struct task_start *start = record ? record->start : NULL;

	if (!start)
		return record && record->flags & TASK_STARTED ? -EALREADY : -EPERM;
	record->flags |= TASK_STARTED;
	if (start->kept)
		filch__group_keep_outcome(record->group, record);
	record->start = NULL;
	start->value = value;
	start->started = true;
	waiter_grant(&start->waiter); /* *start may be gone from here on. */
	return 0;
}
