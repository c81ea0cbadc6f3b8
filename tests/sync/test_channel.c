/* Channels: ends that come and go, each closed by itself. */
#include "sync/queues.h"

#include <string.h>

static struct filch_sender sender;
static struct filch_receiver receiver;

static void make_channel(size_t capacity)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(int),
					       .capacity = capacity };

	cr_expect_eq(filch_channel_create(&options, &sender, &receiver), 0);
}

static void end_channel(void)
{
	cr_expect_eq(filch_sender_fini(&sender), 0);
	cr_expect_eq(filch_receiver_fini(&receiver), 0);
}

static int receive(struct filch_receiver *from)
{
	int value = 0, status = filch_receiver_get(from, &value);

	return status < 0 ? status : value;
}

static int try_receive(struct filch_receiver *from)
{
	int value = 0, status = filch_receiver_try_get(from, &value);

	return status < 0 ? status : value;
}

static int send_to(struct filch_sender *to, int value)
{
	return filch_sender_put(to, &value);
}

static int try_send(struct filch_sender *to, int value)
{
	return filch_sender_try_put(to, &value);
}

/* ---- One call in a task of its own ---- */

struct exchange {
	struct filch_sender *to;
	struct filch_receiver *from;
	int value, status, done;
};

static int call_exchange(void *arg)
{
	struct exchange *exchange = arg;

	exchange->status = exchange->to ? filch_sender_put(exchange->to, &exchange->value)
					: filch_receiver_get(exchange->from, &exchange->value);
	flag_add(&exchange->done);
	return 0;
}

static struct filch_queue *inside(void)
{
	return filch_sender_arm(&sender, NULL).object;
}

static void await_parked(size_t count)
{
	while (look(inside()).getters + look(inside()).putters != count)
		give_way();
}

/* CH1 */
static int unbuffered(void *arg)
{
	struct exchange exchange = { .to = &sender, .value = 0 };
	struct filch_group group;

	(void)arg;
	make_channel(0);
	cr_expect_eq(try_send(&sender, 1), -EAGAIN);
	cr_expect_eq(try_receive(&receiver), -EAGAIN);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_exchange, &exchange);
	await_parked(1);
	cr_expect_eq(flag_get(&exchange.done), 0);
	cr_expect_eq(filch_sender_fini(&sender), -EBUSY);
	cr_expect_eq(receive(&receiver), 0); /* CH7 */
	filch_group_close(&group);
	cr_expect_eq(exchange.status, 0);
	end_channel();
	return 0;
}

Test(channel, without_capacity_a_send_ends_when_somebody_has_it)
{
	play(unbuffered);
}

/* CH3 */
static int drains(void *arg)
{
	struct filch_sender other;

	(void)arg;
	make_channel(4);
	cr_expect_eq(filch_sender_clone(&sender, &other), 0);
	send_to(&sender, 1);
	send_to(&other, 2);
	cr_expect_eq(filch_sender_close(&sender), 0);
	cr_expect_eq(filch_sender_close(&sender), -EBADF);
	cr_expect_eq(receive(&receiver), 1);
	cr_expect_eq(receive(&receiver), 2);
	cr_expect_eq(try_receive(&receiver), -EAGAIN);
	send_to(&other, 3);
	cr_expect_eq(filch_sender_fini(&other), 0);
	cr_expect_eq(receive(&receiver), 3);
	cr_expect_eq(receive(&receiver), -ENODATA);
	cr_expect_eq(try_receive(&receiver), -ENODATA);
	/* CH6, CH8 */
	cr_expect_eq(send_to(&sender, 4), -EBADF);
	cr_expect_eq(filch_sender_clone(&sender, &other), -EBADF);
	end_channel();
	cr_expect_eq(filch_sender_fini(&sender), 0);
	cr_expect_eq(send_to(&sender, 4), -EINVAL);
	return 0;
}

Test(channel, receivers_drain_and_then_get_the_end)
{
	play(drains);
}

/* CH4 */
static int one_end(void *arg)
{
	struct filch_sender senders[2];
	struct filch_receiver receivers[2];
	struct exchange exchanges[2];
	struct filch_group group;

	(void)arg;
	for (int side = 0; side < 2; side++) {
		make_channel(0);
		for (int i = 0; i < 2; i++) {
			filch_sender_clone(&sender, &senders[i]);
			filch_receiver_clone(&receiver, &receivers[i]);
		}
		filch_group_open(&group, NULL);
		for (int i = 0; i < 2; i++) {
			exchanges[i] = (struct exchange){ .to = side ? &senders[i] : NULL,
							  .from = side ? NULL : &receivers[i],
							  .value = 10 + i };
			filch_group_spawn(&group, call_exchange, &exchanges[i]);
		}
		await_parked(2);
		if (side)
			filch_sender_close(&senders[0]);
		else
			filch_receiver_close(&receivers[0]);
		flag_await(&exchanges[0].done, 1);
		cr_expect_eq(exchanges[0].status, -EBADF);
		cr_expect_eq(flag_get(&exchanges[1].done), 0);
		if (side)
			cr_expect_eq(receive(&receiver), 11);
		else
			cr_expect_eq(send_to(&sender, 12), 0);
		filch_group_close(&group);
		cr_expect_eq(exchanges[1].status, 0);
		cr_expect_eq(exchanges[1].value, side ? 11 : 12);
		for (int i = 0; i < 2; i++) {
			cr_expect_eq(filch_sender_fini(&senders[i]), 0);
			cr_expect_eq(filch_receiver_fini(&receivers[i]), 0);
		}
		end_channel();
	}
	return 0;
}

Test(channel, closing_an_end_wakes_only_who_waits_at_it)
{
	play(one_end);
}

/* CH5, CH16 */
static int lost[16];

static void note_lost(const void *element, void *context)
{
	(void)context;
	flag_add(&lost[*(const int *)element]);
}

static int no_receiver(void *arg)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(int),
					       .capacity = 2,
					       .undelivered = note_lost };
	struct exchange exchange = { .to = &sender, .value = 3 };
	struct filch_receiver other;
	struct filch_group group;

	(void)arg;
	memset(lost, 0, sizeof(lost));
	cr_expect_eq(filch_channel_create(&options, &sender, &receiver), 0);
	filch_receiver_clone(&receiver, &other);
	send_to(&sender, 0);
	send_to(&sender, 1);
	cr_expect_eq(receive(&other), 0);
	send_to(&sender, 2);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_exchange, &exchange);
	await_parked(1);
	cr_expect_eq(filch_receiver_close(&receiver), 0);
	cr_expect_eq(flag_get(&exchange.done), 0);
	cr_expect_eq(filch_receiver_size(&other), 2u);
	cr_expect_eq(filch_receiver_fini(&other), 0);
	filch_group_close(&group);
	cr_expect_eq(exchange.status, -EPIPE);
	cr_expect_eq(send_to(&sender, 4), -EPIPE);
	cr_expect_eq(try_send(&sender, 4), -EPIPE);
	cr_expect_eq(receive(&receiver), -EBADF); /* CH6 */
	for (int i = 0; i < 16; i++)
		cr_expect_eq(lost[i], i == 1 || i == 2, "%d", i);
	end_channel();
	return 0;
}

Test(channel, without_receivers_sends_fail_and_what_is_left_is_told_once)
{
	play(no_receiver);
}

/* CH9, CH10 */
static int cancelled(void *arg)
{
	struct exchange exchanges[2] = { { .from = &receiver }, { .from = &receiver } };
	struct filch_group group;
	struct filch_task *task;
	struct filch_token token;

	(void)arg;
	make_channel(2);
	filch_group_open(&group, NULL);
	task = start(&group, call_exchange, &exchanges[0]);
	await_parked(1);
	filch_group_spawn(&group, call_exchange, &exchanges[1]);
	await_parked(2);
	task_await_parked(task);
	filch_task_cancel(task, 0);
	send_to(&sender, 7);
	filch_group_close(&group);
	filch_task_release(task);
	cr_expect_eq(exchanges[0].status, -ECANCELED);
	cr_expect_eq(exchanges[1].value, 7);
	send_to(&sender, 8);
	filch_token_init(&token);
	filch_token_cancel(&token, 0);
	filch_scope_enter(&token);
	cr_expect_eq(receive(&receiver), -ECANCELED);
	cr_expect_eq(send_to(&sender, 9), -ECANCELED);
	cr_expect_eq(filch_sender_reserve(&sender), -ECANCELED);
	filch_scope_leave(&token);
	filch_token_fini(&token);
	cr_expect_eq(try_receive(&receiver), 8);
	cr_expect_eq(try_receive(&receiver), -EAGAIN);
	end_channel();
	return 0;
}

Test(channel, who_is_cancelled_neither_takes_nor_gives)
{
	play(cancelled);
}

/* CH11, CH12, CH13 */
static int permits(void *arg)
{
	struct exchange exchange = { .from = &receiver };
	struct exchange put = { .to = &sender, .value = 5 };
	struct filch_sender other;
	struct filch_group group;
	int value = 6;

	(void)arg;
	make_channel(1);
	filch_sender_clone(&sender, &other);
	cr_expect_eq(filch_sender_reserve(&other), 0);
	cr_expect_eq(filch_receiver_size(&receiver), 0u);
	cr_expect_eq(filch_sender_commit(&sender, &value), -EPERM);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_exchange, &put);
	await_parked(1);
	cr_expect_eq(filch_sender_unreserve(&other), 0);
	flag_await(&put.done, 1);
	cr_expect_eq(receive(&receiver), 5);
	cr_expect_eq(filch_sender_reserve(&other), 0);
	cr_expect_eq(filch_receiver_stop(&receiver), 0);
	cr_expect_eq(send_to(&sender, 1), -EPIPE);
	cr_expect_eq(try_receive(&receiver), -EAGAIN);
	cr_expect_eq(filch_sender_commit(&other, &value), 0);
	cr_expect_eq(receive(&receiver), 6);
	cr_expect_eq(receive(&receiver), -ENODATA);
	filch_group_close(&group);
	filch_sender_fini(&other);
	end_channel();

	/* The last permit goes with the end at which it was reserved. */
	make_channel(3);
	filch_sender_clone(&sender, &other);
	filch_sender_reserve(&other);
	filch_sender_reserve(&other);
	filch_receiver_stop(&receiver);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, call_exchange, &exchange);
	await_parked(1);
	cr_expect_eq(filch_sender_unreserve(&other), 0);
	cr_expect_eq(look(inside()).getters, 1u);
	cr_expect_eq(filch_sender_close(&other), 0);
	filch_group_close(&group);
	cr_expect_eq(exchange.status, -ENODATA);
	cr_expect_eq(filch_sender_commit(&other, &value), -EBADF);
	filch_sender_fini(&other);
	end_channel();
	return 0;
}

Test(channel, a_permit_holds_its_slot_until_it_is_used_or_given_back)
{
	play(permits);
}

/* CH14, CH17 */
static int batches(void *arg)
{
	int values[4] = { 1, 2, 3, 4 };
	size_t count = 3;

	(void)arg;
	make_channel(FILCH_QUEUE_UNBOUNDED);
	for (int i = 0; i < 1000; i++)
		send_to(&sender, i);
	for (int i = 0; i < 1000; i += 4) {
		cr_expect_eq(filch_receiver_get_many(&receiver, values, 4, &count), 0);
		cr_expect_eq(count, 4u);
		for (int j = 0; j < 4; j++)
			cr_expect_eq(values[j], i + j);
	}
	filch_sender_close(&sender);
	cr_expect_eq(filch_receiver_get_many(&receiver, values, 4, &count), -ENODATA);
	cr_expect_eq(count, 0u);
	cr_expect_eq(values[0], 996);
	end_channel();
	return 0;
}

Test(channel, a_batch_at_the_end_is_empty)
{
	play(batches);
}

/* ---- CH2, CH19 ---- */

#define VALUES 1000
static int got[VALUES];

static int send_all(void *arg)
{
	struct filch_sender *own = arg;

	for (int i = 0; i < VALUES; i++)
		cr_expect_eq(send_to(own, i), 0);
	filch_sender_fini(own);
	return 0;
}

static int receive_all(void *arg)
{
	struct filch_receiver *own = arg;
	int value, status;

	while ((status = filch_receiver_get(own, &value)) == 0)
		flag_add(&got[value]);
	cr_expect_eq(status, -ENODATA);
	filch_receiver_fini(own);
	return 0;
}

static int four_by_four(void *arg)
{
	struct filch_sender senders[4];
	struct filch_receiver receivers[4];
	struct filch_group group;

	(void)arg;
	for (size_t capacity = 0; capacity < 21; capacity += 10) {
		memset(got, 0, sizeof(got));
		make_channel(capacity);
		filch_group_open(&group, NULL);
		for (int i = 0; i < 4; i++) {
			filch_sender_clone(&sender, &senders[i]);
			filch_receiver_clone(&receiver, &receivers[i]);
			filch_group_spawn(&group, send_all, &senders[i]);
			filch_group_spawn(&group, receive_all, &receivers[i]);
		}
		end_channel();
		filch_group_close(&group);
		for (int i = 0; i < VALUES; i++)
			cr_expect_eq(got[i], 4);
	}
	return 0;
}

Test(channel, four_senders_and_four_receivers)
{
	play(four_by_four);
}

struct stream {
	struct filch_sender sender;
	int first;
};

static int send_stream(void *arg)
{
	struct stream *stream = arg;

	for (int i = 0; i < VALUES; i++)
		cr_expect_eq(send_to(&stream->sender, stream->first + i), 0);
	filch_sender_fini(&stream->sender);
	return 0;
}

static void *stream_thread(void *arg)
{
	send_stream(arg);
	return NULL;
}

static int in_order(void *arg)
{
	struct stream streams[4];
	int last[4] = { -1, -1, -1, -1 }, value;
	struct filch_group group;
	pthread_t thread;

	(void)arg;
	for (size_t capacity = 0; capacity < 8; capacity += 7) {
		make_channel(capacity);
		filch_group_open(&group, NULL);
		for (int i = 0; i < 4; i++) {
			last[i] = -1;
			streams[i].first = i * VALUES;
			filch_sender_clone(&sender, &streams[i].sender);
		}
		for (int i = 0; i < 3; i++)
			filch_group_spawn(&group, send_stream, &streams[i]);
		pthread_create(&thread, NULL, stream_thread, &streams[3]);
		filch_sender_fini(&sender);
		while (filch_receiver_get(&receiver, &value) == 0) {
			cr_expect_eq(value % VALUES, last[value / VALUES] + 1);
			last[value / VALUES] = value % VALUES;
		}
		for (int i = 0; i < 4; i++)
			cr_expect_eq(last[i], VALUES - 1);
		filch_group_close(&group);
		pthread_join(thread, NULL);
		filch_receiver_fini(&receiver);
	}
	return 0;
}

Test(channel, what_one_sender_sends_comes_in_its_order)
{
	play(in_order);
}

/* ---- Ends that come and go ---- */

static int come_and_go(void *arg)
{
	struct filch_group group;
	struct filch_sender mine;
	int seed = 0;

	(void)arg;
	for (int round = 0; round < 100; round++) {
		struct exchange exchanges[3] = { { .from = &receiver },
						 { .from = &receiver },
						 { .to = &mine, .value = 1 } };

		make_channel((size_t)round % 3);
		filch_sender_clone(&sender, &mine);
		filch_group_open(&group, NULL);
		for (int i = 0; i < 3; i++)
			filch_group_spawn(&group, call_exchange, &exchanges[i]);
		for (int i = 0; i < round % 7; i++)
			filch_yield();
		/* At any moment of theirs. */
		filch_receiver_close(&receiver);
		filch_sender_close(&mine);
		filch_group_close(&group);
		for (int i = 0; i < 3; i++)
			seed += exchanges[i].status != 0;
		cr_expect(exchanges[0].status == 0 || exchanges[0].status == -EBADF);
		cr_expect(exchanges[2].status == 0 || exchanges[2].status == -EPIPE ||
			  exchanges[2].status == -EBADF);
		filch_sender_fini(&mine);
		end_channel();
	}
	cr_expect_gt(seed, 0);
	return 0;
}

Test(channel, an_end_may_be_closed_while_others_use_it)
{
	play(come_and_go);
}

Test(channel, misuse_is_refused)
{
	struct filch_queue_options options = { .size = sizeof(options) };
	struct filch_sender zero = { .end = { .channel = NULL } };
	int value = 0;

	cr_assert_eq(filch_channel_create(NULL, &sender, &receiver), -EINVAL);
	cr_assert_eq(filch_channel_create(&options, NULL, &receiver), -EINVAL);
	options.order = FILCH_QUEUE_LIFO;
	cr_assert_eq(filch_channel_create(&options, &sender, &receiver), -EINVAL);
	cr_assert_eq(filch_sender_fini(&zero), 0);
	cr_assert_eq(filch_sender_fini(NULL), 0);
	cr_assert_eq(filch_receiver_fini(NULL), 0);
	cr_assert_eq(filch_sender_put(&zero, &value), -EINVAL);
	cr_assert_eq(filch_sender_close(&zero), -EINVAL);
	cr_assert_eq(filch_receiver_stop(NULL), -EINVAL);
}
