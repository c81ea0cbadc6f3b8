/* The semaphore: first in, first out, whatever is cancelled, closed or taken away meanwhile. */
#include "sync/waiters.h"

static int acquire(struct call *call)
{
	return filch_semaphore_acquire_many_until(call->object, call->amount, call->deadline);
}

static struct filch_semaphore_statistics look(struct filch_semaphore *semaphore)
{
	struct filch_semaphore_statistics statistics;

	filch_semaphore_get_statistics(semaphore, &statistics);
	return statistics;
}

/* A call that waits in line behind all others. */
static struct call *in_line(struct scene *scene, struct filch_semaphore *semaphore, int64_t permits)
{
	unsigned waiting = look(semaphore).waiting;
	struct call *call = scene_call(scene, acquire, semaphore, permits);

	await_that(look(semaphore).waiting == waiting + 1);
	call_await_parked(call);
	return call;
}

/* SM1, SM14, SM18, SM10 */
Test(semaphore, values_out_of_range_are_refused)
{
	struct filch_semaphore semaphore;

	cr_assert_eq(filch_semaphore_init(&semaphore, -1), -EINVAL);
	cr_assert_eq(filch_semaphore_init(&semaphore, FILCH_SEMAPHORE_MAX + 1), -EINVAL);
	cr_assert_eq(filch_semaphore_init(NULL, 0), -EINVAL);
	cr_assert_eq(filch_semaphore_init_bounded(&semaphore, 0, 0), -EINVAL);
	cr_assert_eq(filch_semaphore_init_bounded(&semaphore, 3, 2), -EINVAL);
	cr_assert_eq(filch_semaphore_init(&semaphore, 0), 0);
	cr_assert_eq(filch_semaphore_try_acquire(&semaphore), -EAGAIN);
	cr_assert_eq(filch_semaphore_acquire_many(&semaphore, -1), -EINVAL);
	cr_assert_eq(filch_semaphore_release_many(&semaphore, -1), -EINVAL);
	cr_assert_eq(filch_semaphore_acquire(NULL), -EINVAL);
	cr_assert_eq(filch_semaphore_release(NULL), -EINVAL);
	cr_assert_eq(filch_semaphore_acquire_many(&semaphore, FILCH_SEMAPHORE_MAX + 1), -EINVAL);
	cr_assert_eq(filch_semaphore_fini(&semaphore), 0);
	cr_assert_eq(filch_semaphore_fini(NULL), 0);
}

Test(semaphore, more_than_there_can_be_is_an_error_and_changes_nothing)
{
	struct filch_semaphore semaphore;

	cr_assert_eq(filch_semaphore_init(&semaphore, FILCH_SEMAPHORE_MAX - 1), 0);
	cr_assert_eq(filch_semaphore_release_many(&semaphore, 2), -EOVERFLOW);
	cr_assert_eq(filch_semaphore_release_many(&semaphore, INT64_MAX), -EOVERFLOW);
	cr_assert_eq(filch_semaphore_release(&semaphore), 0);
	cr_assert_eq(filch_semaphore_release(&semaphore), -EOVERFLOW);
	cr_assert_eq(look(&semaphore).permits, FILCH_SEMAPHORE_MAX);
	cr_assert_eq(filch_semaphore_acquire_many(&semaphore, FILCH_SEMAPHORE_MAX), 0);
	cr_assert_eq(look(&semaphore).permits, 0);
}

/* The example in the header; G8 */
static struct filch_semaphore slots = FILCH_SEMAPHORE_INIT(4);

Test(semaphore, counts_in_a_plain_thread)
{
	for (int i = 0; i < 4; i++)
		cr_assert_eq(filch_semaphore_acquire(&slots), 0);
	cr_assert_eq(filch_semaphore_try_acquire(&slots), -EAGAIN);
	cr_assert_eq(filch_semaphore_acquire_until(&slots, 0), -ETIMEDOUT);
	cr_assert_eq(filch_semaphore_acquire_until(&slots, filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	cr_assert_eq(look(&slots).waiting, 0);
	cr_assert_leq(look(&slots).contended, 1);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(filch_semaphore_release(&slots), 0);
	cr_assert_eq(filch_semaphore_acquire_until(&slots, 0), 0);
	cr_assert_eq(filch_semaphore_acquire_many_until(&slots, 3, 0), 0);
	cr_assert_eq(filch_semaphore_acquire_many(&slots, 0), 0);
	cr_assert_eq(filch_semaphore_release_many(&slots, 4), 0);
	cr_assert_eq(filch_semaphore_fini(&slots), 0);
}

/* SM2, SM4, G11 */
static int three_releases(void *arg)
{
	struct filch_semaphore semaphore = { .bound = 0 };
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 3; i++)
		in_line(&scene, &semaphore, 1);
	cr_expect_eq(filch_semaphore_fini(&semaphore), -EBUSY);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(filch_semaphore_release(&semaphore), 0);
	cr_expect_eq(look(&semaphore).permits, 0);
	for (int i = 0; i < 3; i++)
		call_await(&scene.calls[i]);
	scene_close(&scene);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(scene.calls[i].status, 0);
	cr_expect_eq(look(&semaphore).permits, 0);
	cr_expect_eq(look(&semaphore).contended, 3);
	cr_expect_eq(filch_semaphore_fini(&semaphore), 0);
	return 0;
}

Test(semaphore, three_releases_in_a_row_wake_three)
{
	play(three_releases);
}

/* SM3 */
struct turns {
	struct filch_semaphore semaphore;
	int turn[9];
	int count;
	int begun;
};

struct taker {
	struct turns *turns;
	int id;
};

static int takes_turns(void *arg)
{
	struct taker *taker = arg;
	struct turns *turns = taker->turns;

	for (int i = 0; i < 3; i++) {
		cr_expect_eq(filch_semaphore_acquire(&turns->semaphore), 0);
		turns->turn[turns->count++] = taker->id;
		/* The others are in line. */
		await_that(look(&turns->semaphore).waiting == 2 || turns->count > 6);
		filch_semaphore_release(&turns->semaphore);
	}
	return 0;
}

static int in_turn(void *arg)
{
	struct turns turns = { .count = 0 };
	struct taker takers[3];
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 3; i++) {
		takers[i] = (struct taker){ &turns, i };
		filch_group_spawn(&group, takes_turns, &takers[i]);
		await_that(look(&turns.semaphore).waiting == (unsigned)i + 1);
	}
	filch_semaphore_release(&turns.semaphore);
	cr_expect_eq(filch_group_close(&group), 0);
	for (int i = 0; i < 9; i++)
		cr_expect_eq(turns.turn[i], i % 3, "turn %d had %d", i, turns.turn[i]);
	cr_expect_eq(look(&turns.semaphore).permits, 1);
	return 0;
}

Test(semaphore, tasks_that_take_turns_get_them_in_order)
{
	play(in_turn);
}

/* SM5, SM9, D0: a granted acquire keeps its permit when it is cancelled afterwards. */
static int granted_and_cancelled(void *arg)
{
	struct filch_semaphore semaphore = { .bound = 0 };
	struct call *first, *second;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	first = in_line(&scene, &semaphore, 1);
	second = in_line(&scene, &semaphore, 1);
	filch_semaphore_release(&semaphore);
	/* It is the first one's by now, whether that has run or not. */
	cr_expect_eq(filch_semaphore_try_acquire(&semaphore), -EAGAIN);
	cr_expect_eq(filch_semaphore_acquire_until(&semaphore, 0), -ETIMEDOUT);
	filch_task_cancel(first->task, 0);
	call_await(first);
	cr_expect_eq(first->status, 0);
	cr_expect_not(call_is_done(second));
	cr_expect_eq(look(&semaphore).waiting, 1);
	filch_semaphore_release(&semaphore);
	call_await(second);
	cr_expect_eq(second->status, 0);
	scene_close(&scene);
	cr_expect_eq(look(&semaphore).permits, 0);
	return 0;
}

Test(semaphore, a_granted_acquire_keeps_its_permit_and_nobody_gets_past_it)
{
	play(granted_and_cancelled);
}

/* SM6, SM7, SM8, G2 */
static int cancels_two_of_four(void *arg)
{
	struct filch_semaphore semaphore = { .bound = 0 };
	struct call *call[4];
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 4; i++)
		call[i] = in_line(&scene, &semaphore, 1);
	call_cancel(call[0]);
	call_cancel(call[1]);
	filch_semaphore_release(&semaphore);
	call_await(call[2]);
	call_await(call[0]);
	call_await(call[1]);
	cr_expect_eq(call[0]->status, -ECANCELED);
	cr_expect_eq(call[1]->status, -ECANCELED);
	cr_expect_eq(call[2]->status, 0);
	cr_expect_not(call_is_done(call[3]));
	cr_expect_eq(look(&semaphore).waiting, 1);
	call_cancel(call[3]);
	/* Its wait is over, though it may not have run: it does not count any more. */
	cr_expect_eq(filch_semaphore_release(&semaphore), 0);
	cr_expect_not(look(&semaphore).locked);
	cr_expect_eq(filch_semaphore_try_acquire(&semaphore), 0);
	cr_expect_eq(filch_semaphore_release(&semaphore), 0);
	cr_expect_eq(filch_semaphore_acquire(&semaphore), 0);
	scene_close(&scene);
	cr_expect_eq(call[3]->status, -ECANCELED);
	cr_expect_eq(look(&semaphore).waiting, 0);
	return 0;
}

Test(semaphore, a_release_passes_over_cancelled_waiters)
{
	play(cancels_two_of_four);
}

/* SM8, SM12, SM13 */
static int wants_many(void *arg)
{
	struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(3);
	struct call *big, *small, *last;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	big = in_line(&scene, &semaphore, 8);
	small = in_line(&scene, &semaphore, 2);
	last = in_line(&scene, &semaphore, 5);
	/* Permits are free, and nobody gets them. */
	cr_expect(look(&semaphore).locked);
	cr_expect_eq(look(&semaphore).permits, 3);
	cr_expect_eq(filch_semaphore_try_acquire(&semaphore), -EAGAIN);
	filch_semaphore_release_many(&semaphore, 3);
	cr_expect_eq(look(&semaphore).permits, 6);
	cr_expect_not(call_is_done(small));
	call_cancel(big);
	call_await(small);
	call_await(big);
	cr_expect_eq(big->status, -ECANCELED);
	cr_expect_eq(small->status, 0);
	cr_expect_eq(look(&semaphore).permits, 4);
	cr_expect_not(call_is_done(last));
	filch_semaphore_release_many(&semaphore, 1);
	call_await(last);
	cr_expect_eq(last->status, 0);
	cr_expect_eq(look(&semaphore).permits, 0);
	scene_close(&scene);
	return 0;
}

Test(semaphore, a_large_acquire_blocks_those_behind_it_until_it_is_served_or_leaves)
{
	play(wants_many);
}

static int times_out_at_the_head(void *arg)
{
	struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(3);
	struct scene scene;
	struct call *big;

	(void)arg;
	scene_open(&scene);
	big = scene_call(&scene, acquire, &semaphore, 8);
	await_that(look(&semaphore).waiting == 1);
	for (int i = 0; i < 3; i++)
		in_line(&scene, &semaphore, 1);
	call_cancel(big);
	for (int i = 1; i < 4; i++)
		call_await(&scene.calls[i]);
	scene_close(&scene);
	cr_expect_eq(look(&semaphore).permits, 0);
	/* And with a timeout. */
	filch_semaphore_release_many(&semaphore, 3);
	scene_open(&scene);
	big = &scene.calls[scene.count++];
	*big = (struct call){ .fn = acquire, .object = &semaphore, .amount = 8 };
	big->deadline = filch_now() + 20 * FILCH_MILLISECOND;
	big->order = &scene.order;
	filch_group_spawn_with(&scene.group, NULL, make_call, big, &big->task);
	await_that(look(&semaphore).waiting == 1 || call_is_done(big));
	for (int i = 0; i < 3; i++)
		scene_call(&scene, acquire, &semaphore, 1);
	scene_close(&scene);
	cr_expect_eq(big->status, -ETIMEDOUT);
	cr_expect_eq(look(&semaphore).permits, 0);
	return 0;
}

Test(semaphore, who_leaves_the_head_of_the_line_lets_the_next_ones_go)
{
	play(times_out_at_the_head);
}

/* SM10, SM11, SM14 */
static int is_bounded(void *arg)
{
	struct filch_semaphore semaphore;
	struct scene scene;
	struct call *call;

	(void)arg;
	cr_expect_eq(filch_semaphore_init_bounded(&semaphore, 2, 2), 0);
	cr_expect_eq(filch_semaphore_release(&semaphore), -EOVERFLOW);
	cr_expect_eq(look(&semaphore).permits, 2);
	cr_expect_eq(filch_semaphore_acquire_many(&semaphore, 3), -EINVAL);
	cr_expect_eq(filch_semaphore_try_acquire_many(&semaphore, 3), -EINVAL);
	cr_expect_eq(filch_semaphore_acquire_many(&semaphore, 2), 0);
	scene_open(&scene);
	call = in_line(&scene, &semaphore, 1);
	filch_semaphore_release(&semaphore);
	filch_task_cancel(call->task, 0);
	/* The permit that was granted is out, one was never given back: two may come. */
	cr_expect_eq(filch_semaphore_release_many(&semaphore, 3), -EOVERFLOW);
	cr_expect_eq(filch_semaphore_release_many(&semaphore, 2), 0);
	cr_expect_eq(filch_semaphore_release(&semaphore), -EOVERFLOW);
	scene_close(&scene);
	cr_expect_eq(call->status, 0);
	cr_expect_eq(look(&semaphore).permits, 2);
	return 0;
}

Test(semaphore, a_bound_holds_whatever_is_granted_and_cancelled)
{
	play(is_bounded);
}

/* SM15, G5 */
static int is_cancelled_already(void *arg)
{
	struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(3);
	struct filch_token token;

	(void)arg;
	enter_cancelled(&token);
	cr_expect_eq(filch_semaphore_acquire(&semaphore), -ECANCELED);
	cr_expect_eq(filch_semaphore_acquire_many(&semaphore, 2), -ECANCELED);
	cr_expect_eq(filch_semaphore_acquire_until(&semaphore, 0), -ECANCELED);
	cr_expect_eq(look(&semaphore).permits, 3);
	cr_expect_eq(filch_semaphore_try_acquire(&semaphore), 0);
	leave_cancelled(&token);
	cr_expect_eq(look(&semaphore).permits, 2);
	return 0;
}

Test(semaphore, a_cancelled_scope_takes_no_permit)
{
	play(is_cancelled_already);
	cr_assert_eq(is_cancelled_already(NULL), 0); /* a plain thread */
}

/* SM16, SM17 */
static int closes(void *arg)
{
	struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(1);
	struct scene scene;
	int64_t taken = -1;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 35; i++) /* more than one batch */
		in_line(&scene, &semaphore, 2);
	cr_expect_eq(filch_semaphore_close(&semaphore), 0);
	cr_expect_eq(filch_semaphore_close(&semaphore), -EPIPE);
	scene_close(&scene);
	for (int i = 0; i < 35; i++)
		cr_expect_eq(scene.calls[i].status, -EPIPE);
	cr_expect_eq(filch_semaphore_acquire(&semaphore), -EPIPE);
	cr_expect_eq(filch_semaphore_try_acquire(&semaphore), -EPIPE);
	cr_expect_eq(filch_semaphore_acquire_until(&semaphore, 0), -EPIPE);
	cr_expect_eq(filch_semaphore_release_many(&semaphore, 4), 0);
	cr_expect_eq(look(&semaphore).permits, 5);
	cr_expect_eq(filch_semaphore_reduce(&semaphore, 2, &taken), 0);
	cr_expect_eq(taken, 2);
	cr_expect_eq(filch_semaphore_reduce(&semaphore, 9, &taken), 0);
	cr_expect_eq(taken, 3);
	cr_expect_eq(filch_semaphore_reduce(&semaphore, 1, NULL), 0);
	cr_expect_eq(filch_semaphore_reduce(&semaphore, -1, NULL), -EINVAL);
	cr_expect_eq(look(&semaphore).permits, 0);
	cr_expect(look(&semaphore).closed);
	cr_expect_eq(filch_semaphore_acquire(&semaphore), -EPIPE);
	cr_expect_eq(filch_semaphore_fini(&semaphore), 0);
	return 0;
}

Test(semaphore, closing_wakes_everybody_and_is_for_good)
{
	play(closes);
}

static int is_served_in_batches(void *arg)
{
	struct filch_semaphore semaphore = { .bound = 0 };
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 40; i++)
		in_line(&scene, &semaphore, 1);
	filch_semaphore_release_many(&semaphore, 39);
	await_that(flag_get(&scene.order) == 39);
	cr_expect_eq(look(&semaphore).waiting, 1);
	cr_expect_not(call_is_done(&scene.calls[39]));
	filch_semaphore_release(&semaphore);
	scene_close(&scene);
	cr_expect_eq(look(&semaphore).permits, 0);
	return 0;
}

Test(semaphore, one_release_of_many_serves_as_many)
{
	play(is_served_in_batches);
}
