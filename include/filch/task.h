/* A task: a function that may park. Its handle: awaited, cancelled, counted. */
#ifndef FILCH_TASK_H
#define FILCH_TASK_H

#include <filch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum filch_stack_class {
	FILCH_STACK_SMALL, /* FILCH_STACK_SIZE, 64 KiB unless set */
	FILCH_STACK_LARGE  /* 1 MiB */
};

/* Attributes of a new task; a zero field means the default. */
struct filch_task_options {
	size_t size;	  /* sizeof(struct filch_task_options) */
	const char *name; /* copied, at most 31 bytes are kept */
	enum filch_stack_class stack_class;
	bool sticky;		/* resumed only by the worker that started it */
	bool skip_if_cancelled; /* not run at all when its group is cancelled before it starts */
	unsigned budget;	/* operations between yields; 0: 128; UINT_MAX: unlimited */
	void *room[4];
};

/*
 * Waits for the task's end and stores its status. The return is the caller's own
 * outcome: 0, -ECANCELED (the caller's scope), -ETIMEDOUT, -EDEADLK (itself or an
 * ancestor), -EINVAL, -ESHUTDOWN (in the child of a fork). `status` may be NULL.
 * Context: task, also of another runtime, or thread; parks. Order: what the task wrote is seen.
 */
FILCH_API int filch_task_wait(struct filch_task *task, int *status);
FILCH_API int filch_task_try_wait(struct filch_task *task, int *status);
FILCH_API int filch_task_wait_until(struct filch_task *task, int *status, filch_time deadline);

/* Cancels the task's own scope; false when it has ended. Context: anywhere; does not park. */
FILCH_API bool filch_task_cancel(struct filch_task *task, int reason);
/* Cancels, then waits as filch_task_wait does. */
FILCH_API int filch_task_cancel_and_wait(struct filch_task *task, int reason, int *status);
/* True when its scope was cancelled and it returned -ECANCELED. */
FILCH_API bool filch_task_was_cancelled(const struct filch_task *task);
/* The reason its own scope was cancelled with, 0 when it was not. */
FILCH_API int filch_task_reason(const struct filch_task *task);

FILCH_API const char *filch_task_name(const struct filch_task *task);
/* References: spawn hands out one. NULL is accepted. */
FILCH_API struct filch_task *filch_task_acquire(struct filch_task *task);
FILCH_API void filch_task_release(struct filch_task *task);
/* The caller's own handle (not counted); NULL in a thread and in a task spawned without one. */
FILCH_API struct filch_task *filch_task_self(void);

/* Lets every other ready task of this worker go first. 0 or -ECANCELED; in a thread sched_yield. */
FILCH_API int filch_yield(void);
/* Operations the calling task may do between yields; UINT_MAX lifts the budget. -EPERM in a thread.
 */
FILCH_API int filch_task_set_budget(unsigned operations);

#ifdef __cplusplus
}
#endif

#endif
