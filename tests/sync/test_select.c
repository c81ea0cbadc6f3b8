/* Select: exactly one arm fires, and the others might as well not have been there. */
#include "sync/queues.h"

#include <filch/lock.h>
#include <string.h>

static struct filch_queue one, two;

static void make_both(size_t capacity)
{
	make_queue(&one, capacity);
	make_queue(&two, capacity);
}

static void end_both(void)
{
	end_queue(&one);
	end_queue(&two);
}

/* ---- SL1, SL9: and what each kind of arm does ---- */

struct choice {
	struct filch_arm arms[8];
	size_t count, index;
	int status;
	int value;
	int done;
};

static int call_select(void *arg)
{
	struct choice *choice = arg;

	choice->status = filch_select_wait(choice->arms, choice->count, 0, &choice->index);
	flag_add(&choice->done);
	return choice->status == -ECANCELED ? -ECANCELED : 0;
}

/* Those who come to hold the lock: they must let it go themselves. */
static int select_and_release(void *arg)
{
	struct choice *choice = arg;

	choice->status = filch_select_wait(choice->arms, choice->count, 0, &choice->index);
	if (choice->status == 0 && choice->index == 2)
		filch_lock_release(choice->arms[2].object);
	flag_add(&choice->done);
	return 0;
}

static int each_kind(void *arg)
{
	struct filch_lock lock = { .waiting = 0 };

	(void)arg;
	for (size_t winner = 0; winner < 6; winner++) {
		struct choice choice = { .count = 6 };
		struct filch_group group, other;
		struct filch_task *task, *selecting;
		struct filch_token token;
		struct filch_lock_statistics statistics;
		int value = 77, result = 0, put = 55, release = 0;

		make_both(1);
		put_int(&two, 1);
		filch_lock_acquire(&lock);
		filch_token_init_below(&token, NULL, 0);
		filch_group_open(&group, NULL);
		filch_group_open(&other, NULL);
		filch_group_spawn_with(&other, NULL, sleep_for_ever, NULL, &task);
		choice.arms[0] = filch_queue_get_arm(&one, &value);
		choice.arms[1] = filch_queue_put_arm(&two, &put);
		choice.arms[2] = filch_lock_arm(&lock);
		choice.arms[3] = filch_task_arm(task, &result);
		choice.arms[4] = filch_token_arm(&token);
		choice.arms[5] = filch_timer_arm(FILCH_NEVER);
		choice.arms[2].disabled = true; /* -EDEADLK */
		cr_expect_eq(filch_select_try_wait(choice.arms, 6, 0, NULL), -EAGAIN);
		choice.arms[2].disabled = false;
		if (winner == 5)
			choice.arms[5] = filch_timer_arm(filch_now() + FILCH_MILLISECOND);
		selecting = start_parked(&group, select_and_release, &choice);
		if (winner == 0)
			put_int(&one, 9);
		else if (winner == 1)
			cr_expect_eq(get_int(&two), 1);
		else if (winner == 2)
			release = filch_lock_release(&lock);
		else if (winner == 3)
			filch_task_cancel(task, 0);
		else if (winner == 4)
			filch_token_cancel(&token, 0);
		flag_await(&choice.done, 1);
		cr_expect_eq(release, 0);
		cr_expect_eq(choice.status, 0);
		cr_expect_eq(choice.index, winner);
		cr_expect_eq(choice.arms[winner].status, 0);
		cr_expect_eq(value, winner == 0 ? 9 : 77);
		cr_expect_eq(result, winner == 3 ? -ECANCELED : 0);
		cr_expect_eq(look(&one).getters, 0u);
		cr_expect_eq(look(&two).putters, 0u);
		cr_expect_eq(filch_queue_size(&one), 0u);
		cr_expect_eq(try_get_int(&two), winner == 1 ? 55 : 1);
		filch_lock_get_statistics(&lock, &statistics);
		cr_expect_eq(statistics.waiting, 0u);
		cr_expect_eq(statistics.mine, winner != 2);
		if (winner != 2)
			filch_lock_release(&lock);
		filch_group_cancel(&other, 0);
		filch_group_close(&other);
		filch_group_close(&group);
		filch_task_release(selecting);
		filch_task_release(task);
		filch_token_fini(&token);
		cr_expect_eq(filch_lock_fini(&lock), 0);
		end_both();
	}
	return 0;
}

Test(select, one_arm_fires_and_the_others_hold_nothing)
{
	play(each_kind);
}

static int at_once(void *arg)
{
	struct filch_lock lock = { .waiting = 0 };
	struct filch_token token;
	struct filch_arm arm;
	struct filch_group group;
	struct filch_task *task;
	size_t index = 9;
	int value = 3, status;

	(void)arg;
	make_queue(&one, 1);
	filch_token_init_below(&token, NULL, 0);
	filch_token_cancel(&token, 0);
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, return_int, &value, &task);
	filch_task_wait(task, NULL);
	arm = filch_queue_put_arm(&one, &value);
	cr_expect_eq(filch_select_wait(&arm, 1, 0, &index), 0);
	cr_expect_eq(index, 0u);
	arm = filch_lock_arm(&lock);
	cr_expect_eq(filch_select_wait(&arm, 1, 0, &index), 0);
	cr_expect_eq(arm.status, 0);
	cr_expect_eq(filch_select_try_wait(&arm, 1, 0, &index), 0);
	cr_expect_eq(arm.status, -EDEADLK);
	cr_expect_eq(filch_lock_release(&lock), 0);
	arm = filch_token_arm(&token);
	cr_expect_eq(filch_select_try_wait(&arm, 1, 0, &index), 0);
	arm = filch_task_arm(task, &status);
	cr_expect_eq(filch_select_try_wait(&arm, 1, 0, &index), 0);
	cr_expect_eq(status, 3);
	arm = filch_timer_arm(filch_now());
	cr_expect_eq(filch_select_try_wait(&arm, 1, 0, &index), 0);
	arm = filch_timer_arm(FILCH_NEVER);
	cr_expect_eq(filch_select_wait_until(&arm, 1, 0, &index, filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	arm = filch_timer_arm(filch_now() + FILCH_MILLISECOND);
	cr_expect_eq(filch_select_wait(&arm, 1, 0, &index), 0);
	cr_expect_geq(filch_now(), (filch_time)arm.number);
	filch_group_close(&group);
	filch_task_release(task);
	filch_token_fini(&token);
	end_queue(&one);
	return 0;
}

Test(select, what_is_ready_fires_at_once)
{
	play(at_once);
}

/* ---- SL2 ---- */

#define TRIALS 10000

static int even(void *arg)
{
	struct filch_arm arms[6];
	unsigned fired[6] = { 0 };
	int values[6];
	/* Six nines: 4.9 standard deviations of a binomial with p = 1/3. */
	double mean = TRIALS / 3.0, bound = 4.9 * 47.14;

	(void)arg;
	make_both(1);
	filch_queue_shutdown(&one, false);
	for (int i = 0; i < 6; i++)
		arms[i] = filch_queue_get_arm(i == 0 || i == 1 || i == 5 ? &one : &two, &values[i]);
	for (int i = 0; i < TRIALS; i++) {
		size_t index = 0;

		cr_expect_eq(filch_select_wait(arms, 6, 0, &index), 0);
		fired[index]++;
	}
	for (int i = 0; i < 6; i++) {
		double expected = i == 0 || i == 1 || i == 5 ? mean : 0;

		cr_expect(fired[i] > expected - bound - 1 && fired[i] < expected + bound + 1,
			  "arm %d: %u", i, fired[i]);
		cr_expect(expected > 0 || fired[i] == 0);
	}
	for (int i = 0; i < 100; i++) {
		size_t index = 9;

		cr_expect_eq(filch_select_wait(arms + 1, 5, FILCH_SELECT_ORDERED, &index), 0);
		cr_expect_eq(index, 0u);
		cr_expect_eq(filch_select_wait(arms + 2, 4, FILCH_SELECT_ORDERED, &index), 0);
		cr_expect_eq(index, 3u);
	}
	end_both();
	return 0;
}

Test(select, of_several_ready_arms_each_has_its_turn_or_the_first)
{
	play(even);
	even(NULL);
}

/* ---- SL3 ---- */

#define SNAPSHOTS 20000
static int go, back, missed;

static void *look_for_one(void *arg)
{
	for (int round = 1; round <= SNAPSHOTS; round++) {
		int value;
		struct filch_arm arms[2] = { filch_queue_get_arm(&one, &value),
					     filch_queue_get_arm(&two, &value) };

		flag_await(&go, round);
		if (filch_select_try_wait(arms, 2, 0, NULL) != 0)
			flag_add(&missed);
		flag_add(&back);
	}
	return arg;
}

Test(select, a_look_at_several_sees_them_at_one_instant)
{
	pthread_t thread;

	make_both(1);
	pthread_create(&thread, NULL, look_for_one, NULL);
	for (int round = 1; round <= SNAPSHOTS; round++) {
		struct filch_queue *first = round & 1 ? &one : &two;
		struct filch_queue *second = round & 1 ? &two : &one;

		try_put_int(first, 1);
		flag_add(&go);
		try_put_int(second, 2);
		try_get_int(first);
		flag_await(&back, round);
		try_get_int(first);
		try_get_int(second);
	}
	pthread_join(thread, NULL);
	cr_assert_eq(missed, 0);
	end_both();
}

/* ---- SL4 ---- */

static int doubles(void *arg)
{
	struct choice choice = { .count = 4 };
	struct filch_group group;
	int in = 0, out = 4, again = 0;

	(void)arg;
	for (int round = 0; round < 3; round++) {
		make_queue(&one, 0);
		choice.done = 0;
		in = again = 0;
		choice.arms[0] = filch_queue_get_arm(&one, &in);
		choice.arms[1] = filch_queue_get_arm(&one, &again);
		choice.arms[2] = choice.arms[3] = filch_queue_put_arm(&one, &out);
		cr_expect_eq(filch_select_try_wait(choice.arms, 4, 0, NULL), -EAGAIN);
		cr_expect_eq(filch_select_wait_until(choice.arms, 4, 0, NULL,
						     filch_now() + FILCH_MILLISECOND),
			     -ETIMEDOUT);
		filch_group_open(&group, NULL);
		filch_group_spawn(&group, call_select, &choice);
		await_getters(&one, 2);
		await_putters(&one, 2);
		if (round == 0)
			cr_expect_eq(put_int(&one, 8), 0);
		else
			cr_expect_eq(round == 1 ? get_int(&one) : try_get_int(&one), 4);
		filch_group_close(&group);
		cr_expect_eq(in + again, round == 0 ? 8 : 0);
		cr_expect_eq(choice.index >= 2, round > 0);
		cr_expect_eq(try_get_int(&one), -EAGAIN);
		end_queue(&one);
	}
	return 0;
}

Test(select, nothing_is_delivered_to_oneself_and_doubles_do_no_harm)
{
	play(doubles);
}

/* ---- SL5, SL10, CH18 ---- */

static int nothing(void *arg)
{
	struct choice choice = { .count = 0 };
	struct filch_group group;
	struct filch_task *task;
	struct filch_arm arms[2];
	int value;

	(void)arg;
	cr_expect_eq(filch_select_try_wait(NULL, 0, 0, NULL), -EAGAIN);
	cr_expect_eq(filch_select_wait_until(NULL, 0, 0, NULL, 0), -ETIMEDOUT);
	cr_expect_eq(filch_select_wait_until(NULL, 0, 0, NULL, filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	cr_expect_eq(filch_select_wait(NULL, 1, 0, NULL), -EINVAL);
	for (int i = 0; i < 2; i++) {
		choice.count = (size_t)i;
		choice.arms[0] = filch_queue_get_arm(NULL, &value);
		filch_group_open(&group, NULL);
		task = start(&group, call_select, &choice);
		cr_expect_eq(filch_task_wait_until(task, NULL, filch_now() + FILCH_MILLISECOND),
			     -ETIMEDOUT);
		filch_task_cancel(task, 0);
		filch_group_close(&group);
		cr_expect_eq(choice.status, -ECANCELED);
		filch_task_release(task);
	}
	make_queue(&one, 1);
	put_int(&one, 5);
	arms[0] = filch_queue_get_arm(&one, &value);
	arms[1] = filch_receiver_arm(NULL, &value);
	arms[0].disabled = true;
	cr_expect_eq(filch_select_wait(arms, 1, 0, NULL), -EINVAL);
	cr_expect_eq(filch_select_try_wait(arms, 1, 0, NULL), -EINVAL);
	cr_expect_eq(filch_select_try_wait(arms, 2, 0, NULL), -EAGAIN);
	cr_expect_eq(filch_queue_size(&one), 1u);
	end_queue(&one);
	return 0;
}

Test(select, without_arms_it_waits_until_it_is_cancelled)
{
	play(nothing);
}

/* ---- SL6 ---- */

static int closed(void *arg)
{
	struct choice choice = { .count = 2 };
	struct filch_group group;
	int in = 0, out = 1;

	(void)arg;
	make_both(1);
	put_int(&two, 1);
	choice.arms[0] = filch_queue_get_arm(&one, &in);
	choice.arms[1] = filch_queue_put_arm(&two, &out);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_select, &choice);
	await_putters(&two, 1);
	await_getters(&one, 1);
	filch_queue_shutdown(&two, false);
	filch_group_close(&group);
	cr_expect_eq(choice.status, 0);
	cr_expect_eq(choice.index, 1u);
	cr_expect_eq(choice.arms[1].status, -EPIPE);
	filch_queue_shutdown(&one, false);
	choice.arms[1].disabled = true;
	cr_expect_eq(filch_select_wait(choice.arms, 2, 0, &choice.index), 0);
	cr_expect_eq(choice.index, 0u);
	cr_expect_eq(choice.arms[0].status, -EPIPE);
	end_both();
	return 0;
}

Test(select, a_closed_arm_is_always_ready)
{
	play(closed);
}

/* ---- SL7: both in both orders, two tasks and a thread of each kind ---- */

#define CROSSINGS 5000
static int taken[2], given[2];

/* Until the queues are shut down by who was the last. */
static void cross(struct filch_queue *from, struct filch_queue *to, int side, unsigned flags)
{
	int in, out = 1;

	for (;;) {
		struct filch_arm arms[2] = { filch_queue_get_arm(from, &in),
					     filch_queue_put_arm(to, &out) };
		size_t index = 2;

		cr_expect_eq(filch_select_wait(arms, 2, flags, &index), 0);
		if (arms[index].status < 0)
			return;
		flag_add(index == 0 ? &taken[side] : &given[1 - side]);
		if (flag_get(&taken[0]) + flag_get(&taken[1]) >= CROSSINGS) {
			filch_queue_shutdown(&one, false);
			filch_queue_shutdown(&two, false);
		}
	}
}

static int cross_one(void *arg)
{
	(void)arg;
	cross(&one, &two, 0, FILCH_SELECT_ORDERED);
	return 0;
}

static int cross_two(void *arg)
{
	(void)arg;
	cross(&two, &one, 1, FILCH_SELECT_ORDERED);
	return 0;
}

static void *cross_thread(void *arg)
{
	cross(arg, arg == &one ? &two : &one, arg != &one, 0);
	return NULL;
}

static int crossing(void *arg)
{
	struct filch_group group;
	pthread_t threads[2];

	(void)arg;
	make_both(0);
	memset(taken, 0, sizeof(taken));
	memset(given, 0, sizeof(given));
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, cross_one, NULL);
	filch_group_spawn(&group, cross_two, NULL);
	pthread_create(&threads[0], NULL, cross_thread, &one);
	pthread_create(&threads[1], NULL, cross_thread, &two);
	filch_group_close(&group);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++)
		cr_expect_eq(taken[i], given[i]);
	cr_expect_geq(taken[0] + taken[1], CROSSINGS);
	end_both();
	return 0;
}

Test(select, selects_in_opposite_orders_do_not_lock_up)
{
	play(crossing);
}

/* ---- SL8 ---- */

static int many_cancelled(void *arg)
{
	struct filch_token token;
	struct filch_lock lock = { .waiting = 0 };
	struct filch_lock_statistics statistics;
	struct filch_task *task;
	struct filch_group group;
	int in, out = 1;

	(void)arg;
	make_both(1);
	put_int(&two, 1);
	filch_token_init_below(&token, NULL, 0);
	filch_lock_acquire(&lock);
	filch_group_open(&group, NULL);
	task = start(&group, sleep_for_ever, NULL);
	for (int i = 0; i < 100000; i++) {
		struct filch_arm arms[5] = { filch_queue_get_arm(&one, &in),
					     filch_queue_put_arm(&two, &out), filch_lock_arm(NULL),
					     filch_task_arm(task, NULL), filch_token_arm(&token) };

		cr_expect_eq(i % 100 ? filch_select_try_wait(arms, 5, 0, NULL) == -EAGAIN
				     : filch_select_wait_until(arms, 5, 0, NULL, filch_now() + 1) ==
					       -ETIMEDOUT,
			     true);
	}
	cr_expect_eq(look(&one).getters, 0u);
	cr_expect_eq(look(&two).putters, 0u);
	filch_lock_get_statistics(&lock, &statistics);
	cr_expect_eq(statistics.waiting, 0u);
	cr_expect(!filch_token_remove_callback(NULL));
	filch_lock_release(&lock);
	filch_group_cancel(&group, 0);
	filch_group_close(&group);
	filch_task_release(task);
	filch_token_fini(&token);
	end_both();
	return 0;
}

Test(select, one_that_ends_without_an_arm_leaves_nothing_behind)
{
	play(many_cancelled);
}

/* ---- SL11, CH10 ---- */

static int peer(void *arg)
{
	flag_add(arg);
	return 0;
}

static int hot_arm(void *arg)
{
	struct filch_group group;
	struct filch_token token;
	int ran = 0, value = 0;

	(void)arg;
	make_queue(&one, 1);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, peer, &ran);
	/* Starved, the peer would never run, and this never end. */
	for (int i = 0; i < 1000 || !flag_get(&ran); i++) {
		struct filch_arm arms[2] = { filch_queue_get_arm(&one, &value),
					     filch_queue_put_arm(&one, &value) };

		cr_expect_eq(filch_select_wait(arms, 2, 0, NULL), 0);
	}
	filch_group_close(&group);
	while (try_get_int(&one) >= 0)
		;
	put_int(&one, 5);
	filch_token_init(&token);
	filch_token_cancel(&token, 0);
	filch_scope_enter(&token);
	{
		struct filch_arm arm = filch_queue_get_arm(&one, &value);

		cr_expect_eq(filch_select_wait(&arm, 1, 0, NULL), -ECANCELED);
		cr_expect_eq(filch_queue_size(&one), 1u);
		cr_expect_eq(filch_select_try_wait(&arm, 1, 0, NULL), 0);
	}
	filch_scope_leave(&token);
	filch_token_fini(&token);
	end_queue(&one);
	return 0;
}

Test(select, an_arm_that_is_always_ready_does_not_starve_others)
{
	play(hot_arm);
}

static int broken_lock(void *arg)
{
	struct filch_lock *lock = arg;

	filch_lock_acquire(lock);
	while (filch_yield() == 0) {
		struct filch_lock_statistics statistics;

		filch_lock_get_statistics(lock, &statistics);
		if (statistics.waiting == 1)
			break;
	}
	return 0; /* holding it */
}

static int owner_dies(void *arg)
{
	struct filch_lock lock = { .waiting = 0 };
	struct choice choice = { .count = 1 };
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, broken_lock, &lock);
	for (;;) {
		struct filch_lock_statistics statistics;

		filch_lock_get_statistics(&lock, &statistics);
		if (statistics.locked)
			break;
		filch_yield();
	}
	choice.arms[0] = filch_lock_arm(&lock);
	cr_expect_eq(filch_select_wait(choice.arms, 1, 0, &choice.index), 0);
	cr_expect_eq(choice.arms[0].status, -EOWNERDEAD);
	filch_group_close(&group);
	filch_lock_repair(&lock);
	cr_expect_eq(filch_lock_fini(&lock), 0);
	return 0;
}

Test(select, a_lock_that_breaks_fires_its_arm)
{
	play(owner_dies);
}
