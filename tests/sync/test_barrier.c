/* The barrier: nobody goes on before all have come; cancels, resets and aborts meanwhile. */
#include "sync/waiters.h"

static int come(struct call *call)
{
	call->index = 99;
	return filch_barrier_wait_until(call->object, &call->index, call->deadline);
}

static struct filch_barrier_statistics look(struct filch_barrier *barrier)
{
	struct filch_barrier_statistics statistics;

	filch_barrier_get_statistics(barrier, &statistics);
	return statistics;
}

/* One that has come, and waits. */
static struct call *arrived(struct scene *scene, struct filch_barrier *barrier)
{
	unsigned waiting = look(barrier).waiting;
	struct call *call = scene_call(scene, come, barrier, 0);

	await_that(look(barrier).waiting == waiting + 1);
	call_await_parked(call);
	return call;
}

static void init_breaking(struct filch_barrier *barrier, unsigned parties)
{
	struct filch_barrier_options options = { .size = sizeof(options) };

	options.policy = FILCH_BARRIER_BREAK;
	cr_expect_eq(filch_barrier_init(barrier, parties, &options), 0);
}

/* BR1, BR3, BR10, G8, G10 */
static int is_alone(void *arg)
{
	struct filch_barrier barrier, zero = { .parties = 0 };
	struct filch_barrier_options options = { .size = 1 };
	struct filch_token token;
	unsigned index = 7;

	(void)arg;
	cr_expect_eq(filch_barrier_init(&barrier, 0, NULL), -EINVAL);
	cr_expect_eq(filch_barrier_init(NULL, 1, NULL), -EINVAL);
	cr_expect_eq(filch_barrier_init(&barrier, 1, &options), -EINVAL);
	cr_expect_eq(filch_barrier_wait(NULL, NULL), -EINVAL);
	cr_expect_eq(filch_barrier_wait(&zero, NULL), -EINVAL);
	cr_expect_eq(filch_barrier_try_wait(&zero, NULL), -EINVAL);
	cr_expect_eq(filch_barrier_reset(NULL), -EINVAL);
	cr_expect_eq(filch_barrier_abort(&zero), -EINVAL);
	cr_expect_eq(filch_barrier_init(&barrier, 1, NULL), 0);
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(filch_barrier_wait(&barrier, &index), 0);
		cr_expect_eq(index, 0);
		cr_expect_eq(filch_barrier_wait_until(&barrier, NULL, 0), 0);
		cr_expect_eq(filch_barrier_try_wait(&barrier, NULL), 0);
	}
	cr_expect_eq(filch_barrier_reset(&barrier), 0);
	enter_cancelled(&token);
	cr_expect_eq(filch_barrier_wait(&barrier, NULL), -ECANCELED);
	leave_cancelled(&token);
	cr_expect_eq(filch_barrier_wait(&barrier, NULL), 0);
	cr_expect_eq(look(&barrier).contended, 0);
	cr_expect_eq(filch_barrier_fini(&barrier), 0);
	cr_expect_eq(filch_barrier_fini(NULL), 0);
	return 0;
}

Test(barrier, of_one_never_parks_and_of_none_is_refused)
{
	play(is_alone);
	cr_assert_eq(is_alone(NULL), 0);
}

/* BR2, BR5, G11 */
static int has_one_leader(void *arg)
{
	struct filch_barrier barrier = FILCH_BARRIER_INIT(36);
	struct scene scene;
	unsigned index = 99;

	(void)arg;
	for (int round = 0; round < 3; round++) {
		scene_open(&scene);
		for (unsigned i = 0; i < 35; i++) {
			cr_expect_eq(look(&barrier).waiting, i);
			cr_expect_eq(filch_barrier_try_wait(&barrier, NULL), -EAGAIN);
			arrived(&scene, &barrier);
		}
		cr_expect_eq(filch_barrier_fini(&barrier), -EBUSY);
		if (round == 1)
			cr_expect_eq(filch_barrier_try_wait(&barrier, &index), 0);
		else
			cr_expect_eq(filch_barrier_wait(&barrier, &index), 0);
		cr_expect_eq(index, 0);
		cr_expect_eq(look(&barrier).waiting, 0);
		scene_close(&scene);
		for (unsigned i = 0; i < 35; i++) {
			cr_expect_eq(scene.calls[i].status, 0);
			cr_expect_eq(scene.calls[i].index, i + 1);
		}
	}
	cr_expect_eq(look(&barrier).generation, 3);
	cr_expect_eq(look(&barrier).contended, 3 * 35);
	cr_expect_eq(filch_barrier_fini(&barrier), 0);
	return 0;
}

Test(barrier, the_last_one_leads_and_the_others_are_numbered_as_they_came)
{
	play(has_one_leader);
}

/* BR6, BR8: nobody goes on before three live ones are there. */
static int is_left(void *arg)
{
	struct filch_barrier barrier = FILCH_BARRIER_INIT(3);
	struct call *gone, *late, *call;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	gone = arrived(&scene, &barrier);
	call = arrived(&scene, &barrier);
	call_cancel(gone);
	/* Its wait is over, whether it has run or not: it does not count. */
	late = scene_call(&scene, come, &barrier, 0);
	call_await(gone);
	await_that(look(&barrier).waiting == 2);
	cr_expect_eq(gone->status, -ECANCELED);
	cr_expect_not(call_is_done(call));
	cr_expect_eq(filch_barrier_wait_until(&barrier, NULL, filch_now() + LONG), 0);
	scene_close(&scene);
	cr_expect_eq(call->status, 0);
	cr_expect_eq(late->status, 0);
	cr_expect_eq(look(&barrier).generation, 1);
	return 0;
}

Test(barrier, who_is_cancelled_takes_its_arrival_back)
{
	play(is_left);
}

/* BR6, BR14 */
static int breaks(void *arg)
{
	struct filch_barrier barrier;
	struct call *gone, *call;
	struct scene scene;

	(void)arg;
	init_breaking(&barrier, 3);
	scene_open(&scene);
	gone = arrived(&scene, &barrier);
	call = arrived(&scene, &barrier);
	call_cancel(gone);
	/* The others are told by it, or by who comes before it has run. */
	cr_expect_eq(filch_barrier_wait(&barrier, NULL), -ENOTRECOVERABLE);
	scene_close(&scene);
	cr_expect_eq(gone->status, -ECANCELED);
	cr_expect_eq(call->status, -ENOTRECOVERABLE);
	cr_expect(look(&barrier).broken);
	cr_expect_eq(filch_barrier_try_wait(&barrier, NULL), -ENOTRECOVERABLE);
	cr_expect_eq(filch_barrier_reset(&barrier), 0);
	cr_expect_not(look(&barrier).broken);

	/* Timed out: a poll, and a wait. */
	for (int i = 0; i < 2; i++) {
		scene_open(&scene);
		call = arrived(&scene, &barrier);
		cr_expect_eq(filch_barrier_wait_until(&barrier, NULL,
						      i * (filch_now() + FILCH_MILLISECOND)),
			     -ETIMEDOUT);
		scene_close(&scene);
		cr_expect_eq(call->status, -ENOTRECOVERABLE);
		cr_expect(look(&barrier).broken);
		cr_expect_eq(filch_barrier_reset(&barrier), 0);
	}
	return 0;
}

Test(barrier, with_the_attribute_who_is_cancelled_or_times_out_breaks_it)
{
	play(breaks);
}

/* BR14 */
static int times_out(void *arg)
{
	struct filch_barrier barrier = FILCH_BARRIER_INIT(2);
	struct scene scene;
	struct call *call;

	(void)arg;
	scene_open(&scene);
	cr_expect_eq(filch_barrier_wait_until(&barrier, NULL, 0), -ETIMEDOUT);
	cr_expect_eq(filch_barrier_wait_until(&barrier, NULL, filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	cr_expect_eq(look(&barrier).waiting, 0);
	call = arrived(&scene, &barrier);
	cr_expect_eq(filch_barrier_wait_until(&barrier, NULL, 0), 0);
	scene_close(&scene);
	cr_expect_eq(call->status, 0);
	cr_expect_not(look(&barrier).broken);
	return 0;
}

Test(barrier, who_times_out_takes_its_arrival_back)
{
	play(times_out);
	cr_assert_eq(run_with(4, times_out, NULL), 0);
}

/* BR7 */
static int is_cancelled_too_late(void *arg)
{
	struct filch_barrier barrier;
	struct scene scene;

	(void)arg;
	init_breaking(&barrier, 4);
	scene_open(&scene);
	for (int i = 0; i < 3; i++)
		arrived(&scene, &barrier);
	cr_expect_eq(filch_barrier_wait(&barrier, NULL), 0);
	for (int i = 0; i < 3; i++)
		filch_task_cancel(scene.calls[i].task, 0);
	scene_close(&scene);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(scene.calls[i].status, 0); /* D0 */
	cr_expect_eq(look(&barrier).waiting, 0);
	cr_expect_not(look(&barrier).broken);
	return 0;
}

Test(barrier, a_cancel_after_the_last_one_came_changes_nothing)
{
	play(is_cancelled_too_late);
}

/* BR9, BR11, BR12, BR13 */
static int is_reset_and_aborted(void *arg)
{
	struct filch_barrier barrier = FILCH_BARRIER_INIT(30);
	struct scene scene;

	(void)arg;
	for (int abort = 0; abort < 2; abort++) {
		/* Those who drain have succeeded. */
		scene_open(&scene);
		for (int i = 0; i < 29; i++)
			arrived(&scene, &barrier);
		cr_expect_eq(filch_barrier_wait(&barrier, NULL), 0);
		cr_expect_eq(abort ? filch_barrier_abort(&barrier) : filch_barrier_reset(&barrier),
			     0);
		cr_expect_eq(look(&barrier).broken, abort != 0);
		scene_close(&scene);
		for (int i = 0; i < 29; i++)
			cr_expect_eq(scene.calls[i].status, 0);
		cr_expect_eq(filch_barrier_reset(&barrier), 0);
		/* Those who wait have not. */
		scene_open(&scene);
		for (int i = 0; i < 20; i++)
			arrived(&scene, &barrier);
		cr_expect_eq(abort ? filch_barrier_abort(&barrier) : filch_barrier_reset(&barrier),
			     0);
		cr_expect_eq(look(&barrier).waiting, 0);
		scene_close(&scene);
		for (int i = 0; i < 20; i++)
			cr_expect_eq(scene.calls[i].status, -ENOTRECOVERABLE);
		if (abort) {
			cr_expect_eq(filch_barrier_wait(&barrier, NULL), -ENOTRECOVERABLE);
			cr_expect_eq(filch_barrier_wait_until(&barrier, NULL, 0), -ENOTRECOVERABLE);
			cr_expect_eq(filch_barrier_abort(&barrier), 0);
			cr_expect_eq(filch_barrier_reset(&barrier), 0);
		}
	}
	cr_expect_not(look(&barrier).broken);
	cr_expect_eq(filch_barrier_wait_until(&barrier, NULL, 0), -ETIMEDOUT);
	return 0;
}

Test(barrier, reset_and_abort_reach_who_waits_and_not_who_was_released)
{
	play(is_reset_and_aborted);
}
