/* Watch: the latest value is never missed. */
#include "task/play.h"

#include <filch/watch.h>
#include <pthread.h>

static struct filch_watch watch;
static int memory;

static void make(int value)
{
	cr_expect_eq(filch_watch_init(&watch, sizeof(int), &memory, &value), 0);
}

static int put(int value)
{
	return filch_watch_put(&watch, &value);
}

static int try_wait(struct filch_watch_receiver *receiver)
{
	int value = 0, status = filch_watch_try_wait(receiver, &value);

	return status < 0 ? status : value;
}

/* WT1, WT3 */
static int seen(void *arg)
{
	struct filch_watch_receiver receiver;
	int value = 0;

	(void)arg;
	make(7);
	filch_watch_subscribe(&watch, &receiver);
	cr_expect_eq(try_wait(&receiver), -EAGAIN);
	cr_expect_eq(filch_watch_wait_until(&receiver, &value, 0), -ETIMEDOUT);
	cr_expect_eq(filch_watch_get(&watch, &value), 0);
	cr_expect_eq(value, 7);
	cr_expect_eq(put(8), 0);
	cr_expect_eq(put(9), 0);
	cr_expect_eq(filch_watch_wait(&receiver, &value), 0);
	cr_expect_eq(value, 9);
	cr_expect_eq(try_wait(&receiver), -EAGAIN);
	cr_expect_eq(put(10), 0);
	cr_expect_eq(filch_watch_close(&watch), 0);
	cr_expect_eq(put(11), -EPIPE);
	cr_expect_eq(filch_watch_wait(&receiver, &value), 0);
	cr_expect_eq(value, 10);
	cr_expect_eq(filch_watch_wait(&receiver, &value), -ENODATA);
	cr_expect_eq(try_wait(&receiver), -ENODATA);
	cr_expect_eq(filch_watch_fini(&watch), -EBUSY);
	filch_watch_unsubscribe(&receiver);
	cr_expect_eq(filch_watch_fini(&watch), 0);
	return 0;
}

Test(watch, what_is_there_at_first_is_seen_and_what_is_there_at_last_is_not_missed)
{
	play(seen);
	seen(NULL);
}

/* WT2 */
#define LAST 5000

static int observe(void *arg)
{
	struct filch_watch_receiver *receiver = arg;
	int value = 0, before = 0, status;

	while ((status = filch_watch_wait(receiver, &value)) == 0) {
		cr_expect_gt(value, before);
		before = value;
	}
	cr_expect_eq(status, -ENODATA);
	cr_expect_eq(value, LAST);
	return 0;
}

static void *observe_thread(void *arg)
{
	observe(arg);
	return NULL;
}

static int latest(void *arg)
{
	struct filch_watch_receiver receivers[3];
	struct filch_group group;
	pthread_t thread;

	(void)arg;
	make(0);
	filch_group_open(&group, NULL);
	for (int i = 0; i < 3; i++)
		filch_watch_subscribe(&watch, &receivers[i]);
	for (int i = 0; i < 2; i++)
		filch_group_spawn(&group, observe, &receivers[i]);
	pthread_create(&thread, NULL, observe_thread, &receivers[2]);
	for (int i = 1; i <= LAST; i++) {
		put(i);
		if (i % 16 == 0)
			filch_yield();
	}
	filch_watch_close(&watch);
	filch_group_close(&group);
	pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		filch_watch_unsubscribe(&receivers[i]);
	cr_expect_eq(filch_watch_fini(&watch), 0);
	return 0;
}

Test(watch, values_may_be_skipped_but_not_the_latest)
{
	play(latest);
}

/* WT4 */
static bool is_at_least(const void *element, void *arg)
{
	/* Under no guard: this would wait for it. */
	filch_watch_waiting(&watch);
	return *(const int *)element >= *(int *)arg;
}

static int wait_for_five(void *arg)
{
	int five = 5, value = 0;

	cr_expect_eq(filch_watch_wait_for(arg, is_at_least, &five, &value), 0);
	cr_expect_eq(value, 6);
	return 0;
}

static int predicates(void *arg)
{
	struct filch_watch_receiver receiver, other;
	struct filch_group group;
	int three = 3, nine = 9, value = 0;

	(void)arg;
	make(3);
	filch_watch_subscribe(&watch, &receiver);
	filch_watch_subscribe(&watch, &other);
	cr_expect_eq(filch_watch_wait_for(&receiver, is_at_least, &three, &value), 0);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, wait_for_five, &other);
	while (filch_watch_waiting(&watch) == 0)
		filch_yield();
	put(4);
	while (filch_watch_waiting(&watch) == 0)
		filch_yield();
	put(6);
	filch_group_close(&group);
	cr_expect_eq(filch_watch_wait_for_until(&receiver, is_at_least, &nine, &value, 1),
		     -ETIMEDOUT);
	put(9);
	filch_watch_close(&watch);
	cr_expect_eq(filch_watch_wait_for(&receiver, is_at_least, &nine, &value), 0);
	cr_expect_eq(filch_watch_wait_for(&receiver, is_at_least, &nine, &value), 0);
	nine = 10;
	cr_expect_eq(filch_watch_wait_for(&receiver, is_at_least, &nine, &value), -ENODATA);
	filch_watch_unsubscribe(&receiver);
	filch_watch_unsubscribe(&other);
	cr_expect_eq(filch_watch_fini(&watch), 0);
	return 0;
}

Test(watch, a_predicate_that_is_true_of_the_last_value_holds_after_the_close)
{
	play(predicates);
}

/* WT5 */
static int ended;

static int wait_for_end(void *arg)
{
	int status = filch_watch_wait(arg, NULL);

	flag_add(&ended);
	return status == -ENODATA ? 0 : status;
}

static int last_sender(void *arg)
{
	struct filch_watch_receiver receiver;
	struct filch_group group;

	(void)arg;
	make(0);
	ended = 0;
	filch_watch_subscribe(&watch, &receiver);
	cr_expect_eq(filch_watch_add_sender(&watch), 0);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, wait_for_end, &receiver);
	while (filch_watch_waiting(&watch) == 0)
		filch_yield();
	cr_expect_eq(filch_watch_close(&watch), 0);
	cr_expect_eq(filch_watch_waiting(&watch), 1u);
	cr_expect_eq(flag_get(&ended), 0);
	cr_expect_eq(filch_watch_close(&watch), 0);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(filch_watch_close(&watch), -EOVERFLOW);
	cr_expect_eq(filch_watch_add_sender(&watch), -EPIPE);
	filch_watch_unsubscribe(&receiver);
	cr_expect_eq(filch_watch_fini(&watch), 0);
	return 0;
}

Test(watch, only_the_last_sender_to_close_wakes_receivers)
{
	play(last_sender);
}

static int cancelled(void *arg)
{
	struct filch_watch_receiver receiver;
	struct filch_group group;
	struct filch_task *task;
	int status = 0;

	(void)arg;
	make(0);
	filch_watch_subscribe(&watch, &receiver);
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, wait_for_end, &receiver, &task);
	while (filch_watch_waiting(&watch) == 0)
		filch_yield();
	filch_task_cancel_and_wait(task, 0, &status);
	cr_expect_eq(filch_watch_waiting(&watch), 0u); /* G2 */
	filch_group_cancel(&group, 0);
	filch_group_close(&group);
	filch_task_release(task);
	filch_watch_unsubscribe(&receiver);
	cr_expect_eq(filch_watch_fini(&watch), 0);
	cr_expect_eq(filch_watch_init(&watch, 4, NULL, NULL), -EINVAL);
	cr_expect_eq(filch_watch_fini(NULL), 0);
	return 0;
}

Test(watch, who_is_cancelled_waits_no_more)
{
	play(cancelled);
}
