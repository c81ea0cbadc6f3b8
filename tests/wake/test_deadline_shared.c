/* Deadlines that plain threads set on tokens that tasks have their own below. */
#include "wake/scopes.h"

#include <pthread.h>

#define SOON (30 * FILCH_MILLISECOND)

static int works_below(void *arg)
{
	struct filch_token own;

	filch_token_init_below(&own, arg, 0);
	cr_expect_eq(filch_scope_enter(&own), 0);
	cr_expect_eq(filch_sleep(10 * FILCH_SECOND), -ECANCELED);
	cr_expect(!filch_token_expired(&own)); /* it was not the own deadline */
	leave(&own);
	return filch_checkpoint();
}

static int many_work_below(void *arg)
{
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (int i = 0; i < 20; i++)
		filch_group_spawn(&group, works_below, arg);
	return filch_group_close(&group);
}

Test(shared_deadline, it_ends_all_who_work_below_the_token)
{
	static const unsigned workers[] = { 1, 2, 8 };

	for (int i = 0; i < 3; i++) {
		struct filch_token token;

		filch_token_init(&token);
		filch_token_set_deadline(&token, filch_now() + SOON);
		cr_assert_eq(run_with(workers[i], many_work_below, &token), 0);
		cr_assert(filch_token_expired(&token));
		cr_assert_geq(filch_now(), filch_token_deadline(&token));
		filch_token_fini(&token); /* the runtime is gone */
	}
}

/* The earliest of several above, the outermost of equal ones. */
Test(shared_deadline, of_several_above_the_first_expires)
{
	for (int i = 0; i < 3; i++) {
		filch_time when = filch_now() + SOON;
		struct filch_token top, middle, bottom;

		filch_token_init(&top);
		filch_token_init_below(&middle, &top, 0);
		filch_token_init_below(&bottom, &middle, 0);
		filch_token_set_deadline(&top, i == 0 ? when : when + LONG * (i - 1));
		filch_token_set_deadline(&bottom, i == 2 ? when : when + i * LONG);
		cr_assert_eq(run_with(2, many_work_below, &bottom), 0);
		cr_assert_eq(filch_token_expired(&top), i != 2);
		cr_assert_eq(filch_token_expired(&bottom), i == 2);
		cr_assert(!filch_token_expired(&middle));
		filch_token_fini(&bottom);
		filch_token_fini(&middle);
		filch_token_fini(&top);
	}
}

static int finds_it_passed(void *arg)
{
	struct filch_token own;
	int ran = 0;

	spin_until(filch_token_deadline(arg));
	filch_token_init_below(&own, arg, 0);
	filch_scope_enter(&own);
	cr_expect_eq(filch_checkpoint(), -ECANCELED);
	cr_expect(!filch_token_expired(&own));
	cr_expect(filch_token_expired(arg));
	leave(&own);
	cr_expect_eq(filch_scope_run(arg, count_up, &ran, NULL), -ECANCELED);
	return ran;
}

Test(shared_deadline, one_that_has_passed_fails_the_first_checkpoint)
{
	struct filch_token token;

	filch_token_init(&token);
	filch_token_set_deadline(&token, filch_now() + FILCH_MILLISECOND);
	cr_assert_eq(run_with(2, finds_it_passed, &token), 0);
	filch_token_fini(&token);
}

/* The own deadline comes, goes and moves; the one above stays in force. */
static int moves_its_own(void *arg)
{
	struct filch_token own;

	filch_token_init_below(&own, arg, 0);
	cr_expect_eq(filch_token_set_deadline(&own, filch_now() + LONG), 0);
	cr_expect_eq(filch_scope_enter(&own), 0);
	cr_expect_eq(filch_scope_deadline(), filch_token_deadline(arg)); /* TO11 */
	cr_expect_eq(filch_token_set_deadline(&own, filch_now() + 2 * LONG), 0);
	cr_expect_eq(filch_token_set_deadline(&own, FILCH_NEVER), 0);
	cr_expect_eq(filch_sleep(10 * FILCH_SECOND), -ECANCELED);
	cr_expect(filch_token_expired(arg));
	leave(&own);
	return 0;
}

Test(shared_deadline, moving_ones_own_does_not_touch_it)
{
	struct filch_token token;

	filch_token_init(&token);
	filch_token_set_deadline(&token, filch_now() + FILCH_SECOND);
	cr_assert_eq(run_with(2, moves_its_own, &token), 0);
	filch_token_fini(&token);
}

static int has_an_earlier_one(void *arg)
{
	struct filch_token own;

	filch_token_init_below(&own, arg, 0);
	cr_expect_eq(filch_scope_enter_for(&own, FILCH_MILLISECOND), 0);
	cr_expect_eq(filch_sleep(10 * FILCH_SECOND), -ECANCELED);
	cr_expect(filch_token_expired(&own));
	cr_expect(!filch_token_is_cancelled(arg));
	leave(&own);
	return 0;
}

Test(shared_deadline, an_earlier_one_of_ones_own_is_ones_own)
{
	struct filch_token token;

	filch_token_init(&token);
	filch_token_set_deadline(&token, filch_now() + LONG);
	cr_assert_eq(run_with(2, has_an_earlier_one, &token), 0);
	filch_token_fini(&token);
}

static void *put_off(void *arg)
{
	cr_expect_eq(filch_token_set_deadline(arg, filch_now() + LONG), 0);
	return NULL;
}

/* A timer that comes too soon notices it. */
static int sleeps_longer(void *arg)
{
	struct filch_token own;
	pthread_t thread;

	filch_token_set_deadline(arg, FILCH_NEVER);
	filch_token_init_below(&own, arg, 0);
	pthread_create(&thread, NULL, put_off, arg);
	pthread_join(thread, NULL);
	filch_scope_enter(&own);
	cr_expect_eq(filch_sleep(2 * SOON), 0);
	leave(&own);
	return 0;
}

static int is_put_off_inside(void *arg)
{
	struct filch_token own;
	pthread_t thread;

	filch_token_init_below(&own, arg, 0);
	filch_scope_enter(&own);
	pthread_create(&thread, NULL, put_off, arg);
	pthread_join(thread, NULL);
	cr_expect_eq(filch_sleep(2 * FILCH_SECOND), 0);
	leave(&own);
	return sleeps_longer(arg);
}

Test(shared_deadline, one_that_a_thread_puts_off_does_not_expire_before)
{
	struct filch_token token;

	filch_token_init(&token);
	filch_token_set_deadline(&token, filch_now() + FILCH_SECOND);
	cr_assert_eq(run_with(2, is_put_off_inside, &token), 0);
	cr_assert(!filch_token_is_cancelled(&token));
	filch_token_fini(&token);
}

/* Tokens above come and go while those below expire. */
struct churn {
	struct filch_token root;
	int stop;
};

static int enters_and_leaves(void *arg)
{
	struct churn *churn = arg;

	while (!flag_get(&churn->stop)) {
		struct filch_token own;

		filch_token_init_below(&own, &churn->root, 0);
		filch_scope_enter_for(&own, FILCH_SECOND);
		filch_sleep(10 * FILCH_MICROSECOND);
		leave(&own);
		if (filch_yield() < 0)
			return 1;
	}
	return 0;
}

static int works_above_and_below(void *arg)
{
	struct churn *churn = arg;
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (int i = 0; i < 4; i++)
		filch_group_spawn(&group, enters_and_leaves, churn);
	filch_group_spawn(&group, works_below, &churn->root);
	return filch_group_close(&group);
}

static void *expire_above(void *arg)
{
	struct churn *churn = arg;
	filch_time end = filch_now() + 200 * FILCH_MILLISECOND;

	while (filch_now() < end) {
		struct filch_token between;

		filch_token_init_below(&between, &churn->root, 0);
		filch_token_set_deadline(&between, filch_now() + 50 * FILCH_MICROSECOND);
		filch_token_fini(&between);
	}
	filch_token_cancel(&churn->root, 0);
	flag_add(&churn->stop);
	return NULL;
}

Test(shared_deadline, tokens_come_and_go_below_one_with_a_deadline)
{
	struct churn churn = { .stop = 0 };
	pthread_t thread;

	filch_token_init(&churn.root);
	filch_token_set_deadline(&churn.root, filch_now() + LONG);
	pthread_create(&thread, NULL, expire_above, &churn);
	cr_assert_eq(run_with(2, works_above_and_below, &churn), 0);
	pthread_join(thread, NULL);
	filch_token_fini(&churn.root);
}
