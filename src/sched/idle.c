/* The idle protocol: search, announce, look again, sleep. */
#include "sched/idle.h"

#include "base/panic.h"
#include "base/planted.h"
#include "base/world.h"
#include "platform/barrier.h"
#include "platform/clock.h"
#include "platform/futex.h"
#include "sched/worker.h"

/* While a slot is full and somebody sleeps, the keeper looks this often. */
#define WATCH_SPAN (500 * FILCH_MICROSECOND)

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

/* Leaves the list as a searcher; false when a waker was faster and its token is coming. */
static bool withdraw(struct worker *worker)
{
	struct idle *idle = &worker->scheduler->idle;
	bool listed;

	spin_acquire(&idle->lock);
	listed = unlist(idle, worker->index);
	if (listed)
		/* relaxed: under the lock; who reads an older count looks at the list under it. */
		word32_add_relaxed(&idle->state, IDLE_SEARCHER - IDLE_SLEEPER);
	spin_release(&idle->lock);
	return listed;
}

static void hand_token(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	struct worker *self = scheduler->workers;

	/* relaxed: a count. */
	word64_add_relaxed(&self->stats.wakes, 1);
	/* relaxed: it hands nothing over; the woken looks at the queues itself. */
	word32_store_relaxed(&worker->wake, 1);
	filch__futex_wake(&worker->wake, 1);
}

/* The newest sleeper; who can start tasks goes before who cannot, the keeper of time only if there is
 * no other. `tasks`: nobody who cannot. NULL when there is none. Under the lock. */
static struct worker *choose(struct scheduler *scheduler, bool tasks)
{
	struct idle *idle = &scheduler->idle;
	/* relaxed: written under the lock. */
	bool kept = word64_load_relaxed(&idle->keeper) != 0;
	struct worker *best = NULL;
	int most = tasks ? 1 : -1;
	uint32_t first = idle->depth;

	/* Whoever it is, the wake must not get lost. */
	if (scheduler->world && first > 1)
		first = (uint32_t)scheduler->world->calls->pick(scheduler->world, WORLD_WAKE, first);
	for (uint32_t n = idle->depth; n-- > 0 && most < 3;) {
		uint32_t i = (n + first) % idle->depth;
		struct worker *worker = &scheduler->workers[idle->sleeping[i]];
		bool keeps = kept && worker->index == idle->keeper_index;
		int rank = (worker->spare ? 2 : 0) + (keeps ? 0 : 1);

		if (rank > most) {
			most = rank;
			best = worker;
		}
	}
	return best;
}

static bool wake_one(struct scheduler *scheduler, bool although_searched, bool tasks)
{
	struct idle *idle = &scheduler->idle;
	struct worker *worker = NULL;

	spin_acquire(&idle->lock);
	/* relaxed: sleepers change only under the lock; a searcher that ends meanwhile passes the
	 * torch. */
	if (although_searched || idle_searchers(word32_load_relaxed(&idle->state)) == 0)
		worker = choose(scheduler, tasks);
	if (worker) {
		unlist(idle, worker->index);
		/* relaxed: under the lock; who reads an older count looks at the list under it. */
		word32_add_relaxed(&idle->state, IDLE_SEARCHER - IDLE_SLEEPER);
	}
	spin_release(&idle->lock);
	if (worker)
		hand_token(worker);
	return worker != NULL;
}

bool filch__idle_notify(struct scheduler *scheduler)
{
	/* seq_cst: after the append (a seq_cst operation) that is to be announced (model_idle); a
	 * worker's own push is ordered by the sleeper's heavy barrier. */
	uint32_t state = word32_load_seq_cst(&scheduler->idle.state);

	return idle_sleepers(state) && !idle_searchers(state) &&
	       wake_one(scheduler, false, false);
}

void filch__idle_wake(struct worker *worker)
{
	struct idle *idle = &worker->scheduler->idle;
	bool listed;

	spin_acquire(&idle->lock);
	listed = unlist(idle, worker->index);
	if (listed)
		/* relaxed: under the lock; who reads an older count looks at the list under it. */
		word32_add_relaxed(&idle->state, IDLE_SEARCHER - IDLE_SLEEPER);
	spin_release(&idle->lock);
	if (listed)
		hand_token(worker);
}

void filch__idle_wake_all(struct scheduler *scheduler)
{
	for (unsigned i = 0; i < scheduler->count; i++)
		filch__idle_wake(&scheduler->workers[i]);
}

bool filch__idle_begin_search(struct scheduler *scheduler)
{
	/* relaxed: a bound that may be missed by one. */
	uint32_t state = word32_load_relaxed(&scheduler->idle.state);

	if (2 * idle_searchers(state) >= scheduler->count)
		return false;
	/* relaxed: a pusher that reads it relies on how this search ends (model_idle). */
	word32_add_relaxed(&scheduler->idle.state, IDLE_SEARCHER);
	return true;
}

/* Does the keeper really look at slots? (`watched` only says that somebody was called to.) */
static bool is_watched(const struct idle *idle)
{
	/* relaxed: a keeper that leaves meanwhile searches, and comes by here itself. */
	uint64_t keeper = word64_load_relaxed(&idle->keeper);

	return keeper != 0 && (filch_time)keeper <= filch__clock_now() + WATCH_SPAN;
}

/* Who filled a slot called for a watch, and we were the one that might have come. We do not: the next
 * must call again. */
static void forget_call(struct scheduler *scheduler)
{
	if (!is_watched(&scheduler->idle))
		/* relaxed: before the end of the search, its barrier and its look at the slots, as
		 * in announce. */
		word32_store_relaxed(&scheduler->idle.watched, 0);
}

void filch__idle_end_search(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	uint32_t state;

	forget_call(scheduler);
	/* seq_cst: before the look below, as in announce (model_idle). */
	state = word32_sub_seq_cst(&scheduler->idle.state, IDLE_SEARCHER);
	if (idle_searchers(state) != 1 || !idle_sleepers(state))
		return;
	/* Who pushed, or filled a slot, and saw us search has not woken anybody: hence only now the
	 * look, and the barrier, unless all others sleep (threads outside use seq_cst operations). */
	if (!scheduler->fenced && idle_sleepers(state) + 1 < scheduler->count)
		filch__barrier_heavy();
	if (filch__scheduler_has_more(worker))
		wake_one(scheduler, false, !filch__scheduler_has_work(scheduler, false));
	else if (filch__scheduler_has_ready(scheduler, worker) && !is_watched(&scheduler->idle))
		wake_one(scheduler, false, false);
}

/* Announces; true when nobody else searches, so that the last look falls to us. `watch`: we are going
 * to look at what is ready now and then. */
static bool announce(struct worker *worker, bool searching, bool watch)
{
	struct idle *idle = &worker->scheduler->idle;
	uint32_t state;

	/* relaxed: the token of an earlier sleep is gone; a new one comes only after the listing.
	 */
	word32_store_relaxed(&worker->wake, 0);
	/* relaxed: before the announcement and its barrier: who fills a slot that sleep_until does
	 * not see then finds nobody watching, and wakes. */
	word32_store_relaxed(&idle->watched, watch);
	spin_acquire(&idle->lock);
	idle->sleeping[idle->depth++] = (uint16_t)worker->index;
	/* seq_cst: before the last look; pairs with the pusher's load of state (model_idle). */
	state = word32_add_seq_cst(&idle->state,
				   searching ? IDLE_SLEEPER - IDLE_SEARCHER : IDLE_SLEEPER);
	spin_release(&idle->lock);
	return !searching || idle_searchers(state) == 1;
}

static filch_time next_timer(struct scheduler *scheduler)
{
	return scheduler->timers.next ? scheduler->timers.next(scheduler->timers.context)
				      : FILCH_NEVER;
}

/* Takes the keeper's role if it is free; the deadline until which this worker may sleep. `watch`:
 * somebody is to look at what is ready by then. Under the lock. */
static filch_time keep_time(struct worker *worker, bool watch)
{
	struct scheduler *scheduler = worker->scheduler;
	struct idle *idle = &scheduler->idle;
	filch_time deadline = watch ? filch__clock_now() + WATCH_SPAN : FILCH_NEVER;
	/* relaxed: written under the lock. */
	uint64_t keeper = word64_load_relaxed(&idle->keeper);

	/* A keeper who would sleep through the watch gives the role up to us. */
	if (keeper != 0 && (filch_time)keeper <= deadline && idle->keeper_index != worker->index)
		return FILCH_NEVER;
	idle->keeper_index = worker->index;
	for (bool first = true;; first = false) {
		filch_time next = next_timer(scheduler);

		if (!first && next >= deadline)
			return deadline;
		deadline = next < deadline ? next : deadline;
		/* seq_cst: then look at the timers again; pairs with filch__scheduler_deadline. */
		word64_store_seq_cst(&idle->keeper, (uint64_t)deadline);
	}
}

static filch_time sleep_until(struct worker *worker, bool watch)
{
	struct idle *idle = &worker->scheduler->idle;
	filch_time deadline;

	spin_acquire(&idle->lock);
	if (!watch && filch__scheduler_has_ready(worker->scheduler, worker)) {
		watch = true;
		/* relaxed: a hint, see call_watch. */
		word32_store_relaxed(&idle->watched, 1);
		filch__scheduler_begin_watch(worker);
	}
	deadline = keep_time(worker, watch);
	spin_release(&idle->lock);
	return deadline;
}

/* The deadline has come. Is it but the end of a watch in which all went well? Then there is a next
 * one, without a search, whose barriers would cost the others more than they gain by it. */
static bool watches_on(struct worker *worker, filch_time *deadline)
{
	struct scheduler *scheduler = worker->scheduler;
	struct idle *idle = &scheduler->idle;
	bool on;

	if (next_timer(scheduler) <= filch__clock_now() ||
	    filch__scheduler_watch(worker) != PROGRESS_MADE)
		return false;
	spin_acquire(&idle->lock);
	/* relaxed: written under the lock. */
	on = word64_load_relaxed(&idle->keeper) != 0 && idle->keeper_index == worker->index;
	if (on)
		*deadline = keep_time(worker, true);
	spin_release(&idle->lock);
	return on;
}

/* Gives the role up; if time is to be kept and others sleep, one of them takes it. So it is with
 * the watch when work has called us away from it. */
static void resign(struct worker *worker, bool called)
{
	struct scheduler *scheduler = worker->scheduler;
	struct idle *idle = &scheduler->idle;
	bool kept;

	spin_acquire(&idle->lock);
	/* relaxed: written under the lock. */
	kept = word64_load_relaxed(&idle->keeper) != 0 && idle->keeper_index == worker->index;
	if (kept)
		/* seq_cst: pairs with the load in filch__scheduler_deadline. */
		word64_store_seq_cst(&idle->keeper, 0);
	spin_release(&idle->lock);
	if (!kept)
		return;
	/* relaxed: a hint, see call_watch. */
	if ((called && word32_load_relaxed(&idle->watched)) ||
	    next_timer(scheduler) != FILCH_NEVER)
		wake_one(scheduler, true, false);
}

void filch__scheduler_deadline(struct scheduler *scheduler, filch_time deadline)
{
	struct idle *idle = &scheduler->idle;
	/* seq_cst: after the timer's own seq_cst store; pairs with the store in sleep_until. */
	uint64_t keeper = word64_load_seq_cst(&idle->keeper);
	uint32_t index;

	if (keeper != 0 && (filch_time)keeper <= deadline)
		return;
	if (keeper == 0) {
		/* relaxed: who sleeps unseen has seen the timer, or a keeper whose resigning store
		 * the load above has acquired. */
		if (idle_sleepers(word32_load_relaxed(&idle->state)))
			wake_one(scheduler, true, false);
		return;
	}
	spin_acquire(&idle->lock);
	index = idle->keeper_index;
	spin_release(&idle->lock);
	filch__idle_wake(&scheduler->workers[index]);
}

static bool has_token(struct worker *worker)
{
	/* relaxed: as in hand_token. */
	return word32_load_relaxed(&worker->wake) != 0;
}

bool filch__idle_sleep(struct worker *worker, bool searching)
{
	struct scheduler *scheduler = worker->scheduler;
	/* The search has seen something ready: soon there will be again. */
	bool watch = worker->slot_victim != worker->index, last;
	filch_time deadline;

	worker->slot_victim = worker->index;
	if (watch)
		filch__scheduler_begin_watch(worker);
	last = announce(worker, searching, watch);
	if (last) {
		if (!scheduler->fenced)
			filch__barrier_heavy();
		if (filch__scheduler_has_work(scheduler, worker->spare) && withdraw(worker))
			return true;
		/* Who pushed a task relied on us, who cannot start it. Nor may whoever searches by
		 * now be able to: it may be ourselves, called again since we were listed. */
		if (!worker->spare && filch__scheduler_has_work(scheduler, true))
			wake_one(scheduler, true, true);
	}
	/* relaxed: ordered by the lock of the list, at which join_threads looks after its store. */
	if (word32_load_relaxed(&scheduler->stopping) && withdraw(worker))
		return true;
	deadline = sleep_until(worker, watch);
	/* A fiber of our own may have come home before we were listed. */
	/* relaxed: ordered by the lock of the list, at which push_inbox looks after its cas. */
	if (!is_planted(PLANTED_MISSED_WAKEUP) && pointer_load_relaxed(&worker->inbox) &&
	    withdraw(worker)) {
		resign(worker, true);
		return true;
	}
	while (!has_token(worker)) {
		if (filch__futex_wait(&worker->wake, 0, deadline) != 0 &&
		    !watches_on(worker, &deadline) && withdraw(worker))
			break;
	}
	resign(worker, has_token(worker));
	return true;
}
