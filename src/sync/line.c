/* The line of waiters: joining, leaving, waking in batches. */
#include "sync/line.h"

#include "base/planted.h"
#include "platform/cpu.h"
#include "platform/thread.h"

#include <errno.h>

/* ---- The guard ---- */

static void pause_for_guard(unsigned spins)
{
	if (spins < 100)
		cpu_relax();
	else
		filch__thread_yield();
}

static uint64_t guard(struct filch_line *line, uint64_t flags)
{
	for (unsigned spins = 0;; spins++) {
		/* relaxed: the cas orders. */
		uint64_t state = word64_load_relaxed(&line->state);

		/* acquire: pairs with the release in line_unguard, and of the short paths. */
		if (!(state & flags) &&
		    word64_cas_acquire(&line->state, &state, state | LINE_GUARD))
			return state;
		pause_for_guard(spins);
	}
}

uint64_t filch__line_guard(struct filch_line *line)
{
	return guard(line, LINE_GUARD);
}

uint64_t filch__line_guard_to_wake(struct filch_line *line)
{
	return guard(line, LINE_GUARD | LINE_BUSY);
}

void filch__line_await_guard(const struct filch_line *line)
{
	/* acquire: pairs with the release in line_unguard. */
	for (unsigned spins = 0; word64_load_acquire(&line->state) & LINE_GUARD; spins++)
		pause_for_guard(spins);
}

/* ---- Waiting ---- */

int filch__line_enter_try(void)
{
	struct fiber *self = filch__fiber_self();

	return self && self->task == &filch__task_none ? -EPERM : 0;
}

int filch__line_enter(bool will_wait)
{
	return will_wait ? filch__wait_enter_queue() : filch__wait_enter();
}

uint64_t filch__line_link(struct filch_line *line, uint64_t state, struct line_waiter *waiter)
{
	waiter->ticket = ++line->tickets;
	line->waiting++;
	list_push_back(line_waiters(line), &waiter->waiter.link);
	return state | LINE_QUEUED;
}

uint64_t filch__line_unlink(struct filch_line *line, uint64_t state, struct line_waiter *waiter)
{
	list_remove(&waiter->waiter.link);
	line->waiting--;
	return list_is_empty(line_waiters(line)) ? state & ~LINE_QUEUED : state;
}

int filch__line_wait(struct filch_line *line, uint64_t *state, struct line_waiter *waiter,
		     const struct waited *what, filch_time deadline)
{
	int status = -ETIMEDOUT;

	waiter->ticket = 0;
	if (!filch__wait_is_over(deadline)) {
		filch__waiter_begin(&waiter->waiter);
		waiter_says(&waiter->waiter, what, line);
		line_unguard(line, filch__line_link(line, *state, waiter));
		status = filch__waiter_wait(&waiter->waiter, deadline);
		if (status == 0) {
			filch__line_await_guard(line);
			return 0;
		}
		*state = filch__line_guard_to_wake(line);
	} else if (*state & LINE_BUSY) {
		line_unguard(line, *state);
		*state = filch__line_guard_to_wake(line);
	}
	if (waiter->ticket != 0 && list_is_linked(&waiter->waiter.link))
		*state = filch__line_unlink(line, *state, waiter);
	return status;
}

int filch__line_detach(struct filch_line *line, uint64_t *state, struct line_waiter *waiter)
{
	*state = filch__line_guard_to_wake(line);
	if (list_is_linked(&waiter->waiter.link))
		*state = filch__line_unlink(line, *state, waiter);
	return waiter->waiter.outcome == PARK_UNDECIDED ? -EAGAIN : waiter->outcome;
}

/* ---- Waking ---- */

/* Who has registered and not begun to wait has no parker. */
static bool is_over(const struct line_waiter *waiter)
{
	const struct parker *parker = waiter->waiter.parker;

	return parker && !filch__park_is_waiting(parker, waiter->waiter.epoch);
}

static struct line_waiter *nearest(struct filch_line *line, uint64_t *state, bool last)
{
	struct list *waiters = line_waiters(line);

	while (!list_is_empty(waiters)) {
		struct list *link = last ? waiters->previous : waiters->next;
		struct line_waiter *waiter = container_of(link, struct line_waiter, waiter.link);

		if (!is_over(waiter))
			return waiter;
		*state = filch__line_unlink(line, *state, waiter);
	}
	return NULL;
}

struct line_waiter *filch__line_first(struct filch_line *line, uint64_t *state)
{
	return nearest(line, state, false);
}

struct line_waiter *filch__line_last(struct filch_line *line, uint64_t *state)
{
	return nearest(line, state, true);
}

bool filch__line_take(struct filch_line *line, uint64_t *state, struct line_waiter *waiter,
		      struct line_batch *batch, int outcome)
{
	struct parker *parker = waiter->waiter.parker;

	*state = filch__line_unlink(line, *state, waiter);
	waiter->outcome = outcome;
	if (!parker)
		return true;
	waiter->waiter.outcome = PARK_GRANTED;
	if (!filch__park_claim(parker, waiter->waiter.epoch, PARK_GRANTED,
			       &batch->parked[batch->count])) {
		waiter->waiter.outcome = PARK_UNDECIDED;
		return false;
	}
	/* *waiter may be gone from here on. */
	batch->count++;
	if (is_planted(PLANTED_DOUBLE_GRANT) && !batch->parked[batch->count - 1].fiber)
		return false;
	return true;
}

void filch__line_serve(struct filch_line *line, uint64_t state, line_choose_fn *choose,
		       void *context)
{
	struct line_batch batch;
	bool more;

	do {
		batch.count = 0;
		state = choose(line, state & ~LINE_BUSY, &batch, context);
		more = line_batch_is_full(&batch) && state & LINE_QUEUED;
		line_unguard(line, more ? state | LINE_BUSY : state);
		/* *line may be gone from here on, unless we are BUSY. */
		for (unsigned i = 0; i < batch.count; i++)
			filch__park_resume(&batch.parked[i]);
		if (more)
			state = filch__line_guard(line);
	} while (more);
}

uint64_t filch__line_choose_until(struct filch_line *line, uint64_t state, struct line_batch *batch,
				  void *context)
{
	const uint64_t *limit = context;
	struct line_waiter *waiter;

	while (!line_batch_is_full(batch) && (waiter = filch__line_first(line, &state)) &&
	       waiter->ticket <= *limit)
		filch__line_take(line, &state, waiter, batch, 0);
	return state;
}

uint64_t filch__line_choose_all(struct filch_line *line, uint64_t state, struct line_batch *batch,
				void *context)
{
	struct line_waiter *waiter;

	while (!line_batch_is_full(batch) && (waiter = filch__line_first(line, &state)))
		filch__line_take(line, &state, waiter, batch, *(const int *)context);
	return state;
}

int filch__line_fini(struct filch_line *line)
{
	uint64_t state = filch__line_guard(line);

	line_unguard(line, state);
	return state & (LINE_QUEUED | LINE_BUSY) ? -EBUSY : 0;
}
