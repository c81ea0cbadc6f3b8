/* Groups: a task's children, joined before it can go on. */
#ifndef FILCH_GROUP_H
#define FILCH_GROUP_H

#include <filch/task.h>
#include <filch/token.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 *	struct filch_group group;
 *
 *	filch_group_open(&group, NULL);
 *	filch_group_spawn(&group, page, &a);
 *	filch_group_spawn(&group, page, &b);
 *	return filch_group_close(&group);
 *
 * Closing runs children that no other worker has taken on the caller's own stack
 * and parks for the rest. A child that fails cancels its siblings and the body
 * (policy FILCH_GROUP_FAIL_FAST), and its status is what close returns.
 */
enum filch_group_policy {
	FILCH_GROUP_FAIL_FAST, /* the first failure cancels the rest and is returned */
	FILCH_GROUP_COLLECT,   /* nobody is cancelled; the first failure is returned */
	FILCH_GROUP_SUPERVISE  /* failures concern nobody; they are left to the handles and the hook
				*/
};

struct filch_group_options {
	size_t size; /* sizeof(struct filch_group_options) */
	enum filch_group_policy policy;
	bool shield;	     /* cancels from above do not reach the children */
	filch_time deadline; /* 0: none */
	void *room[4];
};

struct filch_group {
	struct filch_token token; /* the group's own scope; first */
	void *fiber;		  /* the stack the owner runs on */
	uint32_t policy;
	uint32_t ready;	  /* what follows is set: there is something to note */
	void *owner;	  /* the task; NULL: not open */
	uint64_t failure; /* the first, as a positive errno; the token's lock guards it and outcomes
			   */
	uint64_t waiter;  /* epoch of the owner's park */
	void *outcomes[2]; /* ended children that had a handle, oldest first */
	void *listener;	   /* the owner, waiting for the next of them */
	uint32_t handles;  /* children spawned with a handle */
	uint32_t given;	   /* of those, handed out */
	/* Two lines, one written by who stole, one by the owner. */
	struct filch_word64 pending; /* children that end elsewhere; biased */
	void *room[7];
	uint64_t left; /* spawned by the owner and not run in place */
};

struct filch_group_outcome {
	struct filch_task *task; /* with a reference of the receiver's */
	int status;
	int reason; /* why it was cancelled; 0 when it was not */
};

/* Context: task. -EINVAL, -EPERM in a plain thread, -EBUSY when it is the one opened last. */
FILCH_API int filch_group_open(struct filch_group *group,
			       const struct filch_group_options *options);

/*
 * Adds a child. Context: the owner or a live member of the group; does not park.
 * Returns 0, -EINVAL, -EPERM (not open, or a stranger), -ENOMEM. A child of a group that
 * was cancelled already starts, and is told at its first checkpoint.
 */
FILCH_API int filch_group_spawn(struct filch_group *group, filch_task_fn *fn, void *arg);
/* With attributes (NULL: none) and a handle (`task` may be NULL: no handle is kept). */
FILCH_API int filch_group_spawn_with(struct filch_group *group,
				     const struct filch_task_options *options, filch_task_fn *fn,
				     void *arg, struct filch_task **task);
/*
 * Spawns and waits until the child calls filch_task_started(). The child's failure before that
 * is returned, and does not concern the group; -ECHILD when it ended otherwise without calling. A
 * cancel of the caller cancels the child alone, and waits for its end.
 */
FILCH_API int filch_group_start(struct filch_group *group, const struct filch_task_options *options,
				filch_task_fn *fn, void *arg, void **value,
				struct filch_task **task);
/* In a task that was started so: hands `value` over. -EPERM otherwise, -EALREADY twice. */
FILCH_API int filch_task_started(void *value);

/* Joins all children. Returns the first failure, else -ECANCELED when the caller's scope was
 * cancelled, else 0. -EPERM from anyone but the owner, or out of order. */
FILCH_API int filch_group_close(struct filch_group *group);
/* Cancels the children and the body, as filch_token_cancel does. False when it is closed. Context:
 * anywhere, while it is open. */
FILCH_API bool filch_group_cancel(struct filch_group *group, int reason);
/*
 * Waits for the next child that had a handle to end; each is given once, in the order of
 * their ends. -ENODATA when none is left. The group's own cancel does not end the wait, one from
 * above does: -ECANCELED. Owner only; parks.
 */
FILCH_API int filch_group_next_outcome(struct filch_group *group,
				       struct filch_group_outcome *outcome);
/* Open, body(group, arg), close: a failing body cancels the children and is returned. */
FILCH_API int filch_group_run(const struct filch_group_options *options,
			      int (*body)(struct filch_group *group, void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif
