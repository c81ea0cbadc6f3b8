/* Groups: failures of children and bodies, reports of what nobody asks for, no memory. */
#include "platform/fault.h"
#include "task/play.h"

static const struct filch_group_options collect = { .size = sizeof(collect),
						    .policy = FILCH_GROUP_COLLECT };
static const struct filch_group_options supervise = { .size = sizeof(supervise),
						      .policy = FILCH_GROUP_SUPERVISE };

/* TG3, TG10, TG9: the sibling and the body are cancelled; the failure, not a cancel, comes out. */
static int fails_fast(void *arg)
{
	struct team team = { .status = -EIO };
	int woken = 0;

	(void)arg;
	filch_group_open(&team.group, NULL);
	for (int i = 0; i < 3; i++)
		filch_group_spawn(&team.group, sleep_and_count, &woken);
	filch_group_spawn(&team.group, fail_when_told, &team);
	flag_add(&team.go);
	cr_expect_eq(filch_sleep(FILCH_NEVER), -ECANCELED); /* the body */
	cr_expect_eq(filch_group_close(&team.group), -EIO);
	cr_expect_eq(flag_get(&woken), 3);
	cr_expect_eq(filch_checkpoint(), 0);
	return 0;
}

Test(group, a_failure_cancels_siblings_and_body_and_comes_out)
{
	play(fails_fast);
}

/* TG10: an end by a cancel comes first, and counts for nothing. */
static int failures_go_first(void *arg)
{
	struct team team = { .status = -EIO };
	struct filch_task *task;

	(void)arg;
	filch_group_open(&team.group, NULL);
	filch_group_spawn_with(&team.group, NULL, sleep_for_ever, NULL, &task);
	filch_task_cancel_and_wait(task, 0, NULL);
	filch_task_release(task);
	filch_group_spawn(&team.group, fail_when_told, &team);
	flag_add(&team.go);
	cr_expect_eq(filch_group_close(&team.group), -EIO);
	return 0;
}

Test(group, a_failure_goes_before_an_earlier_cancel)
{
	play(failures_go_first);
}

/* CN11, TG4: -ECANCELED without a cancel is a failure like any other. */
static int forwards(void *arg)
{
	struct filch_group group;
	int status = -ECANCELED;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, return_int, &status);
	cr_expect_eq(filch_group_close(&group), -ECANCELED);
	cr_expect_eq(filch_checkpoint(), 0);
	return 0;
}

Test(group, a_forwarded_cancel_code_is_a_failure)
{
	play(forwards);
}

static int fail_in_cleanup(void *arg)
{
	(void)arg;
	cr_expect_eq(filch_sleep(FILCH_NEVER), -ECANCELED);
	return -EIO; /* what the cleanup came to */
}

/* CN24 */
static int fails_in_cleanup(void *arg)
{
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, fail_in_cleanup, NULL);
	for (int i = 0; i < 3; i++)
		filch_yield();
	filch_group_cancel(&group, 0);
	cr_expect_eq(filch_group_close(&group), -EIO);
	return 0;
}

Test(group, a_cleanup_that_fails_reports_its_own_error)
{
	play(fails_in_cleanup);
}

/* TG11 */
static int inner_fails(void *arg)
{
	struct team *team = arg;
	struct filch_group group;

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, fail_when_told, team);
	filch_group_spawn(&group, sleep_and_count, &team->ended);
	return filch_group_close(&group);
}

static int nested_fail(void *arg)
{
	struct team team = { .status = -EIO };

	(void)arg;
	filch_group_open(&team.group, NULL);
	filch_group_spawn(&team.group, inner_fails, &team);
	filch_group_spawn(&team.group, sleep_and_count, &team.ended);
	flag_add(&team.go);
	cr_expect_eq(filch_group_close(&team.group), -EIO);
	cr_expect_eq(flag_get(&team.ended), 2);
	return 0;
}

Test(group, a_failure_passes_through_nested_groups)
{
	play(nested_fail);
}

/* TG13: a child that a failing child has just spawned is cancelled and joined. */
static int spawn_and_fail(void *arg)
{
	struct team *team = arg;

	for (int i = 0; i < 3; i++)
		filch_group_spawn(&team->group, sleep_and_count, &team->ended);
	return -EIO;
}

static int joins_the_orphans(void *arg)
{
	struct team team = { .ended = 0 };

	(void)arg;
	filch_group_open(&team.group, NULL);
	filch_group_spawn(&team.group, spawn_and_fail, &team);
	cr_expect_eq(filch_group_close(&team.group), -EIO);
	cr_expect_eq(flag_get(&team.ended), 3);
	return 0;
}

Test(group, children_of_a_child_that_fails_are_cancelled_and_joined)
{
	play(joins_the_orphans);
}

/* ---- Bodies: TG5 ---- */

static int body(struct filch_group *group, void *arg)
{
	struct team *team = arg;

	filch_group_spawn(group, sleep_and_count, &team->ended);
	if (team->go)
		filch_group_cancel(group, 0);
	if (team->go > 1)
		return filch_sleep(FILCH_NEVER);
	return team->status;
}

static int runs_bodies(void *arg)
{
	struct team team = { .status = -EIO };

	(void)arg;
	cr_expect_eq(filch_group_run(NULL, body, &team), -EIO);
	cr_expect_eq(team.ended, 1);
	team.status = -ECANCELED; /* by itself: a failure */
	cr_expect_eq(filch_group_run(NULL, body, &team), -ECANCELED);
	cr_expect_eq(team.ended, 2);
	team.go = 1; /* the group is cancelled, the body says fine */
	team.status = 0;
	cr_expect_eq(filch_group_run(NULL, body, &team), 0);
	team.go = 2; /* or says what it was told: that is how a cancelled group ends */
	cr_expect_eq(filch_group_run(NULL, body, &team), 0);
	cr_expect_eq(team.ended, 4);
	cr_expect_eq(filch_checkpoint(), 0);
	return 0;
}

Test(group, a_failing_body_cancels_the_children_and_is_returned)
{
	play(runs_bodies);
}

/* ---- Unobserved failures: TG22 ---- */

static int reported;

static void count_report(const char *task, int status, void *context)
{
	(void)task, (void)context;
	cr_expect_eq(status, -EIO);
	flag_add(&reported);
}

static int run_reporting(filch_task_fn *fn, void *arg)
{
	struct filch_options options = { .size = sizeof(options),
					 .workers = 2,
					 .unobserved = count_report };

	reported = 0;
	cr_assert_eq(filch_run_with(&options, fn, arg), 0);
	return reported;
}

static int detaches(void *arg)
{
	struct filch_group group;
	struct filch_task *task;
	int status = -EIO;

	(void)arg;
	filch_group_open(&group, &supervise);
	filch_group_spawn(&group, return_int, &status);
	filch_group_spawn_with(&group, NULL, return_int, &status, NULL);
	filch_group_spawn_with(&group, NULL, return_int, &status, &task);
	filch_task_release(task);
	filch_group_spawn_with(&group, NULL, return_int, &status, &task);
	filch_task_wait(task, NULL);
	filch_task_release(task);
	return filch_group_close(&group);
}

Test(group, a_failure_nobody_asks_for_reaches_the_hook_once)
{
	cr_assert_eq(run_reporting(detaches, NULL), 3);
}

static int closes_with_a_failure(void *arg)
{
	static const struct filch_group_options *const policies[] = { NULL, &collect };
	int status = -EIO;

	(void)arg;
	for (int i = 0; i < 2; i++) {
		struct filch_group group;
		struct filch_task *task;

		filch_group_open(&group, policies[i]);
		filch_group_spawn_with(&group, NULL, return_int, &status, NULL);
		filch_group_spawn_with(&group, NULL, return_int, &status, &task);
		filch_task_release(task);
		cr_expect_eq(filch_group_close(&group), -EIO);
	}
	return 0;
}

/* TG22: of two failures close returns one; the other, of a released handle, is reported. */
Test(group, a_failure_that_close_returns_does_not_reach_the_hook)
{
	cr_assert_eq(run_reporting(closes_with_a_failure, NULL), 2);
}

/* ---- Without memory: G10 ---- */

static int spawns_without_memory(void *arg)
{
	struct filch_group group;
	int count = 0, refused = 0, spawned = 0;

	(void)arg;
	for (uint32_t k = 1; k <= 20; k++) {
		struct filch_task *task = NULL;

		filch_group_open(&group, NULL);
		filch__fault_set(FILCH__FAULT_ALLOCATE, k, UINT32_MAX);
		for (int i = 0; i < 5000; i++) {
			int status = filch_group_spawn(&group, count_up, &count);

			cr_expect(status == 0 || status == -ENOMEM);
			spawned += status == 0;
		}
		if (filch_group_spawn_with(&group, NULL, count_up, &count, &task) == -ENOMEM)
			refused++;
		else
			spawned++;
		filch__fault_clear();
		filch_task_release(task);
		cr_expect_eq(filch_group_spawn(&group, count_up, &count), 0);
		spawned++;
		cr_expect_eq(filch_group_close(&group), 0);
		cr_expect_eq(flag_get(&count), spawned);
	}
	cr_expect_gt(refused, 0);
	return 0;
}

Test(group, without_memory_a_spawn_is_refused_and_the_group_goes_on)
{
	cr_assert_eq(run_with(1, spawns_without_memory, NULL), 0);
	cr_assert_eq(run_with(2, spawns_without_memory, NULL), 0);
}
