/* Children with a handle: spawning them, their outcomes. */
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

void filch__group_keep_outcome(struct filch_group *group, struct filch_task *record)
{
	record->flags |= TASK_OUTCOME;
	count_handle(group, 1);
}

/* Before the group is touched: it may not be open, or not be a group yet. */
static int check_spawn(const struct filch_group *group, filch_task_fn *fn)
{
	struct fiber *self = filch__fiber_self();

	if (!group || !fn)
		return -EINVAL;
	return self && filch__task_is_member(self->task, group) ? 0 : -EPERM;
}

int filch__group_spawn_handle(struct filch_group *group, const struct filch_task_options *options,
			      filch_task_fn *fn, void *arg, struct task_start *start,
			      struct filch_task **task)
{
	struct filch_task *record;
	int status = check_spawn(group, fn);

	if (status == 0)
		status =
			filch__task_create(&record, filch__scheduler_self(), options, task != NULL);
	if (status < 0)
		return status;
	record->start = start;
	if (task && !start)
		filch__group_keep_outcome(group, record);
	status = filch__group_spawn_record(group, fn, arg, record);
	if (status < 0) {
		if (record->flags & TASK_OUTCOME)
			count_handle(group, -1);
		if (task)
			filch_task_release(record);
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
	return filch__group_spawn_handle(group, options, fn, arg, NULL, task);
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
	static const struct waited outcome = { .name = "a child's outcome" };

	for (;;) {
		struct waiter waiter;
		int status;

		filch__waiter_begin(&waiter);
		waiter_says(&waiter, &outcome, NULL);
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

static int ask(struct filch_group *group, struct filch_task **record)
{
	int status = filch__wait_enter();

	return status < 0 ? status : next_outcome(group, record);
}

/*
 * The group's own cancel ends its children, not the asking for what became of them: that is done in
 * the scope the group was opened in, and behind a shield when the group is one.
 */
static int ask_from_above(struct filch__task *task, struct filch_group *group,
			  struct filch_task **record)
{
	struct filch_token *scope = task->scope, shield;
	int status;

	if (scope != &group->token)
		return ask(group, record);
	if (!token_is_shield(scope)) {
		task->scope = scope->parent;
		status = ask(group, record);
		task->scope = scope;
		return status;
	}
	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	task->scope = &shield;
	status = ask(group, record);
	task->scope = scope;
	filch_token_fini(&shield);
	return status;
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
	status = ask_from_above(self->task, group, &record);
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
