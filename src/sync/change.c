/* Waiting for any change. */
#include "sync/change.h"

#include "platform/clock.h"

#include <errno.h>

int filch__change_wait(struct spin *guard, struct list *waiters, filch_time deadline)
{
	static const struct waited change = { .name = "a new value" };
	struct waiter waiter;
	int status;

	if (deadline != FILCH_NEVER && (deadline <= 0 || deadline <= filch__clock_now())) {
		spin_release(guard);
		return deadline == CHANGE_TRY ? -EAGAIN : -ETIMEDOUT;
	}
	filch__waiter_begin(&waiter);
	waiter_says(&waiter, &change, guard);
	list_push_back(waiters, &waiter.link);
	spin_release(guard);
	status = filch__waiter_wait(&waiter, deadline);
	if (status == 0)
		return 0;
	spin_acquire(guard);
	if (list_is_linked(&waiter.link))
		list_remove(&waiter.link);
	spin_release(guard);
	return status;
}

void filch__change_wake_all(struct list *waiters)
{
	struct list *link;

	while ((link = list_pop_front(waiters)))
		waiter_grant(container_of(link, struct waiter, link));
}

unsigned filch__change_count(struct spin *guard, const struct list *waiters)
{
	unsigned count = 0;

	spin_acquire(guard);
	for (const struct list *link = waiters->next; link && link != waiters; link = link->next)
		count++;
	spin_release(guard);
	return count;
}
