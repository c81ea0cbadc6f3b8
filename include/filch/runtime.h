/* The runtime: worker threads and everything they share. */
#ifndef FILCH_RUNTIME_H
#define FILCH_RUNTIME_H

#include <filch/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where the library's own memory comes from; NULL members mean malloc and free. */
struct filch_allocator {
	void *(*allocate)(size_t size, size_t alignment, void *context);
	void (*free)(void *memory, void *context);
	void *context;
};

enum filch_log_level { FILCH_LOG_OFF, FILCH_LOG_ERROR, FILCH_LOG_WARNING, FILCH_LOG_INFO };
enum filch_guard { FILCH_GUARD_AUTO, FILCH_GUARD_INSTALL, FILCH_GUARD_PROTECT, FILCH_GUARD_CANARY };
enum filch_affinity { FILCH_AFFINITY_NONE, FILCH_AFFINITY_CORES };

/*
 * Zero fields take the environment's value (filch-bench env lists the names), else the default. Who
 * wants a default that is zero (no affinity, no cap, no log) whatever the environment says sets
 * ignore_environment.
 */
struct filch_options {
	size_t size;	   /* sizeof(struct filch_options) */
	unsigned workers;  /* threads that run tasks; 0: FILCH_WORKERS, else automatic */
	size_t stack_size; /* bytes of address space of a small stack */
	size_t max_stacks; /* of each class; 0: unlimited. At the limit new tasks wait. When all
			      stacks are taken by tasks that wait for tasks which have not begun
			      (a group's children, too), nothing goes on: leave room for them */
	enum filch_guard guard;
	enum filch_affinity affinity;
	enum filch_log_level log_level;
	struct filch_allocator allocator;
	void (*log)(enum filch_log_level level, const char *text, void *context);
	void *log_context;
	void (*thread_started)(unsigned worker, void *context);
	void (*thread_stopping)(unsigned worker, void *context);
	void *thread_context;
	/* A failure that nobody waited for; default: a line on stderr. */
	void (*unobserved)(const char *task, int status, void *context);
	void *unobserved_context;
	bool ignore_environment;
	void *room[8];
};

struct filch_runtime_stats {
	unsigned workers;
	uint64_t tasks_stolen;
	uint64_t steals; /* successful visits to another worker's deque */
	uint64_t parks;
	uint64_t wakes;	      /* system calls that woke a worker */
	uint64_t stacks_live; /* in use now */
	uint64_t stacks_peak;
	uint64_t stacks_bytes;	/* address space */
	enum filch_guard guard; /* the mode in force */
	uint64_t room[8];
};

/*
 * In the child of a fork a runtime is gone: calls on it and on its tasks and timers return -ESHUTDOWN.
 * A task that forks is a plain thread in the child, and must end there by exec or _exit. New
 * runtimes may be created.
 */

/* Creates a runtime from the environment, runs fn(arg) as its root task, shuts down.
 * Returns the task's status, or why the runtime could not start (also on stderr). */
FILCH_API int filch_run(filch_task_fn *fn, void *arg);
FILCH_API int filch_run_with(const struct filch_options *options, filch_task_fn *fn, void *arg);

/* `options` NULL: all defaults. -EINVAL (the log says which value), -ENOMEM, -EAGAIN (no thread).
 */
FILCH_API int filch_runtime_create(struct filch_runtime **runtime,
				   const struct filch_options *options);
/* Adds a task to the root group, which supervises. Context: anywhere; does not park.
 * 0, -EINVAL, -ENOMEM, -ESHUTDOWN. `task` may be NULL. */
FILCH_API int filch_runtime_submit(struct filch_runtime *runtime,
				   const struct filch_task_options *options, filch_task_fn *fn,
				   void *arg, struct filch_task **task);
/*
 * Refuses new tasks, cancels all, waits until they have ended or `deadline`. At the
 * deadline `alive` (may be NULL) is called for each task still there.
 * 0, -ETIMEDOUT (may be called again), -EDEADLK from one of its own tasks, -EINVAL.
 */
FILCH_API int filch_runtime_shutdown(struct filch_runtime *runtime, filch_time deadline,
				     void (*alive)(const char *task, void *context), void *context);
/* Shuts down without a deadline if need be, joins the threads, frees all. NULL is accepted. Handles
 * of its tasks are to be released before, its timers to be stopped.
 * -EDEADLK from one of its own tasks. */
FILCH_API int filch_runtime_destroy(struct filch_runtime *runtime);
/* The caller's runtime; NULL in a plain thread. */
FILCH_API struct filch_runtime *filch_runtime_current(void);
FILCH_API int filch_runtime_stats(const struct filch_runtime *runtime,
				  struct filch_runtime_stats *stats);
/* The options in force after environment and defaults. */
FILCH_API int filch_runtime_options(const struct filch_runtime *runtime,
				    struct filch_options *options);

/* One row per variable: what is in force here and now, and where it comes from. */
struct filch_environment_row {
	const char *name;
	const char *source; /* "environment", "default" or "invalid" */
	const char *accepted;
	const char *help;
	char value[32]; /* as it is in force; of an invalid one what was written */
};

/* Fills in up to `count` rows; returns how many variables there are. */
FILCH_API size_t filch_environment(struct filch_environment_row *rows, size_t count);

#ifdef __cplusplus
}
#endif

#endif
