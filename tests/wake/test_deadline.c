/* Deadlines of scopes, in tasks and set by plain threads. */
#include "platform/fault.h"
#include "wake/scopes.h"

/* TO1 */
static int inner_expires(void *arg)
{
	struct filch_token outer, inner;

	(void)arg;
	enter(&outer, LONG);
	enter(&inner, FILCH_MILLISECOND);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(filch_token_expired(&inner));
	leave(&inner);
	cr_expect_eq(filch_checkpoint(), 0);
	cr_expect(!filch_token_is_cancelled(&outer));
	leave(&outer);
	return 0;
}

Test(deadline, an_inner_deadline_concerns_the_inner_scope_alone)
{
	play(inner_expires);
}

/* TO2, TO5, CN16: what the outer deadline ends has not expired itself. */
static int outer_expires(void *arg)
{
	struct filch_token outer, inner, below;
	filch_time when = filch_now() + FILCH_MILLISECOND;

	(void)arg;
	enter_until(&outer, when);
	enter(&inner, LONG);
	enter(&below, FILCH_NEVER);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(!filch_token_expired(&below));
	leave(&below);
	cr_expect(!filch_token_expired(&inner));
	cr_expect(filch_token_is_cancelled(&inner));
	leave(&inner);
	cr_expect(filch_token_expired(&outer));
	leave(&outer);
	return 0;
}

Test(deadline, only_the_scope_whose_deadline_it_was_says_expired)
{
	play(outer_expires);
}

/* TO2 */
static int both_expire(void *arg)
{
	struct filch_token outer, inner;
	filch_time when = filch_now() + FILCH_MILLISECOND;

	(void)arg;
	enter_until(&outer, when);
	enter_until(&inner, when);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(!filch_token_expired(&inner));
	leave(&inner);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(filch_token_expired(&outer));
	leave(&outer);
	return 0;
}

Test(deadline, of_two_equal_deadlines_the_outer_one_expires)
{
	cr_assert_eq(run_with(1, both_expire, NULL), 0);
}

/* TO2: the two timers stand in the heaps of different workers. */
static int inherits_an_equal_deadline(void *arg)
{
	struct filch_token inner;

	enter_until(&inner, *(filch_time *)arg);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(!filch_token_expired(&inner));
	leave(&inner);
	return 0;
}

static int equal_on_many_workers(void *arg)
{
	(void)arg;
	for (int round = 0; round < 50; round++) {
		filch_time when = filch_now() + 2 * FILCH_MILLISECOND;
		struct filch_token outer;
		struct filch_group group;

		enter_until(&outer, when);
		filch_group_open(&group, NULL);
		for (int i = 0; i < 8; i++)
			filch_group_spawn(&group, inherits_an_equal_deadline, &when);
		cr_expect_eq(filch_group_close(&group), -ECANCELED);
		cr_expect(filch_token_expired(&outer));
		leave(&outer);
	}
	return 0;
}

Test(deadline, of_equal_deadlines_the_outermost_expires_whoever_keeps_the_time)
{
	play(equal_on_many_workers);
}

/* TO2: the outer one has passed, but nobody has had the time to say so. */
static int equal_and_late(void *arg)
{
	filch_time when = filch_now() + FILCH_MILLISECOND;
	struct filch_token outer, inner;

	(void)arg;
	enter_until(&outer, when);
	spin_until(when + FILCH_MILLISECOND);
	filch_token_init(&inner);
	filch_token_set_deadline(&inner, when);
	filch_scope_enter(&inner);
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	cr_expect(!filch_token_expired(&inner));
	leave(&inner);
	cr_expect(filch_token_expired(&outer));
	leave(&outer);
	return 0;
}

Test(deadline, the_same_when_both_are_found_in_the_past)
{
	play(equal_and_late);
}

static int fails_with_timeout(void *arg)
{
	(void)arg;
	return -ETIMEDOUT;
}

static int group_fails_with_timeout(void *arg)
{
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, fails_with_timeout, NULL);
	cr_expect_eq(filch_group_close(&group), -ETIMEDOUT);
	cr_expect(!filch_token_expired(&group.token));
	return 0;
}

Test(deadline, a_childs_timeout_is_no_expiry_of_the_group)
{
	play(group_fails_with_timeout);
}

/* TO3, TO4, G8 */
static int past_deadlines(void *arg)
{
	struct filch_token token;
	int ran = 0;

	(void)arg;
	filch_token_init(&token);
	cr_expect_eq(filch_token_set_deadline(&token, 0), 0);
	filch_scope_enter(&token);
	ran = 1; /* code before the first checkpoint runs */
	cr_expect_eq(filch_sleep(0), -ECANCELED);
	cr_expect(filch_token_expired(&token));
	leave(&token);
	enter(&token, 0);
	ran++; /* no checkpoint: nobody has noticed */
	leave(&token);
	cr_expect_eq(filch_checkpoint(), 0);
	cr_expect_eq(ran, 2);
	return 0;
}

Test(deadline, a_deadline_that_has_passed_fails_the_first_checkpoint)
{
	play(past_deadlines);
}

/* TO5, TO6: whoever cancels first gives the reason. */
static bool cancel_before_expiry(filch_time span)
{
	filch_time when = filch_now() + span;
	struct filch_token token;
	bool in_time;

	enter_until(&token, when);
	filch_token_cancel(&token, -EINTR);
	in_time = filch_now() < when;
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	spin_until(when + FILCH_MILLISECOND);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(!in_time || !filch_token_expired(&token));
	cr_expect(!in_time || filch_token_reason(&token) == -EINTR);
	leave(&token);
	return in_time;
}

static int cancelled_before_expiry(void *arg)
{
	(void)arg;
	play_in_time(cancel_before_expiry);
	return 0;
}

Test(deadline, a_cancel_before_the_deadline_is_no_timeout)
{
	play(cancelled_before_expiry);
}

/* TO7, TO11 */
static int cleans_up(void *arg)
{
	struct filch_token token, shield;

	(void)arg;
	cr_expect_eq(filch_scope_deadline(), FILCH_NEVER);
	enter(&token, LONG);
	cr_expect_eq(filch_scope_deadline(), filch_token_deadline(&token));
	filch_token_cancel(&token, 0);
	cr_expect_eq(filch_scope_deadline(), INT64_MIN);
	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	cr_expect_eq(filch_scope_deadline(), FILCH_NEVER);
	cr_expect_eq(filch_sleep(FILCH_MICROSECOND), 0);
	filch_token_set_deadline(&shield, filch_now() + LONG);
	cr_expect_eq(filch_scope_deadline(), filch_token_deadline(&shield));
	filch_token_set_deadline(&shield, filch_now() + FILCH_MILLISECOND);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(filch_token_expired(&shield));
	leave(&shield);
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	leave(&token);
	return 0;
}

Test(deadline, a_shield_lets_a_cleanup_wait_up_to_its_own_deadline)
{
	play(cleans_up);
}

/* TO9 */
static bool be_busy_past_both(filch_time span)
{
	filch_time when = filch_now() + span;
	struct filch_token outer, inner;
	bool in_time;

	enter_until(&outer, when + FILCH_MILLISECOND);
	enter_until(&inner, when);
	in_time = filch_now() < when;
	spin_until(when + 2 * FILCH_MILLISECOND);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(!in_time || filch_token_expired(&inner));
	leave(&inner);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(filch_token_expired(&outer));
	leave(&outer);
	return in_time;
}

static int is_busy_past_both(void *arg)
{
	(void)arg;
	play_in_time(be_busy_past_both);
	return 0;
}

Test(deadline, a_worker_busy_past_two_deadlines_reports_both)
{
	play(is_busy_past_both);
}

/* TO10, TO12 */
static bool put_off(filch_time span)
{
	filch_time when = filch_now() + span;
	struct filch_token token;
	int status;

	enter_until(&token, when);
	status = filch_token_set_deadline(&token, when + LONG);
	cr_expect(status == 0 || filch_now() >= when);
	if (status == 0)
		cr_expect_eq(filch_sleep_until(when + FILCH_MILLISECOND), 0);
	leave(&token);
	return status == 0;
}

static int reschedules(void *arg)
{
	struct filch_token token;
	filch_time begin = filch_now();

	(void)arg;
	play_in_time(put_off);
	enter(&token, LONG);
	cr_expect_eq(filch_token_set_deadline(&token, -1), -EINVAL);
	cr_expect_eq(filch_token_set_deadline(&token, FILCH_NEVER), 0); /* none */
	cr_expect_eq(filch_scope_deadline(), FILCH_NEVER);
	cr_expect_eq(filch_token_set_deadline(&token, begin + LONG), 0);
	cr_expect_eq(filch_token_set_deadline(&token, filch_now() + FILCH_MILLISECOND), 0);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED); /* earlier */
	cr_expect_eq(filch_token_set_deadline(&token, begin + LONG), -EBUSY);
	leave(&token);
	enter(&token, LONG);
	cr_expect_eq(filch_token_set_deadline(&token, begin), 0); /* the past */
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	leave(&token);
	return 0;
}

Test(deadline, a_deadline_is_moved_later_earlier_to_the_past_and_away)
{
	play(reschedules);
}

/* TO12: counted from the entry. */
static int counts_from_entry(void *arg)
{
	struct filch_token token;
	filch_time before;

	(void)arg;
	filch_token_init(&token);
	filch_sleep(5 * FILCH_MILLISECOND);
	before = filch_now();
	cr_expect_eq(filch_scope_enter_for(&token, -1), -EINVAL);
	cr_expect_eq(filch_scope_enter_for(NULL, 1), -EINVAL);
	cr_expect_eq(filch_scope_enter_for(&token, LONG), 0);
	cr_expect_eq(filch_scope_enter_for(&token, LONG), -EBUSY);
	cr_expect_geq(filch_token_deadline(&token), before + LONG);
	cr_expect_eq(filch_scope_leave(&token), 0);
	cr_expect_eq(filch_scope_enter_for(&token, FILCH_NEVER), 0);
	cr_expect_eq(filch_token_deadline(&token), FILCH_NEVER);
	cr_expect_eq(filch_scope_leave(&token), 0);
	cr_expect_eq(filch_scope_enter_for(&token, FILCH_MILLISECOND), 0);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(filch_token_expired(&token));
	cr_expect_eq(filch_scope_leave(&token), 0);
	cr_expect_eq(filch_scope_enter_for(&token, LONG), 0); /* it stays cancelled */
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	leave(&token);
	return 0;
}

Test(deadline, a_span_counts_from_the_entry)
{
	play(counts_from_entry);
}

Test(deadline, a_span_counts_from_the_entry_in_a_plain_thread)
{
	cr_assert_eq(counts_from_entry(NULL), 0);
}

static int fails_while_it_expires(void *arg)
{
	struct filch_token token;
	int status = 0;

	(void)arg;
	enter(&token, FILCH_MILLISECOND);
	if (filch_sleep(LONG) == -ECANCELED)
		status = -EIO; /* the block's own error */
	filch_scope_leave(&token);
	cr_expect_eq(status, -EIO);
	cr_expect(filch_token_expired(&token)); /* and that it came late */
	filch_token_fini(&token);
	return 0;
}

/* TO8 */
Test(deadline, a_failure_while_expiring_is_told_beside_the_expiry)
{
	play(fails_while_it_expires);
}

/* TO1: a token with a deadline that a plain thread made is timed in the task that enters it. */
static int enters_a_threads_token(void *arg)
{
	struct filch_token *token = arg;

	filch_scope_enter(token);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(filch_token_expired(token));
	filch_scope_leave(token);
	return 0;
}

Test(deadline, a_deadline_set_by_a_thread_holds_in_the_task_that_enters_it)
{
	struct filch_token token;

	filch_token_init(&token);
	cr_assert_eq(filch_token_set_deadline(&token, filch_now() + 20 * FILCH_MILLISECOND), 0);
	cr_assert_eq(run_with(2, enters_a_threads_token, &token), 0);
	filch_token_fini(&token);
}

/* ---- No memory for the timer ---- */

static int finds_no_room(void *arg)
{
	struct filch_token *token = arg, other;

	filch__fault_set(FILCH__FAULT_ALLOCATE, 1, UINT32_MAX);
	cr_expect_eq(filch_scope_enter(token), -ENOMEM);
	filch_token_init(&other);
	cr_expect_eq(filch_token_set_deadline(&other, filch_now() + LONG), -ENOMEM);
	cr_expect_eq(filch_token_deadline(&other), FILCH_NEVER);
	filch__fault_clear();
	filch_token_fini(&other);
	cr_expect_eq(filch_scope_enter(token), 0);
	cr_expect_eq(filch_token_set_deadline(token, filch_now() + FILCH_MILLISECOND), 0);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect(filch_token_expired(token));
	return filch_scope_leave(token);
}

Test(deadline, without_memory_for_its_timer_a_scope_is_refused_and_later_entered)
{
	struct filch_token token;

	filch_token_init(&token);
	cr_assert_eq(filch_token_set_deadline(&token, filch_now() + LONG), 0);
	cr_assert_eq(run_with(1, finds_no_room, &token), 0);
	filch_token_fini(&token);
}

/* ---- Moved while those below look ---- */

static int looks_up(void *arg)
{
	int *stop = arg;

	while (!flag_get(stop)) {
		filch_time deadline = filch_scope_deadline();

		if (deadline < LONG)
			cr_expect(false, "deadline %lld", (long long)deadline);
		filch_yield();
	}
	return 0;
}

static int moves_while_children_look(void *arg)
{
	struct filch_token token;
	struct filch_group group;
	int stop = 0;

	(void)arg;
	enter(&token, LONG);
	filch_group_open(&group, NULL);
	for (int i = 0; i < 4; i++)
		filch_group_spawn(&group, looks_up, &stop);
	for (int i = 0; i < 200; i++) {
		cr_expect_eq(filch_token_set_deadline(&token, filch_now() + LONG + i), 0);
		filch_yield();
	}
	flag_add(&stop);
	cr_expect_eq(filch_group_close(&group), 0);
	leave(&token);
	return 0;
}

Test(deadline, it_may_be_moved_while_children_ask_for_it)
{
	play(moves_while_children_look);
}
