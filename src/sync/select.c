/* Select: polls, then waits in the lists of all arms with one park word. */
#include "sync/select.h"

#include "platform/clock.h"
#include "sched/worker.h"

#include <errno.h>
#include <filch/token.h>

/* ---- The arms that are of no other room: a point in time, a token ---- */

static int timer_ready(struct filch_arm *arm)
{
	return (filch_time)arm->number <= filch__clock_now() ? 0 : -EAGAIN;
}

/* The deadline of the wait stands for it. */
static bool timer_attach(struct filch_arm *arm)
{
	(void)arm;
	return true;
}

static int timer_detach(struct filch_arm *arm)
{
	(void)arm;
	return -EAGAIN;
}

static const struct select_kind timer_kind = { timer_ready, timer_attach, timer_detach };

struct filch_arm filch_timer_arm(filch_time deadline)
{
	return (struct filch_arm){
		.kind = &timer_kind,
		.object = (void *)(uintptr_t)&timer_kind,
		.number = (uint64_t)deadline,
	};
}

struct token_arm {
	struct waiter waiter;
	struct filch_token_callback callback;
};

SELECT_ROOM_FITS(struct token_arm);

/* Not under a lock: the detaching waits for its end. */
static void token_cancelled(void *argument)
{
	waiter_grant(argument);
}

static int token_ready(struct filch_arm *arm)
{
	return filch_token_is_cancelled(arm->object) ? 0 : -EAGAIN;
}

static bool token_attach(struct filch_arm *arm)
{
	struct token_arm *own = arm_waiter(arm);

	/* Cancelled already: the callback runs at once, and the wait is over before it begins. */
	filch_token_add_callback(arm->object, &own->callback, token_cancelled, &own->waiter);
	return true;
}

static int token_detach(struct filch_arm *arm)
{
	struct token_arm *own = arm_waiter(arm);

	filch_token_remove_callback(&own->callback);
	return own->waiter.outcome == PARK_UNDECIDED ? -EAGAIN : 0;
}

static const struct select_kind token_kind = { token_ready, token_attach, token_detach };

struct filch_arm filch_token_arm(struct filch_token *token)
{
	return (struct filch_arm){ .kind = &token_kind, .object = token };
}

/* ---- In which order ---- */

static _Thread_local uint64_t thread_random;

/* Noinline: not cached over a park. */
static FILCH_NOINLINE uint64_t *random_of_caller(void)
{
	struct fiber *self = filch__fiber_self();

	compiler_barrier();
	if (self)
		return &self->worker->random;
	if (thread_random == 0)
		thread_random = (filch__clock_ticks() ^ (uintptr_t)&thread_random) | 1;
	return &thread_random;
}

static uint32_t random_below(uint64_t *random, uint32_t limit)
{
	uint64_t x = *random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*random = x;
	return (uint32_t)(((x * UINT64_C(0x2545f4914f6cdd1d)) >> 32) * limit >> 32);
}

/* Neither disabled nor of nothing. */
static bool takes_part(const struct filch_arm *arm)
{
	return !arm->disabled && arm->kind && arm->object;
}

/* arms[k].order is from now on the index of the k-th that takes part; returns how many do. */
static uint32_t choose_order(struct filch_arm *arms, size_t count, unsigned flags)
{
	uint64_t *random = random_of_caller();
	uint32_t live = 0;

	for (size_t i = 0; i < count; i++)
		if (takes_part(&arms[i]))
			arms[live++].order = (uint32_t)i;
	if (flags & FILCH_SELECT_ORDERED)
		return live;
	for (uint32_t k = 0; k + 1 < live; k++) {
		uint32_t other = k + random_below(random, live - k);
		uint32_t order = arms[k].order;

		arms[k].order = arms[other].order;
		arms[other].order = order;
	}
	return live;
}

/* ---- The select ---- */

struct selection {
	struct filch_arm *arms;
	uint32_t live;	   /* arms that take part, in arms[].order */
	uint32_t attached; /* the first of them */
	filch_time deadline;
	struct filch_arm *timer; /* due first */
	struct filch_arm *fired;
	struct waiter waiter;
};

static struct filch_arm *nth(const struct selection *selection, uint32_t k)
{
	return &selection->arms[selection->arms[k].order];
}

static bool poll_arms(struct selection *selection)
{
	for (uint32_t k = 0; k < selection->live; k++) {
		struct filch_arm *arm = nth(selection, k);

		arm->status = ((const struct select_kind *)arm->kind)->ready(arm);
		if (arm->status != -EAGAIN) {
			selection->fired = arm;
			return true;
		}
	}
	return false;
}

/* False: one could be had now. */
static bool attach_all(struct selection *selection)
{
	static const struct waited any = { .name = "any of a select's arms" };
	uint32_t *k = &selection->attached;

	filch__waiter_begin(&selection->waiter);
	waiter_says(&selection->waiter, &any, NULL);
	for (*k = 0; *k < selection->live; ++*k) {
		struct filch_arm *arm = nth(selection, *k);

		*(struct waiter *)arm_waiter(arm) = selection->waiter;
		if (!((const struct select_kind *)arm->kind)->attach(arm))
			return false;
	}
	return true;
}

static void detach_all(struct selection *selection)
{
	for (uint32_t k = 0; k < selection->attached; k++) {
		struct filch_arm *arm = nth(selection, k);
		int status = ((const struct select_kind *)arm->kind)->detach(arm);

		if (status != -EAGAIN) {
			arm->status = status;
			selection->fired = arm;
		}
	}
}

/* Ends the wait without parking, unless an arm has been granted already. */
static void give_up(struct waiter *waiter)
{
	filch__unpark(waiter->parker, waiter->epoch, PARK_CLOSED);
	filch__park(waiter->parker, waiter->epoch, FILCH_NEVER);
}

static void find_timer(struct selection *selection)
{
	for (uint32_t k = 0; k < selection->live; k++) {
		struct filch_arm *arm = nth(selection, k);

		if (arm->kind == &timer_kind && (filch_time)arm->number < selection->deadline) {
			selection->deadline = (filch_time)arm->number;
			selection->timer = arm;
		}
	}
}

/* One round: 0 when an arm has fired, -EAGAIN to begin again, or the error. */
static int wait_once(struct selection *selection)
{
	int status = -EAGAIN;

	if (attach_all(selection)) {
		if (selection->deadline > 0 && (selection->deadline == FILCH_NEVER ||
						selection->deadline > filch__clock_now())) {
			status = filch__waiter_wait(&selection->waiter, selection->deadline);
		} else {
			give_up(&selection->waiter);
			status = -ETIMEDOUT;
		}
	} else {
		give_up(&selection->waiter);
	}
	detach_all(selection);
	if (!selection->fired && status == -ETIMEDOUT && selection->timer) {
		selection->fired = selection->timer;
		selection->fired->status = 0;
	}
	/* Woken for an arm that did not fire after all. */
	return selection->fired ? 0 : status == 0 ? -EAGAIN : status;
}

static int run(struct filch_arm *arms, size_t count, unsigned flags, size_t *index,
	       filch_time deadline)
{
	struct selection selection = { .arms = arms, .deadline = deadline };
	int status = -EAGAIN;

	selection.live = choose_order(arms, count, flags);
	if (poll_arms(&selection))
		status = 0;
	else if (deadline > 0)
		find_timer(&selection);
	else if (selection.live <= 1)
		return -ETIMEDOUT; /* one look is an instant */
	while (status == -EAGAIN) {
		status = wait_once(&selection);
		/* Another order each time: two that disturb each other part. */
		if (status == -EAGAIN) {
			selection.live = choose_order(arms, count, flags);
			status = poll_arms(&selection) ? 0 : -EAGAIN;
		}
	}
	if (status == 0 && index)
		*index = (size_t)(selection.fired - arms);
	return status;
}

static int check(const struct filch_arm *arms, size_t count)
{
	if (count > UINT32_MAX || (!arms && count > 0))
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		if (!arms[i].disabled)
			return 0;
	return count > 0 ? -EINVAL : 0;
}

int filch_select_wait_until(struct filch_arm *arms, size_t count, unsigned flags, size_t *index,
			    filch_time deadline)
{
	int status = check(arms, count);

	if (status == 0)
		status = filch__wait_enter();
	return status < 0 ? status : run(arms, count, flags, index, deadline);
}

int filch_select_wait(struct filch_arm *arms, size_t count, unsigned flags, size_t *index)
{
	return filch_select_wait_until(arms, count, flags, index, FILCH_NEVER);
}

int filch_select_try_wait(struct filch_arm *arms, size_t count, unsigned flags, size_t *index)
{
	int status = check(arms, count);

	if (status == 0)
		status = run(arms, count, flags, index, 0);
	return status == -ETIMEDOUT ? -EAGAIN : status;
}
