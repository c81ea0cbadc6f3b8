/* Queues under everything at once: tasks of two runtimes, threads, cancels, timeouts, selects. */
#include "sync/queues.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS 1500
#define WORKERS 4 /* producers, and as many consumers, of each kind */

static struct filch_queue queue;
static int seen[4 * WORKERS * ITEMS];
static int producers, number;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 16;
}

/* One of the ways to put; 0 or why not. */
static int put_somehow(uint32_t *random, int value)
{
	struct filch_arm arm = filch_queue_put_arm(&queue, &value);
	int status;

	switch (next_random(random) % 6) {
	case 0:
		return filch_queue_try_put(&queue, &value);
	case 1:
		return filch_queue_put_until(&queue, &value,
					     filch_now() + next_random(random) % 2000);
	case 2:
		status = filch_select_wait_until(&arm, 1, 0, NULL,
						 filch_now() + next_random(random) % 2000);
		return status < 0 ? status : arm.status;
	case 3:
		if (queue.capacity > 0 && queue.overflow == FILCH_QUEUE_WAIT) {
			status = filch_queue_reserve_until(
				&queue, filch_now() + next_random(random) % 2000);
			if (status < 0)
				return status;
			if (next_random(random) % 4 == 0)
				return filch_queue_unreserve(&queue) < 0 ? -EINVAL : -EAGAIN;
			return filch_queue_commit(&queue, &value);
		}
		break;
	default:
		break;
	}
	return filch_queue_put(&queue, &value);
}

static int get_somehow(uint32_t *random, int *values, size_t *count)
{
	struct filch_arm arms[2] = { filch_queue_get_arm(&queue, &values[0]),
				     filch_queue_get_arm(&queue, &values[1]) };
	size_t index;
	int status;

	*count = 1;
	switch (next_random(random) % 5) {
	case 0:
		return filch_queue_try_get(&queue, values);
	case 1:
		return filch_queue_get_until(&queue, values,
					     filch_now() + next_random(random) % 2000);
	case 2:
		return filch_queue_get_many_until(&queue, values, 4, count,
						  filch_now() + next_random(random) % 2000);
	case 3:
		status = filch_select_wait_until(arms, 2, 0, &index,
						 filch_now() + next_random(random) % 2000);
		if (status == 0 && arms[index].status == 0)
			values[0] = values[index];
		return status < 0 ? status : arms[index].status;
	default:
		break;
	}
	return filch_queue_get(&queue, values);
}

/* A put that says that it failed has not put: the element is put again. */
static void produce(void)
{
	int mine = __atomic_fetch_add(&number, 1, __ATOMIC_RELAXED);
	uint32_t random = (uint32_t)mine;

	for (int i = 0; i < ITEMS; i++) {
		int status;

		while ((status = put_somehow(&random, mine * ITEMS + i)) < 0) {
			cr_expect(status == -EAGAIN || status == -ETIMEDOUT || status == -ECANCELED,
				  "%d", status);
			if (status == -EAGAIN)
				give_way();
			if (status == -ECANCELED)
				break;
		}
		if (status == -ECANCELED)
			flag_add(&seen[mine * ITEMS + i]); /* not to be seen any more */
	}
	if (__atomic_sub_fetch(&producers, 1, __ATOMIC_ACQ_REL) == 0)
		filch_queue_shutdown(&queue, false);
}

static void consume(void)
{
	uint32_t random = (uint32_t)(uintptr_t)&random;
	size_t count;
	int values[4], status;

	while ((status = get_somehow(&random, values, &count)) != -EPIPE) {
		if (status == -EAGAIN)
			give_way();
		for (size_t i = 0; status == 0 && i < count; i++)
			flag_add(&seen[values[i]]);
		if (status == -ECANCELED)
			return; /* others go on */
	}
}

static int produce_task(void *arg)
{
	(void)arg;
	produce();
	return 0;
}

/* Cancelled now and then; what it does not do another one does. */
static int consume_task(void *arg)
{
	struct filch_token *token = arg;

	while (!(look(&queue).closed && filch_queue_size(&queue) == 0)) {
		filch_token_init_below(token, NULL, 0);
		filch_scope_enter(token);
		filch_token_set_deadline(token, filch_now() + 300 * FILCH_MICROSECOND);
		consume();
		filch_scope_leave(token);
		filch_token_fini(token);
	}
	return 0;
}

static int runtime_root(void *arg)
{
	struct filch_group group;
	static struct filch_token own[2][WORKERS];

	filch_group_open(&group, NULL);
	for (int i = 0; i < WORKERS; i++) {
		filch_group_spawn(&group, produce_task, NULL);
		filch_group_spawn(&group, consume_task, &own[arg != NULL][i]);
	}
	return filch_group_close(&group);
}

static void *other_runtime(void *arg)
{
	run_with(2, runtime_root, &number);
	return arg;
}

static void *produce_thread(void *arg)
{
	produce();
	return arg;
}

static void *consume_thread(void *arg)
{
	consume();
	return arg;
}

static int least_first(const void *a, const void *b)
{
	return *(const int *)a % 7 - *(const int *)b % 7;
}

static void storm(unsigned workers, size_t capacity, enum filch_queue_order order)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(int),
					       .capacity = capacity,
					       .order = order,
					       .compare = order == FILCH_QUEUE_PRIORITY
								  ? least_first
								  : NULL };
	pthread_t threads[5];

	memset(seen, 0, sizeof(seen));
	number = 0;
	producers = 2 * WORKERS + 2;
	cr_assert_eq(filch_queue_init(&queue, &options), 0);
	pthread_create(&threads[0], NULL, other_runtime, NULL);
	for (int i = 1; i < 5; i++)
		pthread_create(&threads[i], NULL, i < 3 ? produce_thread : consume_thread, NULL);
	cr_assert_eq(run_with(workers, runtime_root, NULL), 0);
	for (int i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < (2 * WORKERS + 2) * ITEMS; i++)
		cr_assert_eq(seen[i], 1, "element %d: %d times", i, seen[i]);
	cr_assert_eq(look(&queue).unfinished, (uint64_t)(2 * WORKERS + 2) * ITEMS);
	cr_assert_eq(look(&queue).getters + look(&queue).putters, 0u);
	cr_assert_eq(filch_queue_fini(&queue), 0);
}

/* QU24, QU8, G1, G3, CH8 */
Test(queue_race, what_goes_in_comes_out_once_in_spite_of_cancels_and_timeouts)
{
	static const unsigned workers[] = { 1, 2, 8 };

	for (int i = 0; i < 3; i++) {
		storm(workers[i], 3, FILCH_QUEUE_FIFO);
		storm(workers[i], 100, FILCH_QUEUE_FIFO);
	}
}

Test(queue_race, the_same_without_capacity)
{
	storm(1, 0, FILCH_QUEUE_FIFO);
	storm(2, 0, FILCH_QUEUE_FIFO);
	storm(8, 0, FILCH_QUEUE_FIFO);
}

Test(queue_race, the_same_in_other_orders_and_without_bound)
{
	storm(2, 5, FILCH_QUEUE_LIFO);
	storm(2, 5, FILCH_QUEUE_PRIORITY);
	storm(2, FILCH_QUEUE_UNBOUNDED, FILCH_QUEUE_FIFO);
	storm(8, FILCH_QUEUE_UNBOUNDED, FILCH_QUEUE_PRIORITY);
}

/* ---- G12: freed by who was woken ---- */

struct parcel {
	struct filch_queue queue;
	int done;
};

static int get_and_free(void *arg)
{
	struct parcel *parcel = arg;
	int value = 0;

	cr_expect_eq(filch_queue_get(&parcel->queue, &value), 0);
	cr_expect_eq(value, 6);
	cr_expect_eq(filch_queue_fini(&parcel->queue), 0);
	free(parcel);
	return 0;
}

static int join_and_free(void *arg)
{
	struct parcel *parcel = arg;

	cr_expect_eq(filch_queue_join(&parcel->queue), 0);
	cr_expect_eq(filch_queue_fini(&parcel->queue), 0);
	free(parcel);
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
	for (int i = 0; i < 600; i++) {
		struct parcel *parcel = calloc(1, sizeof(*parcel));
		pthread_t thread;

		make_queue(&parcel->queue, (size_t)i % 2);
		filch_group_open(&group, NULL);
		if (i % 3 == 0)
			pthread_create(&thread, NULL, free_in_thread, parcel);
		else if (i % 3 == 1 || i % 2 == 0)
			filch_group_spawn(&group, get_and_free, parcel);
		if (i % 3 == 2 && i % 2) {
			put_int(&parcel->queue, 6); /* else the join returns at once */
			filch_group_spawn(&group, join_and_free, parcel);
			await_joiners(&parcel->queue, 1);
			get_int(&parcel->queue);
			filch_queue_task_done(&parcel->queue);
		} else {
			await_getters(&parcel->queue, 1);
			put_int(&parcel->queue, 6);
		}
		filch_group_close(&group);
		if (i % 3 == 0)
			pthread_join(thread, NULL);
	}
	return 0;
}

Test(queue_race, who_is_woken_may_free_the_queue)
{
	play(freed);
}

/* ---- G12: freed by who woke ---- */

static int (*const waits[])(void *arg) = { call_get, call_put, call_join, call_get, call_put };
#define WAITS 5

struct waiting {
	struct call call;
	int kind;
};

static void *wait_in_thread(void *arg)
{
	struct waiting *waiting = arg;

	waits[waiting->kind](&waiting->call);
	return NULL;
}

/* Somebody waits: he is woken, and the queue is gone. */
static void wake_and_free(struct parcel *parcel, int kind)
{
	struct filch_queue *own = &parcel->queue;

	if (kind == 0) {
		await_getters(own, 1);
		cr_expect_eq(put_int(own, 6), 0);
	} else if (kind == 1) {
		await_putters(own, 1);
		cr_expect_eq(get_int(own), 6);
	} else if (kind == 2) {
		await_joiners(own, 1);
		cr_expect_eq(filch_queue_task_done(own), 0);
	} else {
		kind == 3 ? await_getters(own, 1) : await_putters(own, 1);
		filch_queue_shutdown(own, false);
	}
	cr_expect_eq(filch_queue_fini(own), 0);
	free(parcel);
}

static int freed_by_waker(void *arg)
{
	struct filch_group group;

	(void)arg;
	for (int i = 0; i < 60 * WAITS; i++) {
		struct parcel *parcel = calloc(1, sizeof(*parcel));
		struct waiting waiting = { { &parcel->queue, 6, 0, 0 }, i % WAITS };
		pthread_t thread;
		bool threaded = i / WAITS % 2;

		/* The join waits for one that was got, and is not done. */
		make_queue(&parcel->queue, waiting.kind == 2);
		if (waiting.kind == 2) {
			put_int(&parcel->queue, 1);
			get_int(&parcel->queue);
		}
		filch_group_open(&group, NULL);
		if (threaded)
			pthread_create(&thread, NULL, wait_in_thread, &waiting);
		else
			filch_group_spawn(&group, waits[waiting.kind], &waiting.call);
		wake_and_free(parcel, waiting.kind);
		filch_group_close(&group);
		if (threaded)
			pthread_join(thread, NULL);
		cr_expect_eq(waiting.call.status, waiting.kind > 2 ? -EPIPE : 0);
	}
	return 0;
}

Test(queue_race, who_wakes_may_free_the_queue)
{
	play(freed_by_waker);
}

/* ---- Ends and gets at the same time ---- */

static int drained[20000];

static void note_drained(const void *element, void *context)
{
	(void)context;
	flag_add(&drained[*(const int *)element]);
}

static int accepted;

static int put_until_closed(void *arg)
{
	for (int i = 0; i < 10000; i++) {
		int value = 10000 * (arg != NULL) + i;

		if (filch_queue_put(&queue, &value) == -EPIPE)
			break;
		flag_add(&accepted);
	}
	return 0;
}

static int get_until_closed(void *arg)
{
	int value;

	(void)arg;
	while (filch_queue_get(&queue, &value) == 0)
		flag_add(&drained[value]);
	return 0;
}

static int rush(void *arg)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(int),
					       .capacity = 4,
					       .undelivered = note_drained };
	struct filch_group group;

	(void)arg;
	for (int round = 0; round < 50; round++) {
		int count = 0;

		memset(drained, 0, sizeof(drained));
		accepted = 0;
		filch_queue_init(&queue, &options);
		filch_group_open(&group, NULL);
		filch_group_spawn(&group, put_until_closed, NULL);
		filch_group_spawn(&group, put_until_closed, &group);
		filch_group_spawn(&group, get_until_closed, NULL);
		filch_group_spawn(&group, get_until_closed, NULL);
		flag_await(&accepted, 20 * round);
		filch_queue_shutdown(&queue, true);
		filch_group_close(&group);
		for (int i = 0; i < 20000; i++) {
			cr_expect_leq(drained[i], 1);
			count += drained[i];
		}
		cr_expect_eq(count, accepted);
		end_queue(&queue);
	}
	return 0;
}

/* QU17, QU21 */
Test(queue_race, a_shutdown_meanwhile_loses_nothing_and_drains_nothing_twice)
{
	play(rush);
}
