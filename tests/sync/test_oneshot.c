/* Oneshot: one value, or none. */
#include "task/play.h"

#include <filch/oneshot.h>
#include <pthread.h>
#include <stdlib.h>

static int memory;

static void make(struct filch_oneshot *oneshot)
{
	cr_expect_eq(filch_oneshot_init(oneshot, sizeof(int), &memory), 0);
}

static int put(struct filch_oneshot *oneshot, int value)
{
	return filch_oneshot_put(oneshot, &value);
}

static int try_get(struct filch_oneshot *oneshot)
{
	int value = 0, status = filch_oneshot_try_get(oneshot, &value);

	return status < 0 ? status : value;
}

/* OS1, OS3 */
Test(oneshot, is_set_once_and_taken_once)
{
	struct filch_oneshot oneshot;
	int value = 0;

	make(&oneshot);
	cr_assert_eq(try_get(&oneshot), -EAGAIN);
	cr_assert_eq(filch_oneshot_get_until(&oneshot, &value, 0), -ETIMEDOUT);
	cr_assert_eq(put(&oneshot, 5), 0);
	cr_assert_eq(put(&oneshot, 6), -EALREADY);
	cr_assert_eq(filch_oneshot_abandon(&oneshot), -EALREADY);
	cr_assert_eq(filch_oneshot_close(&oneshot), -EALREADY);
	cr_assert_eq(filch_oneshot_get(&oneshot, &value), 0);
	cr_assert_eq(value, 5);
	cr_assert_eq(try_get(&oneshot), -EPIPE);
	cr_assert_eq(filch_oneshot_get(&oneshot, &value), -EPIPE);
	cr_assert_eq(put(&oneshot, 7), -EALREADY);
	cr_assert_eq(filch_oneshot_fini(&oneshot), 0);
	cr_assert_eq(filch_oneshot_fini(NULL), 0);
	cr_assert_eq(filch_oneshot_init(&oneshot, 4, NULL), -EINVAL);
	cr_assert_eq(filch_oneshot_get(NULL, &value), -EINVAL);
}

struct pair {
	struct filch_oneshot oneshot;
	int memory, value, status;
};

static int get_pair(void *arg)
{
	struct pair *pair = arg;

	pair->status = filch_oneshot_get(&pair->oneshot, &pair->value);
	return 0;
}

/* OS2 */
static int dropped(void *arg)
{
	struct pair pair = { .value = 3 };
	struct filch_group group;
	struct filch_task *task;

	(void)arg;
	for (int close = 0; close < 2; close++) {
		make(&pair.oneshot);
		filch_group_open(&group, NULL);
		filch_group_spawn(&group, get_pair, &pair);
		while (filch_oneshot_waiting(&pair.oneshot) == 0)
			filch_yield();
		cr_expect_eq(filch_oneshot_fini(&pair.oneshot), -EBUSY);
		cr_expect_eq(close ? filch_oneshot_close(&pair.oneshot)
				   : filch_oneshot_abandon(&pair.oneshot),
			     0);
		filch_group_close(&group);
		cr_expect_eq(pair.status, -EPIPE);
		cr_expect_eq(put(&pair.oneshot, 1), close ? -EPIPE : -EALREADY);
		cr_expect_eq(pair.value, 3);
	}
	make(&pair.oneshot);
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, get_pair, &pair, &task);
	while (filch_oneshot_waiting(&pair.oneshot) == 0)
		filch_yield();
	filch_task_cancel_and_wait(task, 0, NULL);
	filch_task_release(task);
	filch_group_close(&group);
	cr_expect_eq(pair.status, -ECANCELED);
	cr_expect_eq(put(&pair.oneshot, 4), 0);
	cr_expect_eq(try_get(&pair.oneshot), 4);
	return 0;
}

Test(oneshot, either_side_may_leave)
{
	play(dropped);
}

/* G12; and one of many takers has it. */
static int get_and_free(void *arg)
{
	get_pair(arg);
	cr_expect_eq(((struct pair *)arg)->status, 0);
	cr_expect_eq(((struct pair *)arg)->value, 9);
	free(arg);
	return 0;
}

static void *free_in_thread(void *arg)
{
	get_and_free(arg);
	return NULL;
}

static int freed(void *arg)
{
	struct filch_group group;

	(void)arg;
	for (int i = 0; i < 300; i++) {
		struct pair *pair = calloc(1, sizeof(*pair));
		pthread_t thread;

		filch_oneshot_init(&pair->oneshot, sizeof(int), &pair->memory);
		filch_group_open(&group, NULL);
		if (i % 3 == 0)
			pthread_create(&thread, NULL, free_in_thread, pair);
		else
			filch_group_spawn(&group, get_and_free, pair);
		for (int spins = 0; i % 2 == 0 && filch_oneshot_waiting(&pair->oneshot) == 0;
		     spins++)
			filch_yield();
		cr_expect_eq(put(&pair->oneshot, 9), 0);
		filch_group_close(&group);
		if (i % 3 == 0)
			pthread_join(thread, NULL);
	}
	return 0;
}

Test(oneshot, who_gets_the_value_may_free_it)
{
	play(freed);
}

static struct filch_oneshot shared;
static int winners;

static int race(void *arg)
{
	int value, status = filch_oneshot_get(&shared, &value);

	(void)arg;
	if (status == 0)
		flag_add(&winners);
	else
		cr_expect_eq(status, -EPIPE);
	return 0;
}

static int many(void *arg)
{
	struct filch_group group;

	(void)arg;
	for (int round = 0; round < 50; round++) {
		make(&shared);
		winners = 0;
		filch_group_open(&group, NULL);
		for (int i = 0; i < 5; i++)
			filch_group_spawn(&group, race, NULL);
		if (round % 2)
			filch_yield();
		put(&shared, 1);
		filch_group_close(&group);
		cr_expect_eq(winners, 1);
	}
	return 0;
}

Test(oneshot, one_of_many_has_the_value)
{
	play(many);
}
