/* What a simulation says when nothing goes on any more. */
#include "runtime/simulate.h"

#include "runtime/runtime.h"
#include "task/task.h"
#include "wake/timer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void filch__simulation_say(struct simulation *simulation, const char *format, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (simulation->options.report)
		simulation->options.report(line, simulation->options.report_context);
	else
		fprintf(stderr, "filch: %s\n", line);
}

static const char *name_of(const struct filch__task *task)
{
	return task->record && task->record->name[0] ? task->record->name : "(unnamed)";
}

static const struct filch__task *parent_of(const struct filch__task *task)
{
	return task->group ? (const struct filch__task *)task->group->owner : NULL;
}

static bool is_parked(const struct fiber *fiber)
{
	/* relaxed: nothing runs. */
	uint64_t state = word64_load_relaxed(&fiber->parker.word) & 15;

	return state == PARK_PARKED || state == PARK_ARMED;
}

/* Says that the task waits for something, and whatever `more` there is to say. */
static void name_task(struct simulation *simulation, const struct filch__task *task,
		      const char *what, const void *object, const char *more)
{
	const struct filch__task *parent = parent_of(task);
	char place[32] = "";

	if (object)
		snprintf(place, sizeof(place), " %p", object);
	filch__simulation_say(simulation, "task '%s'%s%s%s waits for %s%s%s%s", name_of(task),
			      parent ? " (child of '" : "", parent ? name_of(parent) : "",
			      parent ? "')" : "", what, place, more[0] ? ", " : "", more);
}

/* Tasks run their children in place: the ancestors on this stack wait, too, but are not parked. */
static void name_ancestors(struct simulation *simulation, const struct fiber *fiber)
{
	const struct filch_group *group = fiber->task->group;

	while (group && group->owner && group->fiber == fiber) {
		const struct filch__task *owner = (const struct filch__task *)group->owner;

		name_task(simulation, owner, "its children", NULL, "");
		group = owner->group;
	}
}

static bool has_task(const struct fiber *fiber)
{
	return fiber->task && fiber->task != &filch__task_none && is_parked(fiber);
}

/* ---- Who holds what is waited for ---- */

struct search {
	uint64_t owner; /* as filch__lock_self */
	const struct filch__task *found;
};

static void look_for_owner(struct stack *stack, void *context)
{
	const struct fiber *fiber = container_of(stack, const struct fiber, stack);
	const struct filch__task *task = has_task(fiber) ? fiber->task : NULL;
	struct search *search = context;

	for (; task && !search->found; task = parent_of(task))
		if ((uintptr_t)task == search->owner)
			search->found = task;
}

static void add_holders(struct simulation *simulation, const struct waiter *waiter, char *text,
			size_t size)
{
	struct search search = { .found = NULL };

	for (unsigned n = 0; (search.owner = waiter->what->holder(waiter->object, n)) != 0; n++) {
		size_t length = strlen(text);

		search.found = NULL;
		filch__stack_pool_each(&simulation->runtime->scheduler.stacks, look_for_owner,
				       &search);
		snprintf(text + length, size - length, "%s%s%s%s",
			 n > 0	      ? ", "
			 : length > 0 ? ", held by "
				      : "held by ",
			 search.found ? "'" : "", search.found ? name_of(search.found) : "no task",
			 search.found ? "'" : "");
	}
}

static void name_fiber(struct stack *stack, void *context)
{
	const struct fiber *fiber = container_of(stack, const struct fiber, stack);
	const struct waiter *waiter;
	const struct waited *what;
	char more[160] = "";

	if (!has_task(fiber))
		return;
	waiter = (const struct waiter *)fiber->parker.waiter;
	what = waiter ? waiter->what : NULL;
	if (what && what->describe)
		what->describe(waiter->object, more, sizeof(more));
	if (what && what->holder)
		add_holders(context, waiter, more, sizeof(more));
	name_task(context, fiber->task, what ? what->name : "something",
		  what ? waiter->object : NULL, more);
	name_ancestors(context, fiber);
}

void filch__simulation_name_tasks(struct simulation *simulation)
{
	filch__stack_pool_each(&simulation->runtime->scheduler.stacks, name_fiber, simulation);
}

static bool has_ready(const struct worker *worker)
{
	/* relaxed: nothing runs. */
	return pointer_load_relaxed(&worker->slot) || pointer_load_relaxed(&worker->inbox) ||
	       worker->homing || !deque_is_empty(&worker->ready);
}

bool filch__simulation_has_lost(struct simulation *simulation)
{
	struct scheduler *scheduler = &simulation->runtime->scheduler;
	bool can_start = false;

	for (unsigned i = 0; i < scheduler->count; i++) {
		if (has_ready(&scheduler->workers[i]))
			return true;
		can_start |= scheduler->workers[i].spare != NULL;
	}
	return filch__scheduler_has_work(scheduler, can_start);
}
