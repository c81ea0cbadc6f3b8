/* The latch: who waits goes on at zero, and not before. */
#include "sync/waiters.h"

static int wait_for(struct call *call)
{
	return filch_latch_wait_until(call->object, call->deadline);
}

static struct filch_latch_statistics look(struct filch_latch *latch)
{
	struct filch_latch_statistics statistics;

	filch_latch_get_statistics(latch, &statistics);
	return statistics;
}

static struct call *in_line(struct scene *scene, struct filch_latch *latch)
{
	unsigned waiting = look(latch).waiting;
	struct call *call = scene_call(scene, wait_for, latch, 0);

	await_that(look(latch).waiting == waiting + 1);
	call_await_parked(call);
	return call;
}

/* WG1, G5, G8, G10, G11 */
static int is_counted(void *arg)
{
	struct filch_latch latch = FILCH_LATCH_INIT(2), zero = { .line = { .waiting = 0 } };
	struct filch_token token;
	struct scene scene;

	(void)arg;
	cr_expect_eq(filch_latch_wait(&zero), 0);
	cr_expect_eq(filch_latch_done(&zero, 1), -EOVERFLOW);
	cr_expect_eq(filch_latch_add(&zero, FILCH_LATCH_MAX + 1), -EOVERFLOW);
	cr_expect_eq(filch_latch_done(&latch, 3), -EOVERFLOW);
	cr_expect_eq(look(&latch).count, 2);
	cr_expect_eq(filch_latch_try_wait(&latch), -EAGAIN);
	cr_expect_eq(filch_latch_wait_until(&latch, 0), -ETIMEDOUT);
	cr_expect_eq(filch_latch_wait_until(&latch, filch_now() + FILCH_MILLISECOND), -ETIMEDOUT);
	scene_open(&scene);
	in_line(&scene, &latch);
	cr_expect_eq(filch_latch_fini(&latch), -EBUSY);
	cr_expect_eq(filch_latch_done(&latch, 3), -EOVERFLOW); /* also when somebody waits */
	cr_expect_eq(filch_latch_done(&latch, 1), 0);
	cr_expect_eq(filch_latch_add(&latch, FILCH_LATCH_MAX), -EOVERFLOW);
	cr_expect_eq(look(&latch).waiting, 1);
	cr_expect_eq(filch_latch_done(&latch, 1), 0);
	scene_close(&scene);
	cr_expect_eq(scene.calls[0].status, 0);
	cr_expect_eq(filch_latch_try_wait(&latch), 0);
	cr_expect_eq(filch_latch_done(&latch, 1), -EOVERFLOW);
	enter_cancelled(&token);
	cr_expect_eq(filch_latch_wait(&latch), -ECANCELED);
	cr_expect_eq(filch_latch_try_wait(&latch), 0);
	leave_cancelled(&token);
	cr_expect_eq(filch_latch_add(NULL, 1), -EINVAL);
	cr_expect_eq(filch_latch_done(NULL, 1), -EINVAL);
	cr_expect_eq(filch_latch_wait(NULL), -EINVAL);
	cr_expect_eq(filch_latch_try_wait(NULL), -EINVAL);
	cr_expect_eq(filch_latch_fini(&latch), 0);
	cr_expect_eq(filch_latch_fini(NULL), 0);
	return 0;
}

Test(latch, below_zero_is_an_error_and_changes_nothing)
{
	play(is_counted);
}

/* G2, G3: a cancelled wait leaves nothing behind; one woken at zero has succeeded. */
static int is_cancelled(void *arg)
{
	struct filch_latch latch = FILCH_LATCH_INIT(1);
	struct call *gone, *call;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	gone = in_line(&scene, &latch);
	call = in_line(&scene, &latch);
	call_cancel(gone);
	call_await(gone);
	cr_expect_eq(look(&latch).waiting, 1);
	cr_expect_eq(filch_latch_done(&latch, 1), 0);
	filch_task_cancel(call->task, 0);
	scene_close(&scene);
	cr_expect_eq(gone->status, -ECANCELED);
	cr_expect_eq(call->status, 0); /* D0 */
	return 0;
}

Test(latch, a_cancelled_wait_leaves_and_one_that_was_woken_has_succeeded)
{
	play(is_cancelled);
}

/* ---- Crowds ---- */

struct crowd {
	struct filch_latch latch;
	int value[40]; /* plain */
	int next;
	int waiting;
};

static int does(void *arg)
{
	struct crowd *crowd = arg;
	int self = __atomic_fetch_add(&crowd->next, 1, __ATOMIC_RELAXED);

	crowd->value[self] = self + 1;
	cr_expect_eq(filch_latch_done(&crowd->latch, 1), 0);
	return 0;
}

static int waits(void *arg)
{
	struct crowd *crowd = arg;
	int sum = 0;

	cr_expect_eq(filch_latch_wait(&crowd->latch), 0);
	for (int i = 0; i < 40; i++)
		sum += crowd->value[i];
	cr_expect_eq(sum, 820);
	return 0;
}

static void *waits_as_thread(void *arg)
{
	waits(arg);
	return NULL;
}

/* WG2, WG3, G13 */
static int is_used_again(void *arg)
{
	const int many = rounds(100);
	struct crowd crowd = { .next = 0 };

	(void)arg;
	for (int round = 0; round < many; round++) {
		struct filch_group group;
		pthread_t thread;

		for (int i = 0; i < 40; i++)
			crowd.value[i] = 0;
		crowd.next = 0;
		cr_expect_eq(filch_latch_add(&crowd.latch, 40), 0);
		filch_group_open(&group, NULL);
		pthread_create(&thread, NULL, waits_as_thread, &crowd);
		for (int i = 0; i < 40; i++) {
			if (i % 2)
				filch_group_spawn(&group, waits, &crowd);
			filch_group_spawn(&group, does, &crowd);
		}
		waits(&crowd);
		filch_group_close(&group);
		pthread_join(thread, NULL);
		cr_expect_eq(look(&crowd.latch).count, 0);
		cr_expect_eq(look(&crowd.latch).waiting, 0);
	}
	return 0;
}

Test(latch, who_waits_sees_all_that_was_done_round_after_round, .timeout = 60)
{
	play_crowded(is_used_again);
}

/* WG4: a group counts a child before it can run, so that nothing is to be added. */
static int is_a_group(void *arg)
{
	struct filch_group group;
	int count = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 100; i++)
		filch_group_spawn(&group, count_up, &count);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(count, 100);
	return 0;
}

Test(latch, a_group_counts_its_children_before_they_run)
{
	play(is_a_group);
}

/* Raised and lowered by many, while some wait and give up: the count is right at the end. */
static int raises(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&crowd;

	for (int i = rounds(500); i > 0; i--) {
		uint64_t by = next_random(&seed) % 3 + 1;

		cr_expect_eq(filch_latch_add(&crowd->latch, by), 0);
		if (next_random(&seed) % 2)
			filch_yield();
		while (by-- > 0)
			cr_expect_eq(filch_latch_done(&crowd->latch, 1), 0);
		if (next_random(&seed) % 4 == 0)
			filch_latch_wait_until(&crowd->latch,
					       filch_now() + next_random(&seed) % 20000);
	}
	return 0;
}

static int is_raised_and_lowered(void *arg)
{
	struct crowd crowd = { .next = 0 };
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 16; i++)
		filch_group_spawn(&group, raises, &crowd);
	filch_group_close(&group);
	cr_expect_eq(look(&crowd.latch).count, 0);
	cr_expect_eq(look(&crowd.latch).waiting, 0);
	cr_expect_eq(filch_latch_wait(&crowd.latch), 0);
	return 0;
}

Test(latch, the_count_is_right_whoever_waits_and_gives_up, .timeout = 60)
{
	play_crowded(is_raised_and_lowered);
}

/* G12 */
static int does_one(void *arg)
{
	cr_expect_eq(filch_latch_done(arg, 1), 0);
	return 0;
}

static void *does_one_as_thread(void *arg)
{
	does_one(arg);
	return NULL;
}

static int frees_at_once(void *arg)
{
	const int many = rounds(2000);

	(void)arg;
	for (int i = 0; i < many; i++) {
		struct filch_latch *latch = calloc(1, sizeof(*latch));
		bool threaded = i % 8 == 0;
		struct filch_group group;
		pthread_t thread;

		filch_latch_add(latch, 2);
		filch_group_open(&group, NULL);
		filch_group_spawn(&group, does_one, latch);
		if (threaded)
			pthread_create(&thread, NULL, does_one_as_thread, latch);
		else
			filch_group_spawn(&group, does_one, latch);
		if (i % 2)
			filch_yield();
		cr_expect_eq(filch_latch_wait(latch), 0);
		free(latch);
		filch_group_close(&group);
		if (threaded)
			pthread_join(thread, NULL);
	}
	return 0;
}

Test(latch, may_be_freed_by_who_waited, .timeout = 60)
{
	play_crowded(frees_at_once);
}
