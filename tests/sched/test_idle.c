/* Who sleeps, who keeps the time, whom a wake reaches; and that sleeping costs nothing. */
#include "sched/permits.h"

#include "base/atomic.h"
#include "platform/sanitizer.h"
#include "sched/worker.h"

#include <criterion/criterion.h>
#include <time.h>

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static struct filch_runtime *start(unsigned workers)
{
	struct filch_options options = { .size = sizeof(options), .workers = workers };
	struct filch_runtime *runtime;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	return runtime;
}

static struct scheduler *scheduler_of(struct filch_runtime *runtime)
{
	return (struct scheduler *)(void *)runtime;
}

struct census {
	unsigned sleepers, listed, searchers, keeper;
	bool kept;
};

static struct census count(struct filch_runtime *runtime)
{
	struct idle *idle = &scheduler_of(runtime)->idle;
	struct census census;
	uint32_t state;

	spin_acquire(&idle->lock);
	/* relaxed: sleepers change under the lock. */
	state = word32_load_relaxed(&idle->state);
	census.sleepers = idle_sleepers(state);
	census.searchers = idle_searchers(state);
	census.listed = idle->depth;
	/* relaxed: written under the lock. */
	census.kept = word64_load_relaxed(&idle->keeper) != 0;
	census.keeper = idle->keeper_index;
	spin_release(&idle->lock);
	return census;
}

/* Until all are asleep; then nobody is counted a searcher. */
static void expect_asleep(struct filch_runtime *runtime, unsigned workers)
{
	struct census census = { 0 };

	for (int i = 0; i < 10000; i++) {
		census = count(runtime);
		cr_assert_eq(census.sleepers, census.listed);
		if (census.sleepers == workers && census.searchers == 0)
			break;
		filch_sleep(FILCH_MILLISECOND);
	}
	cr_assert_eq(census.sleepers, workers);
	cr_assert_eq(census.searchers, 0);
}

/* Who is listed as a sleeper keeps the time a moment later. */
static void await_keeper(struct filch_runtime *runtime)
{
	while (!count(runtime).kept)
		filch_sleep(FILCH_MILLISECOND);
}

static uint64_t wakes_of(struct filch_runtime *runtime)
{
	struct filch_runtime_stats stats;

	filch_runtime_stats(runtime, &stats);
	return stats.wakes;
}

static const unsigned counts[] = { 1, 2, 3, 8, 64 };

#define EACH_COUNT(i) for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)

Test(idle, all_fall_asleep_and_are_counted, .timeout = 60)
{
	EACH_COUNT(i) {
		struct filch_runtime *runtime = start(counts[i]);

		for (unsigned k = 0; k < 20; k++) {
			expect_asleep(runtime, counts[i]);
			cr_assert_eq(filch_runtime_submit(runtime, NULL, nothing, NULL, NULL), 0);
		}
		expect_asleep(runtime, counts[i]);
		cr_assert_eq(filch_runtime_destroy(runtime), 0);
	}
}

/* One task is no reason for two to get up. */
Test(idle, one_task_wakes_one_worker, .timeout = 60)
{
	EACH_COUNT(i) {
		struct filch_runtime *runtime = start(counts[i]);
		uint64_t before;

		expect_asleep(runtime, counts[i]);
		before = wakes_of(runtime);
		for (unsigned k = 0; k < 20; k++) {
			cr_assert_eq(filch_runtime_submit(runtime, NULL, nothing, NULL, NULL), 0);
			expect_asleep(runtime, counts[i]);
		}
		/* Who is about to sleep when it comes may see it without having been woken. */
		cr_assert_leq(wakes_of(runtime) - before, 20);
		cr_assert_eq(filch_runtime_destroy(runtime), 0);
	}
}

static filch_time processor_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * FILCH_SECOND + used.tv_nsec;
}

static int sleep_long(void *arg)
{
	(void)arg;
	return filch_sleep(3600 * FILCH_SECOND);
}

Test(idle, an_idle_runtime_uses_no_processor_time, .timeout = 60)
{
	EACH_COUNT(i) {
		struct filch_runtime *runtime = start(counts[i]);
		filch_time before;

		/* Also with a timer far away and a task that waits for it. */
		cr_assert_eq(filch_runtime_submit(runtime, NULL, sleep_long, NULL, NULL), 0);
		filch_sleep(20 * FILCH_MILLISECOND);
		expect_asleep(runtime, counts[i]);
		before = processor_time();
		filch_sleep(300 * FILCH_MILLISECOND);
		cr_assert_lt(processor_time() - before, 5 * FILCH_MILLISECOND);
		cr_assert_eq(filch_runtime_destroy(runtime), 0);
	}
}

/* ---- The keeper of time ---- */

static void note_time(void *arg)
{
	/* release: pairs with the acquire in wait_for. */
	word64_store_release((struct filch_word64 *)arg, (uint64_t)filch_now());
}

static filch_time wait_for(struct filch_word64 *rang)
{
	uint64_t time;

	/* acquire: pairs with the release in note_time. */
	while ((time = word64_load_acquire(rang)) == 0)
		filch_sleep(100 * FILCH_MICROSECOND);
	return (filch_time)time;
}

/* Everybody sleeps, one of them until an hour from now: an earlier timer gets that one up. */
Test(idle, a_timer_that_comes_first_wakes_the_keeper_of_time, .timeout = 60)
{
	EACH_COUNT(i) {
		struct filch_runtime *runtime = start(counts[i]);
		struct filch_word64 rang = { 0 };
		struct filch_timer timer;

		cr_assert_eq(filch_runtime_submit(runtime, NULL, sleep_long, NULL, NULL), 0);
		cr_assert_eq(filch_timer_init(&timer, runtime, note_time, &rang), 0);
		for (unsigned k = 0; k < 20; k++) {
			filch_time deadline;

			filch_sleep(FILCH_MILLISECOND);
			expect_asleep(runtime, counts[i]);
			await_keeper(runtime);
			word64_store_relaxed(&rang, 0); /* relaxed: the timer is idle */
			deadline = filch_now() + FILCH_MILLISECOND;
			cr_assert_eq(filch_timer_start(&timer, deadline), 0);
			/* Nothing else wakes anybody for an hour. */
			cr_assert_geq(wait_for(&rang), deadline);
		}
		filch_timer_fini(&timer);
		cr_assert_eq(filch_runtime_destroy(runtime), 0);
	}
}

static int compute_long(void *arg)
{
	/* acquire: pairs with the release in the test. */
	while (!word32_load_acquire((struct filch_word32 *)arg))
		;
	return 0;
}

/* All compute but one: that one keeps the time of all, and stays the last whom work wakes. */
Test(idle, timers_of_workers_that_compute_are_fired_by_the_one_that_sleeps, .timeout = 60)
{
	for (unsigned workers = 2; workers <= 4; workers++) {
		struct filch_runtime *runtime = start(workers);
		struct filch_word32 stop = { 0 };
		struct filch_timer timers[8];
		struct filch_word64 rang[8] = { { 0 } };

		for (unsigned k = 1; k < workers; k++)
			cr_assert_eq(filch_runtime_submit(runtime, NULL, compute_long, &stop, NULL), 0);
		expect_asleep(runtime, 1);
		for (unsigned k = 0; k < 8; k++) {
			filch_timer_init(&timers[k], runtime, note_time, &rang[k]);
			cr_assert_eq(filch_timer_start(&timers[k], filch_now() + FILCH_MILLISECOND), 0);
		}
		for (unsigned k = 0; k < 8; k++) {
			wait_for(&rang[k]);
			filch_timer_fini(&timers[k]);
		}
		word32_store_release(&stop, 1); /* release: pairs with compute_long */
		cr_assert_eq(filch_runtime_destroy(runtime), 0);
	}
}

/* Work goes to another sleeper while there is one. */
Test(idle, the_keeper_of_time_is_the_last_to_be_woken_for_work, .timeout = 60)
{
	struct filch_runtime *runtime = start(3);
	struct filch_word32 stop = { 0 };
	unsigned keeper;

	cr_assert_eq(filch_runtime_submit(runtime, NULL, sleep_long, NULL, NULL), 0);
	filch_sleep(20 * FILCH_MILLISECOND);
	expect_asleep(runtime, 3);
	await_keeper(runtime);
	keeper = count(runtime).keeper;
	for (unsigned k = 1; k < 3; k++) {
		cr_assert_eq(filch_runtime_submit(runtime, NULL, compute_long, &stop, NULL), 0);
		filch_sleep(20 * FILCH_MILLISECOND);
		expect_asleep(runtime, 3 - k);
		await_keeper(runtime);
		cr_assert_eq(count(runtime).keeper, keeper);
	}
	word32_store_release(&stop, 1); /* release: pairs with compute_long */
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

/* ---- The bound on searchers ---- */

Test(idle, at_most_half_of_the_workers_search)
{
	struct scheduler scheduler = { .count = 4 };
	struct worker worker = { .scheduler = &scheduler };

	cr_assert(filch__idle_begin_search(&scheduler));
	cr_assert(filch__idle_begin_search(&scheduler));
	cr_assert(!filch__idle_begin_search(&scheduler));
	filch__idle_end_search(&worker);
	cr_assert(filch__idle_begin_search(&scheduler));
	scheduler.count = 1;
	cr_assert(!filch__idle_begin_search(&scheduler));
}
