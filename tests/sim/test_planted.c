/* Three bugs, planted one at a time: each is found, and found again by its seed. */
#include "base/planted.h"
#include "sim/crew.h"

#define SEEDS_MOST 10000
#define PERMITS 2

enum planted filch__planted;

/* ---- What they are looked for with ---- */

static struct filch_semaphore semaphore;
static int held;

static void reset_semaphore(void)
{
	filch_semaphore_init(&semaphore, PERMITS);
	held = 0;
}

static int borrow(struct player *self)
{
	(void)self;
	for (int i = 0; i < 3; i++) {
		int status = filch_semaphore_acquire(&semaphore);

		if (status < 0)
			return status;
		seeds_check(++held <= PERMITS);
		crew_pause();
		held--;
		filch_semaphore_release(&semaphore);
	}
	return 0;
}

static int borrowers(void *arg)
{
	struct filch_semaphore_statistics statistics;
	int status = crew_run(5, borrow);

	(void)arg;
	filch_semaphore_get_statistics(&semaphore, &statistics);
	seeds_check(statistics.permits == PERMITS);
	return status;
}

static struct filch_event bell;

static void reset_bell(void)
{
	memset(&bell, 0, sizeof(bell));
}

static int listen(void *arg)
{
	(void)arg;
	return filch_event_wait(&bell);
}

/* Those who listen come back to the worker they began on. */
static int ring(void *arg)
{
	struct filch_task_options options = { .size = sizeof(options), .sticky = true };
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 3; i++)
		filch_group_spawn_with(&group, &options, listen, NULL, NULL);
	filch_yield();
	filch_event_set(&bell);
	return filch_group_close(&group);
}

/* ---- Looking ---- */

static uint64_t find(const struct scenario *scenario)
{
	for (uint64_t seed = 1; seed <= SEEDS_MOST; seed++) {
		struct filch_simulation_options options = seeds_options(scenario, seed);
		struct filch_simulation_result result;

		if (!seeds_run(scenario, &options, &result))
			return seed;
	}
	return 0;
}

static void is_found(const struct scenario *scenario, enum planted bug)
{
	struct filch_simulation_result first, again;
	struct filch_simulation_options options;
	const char *violated;
	uint64_t seed;

	filch__planted = bug;
	seed = find(scenario);
	cr_assert_neq(seed, 0);
	options = seeds_options(scenario, seed);
	cr_expect(!seeds_run(scenario, &options, &first));
	seeds_tell(scenario, &options);
	violated = seeds_violated;
	cr_expect(!seeds_run(scenario, &options, &again));
	cr_expect_eq(first.hash, again.hash);
	cr_expect_eq(first.choices, again.choices);
	cr_expect_str_eq(violated, seeds_violated);
	filch__planted = PLANTED_NOTHING;
	cr_expect(seeds_run(scenario, &options, &again));
}

Test(planted, a_grant_that_a_cancel_loses_is_found, .timeout = 110)
{
	static const struct scenario scenario = { "lost grant", borrowers, reset_semaphore, 0 };

	is_found(&scenario, PLANTED_LOST_GRANT);
}

Test(planted, a_permit_that_is_given_twice_is_found, .timeout = 110)
{
	static const struct scenario scenario = { "double grant", borrowers, reset_semaphore, 0 };

	is_found(&scenario, PLANTED_DOUBLE_GRANT);
}

Test(planted, a_worker_that_sleeps_without_a_last_look_is_found, .timeout = 110)
{
	static const struct scenario scenario = { "missed wakeup", ring, reset_bell, 0 };

	is_found(&scenario, PLANTED_MISSED_WAKEUP);
}
