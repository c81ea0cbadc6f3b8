/* Inside the simulated runtime: strands, choices, time. */
#ifndef FILCH_RUNTIME_SIMULATE_H
#define FILCH_RUNTIME_SIMULATE_H

#include "base/world.h"
#include "data/list.h"
#include "platform/futex.h"
#include "platform/thread.h"

#include <filch/simulate.h>
#include <pthread.h>

struct fiber;

/*
 * A strand is what a thread is in the machine's world: a context that runs on the simulation's
 * thread while it is current. The main strand stands on the caller's own stack. It decides when
 * nobody else can go on: it grants who waits for that, moves the time, sees the end.
 *
 *	READY     may be chosen          by: creation, a wake, a deadline
 *	ASLEEP    on a word, or joining  by: itself
 *	ENDED     its stack is nobody's  by: itself
 */
enum strand_state { STRAND_READY, STRAND_ASLEEP, STRAND_ENDED };

struct strand {
	enum strand_state state;
	unsigned index; /* as created; the main strand has none */
	void *context;
	void *fake_stack;
	void *tsan;	     /* of the stack it stands on */
	void *own_tsan;	     /* of its own stack */
	struct fiber *fiber; /* filch__fiber_self() of it */
	struct world_local local;
	struct filch_word32 *word; /* it sleeps on */
	int64_t deadline;
	bool timed_out;
	int64_t priority;	   /* PCT: the highest goes on */
	struct filch_word32 ended; /* who joins sleeps on it */
	void (*fn)(void *arg);
	void *arg;
	struct strand *next; /* of all that are not joined */
	struct simulation *simulation;
	unsigned valgrind;
	char name[THREAD_NAME_SIZE];
	void *stack;
	size_t size;
};

enum verdict { VERDICT_NONE, VERDICT_ENDLESS };

/* A block of the simulated runtime's memory: what is left of it is freed at the end. */
struct block {
	struct block *next;
	struct block **link;
	void *memory; /* as allocated */
};

/* What another thread does for a task meanwhile; in the task's frame. */
struct world_job {
	struct list link;
	void (*fn)(void *arg); /* in the simulation, when all else is parked: wakes the task */
	void *arg;
};

#define DEPTH_MOST 16

struct simulation {
	struct world world; /* first */
	struct filch_simulation_options options;
	struct filch_simulation_result result;
	struct filch_runtime *runtime;
	struct strand main;
	struct strand *current;
	struct strand *strands; /* newest first */
	struct strand **ready;	/* who may be chosen, in no order */
	unsigned ready_count;
	unsigned strand_count, ready_capacity;
	uint64_t random;
	int64_t lowest; /* PCT: priorities given out so far to who stepped back */
	uint64_t changes[DEPTH_MOST];
	unsigned inertia;
	uint64_t streak; /* choices in a row that fell to the same strand */
	enum verdict verdict;
	bool counting;	   /* fn runs */
	struct list quiet; /* who waits until all else is parked */
	struct block *blocks;
	/* Jobs on other threads. */
	pthread_mutex_t jobs_lock;
	pthread_cond_t jobs_done;
	unsigned holds;
	struct list finished;
};

static inline struct simulation *simulation_of(struct world *world)
{
	return (struct simulation *)(void *)world;
}

/* ---- simulate_choose.c ---- */

void filch__simulation_seed(struct simulation *simulation);
/* A random number below n, not in the trace. */
uint64_t filch__simulation_random(struct simulation *simulation, uint64_t n);
/* The same, in the trace. */
uint64_t filch__simulation_pick(struct world *world, enum world_point point, uint64_t n);
/* Which of those ready goes on; there is one. */
struct strand *filch__simulation_next(struct simulation *simulation, enum world_point point);
/* Has this run the world without membarrier? Where atomics are choices, by the seed. */
bool filch__simulation_is_fenced(struct simulation *simulation);
/* A priority for a new strand. */
int64_t filch__simulation_priority(struct simulation *simulation);
/* Into hash and trace. */
void filch__simulation_event(struct simulation *simulation, uint64_t value, const char *what);

/* ---- simulate_strand.c ---- */

extern const struct world_calls filch__simulation_calls;

/* From the main strand: runs others until none can go on, or there is a verdict. */
void filch__simulation_run(struct simulation *simulation);
/* Moves the time, wakes whose deadline has come. */
void filch__simulation_set_time(struct simulation *simulation, int64_t now);
/* The earliest deadline of those asleep; INT64_MAX: none. */
int64_t filch__simulation_next_deadline(const struct simulation *simulation);
void filch__simulation_free_strands(struct simulation *simulation);

/* ---- simulate_inject.c ---- */

void filch__simulation_checkpoint(struct world *world);
void filch__simulation_parking(struct world *world, int64_t deadline);
struct filch_allocator filch__simulation_allocator(struct simulation *simulation);
void filch__simulation_free_blocks(struct simulation *simulation);

/* ---- simulate_report.c ---- */

__attribute__((format(printf, 2, 3))) void filch__simulation_say(struct simulation *simulation,
								 const char *format, ...);
/* Every task that has begun and not ended. */
void filch__simulation_name_tasks(struct simulation *simulation);
/* Does nobody see work that there is? */
bool filch__simulation_has_lost(struct simulation *simulation);

/* ---- simulate_hold.c ---- */

/* Time stands still until the job is done. By the task, before another thread begins it. -EPERM
 * outside a simulation; *world is for that thread. */
int filch__simulation_hold(struct world **world);
/* By the other thread, its last touch of job and world. */
void filch__simulation_release(struct world *world, struct world_job *job);
/* Waits for one of those that are held for. */
struct world_job *filch__simulation_wait_for_job(struct simulation *simulation);
/* Waits for a job if there is one, and runs what it has left; false: there is none. */
bool filch__simulation_finish_job(struct simulation *simulation);

#endif
