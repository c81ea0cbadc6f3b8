/* The slot of a worker that computes: others take what waits in it (SC2). */
#include "sched/permits.h"

#include "base/atomic.h"
#include "platform/sanitizer.h"

#include <criterion/criterion.h>

#define PAIRS_MOST 8

struct pair {
	struct permits permits;
	struct filch_word32 ran;
	filch_time before; /* computed before the partner is woken: others fall asleep meanwhile */
};

struct pairs {
	struct pair pair[PAIRS_MOST];
	unsigned count, rounds;
};

static int be_woken(void *arg)
{
	struct pair *pair = arg;
	int status = permits_acquire(&pair->permits);

	/* release: pairs with the acquire in wake_and_compute. */
	word32_store_release(&pair->ran, 1);
	return status;
}

/* Wakes its partner, which then stands in this worker's slot, and computes until it has run: for
 * ever, when nobody takes it. */
static int wake_and_compute(void *arg)
{
	struct pair *pair = arg;

	compute(pair->before);
	permits_release(&pair->permits);
	/* acquire: pairs with the release in be_woken. */
	while (!word32_load_acquire(&pair->ran))
		;
	return 0;
}

static bool is_parked(struct pair *pair)
{
	bool parked;

	spin_acquire(&pair->permits.lock);
	parked = !list_is_empty(&pair->permits.waiters);
	spin_release(&pair->permits.lock);
	return parked;
}

static int round_of_pairs(struct pairs *pairs, filch_time before)
{
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (unsigned i = 0; i < pairs->count; i++) {
		pairs->pair[i] = (struct pair){ .before = before };
		filch_group_spawn(&group, be_woken, &pairs->pair[i]);
	}
	for (unsigned i = 0; i < pairs->count; i++) {
		while (!is_parked(&pairs->pair[i]))
			filch_yield();
	}
	for (unsigned i = 0; i < pairs->count; i++)
		filch_group_spawn(&group, wake_and_compute, &pairs->pair[i]);
	return filch_group_close(&group);
}

static int many_rounds(void *arg)
{
	struct pairs *pairs = arg;
	int status = 0;

	for (unsigned i = 0; i < pairs->rounds && status == 0; i++) {
		status = round_of_pairs(pairs, i % 3 * 500 * FILCH_MICROSECOND);
		if (i % 4 == 0)
			filch_sleep(FILCH_MILLISECOND); /* everybody falls asleep */
	}
	return status;
}

static void rescue(unsigned workers, unsigned count)
{
	struct pairs pairs = { .count = count, .rounds = sanitize_is_thread() ? 10 : 40 };

	cr_assert_eq(run_workers(workers, many_rounds, &pairs), 0);
}

/* SC2 */
Test(slot, who_waits_in_the_slot_of_a_computing_worker_is_taken, .timeout = 200)
{
	rescue(2, 1);
	rescue(3, 1);
	rescue(8, 1);
}

/* All workers but one compute, each with a full slot: the one that is left looks after all of them,
 * although each fiber that it takes calls it away from its watch. */
Test(slot, one_worker_that_is_free_looks_after_all_slots, .timeout = 200)
{
	rescue(3, 2);
	rescue(4, 3);
	rescue(8, 7);
}

/* ---- A worker whose steps were short, until now ---- */

struct brisk {
	struct permits there, back;
	struct pair pair;
	struct filch_word32 is_back;
	unsigned turns;
};

static int answer(void *arg)
{
	struct brisk *brisk = arg;
	int status = 0;

	for (unsigned i = 0; i < brisk->turns && status == 0; i++) {
		status = permits_acquire(&brisk->there);
		permits_release(&brisk->back);
	}
	return status;
}

/* Computes until who has yielded to it goes on. */
static int be_woken_and_compute(void *arg)
{
	struct brisk *brisk = arg;
	int status = permits_acquire(&brisk->pair.permits);

	/* acquire: pairs with the release in hurry_and_yield. */
	while (!word32_load_acquire(&brisk->is_back))
		;
	return status;
}

/* So many short steps that this worker keeps for itself what is ready: in the end, us. */
static int hurry_and_yield(void *arg)
{
	struct brisk *brisk = arg;
	int status = 0;

	for (unsigned i = 0; i < brisk->turns && status == 0; i++) {
		permits_release(&brisk->there);
		status = permits_acquire(&brisk->back);
	}
	permits_release(&brisk->pair.permits);
	filch_yield();
	/* release: pairs with the acquire in be_woken_and_compute. */
	word32_store_release(&brisk->is_back, 1);
	return status;
}

static int after_many_short_steps(void *arg)
{
	struct brisk brisk = { .turns = sanitize_is_thread() ? 200 : 2000 };
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, be_woken_and_compute, &brisk);
	while (!is_parked(&brisk.pair))
		filch_yield();
	filch_group_spawn(&group, answer, &brisk);
	filch_group_spawn(&group, hurry_and_yield, &brisk);
	return filch_group_close(&group);
}

/* SC2 */
Test(slot, what_a_brisk_worker_keeps_is_taken_when_it_computes, .timeout = 200)
{
	for (unsigned i = 0; i < 20; i++) {
		cr_assert_eq(run_workers(2, after_many_short_steps, NULL), 0);
		cr_assert_eq(run_workers(8, after_many_short_steps, NULL), 0);
	}
}
