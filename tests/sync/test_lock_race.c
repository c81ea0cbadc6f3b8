/* The lock under load: tasks of two runtimes and threads, cancels and timeouts at any time, frees.
 */
#include "sync/crew.h"

#include "platform/sanitizer.h"

#include <filch/lock.h>

/* ---- Counting (LK22, LK21, G13) ---- */

struct counter {
	struct filch_lock lock;
	uint64_t count;
	int rounds;
};

static struct counter counter; /* all-zero, used before any runtime */

static int count_in_turns(void *arg)
{
	struct counter *counted = arg;

	for (int i = 0; i < counted->rounds; i++) {
		cr_expect_eq(filch_lock_acquire(&counted->lock), 0);
		counted->count++;
		if (i % 16 == 0)
			filch_yield();
		cr_expect_eq(filch_lock_release(&counted->lock), 0);
	}
	return 0;
}

static int count_with_many(void *arg)
{
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (int i = 0; i < 8; i++)
		filch_group_spawn(&group, count_in_turns, arg);
	return filch_group_close(&group);
}

static void *count_in_thread(void *arg)
{
	count_in_turns(arg);
	return NULL;
}

static void *count_in_runtime(void *arg)
{
	cr_expect_eq(run_with(2, count_with_many, arg), 0);
	return NULL;
}

Test(lock_race, tasks_of_two_runtimes_and_threads_exclude_each_other, .timeout = 60)
{
	static const unsigned workers[] = { 1, 2, 8, 64 };

	counter.rounds = 200;
	for (int i = 0; i < 4; i++) {
		pthread_t threads[3];

		counter.count = 0;
		for (int k = 0; k < 3; k++)
			pthread_create(&threads[k], NULL,
				       k == 0 ? count_in_runtime : count_in_thread, &counter);
		cr_assert_eq(run_with(workers[i], count_with_many, &counter), 0);
		for (int k = 0; k < 3; k++)
			pthread_join(threads[k], NULL);
		cr_assert_eq(counter.count, 18 * 200, "with %u workers", workers[i]);
	}
	cr_assert_eq(filch_lock_fini(&counter.lock), 0);
}

/* ---- Cancels and timeouts at any time (LK5, LK6, LK7, LK9, LK17, G3) ---- */

struct storm {
	struct filch_lock lock;
	struct filch_token tokens[4];
	int inside;
	uint64_t had, owned; /* what those counted who had it, and under the lock */
	int rounds;
};

/* One acquire of a random kind: 0 when it was had. */
static int acquire_somehow(struct storm *storm, unsigned *state)
{
	switch (chance(state, 4)) {
	case 0:
		return filch_lock_try_acquire(&storm->lock);
	case 1:
		return filch_lock_acquire(&storm->lock);
	default:
		return filch_lock_acquire_until(
			&storm->lock, filch_now() + (filch_time)chance(state, 300) * 1000);
	}
}

static void hold(struct storm *storm, unsigned *state)
{
	struct filch_token shield;

	cr_expect_eq(__atomic_fetch_add(&storm->inside, 1, __ATOMIC_RELAXED), 0);
	storm->owned++;
	if (chance(state, 4) == 0) {
		filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
		filch_scope_enter(&shield);
		filch_sleep((filch_time)chance(state, 100) * 1000);
		filch_scope_leave(&shield);
		filch_token_fini(&shield);
	}
	__atomic_fetch_sub(&storm->inside, 1, __ATOMIC_RELAXED);
	cr_expect_eq(filch_lock_release(&storm->lock), 0);
}

/* Each round in a scope of its own, which it cancels itself after a while, by a deadline. */
static int live_in_the_storm(void *arg)
{
	struct storm *storm = arg;
	unsigned state = (unsigned)(uintptr_t)&state | 1;
	uint64_t had = 0;

	for (int i = 0; i < storm->rounds; i++) {
		struct filch_token token;
		int status;

		filch_token_init(&token);
		filch_token_set_deadline(&token,
					 filch_now() + (filch_time)chance(&state, 400) * 1000);
		filch_scope_enter(&token);
		status = acquire_somehow(storm, &state);
		cr_expect(status == 0 || status == -EAGAIN || status == -ETIMEDOUT ||
				  status == -ECANCELED,
			  "status %d", status);
		if (status == 0) {
			had++;
			hold(storm, &state);
		}
		filch_scope_leave(&token);
		filch_token_fini(&token);
	}
	__atomic_fetch_add(&storm->had, had, __ATOMIC_RELAXED);
	return 0;
}

static int storm_with_many(void *arg)
{
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (int i = 0; i < 8; i++)
		filch_group_spawn(&group, live_in_the_storm, arg);
	return filch_group_close(&group);
}

static void *storm_in_thread(void *arg)
{
	live_in_the_storm(arg);
	return NULL;
}

Test(lock_race, cancels_and_timeouts_at_any_time_lose_nothing, .timeout = 60)
{
	static const unsigned workers[] = { 1, 2, 8 };

	for (int i = 0; i < 3; i++) {
		static struct storm storm;
		pthread_t threads[2];

		storm = (struct storm){ .rounds = 300 };
		for (int k = 0; k < 2; k++)
			pthread_create(&threads[k], NULL, storm_in_thread, &storm);
		cr_assert_eq(run_with(workers[i], storm_with_many, &storm), 0);
		for (int k = 0; k < 2; k++)
			pthread_join(threads[k], NULL);
		cr_assert_eq(storm.had, storm.owned);
		cr_assert_gt(storm.had, 0);
		cr_assert_eq(filch_lock_fini(&storm.lock), 0);
		cr_assert_eq(filch_lock_try_acquire(&storm.lock), 0);
		cr_assert_eq(filch_lock_release(&storm.lock), 0);
	}
}

/* ---- A grant and the end of a deadline at the same moment (LK17) ---- */

struct meeting {
	struct filch_lock lock;
	filch_time when;
	int status;
};

static int come_to_the_meeting(void *arg)
{
	struct meeting *meeting = arg;

	meeting->status = filch_lock_acquire_until(&meeting->lock, meeting->when);
	return meeting->status == 0 ? filch_lock_release(&meeting->lock) : 0;
}

static int meet(void *arg)
{
	for (int i = 0; i < 500; i++) {
		struct meeting meeting = { .when = filch_now() + 50 * FILCH_MICROSECOND };
		struct filch_group group;

		filch_lock_acquire(&meeting.lock);
		filch_group_open(&group, NULL);
		filch_group_spawn(&group, come_to_the_meeting, &meeting);
		while (filch_now() < meeting.when + (i % 32 - 16) * FILCH_MICROSECOND)
			filch_yield();
		cr_expect_eq(filch_lock_release(&meeting.lock), 0);
		cr_expect_eq(filch_group_close(&group), 0);
		cr_expect(meeting.status == 0 || meeting.status == -ETIMEDOUT);
		cr_expect_eq(filch_lock_try_acquire(&meeting.lock), 0);
		cr_expect_eq(filch_lock_release(&meeting.lock), 0);
	}
	(void)arg;
	return 0;
}

Test(lock_race, a_grant_and_a_timeout_together_have_one_outcome, .timeout = 30)
{
	play(meet);
}

/* ---- Freed as soon as the last one has it (G12) ---- */

struct gift {
	struct filch_lock lock;
	int ready;
};

static int take_and_free(void *arg)
{
	struct gift *gift = arg;

	flag_add(&gift->ready);
	cr_expect_eq(filch_lock_acquire(&gift->lock), 0);
	cr_expect_eq(filch_lock_release(&gift->lock), 0);
	cr_expect_eq(filch_lock_fini(&gift->lock), 0);
	free(gift);
	return 0;
}

static void *take_and_free_in_thread(void *arg)
{
	take_and_free(arg);
	return NULL;
}

static void give(struct gift *gift, int i)
{
	while (!flag_get(&gift->ready))
		if (filch_yield() < 0)
			sched_yield();
	for (int k = 0; k < i % 8; k++)
		filch_yield();
	if (i % 16 == 0)
		busy_for(FILCH_MILLISECOND);
	cr_expect_eq(filch_lock_release(&gift->lock), 0);
}

static int give_to_tasks(void *arg)
{
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 500; i++) {
		struct gift *gift = calloc(1, sizeof(*gift));

		cr_expect_eq(filch_lock_acquire(&gift->lock), 0);
		filch_group_spawn(&group, take_and_free, gift);
		give(gift, i);
	}
	return filch_group_close(&group);
}

static int give_to_threads(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		struct gift *gift = calloc(1, sizeof(*gift));
		pthread_t thread;

		cr_expect_eq(filch_lock_acquire(&gift->lock), 0);
		pthread_create(&thread, NULL, take_and_free_in_thread, gift);
		give(gift, i);
		pthread_join(thread, NULL);
	}
	return 0;
}

Test(lock_race, it_may_be_freed_by_the_one_that_was_handed_it, .timeout = 60)
{
	play(give_to_tasks);
	play(give_to_threads);
	give_to_threads(NULL);
}

/* ---- Many (LK19) ---- */

static int pass_through(void *arg)
{
	struct counter *counted = arg;

	cr_expect_eq(filch_lock_acquire(&counted->lock), 0);
	counted->count++;
	return filch_lock_release(&counted->lock);
}

static int many_waiters(void *arg)
{
	const unsigned many = sanitize_is_thread() ? 1000 : 10000; /* its limit is 8128 */
	struct counter counted = { .rounds = 0 };
	struct filch_group group;

	(void)arg;
	filch_lock_acquire(&counted.lock);
	filch_group_open(&group, NULL);
	for (int i = 0; (unsigned)i < many; i++)
		filch_group_spawn(&group, pass_through, &counted);
	lock_await_waiting(&counted.lock, many);
	filch_lock_release(&counted.lock);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(counted.count, many);
	return 0;
}

Test(lock_race, ten_thousand_waiters_are_served_in_a_chain, .timeout = 60)
{
	cr_assert_eq(run_with(2, many_waiters, NULL), 0);
}
