/* The parking lot: a line and nothing else. */
#include <filch/parking_lot.h>

#include "data/spin.h"
#include "platform/cpu.h"
#include "platform/thread.h"
#include "sync/line.h"

#include <errno.h>

#define LOT_BROKEN LINE_OWN(0)

/*
 * In which lot it is changes under the guards of both, and its own `moving`. Who leaves by himself
 * holds `moving` while he tries for the guard of the lot he is in: meanwhile he is not moved
 * away from it, so that it is still there. Nobody else takes him out once his wait is over: so he
 * waits for the waker, and the lot is not empty, as long as he will look at it.
 */
struct lot_waiter {
	struct line_waiter line; /* first */
	struct spin moving;
	struct filch_parking_lot *lot;
};

/* False when it would have to wait. */
static bool try_guard_to_wake(struct filch_line *line, uint64_t *state)
{
	/* relaxed: the cas orders. */
	*state = word64_load_relaxed(&line->state);
	/* acquire: pairs with the release in line_unguard. */
	return !(*state & (LINE_GUARD | LINE_BUSY)) &&
	       word64_cas_acquire(&line->state, state, *state | LINE_GUARD);
}

/* Guards the lot it is in by now. */
static uint64_t guard_own(struct lot_waiter *waiter)
{
	for (unsigned spins = 0;; spins++) {
		uint64_t state;
		bool guarded;

		spin_acquire(&waiter->moving);
		guarded = try_guard_to_wake(&waiter->lot->line, &state);
		spin_release(&waiter->moving);
		if (guarded)
			return state;
		if (spins < 100)
			cpu_relax();
		else
			filch__thread_yield();
	}
}

/* The wait has failed. */
static void leave(struct lot_waiter *waiter)
{
	uint64_t state = guard_own(waiter);

	state = filch__line_unlink(&waiter->lot->line, state, &waiter->line);
	line_unguard(&waiter->lot->line, state);
}

int filch_parking_lot_park_until(struct filch_parking_lot *lot, filch_time deadline)
{
	static const struct waited unparked = { .name = "a parking lot" };
	struct lot_waiter waiter = { .lot = lot };
	int status = lot ? filch__line_enter(true) : -EINVAL;
	uint64_t state;

	if (status < 0)
		return status;
	state = filch__line_guard(&lot->line);
	if (state & LOT_BROKEN || filch__wait_is_over(deadline)) {
		line_unguard(&lot->line, state);
		return state & LOT_BROKEN ? -ENOTRECOVERABLE : -ETIMEDOUT;
	}
	filch__waiter_begin(&waiter.line.waiter);
	waiter_says(&waiter.line.waiter, &unparked, lot);
	line_unguard(&lot->line, filch__line_link(&lot->line, state, &waiter.line));
	status = filch__waiter_wait(&waiter.line.waiter, deadline);
	if (status < 0) {
		leave(&waiter);
		return status;
	}
	filch__line_await_guard(&waiter.lot->line);
	return waiter.line.outcome;
}

int filch_parking_lot_park(struct filch_parking_lot *lot)
{
	return filch_parking_lot_park_until(lot, FILCH_NEVER);
}

/* ---- Waking ---- */

/* Guarded: the first whose wait is not over, from there on. */
static struct lot_waiter *next_of(struct filch_line *line, struct list *link)
{
	for (; link && link != line_waiters(line); link = link->next) {
		struct waiter *waiter = container_of(link, struct waiter, link);

		if (filch__park_is_waiting(waiter->parker, waiter->epoch))
			return (struct lot_waiter *)(void *)waiter;
	}
	return NULL;
}

struct order {
	uint64_t last; /* the ticket of who came last when it was given */
	size_t most;
	size_t woken;
	int outcome;
};

/* Its wait was over. */
static void put_back(struct filch_line *line, uint64_t *state, struct lot_waiter *waiter,
		     struct list *next)
{
	list_push_back(next, &waiter->line.waiter.link);
	line->waiting++;
	*state |= LINE_QUEUED;
}

static uint64_t choose_ordered(struct filch_line *line, uint64_t state, struct line_batch *batch,
			       void *context)
{
	struct order *order = context;
	struct list *next = line_waiters(line)->next;
	struct lot_waiter *waiter;

	while (!line_batch_is_full(batch) && order->woken < order->most &&
	       (waiter = next_of(line, next)) && waiter->line.ticket <= order->last) {
		next = waiter->line.waiter.link.next;
		if (filch__line_take(line, &state, &waiter->line, batch, order->outcome))
			order->woken++;
		else
			put_back(line, &state, waiter, next);
	}
	return state;
}

int filch_parking_lot_unpark(struct filch_parking_lot *lot, size_t count, size_t *woken)
{
	struct order order = { .most = count };
	uint64_t state;

	if (!lot)
		return -EINVAL;
	state = filch__line_guard_to_wake(&lot->line);
	order.last = lot->line.tickets;
	filch__line_serve(&lot->line, state, choose_ordered, &order);
	if (woken)
		*woken = order.woken;
	return 0;
}

/* ---- Moving ---- */

/* In the order of their addresses; of both, for who will wake. */
static void guard_both(struct filch_line *a, struct filch_line *b, uint64_t *of_a, uint64_t *of_b)
{
	if ((uintptr_t)a < (uintptr_t)b) {
		*of_a = filch__line_guard_to_wake(a);
		*of_b = filch__line_guard_to_wake(b);
	} else {
		*of_b = filch__line_guard_to_wake(b);
		*of_a = filch__line_guard_to_wake(a);
	}
}

static void move(struct filch_parking_lot *from, struct filch_parking_lot *to, uint64_t *of_from,
		 uint64_t *of_to, struct lot_waiter *waiter)
{
	*of_from = filch__line_unlink(&from->line, *of_from, &waiter->line);
	*of_to = filch__line_link(&to->line, *of_to, &waiter->line);
	spin_acquire(&waiter->moving);
	waiter->lot = to;
	spin_release(&waiter->moving);
}

int filch_parking_lot_repark(struct filch_parking_lot *from, struct filch_parking_lot *to,
			     size_t count, size_t *moved)
{
	uint64_t of_from, of_to;
	size_t done = 0;
	int status = 0;

	if (!from || !to || from == to)
		return -EINVAL;
	guard_both(&from->line, &to->line, &of_from, &of_to);
	if (of_to & LOT_BROKEN)
		status = -ENOTRECOVERABLE;
	for (struct list *next = line_waiters(&from->line)->next; status == 0 && done < count;
	     done++) {
		struct lot_waiter *waiter = next_of(&from->line, next);

		if (!waiter)
			break;
		next = waiter->line.waiter.link.next;
		move(from, to, &of_from, &of_to, waiter);
	}
	line_unguard(&from->line, of_from);
	line_unguard(&to->line, of_to);
	if (moved)
		*moved = done;
	return status;
}

/* ---- All else ---- */

int filch_parking_lot_break(struct filch_parking_lot *lot)
{
	struct order order = { .most = SIZE_MAX, .outcome = -ENOTRECOVERABLE };
	uint64_t state;

	if (!lot)
		return -EINVAL;
	state = filch__line_guard_to_wake(&lot->line);
	if (state & LOT_BROKEN) {
		line_unguard(&lot->line, state);
		return -EALREADY;
	}
	order.last = lot->line.tickets;
	filch__line_serve(&lot->line, state | LOT_BROKEN, choose_ordered, &order);
	return 0;
}

int filch_parking_lot_fini(struct filch_parking_lot *lot)
{
	return lot ? filch__line_fini(&lot->line) : 0;
}

void filch_parking_lot_get_statistics(struct filch_parking_lot *lot,
				      struct filch_parking_lot_statistics *statistics)
{
	uint64_t state = filch__line_guard(&lot->line);

	*statistics = (struct filch_parking_lot_statistics){
		.broken = (state & LOT_BROKEN) != 0,
		.waiting = lot->line.waiting,
		.parked = lot->line.tickets,
	};
	line_unguard(&lot->line, state);
}
