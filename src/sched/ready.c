/* Where a woken fiber goes. */
#include "sched/worker.h"

#include "base/panic.h"
#include "platform/futex.h"

#define SLOT_RUNS 3

static struct deque_item item_of(struct fiber *fiber)
{
	return (struct deque_item){ { fiber, NULL, NULL, NULL } };
}

static void home(struct worker *worker, struct fiber *fiber)
{
	fiber->next = NULL;
	if (worker->homing_last)
		worker->homing_last->next = fiber;
	else
		worker->homing = fiber;
	worker->homing_last = fiber;
}

/* Somebody idles, and something is ready that this worker will come to. Only when it does not, others
 * come for it: one has to look, now and then. */
static FILCH_NOINLINE void call_watch(struct worker *worker)
{
	struct idle *idle = &worker->scheduler->idle;
	/* relaxed: ordered by the sleeper's heavy barrier, as in worker_offer. */
	uint32_t state = word32_load_relaxed(&idle->state);

	if (state & IDLE_FENCED) {
		/* acq_rel: in place of the asymmetric pair: releases what is ready to the sleeper's
		 * announcement, or acquires what it wrote to `watched` before that. */
		state = word32_add_acq_rel(&idle->state, 0);
		if (worker->scheduler->world)
			filch__simulated_slot(worker);
	}
	/* Who searches looks at what is ready when it ends: only this once. */
	/* relaxed: as above. */
	if (!idle_sleepers(state) || idle_searchers(state) || word32_load_relaxed(&idle->watched))
		return;
	/* relaxed: as above. Before the call, which may be answered at once. */
	word32_store_relaxed(&idle->watched, 1);
	if (!filch__idle_notify(worker->scheduler))
		/* relaxed: nobody comes: the next must call again. */
		word32_store_relaxed(&idle->watched, 0);
}

void filch__worker_push_ready(struct worker *worker, struct fiber *fiber)
{
	struct deque_item item = item_of(fiber);
	int status;

	if (fiber->sticky) {
		home(worker, fiber);
		return;
	}
	gate_enter(&worker->gate);
	status = deque_push(&worker->ready, &item);
	gate_leave(&worker->gate);
	if (unlikely(status < 0)) {
		/* No room: the injection queue needs no memory. */
		fiber->injected.owner = fiber;
		filch__injector_push(&worker->scheduler->injector, &fiber->injected);
		filch__idle_notify(worker->scheduler);
		return;
	}
	if (!worker_is_wanted(worker))
		return;
	if (worker_keeps_ready(worker))
		call_watch(worker);
	else
		filch__worker_share(worker);
}

/* Newest in the slot; who stood there goes to the back of the queue. */
static void push_slot(struct worker *worker, struct fiber *fiber)
{
	struct fiber *old;

	gate_enter(&worker->gate);
	/* relaxed: changed only in the gate; thieves read it as a hint. */
	old = (struct fiber *)pointer_load_relaxed(&worker->slot);
	pointer_store_relaxed(&worker->slot, fiber);
	gate_leave(&worker->gate);
	if (old)
		filch__worker_push_ready(worker, old);
	if (worker_is_wanted(worker))
		call_watch(worker);
}

static void push_inbox(struct worker *worker, struct fiber *fiber)
{
	/* relaxed: the cas orders. */
	void *head = pointer_load_relaxed(&worker->inbox);

	do {
		fiber->next = (struct fiber *)head;
		/* release: pairs with the exchange in empty_inbox. The look at the list of sleepers
		 * below comes after it by the lock. */
	} while (!pointer_cas_release(&worker->inbox, &head, fiber));
	filch__idle_wake(worker);
}

void filch__ready(struct scheduler *scheduler, struct fiber *fiber)
{
	struct fiber *self = filch__fiber_self();
	struct worker *worker = self && self->worker->scheduler == scheduler ? self->worker : NULL;

	if (fiber->sticky) {
		if (worker && worker->index == fiber->home)
			home(worker, fiber);
		else
			push_inbox(&scheduler->workers[fiber->home], fiber);
	} else if (worker && worker->polls) {
		filch__worker_push_ready(worker, fiber);
	} else if (worker) {
		push_slot(worker, fiber);
	} else {
		fiber->injected.owner = fiber;
		filch__scheduler_append(scheduler, &fiber->injected);
	}
}

static void empty_inbox(struct worker *worker)
{
	/* acquire: pairs with the cas in push_inbox. */
	struct fiber *fiber = (struct fiber *)pointer_exchange_acquire(&worker->inbox, NULL);
	struct fiber *oldest_first = NULL;

	while (fiber) {
		struct fiber *next = fiber->next;

		fiber->next = oldest_first;
		oldest_first = fiber;
		fiber = next;
	}
	while (oldest_first) {
		struct fiber *next = oldest_first->next;

		home(worker, oldest_first);
		oldest_first = next;
	}
}

static struct fiber *next_homing(struct worker *worker)
{
	struct fiber *fiber;

	/* relaxed: a hint; the exchange orders. */
	if (pointer_load_relaxed(&worker->inbox))
		empty_inbox(worker);
	fiber = worker->homing;
	if (fiber) {
		worker->homing = fiber->next;
		if (!worker->homing)
			worker->homing_last = NULL;
	}
	return fiber;
}

/* The slot, unless it has had its turns: then it goes to the back of the queue. */
static struct fiber *take_slot(struct worker *worker)
{
	struct fiber *fiber;

	gate_enter(&worker->gate);
	/* relaxed: changed only in the gate. */
	fiber = (struct fiber *)pointer_load_relaxed(&worker->slot);
	pointer_store_relaxed(&worker->slot, NULL);
	gate_leave(&worker->gate);
	/* relaxed: a hint. */
	if (fiber && worker->slot_runs++ >= SLOT_RUNS &&
	    (!deque_is_empty(&worker->ready) || worker->homing ||
	     pointer_load_relaxed(&worker->inbox))) {
		filch__worker_push_ready(worker, fiber);
		fiber = NULL;
	}
	return fiber;
}

/* Many fibers are more than the cache holds: the next one's frame and a later one's descriptor are
 * fetched while this one runs. */
static void fetch_ahead(const struct deque *ready)
{
	const struct fiber *next = deque_look_ahead(ready, 0);
	const struct fiber *later = deque_look_ahead(ready, 2);

	if (later) {
		__builtin_prefetch(&later->worker);
		__builtin_prefetch(&later->parker);
	}
	if (next)
		__builtin_prefetch(next->context);
}

struct fiber *filch__worker_next_ready(struct worker *worker)
{
	struct fiber *fiber = NULL;
	struct deque_item item;

	/* relaxed: a hint from others, our own write otherwise. */
	if (pointer_load_relaxed(&worker->slot) && (fiber = take_slot(worker)))
		return fiber;
	worker->slot_runs = 0;
	/* relaxed: a hint. */
	if (unlikely(worker->homing || pointer_load_relaxed(&worker->inbox)) &&
	    (fiber = next_homing(worker)))
		return fiber;
	if (deque_is_empty(&worker->ready))
		return NULL;
	gate_enter(&worker->gate);
	if (filch__deque_take(&worker->ready, &item)) {
		fiber = (struct fiber *)item.word[0];
		fetch_ahead(&worker->ready);
	}
	gate_leave(&worker->gate);
	return fiber;
}

void filch__worker_share(struct worker *worker)
{
	struct idle *idle = &worker->scheduler->idle;
	/* relaxed: ordered by the sleeper's heavy barrier (idle.h). */
	uint32_t state = word32_load_relaxed(&idle->state);
	bool shown;

	if (state & IDLE_FENCED) {
		/* release: takes the place of the asymmetric pair; pairs with the sleeper's
		 * announcement, which changes the same word. */
		state = word32_add_release(&idle->state, 0);
	}
	if (worker->scheduler->world)
		filch__simulated_shuffle(worker);
	if ((state & ~IDLE_FENCED) == 0)
		return;
	gate_enter(&worker->gate);
	shown = filch__deque_publish(&worker->tasks);
	if (!worker_keeps_ready(worker))
		shown |= filch__deque_publish(&worker->ready);
	gate_leave(&worker->gate);
	if (shown && idle_sleepers(state) && !idle_searchers(state))
		filch__idle_notify(worker->scheduler);
}
