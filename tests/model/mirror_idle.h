/* What model_idle checks: src/sched/idle.c and what it looks at, function by function. */
#ifndef FILCH_MODEL_MIRROR_IDLE_H
#define FILCH_MODEL_MIRROR_IDLE_H

#include <sched.h>

#define sched_yield() model::relax()

#include "data/spin.c"
#include "data/spin.h"

/*
 * The functions mirror those of the same name in sched/idle.c, ready.c, steal.c and loop.c.
 * A deque is two counters (model_deque has the real one), the injection queue one, a
 * search one round. A worker that has found an item computes for ever: whatever is then left
 * in a queue has to wake a sleeper. A lost wake is a deadlock.
 */
#define IDLE_SEARCHER 0x10000u
#define IDLE_SLEEPER 1u
#define IDLE_FENCED 0x8000u

static const int WORKERS = 3;
static const uint64_t NEVER = 1000;
static const uint64_t WATCH_SPAN = 1;

struct idle {
	struct filch_word32 state;
	struct spin lock;
	uint32_t sleeping[WORKERS];
	uint32_t depth;
	struct filch_word32 watched;
	struct filch_word64 keeper;
	uint32_t keeper_index;
};

struct scheduler;

struct worker {
	struct scheduler *scheduler;
	uint32_t index;
	struct filch_word32 wake;
	struct filch_word64 top, bottom; /* of its deque */
	struct filch_pointer inbox;
	struct filch_word32 slot;
	int found;
	bool has_own; /* what nobody else can have, and nobody counts */
};

struct scheduler {
	struct idle idle;
	struct worker workers[WORKERS];
	uint32_t count;
	bool fenced;
	struct filch_word64 length; /* of the injection queue */
	struct filch_word64 timers[2];
	uint64_t clock;
	int parks; /* how often somebody may still find that others have parked */
	struct filch_word32 stopping;
	bool ends_with_timer;
};

static uint32_t idle_searchers(uint32_t state)
{
	return state >> 16;
}

static uint32_t idle_sleepers(uint32_t state)
{
	return state & 0x7fffu;
}

/* ---- the queues ---- */

static bool has_private(struct worker *worker)
{
	/* relaxed: hints, as in deque_count. */
	uint64_t top = word64_load_relaxed(&worker->top);

	return word64_load_relaxed(&worker->bottom) != top;
}

static bool injector_is_empty(struct scheduler *scheduler)
{
	return word64_load_seq_cst(&scheduler->length) == 0;
}

static uint64_t timers_next(struct scheduler *scheduler)
{
	uint64_t next = NEVER;

	for (int i = 0; i < 2; i++) {
		uint64_t due = word64_load_seq_cst(&scheduler->timers[i]);

		next = due < next ? due : next;
	}
	return next;
}

static bool filch__scheduler_has_work(struct scheduler *scheduler)
{
	if (!injector_is_empty(scheduler))
		return true;
	for (uint32_t i = 0; i < scheduler->count; i++)
		if (has_private(&scheduler->workers[i]))
			return true;
	return timers_next(scheduler) <= scheduler->clock;
}

static bool filch__worker_steal(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;

	for (uint32_t i = 0; i < scheduler->count; i++) {
		struct worker *victim = &scheduler->workers[i];
		uint64_t top = word64_load_relaxed(&victim->top);
		uint64_t bottom = word64_load_relaxed(&victim->bottom);
		uint64_t count = bottom > top + 1 && rl::rand(2) ? 2 : 1;

		if (victim != worker && bottom > top &&
		    word64_cas_relaxed(&victim->top, &top, top + count)) {
			/* The second goes to its own deque, unannounced. */
			if (count == 2)
				word64_store_relaxed(&worker->bottom,
						     word64_load_relaxed(&worker->bottom) + 1);
			worker->found++;
			return true;
		}
	}
	return false;
}

/* The last resort of a search: another's slot. */
static bool steal_slot(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	uint32_t full = 1;

	for (uint32_t i = 0; i < scheduler->count; i++)
		if (&scheduler->workers[i] != worker &&
		    word32_load_relaxed(&scheduler->workers[i].slot) &&
		    word32_cas_relaxed(&scheduler->workers[i].slot, &full, 0u)) {
			worker->found++;
			return true;
		}
	return false;
}

static bool filch__injector_pop(struct worker *worker)
{
	uint64_t length = word64_load_relaxed(&worker->scheduler->length);

	while (length > 0) {
		if (word64_cas_relaxed(&worker->scheduler->length, &length, length - 1)) {
			worker->found++;
			return true;
		}
	}
	return false;
}

/* ---- idle.c ---- */

static bool unlist(struct idle *idle, uint32_t index)
{
	for (uint32_t i = 0; i < idle->depth; i++) {
		if (idle->sleeping[i] != index)
			continue;
		for (idle->depth--; i < idle->depth; i++)
			idle->sleeping[i] = idle->sleeping[i + 1];
		return true;
	}
	return false;
}

static bool withdraw(struct worker *worker)
{
	struct idle *idle = &worker->scheduler->idle;
	bool listed;

	spin_acquire(&idle->lock);
	listed = unlist(idle, worker->index);
	if (listed)
		word32_add_relaxed(&idle->state, IDLE_SEARCHER - IDLE_SLEEPER);
	spin_release(&idle->lock);
	return listed;
}

static void hand_token(struct worker *worker)
{
	word32_store_relaxed(&worker->wake, 1);
	model::wake_on(model::atomic_of(&worker->wake));
}

static struct worker *choose(struct scheduler *scheduler)
{
	struct idle *idle = &scheduler->idle;
	uint32_t last = idle->depth - 1;
	uint32_t index = idle->sleeping[last];

	if (word64_load_relaxed(&idle->keeper) != 0 && index == idle->keeper_index && last > 0)
		index = idle->sleeping[last - 1];
	return &scheduler->workers[index];
}

static bool wake_one(struct scheduler *scheduler, bool although_searched)
{
	struct idle *idle = &scheduler->idle;
	struct worker *worker = NULL;

	spin_acquire(&idle->lock);
	if (idle->depth > 0 &&
	    (although_searched || idle_searchers(word32_load_relaxed(&idle->state)) == 0)) {
		worker = choose(scheduler);
		unlist(idle, worker->index);
		word32_add_relaxed(&idle->state, IDLE_SEARCHER - IDLE_SLEEPER);
	}
	spin_release(&idle->lock);
	if (worker)
		hand_token(worker);
	return worker != NULL;
}

static bool filch__idle_notify(struct scheduler *scheduler)
{
	uint32_t state = word32_load_seq_cst(&scheduler->idle.state);

	return idle_sleepers(state) && !idle_searchers(state) && wake_one(scheduler, false);
}

static void filch__idle_wake(struct worker *worker)
{
	struct idle *idle = &worker->scheduler->idle;
	bool listed;

	spin_acquire(&idle->lock);
	listed = unlist(idle, worker->index);
	if (listed)
		word32_add_relaxed(&idle->state, IDLE_SEARCHER - IDLE_SLEEPER);
	spin_release(&idle->lock);
	if (listed)
		hand_token(worker);
}

static void filch__idle_wake_all(struct scheduler *scheduler)
{
	for (uint32_t i = 0; i < scheduler->count; i++)
		filch__idle_wake(&scheduler->workers[i]);
}

static bool filch__idle_begin_search(struct scheduler *scheduler)
{
	uint32_t state = word32_load_relaxed(&scheduler->idle.state);

	if (2 * idle_searchers(state) >= scheduler->count)
		return false;
	word32_add_relaxed(&scheduler->idle.state, IDLE_SEARCHER);
	return true;
}

static bool filch__scheduler_has_ready(struct scheduler *scheduler, struct worker *self)
{
	for (uint32_t i = 0; i < scheduler->count; i++)
		if (&scheduler->workers[i] != self &&
		    word32_load_relaxed(&scheduler->workers[i].slot))
			return true;
	return false;
}

/* In the model what was stolen is in no queue any more. */
static bool takes_counted(struct worker *worker)
{
	if (worker->has_own || worker->found || pointer_load_relaxed(&worker->inbox))
		return false;
	return !injector_is_empty(worker->scheduler);
}

static bool filch__scheduler_has_more(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	uint64_t count = word64_load_seq_cst(&scheduler->length);

	for (uint32_t i = 0; i < scheduler->count; i++) {
		uint64_t top = word64_load_relaxed(&scheduler->workers[i].top);

		count += word64_load_relaxed(&scheduler->workers[i].bottom) - top;
	}
	return count > (takes_counted(worker) ? 1u : 0u) ||
	       timers_next(scheduler) <= scheduler->clock;
}

static bool is_watched(struct scheduler *scheduler)
{
	uint64_t keeper = word64_load_relaxed(&scheduler->idle.keeper);

	return keeper != 0 && keeper <= scheduler->clock + WATCH_SPAN;
}

static void forget_call(struct scheduler *scheduler)
{
	if (!is_watched(scheduler))
		word32_store_relaxed(&scheduler->idle.watched, 0);
}

static void filch__idle_end_search(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	uint32_t state;

	forget_call(scheduler);
	state = word32_sub_seq_cst(&scheduler->idle.state, IDLE_SEARCHER);
	if (idle_searchers(state) != 1 || !idle_sleepers(state))
		return;
	if (!scheduler->fenced && idle_sleepers(state) + 1 < scheduler->count)
		filch__barrier_heavy();
	if (filch__scheduler_has_more(worker))
		wake_one(scheduler, false);
	else if (filch__scheduler_has_ready(scheduler, worker) && !is_watched(scheduler))
		wake_one(scheduler, false);
}

enum progress { PROGRESS_QUIET, PROGRESS_MADE, PROGRESS_STUCK };

/* Who has something ready computes for ever, but may have parked before. */
static enum progress filch__scheduler_watch(struct worker *self)
{
	if (!filch__scheduler_has_ready(self->scheduler, self))
		return PROGRESS_QUIET;
	if (self->scheduler->parks > 0 && rl::rand(2)) {
		self->scheduler->parks--;
		return PROGRESS_MADE;
	}
	return PROGRESS_STUCK;
}

static bool announce(struct worker *worker, bool searching, bool watch)
{
	struct idle *idle = &worker->scheduler->idle;
	uint32_t state;

	word32_store_relaxed(&worker->wake, 0);
	word32_store_relaxed(&idle->watched, watch);
	spin_acquire(&idle->lock);
	idle->sleeping[idle->depth++] = worker->index;
	state = word32_add_seq_cst(&idle->state,
				   searching ? IDLE_SLEEPER - IDLE_SEARCHER : IDLE_SLEEPER);
	spin_release(&idle->lock);
	return !searching || idle_searchers(state) == 1;
}

static uint64_t keep_time(struct worker *worker, bool watch)
{
	struct scheduler *scheduler = worker->scheduler;
	struct idle *idle = &scheduler->idle;
	uint64_t deadline = watch ? scheduler->clock + WATCH_SPAN : NEVER;
	uint64_t keeper = word64_load_relaxed(&idle->keeper);

	if (keeper != 0 && keeper <= deadline && idle->keeper_index != worker->index)
		return NEVER;
	idle->keeper_index = worker->index;
	for (bool first = true;; first = false) {
		uint64_t next = timers_next(scheduler);

		if (!first && next >= deadline)
			return deadline;
		deadline = next < deadline ? next : deadline;
		word64_store_seq_cst(&idle->keeper, deadline);
	}
}

static uint64_t sleep_until(struct worker *worker, bool watch)
{
	struct idle *idle = &worker->scheduler->idle;
	uint64_t deadline;

	spin_acquire(&idle->lock);
	if (!watch && filch__scheduler_has_ready(worker->scheduler, worker)) {
		watch = true;
		word32_store_relaxed(&idle->watched, 1);
	}
	deadline = keep_time(worker, watch);
	spin_release(&idle->lock);
	return deadline;
}

static bool watches_on(struct worker *worker, uint64_t *deadline)
{
	struct scheduler *scheduler = worker->scheduler;
	struct idle *idle = &scheduler->idle;
	bool on;

	if (timers_next(scheduler) <= scheduler->clock ||
	    filch__scheduler_watch(worker) != PROGRESS_MADE)
		return false;
	spin_acquire(&idle->lock);
	on = word64_load_relaxed(&idle->keeper) != 0 && idle->keeper_index == worker->index;
	if (on)
		*deadline = keep_time(worker, true);
	spin_release(&idle->lock);
	return on;
}

static void resign(struct worker *worker, bool called)
{
	struct scheduler *scheduler = worker->scheduler;
	struct idle *idle = &scheduler->idle;
	bool kept;

	spin_acquire(&idle->lock);
	kept = word64_load_relaxed(&idle->keeper) != 0 && idle->keeper_index == worker->index;
	if (kept)
		word64_store_seq_cst(&idle->keeper, 0);
	spin_release(&idle->lock);
	if (!kept)
		return;
	if ((called && word32_load_relaxed(&idle->watched)) || timers_next(scheduler) != NEVER)
		wake_one(scheduler, true);
}

static void filch__scheduler_deadline(struct scheduler *scheduler, uint64_t deadline)
{
	struct idle *idle = &scheduler->idle;
	uint64_t keeper = word64_load_seq_cst(&idle->keeper);
	uint32_t index;

	if (keeper != 0 && keeper <= deadline)
		return;
	if (keeper == 0) {
		if (idle_sleepers(word32_load_relaxed(&idle->state)))
			wake_one(scheduler, true);
		return;
	}
	spin_acquire(&idle->lock);
	index = idle->keeper_index;
	spin_release(&idle->lock);
	filch__idle_wake(&scheduler->workers[index]);
}

static bool has_token(struct worker *worker)
{
	return word32_load_relaxed(&worker->wake) != 0;
}

static bool filch__idle_sleep(struct worker *worker, bool searching)
{
	struct scheduler *scheduler = worker->scheduler;
	/* What the search may have seen, but not for ever. */
	bool watch = scheduler->parks > 0 && rl::rand(2);
	bool last = announce(worker, searching, watch);
	uint64_t deadline;

	scheduler->parks -= watch;

	if (last) {
		if (!scheduler->fenced)
			filch__barrier_heavy();
		if (filch__scheduler_has_work(scheduler) && withdraw(worker))
			return true;
	}
	if (word32_load_relaxed(&scheduler->stopping) && withdraw(worker))
		return true;
	deadline = sleep_until(worker, watch);
	if (pointer_load_relaxed(&worker->inbox) && withdraw(worker)) {
		resign(worker, true);
		return true;
	}
	while (!has_token(worker)) {
		if (deadline != NEVER) {
			/* Nobody wakes us: the time comes. */
			if (scheduler->clock < deadline)
				scheduler->clock = deadline;
			if (watches_on(worker, &deadline))
				continue;
			if (withdraw(worker))
				break;
		}
		model::sleep_on(model::atomic_of(&worker->wake), 0u);
	}
	resign(worker, has_token(worker));
	return true;
}

/* join_threads, in scheduler.c */
static void stop(struct scheduler *scheduler)
{
	word32_store_relaxed(&scheduler->stopping, 1);
	filch__idle_wake_all(scheduler);
}

#endif
