/* The broadcast: a ring that is overwritten, and a place in it for each receiver. */
#include <filch/broadcast.h>

#include "platform/allocate.h"
#include "sync/change.h"

#include <errno.h>
#include <string.h>

static struct spin *guard_of(struct filch_broadcast *broadcast)
{
	return (struct spin *)(void *)&broadcast->guard;
}

static struct list *waiters_of(struct filch_broadcast *broadcast)
{
	return (struct list *)(void *)broadcast->waiters;
}

static bool takes(const struct filch_broadcast *broadcast, const void *element)
{
	return broadcast && (element || broadcast->element_size == 0);
}

static char *slot_of(const struct filch_broadcast *broadcast, uint64_t number)
{
	return broadcast->slots + number % broadcast->capacity * broadcast->element_size;
}

int filch_broadcast_init(struct filch_broadcast *broadcast,
			 const struct filch_broadcast_options *options)
{
	size_t bytes;

	if (!broadcast || !options ||
	    options->size < offsetof(struct filch_broadcast_options, room) ||
	    options->capacity == 0)
		return -EINVAL;
	if (__builtin_mul_overflow(options->capacity, options->element_size, &bytes) ||
	    bytes > PTRDIFF_MAX)
		return -ENOMEM;
	*broadcast = (struct filch_broadcast){
		.senders = 1,
		.element_size = options->element_size,
		.capacity = options->capacity,
		.slots = options->memory,
		.allocator = options->allocator,
		.foreign = options->memory != NULL,
	};
	if (!broadcast->foreign)
		broadcast->slots = filch__allocate(options->allocator, bytes > 0 ? bytes : 1);
	return broadcast->slots ? 0 : -ENOMEM;
}

int filch_broadcast_fini(struct filch_broadcast *broadcast)
{
	bool busy;

	if (!broadcast)
		return 0;
	spin_acquire(guard_of(broadcast));
	busy = broadcast->receivers > 0;
	spin_release(guard_of(broadcast));
	if (busy)
		return -EBUSY;
	if (!broadcast->foreign)
		filch__free(broadcast->allocator, broadcast->slots);
	*broadcast = (struct filch_broadcast){ .senders = 0 };
	return 0;
}

int filch_broadcast_add_sender(struct filch_broadcast *broadcast)
{
	int status = -EPIPE;

	if (!broadcast)
		return -EINVAL;
	spin_acquire(guard_of(broadcast));
	if (broadcast->senders > 0) {
		broadcast->senders++;
		status = 0;
	}
	spin_release(guard_of(broadcast));
	return status;
}

int filch_broadcast_close(struct filch_broadcast *broadcast)
{
	int status = -EOVERFLOW;

	if (!broadcast)
		return -EINVAL;
	spin_acquire(guard_of(broadcast));
	if (broadcast->senders > 0) {
		if (--broadcast->senders == 0)
			filch__change_wake_all(waiters_of(broadcast));
		status = 0;
	}
	spin_release(guard_of(broadcast));
	return status;
}

int filch_broadcast_subscribe(struct filch_broadcast *broadcast,
			      struct filch_broadcast_receiver *receiver)
{
	if (!broadcast || !receiver)
		return -EINVAL;
	spin_acquire(guard_of(broadcast));
	*receiver = (struct filch_broadcast_receiver){ .broadcast = broadcast,
						       .next = broadcast->sent };
	broadcast->receivers++;
	spin_release(guard_of(broadcast));
	return 0;
}

void filch_broadcast_unsubscribe(struct filch_broadcast_receiver *receiver)
{
	struct filch_broadcast *broadcast = receiver ? receiver->broadcast : NULL;

	if (!broadcast)
		return;
	receiver->broadcast = NULL;
	spin_acquire(guard_of(broadcast));
	broadcast->receivers--;
	spin_release(guard_of(broadcast));
}

int filch_broadcast_put(struct filch_broadcast *broadcast, const void *element, size_t *receivers)
{
	int status = -EPIPE;

	if (!takes(broadcast, element))
		return -EINVAL;
	spin_acquire(guard_of(broadcast));
	if (receivers)
		*receivers = broadcast->receivers;
	if (broadcast->senders > 0 && broadcast->receivers > 0) {
		if (broadcast->element_size > 0)
			memcpy(slot_of(broadcast, broadcast->sent), element,
			       broadcast->element_size);
		broadcast->sent++;
		filch__change_wake_all(waiters_of(broadcast));
		status = 0;
	}
	spin_release(guard_of(broadcast));
	return status;
}

/* With the guard; there is something. */
static int take(struct filch_broadcast_receiver *receiver, void *element, uint64_t *lost)
{
	const struct filch_broadcast *broadcast = receiver->broadcast;
	uint64_t behind = broadcast->sent - receiver->next;

	if (behind > broadcast->capacity) {
		if (lost)
			*lost = behind - broadcast->capacity;
		receiver->next = broadcast->sent - broadcast->capacity;
		return -EOVERFLOW;
	}
	if (broadcast->element_size > 0)
		memcpy(element, slot_of(broadcast, receiver->next), broadcast->element_size);
	receiver->next++;
	return 0;
}

static int get(struct filch_broadcast_receiver *receiver, void *element, uint64_t *lost,
	       filch_time deadline)
{
	struct filch_broadcast *broadcast = receiver->broadcast;
	int status;

	for (;;) {
		spin_acquire(guard_of(broadcast));
		if (receiver->next != broadcast->sent || broadcast->senders == 0)
			break;
		status = filch__change_wait(guard_of(broadcast), waiters_of(broadcast), deadline);
		if (status < 0)
			return status;
	}
	status = receiver->next != broadcast->sent ? take(receiver, element, lost) : -ENODATA;
	spin_release(guard_of(broadcast));
	return status;
}

int filch_broadcast_get_until(struct filch_broadcast_receiver *receiver, void *element,
			      uint64_t *lost, filch_time deadline)
{
	int status =
		receiver && takes(receiver->broadcast, element) ? filch__wait_enter() : -EINVAL;

	return status < 0 ? status : get(receiver, element, lost, deadline < 0 ? 0 : deadline);
}

int filch_broadcast_get(struct filch_broadcast_receiver *receiver, void *element, uint64_t *lost)
{
	return filch_broadcast_get_until(receiver, element, lost, FILCH_NEVER);
}

int filch_broadcast_try_get(struct filch_broadcast_receiver *receiver, void *element,
			    uint64_t *lost)
{
	return receiver && takes(receiver->broadcast, element)
		       ? get(receiver, element, lost, CHANGE_TRY)
		       : -EINVAL;
}

unsigned filch_broadcast_waiting(struct filch_broadcast *broadcast)
{
	return broadcast ? filch__change_count(guard_of(broadcast), waiters_of(broadcast)) : 0;
}
