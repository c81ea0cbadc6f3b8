/* A seed is a run: the same one again, other ones otherwise. */
#include "sim/seeds.h"

#include <filch.h>
#include <string.h>

static char order[64];

static int note(void *arg)
{
	strncat(order, arg, 1);
	return 0;
}

static int note_after_a_yield(void *arg)
{
	filch_yield();
	return note(arg);
}

static int note_after_a_second(void *arg)
{
	filch_sleep(FILCH_SECOND);
	return note(arg);
}

static int spawns(filch_task_fn *fn)
{
	static char names[] = "abcdef";
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (int i = 0; i < 6; i++)
		filch_group_spawn(&group, fn, names + i);
	return filch_group_close(&group);
}

static int ready_ones(void *arg)
{
	(void)arg;
	return spawns(note_after_a_yield);
}

static int sleeping_ones(void *arg)
{
	(void)arg;
	return spawns(note_after_a_second);
}

static void ring(void *arg)
{
	note(arg);
}

static int equal_timers(void *arg)
{
	static char names[] = "abcdef";
	struct filch_timer timers[6];
	filch_time deadline = filch_now() + FILCH_SECOND;

	(void)arg;
	for (int i = 0; i < 6; i++) {
		filch_timer_init(&timers[i], NULL, ring, names + i);
		filch_timer_start(&timers[i], deadline);
	}
	filch_sleep_until(deadline + 1);
	for (int i = 0; i < 6; i++)
		filch_timer_fini(&timers[i]);
	return 0;
}

static uint64_t run(filch_task_fn *fn, uint64_t seed, unsigned workers,
		    enum filch_simulation_strategy strategy)
{
	struct filch_simulation_result result = { .size = sizeof(result) };
	struct filch_simulation_options options = { .size = sizeof(options),
						    .seed = seed,
						    .workers = workers,
						    .strategy = strategy,
						    .result = &result };

	order[0] = '\0';
	cr_expect_eq(filch_simulate(&options, fn, NULL), 0);
	cr_expect_eq(strlen(order), 6);
	return result.hash;
}

/* How many different orders that many seeds bring. */
static unsigned orders(filch_task_fn *fn, unsigned workers, unsigned seeds)
{
	static char seen[100][64];
	unsigned count = 0;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		unsigned i = 0;

		run(fn, seed, workers, FILCH_SIMULATE_UNIFORM);
		while (i < count && strcmp(seen[i], order) != 0)
			i++;
		if (i == count)
			strcpy(seen[count++], order);
	}
	return count;
}

static filch_task_fn *const scenarios[] = { ready_ones, sleeping_ones, equal_timers };

/* VT5 */
Test(seed, the_same_seed_is_the_same_trace)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		filch_task_fn *fn = scenarios[seed % 3];
		unsigned workers = 1 + (unsigned)(seed % 5);
		enum filch_simulation_strategy strategy =
			seed & 1 ? FILCH_SIMULATE_PCT : FILCH_SIMULATE_UNIFORM;
		uint64_t hash = run(fn, seed, workers, strategy);
		char first[64];

		strcpy(first, order);
		cr_assert_eq(run(fn, seed, workers, strategy), hash);
		cr_assert_str_eq(order, first);
		cr_assert_neq(run(fn, seed + 1000, workers, strategy), hash);
	}
}

/* VT5 */
Test(seed, the_order_of_the_ready_and_of_equal_timers_is_drawn)
{
	/* ThreadSanitizer makes each stack dear. */
	unsigned seeds = sanitize_is_thread() ? 20 : 100;

	for (unsigned workers = 1; workers <= 3; workers++) {
		cr_expect_gt(orders(ready_ones, workers, seeds), seeds / 5);
		cr_expect_gt(orders(sleeping_ones, workers, seeds), seeds / 5);
		cr_expect_gt(orders(equal_timers, workers, seeds), seeds / 5);
	}
}

static uint64_t lines;
static char last[200];

static void count_line(const char *line, void *context)
{
	(void)context;
	lines++;
	snprintf(last, sizeof(last), "%s", line);
}

static int for_ever(void *arg)
{
	(void)arg;
	while (filch_yield() == 0)
		;
	return 0;
}

static void nothing_to_say(const char *line, void *context)
{
	(void)line;
	(void)context;
}

/* VT5 */
Test(seed, the_trace_does_not_depend_on_an_abandoned_simulation_before_it)
{
	uint64_t before = run(ready_ones, 7, 3, FILCH_SIMULATE_UNIFORM);
	struct filch_simulation_options options = { .size = sizeof(options),
						    .max_choices = 1000,
						    .report = nothing_to_say };

	cr_expect_eq(filch_simulate(&options, for_ever, NULL), -ETIMEDOUT);
	cr_expect_eq(run(ready_ones, 7, 3, FILCH_SIMULATE_UNIFORM), before);
}

Test(seed, the_trace_is_to_be_had_in_full_and_changes_nothing)
{
	struct filch_simulation_result result = { .size = sizeof(result) };
	struct filch_simulation_options options = { .size = sizeof(options),
						    .seed = 5,
						    .workers = 3,
						    .trace = count_line,
						    .result = &result };
	uint64_t hash;

	order[0] = '\0';
	cr_assert_eq(filch_simulate(&options, sleeping_ones, NULL), 0);
	hash = result.hash;
	cr_expect_gt(lines, 100);
	cr_expect(strstr(last, "filch-") || strstr(last, "of"), "%s", last);
	options.trace = NULL;
	cr_assert_eq(filch_simulate(&options, sleeping_ones, NULL), 0);
	cr_expect_eq(result.hash, hash);
}

static int yields_first, others_ready;

static int counts(void *arg)
{
	(void)arg;
	others_ready++;
	return 0;
}

static int wakes_and_yields(void *arg)
{
	struct filch_group group;

	(void)arg;
	others_ready = 0;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 5; i++)
		filch_group_spawn(&group, counts, NULL);
	filch_yield();
	yields_first += others_ready != 5;
	return filch_group_close(&group);
}

Test(seed, a_yield_still_lets_all_go_first_that_were_ready)
{
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct filch_simulation_options options = { .size = sizeof(options),
							    .seed = seed,
							    .workers = 1 };

		cr_assert_eq(filch_simulate(&options, wakes_and_yields, NULL), 0);
	}
	cr_expect_eq(yields_first, 0);
}
