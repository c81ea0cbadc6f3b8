/* The parking lot: woken in order, moved to another lot, broken; and nobody stays behind. */
#include "sync/waiters.h"

static int park(struct call *call)
{
	return filch_parking_lot_park_until(call->object, call->deadline);
}

static struct filch_parking_lot_statistics look(struct filch_parking_lot *lot)
{
	struct filch_parking_lot_statistics statistics;

	filch_parking_lot_get_statistics(lot, &statistics);
	return statistics;
}

static struct call *parked(struct scene *scene, struct filch_parking_lot *lot)
{
	unsigned waiting = look(lot).waiting;
	struct call *call = scene_call(scene, park, lot, 0);

	await_that(look(lot).waiting == waiting + 1);
	call_await_parked(call);
	return call;
}

static size_t unpark(struct filch_parking_lot *lot, size_t count)
{
	size_t woken = 99;

	cr_expect_eq(filch_parking_lot_unpark(lot, count, &woken), 0);
	return woken;
}

/* PK1, G5, G8, G10, G11 */
static int is_fifo(void *arg)
{
	struct filch_parking_lot lot = FILCH_PARKING_LOT_INIT;
	struct filch_token token;
	struct scene scene;

	(void)arg;
	cr_expect_eq(unpark(&lot, 1), 0);
	cr_expect_eq(unpark(&lot, FILCH_PARKING_LOT_ALL), 0);
	cr_expect_eq(filch_parking_lot_park_until(&lot, 0), -ETIMEDOUT);
	cr_expect_eq(filch_parking_lot_park_until(&lot, filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	enter_cancelled(&token);
	cr_expect_eq(filch_parking_lot_park(&lot), -ECANCELED);
	leave_cancelled(&token);
	cr_expect_leq(look(&lot).parked, 1);
	scene_open(&scene);
	for (int i = 0; i < 40; i++)
		parked(&scene, &lot);
	cr_expect_eq(filch_parking_lot_fini(&lot), -EBUSY);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(unpark(&lot, 1), 1);
		call_await(&scene.calls[i]);
	}
	cr_expect_eq(unpark(&lot, 0), 0);
	cr_expect_eq(unpark(&lot, 17), 17);
	cr_expect_eq(look(&lot).waiting, 20);
	for (int i = 3; i < 20; i++)
		call_await(&scene.calls[i]);
	cr_expect_eq(scene.order, 20);
	cr_expect_eq(unpark(&lot, FILCH_PARKING_LOT_ALL), 20);
	scene_close(&scene);
	for (int i = 0; i < 40; i++)
		cr_expect_eq(scene.calls[i].status, 0);
	cr_expect_eq(filch_parking_lot_unpark(&lot, 1, NULL), 0);
	cr_expect_eq(filch_parking_lot_park(NULL), -EINVAL);
	cr_expect_eq(filch_parking_lot_unpark(NULL, 1, NULL), -EINVAL);
	cr_expect_eq(filch_parking_lot_break(NULL), -EINVAL);
	cr_expect_eq(filch_parking_lot_fini(&lot), 0);
	cr_expect_eq(filch_parking_lot_fini(NULL), 0);
	return 0;
}

Test(parking_lot, unparks_the_oldest_and_nobody_when_it_is_empty)
{
	play(is_fifo);
}

/* G2, G3: cancelled ones do not count. */
static int passes_over(void *arg)
{
	struct filch_parking_lot lot = FILCH_PARKING_LOT_INIT;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 20; i++)
		parked(&scene, &lot);
	for (int i = 0; i < 20; i += 2)
		call_cancel(&scene.calls[i]);
	cr_expect_eq(unpark(&lot, 3), 3);
	for (int i = 1; i < 6; i += 2)
		call_await(&scene.calls[i]);
	cr_expect_eq(unpark(&lot, FILCH_PARKING_LOT_ALL), 7);
	scene_close(&scene);
	for (int i = 0; i < 20; i++)
		cr_expect_eq(scene.calls[i].status, i % 2 ? 0 : -ECANCELED);
	cr_expect_eq(look(&lot).waiting, 0);
	cr_expect_eq(filch_parking_lot_fini(&lot), 0);
	return 0;
}

Test(parking_lot, who_was_cancelled_is_passed_over_and_leaves)
{
	play(passes_over);
}

/* PK2 */
static int moves(void *arg)
{
	struct filch_parking_lot from = FILCH_PARKING_LOT_INIT, to = FILCH_PARKING_LOT_INIT;
	struct filch_parking_lot *a = &from, *b = &to;
	struct scene scene;
	size_t moved = 99;

	(void)arg;
	cr_expect_eq(filch_parking_lot_repark(a, a, 1, NULL), -EINVAL);
	cr_expect_eq(filch_parking_lot_repark(NULL, a, 1, NULL), -EINVAL);
	cr_expect_eq(filch_parking_lot_repark(a, b, 5, &moved), 0);
	cr_expect_eq(moved, 0);
	for (int round = 0; round < 2; round++) {
		scene_open(&scene);
		for (int i = 0; i < 6; i++)
			parked(&scene, i < 2 ? b : a);
		cr_expect_eq(filch_parking_lot_repark(a, b, 3, &moved), 0);
		cr_expect_eq(moved, 3);
		cr_expect_eq(look(a).waiting, 1);
		cr_expect_eq(look(b).waiting, 5);
		call_cancel(&scene.calls[3]);
		call_await(&scene.calls[3]);
		cr_expect_eq(look(b).waiting, 4); /* it has left the lot it was moved to */
		static const int order[] = { 0, 1, 2, 4 };
		for (int i = 0; i < 4; i++) {
			cr_expect_eq(unpark(b, 1), 1);
			call_await(&scene.calls[order[i]]);
			cr_expect_eq(scene.calls[order[i]].status, 0);
		}
		cr_expect_eq(unpark(b, FILCH_PARKING_LOT_ALL), 0);
		cr_expect_eq(filch_parking_lot_repark(a, b, FILCH_PARKING_LOT_ALL, NULL), 0);
		cr_expect_eq(unpark(b, 1), 1);
		scene_close(&scene);
		cr_expect_eq(scene.calls[3].status, -ECANCELED);
		cr_expect_eq(scene.calls[5].status, 0);
		a = &to; /* and the other way round: the guards are taken by address */
		b = &from;
	}
	return 0;
}

Test(parking_lot, the_moved_keep_their_order_and_can_be_cancelled_in_the_new_lot)
{
	play(moves);
}

/* PK3 */
static int is_broken(void *arg)
{
	struct filch_parking_lot lot = FILCH_PARKING_LOT_INIT, other = FILCH_PARKING_LOT_INIT;
	struct scene scene;
	size_t moved = 99;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 35; i++)
		parked(&scene, &lot);
	cr_expect_eq(filch_parking_lot_break(&lot), 0);
	cr_expect_eq(filch_parking_lot_break(&lot), -EALREADY);
	scene_close(&scene);
	for (int i = 0; i < 35; i++)
		cr_expect_eq(scene.calls[i].status, -ENOTRECOVERABLE);
	cr_expect_eq(filch_parking_lot_park(&lot), -ENOTRECOVERABLE);
	cr_expect_eq(filch_parking_lot_park_until(&lot, 0), -ENOTRECOVERABLE);
	cr_expect(look(&lot).broken);
	cr_expect_eq(look(&lot).waiting, 0);
	scene_open(&scene);
	parked(&scene, &other);
	cr_expect_eq(filch_parking_lot_repark(&other, &lot, 1, &moved), -ENOTRECOVERABLE);
	cr_expect_eq(moved, 0);
	cr_expect_eq(unpark(&other, 1), 1);
	scene_close(&scene);
	cr_expect_eq(scene.calls[0].status, 0);
	cr_expect_eq(filch_parking_lot_fini(&lot), 0);
	return 0;
}

Test(parking_lot, breaking_wakes_all_and_refuses_who_comes)
{
	play(is_broken);
}

/* ---- Crowds: as many return as were woken, whoever is moved, cancelled or late ---- */

struct crowd {
	struct filch_parking_lot lots[3];
	int woken, late;
	int rounds;
	int stop;
	int left;
};

static int parks(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&crowd ^ (uint32_t)filch_now();

	for (int i = 0; i < crowd->rounds; i++) {
		struct filch_token token;
		int status;

		filch_token_init(&token);
		if (next_random(&seed) % 2)
			filch_token_set_deadline(&token, filch_now() + next_random(&seed) % 90000);
		filch_scope_enter(&token);
		status = filch_parking_lot_park_until(&crowd->lots[next_random(&seed) % 3],
						      filch_now() + next_random(&seed) % 90000);
		cr_expect(status == 0 || status == -ETIMEDOUT || status == -ECANCELED);
		flag_add(status == 0 ? &crowd->woken : &crowd->late);
		filch_scope_leave(&token);
		filch_token_fini(&token);
	}
	return 0;
}

static void *parks_as_thread(void *arg)
{
	parks(arg);
	return NULL;
}

static void *moves_as_thread(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)filch_now();

	while (!flag_get(&crowd->stop)) {
		uint32_t from = next_random(&seed) % 3;

		filch_parking_lot_repark(&crowd->lots[from], &crowd->lots[(from + 1) % 3],
					 next_random(&seed) % 8, NULL);
		sched_yield();
	}
	return NULL;
}

static void *wakes_as_thread(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)filch_now() ^ 99;
	size_t sum = 0;

	while (!flag_get(&crowd->stop)) {
		sum += unpark(&crowd->lots[next_random(&seed) % 3], next_random(&seed) % 25);
		sched_yield();
	}
	return (void *)sum;
}

static int is_crowded(void *arg)
{
	struct crowd crowd = { .rounds = rounds(200) };
	struct filch_group group;
	pthread_t threads[5];
	void *woken[2];

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 40; i++)
		filch_group_spawn(&group, parks, &crowd);
	pthread_create(&threads[0], NULL, wakes_as_thread, &crowd);
	pthread_create(&threads[1], NULL, wakes_as_thread, &crowd);
	pthread_create(&threads[2], NULL, moves_as_thread, &crowd);
	pthread_create(&threads[3], NULL, moves_as_thread, &crowd);
	pthread_create(&threads[4], NULL, parks_as_thread, &crowd);
	filch_group_close(&group);
	pthread_join(threads[4], NULL);
	flag_add(&crowd.stop);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], i < 2 ? &woken[i] : NULL);
	cr_expect_eq((size_t)crowd.woken, (size_t)woken[0] + (size_t)woken[1]);
	cr_expect_eq(crowd.woken + crowd.late, 41 * crowd.rounds);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(filch_parking_lot_fini(&crowd.lots[i]), 0);
	return 0;
}

Test(parking_lot, as_many_return_as_were_woken_wherever_they_were_moved, .timeout = 60)
{
	play_crowded(is_crowded);
}

/* G12: broken once; the last of forty to return frees it. */
static int parks_and_frees(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)filch_now();
	/* At least one is there until it is broken. */
	bool surely = __atomic_fetch_add(&crowd->late, 1, __ATOMIC_RELAXED) == 0;
	filch_time deadline = surely || next_random(&seed) % 3
				      ? FILCH_NEVER
				      : filch_now() + next_random(&seed) % 200000;

	filch_parking_lot_park_until(&crowd->lots[0], deadline);
	if (__atomic_sub_fetch(&crowd->left, 1, __ATOMIC_ACQ_REL) == 0)
		free(crowd);
	return 0;
}

static int is_freed_by_the_last(void *arg)
{
	const int many = rounds(300);

	(void)arg;
	for (int i = 0; i < many; i++) {
		struct crowd *crowd = calloc(1, sizeof(*crowd));
		struct filch_group group;

		crowd->left = 40;
		filch_group_open(&group, NULL);
		for (int k = 0; k < 40; k++)
			filch_group_spawn(&group, parks_and_frees, crowd);
		if (i % 2)
			await_that(look(&crowd->lots[0]).parked >= 20);
		cr_expect_eq(filch_parking_lot_break(&crowd->lots[0]), 0);
		filch_group_close(&group);
	}
	return 0;
}

Test(parking_lot, may_be_freed_by_the_last_one_to_return, .timeout = 60)
{
	play_crowded(is_freed_by_the_last);
}
