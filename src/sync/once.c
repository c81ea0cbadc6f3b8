/* Once: the turn to initialise is handed down the line until somebody succeeds. */
#include <filch/once.h>

#include "sync/line.h"
#include "sync/lock.h"

#include <errno.h>

/*
 *	flag      set by                          cleared by
 *	DONE      who has succeeded, or set it    nobody
 *	RUNNING   who begins                      who ends, unless it hands the turn on
 */
#define ONCE_DONE LINE_OWN(0)
#define ONCE_RUNNING LINE_OWN(1)

/* What a waiter is granted: that it is done, or the turn. Its `amount` is who it is. */
#define GRANT_DONE 0
#define GRANT_TURN 1

static bool is_done(const struct filch_once *once)
{
	/* acquire: pairs with the release in line_unguard. */
	return (word64_load_acquire(&once->line.state) & ONCE_DONE) != 0;
}

/* Guarded: to the next one whose wait is not over. */
static uint64_t choose_next(struct filch_line *line, uint64_t state, struct line_batch *batch,
			    void *context)
{
	struct filch_once *once = context;
	struct line_waiter *waiter;

	while ((waiter = filch__line_first(line, &state)) != NULL) {
		once->owner = waiter->amount;
		if (filch__line_take(line, &state, waiter, batch, GRANT_TURN))
			return state;
	}
	return state & ~ONCE_RUNNING;
}

/* It is our turn. */
static int run(struct filch_once *once, filch_once_fn *fn, void *arg)
{
	int status = fn(arg), outcome = GRANT_DONE;
	uint64_t state = filch__line_guard_to_wake(&once->line);

	if (status < 0) {
		filch__line_serve(&once->line, state, choose_next, once);
		return status;
	}
	state = (state & ~ONCE_RUNNING) | ONCE_DONE;
	filch__line_serve(&once->line, state, filch__line_choose_all, &outcome);
	return 0;
}

/* Guarded: 0 done, GRANT_TURN ours, -EAGAIN to be waited for, -EDEADLK. */
static int look(struct filch_once *once, uint64_t *state)
{
	uint64_t self = filch__lock_self();

	if (*state & ONCE_DONE)
		return GRANT_DONE;
	if (*state & ONCE_RUNNING)
		return once->owner == self ? -EDEADLK : -EAGAIN;
	*state |= ONCE_RUNNING;
	once->owner = self;
	return GRANT_TURN;
}

static uint64_t holder(const void *object, unsigned n)
{
	const struct filch_once *once = object;

	return n == 0 ? once->owner : 0;
}

static const struct waited waited_once = { .name = "a once", .holder = holder };

int filch_once_run_until(struct filch_once *once, filch_once_fn *fn, void *arg, filch_time deadline)
{
	struct line_waiter waiter = { .amount = filch__lock_self() };
	uint64_t state;
	int status;

	if (!once || !fn)
		return -EINVAL;
	status = filch__line_enter(false);
	if (status < 0 || is_done(once))
		return status;
	state = filch__line_guard(&once->line);
	status = look(once, &state);
	if (status == -EAGAIN) {
		status = filch__line_wait(&once->line, &state, &waiter, &waited_once, deadline);
		if (status == 0)
			status = waiter.outcome;
		else
			line_unguard(&once->line, state);
	} else {
		line_unguard(&once->line, state);
	}
	return status == GRANT_TURN ? run(once, fn, arg) : status;
}

FILCH_NOINLINE int filch_once_run(struct filch_once *once, filch_once_fn *fn, void *arg)
{
	struct filch__task *task = line_enter_short();

	if (unlikely(!task || !once || !fn || !is_done(once)))
		return filch_once_run_until(once, fn, arg, FILCH_NEVER);
	task->operations--;
	return 0;
}

int filch_once_try_run(struct filch_once *once, filch_once_fn *fn, void *arg)
{
	int status = once && fn ? filch__line_enter_try() : -EINVAL;
	uint64_t state;

	if (status < 0)
		return status;
	state = filch__line_guard(&once->line);
	status = look(once, &state);
	line_unguard(&once->line, state);
	return status == GRANT_TURN ? run(once, fn, arg) : status;
}

int filch_once_set(struct filch_once *once)
{
	uint64_t state;
	int status = 0;

	if (!once)
		return -EINVAL;
	state = filch__line_guard(&once->line);
	if (state & ONCE_DONE)
		status = -EALREADY;
	else if (state & ONCE_RUNNING)
		status = -EBUSY;
	line_unguard(&once->line, status == 0 ? state | ONCE_DONE : state);
	return status;
}

bool filch_once_is_done(const struct filch_once *once)
{
	return once && is_done(once);
}

int filch_once_fini(struct filch_once *once)
{
	uint64_t state;

	if (!once)
		return 0;
	state = filch__line_guard(&once->line);
	line_unguard(&once->line, state);
	return state & (LINE_QUEUED | LINE_BUSY | ONCE_RUNNING) ? -EBUSY : 0;
}

void filch_once_get_statistics(struct filch_once *once, struct filch_once_statistics *statistics)
{
	uint64_t state = filch__line_guard(&once->line);

	*statistics = (struct filch_once_statistics){
		.done = (state & ONCE_DONE) != 0,
		.running = (state & ONCE_RUNNING) != 0,
		.waiting = once->line.waiting,
		.contended = once->line.tickets,
	};
	line_unguard(&once->line, state);
}
