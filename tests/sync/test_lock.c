/* The lock: order, cancels, hand-over, misuse, statistics. */
#include "sync/crew.h"

#include <filch/lock.h>

/* Takes a lock, notes that it has it, waits to be told, releases. */
struct taker {
	struct filch_lock *lock;
	struct crew *crew;
	int index;
	bool stay; /* until go */
	filch_time deadline;
	const void *owner; /* what the statistics called it */
};

static int take_it(void *arg)
{
	struct taker *taker = arg;
	struct filch_lock_statistics statistics;
	int status = filch_lock_acquire_until(taker->lock, taker->deadline);

	taker->crew->status[taker->index] = status;
	if (status < 0)
		return status;
	filch_lock_get_statistics(taker->lock, &statistics);
	cr_expect(statistics.mine && statistics.locked);
	taker->owner = statistics.owner;
	crew_arrive(taker->crew, taker->index);
	if (taker->stay)
		flag_await(&taker->crew->go, 1);
	cr_expect_eq(filch_lock_release(taker->lock), 0);
	return 0;
}

struct scene {
	struct filch_lock lock;
	struct crew crew;
	struct taker takers[16];
	char text[17];
};

/* The caller holds the lock; `count` tasks wait for it, in their order. */
static void open_scene(struct scene *scene, int count, bool stay)
{
	static const struct filch_group_options collect = { .size = sizeof(collect),
							    .policy = FILCH_GROUP_SUPERVISE };

	*scene = (struct scene){ 0 };
	cr_expect_eq(filch_lock_acquire(&scene->lock), 0);
	filch_group_open(&scene->crew.group, &collect);
	for (int i = 0; i < count; i++) {
		scene->takers[i] =
			(struct taker){ &scene->lock, &scene->crew, i, stay, FILCH_NEVER, NULL };
		scene->crew.status[i] = 1;
		cr_expect_eq(filch_group_spawn_with(&scene->crew.group, NULL, take_it,
						    &scene->takers[i], &scene->crew.tasks[i]),
			     0);
		lock_await_waiting(&scene->lock, (unsigned)i + 1);
		task_await_parked(scene->crew.tasks[i]);
	}
}

static void close_scene(struct scene *scene)
{
	filch_group_close(&scene->crew.group);
	for (int i = 0; i < 16; i++)
		filch_task_release(scene->crew.tasks[i]);
	cr_expect_eq(filch_lock_fini(&scene->lock), 0);
}

/* LK1 */
static int one_after_the_other(void *arg)
{
	struct scene scene;
	struct filch_runtime_stats before, after;
	struct filch_lock lock = { 0 };

	(void)arg;
	filch_runtime_stats(filch_runtime_current(), &before);
	cr_expect_eq(filch_lock_acquire(&lock), 0);
	cr_expect_eq(filch_lock_release(&lock), 0);
	filch_runtime_stats(filch_runtime_current(), &after);
	cr_expect_eq(before.parks, after.parks);
	open_scene(&scene, 3, true);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	flag_await(&scene.crew.arrived, 1);
	lock_await_waiting(&scene.lock, 2);
	cr_expect_eq(flag_get(&scene.crew.arrived), 1);
	flag_add(&scene.crew.go);
	close_scene(&scene);
	return 0;
}

Test(lock, the_first_takes_it_the_others_park_and_a_release_wakes_one)
{
	play(one_after_the_other);
}

/* LK2 */
static int first_come(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 8, false);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	close_scene(&scene);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "01234567");
	return 0;
}

Test(lock, waiters_are_served_in_the_order_they_came)
{
	play(first_come);
}

/* LK2: the first was woken and has not come yet; the second has lost its patience meanwhile. */
static int woken_is_not_overtaken(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 2, false);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	if (filch_lock_try_acquire(&scene.lock) == 0) {
		busy_for(3 * FILCH_MILLISECOND);
		cr_expect_eq(filch_lock_release(&scene.lock), 0);
	}
	close_scene(&scene);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "01");
	return 0;
}

Test(lock, who_is_on_its_way_is_not_overtaken_by_who_waits)
{
	for (int i = 0; i < 10; i++)
		play(woken_is_not_overtaken);
}

/* LK3 */
static int spend_and_take(void *arg)
{
	filch_task_set_budget(1);
	return take_it(arg);
}

static int spent_budget(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 0, false);
	for (int i = 0; i < 3; i++) {
		scene.takers[i] =
			(struct taker){ &scene.lock, &scene.crew, i, false, FILCH_NEVER, NULL };
		filch_group_spawn(&scene.crew.group, i == 1 ? take_it : spend_and_take,
				  &scene.takers[i]);
	}
	lock_await_waiting(&scene.lock, 3);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	close_scene(&scene);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "012");
	return 0;
}

Test(lock, a_spent_budget_does_not_cost_the_place_in_the_queue)
{
	cr_assert_eq(run_with(1, spent_budget, NULL), 0);
}

/* LK4 */
static int cancel_in_the_middle(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 5, false);
	cr_expect(filch_task_cancel(scene.crew.tasks[2], 0));
	lock_await_waiting(&scene.lock, 4);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	close_scene(&scene);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "0134");
	cr_expect_eq(scene.crew.status[2], -ECANCELED);
	return 0;
}

Test(lock, a_cancelled_waiter_leaves_the_order_of_the_others)
{
	play(cancel_in_the_middle);
}

/* LK5: granted, then cancelled: it keeps the lock, and the next one gets it after it. */
static int cancel_the_granted(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 2, false);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	filch_task_cancel(scene.crew.tasks[0], 0);
	close_scene(&scene);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "01");
	cr_expect_eq(scene.crew.status[0], 0);
	return 0;
}

Test(lock, who_is_cancelled_after_the_grant_has_it_and_strands_nobody)
{
	play(cancel_the_granted);
}

/* LK6, LK9: cancelled, and still in the queue when the lock is released. */
static int cancel_and_release(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 3, false);
	filch_task_cancel(scene.crew.tasks[0], 0);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	close_scene(&scene);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "12");
	cr_expect_eq(scene.crew.status[0], -ECANCELED);
	return 0;
}

Test(lock, a_cancel_and_a_release_at_once_serve_the_next)
{
	play(cancel_and_release);
}

/* LK7 */
static int one_release_one_owner(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 4, true);
	filch_task_cancel(scene.crew.tasks[1], 0);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	flag_await(&scene.crew.arrived, 1);
	lock_await_waiting(&scene.lock, 2);
	cr_expect_eq(flag_get(&scene.crew.arrived), 1);
	flag_add(&scene.crew.go);
	close_scene(&scene);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "023");
	return 0;
}

Test(lock, one_release_gives_it_to_one_whoever_is_cancelled)
{
	play(one_release_one_owner);
}

/* LK8 */
static int all_cancelled(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 4, false);
	for (int i = 0; i < 4; i++)
		filch_task_cancel(scene.crew.tasks[i], 0);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	cr_expect_eq(filch_lock_try_acquire(&scene.lock), 0);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	close_scene(&scene);
	cr_expect_eq(scene.crew.arrived, 0);
	return 0;
}

Test(lock, when_all_waiters_are_cancelled_it_is_free_at_once)
{
	play(all_cancelled);
}

/* LK14, LK15 */
static int hand_over(void *arg)
{
	struct scene scene;
	struct filch_lock_statistics statistics;

	(void)arg;
	open_scene(&scene, 1, false);
	busy_for(2 * FILCH_MILLISECOND);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	filch_lock_get_statistics(&scene.lock, &statistics);
	cr_expect(statistics.locked && !statistics.mine);
	cr_expect_eq(filch_lock_try_acquire(&scene.lock), -EAGAIN);
	close_scene(&scene);
	cr_expect_eq(scene.takers[0].owner, statistics.owner);
	return 0;
}

/* The same after one that was woken in vain. */
static int hand_over_to_the_tried(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 1, false);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	if (filch_lock_try_acquire(&scene.lock) == 0) {
		for (int i = 0; i < 3; i++)
			filch_yield();
		cr_expect_eq(scene.crew.arrived, 0);
		cr_expect_eq(filch_lock_release(&scene.lock), 0);
		cr_expect_eq(filch_lock_try_acquire(&scene.lock), -EAGAIN);
	}
	close_scene(&scene);
	return 0;
}

Test(lock, it_belongs_to_the_waiter_as_soon_as_it_is_handed_over)
{
	cr_assert_eq(run_with(1, hand_over, NULL), 0);
	cr_assert_eq(run_with(1, hand_over_to_the_tried, NULL), 0);
}

/* LK16 */
struct hog {
	struct filch_lock lock;
	int stop;
};

static int hog_it(void *arg)
{
	struct hog *hog = arg;

	while (!flag_get(&hog->stop)) {
		cr_expect_eq(filch_lock_acquire(&hog->lock), 0);
		busy_for(10 * FILCH_MICROSECOND);
		cr_expect_eq(filch_lock_release(&hog->lock), 0);
	}
	return 0;
}

static int against_a_hog(void *arg)
{
	struct hog hog = { .stop = 0 };
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, hog_it, &hog);
	for (int i = 0; i < 10; i++) {
		filch_sleep(FILCH_MILLISECOND);
		cr_expect_eq(filch_lock_acquire(&hog.lock), 0);
		cr_expect_eq(filch_lock_release(&hog.lock), 0);
	}
	flag_add(&hog.stop);
	return filch_group_close(&group);
}

Test(lock, who_locks_in_a_loop_starves_nobody, .timeout = 30)
{
	play(against_a_hog);
}

/* G8: a deadline that has passed, or passes. */
static int deadlines(void *arg)
{
	const filch_time spans[] = { -1, 0, 1000, FILCH_MILLISECOND };
	struct scene scene;

	(void)arg;
	open_scene(&scene, 0, false);
	for (int i = 0; i < 4; i++) {
		struct filch_group group;

		scene.takers[i] = (struct taker){ .lock = &scene.lock,
						  .crew = &scene.crew,
						  .index = i,
						  .deadline = filch_now() + spans[i] };
		filch_group_open(&group, NULL);
		filch_group_spawn(&group, take_it, &scene.takers[i]);
		cr_expect_eq(filch_group_close(&group), -ETIMEDOUT);
	}
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	cr_expect_eq(filch_lock_acquire_until(&scene.lock, 0), 0);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	cr_expect_eq(filch_lock_acquire_until(&scene.lock, FILCH_NEVER - 1), 0);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	close_scene(&scene);
	return 0;
}

Test(lock, a_passed_deadline_polls_once)
{
	play(deadlines);
}

/* G5, LK18 */
static int cancelled_callers(void *arg)
{
	struct scene scene;
	struct filch_token token;

	(void)arg;
	open_scene(&scene, 1, false);
	filch_token_init(&token);
	filch_scope_enter(&token);
	filch_token_cancel(&token, 0);
	cr_expect_eq(filch_sleep(FILCH_SECOND), -ECANCELED); /* holding it */
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	cr_expect_eq(filch_lock_acquire(&scene.lock), -ECANCELED);
	filch_scope_leave(&token);
	filch_token_fini(&token);
	cr_expect_eq(filch_lock_acquire(&scene.lock), 0);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	close_scene(&scene);
	cr_expect_eq(scene.crew.arrived, 1);
	return 0;
}

Test(lock, a_cancelled_holder_releases_and_a_cancelled_caller_has_nothing)
{
	play(cancelled_callers);
}

/* LK23 */
static int statistics_of(void *arg)
{
	struct scene scene;
	struct filch_lock_statistics at;

	(void)arg;
	open_scene(&scene, 0, false);
	filch_lock_get_statistics(&scene.lock, &at);
	cr_expect(at.locked && at.mine && at.owner && !at.broken);
	cr_expect(at.waiting == 0 && at.contended == 0);
	for (int i = 0; i < 3; i++) {
		scene.takers[i] =
			(struct taker){ &scene.lock, &scene.crew, i, false, FILCH_NEVER, NULL };
		filch_group_spawn(&scene.crew.group, take_it, &scene.takers[i]);
	}
	lock_await_waiting(&scene.lock, 3);
	filch_lock_get_statistics(&scene.lock, &at);
	cr_expect(at.mine && at.waiting == 3 && at.contended == 3);
	cr_expect_eq(filch_lock_fini(&scene.lock), -EBUSY);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	filch_group_close(&scene.crew.group);
	filch_lock_get_statistics(&scene.lock, &at);
	cr_expect(!at.locked && !at.mine && !at.owner && at.waiting == 0 && at.contended == 3);
	return 0;
}

Test(lock, statistics_are_right_at_each_step)
{
	play(statistics_of);
}
