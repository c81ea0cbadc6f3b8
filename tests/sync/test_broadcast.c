/* Broadcast: every value to every receiver, or how many were lost. */
#include "task/play.h"

#include <filch/broadcast.h>
#include <pthread.h>

static struct filch_broadcast broadcast;

static void make(size_t capacity)
{
	struct filch_broadcast_options options = { .size = sizeof(options),
						   .element_size = sizeof(int),
						   .capacity = capacity };

	cr_expect_eq(filch_broadcast_init(&broadcast, &options), 0);
}

static int put(int value)
{
	return filch_broadcast_put(&broadcast, &value, NULL);
}

/* The value, or the error; -EOVERFLOW: minus the number lost, from -1000 downwards. */
static int try_get(struct filch_broadcast_receiver *receiver)
{
	uint64_t lost = 0;
	int value = 0, status = filch_broadcast_try_get(receiver, &value, &lost);

	return status == -EOVERFLOW ? -1000 - (int)lost : status < 0 ? status : value;
}

/* BC1 */
static int subscribed(void *arg)
{
	struct filch_broadcast_receiver first, second;
	size_t count = 9;
	int value = 5;

	(void)arg;
	make(4);
	cr_expect_eq(filch_broadcast_put(&broadcast, &value, &count), -EPIPE);
	cr_expect_eq(count, 0u);
	filch_broadcast_subscribe(&broadcast, &first);
	cr_expect_eq(put(1), 0);
	filch_broadcast_subscribe(&broadcast, &second);
	cr_expect_eq(filch_broadcast_put(&broadcast, &value, &count), 0);
	cr_expect_eq(count, 2u);
	cr_expect_eq(try_get(&first), 1);
	cr_expect_eq(try_get(&first), 5);
	cr_expect_eq(try_get(&first), -EAGAIN);
	cr_expect_eq(filch_broadcast_get_until(&first, &value, NULL, 1), -ETIMEDOUT);
	cr_expect_eq(try_get(&second), 5);
	cr_expect_eq(filch_broadcast_fini(&broadcast), -EBUSY);
	filch_broadcast_unsubscribe(&first);
	filch_broadcast_unsubscribe(&first);
	filch_broadcast_unsubscribe(&second);
	cr_expect_eq(filch_broadcast_fini(&broadcast), 0);
	return 0;
}

Test(broadcast, who_has_subscribed_gets_what_is_put_from_then_on)
{
	play(subscribed);
	subscribed(NULL);
}

/* BC2, BC3 */
Test(broadcast, who_is_slow_is_told_once_how_many_it_has_lost)
{
	for (size_t capacity = 1; capacity < 5; capacity++) {
		struct filch_broadcast_receiver slow;
		int n = (int)capacity;

		make(capacity);
		filch_broadcast_subscribe(&broadcast, &slow);
		for (int i = 0; i < n + 3; i++)
			put(i);
		cr_assert_eq(try_get(&slow), -1003);
		cr_assert_eq(try_get(&slow), 3);
		/* Again, before the rest is read. */
		for (int i = 0; i < n + 1; i++)
			put(100 + i);
		cr_assert_eq(try_get(&slow), -1000 - n);
		for (int i = 0; i < n; i++)
			cr_assert_eq(try_get(&slow), 101 + i);
		cr_assert_eq(try_get(&slow), -EAGAIN);
		for (int i = 0; i < n; i++)
			put(i); /* exactly full: nothing is lost */
		cr_assert_eq(try_get(&slow), 0);
		filch_broadcast_unsubscribe(&slow);
		cr_assert_eq(filch_broadcast_fini(&broadcast), 0);
	}
}

/* BC4 */
static int waited;

static int wait_for_end(void *arg)
{
	struct filch_broadcast_receiver *receiver = arg;
	int value, status;

	while ((status = filch_broadcast_get(receiver, &value, NULL)) == 0)
		;
	cr_expect_eq(status, -ENODATA);
	flag_add(&waited);
	return 0;
}

static int closing(void *arg)
{
	struct filch_broadcast_receiver receiver, late;
	struct filch_group group;

	(void)arg;
	make(4);
	filch_broadcast_subscribe(&broadcast, &receiver);
	filch_broadcast_unsubscribe(&receiver);
	cr_expect_eq(put(1), -EPIPE);
	filch_broadcast_subscribe(&broadcast, &receiver); /* and again there is one */
	cr_expect_eq(put(2), 0);
	cr_expect_eq(try_get(&receiver), 2);
	cr_expect_eq(filch_broadcast_add_sender(&broadcast), 0);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, wait_for_end, &receiver);
	while (filch_broadcast_waiting(&broadcast) == 0)
		filch_yield();
	cr_expect_eq(filch_broadcast_close(&broadcast), 0);
	cr_expect_eq(filch_broadcast_waiting(&broadcast), 1u);
	put(3);
	cr_expect_eq(filch_broadcast_close(&broadcast), 0);
	filch_group_close(&group);
	cr_expect_eq(filch_broadcast_close(&broadcast), -EOVERFLOW);
	cr_expect_eq(filch_broadcast_add_sender(&broadcast), -EPIPE);
	cr_expect_eq(put(4), -EPIPE);
	filch_broadcast_subscribe(&broadcast, &late);
	cr_expect_eq(filch_broadcast_get(&late, &waited, NULL), -ENODATA);
	filch_broadcast_unsubscribe(&late);
	filch_broadcast_unsubscribe(&receiver);
	cr_expect_eq(filch_broadcast_fini(&broadcast), 0);
	return 0;
}

Test(broadcast, after_the_last_sender_receivers_drain_and_get_the_end)
{
	play(closing);
}

/* BC5; and each value comes once, in order, or is counted as lost. */
#define VALUES 20000

struct wide {
	int number;
	int copies[15];
};

static int follow(void *arg)
{
	struct filch_broadcast_receiver *receiver = arg;
	struct wide wide;
	uint64_t lost, expected = 0;
	int status;

	for (;;) {
		lost = 0;
		status = filch_broadcast_get(receiver, &wide, &lost);
		if (status == -EOVERFLOW) {
			cr_expect_gt(lost, 0u);
			expected += lost;
			continue;
		}
		if (status < 0)
			break;
		cr_expect_eq((uint64_t)wide.number, expected);
		for (int i = 0; i < 15; i++)
			cr_expect_eq(wide.copies[i], wide.number);
		expected++;
	}
	cr_expect_eq(status, -ENODATA);
	cr_expect_eq(expected, (uint64_t)VALUES);
	return 0;
}

static void *follow_thread(void *arg)
{
	follow(arg);
	return NULL;
}

static int followed(void *arg)
{
	struct filch_broadcast_options options = { .size = sizeof(options),
						   .element_size = sizeof(struct wide),
						   .capacity = 8 };
	struct filch_broadcast_receiver receivers[4];
	struct filch_group group;
	pthread_t thread;

	(void)arg;
	cr_expect_eq(filch_broadcast_init(&broadcast, &options), 0);
	filch_group_open(&group, NULL);
	for (int i = 0; i < 4; i++)
		filch_broadcast_subscribe(&broadcast, &receivers[i]);
	for (int i = 0; i < 3; i++)
		filch_group_spawn(&group, follow, &receivers[i]);
	pthread_create(&thread, NULL, follow_thread, &receivers[3]);
	for (int i = 0; i < VALUES; i++) {
		struct wide wide = { .number = i };

		for (int j = 0; j < 15; j++)
			wide.copies[j] = i;
		filch_broadcast_put(&broadcast, &wide, NULL);
		if (i % 64 == 0)
			filch_yield();
	}
	filch_broadcast_close(&broadcast);
	filch_group_close(&group);
	pthread_join(thread, NULL);
	for (int i = 0; i < 4; i++)
		filch_broadcast_unsubscribe(&receivers[i]);
	cr_expect_eq(filch_broadcast_fini(&broadcast), 0);
	return 0;
}

Test(broadcast, each_value_is_whole_and_comes_once_or_counts_as_lost)
{
	play(followed);
}

Test(broadcast, misuse_is_refused)
{
	struct filch_broadcast_options options = { .size = sizeof(options) };
	struct filch_broadcast_receiver none = { .broadcast = NULL };
	int value = 0;

	cr_assert_eq(filch_broadcast_init(&broadcast, &options), -EINVAL);
	options.capacity = SIZE_MAX / 2;
	options.element_size = 16;
	cr_assert_eq(filch_broadcast_init(&broadcast, &options), -ENOMEM);
	cr_assert_eq(filch_broadcast_fini(NULL), 0);
	cr_assert_eq(filch_broadcast_get(&none, &value, NULL), -EINVAL);
	filch_broadcast_unsubscribe(NULL);
}
