/* The channel: a queue, and who still has an end of it. */
#include "sync/queue.h"

#include "platform/allocate.h"
#include "sync/select.h"

#include <errno.h>

struct filch_channel {
	struct filch_queue queue;
	struct filch_word32 references; /* ends that know it */
	uint32_t senders, receivers;	/* ends that are open; guarded by the queue */
};

static void open_end(struct filch_channel_end *end, struct filch_channel *channel)
{
	*end = (struct filch_channel_end){ .channel = channel };
	/* relaxed: the caller has a reference, or nobody else knows the channel. */
	word32_add_relaxed(&channel->references, 1);
}

int filch_channel_create(const struct filch_queue_options *options, struct filch_sender *sender,
			 struct filch_receiver *receiver)
{
	struct filch_channel *channel;
	int status;

	if (!options || !sender || !receiver)
		return -EINVAL;
	channel = filch__allocate_zeroed(options->allocator, sizeof(*channel));
	if (!channel)
		return -ENOMEM;
	status = filch_queue_init(&channel->queue, options);
	if (status < 0) {
		filch__free(options->allocator, channel);
		return status;
	}
	channel->queue.channel = true;
	channel->senders = channel->receivers = 1;
	open_end(&sender->end, channel);
	open_end(&receiver->end, channel);
	return 0;
}

/* ---- Cloning, closing ---- */

static int clone_end(struct filch_channel_end *end, struct filch_channel_end *clone, bool sender)
{
	struct filch_channel *channel = end->channel;
	int status = -EBADF;

	queue_guard(&channel->queue);
	if (!end->closed) {
		++*(sender ? &channel->senders : &channel->receivers);
		status = 0;
	}
	queue_unguard(&channel->queue);
	if (status == 0)
		open_end(clone, channel);
	return status;
}

int filch_sender_clone(struct filch_sender *sender, struct filch_sender *clone)
{
	return sender && sender->end.channel && clone ? clone_end(&sender->end, &clone->end, true)
						      : -EINVAL;
}

int filch_receiver_clone(struct filch_receiver *receiver, struct filch_receiver *clone)
{
	return receiver && receiver->end.channel && clone
		       ? clone_end(&receiver->end, &clone->end, false)
		       : -EINVAL;
}

/* Guarded: those that wait at this end. */
static void wake_end(struct filch_queue *queue, struct list *waiters,
		     const struct filch_channel_end *end)
{
	struct list *next;

	for (struct list *link = waiters->next; link && link != waiters; link = next) {
		struct queue_waiter *waiter = container_of(link, struct queue_waiter, waiter.link);

		next = link->next;
		if (waiter->end != end)
			continue;
		filch__queue_unlink(queue, waiter);
		filch__queue_wake(queue, waiter, -EBADF);
	}
}

static int close_sender(struct filch_channel_end *end)
{
	struct filch_channel *channel = end->channel;
	struct filch_queue *queue = &channel->queue;

	queue_guard(queue);
	if (end->closed) {
		queue_unguard(queue);
		return -EBADF;
	}
	end->closed = true;
	wake_end(queue, putters_of(queue), end);
	queue->reserved -= end->permits;
	queue->free += end->permits;
	end->permits = 0;
	filch__queue_refill(queue);
	if (--channel->senders == 0) {
		filch__queue_shut(queue, false);
		return 0;
	}
	filch__queue_settle_end(queue);
	queue_unguard(queue);
	return 0;
}

static int close_receiver(struct filch_channel_end *end)
{
	struct filch_channel *channel = end->channel;
	struct filch_queue *queue = &channel->queue;

	queue_guard(queue);
	if (end->closed) {
		queue_unguard(queue);
		return -EBADF;
	}
	end->closed = true;
	wake_end(queue, getters_of(queue), end);
	if (--channel->receivers == 0) {
		filch__queue_shut(queue, true);
		return 0;
	}
	queue_unguard(queue);
	return 0;
}

int filch_sender_close(struct filch_sender *sender)
{
	return sender && sender->end.channel ? close_sender(&sender->end) : -EINVAL;
}

int filch_receiver_close(struct filch_receiver *receiver)
{
	return receiver && receiver->end.channel ? close_receiver(&receiver->end) : -EINVAL;
}

static bool has_waiter(const struct list *waiters, const struct filch_channel_end *end)
{
	for (const struct list *link = waiters->next; link && link != waiters; link = link->next)
		if (container_of(link, struct queue_waiter, waiter.link)->end == end)
			return true;
	return false;
}

static void release(struct filch_channel *channel)
{
	const struct filch_allocator *allocator = channel->queue.allocator;

	/* acq_rel: the last one sees what all others did with the channel. */
	if (word32_sub_acq_rel(&channel->references, 1) != 1)
		return;
	filch_queue_fini(&channel->queue);
	filch__free(allocator, channel);
}

static int end_end(struct filch_channel_end *end, bool sender)
{
	struct filch_channel *channel = end->channel;
	bool busy;

	if (!channel)
		return 0;
	queue_guard(&channel->queue);
	busy = end->leaving > 0 || has_waiter(putters_of(&channel->queue), end) ||
	       has_waiter(getters_of(&channel->queue), end);
	queue_unguard(&channel->queue);
	if (busy)
		return -EBUSY;
	if (sender)
		close_sender(end);
	else
		close_receiver(end);
	end->channel = NULL;
	release(channel);
	return 0;
}

int filch_sender_fini(struct filch_sender *sender)
{
	return sender ? end_end(&sender->end, true) : 0;
}

int filch_receiver_fini(struct filch_receiver *receiver)
{
	return receiver ? end_end(&receiver->end, false) : 0;
}

/* ---- Sending ---- */

static bool takes(const struct filch_channel_end *end, const void *element)
{
	return end->channel && queue_takes(&end->channel->queue, element);
}

int filch_sender_put_until(struct filch_sender *sender, const void *element, filch_time deadline)
{
	int status;

	if (!sender || !takes(&sender->end, element))
		return -EINVAL;
	status = filch__wait_enter();
	return status < 0 ? status
			  : filch__queue_put(&sender->end.channel->queue, element, &sender->end,
					     deadline < 0 ? 0 : deadline);
}

int filch_sender_put(struct filch_sender *sender, const void *element)
{
	return filch_sender_put_until(sender, element, FILCH_NEVER);
}

int filch_sender_try_put(struct filch_sender *sender, const void *element)
{
	if (!sender || !takes(&sender->end, element))
		return -EINVAL;
	return filch__queue_put(&sender->end.channel->queue, element, &sender->end, QUEUE_TRY);
}

int filch_sender_reserve_until(struct filch_sender *sender, filch_time deadline)
{
	int status = sender && sender->end.channel ? filch__wait_enter() : -EINVAL;

	return status < 0 ? status
			  : filch__queue_reserve(&sender->end.channel->queue, &sender->end,
						 deadline < 0 ? 0 : deadline);
}

int filch_sender_reserve(struct filch_sender *sender)
{
	return filch_sender_reserve_until(sender, FILCH_NEVER);
}

int filch_sender_try_reserve(struct filch_sender *sender)
{
	return sender && sender->end.channel
		       ? filch__queue_reserve(&sender->end.channel->queue, &sender->end, QUEUE_TRY)
		       : -EINVAL;
}

int filch_sender_commit(struct filch_sender *sender, const void *element)
{
	return sender && takes(&sender->end, element)
		       ? filch__queue_commit(&sender->end.channel->queue, element, &sender->end)
		       : -EINVAL;
}

int filch_sender_unreserve(struct filch_sender *sender)
{
	return sender && sender->end.channel
		       ? filch__queue_unreserve(&sender->end.channel->queue, &sender->end)
		       : -EINVAL;
}

/* ---- Receiving ---- */

int filch_receiver_get_until(struct filch_receiver *receiver, void *element, filch_time deadline)
{
	int status;

	if (!receiver || !takes(&receiver->end, element))
		return -EINVAL;
	status = filch__wait_enter();
	return status < 0 ? status
			  : filch__queue_get(&receiver->end.channel->queue, element, &receiver->end,
					     deadline < 0 ? 0 : deadline);
}

int filch_receiver_get(struct filch_receiver *receiver, void *element)
{
	return filch_receiver_get_until(receiver, element, FILCH_NEVER);
}

int filch_receiver_try_get(struct filch_receiver *receiver, void *element)
{
	if (!receiver || !takes(&receiver->end, element))
		return -EINVAL;
	return filch__queue_get(&receiver->end.channel->queue, element, &receiver->end, QUEUE_TRY);
}

static int get_many(struct filch_receiver *receiver, void *elements, size_t most, size_t *count,
		    filch_time deadline)
{
	int status = 0;

	if (count)
		*count = 0;
	if (!receiver || !takes(&receiver->end, elements) || !count || most == 0)
		return -EINVAL;
	if (deadline != QUEUE_TRY)
		status = filch__wait_enter();
	return status < 0 ? status
			  : filch__queue_get_many(&receiver->end.channel->queue, elements, most,
						  count, &receiver->end, deadline);
}

int filch_receiver_get_many_until(struct filch_receiver *receiver, void *elements, size_t most,
				  size_t *count, filch_time deadline)
{
	return get_many(receiver, elements, most, count, deadline < 0 ? 0 : deadline);
}

int filch_receiver_get_many(struct filch_receiver *receiver, void *elements, size_t most,
			    size_t *count)
{
	return get_many(receiver, elements, most, count, FILCH_NEVER);
}

int filch_receiver_try_get_many(struct filch_receiver *receiver, void *elements, size_t most,
				size_t *count)
{
	return get_many(receiver, elements, most, count, QUEUE_TRY);
}

int filch_receiver_stop(struct filch_receiver *receiver)
{
	int status = -EBADF;

	if (!receiver || !receiver->end.channel)
		return -EINVAL;
	queue_guard(&receiver->end.channel->queue);
	if (receiver->end.closed) {
		queue_unguard(&receiver->end.channel->queue);
		return status;
	}
	filch__queue_shut(&receiver->end.channel->queue, false);
	return 0;
}

size_t filch_receiver_size(struct filch_receiver *receiver)
{
	return receiver && receiver->end.channel ? filch_queue_size(&receiver->end.channel->queue)
						 : 0;
}

/* ---- As arms ---- */

struct filch_arm filch_sender_arm(struct filch_sender *sender, const void *element)
{
	if (!sender || !sender->end.channel)
		return (struct filch_arm){ .kind = NULL };
	return filch__queue_arm(false, &sender->end.channel->queue, (void *)(uintptr_t)element,
				&sender->end);
}

struct filch_arm filch_receiver_arm(struct filch_receiver *receiver, void *element)
{
	if (!receiver || !receiver->end.channel)
		return (struct filch_arm){ .kind = NULL };
	return filch__queue_arm(true, &receiver->end.channel->queue, element, &receiver->end);
}
