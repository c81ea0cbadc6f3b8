/* For tests that need to know that a task has parked: objects count it a moment before. */
#ifndef TESTS_TASK_PARKED_H
#define TESTS_TASK_PARKED_H

#include "task/play.h"
#include "task/task.h"
#include "wake/token.h"

/* Does a cancel of the task end its wait, from here on? It waits in no scope of its own. */
static inline bool task_is_parked(struct filch_task *task)
{
	struct filch_token *token = &task->token;
	struct spin *lock = (struct spin *)(void *)&token->lock;
	bool parked;

	/* acquire: pairs with the release in make_ready. */
	if (!(word32_load_acquire(&token->state) & TOKEN_READY))
		return false;
	spin_acquire(lock);
	parked = token->waiters != NULL;
	spin_release(lock);
	return parked;
}

/* Lets others run until it is parked, or has ended. */
static inline void task_await_parked(struct filch_task *task)
{
	/* acquire: pairs with the release of a status. */
	while (!task_is_parked(task) && !word32_load_acquire(&task->done))
		give_way();
}

#endif
