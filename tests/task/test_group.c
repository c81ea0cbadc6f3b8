/* Groups: joining, misuse, options, policies. */
#include "task/play.h"

#include <pthread.h>

static const struct filch_group_options collect = { .size = sizeof(collect),
						    .policy = FILCH_GROUP_COLLECT };
static const struct filch_group_options supervise = { .size = sizeof(supervise),
						      .policy = FILCH_GROUP_SUPERVISE };

/* ---- Joining ---- */

static int spawn_when_told(void *arg)
{
	struct team *team = arg;

	flag_await(&team->go, 1);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(filch_group_spawn(&team->group, end_late, &team->ended), 0);
	return 0;
}

/* TG1: while close waits, children go on spawning. */
static int joins(void *arg)
{
	struct team team = { .ended = 0 };

	(void)arg;
	cr_expect_eq(filch_group_open(&team.group, NULL), 0);
	for (int i = 0; i < 5; i++)
		filch_group_spawn(&team.group, spawn_when_told, &team);
	filch_group_spawn(&team.group, tell, &team);
	cr_expect_eq(filch_group_close(&team.group), 0);
	cr_expect_eq(flag_get(&team.ended), 50);
	return 0;
}

Test(group, close_waits_for_whoever_is_spawned_while_it_waits)
{
	play(joins);
}

/* SC3, SC7 */
static int spawns_many(void *arg)
{
	struct filch_group group;
	int count = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 100000; i++)
		if (filch_group_spawn(&group, count_up, &count) != 0)
			cr_expect(false, "child %d", i);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(flag_get(&count), 100000);
	return 0;
}

Test(group, a_hundred_thousand_children_of_one_owner_all_run)
{
	play(spawns_many);
}

/* ---- Misuse ---- */

static void *misuse_from_a_thread(void *arg)
{
	struct team *team = arg;
	struct filch_group_outcome outcome;
	struct filch_group own;

	cr_expect_eq(filch_group_open(&own, NULL), -EPERM);
	cr_expect_eq(filch_group_spawn(&team->group, do_nothing, NULL), -EPERM);
	cr_expect_eq(filch_group_spawn_with(&team->group, NULL, do_nothing, NULL, NULL), -EPERM);
	cr_expect_eq(filch_group_start(&team->group, NULL, do_nothing, NULL, NULL, NULL), -EPERM);
	cr_expect_eq(filch_group_close(&team->group), -EPERM);
	cr_expect_eq(filch_group_next_outcome(&team->group, &outcome), -EPERM);
	return NULL;
}

static int misuse_as_child(void *arg)
{
	struct team *team = arg;
	struct filch_group_outcome outcome;

	cr_expect_eq(filch_group_close(&team->group), -EPERM);
	cr_expect_eq(filch_group_next_outcome(&team->group, &outcome), -EPERM);
	return 0;
}

static int misuse_as_grandchild(void *arg)
{
	struct filch_group group;

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, misuse_as_child, arg);
	return filch_group_close(&group);
}

/* TG18: nobody but the owner closes. */
static int is_closed_by_its_owner(void *arg)
{
	struct team team = { .ended = 0 };
	pthread_t thread;

	(void)arg;
	filch_group_open(&team.group, NULL);
	filch_group_spawn(&team.group, misuse_as_child, &team);
	filch_group_spawn_with(&team.group, NULL, misuse_as_child, &team, NULL);
	filch_group_spawn(&team.group, misuse_as_grandchild, &team);
	pthread_create(&thread, NULL, misuse_from_a_thread, &team);
	pthread_join(thread, NULL);
	cr_expect_eq(filch_group_close(&team.group), 0);
	return 0;
}

Test(group, nobody_but_its_owner_closes_it)
{
	play(is_closed_by_its_owner);
}

static int spawns_into(void *arg)
{
	struct team *team = arg;

	flag_await(&team->ready, 1);
	cr_expect_eq(filch_group_spawn(&team->group, do_nothing, NULL), -EPERM);
	cr_expect_eq(filch_group_spawn_with(&team->group, NULL, do_nothing, NULL, NULL), -EPERM);
	flag_add(&team->go);
	return 0;
}

static int owns_group(void *arg)
{
	struct team *team = arg;

	filch_group_open(&team->group, NULL);
	filch_group_spawn(&team->group, waits_for_go, team);
	return filch_group_close(&team->group);
}

/* TG2: an open group is open for its members alone. */
static int two_families(void *arg)
{
	struct team team = { .ended = 0 };
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, owns_group, &team);
	filch_group_spawn(&group, spawns_into, &team);
	return filch_group_close(&group);
}

Test(group, a_stranger_cannot_spawn_into_it)
{
	play(two_families);
}

static int opens_twice(void *arg)
{
	struct filch_group group = { 0 };
	struct filch_group_options options = { .size = 1 };

	(void)arg;
	cr_expect_eq(filch_group_open(NULL, NULL), -EINVAL);
	cr_expect_eq(filch_group_open(&group, &options), -EINVAL);
	options = (struct filch_group_options){ .size = sizeof(options), .deadline = -1 };
	cr_expect_eq(filch_group_open(&group, &options), -EINVAL);
	options = (struct filch_group_options){ .size = sizeof(options),
						.policy = (enum filch_group_policy)77 };
	cr_expect_eq(filch_group_open(&group, &options), -EINVAL);
	cr_expect_eq(filch_group_close(&group), -EPERM); /* nothing stays open */
	cr_expect_eq(filch_group_spawn(&group, do_nothing, NULL), -EPERM);
	cr_expect_eq(filch_group_open(&group, NULL), 0);
	cr_expect_eq(filch_group_open(&group, NULL), -EBUSY);
	cr_expect_eq(filch_group_spawn(&group, NULL, NULL), -EINVAL);
	cr_expect_eq(filch_group_spawn_with(&group, NULL, NULL, NULL, NULL), -EINVAL);
	cr_expect_eq(filch_group_spawn_with(NULL, NULL, do_nothing, NULL, NULL), -EINVAL);
	cr_expect_eq(filch_group_next_outcome(&group, NULL), -EINVAL);
	cr_expect_eq(filch_group_next_outcome(NULL, NULL), -EINVAL);
	cr_expect_eq(filch_group_run(NULL, NULL, NULL), -EINVAL);
	cr_expect_eq(filch_group_close(NULL), -EINVAL);
	cr_expect(!filch_group_cancel(NULL, 0));
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(filch_group_close(&group), -EPERM);
	cr_expect_eq(filch_group_spawn(&group, do_nothing, NULL), -EPERM); /* TG2 */
	cr_expect_eq(filch_group_spawn_with(&group, NULL, do_nothing, NULL, NULL), -EPERM);
	cr_expect_eq(filch_group_open(&group, NULL), 0); /* and again */
	cr_expect_eq(filch_group_close(&group), 0);
	return 0;
}

Test(group, wrong_arguments_and_states_are_refused)
{
	play(opens_twice);
}

/* ---- Options ---- */

static int with_deadline(void *arg)
{
	struct filch_group_options options = { .size = sizeof(options),
					       .deadline = filch_now() + FILCH_MILLISECOND };
	struct filch_group group;
	int woken = 0;

	(void)arg;
	cr_expect_eq(filch_group_open(&group, &options), 0);
	filch_group_spawn(&group, sleep_and_count, &woken);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(woken, 1);
	cr_expect_eq(filch_checkpoint(), 0);
	return 0;
}

Test(group, its_deadline_cancels_the_children_alone)
{
	play(with_deadline);
}

static int behind_a_shield(void *arg)
{
	struct filch_group_options options = { .size = sizeof(options), .shield = true };
	struct filch_token token;
	struct filch_group group;
	int seen = 1;

	(void)arg;
	filch_token_init(&token);
	filch_scope_enter(&token);
	filch_token_cancel(&token, 0);
	filch_group_open(&group, &options);
	cr_expect_eq(filch_sleep(1), 0);
	filch_group_spawn(&group, note_checkpoint, &seen);
	cr_expect_eq(filch_group_close(&group), -ECANCELED);
	cr_expect_eq(seen, 0);
	filch_scope_leave(&token);
	filch_token_fini(&token);
	return 0;
}

Test(group, a_shielded_one_keeps_outer_cancels_from_its_children)
{
	play(behind_a_shield);
}

/* COLLECT: nobody is cancelled, the first failure comes out. */
static int collects(void *arg)
{
	struct team team = { .status = -EIO };

	(void)arg;
	filch_group_open(&team.group, &collect);
	filch_group_spawn(&team.group, fail_when_told, &team);
	filch_group_spawn(&team.group, end_late, &team.ended);
	flag_add(&team.go);
	cr_expect_eq(filch_sleep(1), 0);
	cr_expect_eq(filch_group_close(&team.group), -EIO);
	cr_expect_eq(team.ended, 1);
	return 0;
}

Test(group, a_collecting_one_cancels_nobody_and_returns_the_first_failure)
{
	play(collects);
}

/* TG20, TG22 */
static int supervises(void *arg)
{
	struct team team = { .status = -EIO };
	struct filch_task *task;
	int status = 0;

	(void)arg;
	filch_group_open(&team.group, &supervise);
	filch_group_spawn_with(&team.group, NULL, fail_when_told, &team, &task);
	filch_group_spawn(&team.group, end_late, &team.ended);
	flag_add(&team.go);
	cr_expect_eq(filch_task_wait(task, NULL), 0);
	cr_expect_eq(filch_checkpoint(), 0);
	cr_expect_eq(filch_group_close(&team.group), 0);
	cr_expect_eq(team.ended, 1);
	cr_expect_eq(filch_task_wait(task, &status), 0); /* the handle outlives the group */
	cr_expect_eq(status, -EIO);
	filch_task_release(task);
	return 0;
}

Test(group, a_supervising_one_leaves_failures_to_the_handles)
{
	play(supervises);
}

