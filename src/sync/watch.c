/* The watch: a value and its version. */
#include <filch/watch.h>

#include "sync/change.h"

#include <errno.h>
#include <string.h>

static struct spin *guard_of(struct filch_watch *watch)
{
	return (struct spin *)(void *)&watch->guard;
}

static struct list *waiters_of(struct filch_watch *watch)
{
	return (struct list *)(void *)watch->waiters;
}

static void copy(const struct filch_watch *watch, void *to, const void *from)
{
	if (watch->element_size > 0)
		memcpy(to, from, watch->element_size);
}

static bool takes(const struct filch_watch *watch, const void *element)
{
	return watch && (element || watch->element_size == 0);
}

int filch_watch_init(struct filch_watch *watch, size_t element_size, void *memory,
		     const void *element)
{
	if (!watch || (element_size > 0 && (!memory || !element)))
		return -EINVAL;
	*watch =
		(struct filch_watch){ .senders = 1, .element_size = element_size, .value = memory };
	copy(watch, memory, element);
	return 0;
}

int filch_watch_fini(struct filch_watch *watch)
{
	bool busy;

	if (!watch)
		return 0;
	spin_acquire(guard_of(watch));
	busy = watch->receivers > 0;
	spin_release(guard_of(watch));
	return busy ? -EBUSY : 0;
}

int filch_watch_add_sender(struct filch_watch *watch)
{
	int status = -EPIPE;

	if (!watch)
		return -EINVAL;
	spin_acquire(guard_of(watch));
	if (watch->senders > 0) {
		watch->senders++;
		status = 0;
	}
	spin_release(guard_of(watch));
	return status;
}

int filch_watch_close(struct filch_watch *watch)
{
	int status = -EOVERFLOW;

	if (!watch)
		return -EINVAL;
	spin_acquire(guard_of(watch));
	if (watch->senders > 0) {
		if (--watch->senders == 0)
			filch__change_wake_all(waiters_of(watch));
		status = 0;
	}
	spin_release(guard_of(watch));
	return status;
}

int filch_watch_put(struct filch_watch *watch, const void *element)
{
	int status = -EPIPE;

	if (!takes(watch, element))
		return -EINVAL;
	spin_acquire(guard_of(watch));
	if (watch->senders > 0) {
		copy(watch, watch->value, element);
		watch->version++;
		filch__change_wake_all(waiters_of(watch));
		status = 0;
	}
	spin_release(guard_of(watch));
	return status;
}

int filch_watch_get(struct filch_watch *watch, void *element)
{
	if (!takes(watch, element))
		return -EINVAL;
	spin_acquire(guard_of(watch));
	copy(watch, element, watch->value);
	spin_release(guard_of(watch));
	return 0;
}

int filch_watch_subscribe(struct filch_watch *watch, struct filch_watch_receiver *receiver)
{
	if (!watch || !receiver)
		return -EINVAL;
	spin_acquire(guard_of(watch));
	*receiver = (struct filch_watch_receiver){ .watch = watch, .seen = watch->version };
	watch->receivers++;
	spin_release(guard_of(watch));
	return 0;
}

void filch_watch_unsubscribe(struct filch_watch_receiver *receiver)
{
	struct filch_watch *watch = receiver ? receiver->watch : NULL;

	if (!watch)
		return;
	receiver->watch = NULL;
	spin_acquire(guard_of(watch));
	watch->receivers--;
	spin_release(guard_of(watch));
}

static int wait_for_new(struct filch_watch_receiver *receiver, void *element, filch_time deadline)
{
	struct filch_watch *watch = receiver->watch;
	int status;

	for (;;) {
		spin_acquire(guard_of(watch));
		if (receiver->seen != watch->version || watch->senders == 0)
			break;
		status = filch__change_wait(guard_of(watch), waiters_of(watch), deadline);
		if (status < 0)
			return status;
	}
	status = receiver->seen != watch->version ? 0 : -ENODATA;
	receiver->seen = watch->version;
	if (status == 0 && element)
		copy(watch, element, watch->value);
	spin_release(guard_of(watch));
	return status;
}

int filch_watch_wait_until(struct filch_watch_receiver *receiver, void *element,
			   filch_time deadline)
{
	int status = receiver && receiver->watch ? filch__wait_enter() : -EINVAL;

	return status < 0 ? status : wait_for_new(receiver, element, deadline < 0 ? 0 : deadline);
}

int filch_watch_wait(struct filch_watch_receiver *receiver, void *element)
{
	return filch_watch_wait_until(receiver, element, FILCH_NEVER);
}

int filch_watch_try_wait(struct filch_watch_receiver *receiver, void *element)
{
	return receiver && receiver->watch ? wait_for_new(receiver, element, CHANGE_TRY) : -EINVAL;
}

int filch_watch_wait_for_until(struct filch_watch_receiver *receiver,
			       filch_watch_predicate *predicate, void *arg, void *element,
			       filch_time deadline)
{
	int status;

	if (!receiver || !predicate || !takes(receiver->watch, element))
		return -EINVAL;
	status = filch__wait_enter();
	if (status < 0)
		return status;
	spin_acquire(guard_of(receiver->watch));
	copy(receiver->watch, element, receiver->watch->value);
	receiver->seen = receiver->watch->version;
	spin_release(guard_of(receiver->watch));
	while (status == 0 && !predicate(element, arg))
		status = wait_for_new(receiver, element, deadline < 0 ? 0 : deadline);
	return status;
}

int filch_watch_wait_for(struct filch_watch_receiver *receiver, filch_watch_predicate *predicate,
			 void *arg, void *element)
{
	return filch_watch_wait_for_until(receiver, predicate, arg, element, FILCH_NEVER);
}

unsigned filch_watch_waiting(struct filch_watch *watch)
{
	return watch ? filch__change_count(guard_of(watch), waiters_of(watch)) : 0;
}
