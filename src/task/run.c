/* Running a task: on the stack one stands on, or on one chained to it. */
#include "task/task.h"

#include "base/panic.h"
#include "wake/token.h"

#include <errno.h>
#include <string.h>

/* A call that is carried out on another stack. */
struct chained {
	const struct deque_item *item;
	int status;
	bool cancelled;
};

/* Was the task's own scope cancelled, and is that what it returned? */
static bool ended_cancelled(struct fiber *self, struct filch_token *own, int status)
{
	(void)self;
	/* Not the cached answer: who asked the token may have seen the mark before the count of
	 * cancels moved. */
	return status == -ECANCELED && filch__token_poll(own, NULL);
}

void filch__task_left_scope(void)
{
	filch__panic(__FILE__, __LINE__, "a task ended with a group open or a scope entered");
}

/* With a record: its own token, its attributes. */
static int call_recorded(struct fiber *self, const struct deque_item *item, bool *cancelled)
{
	struct filch_task *record = item_record(item);
	struct filch__task *outer = self->task;
	struct filch__task task = {
		.scope = &record->token,
		.group = item_group(item),
		.record = record,
		.operations = record->budget,
		.budget = record->budget,
	};
	int status = -ECANCELED;

	if (record->flags & TASK_STICKY) {
		if (self->sticky++ == 0)
			self->home = self->worker->index;
	}
	self->task = &task;
	if (!(record->flags & TASK_SKIP_IF_CANCELLED) ||
	    !token_is_cancelled(&record->token, self->worker->scheduler))
		status = item_fn(item)(item->word[1]);
	if (task.scope != &record->token)
		filch__task_left_scope();
	if (task.held)
		filch__locks_break(&task);
	*cancelled = ended_cancelled(self, &record->token, status);
	record->reason = filch__token_effective_reason(&record->token);
	self->task = outer;
	if (record->flags & TASK_STICKY)
		self->sticky--;
	filch__token_close(&record->token);
	return status;
}

static int run_here(struct fiber *self, const struct deque_item *item, bool *cancelled)
{
	struct filch_group *group = item_group(item);
	struct filch__task *outer = self->task, task;
	int status;

	if (item_record(item))
		return call_recorded(self, item, cancelled);
	task_set_plain(&task, group);
	status = task_call(self, &task, group, item);
	self->task = outer;
	*cancelled = status < 0 && ended_cancelled(self, &group->token, status);
	return status;
}

/* The base of a chained stack: one call, then back to whom it was made for. */
static void chained_main(void *argument)
{
	struct fiber *self = argument;
	struct chained *chained;

	filch__landed(self);
	chained = (struct chained *)self->chained;
	chained->status = run_here(self, chained->item, &chained->cancelled);
	filch__switch_away(self, self->below);
}

/* Calls on a fresh stack; false when there is none. */
static bool run_chained(struct fiber *self, enum filch_stack_class stack_class,
			struct chained *chained)
{
	struct fiber *fiber = filch__fiber_get(self->worker, stack_class);

	if (!fiber)
		return false;
	filch__fiber_prepare(fiber, chained_main);
	fiber->below = self;
	fiber->chained = chained;
	fiber->sticky = self->sticky;
	fiber->home = self->home;
	filch__switch(self, fiber, LEFT_NOTHING);
	return true;
}

static enum filch_stack_class class_of(const struct filch_task *record)
{
	return record && record->flags & TASK_LARGE ? FILCH_STACK_LARGE : FILCH_STACK_SMALL;
}

/* Here if the stack is of the right class and has room, else on another one; false when there is
 * none to be had, and nothing was done. */
static bool run_somewhere(struct fiber *self, const struct deque_item *item, int *status,
			  bool *cancelled)
{
	enum filch_stack_class wanted = class_of(item_record(item));
	struct chained chained = { .item = item };

	if (wanted == (enum filch_stack_class)self->stack.stack_class && stack_has_room(self)) {
		*status = run_here(self, item, cancelled);
		return true;
	}
	if (!run_chained(self, wanted, &chained))
		return false;
	*cancelled = chained.cancelled;
	*status = chained.status;
	return true;
}

static FILCH_COLD void finish(const struct deque_item *item, int status, bool cancelled)
{
	struct filch_group *group = item_group(item);
	struct filch_task *record = item_record(item);

	/* Who waits for its readiness is told instead. */
	if (status < 0 && !cancelled && !(record && record->start))
		filch__group_failed(group, record, status);
	if (record)
		filch__task_end(record, status, cancelled);
}

bool filch__task_try_run(struct fiber *self, const struct deque_item *item)
{
	bool cancelled = false;
	int status;

	if (!run_somewhere(self, item, &status, &cancelled))
		return false;
	if (status < 0 || item_record(item))
		finish(item, status, cancelled);
	return true;
}

/* From the loop: a task that wants a large stack, and there is none, waits in the injection queue.
 */
void filch__task_run(struct fiber *self, const struct deque_item *item)
{
	struct deque_item own = *item; /* the caller's may be anywhere */

	if (filch__task_try_run(self, &own)) {
		filch__group_child_done(item_group(&own));
		return;
	}
	memcpy(item_record(&own)->injected.word, own.word, sizeof(own.word));
	filch__scheduler_inject(self->worker->scheduler, &item_record(&own)->injected);
	filch__thread_yield();
}

void filch__task_failed_in_place(struct fiber *self, struct filch_group *group, int status)
{
	if (!ended_cancelled(self, &group->token, status))
		filch__group_failed(group, NULL, status);
}
