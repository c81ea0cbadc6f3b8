/* What a cancel does to tasks: where they see it, what they may answer, who waits for whom. */
#include "wake/scopes.h"

#include <pthread.h>

/* ---- Where it is seen: CN1, CN2 ---- */

struct victim {
	struct filch_task *task;
	int done;
	bool was_first, was_second;
};

static void *cancel_victim(void *arg)
{
	struct victim *victim = arg;

	victim->was_first = filch_task_cancel(victim->task, -EINTR);
	victim->was_second = filch_task_cancel(victim->task, -EIO);
	flag_add(&victim->done);
	return NULL;
}

/* Cancelled while it runs: it notices nothing until it looks. */
static int runs_while_cancelled(void *arg)
{
	struct victim *victim = arg;
	pthread_t thread;

	victim->task = filch_task_self();
	pthread_create(&thread, NULL, cancel_victim, victim);
	while (!flag_get(&victim->done))
		;
	pthread_join(thread, NULL);
	return filch_sleep(0); /* would not park */
}

static int cancels_itself(void *arg)
{
	(void)arg;
	cr_expect(filch_task_cancel(filch_task_self(), 0));
	return filch_checkpoint();
}

static int cancels_the_running(void *arg)
{
	struct victim victim = { .done = 0 };
	struct filch_group group;
	struct filch_task *running, *itself, *ready;
	int status = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, runs_while_cancelled, &victim, &running);
	filch_group_spawn_with(&group, NULL, cancels_itself, NULL, &itself);
	cr_expect_eq(filch_task_wait(running, &status), 0);
	cr_expect_eq(status, -ECANCELED);
	cr_expect(victim.was_first);
	cr_expect(!victim.was_second); /* once per scope */
	cr_expect_eq(filch_task_reason(running), -EINTR);
	cr_expect_eq(filch_task_wait(itself, &status), 0);
	cr_expect(filch_task_was_cancelled(itself));
	cr_expect(!filch_task_cancel(itself, 0)); /* it has ended */
	filch_group_spawn_with(&group, NULL, sleep_for_ever, NULL, &ready);
	filch_task_cancel(ready, 0);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect(filch_task_was_cancelled(ready));
	filch_task_release(running);
	filch_task_release(itself);
	filch_task_release(ready);
	return 0;
}

Test(cancel, a_running_task_sees_it_at_the_next_checkpoint)
{
	play(cancels_the_running);
}

/* ---- Leaving the scope is what others call uncancel: CN4, CN6, CN7 ---- */

static void *cancel_token(void *arg)
{
	filch_token_cancel(arg, 0);
	return NULL;
}

static int goes_on_after_each(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		struct filch_token token;
		pthread_t thread;

		enter(&token, FILCH_NEVER);
		pthread_create(&thread, NULL, cancel_token, &token);
		cr_expect_eq(filch_sleep(LONG), -ECANCELED);
		pthread_join(thread, NULL);
		leave(&token);
		cr_expect_eq(filch_sleep(1), 0);
	}
	return 0;
}

Test(cancel, a_task_that_leaves_the_scope_goes_on_and_can_be_cancelled_anew)
{
	play(goes_on_after_each);
}

static int leaves_one_of_two(void *arg)
{
	struct filch_token outer, inner;

	(void)arg;
	enter(&outer, FILCH_NEVER);
	enter(&inner, FILCH_NEVER);
	filch_token_cancel(&inner, 0);
	filch_token_cancel(&outer, 0);
	leave(&inner);
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	leave(&outer); /* the first check of the second cancel would have been the next one */
	cr_expect_eq(filch_sleep(1), 0);
	return 0;
}

Test(cancel, each_scope_left_takes_its_own_cancel_along)
{
	play(leaves_one_of_two);
}

static int outlives_its_token(void *arg)
{
	struct filch_token token;

	(void)arg;
	enter(&token, FILCH_NEVER);
	cr_expect_eq(filch_scope_leave(&token), 0);
	cr_expect(filch_token_cancel(&token, 0));
	cr_expect_eq(filch_sleep(1), 0);
	cr_expect_eq(filch_scope_leave(&token), -EPERM);
	filch_token_fini(&token);
	return 0;
}

Test(cancel, a_token_that_was_left_concerns_the_task_no_more)
{
	play(outlives_its_token);
}

/* ---- What a task answers: CN8, CN9, CN11, CN24 ---- */

static int returns_a_value_all_the_same(void *arg)
{
	(void)arg;
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	return 42;
}

static int has_looked_for_the_last_time(void *arg)
{
	struct victim *victim = arg;

	flag_add(&victim->done);
	while (flag_get(&victim->done) < 2)
		sched_yield();
	return 7;
}

static int fails_in_its_cleanup(void *arg)
{
	(void)arg;
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	return -EIO;
}

static int answers(void *arg)
{
	struct filch_group_options options = { .size = sizeof(options),
					       .policy = FILCH_GROUP_COLLECT };
	struct filch_group group;
	struct filch_task *value, *failure;
	int status = 0;

	(void)arg;
	filch_group_open(&group, &options);
	filch_group_spawn_with(&group, NULL, returns_a_value_all_the_same, NULL, &value);
	filch_group_spawn_with(&group, NULL, fails_in_its_cleanup, NULL, &failure);
	filch_yield();
	cr_expect_eq(filch_task_cancel_and_wait(value, 0, &status), 0);
	cr_expect_eq(status, 42);
	cr_expect(!filch_task_was_cancelled(value));
	cr_expect_eq(filch_task_cancel_and_wait(failure, 0, &status), 0);
	cr_expect_eq(status, -EIO);
	cr_expect(!filch_task_was_cancelled(failure));
	cr_expect_eq(filch_group_close(&group), -EIO);
	filch_task_release(value);
	filch_task_release(failure);
	return 0;
}

Test(cancel, what_a_cancelled_task_returns_is_its_status)
{
	play(answers);
}

static int is_too_late(void *arg)
{
	struct victim victim = { .done = 0 };
	struct filch_group group;
	struct filch_task *late;
	int status = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, has_looked_for_the_last_time, &victim, &late);
	flag_await(&victim.done, 1);
	cr_expect(filch_task_cancel(late, 0));
	flag_add(&victim.done);
	cr_expect_eq(filch_task_wait(late, &status), 0);
	cr_expect_eq(status, 7);
	cr_expect(!filch_task_was_cancelled(late));
	filch_task_release(late);
	return filch_group_close(&group);
}

Test(cancel, work_that_was_done_is_kept)
{
	/* It does not park: somebody else must be able to cancel it. */
	cr_assert_eq(run_with(2, is_too_late, NULL), 0);
	cr_assert_eq(run_with(8, is_too_late, NULL), 0);
}

/* ---- Who goes along: CN10 ---- */

struct family {
	struct filch_task *friend;
	int woken, release, waiting;
};

static int waits_for_release(void *arg)
{
	struct family *family = arg;

	while (!flag_get(&family->release)) {
		int status = filch_yield();

		if (status < 0)
			return status;
	}
	return 5;
}

static int joins_a_child(void *arg)
{
	struct family *family = arg;
	struct filch_group group;

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, sleep_and_count, &family->woken);
	flag_add(&family->waiting);
	return filch_group_close(&group);
}

static int waits_for_a_friend(void *arg)
{
	struct family *family = arg;

	flag_add(&family->waiting);
	return filch_task_wait(family->friend, NULL);
}

static int cancels_both_kinds(void *arg)
{
	struct family family = { .woken = 0 };
	struct filch_task *parent, *guest;
	struct filch_group group;
	int status = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, waits_for_release, &family, &family.friend);
	filch_group_spawn_with(&group, NULL, joins_a_child, &family, &parent);
	filch_group_spawn_with(&group, NULL, waits_for_a_friend, &family, &guest);
	flag_await(&family.waiting, 2);
	cr_expect_eq(filch_task_cancel_and_wait(parent, 0, &status), 0);
	cr_expect_eq(status, -ECANCELED);
	cr_expect_eq(flag_get(&family.woken), 1);
	cr_expect_eq(filch_task_cancel_and_wait(guest, 0, &status), 0);
	cr_expect_eq(status, -ECANCELED);
	cr_expect_eq(filch_task_try_wait(family.friend, NULL), -EAGAIN);
	cr_expect_eq(filch_task_reason(family.friend), 0);
	flag_add(&family.release);
	cr_expect_eq(filch_task_wait(family.friend, &status), 0);
	cr_expect_eq(status, 5);
	filch_task_release(family.friend);
	filch_task_release(parent);
	filch_task_release(guest);
	return filch_group_close(&group);
}

Test(cancel, children_go_along_and_tasks_that_are_only_waited_for_do_not)
{
	play(cancels_both_kinds);
}

/* ---- A join cannot be interrupted: CN18 ---- */

struct joined {
	struct filch_token token;
	struct filch_token_callback callback;
	int calls, begun, release, closed;
};

static void count_call(void *arg)
{
	flag_add(arg);
}

static int ignores_cancels(void *arg)
{
	struct joined *joined = arg;

	flag_add(&joined->begun);
	flag_await(&joined->release, 1);
	return 0;
}

static int closes_meanwhile(void *arg)
{
	struct joined *joined = arg;
	struct filch_group group;

	filch_scope_enter(&joined->token);
	filch_token_add_callback(&joined->token, &joined->callback, count_call, &joined->calls);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, ignores_cancels, joined);
	cr_expect_eq(filch_group_close(&group), -ECANCELED);
	flag_add(&joined->closed);
	cr_expect_eq(filch_sleep(1), -ECANCELED);
	filch_scope_leave(&joined->token);
	return 0;
}

static int cancels_a_join(void *arg)
{
	struct joined joined = { .calls = 0 };
	struct filch_group group;

	(void)arg;
	filch_token_init(&joined.token);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, closes_meanwhile, &joined);
	flag_await(&joined.begun, 1);
	cr_expect(filch_token_cancel(&joined.token, 0));
	cr_expect_eq(flag_get(&joined.calls), 1);
	for (int i = 0; i < 20; i++)
		filch_yield();
	cr_expect_eq(flag_get(&joined.closed), 0);
	flag_add(&joined.release);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(flag_get(&joined.calls), 1);
	filch_token_fini(&joined.token);
	return 0;
}

Test(cancel, a_join_goes_on_and_tells_afterwards)
{
	play(cancels_a_join);
}

/* ---- Running under a token: CN19 ---- */

static int sleeps_on(void *arg)
{
	flag_add(arg);
	return filch_sleep(LONG);
}

struct run {
	struct filch_token token;
	int ran;
};

static int cancels_run(void *arg)
{
	struct run *run = arg;

	flag_await(&run->ran, 2);
	filch_token_cancel(&run->token, -EINTR);
	return 0;
}

static int runs_until_cancelled(void *arg)
{
	struct run run = { .ran = 0 };
	struct filch_group group;
	int status = 1;

	(void)arg;
	filch_token_init(&run.token);
	cr_expect_eq(filch_scope_run(NULL, count_up, &run.ran, NULL), -EINVAL);
	cr_expect_eq(filch_scope_run(&run.token, NULL, &run.ran, NULL), -EINVAL);
	cr_expect_eq(filch_scope_run(&run.token, count_up, &run.ran, &status), 0);
	cr_expect_eq(status, 0);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, cancels_run, &run);
	cr_expect_eq(filch_scope_run(&run.token, sleeps_on, &run.ran, &status), 0);
	cr_expect_eq(status, -ECANCELED);
	cr_expect_eq(filch_checkpoint(), 0);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(run.ran, 2);
	status = 3;
	cr_expect_eq(filch_scope_run(&run.token, count_up, &run.ran, &status), -ECANCELED);
	cr_expect_eq(status, 3);
	cr_expect_eq(run.ran, 2);
	filch_token_fini(&run.token);
	enter(&run.token, FILCH_NEVER); /* the caller's own scope counts, too */
	filch_token_cancel(&run.token, 0);
	{
		struct filch_token other;

		filch_token_init_below(&other, NULL, 0);
		cr_expect_eq(filch_scope_run(&other, count_up, &run.ran, NULL), -ECANCELED);
		filch_token_fini(&other);
	}
	leave(&run.token);
	return run.ran - 2;
}

Test(cancel, a_function_is_not_run_under_a_token_that_is_cancelled)
{
	play(runs_until_cancelled);
}

Test(cancel, nor_by_a_plain_thread)
{
	struct filch_token token;
	int ran = 0, status = 1;

	filch_token_init(&token);
	cr_assert_eq(filch_scope_run(&token, count_up, &ran, &status), 0);
	cr_assert_eq(status, 0);
	filch_token_cancel(&token, 0);
	cr_assert_eq(filch_scope_run(&token, count_up, &ran, &status), -ECANCELED);
	cr_assert_eq(ran, 1);
	filch_token_fini(&token);
}

/* ---- Cancelling does not wait: CN22 ---- */

static int returns_promptly(void *arg)
{
	struct joined joined = { .calls = 0 };
	struct filch_token token;
	struct filch_task *stubborn;
	struct filch_group group;
	int status = 1;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, ignores_cancels, &joined, &stubborn);
	flag_await(&joined.begun, 1);
	cr_expect(filch_task_cancel(stubborn, 0));
	cr_expect_eq(filch_task_try_wait(stubborn, NULL), -EAGAIN);
	enter(&token, FILCH_MILLISECOND);
	cr_expect_eq(filch_task_cancel_and_wait(stubborn, 0, &status), -ECANCELED);
	cr_expect_eq(status, 1);
	leave(&token);
	flag_add(&joined.release);
	cr_expect_eq(filch_task_cancel_and_wait(stubborn, 0, &status), 0);
	cr_expect_eq(status, 0);
	filch_task_release(stubborn);
	return filch_group_close(&group);
}

Test(cancel, cancelling_does_not_wait_and_waiting_can_be_cancelled)
{
	play(returns_promptly);
}

/* ---- CN3, while the cancel is under way ---- */

static int sleeps_until_told(void *arg)
{
	int status = 0;

	flag_add(arg);
	while (status == 0)
		status = filch_sleep(FILCH_MICROSECOND);
	cr_expect_eq(status, -ECANCELED);
	/* Whoever cancels may stand still anywhere. */
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	cr_expect_eq(filch_yield(), -ECANCELED);
	return status;
}

static int is_told_once_and_for_all(void *arg)
{
	(void)arg;
	for (int round = 0; round < 300; round++) {
		struct filch_group group;
		int begun = 0;

		filch_group_open(&group, NULL);
		for (int i = 0; i < 4; i++)
			filch_group_spawn(&group, sleeps_until_told, &begun);
		flag_await(&begun, 1);
		filch_group_cancel(&group, 0);
		cr_expect_eq(filch_group_close(&group), 0);
	}
	return 0;
}

Test(cancel, what_one_wait_has_told_the_next_look_tells_too)
{
	play(is_told_once_and_for_all);
}

/* ---- Unwinding: CN23 ---- */

#define FRAMES 20
struct stairs {
	int cleaned[FRAMES];
	int count, bottom;
};

/* Each level cleans up, and waits for that behind a shield. */
static int climbs(struct stairs *stairs, int level)
{
	struct filch_token shield;
	int status;

	if (level == FRAMES) {
		flag_add(&stairs->bottom);
		return filch_sleep(LONG);
	}
	status = climbs(stairs, level + 1);
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	cr_expect_eq(filch_yield(), 0);
	cr_expect_eq(filch_sleep(FILCH_MICROSECOND), 0);
	leave(&shield);
	stairs->cleaned[stairs->count++] = level;
	return status;
}

static int climbs_down(void *arg)
{
	return climbs(arg, 0);
}

static int unwinds(void *arg)
{
	struct stairs stairs = { .count = 0 };
	struct filch_task *task;
	struct filch_group group;
	int status = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, climbs_down, &stairs, &task);
	flag_await(&stairs.bottom, 1);
	cr_expect_eq(filch_task_cancel_and_wait(task, 0, &status), 0);
	cr_expect_eq(status, -ECANCELED);
	cr_expect(filch_task_was_cancelled(task));
	cr_expect_eq(stairs.count, FRAMES);
	for (int i = 0; i < stairs.count; i++)
		cr_expect_eq(stairs.cleaned[i], FRAMES - 1 - i);
	filch_task_release(task);
	return filch_group_close(&group);
}

Test(cancel, every_frame_is_left_through_its_cleanup_the_last_one_first)
{
	play(unwinds);
}
