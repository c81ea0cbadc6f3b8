/* Queues: order, waiting, join, shutdown. */
#include "sync/queues.h"

#include <string.h>

/* ---- Without waiting ---- */

static int by_tens(const void *a, const void *b)
{
	return *(const int *)a / 10 - *(const int *)b / 10;
}

static int orders(void *arg)
{
	static const int expected[3][5] = { { 31, 12, 33, 14, 25 },
					    { 25, 14, 33, 12, 31 },
					    { 12, 14, 25, 31, 33 } };
	(void)arg;
	for (int order = FILCH_QUEUE_FIFO; order <= FILCH_QUEUE_PRIORITY; order++)
		for (int unbounded = 0; unbounded < 2; unbounded++) {
			struct filch_queue_options options = {
				.size = sizeof(options),
				.element_size = sizeof(int),
				.capacity = unbounded ? FILCH_QUEUE_UNBOUNDED : 5,
				.order = (enum filch_queue_order)order,
				.compare = order == FILCH_QUEUE_PRIORITY ? by_tens : NULL
			};
			struct filch_queue queue;
			int first = 0;

			cr_expect_eq(filch_queue_init(&queue, &options), 0);
			for (int round = 0; round < 3; round++) {
				for (int i = 0; i < 5; i++)
					cr_expect_eq(put_int(&queue, expected[0][i]), 0);
				cr_expect_eq(filch_queue_peek(&queue, &first), 0);
				cr_expect_eq(first, expected[order][0]);
				cr_expect_eq(filch_queue_size(&queue), 5u);
				for (int i = 0; i < 5; i++)
					cr_expect_eq(get_int(&queue), expected[order][i]);
			}
			end_queue(&queue);
		}
	return 0;
}

/* QU9 */
Test(queue, elements_come_in_the_order_asked_for_and_equal_ones_as_put)
{
	play(orders);
}

/* QU11, G8; CH7: zero is an ordinary value. */
static int immediate(void *arg)
{
	struct filch_queue queue;
	int value = 7;

	(void)arg;
	make_queue(&queue, 2);
	cr_expect_eq(filch_queue_try_get(&queue, &value), -EAGAIN);
	cr_expect_eq(filch_queue_peek(&queue, &value), -EAGAIN);
	cr_expect_eq(filch_queue_get_until(&queue, &value, 0), -ETIMEDOUT);
	cr_expect_eq(value, 7);
	cr_expect_eq(try_put_int(&queue, 0), 0);
	cr_expect_eq(filch_queue_put_until(&queue, &value, 0), 0);
	cr_expect_eq(try_put_int(&queue, 9), -EAGAIN);
	cr_expect_eq(filch_queue_put_until(&queue, &value, filch_now() - 1), -ETIMEDOUT);
	cr_expect_eq(filch_queue_get_until(&queue, &value, -5), 0);
	cr_expect_eq(value, 0);
	cr_expect_eq(try_get_int(&queue), 7);
	cr_expect_eq(filch_queue_size(&queue), 0u);
	end_queue(&queue);
	return 0;
}

Test(queue, what_would_wait_says_so_instead)
{
	play(immediate);
	immediate(NULL);
}

/* QU1; CH17: memory is given back. */
static size_t allocated, most_allocated;

static void *count_allocation(size_t size, size_t alignment, void *context)
{
	size_t *block = malloc(size + 16);

	(void)alignment;
	(void)context;
	*block = size;
	allocated += size;
	most_allocated = allocated > most_allocated ? allocated : most_allocated;
	return (char *)block + 16;
}

static void count_free(void *memory, void *context)
{
	size_t *block = (size_t *)(void *)((char *)memory - 16);

	(void)context;
	allocated -= *block;
	free(block);
}

Test(queue, one_without_bound_is_never_full_and_gives_its_memory_back)
{
	struct filch_allocator allocator = { count_allocation, count_free, NULL };
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(int),
					       .capacity = FILCH_QUEUE_UNBOUNDED,
					       .allocator = &allocator };
	struct filch_queue queue;

	cr_assert_eq(filch_queue_init(&queue, &options), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 10000; i++)
			cr_assert_eq(try_put_int(&queue, i), 0);
		cr_assert_geq(allocated, 10000 * sizeof(int));
		for (int i = 0; i < 10000; i++)
			cr_assert_eq(try_get_int(&queue), i);
		cr_assert_leq(allocated, 64 * sizeof(int));
	}
	cr_assert_eq(try_put_int(&queue, 1), 0);
	end_queue(&queue);
	cr_assert_eq(allocated, 0u);
	cr_assert_lt(most_allocated, 4 * 10000 * sizeof(int));
}

Test(queue, options_that_do_not_go_together_are_refused)
{
	static char memory[8 * 20];
	struct filch_queue_options good = { .size = sizeof(good),
					    .element_size = 4,
					    .capacity = 8 };
	struct filch_queue_options options;
	struct filch_queue queue;
	int value = 0;
	size_t count;

	cr_assert_eq(filch_queue_init(NULL, &good), -EINVAL);
	cr_assert_eq(filch_queue_init(&queue, NULL), -EINVAL);
#define REFUSED(...)                                                                               \
	options = (struct filch_queue_options){ .size = sizeof(options), __VA_ARGS__ };            \
	cr_assert_eq(filch_queue_init(&queue, &options), -EINVAL)
	REFUSED(.order = FILCH_QUEUE_PRIORITY, .capacity = 3);
	REFUSED(.compare = by_tens, .capacity = 3);
	REFUSED(.order = FILCH_QUEUE_LIFO);
	REFUSED(.overflow = FILCH_QUEUE_DROP_OLDEST);
	REFUSED(.overflow = FILCH_QUEUE_CONFLATE, .capacity = FILCH_QUEUE_UNBOUNDED);
	REFUSED(.order = (enum filch_queue_order)3, .capacity = 1);
	REFUSED(.memory = memory, .capacity = FILCH_QUEUE_UNBOUNDED);
	options = good;
	options.size = 8;
	cr_assert_eq(filch_queue_init(&queue, &options), -EINVAL);
	options = good;
	options.capacity = SIZE_MAX / 4;
	cr_assert_eq(filch_queue_init(&queue, &options), -ENOMEM);
	options = good;
	options.memory = memory;
	options.order = FILCH_QUEUE_PRIORITY;
	options.compare = by_tens;
	cr_assert_eq(filch_queue_init(&queue, &options), 0);
	for (int i = 8; i-- > 0;)
		cr_assert_eq(try_put_int(&queue, 10 * i), 0);
	cr_assert_eq(try_get_int(&queue), 0);
	cr_assert_eq(filch_queue_put(&queue, NULL), -EINVAL);
	cr_assert_eq(filch_queue_get(NULL, &value), -EINVAL);
	cr_assert_eq(filch_queue_try_get_many(&queue, &value, 0, &count), -EINVAL);
	cr_assert_eq(filch_queue_commit(&queue, &value), -EPERM);
	cr_assert_eq(filch_queue_unreserve(&queue), -EPERM);
	end_queue(&queue);
	cr_assert_eq(filch_queue_fini(NULL), 0);
	end_queue(&queue);
}

/* ---- Waiting: QU2 ---- */

static int fifo_waiters(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct call calls[6];

	(void)arg;
	make_queue(&queue, 1);
	filch_group_open(&group, NULL);
	for (int i = 0; i < 3; i++) {
		calls[i] = (struct call){ .queue = &queue };
		filch_group_spawn(&group, call_get, &calls[i]);
		await_getters(&queue, (size_t)i + 1);
	}
	for (int i = 0; i < 3; i++)
		cr_expect_eq(put_int(&queue, 100 + i), 0);
	for (int i = 0; i < 3; i++) {
		flag_await(&calls[i].done, 1);
		cr_expect_eq(calls[i].value, 100 + i);
	}
	put_int(&queue, 200);
	for (int i = 3; i < 6; i++) {
		calls[i] = (struct call){ .queue = &queue, .value = 198 + i };
		filch_group_spawn(&group, call_put, &calls[i]);
		await_putters(&queue, (size_t)i - 2);
	}
	for (int i = 0; i < 4; i++)
		cr_expect_eq(get_int(&queue), 200 + i);
	cr_expect_eq(filch_group_close(&group), 0);
	end_queue(&queue);
	return 0;
}

Test(queue, who_waits_is_served_first_in_first_out)
{
	play(fifo_waiters);
}

/* QU4; QU3: what was there stays. */
static int cancelled_getter(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct filch_task *first = NULL;
	struct call calls[3];

	(void)arg;
	make_queue(&queue, 10);
	filch_group_open(&group, NULL);
	for (int i = 0; i < 3; i++) {
		struct filch_task *task;

		calls[i] = (struct call){ .queue = &queue };
		task = start(&group, call_get, &calls[i]);
		if (i == 0)
			first = task;
		else
			filch_task_release(task);
		await_getters(&queue, (size_t)i + 1);
	}
	filch_task_cancel(first, 0);
	put_int(&queue, 1);
	put_int(&queue, 2);
	filch_group_close(&group);
	if (calls[0].status == -ECANCELED) {
		cr_expect_eq(calls[1].value + calls[2].value, 3);
		cr_expect_eq(filch_queue_size(&queue), 0u);
	}
	cr_expect_eq(calls[0].status, -ECANCELED);
	cr_expect_eq(calls[1].status, 0);
	cr_expect_eq(calls[2].status, 0);
	filch_task_release(first);
	/* G2 */
	cr_expect_eq(look(&queue).getters, 0u);
	end_queue(&queue);
	return 0;
}

Test(queue, a_cancelled_getter_leaves_the_elements_to_the_others)
{
	play(cancelled_getter);
}

/* QU5, QU6, QU7 */
static int cancelled_putter(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct filch_task *tasks[3];
	struct call calls[3];
	int seen = 0;

	(void)arg;
	make_queue(&queue, 1);
	put_int(&queue, 100);
	filch_group_open(&group, NULL);
	for (int i = 0; i < 3; i++) {
		calls[i] = (struct call){ .queue = &queue, .value = i };
		tasks[i] = start(&group, call_put, &calls[i]);
		await_putters(&queue, (size_t)i + 1);
	}
	filch_task_cancel_and_wait(tasks[0], 0, NULL);
	cr_expect_eq(calls[0].status, -ECANCELED);
	cr_expect_eq(look(&queue).putters, 2u);
	cr_expect_eq(get_int(&queue), 100);
	/* This one has its slot already: it has put, whatever comes. */
	filch_task_cancel(tasks[1], 0);
	for (int i = 0; i < 2; i++)
		seen += get_int(&queue);
	filch_group_close(&group);
	cr_expect_eq(seen, 3);
	cr_expect_eq(calls[1].status, 0);
	cr_expect_eq(calls[2].status, 0);
	cr_expect_eq(look(&queue).unfinished, 3u);
	for (int i = 0; i < 3; i++)
		filch_task_release(tasks[i]);
	end_queue(&queue);
	return 0;
}

Test(queue, a_put_that_was_cancelled_has_put_nothing)
{
	play(cancelled_putter);
}

/* QU12, G7: an element that was given to a getter is not there for others. */
static int no_overtaking(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct call get = { .queue = &queue }, put = { .queue = &queue, .value = 3 };

	(void)arg;
	make_queue(&queue, 1);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_get, &get);
	await_getters(&queue, 1);
	put_int(&queue, 1);
	cr_expect_eq(try_get_int(&queue), -EAGAIN);
	flag_await(&get.done, 1);
	cr_expect_eq(get.value, 1);
	put_int(&queue, 2);
	filch_group_spawn(&group, call_put, &put);
	await_putters(&queue, 1);
	cr_expect_eq(get_int(&queue), 2);
	cr_expect_eq(try_put_int(&queue, 4), -EAGAIN);
	cr_expect_eq(get_int(&queue), 3);
	filch_group_close(&group);
	end_queue(&queue);
	return 0;
}

Test(queue, nobody_passes_who_waits)
{
	play(no_overtaking);
}

/* QU10: a getter that waited has the first that came; otherwise the best at that time. */
static int best_at_take_time(void *arg)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(int),
					       .capacity = 9,
					       .order = FILCH_QUEUE_PRIORITY,
					       .compare = by_tens };
	struct filch_queue queue;
	struct filch_group group;
	struct call get = { .queue = &queue };

	(void)arg;
	cr_expect_eq(filch_queue_init(&queue, &options), 0);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_get, &get);
	await_getters(&queue, 1);
	put_int(&queue, 50);
	put_int(&queue, 40);
	put_int(&queue, 10);
	filch_group_close(&group);
	cr_expect_eq(get.value, 50);
	cr_expect_eq(get_int(&queue), 10);
	put_int(&queue, 20);
	cr_expect_eq(get_int(&queue), 20);
	cr_expect_eq(get_int(&queue), 40);
	end_queue(&queue);
	return 0;
}

Test(queue, a_getter_that_waits_is_given_what_comes_first)
{
	play(best_at_take_time);
}

/* ---- Join: QU13 to QU16 ---- */

static int joining(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct call joins[3];

	(void)arg;
	make_queue(&queue, 2);
	cr_expect_eq(filch_queue_join(&queue), 0);
	cr_expect_eq(filch_queue_try_join(&queue), 0);
	put_int(&queue, 1);
	put_int(&queue, 2);
	cr_expect_eq(try_put_int(&queue, 3), -EAGAIN);
	cr_expect_eq(look(&queue).unfinished, 2u);
	cr_expect_eq(filch_queue_try_join(&queue), -EAGAIN);
	cr_expect_eq(filch_queue_join_until(&queue, 1), -ETIMEDOUT);
	filch_group_open(&group, NULL);
	for (int i = 0; i < 3; i++) {
		joins[i] = (struct call){ .queue = &queue };
		filch_group_spawn(&group, call_join, &joins[i]);
	}
	await_joiners(&queue, 3);
	get_int(&queue);
	get_int(&queue);
	cr_expect_eq(filch_queue_task_done(&queue), 0);
	cr_expect_eq(look(&queue).joiners, 3u);
	cr_expect_eq(filch_queue_fini(&queue), -EBUSY);
	cr_expect_eq(filch_queue_task_done(&queue), 0);
	/* Again unfinished before any joiner has run: they return all the same. */
	put_int(&queue, 3);
	filch_group_close(&group);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(joins[i].status, 0);
	cr_expect_eq(filch_queue_task_done(&queue), 0);
	cr_expect_eq(filch_queue_task_done(&queue), -EOVERFLOW);
	cr_expect_eq(get_int(&queue), 3);
	end_queue(&queue);
	return 0;
}

Test(queue, join_waits_until_all_is_done_not_only_got)
{
	play(joining);
}

/* ---- Shutdown ---- */

static int shutdown_full(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct call put = { .queue = &queue, .value = 3 };

	(void)arg;
	make_queue(&queue, 2);
	put_int(&queue, 1);
	put_int(&queue, 2);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_put, &put);
	await_putters(&queue, 1);
	cr_expect_eq(filch_queue_shutdown(&queue, false), 0);
	filch_group_close(&group);
	cr_expect_eq(put.status, -EPIPE);
	cr_expect_eq(put_int(&queue, 4), -EPIPE);
	cr_expect_eq(try_put_int(&queue, 4), -EPIPE);
	cr_expect_eq(filch_queue_shutdown(&queue, false), 0); /* QU22 */
	cr_expect_eq(get_int(&queue), 1);
	cr_expect_eq(try_get_int(&queue), 2);
	cr_expect_eq(get_int(&queue), -EPIPE);
	cr_expect_eq(try_get_int(&queue), -EPIPE);
	cr_expect_eq(filch_queue_peek(&queue, &put.value), -EPIPE);
	end_queue(&queue);
	return 0;
}

/* QU17 */
Test(queue, a_shutdown_lets_gets_take_what_is_left)
{
	play(shutdown_full);
}

/* QU18, QU23 */
static int shutdown_empty(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct call calls[4];

	(void)arg;
	make_queue(&queue, 2);
	filch_group_open(&group, NULL);
	for (int i = 0; i < 4; i++) {
		calls[i] = (struct call){ .queue = &queue };
		filch_group_spawn(&group, call_get, &calls[i]);
		await_getters(&queue, (size_t)i + 1);
	}
	put_int(&queue, 5);
	filch_queue_shutdown(&queue, true);
	filch_group_close(&group);
	cr_expect_eq(calls[0].status, 0);
	cr_expect_eq(calls[0].value, 5);
	for (int i = 1; i < 4; i++)
		cr_expect_eq(calls[i].status, -EPIPE);
	end_queue(&queue);
	return 0;
}

Test(queue, a_shutdown_wakes_getters_but_who_was_given_an_element_has_it)
{
	play(shutdown_empty);
}

static void note_undelivered(const void *element, void *context)
{
	struct filch_queue *queue = ((void **)context)[0];
	int *notes = ((void **)context)[1];

	/* Not under the guard: it would wait for itself. */
	filch_queue_size(queue);
	notes[*(const int *)element]++;
}

static void make_noting(struct filch_queue *queue, size_t capacity,
			enum filch_queue_overflow overflow, void **context, int *notes)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(int),
					       .capacity = capacity,
					       .overflow = overflow,
					       .undelivered = note_undelivered,
					       .context = context };

	context[0] = queue;
	context[1] = notes;
	cr_expect_eq(filch_queue_init(queue, &options), 0);
}

/* QU19, QU20, QU21, QU22 */
static int shutdown_immediate(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct call join = { .queue = &queue };
	void *context[2];
	int notes[10] = { 0 };

	(void)arg;
	make_noting(&queue, 5, FILCH_QUEUE_WAIT, context, notes);
	for (int i = 0; i < 5; i++)
		put_int(&queue, i);
	cr_expect_eq(get_int(&queue), 0);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_join, &join);
	await_joiners(&queue, 1);
	filch_queue_shutdown(&queue, false);
	cr_expect_eq(look(&queue).unfinished, 5u);
	filch_queue_shutdown(&queue, true);
	filch_queue_shutdown(&queue, true);
	cr_expect_eq(look(&queue).unfinished, 1u);
	cr_expect_eq(look(&queue).joiners, 1u);
	cr_expect_eq(get_int(&queue), -EPIPE);
	cr_expect_eq(filch_queue_task_done(&queue), 0);
	filch_group_close(&group);
	cr_expect_eq(join.status, 0);
	cr_expect_eq(filch_queue_task_done(&queue), -EOVERFLOW);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(notes[i], i >= 1 && i < 5);
	end_queue(&queue);
	return 0;
}

Test(queue, an_immediate_shutdown_drains_and_counts_it_as_done)
{
	play(shutdown_immediate);
}

/* CH15, CH16, QU21: at any capacity, once for each. */
static int dropping(void *arg)
{
	void *context[2];

	(void)arg;
	for (size_t capacity = 0; capacity < 4; capacity++)
		for (int policy = FILCH_QUEUE_DROP_OLDEST; policy <= FILCH_QUEUE_CONFLATE;
		     policy++) {
			struct filch_queue queue;
			int notes[10] = { 0 }, got = 0;
			int status, kept = (int)capacity;

			if (capacity == 0 && policy != FILCH_QUEUE_DROP_NEWEST)
				continue;
			make_noting(&queue, capacity, (enum filch_queue_overflow)policy, context,
				    notes);
			for (int i = 0; i < 9; i++)
				cr_expect_eq(put_int(&queue, i), 0);
			cr_expect_eq(look(&queue).unfinished, capacity);
			cr_expect_eq(filch_queue_reserve(&queue), -EINVAL);
			while ((status = try_get_int(&queue)) >= 0) {
				int expected = policy == FILCH_QUEUE_DROP_OLDEST ? 9 - kept + got
					       : got == kept - 1 && policy == FILCH_QUEUE_CONFLATE
						       ? 8
						       : got;

				cr_expect_eq(status, expected, "policy %d of %d", policy, kept);
				notes[status]++;
				got++;
			}
			cr_expect_eq(got, kept);
			for (int i = 0; i < 9; i++)
				cr_expect_eq(notes[i], 1, "%d, policy %d of %d", i, policy, kept);
			put_int(&queue, 9);
			end_queue(&queue);
			cr_expect_eq(notes[9], 1);
		}
	return 0;
}

Test(queue, each_element_that_is_dropped_is_told_once)
{
	play(dropping);
}

/* ---- Two-phase puts: CH11, CH12, CH13 on a queue ---- */

static int call_reserve(void *arg)
{
	struct call *call = arg;

	call->status = filch_queue_reserve(call->queue);
	flag_add(&call->done);
	return 0;
}

static int reserving(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct call get = { .queue = &queue }, reserve = { .queue = &queue },
		    put = { .queue = &queue, .value = 9 };
	int value = 1;

	(void)arg;
	make_queue(&queue, 2);
	cr_expect_eq(filch_queue_reserve(&queue), 0);
	cr_expect_eq(filch_queue_try_reserve(&queue), 0);
	cr_expect_eq(filch_queue_try_reserve(&queue), -EAGAIN);
	cr_expect_eq(filch_queue_reserve_until(&queue, 1), -ETIMEDOUT);
	cr_expect_eq(try_put_int(&queue, 5), -EAGAIN);
	cr_expect_eq(filch_queue_size(&queue), 0u);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_reserve, &reserve);
	await_putters(&queue, 1);
	filch_group_spawn(&group, call_put, &put);
	await_putters(&queue, 2);
	filch_group_spawn(&group, call_get, &get);
	await_getters(&queue, 1);
	cr_expect_eq(try_put_int(&queue, 5), -EAGAIN);
	/* The getter has it at once; the slot goes to who reserves. */
	cr_expect_eq(filch_queue_commit(&queue, &value), 0);
	flag_await(&get.done, 1);
	cr_expect_eq(get.value, 1);
	flag_await(&reserve.done, 1);
	cr_expect_eq(reserve.status, 0);
	cr_expect_eq(filch_queue_unreserve(&queue), 0);
	filch_group_close(&group);
	cr_expect_eq(put.status, 0);
	cr_expect_eq(look(&queue).reserved, 1u);
	cr_expect_eq(filch_queue_fini(&queue), -EBUSY);
	filch_queue_shutdown(&queue, false);
	cr_expect_eq(get_int(&queue), 9);
	cr_expect_eq(try_get_int(&queue), -EAGAIN);
	cr_expect_eq(filch_queue_commit(&queue, &value), 0);
	cr_expect_eq(get_int(&queue), 1);
	cr_expect_eq(get_int(&queue), -EPIPE);
	cr_expect_eq(look(&queue).unfinished, 3u);
	end_queue(&queue);
	return 0;
}

Test(queue, a_reserved_slot_is_kept_for_who_reserved_it)
{
	play(reserving);
}

static int last_permit(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct call gets[2] = { { .queue = &queue }, { .queue = &queue } };
	int value = 4;

	(void)arg;
	for (int committed = 0; committed < 2; committed++) {
		make_queue(&queue, 3);
		filch_queue_reserve(&queue);
		filch_queue_reserve(&queue);
		filch_group_open(&group, NULL);
		for (int i = 0; i < 2; i++) {
			gets[i].done = 0;
			filch_group_spawn(&group, call_get, &gets[i]);
			await_getters(&queue, (size_t)i + 1);
		}
		filch_queue_shutdown(&queue, false);
		cr_expect_eq(look(&queue).getters, 2u);
		cr_expect_eq(filch_queue_unreserve(&queue), 0);
		cr_expect_eq(look(&queue).getters, 2u);
		cr_expect_eq(committed ? filch_queue_commit(&queue, &value)
				       : filch_queue_unreserve(&queue),
			     0);
		filch_group_close(&group);
		cr_expect_eq(gets[0].status, committed ? 0 : -EPIPE);
		cr_expect_eq(gets[1].status, -EPIPE);
		end_queue(&queue);
	}
	make_queue(&queue, 1);
	filch_queue_reserve(&queue);
	filch_queue_shutdown(&queue, true);
	cr_expect_eq(get_int(&queue), -EPIPE);
	cr_expect_eq(filch_queue_commit(&queue, &value), -EPIPE);
	cr_expect_eq(filch_queue_commit(&queue, &value), -EPERM);
	end_queue(&queue);
	return 0;
}

Test(queue, the_last_permit_of_a_closed_queue_wakes_its_getters)
{
	play(last_permit);
}

/* ---- Batches ---- */

static int batches(void *arg)
{
	struct filch_queue queue;
	struct filch_group group;
	struct call puts[3];
	int values[8] = { 0 };
	size_t count = 99;

	(void)arg;
	make_queue(&queue, 3);
	cr_expect_eq(filch_queue_try_get_many(&queue, values, 8, &count), -EAGAIN);
	cr_expect_eq(count, 0u);
	for (int i = 0; i < 3; i++)
		put_int(&queue, i);
	filch_group_open(&group, NULL);
	for (int i = 0; i < 3; i++) {
		puts[i] = (struct call){ .queue = &queue, .value = 3 + i };
		filch_group_spawn(&group, call_put, &puts[i]);
		await_putters(&queue, (size_t)i + 1);
	}
	cr_expect_eq(filch_queue_get_many(&queue, values, 2, &count), 0);
	cr_expect_eq(count, 2u);
	cr_expect_eq(filch_queue_get_many(&queue, values + 2, 6, &count), 0);
	cr_expect_eq(count, 4u);
	filch_group_close(&group);
	for (int i = 0; i < 6; i++)
		cr_expect_eq(values[i], i);
	/* CH14 */
	filch_queue_shutdown(&queue, false);
	cr_expect_eq(filch_queue_get_many(&queue, values, 8, &count), -EPIPE);
	cr_expect_eq(count, 0u);
	end_queue(&queue);
	return 0;
}

Test(queue, a_batch_takes_what_there_is_also_from_who_waits)
{
	play(batches);
}

/* CH1 */
static int rendezvous(void *arg)
{
	struct filch_queue queue = { .flags = 0 };
	struct filch_group group;
	struct call call = { .queue = &queue, .value = 5 };

	(void)arg;
	cr_expect_eq(filch_queue_try_put(&queue, NULL), -EAGAIN); /* all-zero */
	make_queue(&queue, 0);
	cr_expect_eq(try_put_int(&queue, 1), -EAGAIN);
	cr_expect_eq(try_get_int(&queue), -EAGAIN);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_put, &call);
	await_putters(&queue, 1);
	cr_expect_eq(flag_get(&call.done), 0);
	cr_expect_eq(filch_queue_size(&queue), 0u);
	cr_expect_eq(look(&queue).unfinished, 0u);
	cr_expect_eq(try_get_int(&queue), 5);
	flag_await(&call.done, 1);
	cr_expect_eq(look(&queue).unfinished, 1u);
	filch_group_spawn(&group, call_get, &call);
	await_getters(&queue, 1);
	cr_expect_eq(try_put_int(&queue, 6), 0);
	filch_group_close(&group);
	cr_expect_eq(call.value, 6);
	end_queue(&queue);
	return 0;
}

Test(queue, without_capacity_a_put_ends_when_its_element_is_got)
{
	play(rendezvous);
}
