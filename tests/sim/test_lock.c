/* A lock in simulation: one owner, no waiter left behind, handed over in order, broken by its end.
 */
#include "sim/crew.h"

static struct filch_lock lock;
static int inside;

static void reset(void)
{
	memset(&lock, 0, sizeof(lock));
	inside = 0;
}

static int acquire(void)
{
	switch (seeds_pick(4)) {
	case 0:
		return seeds_patient(filch_lock_acquire_until(&lock, seeds_patience()));
	case 1:
		return filch_lock_acquire_until(&lock, crew_soon());
	case 2:
		return filch_lock_try_acquire(&lock);
	default:
		return filch_lock_acquire(&lock);
	}
}

static void be_inside(void)
{
	seeds_check(inside++ == 0);
	crew_pause();
	seeds_check(--inside == 0);
}

static int guard(struct player *self)
{
	(void)self;
	for (int i = 0; i < 3; i++) {
		int status = acquire();

		if (status == -ECANCELED)
			return status;
		seeds_check(status == 0 || status == -EAGAIN || status == -ETIMEDOUT ||
			    status == -ENOMEM);
		if (status < 0)
			continue;
		be_inside();
		seeds_check(filch_lock_release(&lock) == 0);
	}
	return 0;
}

static void check_free(void)
{
	struct filch_lock_statistics statistics;

	filch_lock_get_statistics(&lock, &statistics);
	seeds_check(inside == 0);
	seeds_check(!statistics.locked && !statistics.broken && statistics.waiting == 0);
	seeds_check(filch_lock_fini(&lock) == 0);
}

static int guards(void *arg)
{
	int status = crew_run(5, guard);

	(void)arg;
	check_free();
	return status;
}

Test(lock, it_has_one_owner_and_nobody_waits_for_a_free_one, .timeout = 110)
{
	static const struct scenario scenario = { "lock", guards, reset, 0 };

	seeds_explore(&scenario, 16000);
}

/* ---- Its owner ends ---- */

static int end_inside(struct player *self)
{
	(void)self;
	for (int i = 0; i < 3; i++) {
		int status = acquire();

		if (status == -ECANCELED)
			return status;
		if (status == -EOWNERDEAD)
			filch_lock_repair(&lock);
		if (status < 0)
			continue;
		be_inside();
		if (seeds_pick(4) == 0)
			return 0;
		seeds_check(filch_lock_release(&lock) == 0);
	}
	return 0;
}

static int broken(void *arg)
{
	int status = crew_run(5, end_inside);

	(void)arg;
	filch_lock_repair(&lock);
	check_free();
	return status;
}

Test(lock, who_waits_for_a_lock_whose_owner_has_ended_is_told, .timeout = 110)
{
	static const struct scenario scenario = { "broken lock", broken, reset, 0 };

	seeds_explore(&scenario, 10000);
}

/* ---- First in, first out ---- */

static int stand_in_line(struct player *self)
{
	int status = filch_lock_acquire(&lock);

	if (status < 0)
		return status;
	crew_note(self);
	seeds_check(filch_lock_release(&lock) == 0);
	return 0;
}

static void release(void)
{
	seeds_check(filch_lock_release(&lock) == 0);
}

static int line(void *arg)
{
	unsigned served;
	int status = filch_lock_acquire(&lock);

	(void)arg;
	if (status < 0)
		return status;
	status = crew_line(stand_in_line, release, 1, &served);
	if (status < 0)
		filch_lock_release(&lock);
	check_free();
	return status;
}

Test(lock, it_passes_from_one_who_waits_to_the_next, .timeout = 110)
{
	static const struct scenario scenario = { "lock's line", line, reset, 0 };

	seeds_explore(&scenario, 6000);
}
