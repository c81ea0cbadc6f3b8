/* The oneshot: empty, then put and taken, or never. */
#include <filch/oneshot.h>

#include "sync/change.h"

#include <errno.h>
#include <string.h>

enum oneshot_state { EMPTY, FULL, TAKEN, ABANDONED, CLOSED };

static struct spin *guard_of(struct filch_oneshot *oneshot)
{
	return (struct spin *)(void *)&oneshot->guard;
}

static struct list *waiters_of(struct filch_oneshot *oneshot)
{
	return (struct list *)(void *)oneshot->waiters;
}

static bool takes(const struct filch_oneshot *oneshot, const void *element)
{
	return oneshot && (element || oneshot->element_size == 0);
}

int filch_oneshot_init(struct filch_oneshot *oneshot, size_t element_size, void *memory)
{
	if (!oneshot || (!memory && element_size > 0))
		return -EINVAL;
	*oneshot = (struct filch_oneshot){ .element_size = element_size, .value = memory };
	return 0;
}

int filch_oneshot_fini(struct filch_oneshot *oneshot)
{
	bool busy;

	if (!oneshot)
		return 0;
	spin_acquire(guard_of(oneshot));
	busy = oneshot->getting > 0;
	spin_release(guard_of(oneshot));
	return busy ? -EBUSY : 0;
}

/* From empty to `state`, with a value or without: 0, or why not. */
static int settle(struct filch_oneshot *oneshot, enum oneshot_state state, const void *element)
{
	int status = 0;

	spin_acquire(guard_of(oneshot));
	if (oneshot->state != EMPTY) {
		status = oneshot->state == CLOSED && state == FULL ? -EPIPE : -EALREADY;
	} else {
		if (element && oneshot->element_size > 0)
			memcpy(oneshot->value, element, oneshot->element_size);
		oneshot->state = state;
		filch__change_wake_all(waiters_of(oneshot));
	}
	spin_release(guard_of(oneshot));
	return status;
}

int filch_oneshot_put(struct filch_oneshot *oneshot, const void *element)
{
	return takes(oneshot, element) ? settle(oneshot, FULL, element) : -EINVAL;
}

int filch_oneshot_abandon(struct filch_oneshot *oneshot)
{
	return oneshot ? settle(oneshot, ABANDONED, NULL) : -EINVAL;
}

int filch_oneshot_close(struct filch_oneshot *oneshot)
{
	return oneshot ? settle(oneshot, CLOSED, NULL) : -EINVAL;
}

static int get(struct filch_oneshot *oneshot, void *element, filch_time deadline)
{
	int status = 0;

	spin_acquire(guard_of(oneshot));
	oneshot->getting++;
	while (status == 0 && oneshot->state == EMPTY) {
		status = filch__change_wait(guard_of(oneshot), waiters_of(oneshot), deadline);
		spin_acquire(guard_of(oneshot));
	}
	oneshot->getting--;
	if (status == 0 && oneshot->state != FULL)
		status = -EPIPE;
	if (status == 0) {
		if (oneshot->element_size > 0)
			memcpy(element, oneshot->value, oneshot->element_size);
		oneshot->state = TAKEN;
	}
	spin_release(guard_of(oneshot));
	return status;
}

int filch_oneshot_get_until(struct filch_oneshot *oneshot, void *element, filch_time deadline)
{
	int status = takes(oneshot, element) ? filch__wait_enter() : -EINVAL;

	return status < 0 ? status : get(oneshot, element, deadline < 0 ? 0 : deadline);
}

int filch_oneshot_get(struct filch_oneshot *oneshot, void *element)
{
	return filch_oneshot_get_until(oneshot, element, FILCH_NEVER);
}

int filch_oneshot_try_get(struct filch_oneshot *oneshot, void *element)
{
	return takes(oneshot, element) ? get(oneshot, element, CHANGE_TRY) : -EINVAL;
}

unsigned filch_oneshot_waiting(struct filch_oneshot *oneshot)
{
	return oneshot ? filch__change_count(guard_of(oneshot), waiters_of(oneshot)) : 0;
}
