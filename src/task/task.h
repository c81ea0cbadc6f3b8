/* Inside a task's record, and what groups and the runtime share about running one. */
#ifndef FILCH_TASK_TASK_H
#define FILCH_TASK_TASK_H

#include "data/list.h"
#include "data/spin.h"
#include "platform/context.h"
#include "sched/worker.h"
#include "sync/lock.h"
#include "wake/wait.h"

#include <filch/group.h>

#define TASK_NAME_SIZE 32
#define TASK_BUDGET 128

enum task_flag {
	TASK_STICKY = 1,
	TASK_SKIP_IF_CANCELLED = 2,
	TASK_LARGE = 4,
	TASK_OUTCOME = 8, /* its group keeps the outcome (it was spawned with a handle) */
	TASK_ROOT = 16,	  /* of a runtime's root group */
	TASK_STARTED = 32
};

/* A spawn that waits for filch_task_started; in the spawner's frame. */
struct task_start {
	struct waiter waiter;
	void *value;
	bool kept; /* the starter takes the handle */
	bool started;
};

/*
 * The record of a task that has a handle or attributes. Reference counted: one for the
 * task until it has ended, one per handle, one while its group keeps its outcome.
 */
struct filch_task {
	struct filch_token token; /* its own scope, below the group's; first */
	struct injected_task injected;
	struct scheduler *scheduler;
	struct filch_group *group; /* valid until it has ended */
	struct filch_word32 references;
	struct filch_word32 done; /* set once status is final */
	struct spin lock;	  /* guards joiners */
	struct list joiners;
	struct list link; /* in its group's outcomes, or the runtime's live tasks */
	struct task_start *start; /* not ready yet; the task's own */
	int status;
	int reason; /* why its scope was cancelled */
	uint32_t budget;
	uint32_t flags;
	bool was_cancelled;
	struct filch_word32 observed;
	char name[TASK_NAME_SIZE];
};

/* What a deque's item says: {fn, arg, group, record | counted}. */
#define ITEM_COUNTED ((uintptr_t)1) /* in group->pending already: not spawned by the owner */

static inline struct deque_item item_make(filch_task_fn *fn, void *arg, struct filch_group *group,
					  struct filch_task *record, uintptr_t counted)
{
	return (struct deque_item){ { (void *)(uintptr_t)fn, arg, group,
				      (void *)((uintptr_t)record | counted) } };
}

static inline filch_task_fn *item_fn(const struct deque_item *item)
{
	return (filch_task_fn *)(uintptr_t)item->word[0];
}

static inline struct filch_group *item_group(const struct deque_item *item)
{
	return (struct filch_group *)item->word[2];
}

static inline struct filch_task *item_record(const struct deque_item *item)
{
	return (struct filch_task *)((uintptr_t)item->word[3] & ~ITEM_COUNTED);
}

/* ---- task.c ---- */

/* NULL without memory. One reference for the task, one more if `handle`. -EINVAL for bad options.
 */
int filch__task_create(struct filch_task **task, struct scheduler *scheduler,
		       const struct filch_task_options *options, bool handle);
/* Publishes the status, wakes who waits, drops the task's reference. */
void filch__task_end(struct filch_task *task, int status, bool was_cancelled);
/* Is `group` open in, or the group of, the caller's task or one of its ancestors? */
bool filch__task_is_member(const struct filch__task *task, const struct filch_group *group);

/* ---- run.c ---- */

/* Runs an item on this stack (or one chained to it) and reports its end to its group. */
void filch__task_run(struct fiber *self, const struct deque_item *item);
/* The same without the group's count: false when it needs a stack and there is none. `item`
 * outlives it. */
bool filch__task_try_run(struct fiber *self, const struct deque_item *item);
/* What is left to do when task_call has returned a failure for a child in place. */
FILCH_COLD void filch__task_failed_in_place(struct fiber *self, struct filch_group *group,
					    int status);
/* Is there enough of this stack left for a call in place (R8)? */
static FILCH_ALWAYS_INLINE bool stack_has_room(const struct fiber *self)
{
	return stack_pointer() >= (uintptr_t)self->floor;
}

/* The end of the process: the group or token lies in a frame that is gone, so that neither it nor
 * the children that know it can be helped. */
__attribute__((noreturn)) FILCH_COLD void filch__task_left_scope(void);

/* A child without a record, but for its budget. */
static FILCH_ALWAYS_INLINE void task_set_plain(struct filch__task *task, struct filch_group *group)
{
	task->scope = &group->token;
	task->group = group;
	task->record = NULL;
	task->held = NULL;
}

/* Calls it on the caller's fiber, as `task`: set above, and good for the next call as well. */
static FILCH_ALWAYS_INLINE int task_call(struct fiber *self, struct filch__task *task,
					 struct filch_group *group, const struct deque_item *item)
{
	int status;

	task->operations = task->budget = TASK_BUDGET;
	self->task = task;
	status = item_fn(item)(item->word[1]);
	if (unlikely(task->scope != &group->token))
		filch__task_left_scope();
	if (unlikely(task->held))
		filch__locks_break(task);
	return status;
}

/* ---- group.c ---- */

/* Tells the group of a child's status (a failure, not a cancel of its own scope). */
void filch__group_failed(struct filch_group *group, struct filch_task *record, int status);
/* A child that was counted in `pending` has ended: the last touch of the group. */
void filch__group_child_done(struct filch_group *group);
int filch__group_spawn_record(struct filch_group *group, filch_task_fn *fn, void *arg,
			      struct filch_task *record);

/* ---- outcome.c ---- */

/* Between the two: the group's lock, and its failure and outcomes ready to be written. */
void filch__group_note(struct filch_group *group);
void filch__group_noted(struct filch_group *group);
/* A child with a record; `task` NULL: without a handle. `start` NULL: nobody waits for its readiness.
 */
int filch__group_spawn_handle(struct filch_group *group, const struct filch_task_options *options,
			      filch_task_fn *fn, void *arg, struct task_start *start,
			      struct filch_task **task);
/* Its outcome will be asked for. Before it ends. */
void filch__group_keep_outcome(struct filch_group *group, struct filch_task *record);
/* The ended child joins the outcomes of its group. Before filch__group_child_done. */
void filch__group_add_outcome(struct filch_group *group, struct filch_task *record);
/* At the group's end: drops what was not asked for. */
void filch__group_drop_outcomes(struct filch_group *group);

#endif
