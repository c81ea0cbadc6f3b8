/* Who searches, who sleeps, and whom to wake: no wake is lost, none is wasted. */
#ifndef FILCH_SCHED_IDLE_H
#define FILCH_SCHED_IDLE_H

#include "base/atomic.h"
#include "data/spin.h"

#include <filch/types.h>

/*
 * state = searchers:16 << 16 | fenced:1 << 15 | sleepers:15. The counts change by read-modify-write
 * while `lock` is held (searchers also outside); the list of sleepers is LIFO, under the lock.
 *
 * No lost wake, work pushed by P, last searcher S:
 *	P: store bottom (or append), [light barrier], load state
 *	S: add a sleeper to state, [heavy barrier], look at every queue
 * Either P sees the sleeper and no searcher, and wakes one, or S sees the work. P outside
 * the workers uses seq_cst operations instead of the asymmetric pair. A searcher that is
 * not the last may sleep without looking, because the last one will. Model: model_idle.
 *
 * What stands in a slot, and what a brisk worker has ready, is not announced: its worker comes to it
 * sooner than anybody could. For the case that it does not, the keeper of time watches: it looks
 * now and then, without leaving the list, as long as it finds that others go on. Who makes something
 * ready calls somebody to watch unless one does (`watched`), or one searches, who will look when it
 * ends.
 */
struct idle {
	struct filch_word32 state;
	struct spin lock;
	uint16_t *sleeping; /* indices, newest last */
	uint32_t depth;
	struct filch_word32 watched; /* somebody looks at full slots now and then */
	struct filch_word64 keeper;  /* until when the keeper of time sleeps; 0: nobody does */
	uint32_t keeper_index;
};

#define IDLE_SEARCHER 0x10000u
#define IDLE_SLEEPER 1u
/* Set for good where there is no membarrier: every push then goes through an
 * acquire-release operation on state, which takes the place of the asymmetric pair. */
#define IDLE_FENCED 0x8000u

static inline uint32_t idle_searchers(uint32_t state)
{
	return state >> 16;
}

static inline uint32_t idle_sleepers(uint32_t state)
{
	return state & 0x7fffu;
}

struct scheduler;
struct worker;

/* Wakes one sleeper if nobody searches. Called after work was made visible. Has it woken one? */
bool filch__idle_notify(struct scheduler *scheduler);
/* Becomes a searcher unless half of the workers search already. */
bool filch__idle_begin_search(struct scheduler *scheduler);
/* Stops searching, having found work; the last searcher passes the torch if more is in sight. */
void filch__idle_end_search(struct worker *worker);
/* Sleeps until woken, a deadline, or work seen at the last look. Returns true as a searcher. */
bool filch__idle_sleep(struct worker *worker, bool searching);
/* Wakes this worker if it sleeps. */
void filch__idle_wake(struct worker *worker);
/* Wakes everybody, at the end. */
void filch__idle_wake_all(struct scheduler *scheduler);

#endif
