/* A semaphore in simulation: permits are conserved, served in order, none is waited for in vain. */
#include "sim/crew.h"

#define PERMITS 3

static struct filch_semaphore semaphore;
static int held;

static void reset(void)
{
	filch_semaphore_init(&semaphore, PERMITS);
	held = 0;
}

static int acquire(unsigned permits)
{
	switch (seeds_pick(4)) {
	case 0:
		return seeds_patient(
			filch_semaphore_acquire_many_until(&semaphore, permits, seeds_patience()));
	case 1:
		return filch_semaphore_acquire_many_until(&semaphore, permits, crew_soon());
	case 2:
		return filch_semaphore_try_acquire_many(&semaphore, permits);
	default:
		return filch_semaphore_acquire_many(&semaphore, permits);
	}
}

static int borrow(struct player *self)
{
	(void)self;
	for (int i = 0; i < 3; i++) {
		unsigned permits = 1 + seeds_pick(PERMITS);
		int status = acquire(permits);

		if (status == -ECANCELED || status == -EPIPE)
			return 0;
		seeds_check(status == 0 || status == -EAGAIN || status == -ETIMEDOUT ||
			    status == -ENOMEM);
		if (status < 0)
			continue;
		held += (int)permits;
		seeds_check(held <= PERMITS);
		crew_pause();
		held -= (int)permits;
		seeds_check(filch_semaphore_release_many(&semaphore, permits) == 0);
	}
	return 0;
}

static void check_all_back(void)
{
	struct filch_semaphore_statistics statistics;

	filch_semaphore_get_statistics(&semaphore, &statistics);
	seeds_check(held == 0);
	seeds_check(statistics.permits == PERMITS);
	seeds_check(statistics.waiting == 0);
	seeds_check(filch_semaphore_fini(&semaphore) == 0);
}

static int borrowers(void *arg)
{
	int status = crew_run(5, borrow);

	(void)arg;
	check_all_back();
	return status;
}

Test(semaphore, permits_are_conserved_and_nobody_waits_for_those_that_are_there, .timeout = 110)
{
	static const struct scenario scenario = { "semaphore", borrowers, reset, 0 };

	seeds_explore(&scenario, 16000);
}

/* ---- Closed meanwhile ---- */

static int borrow_or_close(struct player *self)
{
	if (self->index > 0)
		return borrow(self);
	crew_pause();
	filch_yield();
	filch_semaphore_close(&semaphore);
	seeds_check(filch_semaphore_acquire(&semaphore) < 0);
	return 0;
}

static int closed(void *arg)
{
	int status = crew_run(5, borrow_or_close);

	(void)arg;
	check_all_back();
	return status;
}

Test(semaphore, closing_it_leaves_nobody_waiting, .timeout = 110)
{
	static const struct scenario scenario = { "closed semaphore", closed, reset, 0 };

	seeds_explore(&scenario, 8000);
}

/* ---- First in, first out ---- */

static void reset_empty(void)
{
	filch_semaphore_init(&semaphore, 0);
}

static int stand_in_line(struct player *self)
{
	int status = filch_semaphore_acquire(&semaphore);

	if (status == 0)
		crew_note(self);
	return status;
}

static void release_one(void)
{
	seeds_check(filch_semaphore_release(&semaphore) == 0);
}

static int line(void *arg)
{
	struct filch_semaphore_statistics statistics;
	unsigned served;
	int status = crew_line(stand_in_line, release_one, 5, &served);

	(void)arg;
	filch_semaphore_get_statistics(&semaphore, &statistics);
	seeds_check(statistics.waiting == 0);
	seeds_check(status < 0 || served + statistics.permits == 5);
	return status;
}

Test(semaphore, who_waits_is_served_in_order_and_a_cancel_takes_no_permit_along, .timeout = 110)
{
	static const struct scenario scenario = { "semaphore's line", line, reset_empty, 0 };

	seeds_explore(&scenario, 8000);
}
