/* The end of a task as an arm of a select. */
#include "task/task.h"

#include "sync/select.h"

#include <errno.h>

static int arm_ready(struct filch_arm *arm)
{
	return filch_task_try_wait(arm->object, arm->value);
}

static bool arm_attach(struct filch_arm *arm)
{
	struct filch_task *task = arm->object;
	struct waiter *waiter = arm_waiter(arm);
	bool done;

	spin_acquire(&task->lock);
	/* relaxed: set under the lock. */
	done = word32_load_relaxed(&task->done) != 0;
	if (!done)
		list_push_back(&task->joiners, &waiter->link);
	spin_release(&task->lock);
	return !done;
}

static int arm_detach(struct filch_arm *arm)
{
	struct filch_task *task = arm->object;
	struct waiter *waiter = arm_waiter(arm);

	spin_acquire(&task->lock);
	if (list_is_linked(&waiter->link))
		list_remove(&waiter->link);
	spin_release(&task->lock);
	return waiter->outcome == PARK_UNDECIDED ? -EAGAIN : arm_ready(arm);
}

static const struct select_kind arm_kind = { arm_ready, arm_attach, arm_detach };

struct filch_arm filch_task_arm(struct filch_task *task, int *status)
{
	return (struct filch_arm){ .kind = &arm_kind, .object = task, .value = status };
}
