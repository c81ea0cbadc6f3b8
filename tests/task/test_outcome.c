/* Outcomes of children with handles, and groups that are not open any more, or not yet. */
#include "task/play.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CHILDREN 10

static const struct filch_group_options collect = { .size = sizeof(collect),
						    .policy = FILCH_GROUP_COLLECT };
static const struct filch_group_options shielded = { .size = sizeof(shielded), .shield = true };

static void spawn_kept(struct filch_group *group, filch_task_fn *fn, void *arg)
{
	struct filch_task *task;

	cr_expect_eq(filch_group_spawn_with(group, NULL, fn, arg, &task), 0);
	filch_task_release(task);
}

struct sums {
	int cancelled, failed, fine;
};

static struct sums drain(struct filch_group *group)
{
	struct filch_group_outcome outcome;
	struct sums sums = { 0, 0, 0 };
	int status;

	while ((status = filch_group_next_outcome(group, &outcome)) == 0) {
		if (filch_task_was_cancelled(outcome.task))
			sums.cancelled++;
		else if (outcome.status < 0)
			sums.failed++;
		else
			sums.fine++;
		filch_task_release(outcome.task);
	}
	cr_expect_eq(status, -ENODATA);
	return sums;
}

/* TG21: the group's own cancel ends the children, not the asking for their outcomes. */
static int cancels_all(void *arg)
{
	const struct filch_group_options *const each[] = { NULL, &collect, &shielded };
	int value = 42;

	(void)arg;
	for (int i = 0; i < 3; i++) {
		struct filch_group group;
		struct sums sums;

		filch_group_open(&group, each[i]);
		for (int k = 0; k < CHILDREN; k++)
			spawn_kept(&group, k % 2 ? sleep_for_ever : return_int, &value);
		filch_group_cancel(&group, 0);
		sums = drain(&group);
		cr_expect_eq(sums.cancelled, CHILDREN / 2);
		cr_expect_eq(sums.fine, CHILDREN / 2);
		cr_expect_eq(sums.failed, 0);
		cr_expect_eq(filch_checkpoint(), -ECANCELED);
		cr_expect_eq(filch_group_close(&group), 0);
	}
	return 0;
}

Test(outcome, all_are_given_when_the_group_has_been_cancelled)
{
	play(cancels_all);
}

/* TG3: all failures of a group that fails with the first. */
static int fails_fast(void *arg)
{
	struct team team = { .status = -EIO };
	struct sums sums;

	(void)arg;
	filch_group_open(&team.group, NULL);
	for (int k = 0; k < CHILDREN; k++)
		spawn_kept(&team.group, k % 2 ? sleep_for_ever : fail_when_told, &team);
	flag_add(&team.go);
	sums = drain(&team.group);
	cr_expect_eq(sums.failed, CHILDREN / 2);
	cr_expect_eq(sums.cancelled, CHILDREN / 2);
	cr_expect_eq(filch_group_close(&team.group), -EIO);
	return 0;
}

Test(outcome, all_failures_of_a_group_that_failed_can_be_had)
{
	play(fails_fast);
}

struct asked {
	const struct filch_group_options *options;
	struct team team;
	int status;
};

static int ask_above(void *arg)
{
	struct asked *asked = arg;
	struct filch_group_outcome outcome;

	filch_group_open(&asked->team.group, asked->options);
	spawn_kept(&asked->team.group, waits_for_go, &asked->team);
	asked->status = filch_group_next_outcome(&asked->team.group, &outcome);
	if (asked->status == 0)
		filch_task_release(outcome.task);
	flag_add(&asked->team.go);
	return filch_group_close(&asked->team.group);
}

/* What is above the group ends the asking, unless the group is a shield. */
static int cancels_from_above(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++) {
		struct asked asked = { .options = i ? &shielded : NULL, .status = 1 };
		struct filch_group group;

		filch_group_open(&group, NULL);
		filch_group_spawn(&group, ask_above, &asked);
		flag_await(&asked.team.ready, 1);
		filch_group_cancel(&group, 0);
		if (i)
			flag_add(&asked.team.go);
		cr_expect_eq(filch_group_close(&group), 0);
		cr_expect_eq(asked.status, i ? 0 : -ECANCELED);
	}
	return 0;
}

Test(outcome, a_cancel_from_above_ends_the_asking)
{
	play(cancels_from_above);
}

/* ---- Closed, not yet open, gone ---- */

static int spawns_into_anything(void *arg)
{
	struct filch_group group;

	(void)arg;
	memset(&group, 0xff, sizeof(group)); /* nobody has written it: a lock would never be free */
	group.owner = NULL;
	cr_expect_eq(filch_group_spawn_with(&group, NULL, do_nothing, NULL, NULL), -EPERM);
	cr_expect_eq(filch_group_start(&group, NULL, do_nothing, NULL, NULL, NULL), -EPERM);
	struct filch_task *task = NULL;
	cr_expect_eq(filch_group_spawn_with(&group, NULL, do_nothing, NULL, &task), -EPERM);
	cr_expect_null(task);
	filch_group_open(&group, NULL);
	filch_group_close(&group);
	cr_expect_eq(filch_group_spawn_with(&group, NULL, do_nothing, NULL, &task), -EPERM);
	cr_expect(!filch_group_cancel(&group, 0));
	return 0;
}

Test(outcome, a_refused_spawn_does_not_touch_the_group)
{
	play(spawns_into_anything);
}

static struct filch_group kept;

static int open_and_close(void *arg)
{
	(void)arg;
	filch_group_open(&kept, NULL);
	return filch_group_close(&kept);
}

Test(outcome, a_group_may_be_cancelled_when_its_runtime_is_gone)
{
	cr_assert_eq(run_with(2, open_and_close, NULL), 0);
	cr_assert(!filch_group_cancel(&kept, 0));
}

/* A group with a deadline, opened where all is cancelled: its children are, too. */
static int opens_in_a_cancelled_scope(void *arg)
{
	struct filch_group_options options = { .size = sizeof(options),
					       .deadline = filch_now() + 3600 * FILCH_SECOND };
	struct filch_token token;
	struct filch_group group;
	int seen = 1;

	(void)arg;
	filch_token_init(&token);
	filch_token_cancel(&token, 0);
	filch_scope_enter(&token);
	cr_expect_eq(filch_group_open(&group, &options), 0);
	filch_group_spawn(&group, note_checkpoint, &seen);
	cr_expect_eq(filch_group_close(&group), -ECANCELED);
	cr_expect_eq(seen, -ECANCELED);
	filch_scope_leave(&token);
	filch_token_fini(&token);
	return 0;
}

Test(outcome, a_group_with_a_deadline_may_be_opened_in_a_cancelled_scope)
{
	play(opens_in_a_cancelled_scope);
}
