/* A fiber: a stack, what is saved of it, and its park word. */
#ifndef FILCH_SCHED_FIBER_H
#define FILCH_SCHED_FIBER_H

#include "data/injector.h"
#include "memory/stack.h"
#include "sched/park.h"

#include <filch/group.h>

struct scheduler;
struct worker;

/*
 * The task that runs, in the frame of whoever runs it: a task without a handle has
 * no other memory. Only the task itself (and, for `scope`, nobody else) writes it.
 */
struct filch__task {
	struct filch_token *scope; /* the innermost scope entered */
	struct filch_lock *held;   /* the lock taken last of those it holds */
	struct filch_group *group; /* whose child it is */
	struct filch_task *record; /* its handle, or NULL */
	uint32_t operations;	   /* left until it yields */
	uint32_t budget;	   /* what it starts a run with; UINT32_MAX: unlimited */
} __attribute__((aligned(16))); /* its address is an owner, with room for flags */

/*
 * Type-stable: allocated with its slab, never freed while the scheduler lives. The
 * fields belong to the worker that runs on the stack, or to nobody while it is parked
 * (handed over by the park word and the queues).
 */
struct fiber {
	struct stack stack;	     /* first */
	struct scheduler *scheduler; /* set with the first use, for good */
	struct worker *worker;	     /* whose thread stands on this stack; stale while parked */
	struct filch__task *task;    /* the one running on it, NULL in the loop */
	void *context;		     /* saved stack pointer */
	char *floor;		     /* below it no further call in place is begun */
	struct fiber *below;	     /* chained call: whom to return to */
	void *chained;		     /* and what to call */
	struct fiber *next;	     /* link of an inbox */
	struct injected injected;    /* when woken from outside the workers */
	void *fake_stack;	     /* AddressSanitizer's */
	struct parker parker;
	uint32_t sticky; /* sticky frames on this stack */
	uint32_t home;	 /* worker index while sticky */
};

/*
 * The fiber whose stack the caller stands on; NULL in a plain thread. A real call, never
 * cached over a park. (A fiber is constant for its task: `self` may be kept; its worker may not.)
 */
struct fiber *filch__fiber_self(void);

/*
 * The same without the call, once, at the start of a function: never again in that function
 * after something that may park (compilers keep the address of a thread-local). Never NULL: who is
 * no task has the scope NULL.
 */
extern _Thread_local struct fiber *filch__fiber_current;
/* What stands there in a plain thread, and on a worker between two tasks: a task without a scope.
 */
extern struct fiber filch__fiber_none;
extern struct filch__task filch__task_none;

static FILCH_ALWAYS_INLINE struct fiber *fiber_self_at_entry(void)
{
	return filch__fiber_current;
}

#endif
