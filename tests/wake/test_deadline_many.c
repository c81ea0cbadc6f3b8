/* Deadlines by the thousand, and those that come together with something else. */
#include "platform/sanitizer.h"
#include "wake/scopes.h"
#include "wake/token.h"

#include <stdlib.h>

#define IS_SLOW (sanitize_is_thread() || sanitize_is_address())

/* TO13 */
static int live;

static void *allocate_counted(size_t size, size_t alignment, void *context)
{
	void *memory = NULL;

	(void)context;
	if (posix_memalign(&memory, alignment < 16 ? 16 : alignment, size) != 0)
		return NULL;
	__atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
	return memory;
}

static void free_counted(void *memory, void *context)
{
	(void)context;
	if (memory)
		__atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
	free(memory);
}

static int arms_and_leaves(void *arg)
{
	int rounds = IS_SLOW ? 20000 : 1000000, before = 0;
	struct filch_token token;

	(void)arg;
	for (int i = 0; i < rounds; i++) {
		enter(&token, LONG);
		leave(&token);
		if (i == 100)
			before = __atomic_load_n(&live, __ATOMIC_RELAXED);
	}
	cr_expect_eq(__atomic_load_n(&live, __ATOMIC_RELAXED), before);
	return 0;
}

Test(deadlines, leaving_disarms_the_deadline_and_keeps_no_memory, .timeout = 60)
{
	struct filch_options options = { .size = sizeof(options),
					 .workers = 1,
					 .allocator = { allocate_counted, free_counted, NULL } };

	cr_assert_eq(filch_run_with(&options, arms_and_leaves, NULL), 0);
	cr_assert_eq(live, 0);
}

/* TO16: operations that never park still let the deadline through, whatever the budget. */
static int spends_without_parking(void *arg)
{
	struct filch_token token;

	(void)arg;
	enter(&token, FILCH_MILLISECOND);
	while (filch_yield() == 0)
		;
	leave(&token);
	enter(&token, FILCH_MILLISECOND);
	while (filch_sleep(0) == 0)
		;
	leave(&token);
	return 0;
}

Test(deadlines, a_block_that_never_parks_does_not_defeat_the_deadline, .timeout = 30)
{
	play(spends_without_parking);
}

/* TO17 */
static int expire_with_others(void *arg)
{
	struct filch_token token;
	int status;

	filch_token_init(&token);
	filch_token_set_deadline(&token, *(filch_time *)arg);
	filch_scope_enter(&token);
	status = filch_sleep(LONG);
	if (status != -ECANCELED || !filch_token_expired(&token))
		cr_expect(false, "status %d", status);
	leave(&token);
	return 0;
}

static int ten_thousand_expire(void *arg)
{
	filch_time when = filch_now() + 200 * FILCH_MILLISECOND;
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < (IS_SLOW ? 500 : 10000); i++)
		cr_expect_eq(filch_group_spawn(&group, expire_with_others, &when), 0);
	return filch_group_close(&group);
}

Test(deadlines, ten_thousand_deadlines_at_once_all_cancel, .timeout = 60)
{
	play(ten_thousand_expire);
}

/* ---- Together with a cancel: TO6 ---- */

struct meeting {
	struct filch_token outer;
	filch_time when;
};

static int cancels_at(void *arg)
{
	struct meeting *meeting = arg;

	spin_until(meeting->when);
	filch_token_cancel(&meeting->outer, -EINTR);
	return 0;
}

static int both_at_once(void *arg)
{
	int expired = 0;

	(void)arg;
	for (int round = 0; round < 300; round++) {
		struct meeting meeting = { .when = filch_now() + 200 * FILCH_MICROSECOND };
		struct filch_token inner;
		struct filch_group group;

		filch_group_open(&group, NULL);
		filch_token_init(&meeting.outer);
		filch_group_spawn(&group, cancels_at, &meeting);
		filch_scope_enter(&meeting.outer);
		filch_token_init(&inner);
		filch_token_set_deadline(&inner, meeting.when);
		filch_scope_enter(&inner);
		cr_expect_eq(filch_sleep(LONG), -ECANCELED);
		expired += filch_token_expired(&inner);
		leave(&inner);
		cr_expect_eq(filch_sleep(LONG), -ECANCELED);
		cr_expect_eq(filch_token_reason(&meeting.outer), -EINTR);
		cr_expect(!filch_token_expired(&meeting.outer));
		cr_expect_eq(filch_scope_leave(&meeting.outer), 0);
		cr_expect_eq(filch_group_close(&group), 0);
		filch_token_fini(&meeting.outer);
	}
	cr_log_info("%d of 300 expired", expired);
	return 0;
}

Test(deadlines, a_cancel_that_comes_with_the_deadline_is_not_taken_for_it, .timeout = 60)
{
	play(both_at_once);
}

/* ---- Together with a result: TO14, TO15 ---- */

static int permits;

/* Takes a permit at the very moment the taker gives up. */
static int take_at(void *arg)
{
	int status = filch_sleep_until(*(filch_time *)arg);

	if (status < 0)
		return status;
	__atomic_fetch_sub(&permits, 1, __ATOMIC_RELAXED);
	return 1;
}

static void put(void)
{
	__atomic_fetch_add(&permits, 1, __ATOMIC_RELAXED);
}

/* Returns whether the permit was delivered in time. */
static bool take_and_give_up(struct filch_group *group, int round)
{
	filch_time when = filch_now() + 20 * FILCH_MICROSECOND,
		   limit = when + (round % 50 - 25) * 1000;
	struct filch_token token;
	struct filch_task *task;
	int status = 0, own;

	cr_expect_eq(filch_group_spawn_with(group, NULL, take_at, &when, &task), 0);
	if (round % 2) {
		own = filch_task_wait_until(task, &status, limit);
		cr_expect(own == 0 || own == -ETIMEDOUT);
	} else {
		enter_until(&token, limit);
		own = filch_task_wait(task, &status);
		cr_expect(own == 0 || own == -ECANCELED);
		leave(&token);
	}
	if (own == 0)
		cr_expect_eq(status, 1);
	else if (filch_task_cancel_and_wait(task, 0, &status) == 0)
		cr_expect_eq(status, filch_task_was_cancelled(task) ? -ECANCELED : 1);
	else
		cr_expect(false, "the task is lost");
	if (status == 1)
		put();
	filch_task_release(task);
	return own == 0;
}

static int takes_five_thousand(void *arg)
{
	int rounds = IS_SLOW ? 1000 : 5000, delivered = 0;

	(void)arg;
	permits = 3;
	for (int round = 0; round < rounds; round++) {
		struct filch_group group;

		filch_group_open(&group, NULL);
		delivered += take_and_give_up(&group, round);
		cr_expect_eq(filch_group_close(&group), 0);
	}
	cr_expect_eq(permits, 3);
	cr_log_info("%d of %d in time", delivered, rounds);
	return 0;
}

Test(deadlines, what_was_taken_at_the_deadline_is_delivered_or_given_back, .timeout = 60)
{
	play(takes_five_thousand);
}

/* The same through a group's outcomes: none is given twice, none keeps its memory. */
static int collects_until_the_deadline(void *arg)
{
	int rounds = IS_SLOW ? 500 : 2500, before = 0;

	(void)arg;
	for (int round = 0; round < rounds; round++) {
		filch_time when = filch_now() + 20 * FILCH_MICROSECOND;
		struct filch_group_outcome outcome;
		struct filch_token token;
		struct filch_group group;
		struct filch_task *task;
		int own;

		filch_group_open(&group, NULL);
		cr_expect_eq(filch_group_spawn_with(&group, NULL, take_at, &when, &task), 0);
		enter_until(&token, when);
		own = filch_group_next_outcome(&group, &outcome);
		leave(&token);
		cr_expect(own == 0 || own == -ECANCELED);
		if (own < 0)
			cr_expect_eq(filch_group_next_outcome(&group, &outcome), 0);
		cr_expect(outcome.task == task);
		cr_expect_eq(outcome.status, 1);
		filch_task_release(outcome.task);
		cr_expect_eq(filch_group_next_outcome(&group, &outcome), -ENODATA);
		cr_expect_eq(filch_group_close(&group), 0);
		filch_task_release(task);
		if (round == rounds / 2)
			before = __atomic_load_n(&live, __ATOMIC_RELAXED);
	}
	cr_expect_leq(__atomic_load_n(&live, __ATOMIC_RELAXED), before + 100);
	return 0;
}

Test(deadlines, an_outcome_at_the_deadline_is_given_once, .timeout = 60)
{
	static const unsigned workers[] = { 1, 2, 8, 64 };

	for (int i = 0; i < 4; i++) {
		struct filch_options options = { .size = sizeof(options),
						 .workers = workers[i],
						 .allocator = { allocate_counted, free_counted,
								NULL } };

		cr_assert_eq(filch_run_with(&options, collects_until_the_deadline, NULL), 0);
		cr_assert_eq(live, 0);
	}
}

/* The body has completed: that its deadline passes before the scope is left changes nothing. */
static bool complete_late(filch_time span)
{
	filch_time when = filch_now() + span;
	struct filch_token token;
	int status;

	enter_until(&token, when);
	status = filch_sleep(1);
	spin_until(when + FILCH_MILLISECOND);
	leave(&token);
	cr_expect_eq(filch_checkpoint(), 0);
	return status == 0;
}

static int completes_late(void *arg)
{
	(void)arg;
	play_in_time(complete_late);
	return 0;
}

Test(deadlines, the_value_of_a_block_that_completed_stands)
{
	play(completes_late);
}

/* TO9: two workers take out the timers of two scopes, and the outer one's is the first to act. */
Test(deadlines, of_two_that_have_passed_the_earlier_has_expired_whichever_acts_first)
{
	filch_time now = filch_now();
	struct filch_token outer, earlier, later;

	filch_token_init(&outer);
	filch_token_init_below(&earlier, &outer, 0);
	filch_token_init_below(&later, &outer, 0);
	cr_assert_eq(filch_token_set_deadline(&outer, now + FILCH_SECOND), 0);
	cr_assert_eq(filch_token_set_deadline(&earlier, now + FILCH_SECOND - 1), 0);
	cr_assert_eq(filch_token_set_deadline(&later, now + FILCH_SECOND + 1), 0);
	spin_until(now + FILCH_SECOND + FILCH_MILLISECOND);
	cr_assert(filch__token_expire(&outer, NULL));
	cr_expect_eq(filch_token_reason(&outer), -ETIMEDOUT);
	cr_expect(filch_token_expired(&earlier));
	cr_expect_eq(filch_token_reason(&earlier), -ETIMEDOUT);
	cr_expect_not(filch_token_expired(&later));
	cr_expect_eq(filch_token_reason(&later), -ECANCELED);
	filch_token_fini(&later);
	filch_token_fini(&earlier);
	filch_token_fini(&outer);
}
