/* A condition in simulation: a small store that producers fill and consumers empty. */
#include "sim/crew.h"

#define ROOM 2

static struct filch_lock lock;
static struct filch_condition filled, emptied;
static int stored, produced, consumed, producers, consumers, inside;

static void reset(void)
{
	memset(&lock, 0, sizeof(lock));
	memset(&filled, 0, sizeof(filled));
	memset(&emptied, 0, sizeof(emptied));
	stored = produced = consumed = inside = 0;
	producers = 2;
	consumers = 3;
}

static int wait_on(struct filch_condition *condition)
{
	int status;

	inside--;
	switch (seeds_pick(3)) {
	case 0:
		status = filch_condition_wait_until(condition, &lock, crew_soon());
		break;
	case 1:
		status = seeds_patient(
			filch_condition_wait_until(condition, &lock, seeds_patience()));
		break;
	default:
		status = filch_condition_wait(condition, &lock);
		break;
	}
	/* However it ended, the lock is ours. */
	seeds_check(inside++ == 0);
	return status;
}

/* Holding the lock: 1 one was put, 0 it is over. */
static int put(void)
{
	while (stored == ROOM && consumers > 0)
		if (wait_on(&emptied) == -ECANCELED)
			return 0;
	if (consumers == 0)
		return 0;
	stored++;
	produced++;
	seeds_check(filch_condition_notify(&filled, 1) == 0);
	return 1;
}

static int get(void)
{
	while (stored == 0 && producers > 0)
		if (wait_on(&filled) == -ECANCELED)
			return 0;
	if (stored == 0)
		return 0;
	stored--;
	consumed++;
	seeds_check(filch_condition_notify(&emptied, 1) == 0);
	return 1;
}

/* Though we are cancelled; again, when the cancel that is injected has hit the shield. */
static void acquire_always(void)
{
	int status;

	do {
		struct filch_token shield;

		filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
		filch_scope_enter(&shield);
		status = filch_lock_acquire(&lock);
		filch_scope_leave(&shield);
		filch_token_fini(&shield);
	} while (status < 0);
	seeds_check(inside++ == 0);
}

static void leave(int *count)
{
	acquire_always();
	--*count;
	seeds_check(filch_condition_notify_all(count == &producers ? &filled : &emptied) == 0);
	inside--;
	seeds_check(filch_lock_release(&lock) == 0);
}

static int work(struct player *self)
{
	bool produces = self->index < 2;
	int more = 1;

	for (int i = 0; more && (i < 4 || !produces); i++) {
		if (filch_lock_acquire(&lock) < 0)
			break;
		seeds_check(inside++ == 0);
		more = produces ? put() : get();
		inside--;
		seeds_check(filch_lock_release(&lock) == 0);
		crew_pause();
	}
	leave(produces ? &producers : &consumers);
	return 0;
}

static int workers(void *arg)
{
	int status = crew_run(5, work);

	(void)arg;
	seeds_check(produced == consumed + stored);
	seeds_check(inside == 0);
	seeds_check(filch_condition_fini(&filled) == 0);
	seeds_check(filch_condition_fini(&emptied) == 0);
	seeds_check(filch_lock_fini(&lock) == 0);
	return status;
}

Test(condition, every_wait_ends_with_the_lock_and_no_notify_is_lost, .timeout = 110)
{
	static const struct scenario scenario = { "condition", workers, reset, 0 };

	seeds_explore(&scenario, 16000);
}

/* ---- First in, first out ---- */

static int stand_in_line(struct player *self)
{
	int status = filch_lock_acquire(&lock);

	if (status < 0)
		return status;
	status = filch_condition_wait(&filled, &lock);
	if (status == 0)
		crew_note(self);
	seeds_check(filch_lock_release(&lock) == 0);
	return status;
}

static void notify_two(void)
{
	if (filch_lock_try_acquire(&lock) < 0)
		return;
	filch_condition_notify(&filled, 2);
	seeds_check(filch_lock_release(&lock) == 0);
}

static int line(void *arg)
{
	unsigned served;
	int status = crew_line(stand_in_line, notify_two, 2, &served);

	(void)arg;
	seeds_check(filch_condition_fini(&filled) == 0);
	seeds_check(filch_lock_fini(&lock) == 0);
	return status;
}

Test(condition, the_notified_get_the_lock_in_the_order_they_came, .timeout = 110)
{
	static const struct scenario scenario = { "condition's line", line, reset, 0 };

	seeds_explore(&scenario, 6000);
}
