/* Scopes in tasks and in plain threads, and cancels from outside. */
#include "platform/sanitizer.h"
#include "wake/scopes.h"

#include <pthread.h>
#include <stdlib.h>

/* CN3, G5, CN1: every later checkpoint fails until the scope is left. */
static int is_level_triggered(void *arg)
{
	struct filch_token token;
	filch_time before;

	(void)arg;
	enter(&token, FILCH_NEVER);
	cr_expect(filch_token_cancel(&token, 0)); /* by itself */
	before = filch_now();
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(filch_sleep(LONG), -ECANCELED);
		cr_expect_eq(filch_sleep(0), -ECANCELED);
		cr_expect_eq(filch_yield(), -ECANCELED);
		cr_expect_eq(filch_checkpoint(), -ECANCELED);
	}
	cr_expect_lt(filch_now() - before, LONG);
	leave(&token);
	cr_expect_eq(filch_checkpoint(), 0);
	cr_expect_eq(filch_sleep(1), 0);
	return 0;
}

Test(scope, a_cancelled_one_fails_every_checkpoint_until_it_is_left)
{
	play(is_level_triggered);
}

/* CN15, CN17 */
static int is_cancelled_before_or_left_before(void *arg)
{
	struct filch_token token;

	(void)arg;
	enter(&token, FILCH_NEVER);
	filch_token_cancel(&token, -EINTR);
	cr_expect_eq(filch_scope_leave(&token), 0);
	cr_expect(filch_token_is_cancelled(&token));
	cr_expect_eq(filch_checkpoint(), 0);
	cr_expect_eq(filch_scope_enter(&token), 0); /* cancelled before it is entered */
	cr_expect_eq(filch_scope_enter(&token), -EBUSY);
	cr_expect_eq(filch_token_fini(&token), -EBUSY);
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	leave(&token);
	return 0;
}

Test(scope, a_token_cancelled_before_it_is_entered_fails_the_first_checkpoint)
{
	play(is_cancelled_before_or_left_before);
}

/* TG18, CN16 */
static int nests(void *arg)
{
	struct filch_token outer, inner;
	struct filch_group group;

	(void)arg;
	enter(&outer, FILCH_NEVER);
	enter(&inner, FILCH_NEVER);
	cr_expect_eq(filch_scope_leave(&outer), -EPERM);
	filch_group_open(&group, NULL);
	cr_expect_eq(filch_scope_leave(&inner), -EPERM);
	cr_expect_eq(filch_scope_leave(&group.token), -EPERM);
	filch_token_cancel(&outer, 0);
	filch_token_cancel(&inner, 0);
	cr_expect_eq(filch_group_close(&group), -ECANCELED);
	leave(&inner);
	cr_expect_eq(filch_checkpoint(), -ECANCELED); /* the outermost keeps it */
	leave(&outer);
	cr_expect_eq(filch_checkpoint(), 0);
	return 0;
}

Test(scope, scopes_and_groups_are_left_in_order)
{
	play(nests);
}

/* A token made elsewhere: the enclosing scope's cancel comes through all the same. */
static int joins_two_trees(void *arg)
{
	struct filch_token outer, foreign;

	(void)arg;
	enter(&outer, FILCH_NEVER);
	filch_token_init_below(&foreign, NULL, 0);
	filch_scope_enter(&foreign);
	filch_token_cancel(&outer, -EINTR);
	cr_expect_eq(filch_sleep(LONG), -ECANCELED);
	cr_expect_eq(filch_token_reason(&foreign), -EINTR);
	filch_scope_leave(&foreign);
	filch_token_fini(&foreign);
	leave(&outer);
	return 0;
}

Test(scope, a_token_of_another_tree_hears_the_enclosing_scope_too)
{
	play(joins_two_trees);
}

/* CN14 */
#define DEEP 5000
static int goes_deep(void *arg)
{
	struct filch_token *deep = calloc(DEEP, sizeof(*deep));

	(void)arg;
	for (int i = 0; i < DEEP; i++)
		enter(&deep[i], FILCH_NEVER);
	cr_expect_eq(filch_sleep(0), 0);
	filch_token_cancel(&deep[0], -EINTR);
	for (int i = DEEP; i-- > 0;) {
		if (filch_token_reason(&deep[i]) != -EINTR || filch_checkpoint() != -ECANCELED)
			cr_expect(false, "level %d", i);
		leave(&deep[i]);
	}
	cr_expect_eq(filch_checkpoint(), 0);
	free(deep);
	return 0;
}

Test(scope, five_thousand_levels_are_cancelled_on_a_small_stack)
{
	play(goes_deep);
}

/* CN14: each in a tree of its own, so that only its enclosing scope tells it. */
static int goes_deep_in_foreign_trees(void *arg)
{
	struct filch_token *deep = calloc(DEEP, sizeof(*deep));

	(void)arg;
	for (int i = 0; i < DEEP; i++) {
		filch_token_init_below(&deep[i], NULL, 0);
		filch_scope_enter(&deep[i]);
	}
	cr_expect(filch_token_cancel(&deep[0], -EINTR));
	for (int i = DEEP; i-- > 0;) {
		if (filch_token_reason(&deep[i]) != -EINTR)
			cr_expect(false, "level %d", i);
		leave(&deep[i]);
	}
	free(deep);
	return 0;
}

Test(scope, five_thousand_foreign_trees_are_cancelled_on_a_small_stack)
{
	play(goes_deep_in_foreign_trees);
}

static int refuses_a_groups_token(void *arg)
{
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	cr_expect_eq(filch_scope_enter(&group.token), -EINVAL);
	return filch_group_close(&group);
}

Test(scope, a_groups_own_token_is_no_scope_to_enter)
{
	play(refuses_a_groups_token);
}

/* ---- Tokens that outlive runtimes ---- */

static int makes_token(void *arg)
{
	return filch_token_init_below(arg, NULL, 0);
}

Test(scope, a_token_made_in_a_task_may_be_cancelled_when_its_runtime_is_gone)
{
	struct filch_token token;

	cr_assert_eq(run_with(2, makes_token, &token), 0);
	cr_assert(filch_token_cancel(&token, -EINTR));
	cr_assert_eq(filch_token_reason(&token), -EINTR);
	filch_token_fini(&token);
}

static int enters_with_a_deadline(void *arg)
{
	struct filch_token *token = arg;

	cr_expect_eq(filch_token_set_deadline(token, filch_now() + LONG), 0);
	cr_expect_eq(filch_scope_enter(token), 0);
	cr_expect_eq(filch_sleep(1), 0);
	cr_expect_eq(filch_token_set_deadline(token, filch_now() + FILCH_MILLISECOND), 0);
	cr_expect_eq(filch_sleep(LONG), filch_token_expired(token) ? -ECANCELED : 0);
	return filch_scope_leave(token);
}

static int enters_and_leaves(void *arg)
{
	cr_expect_eq(filch_token_set_deadline(arg, filch_now() + LONG), 0);
	cr_expect_eq(filch_scope_enter(arg), 0);
	return filch_scope_leave(arg);
}

Test(scope, a_token_may_be_entered_in_one_runtime_after_another)
{
	struct filch_token token;

	filch_token_init(&token);
	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(run_with(1 + i % 2, enters_and_leaves, &token), 0);
	cr_assert_eq(run_with(2, enters_with_a_deadline, &token), 0);
	cr_assert(filch_token_expired(&token));
	filch_token_fini(&token);
}

/* ---- Plain threads ---- */

Test(scope, a_plain_thread_has_scopes_with_deadlines)
{
	struct filch_token outer, inner;

	enter(&outer, LONG);
	enter(&inner, FILCH_MILLISECOND);
	cr_assert_eq(filch_sleep(LONG), -ECANCELED);
	cr_assert(filch_token_expired(&inner));
	cr_assert_eq(filch_sleep(LONG), -ECANCELED);
	leave(&inner);
	cr_assert_eq(filch_checkpoint(), 0);
	filch_token_cancel(&outer, -EINTR);
	cr_assert_eq(filch_sleep(LONG), -ECANCELED);
	leave(&outer);
	cr_assert_eq(filch_checkpoint(), 0);
}

static void *cancel_from_outside(void *arg)
{
	filch_token_cancel(arg, -EINTR);
	return NULL;
}

Test(scope, a_plain_thread_is_woken_by_another)
{
	struct filch_token token;
	pthread_t thread;

	enter(&token, FILCH_NEVER);
	pthread_create(&thread, NULL, cancel_from_outside, &token);
	cr_assert_eq(filch_sleep(LONG), -ECANCELED);
	pthread_join(thread, NULL);
	leave(&token);
}

/* ---- Cancels from plain threads while scopes and groups come and go: CN1, CN21, G2 ---- */

struct target {
	struct filch_token token;
	int ready, stop;
};

static void *cancel_when_ready(void *arg)
{
	struct target *target = arg;

	while (!flag_get(&target->ready))
		sched_yield();
	filch_token_cancel(&target->token, 0);
	return NULL;
}

static int opens_and_closes(void *arg)
{
	struct target *target = arg;
	int status = 0;

	filch_scope_enter(&target->token);
	while (status == 0) {
		struct filch_group group;
		struct filch_token inner;

		filch_token_init(&inner);
		filch_token_set_deadline(&inner, filch_now() + LONG); /* refused once cancelled */
		filch_scope_enter(&inner);
		filch_group_open(&group, NULL);
		filch_group_spawn(&group, do_nothing, NULL);
		filch_group_spawn(&group, do_nothing, NULL);
		flag_add(&target->ready);
		filch_sleep(1);
		status = filch_group_close(&group);
		leave(&inner);
	}
	cr_expect_eq(status, -ECANCELED);
	cr_expect_eq(filch_token_reason(&target->token), -ECANCELED);
	filch_scope_leave(&target->token);
	return 0;
}

Test(scope, a_cancel_from_outside_finds_the_task_whatever_it_opens_and_closes, .timeout = 60)
{
	struct filch_options options = { .size = sizeof(options), .workers = 2 };
	struct filch_runtime *runtime;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	for (int round = 0; round < (sanitize_is_thread() ? 50 : 300); round++) {
		struct target target = { .ready = 0 };
		struct filch_task *task;
		pthread_t thread;
		int status = -1;

		filch_token_init(&target.token);
		pthread_create(&thread, NULL, cancel_when_ready, &target);
		cr_assert_eq(filch_runtime_submit(runtime, NULL, opens_and_closes, &target, &task),
			     0);
		cr_assert_eq(filch_task_wait(task, &status), 0);
		cr_assert_eq(status, 0);
		pthread_join(thread, NULL);
		filch_task_release(task);
		filch_token_fini(&target.token);
	}
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}
