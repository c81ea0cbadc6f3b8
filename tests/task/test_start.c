/* A child whose spawner waits until it is ready: it may fail, or be cancelled, before. */
#include "task/play.h"

static const struct filch_group_options supervise = { .size = sizeof(supervise),
						      .policy = FILCH_GROUP_SUPERVISE };

static int reported;

static void count_report(const char *task, int status, void *context)
{
	(void)task, (void)status, (void)context;
	flag_add(&reported);
}

/* Like play, and no failure may reach the hook. */
static void play_silently(filch_task_fn *scenario)
{
	static const unsigned workers[] = { 1, 2, 8, 64 };

	for (int i = 0; i < 4; i++) {
		struct filch_options options = { .size = sizeof(options),
						 .workers = workers[i],
						 .unobserved = count_report };

		cr_assert_eq(filch_run_with(&options, scenario, NULL), 0, "with %u workers",
			     workers[i]);
		cr_assert_eq(reported, 0, "with %u workers", workers[i]);
	}
}

static int cancel_self(void *arg)
{
	(void)arg;
	cr_expect(filch_task_cancel(filch_task_self(), 0));
	return filch_sleep(FILCH_NEVER);
}

/* TG14: the failure is the start's; whoever starts decides what it means for the group. */
static int fails_unready(void *arg)
{
	struct filch_group group;
	struct filch_task *task = NULL;
	int failure = -EIO, fine = 7;
	void *value = NULL;

	(void)arg;
	filch_group_open(&group, NULL);
	cr_expect_eq(filch_group_start(&group, NULL, return_int, &failure, &value, &task), -EIO);
	cr_expect_eq(filch_checkpoint(), 0);
	cr_expect_eq(filch_group_start(&group, NULL, return_int, &fine, &value, &task), -ECHILD);
	cr_expect_eq(filch_group_start(&group, NULL, cancel_self, NULL, &value, &task), -ECHILD);
	cr_expect_null(task);
	cr_expect_null(value);
	cr_expect_eq(filch_group_close(&group), 0);
	return 0;
}

Test(start, an_unready_childs_failure_is_the_callers_not_the_groups)
{
	play_silently(fails_unready);
}

static int get_ready_and_fail(void *arg)
{
	cr_expect_eq(filch_task_started(arg), 0);
	return *(int *)arg;
}

static int fails_ready(void *arg)
{
	struct filch_group group;
	int failure = -EIO;

	(void)arg;
	filch_group_open(&group, NULL);
	/* The group may be cancelled before the start has returned. */
	(void)filch_group_start(&group, NULL, get_ready_and_fail, &failure, NULL, NULL);
	cr_expect_eq(filch_group_close(&group), -EIO);
	return 0;
}

Test(start, the_failure_of_one_that_was_ready_is_the_groups)
{
	play_silently(fails_ready);
}

static int fail_in_cleanup(void *arg)
{
	flag_add(arg);
	cr_expect_eq(filch_sleep(FILCH_NEVER), -ECANCELED);
	return -EIO;
}

struct withdrawal {
	struct filch_group *group;
	filch_task_fn *child;
	int ready, expected;
};

static int start_and_be_cancelled(void *arg)
{
	struct withdrawal *withdrawal = arg;

	cr_expect_eq(filch_group_start(withdrawal->group, NULL, withdrawal->child,
				       &withdrawal->ready, NULL, NULL),
		     withdrawal->expected);
	return filch_checkpoint();
}

static int sleep_ready(void *arg)
{
	flag_add(arg);
	return filch_sleep(FILCH_NEVER);
}

static int withdraw(filch_task_fn *child, int expected)
{
	struct filch_group group;
	struct withdrawal withdrawal = { &group, child, 0, expected };
	struct filch_task *task;

	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, start_and_be_cancelled, &withdrawal, &task);
	flag_await(&withdrawal.ready, 1);
	cr_expect_eq(filch_task_cancel_and_wait(task, 0, NULL), 0);
	cr_expect(filch_task_was_cancelled(task));
	filch_task_release(task);
	cr_expect_eq(filch_checkpoint(), 0); /* TG15 */
	return filch_group_close(&group);
}

static int withdraws(void *arg)
{
	(void)arg;
	cr_expect_eq(withdraw(sleep_ready, -ECANCELED), 0);
	cr_expect_eq(withdraw(fail_in_cleanup, -EIO), 0); /* CN24 */
	return 0;
}

Test(start, a_withdrawn_childs_cleanup_may_fail_and_that_is_returned)
{
	play_silently(withdraws);
}

/* A started child counts as one with a handle when it is ready, if its starter takes that. */
static int has_outcomes(void *arg)
{
	struct filch_group_outcome outcome;
	struct filch_group group;
	struct filch_task *task;
	int failure = -EIO, fine = 0;

	(void)arg;
	filch_group_open(&group, &supervise);
	cr_expect_eq(filch_group_start(&group, NULL, get_ready_and_fail, &fine, NULL, NULL), 0);
	cr_expect_eq(filch_group_start(&group, NULL, return_int, &failure, NULL, &task), -EIO);
	cr_expect_eq(filch_group_next_outcome(&group, &outcome), -ENODATA);
	cr_expect_eq(filch_group_start(&group, NULL, get_ready_and_fail, &failure, NULL, &task), 0);
	cr_expect_eq(filch_group_next_outcome(&group, &outcome), 0);
	cr_expect_eq(outcome.task, task);
	cr_expect_eq(outcome.status, -EIO);
	filch_task_release(outcome.task);
	filch_task_release(task);
	cr_expect_eq(filch_group_next_outcome(&group, &outcome), -ENODATA);
	return filch_group_close(&group);
}

Test(start, an_outcome_is_kept_of_those_whose_handle_was_taken)
{
	play_silently(has_outcomes);
}
