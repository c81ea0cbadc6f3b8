/* What the workers of one runtime share, and what upper floors may ask of it. */
#ifndef FILCH_SCHED_SCHEDULER_H
#define FILCH_SCHED_SCHEDULER_H

#include "data/injector.h"
#include "memory/overflow.h"
#include "sched/idle.h"
#include "sched/source.h"

#include <filch/runtime.h>
#include <sys/types.h>

struct deque_item;
struct fiber;
struct worker;
struct world;

/* An entry of the injection queue that is a task (owner is NULL); a fiber's has it set. */
struct injected_task {
	struct injected injected;
	void *word[4];
};

struct scheduler {
	struct worker *workers;
	unsigned count;
	struct filch_runtime *runtime;
	const struct filch_allocator *allocator;
	/* Upward: runs one task on the fiber's stack, and all that its end entails. */
	void (*run)(struct fiber *fiber, const struct deque_item *item);
	/* Upward: a task of the root group has ended; and its last touch of the runtime. */
	void (*root_ended)(struct scheduler *scheduler, struct filch_task *task);
	void (*root_left)(struct scheduler *scheduler);
	/* Upward: the name of the task on this stack, for the overflow report, in a signal handler.
	 */
	const char *(*name_of)(const struct stack *stack);
	/* Upward: a failure nobody will look at. `task` names it (may be NULL). */
	void (*unobserved)(struct scheduler *scheduler, const char *task, int status);
	struct source timers;
	unsigned processors;
	bool fenced;		     /* no membarrier here: see data/gate.h, idle.h */
	struct filch_word64 cancels; /* counts cancels: a poll compares it (wake/token.c) */
	struct filch_word32 stopping;
	struct filch_word32 outsiders; /* about to notify after an append */
	struct idle idle;
	struct injector injector;
	struct stack_pool stacks;
	struct overflow_watch overflow;
	pid_t process;	     /* whose threads the workers are */
	struct world *world; /* NULL: the machine's; else a simulation (base/world.h) */
	struct scheduler_options {
		unsigned workers;
		enum filch_affinity affinity;
		struct stack_options stacks;
		void (*thread_started)(unsigned worker, void *context);
		void (*thread_stopping)(unsigned worker, void *context);
		void *thread_context;
	} options;
};

/* Starts the threads; undone completely when one cannot be started. -ENOMEM, -EAGAIN. */
int filch__scheduler_start(struct scheduler *scheduler);
/* Ends the loops (nothing may be left to run), joins the threads, frees all. */
void filch__scheduler_stop(struct scheduler *scheduler);

/* The earliest deadline became `deadline`: wakes the sleeper that waits longer. */
void filch__scheduler_deadline(struct scheduler *scheduler, filch_time deadline);
/* Queues an entry from anywhere and wakes who sleeps. */
void filch__scheduler_append(struct scheduler *scheduler, struct injected *injected);
/* Queues a task from anywhere. */
void filch__scheduler_inject(struct scheduler *scheduler, struct injected_task *task);
/* The scheduler whose worker the caller runs on; NULL in a plain thread. */
struct scheduler *filch__scheduler_self(void);
/* Index of the caller's worker. Only in a worker. */
unsigned filch__worker_index(void);
/*
 * Are we in the child of a fork, which has the memory of the workers but not their threads? Not
 * asked by a task: in the child the thread that forked is none.
 */
bool filch__scheduler_is_foreign(const struct scheduler *scheduler);

#endif
