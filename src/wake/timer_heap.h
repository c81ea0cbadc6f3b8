/* Inside the timers: the heap of one worker, and what its three files share. */
#ifndef FILCH_WAKE_TIMER_HEAP_H
#define FILCH_WAKE_TIMER_HEAP_H

#include "base/compiler.h"
#include "base/world.h"
#include "data/heap.h"
#include "data/spin.h"
#include "wake/timer.h"

/*
 *	operation          caller                     locks
 *	arm, own disarm    the worker, or anybody     lock of the heap
 *	stale disarm       another worker             none: counts a stale entry
 *	fire               any worker                 firing (try), then lock (try, if not its own)
 *
 * `lock` guards the heap, the states of its callbacks and the list of runs. `firing`
 * is held from taking a batch out until its waits are claimed and its callback's run is
 * about to begin, so that the entries of one heap take effect in order whoever polls.
 * A wait is claimed, and a callback called, outside `lock`.
 *
 * Linearisation: a timer fires, or is disarmed, when its entry leaves the heap, under
 * the lock; a wait's outcome is decided by the claim that follows (sched/park.h).
 *
 * No sleeper sleeps past a deadline: the inserter stores `next`, then loads the keeper's
 * time (in filch__scheduler_deadline); the keeper stores its time, then loads `next`. All
 * four are seq_cst, so one of them sees the other. Model: model_idle.
 */
struct timer_heap {
	FILCH_ALIGN_SHARED struct filch_word64 next; /* deadline of the first entry; read by all */
	FILCH_ALIGN_SHARED struct spin lock;
	struct spin firing;
	struct filch_word32 stale; /* left by tasks that have moved away; since the last sweep */
	struct heap heap;
	struct run *runs; /* callbacks that run now */
};

struct timers {
	struct scheduler *scheduler;
	unsigned count;
	struct timer_heap heaps[];
};

/* One call of a callback, in the frame of who makes it; touches the callback no more. */
struct run {
	struct timer_callback *callback;
	const struct parker *caller; /* who makes it; a callback cannot change stacks */
	struct run *next;
};

#define TIMER_NOBODY UINT32_MAX
/* The tag of a callback's entry; a wait's is its epoch, which has 56 bits. */
#define TIMER_TAG_CALLBACK UINT64_MAX

/* Index of the caller's worker, TIMER_NOBODY when it is none of this scheduler's. */
unsigned filch__timers_worker(const struct timers *timers);
/* The caller's worker's heap; for threads one that depends on the address, to spread them. */
struct timer_heap *filch__timers_heap(struct timers *timers, const void *owner);

/*
 * Makes room for an entry. Called with the lock. 0: there is room. 1: look again, for the lock was
 * given up on the way. -ENOMEM: it is no longer held.
 */
int filch__timer_heap_make_room(struct timers *timers, struct timer_heap *heap);
/* Publishes the first deadline, under the lock. True when it became earlier: tell the keeper. */
bool filch__timer_heap_publish(struct timer_heap *heap);
/* Ends a change that may have put `deadline` first: publishes, releases the lock, tells the keeper.
 */
void filch__timer_heap_settle(struct timers *timers, struct timer_heap *heap, filch_time deadline);
/* Takes an armed callback out, under the lock. */
void filch__timer_callback_take(struct timer_heap *heap, struct timer_callback *callback,
				enum timer_callback_state state);

/* The source's functions (timer_fire.c). */
filch_time filch__timers_next(void *timers);
unsigned filch__timers_poll(void *timers, filch_time now);

/* In a simulation equal deadlines fire in any order. Under the lock. */
static inline void timer_heap_shuffle(struct timers *timers, struct timer_heap *heap)
{
	struct world *world = timers->scheduler->world;

	if (unlikely(world != NULL))
		heap->heap.registrations = world->calls->pick(world, WORLD_TIMER, UINT64_C(1) << 32);
}

/* 0 means "no keeper" to the scheduler; everything so long ago is equally due. */
static inline filch_time timer_deadline(filch_time deadline)
{
	return deadline < 1 ? 1 : deadline;
}

#endif
