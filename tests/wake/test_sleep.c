/* Sleeping, one-shot timers and intervals in a running runtime, and in plain threads. */
#include <criterion/criterion.h>
#include <errno.h>
#include <filch.h>
#include <pthread.h>
#include <sched.h>

#include "base/atomic.h"

static int run_workers(unsigned workers, filch_task_fn *fn, void *arg)
{
	struct filch_options options = { .size = sizeof(options), .workers = workers };

	return filch_run_with(&options, fn, arg);
}

/* ---- Sleep ---- */

static int sleep_some(void *arg)
{
	unsigned *early = arg;

	for (filch_time span = 1; span < 3 * FILCH_MILLISECOND; span = span * 3 + 1) {
		filch_time begin = filch_now();
		int status = filch_sleep(span);

		*early += status != 0 || filch_now() - begin < span;
	}
	return 0;
}

Test(sleep, is_never_early_in_a_thread)
{
	unsigned early = 0;

	sleep_some(&early);
	cr_assert_eq(early, 0);
}

Test(sleep, is_never_early_in_a_task, .timeout = 30)
{
	unsigned early = 0;

	cr_assert_eq(run_workers(2, sleep_some, &early), 0);
	cr_assert_eq(early, 0);
}

static int sleep_not_at_all(void *arg)
{
	unsigned *wrong = arg;
	filch_time begin = filch_now();

	*wrong += filch_sleep(0) != 0;
	*wrong += filch_sleep(-1) != 0;
	*wrong += filch_sleep(INT64_MIN) != 0;
	*wrong += filch_sleep_until(0) != 0;
	*wrong += filch_sleep_until(-5) != 0;
	*wrong += filch_sleep_until(begin) != 0;
	*wrong += filch_sleep_until(INT64_MIN) != 0;
	return 0;
}

Test(sleep, of_nothing_returns_at_once, .timeout = 30)
{
	unsigned wrong = 0;

	sleep_not_at_all(&wrong);
	cr_assert_eq(run_workers(1, sleep_not_at_all, &wrong), 0);
	cr_assert_eq(wrong, 0);
}

struct sleepers {
	filch_time span, begin;
	bool in_time; /* all slept before the first was due */
	char text[8];
	unsigned length; /* one worker: tasks take turns */
};

struct sleeper {
	struct sleepers *all;
	filch_time after;
	char letter;
};

static int sleep_and_sign(void *arg)
{
	struct sleeper *sleeper = arg;
	int status = filch_sleep_until(sleeper->all->begin + sleeper->after);

	sleeper->all->text[sleeper->all->length++] = sleeper->letter;
	return status;
}

static int sleep_in_turn(void *arg)
{
	struct sleepers *all = arg;
	struct sleeper each[4] = { { all, 3 * all->span, 'c' },
				   { all, all->span, 'a' },
				   { all, 4 * all->span, 'd' },
				   { all, 2 * all->span, 'b' } };
	struct filch_group group = { 0 };
	int status = filch_group_open(&group, NULL);

	all->begin = filch_now();
	for (unsigned i = 0; status == 0 && i < 4; i++)
		status = filch_group_spawn(&group, sleep_and_sign, &each[i]);
	filch_yield();
	all->in_time = filch_now() < all->begin + all->span;
	return status < 0 ? status : filch_group_close(&group);
}

/* Who comes too late to sleep is not one of an order: then again, with more time. */
static void expect_order(filch_task_fn *sleepers, const char *order)
{
	struct sleepers all = { .span = 5 * FILCH_MILLISECOND };

	do {
		all = (struct sleepers){ .span = 2 * all.span };
		cr_assert_lt(all.span, 20 * FILCH_SECOND);
		cr_assert_eq(run_workers(1, sleepers, &all), 0);
	} while (!all.in_time);
	cr_assert_str_eq(all.text, order);
}

Test(sleep, tasks_wake_in_order_of_their_deadlines, .timeout = 100)
{
	expect_order(sleep_in_turn, "abcd");
}

static int sleep_equally(void *arg)
{
	struct sleepers *all = arg;
	struct sleeper each[6];
	struct filch_group group = { 0 };
	int status = filch_group_open(&group, NULL);

	all->begin = filch_now();
	for (unsigned i = 0; status == 0 && i < 6; i++) {
		each[i] = (struct sleeper){ all, all->span, (char)('a' + i) };
		status = filch_group_spawn(&group, sleep_and_sign, &each[i]);
	}
	filch_yield(); /* oldest first; closing would begin with the newest */
	all->in_time = filch_now() < all->begin + all->span;
	return status < 0 ? status : filch_group_close(&group);
}

/* TM1 */
Test(sleep, tasks_of_equal_deadlines_wake_in_the_order_they_went_to_sleep, .timeout = 100)
{
	expect_order(sleep_equally, "abcdef");
}

static int sleep_for_ever(void *arg)
{
	int *status = arg;

	*status = filch_sleep(INT64_MAX);
	return 0;
}

static int cancel_sleepers(void *arg)
{
	int *statuses = arg;
	struct filch_group group = { 0 };

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, sleep_for_ever, &statuses[0]);
	filch_group_spawn(&group, sleep_for_ever, &statuses[1]);
	filch_sleep(5 * FILCH_MILLISECOND);
	filch_group_cancel(&group, 0);
	return filch_group_close(&group);
}

Test(sleep, beyond_the_end_of_time_ends_by_a_cancel, .timeout = 30)
{
	int statuses[2] = { 1, 1 };

	run_workers(2, cancel_sleepers, statuses);
	cr_assert_eq(statuses[0], -ECANCELED);
	cr_assert_eq(statuses[1], -ECANCELED);
}

/* ---- Timers ---- */

struct alarm {
	struct filch_timer timer;
	filch_time due;
	struct filch_word32 rang;
	struct filch_word32 early;
};

static void ring(void *arg)
{
	struct alarm *alarm = arg;

	/* release: pairs with the acquires in the tests. */
	word32_add_release(&alarm->early, filch_now() < alarm->due);
	/* release: as above. */
	word32_add_release(&alarm->rang, 1);
}

static int set_alarm(void *arg)
{
	struct alarm *alarm = arg;
	int status = filch_timer_init(&alarm->timer, NULL, ring, alarm);

	alarm->due = filch_now() + 5 * FILCH_MILLISECOND;
	if (status == 0)
		status = filch_timer_start(&alarm->timer, alarm->due);
	/* acquire: pairs with the release in ring. */
	while (status == 0 && word32_load_acquire(&alarm->rang) == 0)
		status = filch_sleep(FILCH_MILLISECOND);
	if (status == 0 && filch_timer_stop(&alarm->timer))
		status = -EBUSY; /* but it rang */
	filch_timer_fini(&alarm->timer);
	return status;
}

Test(timers, one_shot_rings_once_and_not_early, .timeout = 30)
{
	struct alarm alarm = { .due = 0 };

	cr_assert_eq(run_workers(2, set_alarm, &alarm), 0);
	/* acquire: pairs with the release in ring. */
	cr_assert_eq(word32_load_acquire(&alarm.rang), 1);
	/* acquire: as above. */
	cr_assert_eq(word32_load_acquire(&alarm.early), 0);
}

static int wait_for_stop(void *arg)
{
	(void)arg;
	return filch_sleep(INT64_MAX);
}

Test(timers, one_shot_started_by_a_thread_wakes_a_sleeping_runtime, .timeout = 30)
{
	struct filch_options options = { .size = sizeof(options), .workers = 2 };
	struct filch_runtime *runtime;
	struct alarm alarm = { .due = 0 };

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, wait_for_stop, NULL, NULL), 0);
	cr_assert_eq(filch_timer_init(&alarm.timer, runtime, ring, &alarm), 0);
	for (uint32_t round = 1; round <= 20; round++) {
		alarm.due = filch_now() + FILCH_MILLISECOND;
		cr_assert_eq(filch_timer_start(&alarm.timer, alarm.due), 0);
		/* acquire: pairs with the release in ring. */
		while (word32_load_acquire(&alarm.rang) < round)
			sched_yield();
		cr_assert(!filch_timer_stop(&alarm.timer));
	}
	/* acquire: pairs with the release in ring. */
	cr_assert_eq(word32_load_acquire(&alarm.early), 0);
	filch_timer_fini(&alarm.timer);
	filch_runtime_destroy(runtime);
}

#define PLAYERS 3
#define ROUNDS 1000

struct player {
	struct filch_timer timer;
	struct filch_runtime *runtime;
	pthread_t thread;
	unsigned runs; /* plain: the callback's until a stop has returned */
	unsigned wrong;
};

static void count(void *arg)
{
	((struct player *)arg)->runs++;
}

static int play(void *arg)
{
	struct player *player = arg;
	unsigned seed = (unsigned)(uintptr_t)player;

	filch_timer_init(&player->timer, player->runtime, count, player);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned before = player->runs;
		bool stopped;

		seed = seed * 1103515245u + 12345u;
		filch_timer_start(&player->timer, filch_now() + (seed >> 16 & 7) * 5000);
		if (seed >> 24 & 1)
			filch_sleep(20 * FILCH_MICROSECOND);
		stopped = filch_timer_stop(&player->timer);
		player->wrong += player->runs != before + !stopped;
	}
	filch_timer_fini(&player->timer);
	return 0;
}

static void *play_in_thread(void *arg)
{
	play(arg);
	return NULL;
}

/* TM2 */
Test(timers, no_run_is_seen_after_a_stop, .timeout = 60)
{
	struct filch_options options = { .size = sizeof(options), .workers = 2 };
	struct filch_runtime *runtime;
	static struct player players[2 * PLAYERS];
	struct filch_task *tasks[PLAYERS];

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	for (unsigned i = 0; i < PLAYERS; i++) {
		players[i].runtime = players[PLAYERS + i].runtime = runtime;
		pthread_create(&players[i].thread, NULL, play_in_thread, &players[i]);
		cr_assert_eq(filch_runtime_submit(runtime, NULL, play, &players[PLAYERS + i],
						  &tasks[i]),
			     0);
	}
	for (unsigned i = 0; i < PLAYERS; i++) {
		pthread_join(players[i].thread, NULL);
		filch_task_wait(tasks[i], NULL);
		filch_task_release(tasks[i]);
		cr_assert_eq(players[i].wrong, 0);
		cr_assert_eq(players[PLAYERS + i].wrong, 0);
	}
	filch_runtime_destroy(runtime);
}

/* ---- Intervals (TM4): the late ticks are made by a rhythm that began in the past ---- */

#define PERIOD (300 * FILCH_MILLISECOND)

Test(interval, checks_its_arguments)
{
	struct filch_interval interval = { 0 };

	cr_assert_eq(filch_interval_init(NULL, 0, 1, FILCH_INTERVAL_BURST), -EINVAL);
	cr_assert_eq(filch_interval_init(&interval, 0, 0, FILCH_INTERVAL_BURST), -EINVAL);
	cr_assert_eq(filch_interval_init(&interval, 0, -1, FILCH_INTERVAL_BURST), -EINVAL);
	cr_assert_eq(filch_interval_init(&interval, -1, 1, FILCH_INTERVAL_BURST), -EINVAL);
	cr_assert_eq(filch_interval_wait(NULL, NULL), -EINVAL);
	cr_assert_eq(filch_interval_wait(&interval, NULL), -EINVAL);
}

Test(interval, first_tick_is_at_once_and_the_next_a_period_later)
{
	struct filch_interval interval;
	filch_time begin = filch_now();
	filch_time first = 0, second = 0;

	cr_assert_eq(filch_interval_init(&interval, 0, 40 * FILCH_MILLISECOND, FILCH_INTERVAL_DELAY),
		     0);
	cr_assert_eq(filch_interval_wait(&interval, &first), 0);
	cr_assert(first >= begin && first <= filch_now());
	cr_assert_eq(filch_interval_wait(&interval, &second), 0);
	cr_assert_geq(filch_now() - begin, 40 * FILCH_MILLISECOND);
	cr_assert_geq(second - first, 40 * FILCH_MILLISECOND);
}

Test(interval, burst_makes_up_for_every_missed_tick)
{
	struct filch_interval interval;
	filch_time begin = filch_now() - 1000 * FILCH_MILLISECOND;
	filch_time due = 0;

	cr_assert_eq(filch_interval_init(&interval, begin, PERIOD, FILCH_INTERVAL_BURST), 0);
	for (filch_time tick = 0; tick < 4; tick++) {
		cr_assert_eq(filch_interval_wait(&interval, &due), 0);
		cr_assert_eq(due, begin + tick * PERIOD);
	}
	cr_assert_eq(interval.next, begin + 4 * PERIOD);
}

Test(interval, delay_begins_a_new_rhythm_at_the_late_tick)
{
	struct filch_interval interval;
	filch_time begin = filch_now() - 1000 * FILCH_MILLISECOND;
	filch_time before = filch_now();
	filch_time due = 0;

	cr_assert_eq(filch_interval_init(&interval, begin, PERIOD, FILCH_INTERVAL_DELAY), 0);
	cr_assert_eq(filch_interval_wait(&interval, &due), 0);
	cr_assert_eq(due, begin);
	cr_assert(interval.next >= before + PERIOD && interval.next <= filch_now() + PERIOD);
}

Test(interval, skip_goes_on_at_the_next_multiple)
{
	struct filch_interval interval;
	filch_time begin = filch_now() - 1000 * FILCH_MILLISECOND;
	filch_time before = filch_now();
	filch_time due = 0;

	cr_assert_eq(filch_interval_init(&interval, begin, PERIOD, FILCH_INTERVAL_SKIP), 0);
	cr_assert_eq(filch_interval_wait(&interval, &due), 0);
	cr_assert_eq(due, begin);
	cr_assert_eq((interval.next - begin) % PERIOD, 0);
	cr_assert(interval.next > before && interval.next <= filch_now() + PERIOD);
}

/* Somebody who stood still for a million periods. */
static filch_time next_after_long(enum filch_interval_policy policy, filch_time *begin)
{
	struct filch_interval interval;

	*begin = filch_now() - 1000000 * FILCH_MILLISECOND;
	cr_assert_eq(filch_interval_init(&interval, *begin, FILCH_MILLISECOND, policy), 0);
	cr_assert_eq(filch_interval_wait(&interval, NULL), 0);
	return interval.next;
}

/* TM5: there is nowhere to store ticks; all that is left of those missed is `next`. */
Test(interval, ticks_missed_by_a_stuck_consumer_are_not_stored)
{
	filch_time before = filch_now(), begin;

	cr_assert_gt(next_after_long(FILCH_INTERVAL_SKIP, &begin), before);
	cr_assert_gt(next_after_long(FILCH_INTERVAL_DELAY, &begin), before);
	cr_assert_eq(next_after_long(FILCH_INTERVAL_BURST, &begin), begin + FILCH_MILLISECOND);
}

Test(interval, period_beyond_the_end_of_time_does_not_overflow)
{
	struct filch_interval interval;

	for (int policy = FILCH_INTERVAL_BURST; policy <= FILCH_INTERVAL_SKIP; policy++) {
		cr_assert_eq(filch_interval_init(&interval, 1, INT64_MAX,
						 (enum filch_interval_policy)policy),
			     0);
		cr_assert_eq(filch_interval_wait(&interval, NULL), 0);
		cr_assert(interval.next == FILCH_NEVER);
	}
}

static int tick_for_ever(void *arg)
{
	struct filch_interval *interval = arg;

	while (filch_interval_wait(interval, NULL) == 0)
		;
	return 0;
}

static int cancel_rhythm(void *arg)
{
	struct filch_group group = { 0 };

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, tick_for_ever, arg);
	filch_sleep(5 * FILCH_MILLISECOND);
	filch_group_cancel(&group, 0);
	filch_group_close(&group);
	return 0;
}

Test(interval, is_ended_by_a_cancel, .timeout = 30)
{
	struct filch_interval interval;

	cr_assert_eq(filch_interval_init(&interval, 0, FILCH_MILLISECOND, FILCH_INTERVAL_SKIP), 0);
	cr_assert_eq(run_workers(2, cancel_rhythm, &interval), 0);
}
