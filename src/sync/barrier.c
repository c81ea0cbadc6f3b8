/* The barrier: generations of arrivals. */
#include "sync/barrier.h"

#include "sync/lock.h"

#include <errno.h>
#include <stdio.h>

/* ---- Ends of a generation: guarded ---- */

/* The action's generation gets `complete`, who came meanwhile tries again. */
static void tell_all(struct filch_barrier *barrier, int complete)
{
	struct list *waiters = line_waiters(&barrier->line);
	uint64_t index = 1;

	for (struct list *link = waiters->next; link && link != waiters; link = link->next) {
		struct barrier_waiter *waiter = barrier_waiter_of(link);

		if (waiter->standing == COMPLETE)
			barrier_tell(waiter, complete, index++);
		else if (waiter->standing == BLOCKED && !barrier_wait_is_over(waiter))
			barrier_tell(waiter, TRY_AGAIN, 0);
	}
}

/* Everybody gets -ENOTRECOVERABLE; `blocked`: but who is BLOCKED gets this. */
static void tell_broken(struct filch_barrier *barrier, int blocked)
{
	struct list *waiters = line_waiters(&barrier->line);

	for (struct list *link = waiters->next; link && link != waiters; link = link->next) {
		struct barrier_waiter *waiter = barrier_waiter_of(link);

		if (waiter->standing == COMPLETE || !barrier_wait_is_over(waiter))
			barrier_tell(waiter,
				     waiter->standing == BLOCKED ? blocked : -ENOTRECOVERABLE, 0);
	}
	barrier->filling = 0;
	barrier->generation++;
}

/* The first who is to be told; takes those out of the line whose wait is over. */
static struct barrier_waiter *first_of(struct filch_line *line, uint64_t *state)
{
	struct list *waiters = line_waiters(line);

	while (!list_is_empty(waiters)) {
		struct barrier_waiter *waiter = barrier_waiter_of(waiters->next);

		if (waiter->won || !barrier_wait_is_over(waiter))
			return waiter;
		*state = filch__line_unlink(line, *state, &waiter->line);
	}
	return NULL;
}

/* Wakes who has been told. All who are in line have been, or come after them. */
static uint64_t choose_told(struct filch_line *line, uint64_t state, struct line_batch *batch,
			    void *context)
{
	struct barrier_waiter *waiter;

	(void)context;
	while (!line_batch_is_full(batch) && (waiter = first_of(line, &state)) &&
	       waiter->standing == TOLD) {
		if (waiter->won) {
			batch->parked[batch->count++] = waiter->parked;
			state = filch__line_unlink(line, state, &waiter->line);
		} else {
			filch__line_take(line, &state, &waiter->line, batch, waiter->line.outcome);
		}
	}
	return state;
}

static void wake_told(struct filch_barrier *barrier, uint64_t state)
{
	filch__line_serve(&barrier->line, state, choose_told, NULL);
}

static void break_guarded(struct filch_barrier *barrier, uint64_t state)
{
	tell_broken(barrier, -ENOTRECOVERABLE);
	wake_told(barrier, (state | BARRIER_BROKEN) & ~BARRIER_ACTING);
}

/* ---- Arriving ---- */

/* Guarded: is everybody there with us? Those whose wait is over do not count. */
static bool is_filled(struct filch_barrier *barrier, uint64_t *state, bool *gone)
{
	struct list *waiters = line_waiters(&barrier->line);

	if (barrier->filling + 1 < barrier->parties)
		return false;
	for (struct list *link = waiters->next; link && link != waiters; link = link->next) {
		struct barrier_waiter *waiter = barrier_waiter_of(link);

		if (waiter->standing == ARRIVED && barrier_wait_is_over(waiter))
			barrier_forget(barrier, waiter, gone);
	}
	return barrier->filling + 1 == barrier->parties &&
	       filch__barrier_win_arms(barrier, state, gone);
}

static void complete(struct filch_barrier *barrier)
{
	struct list *waiters = line_waiters(&barrier->line);

	for (struct list *link = waiters->next; link && link != waiters; link = link->next)
		if (barrier_waiter_of(link)->standing == ARRIVED)
			barrier_waiter_of(link)->standing = COMPLETE;
	barrier->filling = 0;
	barrier->generation++;
}

/* Guarded; leaves the guard. */
static int lead(struct filch_barrier *barrier, uint64_t state)
{
	uint64_t generation;
	int status;

	complete(barrier);
	if (barrier->action) {
		generation = barrier->generation;
		barrier->actor = filch__lock_self();
		line_unguard(&barrier->line, state | BARRIER_ACTING);
		status = barrier->action(barrier->arg);
		state = filch__line_guard_to_wake(&barrier->line);
		if (!(state & BARRIER_ACTING) || barrier->generation != generation) {
			line_unguard(&barrier->line, state);
			return -ENOTRECOVERABLE;
		}
		if (status < 0) {
			break_guarded(barrier, state);
			return status;
		}
	}
	tell_all(barrier, 0);
	wake_told(barrier, state & ~BARRIER_ACTING);
	return 0;
}

static uint64_t holder(const void *object, unsigned n)
{
	const struct filch_barrier *barrier = object;
	/* relaxed: nothing runs. */
	bool acting = (word64_load_relaxed(&barrier->line.state) & BARRIER_ACTING) != 0;

	return acting && n == 0 ? barrier->actor : 0;
}

static void describe(const void *object, char *text, size_t size)
{
	const struct filch_barrier *barrier = object;

	snprintf(text, size, "%u of %u have come", barrier->filling, barrier->parties);
}

static const struct waited waited_barrier = { .name = "a barrier",
					      .holder = holder,
					      .describe = describe };

void filch__barrier_wait_surely(struct filch_barrier *barrier, struct barrier_waiter *waiter,
				uint64_t state)
{
	filch__waiter_begin(&waiter->line.waiter);
	waiter_says(&waiter->line.waiter, &waited_barrier, barrier);
	line_unguard(&barrier->line, filch__line_link(&barrier->line, state, &waiter->line));
	filch__waiter_wait_surely(&waiter->line.waiter);
	filch__line_await_guard(&barrier->line);
}

/* Guarded: the wait has failed; leaves the guard. */
static int leave(struct filch_barrier *barrier, struct barrier_waiter *waiter, uint64_t state,
		 int status)
{
	if (waiter->standing == COMPLETE) {
		filch__barrier_wait_surely(barrier, waiter, state);
		return waiter->line.outcome;
	}
	if (waiter->standing == TOLD)
		status = waiter->line.outcome;
	else if (waiter->standing != BLOCKED && waiter->generation == barrier->generation) {
		if (waiter->standing == ARRIVED)
			barrier->filling--;
		if (barrier->policy == FILCH_BARRIER_BREAK) {
			break_guarded(barrier, state);
			return status;
		}
	}
	line_unguard(&barrier->line, state);
	return status;
}

/* Guarded to wake: 0 to lead, -EAGAIN to wait as `standing`, or an error. */
static int arrive(struct filch_barrier *barrier, uint64_t *state, enum standing *standing)
{
	bool gone = false;

	*standing = ARRIVED;
	if (*state & BARRIER_BROKEN)
		return -ENOTRECOVERABLE;
	if (*state & BARRIER_ACTING) {
		*standing = BLOCKED;
		return barrier->actor == filch__lock_self() ? -EDEADLK : -EAGAIN;
	}
	if (is_filled(barrier, state, &gone))
		return 0;
	return gone && barrier->policy == FILCH_BARRIER_BREAK ? -ENOTRECOVERABLE : -EAGAIN;
}

static int queue_up(struct filch_barrier *barrier, struct barrier_waiter *waiter, uint64_t state,
		    filch_time deadline)
{
	int status;

	waiter->generation = barrier->generation;
	if (waiter->standing == ARRIVED)
		barrier->filling++;
	status = filch__line_wait(&barrier->line, &state, &waiter->line, &waited_barrier, deadline);
	return status == 0 ? waiter->line.outcome : leave(barrier, waiter, state, status);
}

/* One attempt: 0, an error, or TRY_AGAIN when it was blocked. */
static int wait_once(struct filch_barrier *barrier, uint64_t *index, filch_time deadline)
{
	struct barrier_waiter waiter = { .generation = 0 };
	uint64_t state = filch__line_guard_to_wake(&barrier->line);
	int status = arrive(barrier, &state, &waiter.standing);

	if (status == -EAGAIN) {
		status = queue_up(barrier, &waiter, state, deadline);
		*index = waiter.line.amount;
	} else if (status == 0) {
		*index = 0;
		status = lead(barrier, state);
	} else if (status == -ENOTRECOVERABLE && !(state & BARRIER_BROKEN)) {
		break_guarded(barrier, state);
	} else {
		line_unguard(&barrier->line, state);
	}
	return status;
}

static int check(const struct filch_barrier *barrier)
{
	return !barrier || barrier->parties == 0 ? -EINVAL : 0;
}

int filch_barrier_wait_until(struct filch_barrier *barrier, unsigned *index, filch_time deadline)
{
	int status = check(barrier);
	uint64_t at = 0;

	if (status == 0)
		status = filch__line_enter(barrier->parties > 1);
	if (status < 0)
		return status;
	do
		status = wait_once(barrier, &at, deadline);
	while (status == TRY_AGAIN);
	if (status == 0 && index)
		*index = (unsigned)at;
	return status;
}

int filch_barrier_wait(struct filch_barrier *barrier, unsigned *index)
{
	return filch_barrier_wait_until(barrier, index, FILCH_NEVER);
}

int filch_barrier_try_wait(struct filch_barrier *barrier, unsigned *index)
{
	int status = check(barrier);
	enum standing standing;
	uint64_t state;

	if (status == 0)
		status = filch__line_enter_try();
	if (status < 0)
		return status;
	state = filch__line_guard_to_wake(&barrier->line);
	status = arrive(barrier, &state, &standing);
	if (status == 0)
		status = lead(barrier, state);
	else if (status == -ENOTRECOVERABLE && !(state & BARRIER_BROKEN))
		break_guarded(barrier, state);
	else
		line_unguard(&barrier->line, state);
	if (status == 0 && index)
		*index = 0;
	return status;
}

/* ---- All else ---- */

int filch_barrier_reset(struct filch_barrier *barrier)
{
	uint64_t state;

	if (check(barrier) < 0)
		return -EINVAL;
	state = filch__line_guard_to_wake(&barrier->line);
	tell_broken(barrier, TRY_AGAIN);
	wake_told(barrier, state & ~(BARRIER_BROKEN | BARRIER_ACTING));
	return 0;
}

int filch_barrier_abort(struct filch_barrier *barrier)
{
	if (check(barrier) < 0)
		return -EINVAL;
	break_guarded(barrier, filch__line_guard_to_wake(&barrier->line));
	return 0;
}

int filch_barrier_init(struct filch_barrier *barrier, unsigned parties,
		       const struct filch_barrier_options *options)
{
	if (!barrier || parties == 0)
		return -EINVAL;
	if (options && (options->size < offsetof(struct filch_barrier_options, room) ||
			options->policy > FILCH_BARRIER_BREAK))
		return -EINVAL;
	*barrier = (struct filch_barrier)FILCH_BARRIER_INIT(parties);
	if (options) {
		barrier->policy = options->policy;
		barrier->action = options->action;
		barrier->arg = options->arg;
	}
	return 0;
}

int filch_barrier_fini(struct filch_barrier *barrier)
{
	uint64_t state;

	if (!barrier)
		return 0;
	state = filch__line_guard(&barrier->line);
	line_unguard(&barrier->line, state);
	return state & (LINE_QUEUED | LINE_BUSY | BARRIER_ACTING) ? -EBUSY : 0;
}

void filch_barrier_get_statistics(struct filch_barrier *barrier,
				  struct filch_barrier_statistics *statistics)
{
	uint64_t state = filch__line_guard(&barrier->line);

	*statistics = (struct filch_barrier_statistics){
		.parties = barrier->parties,
		.waiting = barrier->filling,
		.broken = (state & BARRIER_BROKEN) != 0,
		.generation = barrier->generation,
		.contended = barrier->line.tickets,
	};
	line_unguard(&barrier->line, state);
}
