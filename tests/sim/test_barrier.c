/* Barrier, latch and once in simulation: all meet, all is done, once. */
#include "sim/crew.h"

#define ROUNDS 3
#define PARTIES 3

static struct filch_barrier barrier;
static unsigned come[ROUNDS], gone[ROUNDS], indices[ROUNDS], acted;
static bool given_up;

static int act(void *arg)
{
	(void)arg;
	acted++;
	crew_pause();
	return 0;
}

static void reset_barrier(void)
{
	struct filch_barrier_options options = {
		.size = sizeof(options),
		.policy = seeds_pick(2) ? FILCH_BARRIER_BREAK : FILCH_BARRIER_LEAVE,
		.action = seeds_pick(2) ? act : NULL,
	};

	filch_barrier_init(&barrier, PARTIES, &options);
	memset(come, 0, sizeof(come));
	memset(gone, 0, sizeof(gone));
	memset(indices, 0, sizeof(indices));
	acted = 0;
	given_up = false;
}

static int meet(unsigned *index)
{
	switch (seeds_pick(4)) {
	case 0:
		return filch_barrier_wait_until(&barrier, index, crew_soon());
	case 1:
		return seeds_patient(filch_barrier_wait_until(&barrier, index, seeds_patience()));
	case 2:
		return filch_barrier_try_wait(&barrier, index);
	default:
		return filch_barrier_wait(&barrier, index);
	}
}

static int meet_always(struct player *self)
{
	(void)self;
	for (int round = 0; round < ROUNDS; round++) {
		unsigned index = PARTIES;
		int status;

		crew_pause();
		come[round]++;
		do {
			status = meet(&index);
			if (status == -EAGAIN)
				filch_yield();
		} while (!given_up && (status == -EAGAIN || status == -ETIMEDOUT));
		if (status < 0) {
			/* The others need not wait for us. */
			given_up = true;
			filch_barrier_abort(&barrier);
			return 0;
		}
		seeds_check(come[round] == PARTIES);
		seeds_check(index < PARTIES && !(indices[round] & 1u << index));
		indices[round] |= 1u << index;
		gone[round]++;
	}
	return 0;
}

static int meetings(void *arg)
{
	int status = crew_run(PARTIES, meet_always);

	(void)arg;
	for (int round = 0; round < ROUNDS; round++)
		seeds_check(gone[round] == 0 || come[round] == PARTIES);
	seeds_check(given_up || status < 0 || gone[ROUNDS - 1] == PARTIES);
	seeds_check(given_up || status < 0 || acted == 0 || acted == ROUNDS);
	seeds_check(filch_barrier_fini(&barrier) == 0);
	return status;
}

Test(barrier, nobody_passes_before_all_have_come_and_nobody_is_left_there, .timeout = 110)
{
	static const struct scenario scenario = { "barrier", meetings, reset_barrier, 0 };

	seeds_explore(&scenario, 14000);
}

/* ---- Latch ---- */

static struct filch_latch latch;
static unsigned done;

static void reset_latch(void)
{
	memset(&latch, 0, sizeof(latch));
	filch_latch_add(&latch, 3);
	done = 0;
}

static int do_or_wait(struct player *self)
{
	int status;

	if (self->index < 3) {
		crew_pause();
		done++;
		seeds_check(filch_latch_done(&latch, 1) == 0);
		return 0;
	}
	do
		status = seeds_pick(2) ? filch_latch_wait(&latch)
				       : filch_latch_wait_until(&latch, crew_soon());
	while (status == -ETIMEDOUT);
	seeds_check(status < 0 || done == 3);
	return status;
}

static int latched(void *arg)
{
	int status = crew_run(5, do_or_wait);

	(void)arg;
	seeds_check(status < 0 || filch_latch_try_wait(&latch) == 0);
	seeds_check(filch_latch_fini(&latch) == 0);
	return status;
}

Test(latch, who_waits_goes_on_when_all_is_done_and_not_before, .timeout = 110)
{
	static const struct scenario scenario = { "latch", latched, reset_latch, 0 };

	seeds_explore(&scenario, 8000);
}

/* ---- Once ---- */

static struct filch_once once;
static unsigned running, succeeded;

static void reset_once(void)
{
	memset(&once, 0, sizeof(once));
	running = succeeded = 0;
}

static int initialise(void *arg)
{
	int status = seeds_pick(3) ? 0 : -EIO;

	(void)arg;
	seeds_check(running++ == 0 && succeeded == 0);
	crew_pause();
	if (filch_checkpoint() < 0)
		status = -ECANCELED;
	succeeded += status == 0;
	running--;
	return status;
}

static int initialise_once(void)
{
	switch (seeds_pick(4)) {
	case 0:
		return filch_once_run_until(&once, initialise, NULL, crew_soon());
	case 1:
		return seeds_patient(
			filch_once_run_until(&once, initialise, NULL, seeds_patience()));
	case 2:
		return filch_once_try_run(&once, initialise, NULL);
	default:
		return filch_once_run(&once, initialise, NULL);
	}
}

static int use(struct player *self)
{
	(void)self;
	for (int i = 0; i < 2; i++) {
		int status = initialise_once();

		if (status == -ECANCELED)
			return status;
		seeds_check(status < 0 || succeeded == 1);
	}
	return 0;
}

static int initialised(void *arg)
{
	struct filch_once_statistics statistics;
	int status = crew_run(5, use);

	(void)arg;
	filch_once_get_statistics(&once, &statistics);
	seeds_check(running == 0 && succeeded <= 1);
	seeds_check(statistics.done == (succeeded == 1));
	seeds_check(!statistics.running && statistics.waiting == 0);
	seeds_check(filch_once_fini(&once) == 0);
	return status;
}

Test(once, one_at_a_time_tries_until_one_succeeds, .timeout = 110)
{
	static const struct scenario scenario = { "once", initialised, reset_once, 0 };

	seeds_explore(&scenario, 12000);
}
