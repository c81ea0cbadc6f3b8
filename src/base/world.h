/* The world a thread lives in: the machine's own, or a simulated one. */
#ifndef FILCH_BASE_WORLD_H
#define FILCH_BASE_WORLD_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * In a simulated world the threads that the library starts are strands: contexts of their own that
 * take turns on one thread. Who goes on is decided at points, named below; time is a number;
 * sleeping is not being chosen. The platform, the spins and the places named here ask for the world
 * first (filch__world_self, a real call) where they are slow anyway, or read it from the scheduler
 * (sched/scheduler.h); short paths have no hook of their own: without membarrier, which a simulated
 * world does not offer (but now and then, where atomics are choices), each of them goes by a slow
 * path that has one.
 */
enum world_point {
	WORLD_ATOMIC,	  /* before an atomic operation: the preset `sim` alone */
	WORLD_QUEUE,	  /* before a worker touches its own queues: spawn, wake, take */
	WORLD_CHECKPOINT, /* a task's checkpoint: every blocking call, and the end of a group */
	WORLD_PARK,	  /* a wait that is about to park */
	WORLD_CANCEL,
	WORLD_TIMER,   /* a timer is started; of equal ones, which goes first */
	WORLD_RELEASE, /* a primitive is about to give something away */
	WORLD_YIELD,   /* whoever waits in a loop: somebody else must go on */
	WORLD_SLEEP,   /* somebody sleeps, or has ended */
	WORLD_WAKE,    /* which of those asleep */
	WORLD_READY,   /* where among the ready */
	WORLD_SPURIOUS /* does a sleep end for no reason? */
};

struct filch_word32;
struct thread;
struct world;

/* What a thread keeps in thread-local variables, a strand keeps here, zeroed at first. */
struct world_local {
	void *parker[8]; /* sched/park.c */
	void *scope;	 /* wake/scope.c */
};

struct world_calls {
	/* Somebody else may go on here. */
	void (*choose)(struct world *world, enum world_point point);
	/* A number below n. */
	uint64_t (*pick)(struct world *world, enum world_point point, uint64_t n);
	/* As filch__futex_wait and _wake. */
	int (*wait)(struct world *world, struct filch_word32 *word, uint32_t expected,
		    int64_t deadline);
	void (*wake)(struct world *world, struct filch_word32 *word, int n);
	/* As in platform/thread.h. */
	int (*create)(struct world *world, struct thread **thread, const char *name,
		      size_t stack_size, void (*fn)(void *arg), void *arg);
	int (*join)(struct world *world, struct thread *thread, int64_t deadline);
	void (*native_stack)(struct world *world, const void **lo, size_t *size);
	/* A task's checkpoint, before it looks; a wait of a task that is all but parked. */
	void (*checkpoint)(struct world *world);
	void (*parking)(struct world *world, int64_t deadline);
};

struct world {
	const struct world_calls *calls;
	int64_t now;		   /* CLOCK_MONOTONIC there */
	struct world_local *local; /* of who goes on now */
	unsigned masked;	   /* not zero: no choices (a system's lock is held) */
	bool fenced;		   /* it offers no membarrier */
};

#if defined(FILCH_MODEL_ATOMIC) /* models have a scheduler of their own */
static inline struct world *filch__world_self(void)
{
	return NULL;
}

static inline void filch__world_choose(enum world_point point)
{
	(void)point;
}
#else
/* NULL: the machine's own. A real call: compilers keep the address of a thread-local. */
struct world *filch__world_self(void);
void filch__world_set_self(struct world *world);
/* The caller goes on, or another. Nothing in the machine's own world. */
void filch__world_choose(enum world_point point);
#endif

/* Around a section that holds a lock of the system's, which a strand cannot wait for. */
static inline void world_mask(int change)
{
	struct world *world = filch__world_self();

	if (unlikely(world != NULL))
		world->masked += (unsigned)change;
}

#endif
