/* The semaphore: a count and a line; its short paths are one cas. */
#include <filch/semaphore.h>

#include "sync/line.h"
#include "sync/select.h"

#include <errno.h>
#include <stdio.h>

/* The value is the permits that are free. Model: model_semaphore. */
#define SEMAPHORE_CLOSED LINE_OWN(0)

#define PERMITS(n) ((uint64_t)(n) << LINE_SHIFT)

static int64_t most_of(const struct filch_semaphore *semaphore)
{
	return semaphore->bound ? semaphore->bound : FILCH_SEMAPHORE_MAX;
}

static int64_t free_of(uint64_t state)
{
	return (int64_t)LINE_VALUE(state);
}

/* ---- Short: nobody waits, nothing is closed ---- */

static bool take(struct filch_semaphore *semaphore, int64_t permits)
{
	/* relaxed: the cas orders. */
	uint64_t state = word64_load_relaxed(&semaphore->line.state);

	do {
		if (state & LINE_FLAGS || free_of(state) < permits)
			return false;
		/* acquire: pairs with the release in give, and in line_unguard. */
	} while (!word64_cas_acquire(&semaphore->line.state, &state, state - PERMITS(permits)));
	return true;
}

static int give(struct filch_semaphore *semaphore, int64_t permits)
{
	int64_t most = most_of(semaphore);
	/* relaxed: the cas orders. */
	uint64_t state = word64_load_relaxed(&semaphore->line.state);

	do {
		if (state & (LINE_GUARD | LINE_QUEUED | LINE_BUSY))
			return -EAGAIN;
		if (permits > most - free_of(state))
			return -EOVERFLOW;
		/* release: pairs with the acquire in take, and in filch__line_guard. The last
		 * touch. */
	} while (!word64_cas_release(&semaphore->line.state, &state, state + PERMITS(permits)));
	return 0;
}

/* ---- Acquiring ---- */

/* Guarded. */
static int take_guarded(struct filch_semaphore *semaphore, uint64_t *state, int64_t permits)
{
	if (*state & SEMAPHORE_CLOSED)
		return -EPIPE;
	if (free_of(*state) < permits || filch__line_first(&semaphore->line, state))
		return -EAGAIN;
	*state -= PERMITS(permits);
	return 0;
}

/* Whose turn it is, and there are permits for it. Arms of one select do not stand in each other's
 * way. */
static struct line_waiter *next_served(struct filch_line *line, uint64_t *state)
{
	struct line_waiter *first = filch__line_first(line, state), *next = first;

	while (next && LINE_VALUE(*state) < next->amount) {
		struct list *link = next->waiter.link.next;

		next = NULL;
		if (link != line_waiters(line))
			next = container_of(link, struct line_waiter, waiter.link);
		if (next && next->waiter.parker != first->waiter.parker)
			next = NULL;
	}
	return next;
}

/* Those at the head of the line, as far as the permits go. */
static uint64_t choose_served(struct filch_line *line, uint64_t state, struct line_batch *batch,
			      void *context)
{
	struct line_waiter *waiter;

	(void)context;
	while (!line_batch_is_full(batch) && (waiter = next_served(line, &state))) {
		uint64_t permits = waiter->amount;

		if (filch__line_take(line, &state, waiter, batch, 0))
			state -= PERMITS(permits);
	}
	return state;
}

static void describe(const void *object, char *text, size_t size)
{
	const struct filch_semaphore *semaphore = object;

	/* relaxed: nothing runs. */
	snprintf(text, size, "%lld permits are free",
		 (long long)free_of(word64_load_relaxed(&semaphore->line.state)));
}

static const struct waited waited_semaphore = { .name = "a semaphore", .describe = describe };

static int acquire_slowly(struct filch_semaphore *semaphore, int64_t permits, filch_time deadline)
{
	struct filch_line *line = &semaphore->line;
	struct line_waiter waiter = { .amount = (uint64_t)permits };
	uint64_t state = filch__line_guard(line);
	int status = take_guarded(semaphore, &state, permits);

	if (status != -EAGAIN) {
		line_unguard(line, state);
		return status;
	}
	status = filch__line_wait(line, &state, &waiter, &waited_semaphore, deadline);
	if (status == 0)
		return waiter.outcome;
	/* Those behind us may want less. */
	filch__line_serve(line, state, choose_served, NULL);
	return status;
}

static int check(const struct filch_semaphore *semaphore, int64_t permits)
{
	return !semaphore || permits < 0 || permits > most_of(semaphore) ? -EINVAL : 0;
}

int filch_semaphore_acquire_many_until(struct filch_semaphore *semaphore, int64_t permits,
				       filch_time deadline)
{
	int status = check(semaphore, permits);
	uint64_t state;

	if (status < 0)
		return status;
	/* relaxed: a hint. */
	state = word64_load_relaxed(&semaphore->line.state);
	status = filch__line_enter(state & LINE_FLAGS || free_of(state) < permits);
	if (status < 0 || take(semaphore, permits))
		return status;
	return acquire_slowly(semaphore, permits, deadline);
}

/* As the above without a call, when nothing is in the way. */
FILCH_NOINLINE int filch_semaphore_acquire_many(struct filch_semaphore *semaphore, int64_t permits)
{
	struct filch__task *task = line_enter_short();

	if (unlikely(!task || check(semaphore, permits) < 0 || !take(semaphore, permits)))
		return filch_semaphore_acquire_many_until(semaphore, permits, FILCH_NEVER);
	task->operations--;
	return 0;
}

FILCH_NOINLINE int filch_semaphore_acquire(struct filch_semaphore *semaphore)
{
	struct filch__task *task = line_enter_short();

	if (unlikely(!task || !semaphore || !take(semaphore, 1)))
		return filch_semaphore_acquire_many_until(semaphore, 1, FILCH_NEVER);
	task->operations--;
	return 0;
}

int filch_semaphore_acquire_until(struct filch_semaphore *semaphore, filch_time deadline)
{
	return filch_semaphore_acquire_many_until(semaphore, 1, deadline);
}

int filch_semaphore_try_acquire_many(struct filch_semaphore *semaphore, int64_t permits)
{
	int status = check(semaphore, permits);
	uint64_t state;

	if (status == 0)
		status = filch__line_enter_try();
	if (status < 0 || take(semaphore, permits))
		return status;
	state = filch__line_guard(&semaphore->line);
	status = take_guarded(semaphore, &state, permits);
	line_unguard(&semaphore->line, state);
	return status;
}

int filch_semaphore_try_acquire(struct filch_semaphore *semaphore)
{
	return filch_semaphore_try_acquire_many(semaphore, 1);
}

/* ---- Releasing ---- */

static FILCH_COLD int give_slowly(struct filch_semaphore *semaphore, int64_t permits)
{
	struct filch_line *line = &semaphore->line;
	uint64_t state = filch__line_guard_to_wake(line);

	if (permits > most_of(semaphore) - free_of(state)) {
		line_unguard(line, state);
		return -EOVERFLOW;
	}
	filch__line_serve(line, state + PERMITS(permits), choose_served, NULL);
	return 0;
}

int filch_semaphore_release_many(struct filch_semaphore *semaphore, int64_t permits)
{
	int status;

	if (!semaphore || permits < 0)
		return -EINVAL;
	status = give(semaphore, permits);
	return status == -EAGAIN ? give_slowly(semaphore, permits) : status;
}

FILCH_NOINLINE int filch_semaphore_release(struct filch_semaphore *semaphore)
{
	int status = semaphore ? give(semaphore, 1) : -EINVAL;

	return unlikely(status == -EAGAIN) ? give_slowly(semaphore, 1) : status;
}

/* ---- All else ---- */

int filch_semaphore_reduce(struct filch_semaphore *semaphore, int64_t permits, int64_t *taken)
{
	uint64_t state;

	if (!semaphore || permits < 0)
		return -EINVAL;
	/* To wake: what a release is giving out in batches is not free. */
	state = filch__line_guard_to_wake(&semaphore->line);
	if (permits > free_of(state))
		permits = free_of(state);
	line_unguard(&semaphore->line, state - PERMITS(permits));
	if (taken)
		*taken = permits;
	return 0;
}

int filch_semaphore_close(struct filch_semaphore *semaphore)
{
	int outcome = -EPIPE;
	uint64_t state;

	if (!semaphore)
		return -EINVAL;
	state = filch__line_guard_to_wake(&semaphore->line);
	if (state & SEMAPHORE_CLOSED) {
		line_unguard(&semaphore->line, state);
		return -EPIPE;
	}
	filch__line_serve(&semaphore->line, state | SEMAPHORE_CLOSED, filch__line_choose_all,
			  &outcome);
	return 0;
}

int filch_semaphore_init_bounded(struct filch_semaphore *semaphore, int64_t permits, int64_t bound)
{
	if (!semaphore || bound < 1 || bound > FILCH_SEMAPHORE_MAX || permits < 0 ||
	    permits > bound)
		return -EINVAL;
	*semaphore = (struct filch_semaphore)FILCH_SEMAPHORE_INIT(permits);
	semaphore->bound = bound;
	return 0;
}

int filch_semaphore_init(struct filch_semaphore *semaphore, int64_t permits)
{
	int status = filch_semaphore_init_bounded(semaphore, permits, FILCH_SEMAPHORE_MAX);

	if (status == 0)
		semaphore->bound = 0;
	return status;
}

int filch_semaphore_fini(struct filch_semaphore *semaphore)
{
	return semaphore ? filch__line_fini(&semaphore->line) : 0;
}

void filch_semaphore_get_statistics(struct filch_semaphore *semaphore,
				    struct filch_semaphore_statistics *statistics)
{
	struct filch_line *line = &semaphore->line;
	uint64_t state = filch__line_guard(line);
	bool queued = filch__line_first(line, &state) != NULL;

	*statistics = (struct filch_semaphore_statistics){
		.permits = free_of(state),
		.locked = queued || free_of(state) == 0 || state & SEMAPHORE_CLOSED,
		.closed = (state & SEMAPHORE_CLOSED) != 0,
		.waiting = line->waiting,
		.contended = line->tickets,
	};
	line_unguard(line, state);
}

/* ---- As an arm of a select ---- */

SELECT_ROOM_FITS(struct line_waiter);

static int arm_ready(struct filch_arm *arm)
{
	return filch_semaphore_try_acquire_many(arm->object, (int64_t)arm->number);
}

static bool arm_attach(struct filch_arm *arm)
{
	struct filch_semaphore *semaphore = arm->object;
	struct filch_line *line = &semaphore->line;
	struct line_waiter *waiter = arm_waiter(arm);
	uint64_t state = filch__line_guard(line);
	bool waits;

	waiter->amount = arm->number;
	waits = !(state & SEMAPHORE_CLOSED) &&
		(LINE_VALUE(state) < waiter->amount ||
		 list_has_other(line_waiters(line), waiter->waiter.parker));
	if (waits)
		state = filch__line_link(line, state, waiter);
	line_unguard(line, state);
	return waits;
}

static int arm_detach(struct filch_arm *arm)
{
	struct filch_semaphore *semaphore = arm->object;
	uint64_t state;
	int status = filch__line_detach(&semaphore->line, &state, arm_waiter(arm));

	/* Those behind us may want less. */
	filch__line_serve(&semaphore->line, state, choose_served, NULL);
	return status;
}

static const struct select_kind arm_kind = { arm_ready, arm_attach, arm_detach };

struct filch_arm filch_semaphore_arm(struct filch_semaphore *semaphore, int64_t permits)
{
	return (struct filch_arm){ .kind = &arm_kind,
				   .object = semaphore,
				   .number = (uint64_t)permits };
}
