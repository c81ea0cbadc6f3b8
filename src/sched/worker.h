/* A worker: one thread, its queues, its stacks. */
#ifndef FILCH_SCHED_WORKER_H
#define FILCH_SCHED_WORKER_H

#include "data/deque.h"
#include "data/gate.h"
#include "platform/thread.h"
#include "sched/fiber.h"
#include "sched/scheduler.h"

/* What is to be done with the stack just left, by who stands on the next one (R4, R5). */
enum left_action {
	LEFT_NOTHING, /* chained call: it waits below us; or a native stack */
	LEFT_PARKED,  /* commit ARMED -> PARKED */
	LEFT_YIELDED, /* back among the ready */
	LEFT_DEAD     /* its frames are abandoned: to the pool */
};

struct worker {
	/* The owner's line; gate guards tasks, ready and slot against raids. */
	struct gate gate;
	struct scheduler *scheduler;
	uint32_t tick; /* steps until timers and the injection queue are looked at */
	uint32_t tick_length;
	struct deque tasks;	   /* new tasks: {fn, arg, group, record} */
	struct deque ready;	   /* woken fibers: {fiber} */
	struct filch_pointer slot; /* the fiber woken last by the one running */
	uint32_t slot_runs;	   /* in a row */
	uint32_t new_first;	   /* tasks to take before ready fibers, after a yield */
	struct fiber *spare;	   /* the stack the loop will go on with if the task parks (R6);
				      while it sleeps, others look whether there is one */
	struct fiber *left;
	enum left_action left_action;
	struct stack_cache stacks;
	struct filch_word32 brisk; /* its steps are so short that the few that are ready run before
				      anybody could come for them; cleared by who finds them stuck */
	bool polls; /* wakes come from timers: in their order, not through the slot */
	uint64_t random;
	uint64_t tick_time;   /* clock ticks when the present one of a join began */
	filch_time begun;     /* when the present one of the loop did */
	uint32_t slot_victim; /* who had something ready when the search began */
	uint64_t slot_parks;  /* and how far that worker had come */
	void *native;	      /* saved native stack pointer */
	void *native_tsan;
	void *native_fake;
	uint32_t index;
	struct thread *thread;
	struct {
		struct filch_word64 steals, stolen, parks, wakes;
	} stats;
	FILCH_ALIGN_SHARED struct filch_word32 wake; /* futex: 1 = go */
	struct filch_word64 parks_seen; /* by who watches */
	struct filch_pointer inbox; /* sticky fibers woken by others, newest first */
	struct fiber *homing;	    /* sticky fibers that are ready, oldest first */
	struct fiber *homing_last;
	uint64_t shuffle_from; /* in a simulation: what was ready before somebody yielded stays */
};

/* The caller's worker. Never cached over a park. Only on a worker. */
static inline struct worker *worker_of(const struct fiber *fiber)
{
	return fiber->worker;
}

/* ---- loop.c ---- */

/* What every pooled stack runs, from its base. */
void filch__loop(void *fiber);
bool filch__worker_get_spare(struct worker *worker);

/* Makes sure there is a spare stack; false at the cap or without memory. */
static FILCH_ALWAYS_INLINE bool worker_ensure_spare(struct worker *worker)
{
	return likely(worker->spare != NULL) || filch__worker_get_spare(worker);
}

/* Fires what is due; true when that made something runnable. */
bool filch__worker_poll_timers(struct worker *worker);
/* A tick is over, of fibers that went on and of tasks from the loop. */
void filch__worker_begin_tick(struct worker *worker);
/* Tasks in its deque and in the injection queue; polls the timers first. Owner only. */
uint64_t filch__worker_count_tasks(struct worker *worker);
/* A tick is over: sets the next one's length so that it lasts about 100 us. */
void filch__worker_measure_tick(struct worker *worker);
/* Timers due, or somebody waiting for this worker: a long run in place should yield. */
bool filch__worker_is_pressed(struct worker *worker);

/* ---- steal.c ---- */

/* Takes work from other workers into this one's queues. `desperate`: also raids. */
bool filch__worker_steal(struct worker *worker, bool desperate);
/* Is there work anywhere? For the last look before sleeping. `tasks`: also new tasks, for who has
 * a spare stack. */
bool filch__scheduler_has_work(struct scheduler *scheduler, bool tasks);
/* Is there more than what this worker, which has found something, will take next? */
bool filch__scheduler_has_more(const struct worker *worker);
/* Has any other worker a fiber that is ready? */
bool filch__scheduler_has_ready(struct scheduler *scheduler, const struct worker *self);

enum progress {
	PROGRESS_QUIET, /* nothing is ready */
	PROGRESS_MADE,
	PROGRESS_STUCK /* something is, and nothing has parked there: remembered for a raid */
};

/* To be called before: how far the others have come by now. */
void filch__scheduler_begin_watch(const struct worker *self);
/* How the other workers' ready fibers fare since anybody's last call. Takes about a microsecond: where
 * tasks wake each other on and on, nothing is ready only for moments. */
enum progress filch__scheduler_watch(struct worker *self);

#define BRISK_MOST 8 /* ready fibers that a brisk worker keeps for itself */

static inline bool worker_keeps_ready(const struct worker *worker)
{
	/* relaxed: a hint. */
	return word32_load_relaxed(&worker->brisk) != 0 && deque_count(&worker->ready) <= BRISK_MOST;
}

static inline void worker_set_brisk(struct worker *worker, bool brisk)
{
	/* relaxed: as above. */
	word32_store_relaxed(&worker->brisk, brisk);
}

/* ---- ready.c ---- */

/* Puts a woken fiber where it will run. Anybody. */
void filch__ready(struct scheduler *scheduler, struct fiber *fiber);
/* Owner only, in no gate: back of the ready queue. */
void filch__worker_push_ready(struct worker *worker, struct fiber *fiber);
/* The next ready fiber of this worker or NULL. */
struct fiber *filch__worker_next_ready(struct worker *worker);
/* To be called after a push when somebody idles: shows work and wakes. */
FILCH_COLD void filch__worker_share(struct worker *worker);

/* Does somebody idle? To be asked after a push. */
static FILCH_ALWAYS_INLINE bool worker_is_wanted(const struct worker *worker)
{
	/* After the push, also for the compiler. */
	barrier_light();
	/* relaxed: ordered after the push by the sleeper's heavy barrier (idle.h). */
	return unlikely(word32_load_relaxed(&worker->scheduler->idle.state) != 0);
}

static FILCH_ALWAYS_INLINE void worker_offer(struct worker *worker)
{
	if (worker_is_wanted(worker))
		filch__worker_share(worker);
}

/* ---- simulated.c: in a simulation only ---- */

/* The newest of each queue goes to a place chosen among those that nothing is promised to. */
void filch__simulated_shuffle(struct worker *worker);
/* The fiber in the slot stays there or goes to the queue. */
void filch__simulated_slot(struct worker *worker);

/* ---- switch.c ---- */

/* Leaves the current stack for `to`; returns when somebody comes back to it. */
void filch__switch(struct fiber *from, struct fiber *to, enum left_action action);
/* The same for a stack that is abandoned. */
__attribute__((noreturn)) void filch__switch_away(struct fiber *from, struct fiber *to);
/* To be called first on every stack that was switched to. */
void filch__landed(struct fiber *self);
/* Where the guard is a canary: ends the process when the stack has overflowed. */
void filch__fiber_check(struct fiber *self);
/* For the stack pool: what of a fiber never changes. Late wakers read it. */
void filch__fiber_born(struct stack *stack);
/* A stack of this class with its fiber, NULL at the cap or without memory. */
struct fiber *filch__fiber_get(struct worker *worker, enum filch_stack_class stack_class);
/* Prepares a pooled stack so that the first switch to it calls entry(fiber). */
void filch__fiber_prepare(struct fiber *fiber, void (*entry)(void *fiber));
/* From the native stack to `to` and back at the worker's end. */
void filch__switch_from_native(struct worker *worker, struct fiber *to);
__attribute__((noreturn)) void filch__switch_to_native(struct fiber *from);
void filch__fiber_set_self(struct fiber *fiber);

#endif
