/* What a simulation says when nothing goes on any more. */
#include "runtime/simulate.h"

#include "runtime/runtime.h"
#include "task/task.h"
#include "wake/timer.h"

#include <stdarg.h>
#include <stdio.h>

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

static void name_task(struct simulation *simulation, const struct filch__task *task,
		      const char *what, const void *object, const char *by)
{
	const struct filch__task *parent = parent_of(task);
	char place[32] = "";

	if (object)
		snprintf(place, sizeof(place), " %p", object);
	filch__simulation_say(simulation, "task '%s'%s%s%s waits for %s%s%s%s", name_of(task),
			      parent ? " (child of '" : "", parent ? name_of(parent) : "",
			      parent ? "')" : "", what, place, by[0] ? ", " : "", by);
}

/* Tasks run their children in place: the ancestors on this stack wait, too, but are not parked. */
static void name_ancestors(struct simulation *simulation, const struct filch__task *task)
{
	const struct filch_group *group = task->group;

	while (group && group->owner && !is_parked((const struct fiber *)group->fiber)) {
		const struct filch__task *owner = (const struct filch__task *)group->owner;

		name_task(simulation, owner, "its children", NULL, "");
		group = owner->group;
	}
}

static void name_fiber(struct stack *stack, void *context)
{
	const struct fiber *fiber = container_of(stack, const struct fiber, stack);
	const struct waiter *waiter;
	const struct waited *what;
	char by[128] = "";

	if (!fiber->task || fiber->task == &filch__task_none || !is_parked(fiber))
		return;
	waiter = (const struct waiter *)fiber->parker.waiter;
	what = waiter ? waiter->what : NULL;
	if (what && what->by && !what->by(waiter->object, by, sizeof(by)))
		by[0] = '\0';
	name_task(context, fiber->task, what ? what->name : "something",
		  what ? waiter->object : NULL, by);
	name_ancestors(context, fiber->task);
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
