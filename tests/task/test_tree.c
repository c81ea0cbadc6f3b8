/* Groups, tokens and handles as a user sees them; the tags are those of tests/statements.txt. */
#include <criterion/criterion.h>
#include <errno.h>
#include <filch.h>
#include <signal.h>
#include <string.h>

static int run_with(unsigned workers, filch_task_fn *fn, void *arg)
{
	struct filch_options options = { .size = sizeof(options), .workers = workers };

	return filch_run_with(&options, fn, arg);
}

/* A scenario is a task; it runs with 1, 2 and 8 workers and must return 0. */
static void play(filch_task_fn *scenario)
{
	static const unsigned workers[] = { 1, 2, 8, 64 };

	for (int i = 0; i < 4; i++)
		cr_assert_eq(run_with(workers[i], scenario, NULL), 0, "with %u workers", workers[i]);
}

static int sleep_long(void *arg)
{
	int *status = arg;
	int result = filch_sleep(3600 * FILCH_SECOND);

	if (status)
		*status = result;
	return result;
}

static int return_it(void *arg)
{
	return *(int *)arg;
}

/* TG1 */
static int add_later(void *arg)
{
	int *count = arg;

	filch_yield();
	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
	return 0;
}

struct spawner {
	struct filch_group *group;
	int count;
};

static int spawn_more(void *arg)
{
	struct spawner *spawner = arg;

	for (int i = 0; i < 10; i++)
		cr_expect_eq(filch_group_spawn(spawner->group, add_later, &spawner->count), 0);
	return 0;
}

static int join_grandchildren(void *arg)
{
	struct filch_group group;
	struct spawner spawner = { &group, 0 };

	(void)arg;
	cr_expect_eq(filch_group_open(&group, NULL), 0);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(filch_group_spawn(&group, spawn_more, &spawner), 0);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(spawner.count, 100);
	return 0;
}

Test(tree, close_waits_for_children_that_children_spawn)
{
	play(join_grandchildren);
}

/* TG2, TG18 */
static int misuse(void *arg)
{
	struct filch_group group = { 0 }, inner;
	int one = 1;

	(void)arg;
	cr_expect_eq(filch_group_spawn(&group, return_it, &one), -EPERM);
	cr_expect_eq(filch_group_close(&group), -EPERM);
	cr_expect_eq(filch_group_open(NULL, NULL), -EINVAL);
	cr_expect_eq(filch_group_spawn(NULL, return_it, &one), -EINVAL);
	cr_expect_eq(filch_group_close(NULL), -EINVAL);
	filch_group_open(&group, NULL);
	filch_group_open(&inner, NULL);
	cr_expect_eq(filch_group_spawn(&group, NULL, NULL), -EINVAL);
	cr_expect_eq(filch_group_close(&group), -EPERM); /* out of order */
	cr_expect_eq(filch_group_close(&inner), 0);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(filch_group_spawn(&group, return_it, &one), -EPERM);
	cr_expect_eq(filch_group_close(&group), -EPERM);
	return 0;
}

Test(tree, a_group_that_is_not_open_refuses)
{
	struct filch_group group = { 0 };

	cr_assert_eq(filch_group_open(&group, NULL), -EPERM); /* a plain thread */
	play(misuse);
}

/* TG3, TG10 */
static int fail_fast(void *arg)
{
	struct filch_group group;
	int failure = -EIO, woken = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, sleep_long, &woken);
	filch_group_spawn(&group, return_it, &failure);
	cr_expect_eq(filch_group_close(&group), -EIO);
	cr_expect_eq(woken, -ECANCELED);
	cr_expect_eq(filch_checkpoint(), 0); /* TG9 */
	return 0;
}

Test(tree, the_first_failure_cancels_the_siblings_and_is_returned)
{
	play(fail_fast);
}

static int collect(void *arg)
{
	struct filch_group group;
	struct filch_group_options options = { .size = sizeof(options),
					       .policy = FILCH_GROUP_COLLECT };
	struct filch_group_outcome outcome;
	int statuses[3] = { -EIO, 5, -ENOENT }, seen = 0, sum = 0;

	(void)arg;
	filch_group_open(&group, &options);
	for (int i = 0; i < 3; i++) {
		struct filch_task *task;

		cr_expect_eq(filch_group_spawn_with(&group, NULL, return_it, &statuses[i], &task), 0);
		filch_task_release(task);
	}
	while (filch_group_next_outcome(&group, &outcome) == 0) {
		sum += outcome.status;
		seen++;
		filch_task_release(outcome.task);
	}
	cr_expect_eq(seen, 3); /* TG21 */
	cr_expect_eq(sum, -EIO + 5 - ENOENT);
	cr_expect_lt(filch_group_close(&group), 0);
	return 0;
}

Test(tree, collecting_yields_each_outcome_once)
{
	play(collect);
}

/* TG4, CN2, CN11 */
static int cancel_one(void *arg)
{
	struct filch_group group;
	struct filch_task *task;
	int status = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, sleep_long, NULL, &task);
	filch_yield();
	cr_expect(filch_task_cancel(task, -EINTR));
	cr_expect_eq(filch_task_wait(task, &status), 0);
	cr_expect_eq(status, -ECANCELED);
	cr_expect(filch_task_was_cancelled(task));
	cr_expect_eq(filch_task_reason(task), -EINTR);
	cr_expect(!filch_task_cancel(task, -EIO));
	cr_expect_eq(filch_task_reason(task), -EINTR); /* CN5 */
	filch_task_release(task);
	cr_expect_eq(filch_group_close(&group), 0);
	return 0;
}

Test(tree, a_child_cancelled_by_itself_does_not_abort_its_group)
{
	play(cancel_one);
}

/* TG6, CN12 */
static int nested_sleepers(void *arg)
{
	struct filch_group group;
	int status[2] = { 0, 0 };

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, sleep_long, &status[0]);
	filch_group_spawn(&group, sleep_long, &status[1]);
	cr_expect_eq(filch_group_close(&group), -ECANCELED);
	cr_expect_eq(status[0], -ECANCELED);
	cr_expect_eq(status[1], -ECANCELED);
	*(int *)arg = 1;
	return -ECANCELED;
}

static int cancel_outer(void *arg)
{
	struct filch_group group;
	int ended = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, nested_sleepers, &ended);
	for (int i = 0; i < 10; i++)
		filch_yield();
	cr_expect(filch_group_cancel(&group, 0));
	cr_expect(!filch_group_cancel(&group, 0));
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(ended, 1);
	return 0;
}

Test(tree, an_outer_cancel_reaches_all_below_and_is_told_after_the_join)
{
	play(cancel_outer);
}

/* TG12 */
static int mark_and_check(void *arg)
{
	*(int *)arg = 1;
	return filch_checkpoint();
}

static int born_cancelled(void *arg)
{
	struct filch_group group;
	struct filch_task_options skip = { .size = sizeof(skip), .skip_if_cancelled = true };
	int ran = 0, skipped = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_cancel(&group, 0);
	cr_expect_eq(filch_group_spawn(&group, mark_and_check, &ran), 0);
	cr_expect_eq(filch_group_spawn_with(&group, &skip, mark_and_check, &skipped, NULL), 0);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(ran, 1);
	cr_expect_eq(skipped, 0);
	return 0;
}

Test(tree, a_child_of_a_cancelled_group_starts_unless_it_asked_not_to)
{
	play(born_cancelled);
}

/* TG14, TG15 */
static int start_well(void *arg)
{
	cr_expect_eq(filch_task_started(arg), 0);
	cr_expect_eq(filch_task_started(arg), -EALREADY);
	return 0;
}

static int starts(void *arg)
{
	struct filch_group group;
	int failure = -EIO, fine = 0;
	void *value = NULL;

	(void)arg;
	cr_expect_eq(filch_task_started(NULL), -EPERM);
	filch_group_open(&group, &(struct filch_group_options){ .size = sizeof(struct filch_group_options),
								 .policy = FILCH_GROUP_COLLECT });
	cr_expect_eq(filch_group_start(&group, NULL, start_well, &fine, &value, NULL), 0);
	cr_expect_eq(value, &fine);
	cr_expect_eq(filch_group_start(&group, NULL, return_it, &failure, &value, NULL), -EIO);
	cr_expect_eq(filch_group_start(&group, NULL, return_it, &fine, &value, NULL), -ECHILD);
	filch_group_close(&group);
	return 0;
}

Test(tree, start_returns_when_the_child_says_so_or_with_its_error)
{
	play(starts);
}

/* TG18 */
static int leave_open(void *arg)
{
	struct filch_group group;

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, sleep_long, arg);
	return 0;
}

/* Its memory is gone with the frame: all that can be done is to say so. */
Test(tree, a_task_that_ends_with_an_open_group_ends_the_process, .signal = SIGABRT)
{
	run_with(2, leave_open, NULL);
}

/* Handles: self and ancestor */
static struct filch_task *handle;

static int wait_for_ancestor(void *arg)
{
	(void)arg;
	cr_expect_eq(filch_task_wait(handle, NULL), -EDEADLK);
	return 0;
}

static int wait_for_self(void *arg)
{
	struct filch_group group;

	(void)arg;
	handle = filch_task_self();
	cr_expect_eq(filch_task_wait(handle, NULL), -EDEADLK);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, wait_for_ancestor, NULL);
	return filch_group_close(&group);
}

Test(tree, awaiting_oneself_or_an_ancestor_is_a_deadlock)
{
	play(wait_for_self);
}

/* CN3, CN5, TO1, TO3, TO10 */
static int scopes(void *arg)
{
	struct filch_token outer, inner, shield;

	(void)arg;
	cr_expect_eq(filch_token_init(&outer), 0);
	cr_expect_eq(filch_scope_enter(&outer), 0);
	cr_expect_eq(filch_scope_enter(&outer), -EBUSY); /* CN17 */
	filch_token_init(&inner);
	filch_token_set_deadline(&inner, filch_now() + FILCH_MILLISECOND);
	filch_scope_enter(&inner);
	cr_expect_eq(filch_scope_leave(&outer), -EPERM);
	cr_expect_eq(filch_sleep(3600 * FILCH_SECOND), -ECANCELED);
	cr_expect_eq(filch_sleep(3600 * FILCH_SECOND), -ECANCELED); /* again: level-triggered */
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	cr_expect(filch_token_expired(&inner));
	cr_expect_eq(filch_scope_deadline(), INT64_MIN); /* TO11 */
	cr_expect_eq(filch_scope_leave(&inner), 0);
	cr_expect_eq(filch_checkpoint(), 0);
	cr_expect(!filch_token_is_cancelled(&outer));
	cr_expect(filch_token_cancel(&outer, -EINTR));
	cr_expect(!filch_token_cancel(&outer, -EIO));
	cr_expect_eq(filch_token_reason(&outer), -EINTR);
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	cr_expect_eq(filch_sleep(1000), 0); /* TO7: a cleanup that waits */
	filch_scope_leave(&shield);
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	filch_scope_leave(&outer);
	cr_expect_eq(filch_checkpoint(), 0);
	filch_token_fini(&shield);
	filch_token_fini(&inner);
	filch_token_fini(&outer);
	return 0;
}

Test(tree, a_cancelled_scope_fails_every_wait_until_it_is_left)
{
	play(scopes);
}

Test(tree, plain_threads_have_scopes_with_deadlines_too)
{
	struct filch_token token;

	filch_token_init(&token);
	filch_token_set_deadline(&token, filch_now() + FILCH_MILLISECOND);
	filch_scope_enter(&token);
	cr_assert_eq(filch_sleep(3600 * FILCH_SECOND), -ECANCELED);
	cr_assert_eq(filch_checkpoint(), -ECANCELED);
	cr_assert(filch_token_expired(&token));
	filch_scope_leave(&token);
	cr_assert_eq(filch_checkpoint(), 0);
	filch_token_fini(&token);
}

/* CN13, CN14 */
#define DEEP 5000
static struct filch_token deep[DEEP];

Test(tree, five_thousand_levels_are_cancelled_without_recursion)
{
	struct filch_token late;

	filch_token_init(&deep[0]);
	for (int i = 1; i < DEEP; i++)
		filch_token_init_below(&deep[i], &deep[i - 1], 0);
	filch_token_fini(&deep[DEEP / 2]); /* a link that is dropped */
	filch_token_cancel(&deep[0], -EINTR);
	for (int i = 0; i < DEEP; i++)
		cr_assert_eq(filch_token_reason(&deep[i]), i == DEEP / 2 ? 0 : -EINTR);
	filch_token_init_below(&late, &deep[DEEP - 1], 0);
	cr_assert(filch_token_is_cancelled(&late));
	filch_token_fini(&late);
	for (int i = DEEP; i-- > 0;)
		filch_token_fini(&deep[i]);
}

/* CN20 */
static char order[8];

static void note_a(void *arg)
{
	(void)arg;
	strcat(order, "a");
}

static void note_b(void *arg)
{
	(void)arg;
	strcat(order, "b");
}

Test(tree, callbacks_run_once_in_order_unless_removed)
{
	struct filch_token token;
	struct filch_token_callback a, b, removed, late;

	filch_token_init(&token);
	filch_token_add_callback(&token, &a, note_a, NULL);
	filch_token_add_callback(&token, &removed, note_a, NULL);
	filch_token_add_callback(&token, &b, note_b, NULL);
	cr_assert(filch_token_remove_callback(&removed));
	filch_token_cancel(&token, 0);
	cr_assert_str_eq(order, "ab");
	cr_assert(!filch_token_remove_callback(&a));
	filch_token_add_callback(&token, &late, note_b, NULL);
	cr_assert_str_eq(order, "abb");
	filch_token_fini(&token);
}

/* TG19 */
static int cancel_many(void *arg)
{
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 2000; i++)
		filch_group_spawn(&group, sleep_long, NULL);
	for (int i = 0; i < 3; i++)
		filch_yield();
	filch_group_cancel(&group, 0);
	return filch_group_close(&group);
}

Test(tree, cancelling_thousands_of_parked_children_brings_all_back)
{
	play(cancel_many);
}
