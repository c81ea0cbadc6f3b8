/* Who was woken may free the object: whoever woke it touches it no more. */
#include "sim/crew.h"

#define POISON 0xa5

/* One who waits, then owns the memory; one who wakes, and then does not. */
static union {
	struct filch_lock lock;
	struct filch_rwlock rwlock;
	struct filch_semaphore semaphore;
	struct filch_event event;
	struct filch_notify notify;
	struct filch_latch latch;
	struct filch_queue queue;
	struct filch_oneshot oneshot;
	unsigned char bytes[1024];
} object;

static const struct kind {
	const char *name;
	int (*prepare)(void); /* by who wakes; may be NULL */
	int (*wait)(void);
	int (*wake)(void);
} * kind;

static int take_lock(void)
{
	return filch_lock_acquire(&object.lock);
}

static int get_lock(void)
{
	int status = filch_lock_acquire(&object.lock);

	/* A lock that goes is held by nobody. */
	return status == 0 ? filch_lock_release(&object.lock) : status;
}

static int release_lock(void)
{
	return filch_lock_release(&object.lock);
}

static int take_to_write(void)
{
	return filch_rwlock_acquire_write(&object.rwlock);
}

static int get_to_read(void)
{
	int status = filch_rwlock_acquire_read(&object.rwlock);

	return status == 0 ? filch_rwlock_release_read(&object.rwlock) : status;
}

static int release_write(void)
{
	return filch_rwlock_release_write(&object.rwlock);
}

static int acquire(void)
{
	return filch_semaphore_acquire(&object.semaphore);
}

static int release(void)
{
	return filch_semaphore_release(&object.semaphore);
}

static int await_event(void)
{
	return filch_event_wait(&object.event);
}

static int set_event(void)
{
	return filch_event_set(&object.event);
}

static int await_notification(void)
{
	return filch_notify_wait(&object.notify);
}

static int notify(void)
{
	return filch_notify_one(&object.notify);
}

static int count_one(void)
{
	return filch_latch_add(&object.latch, 1);
}

static int await_latch(void)
{
	return filch_latch_wait(&object.latch);
}

static int count_down(void)
{
	return filch_latch_done(&object.latch, 1);
}

static int get(void)
{
	return filch_queue_get(&object.queue, NULL);
}

static int put(void)
{
	return filch_queue_put(&object.queue, NULL);
}

static int get_value(void)
{
	return filch_oneshot_get(&object.oneshot, NULL);
}

static int put_value(void)
{
	return filch_oneshot_put(&object.oneshot, NULL);
}

static const struct kind kinds[] = {
	{ "lock, freed", take_lock, get_lock, release_lock },
	{ "rwlock, freed", take_to_write, get_to_read, release_write },
	{ "semaphore, freed", NULL, acquire, release },
	{ "event, freed", NULL, await_event, set_event },
	{ "notify, freed", NULL, await_notification, notify },
	{ "latch, freed", count_one, await_latch, count_down },
	{ "queue, freed", NULL, get, put },
	{ "oneshot, freed", NULL, get_value, put_value },
};

static void reset(void)
{
	memset(&object, 0, sizeof(object));
}

static bool gone, prepared;

static int wait_and_free(void *arg)
{
	(void)arg;
	while (!prepared)
		if (filch_yield() < 0)
			return 0;
	if (kind->wait() == 0) {
		memset(&object, POISON, sizeof(object));
		gone = true;
	}
	return 0;
}

static int wake(void *arg)
{
	(void)arg;
	if (!kind->prepare || kind->prepare() == 0) {
		prepared = true;
		crew_pause();
		kind->wake();
	}
	prepared = true;
	return 0;
}

static int freed(void *arg)
{
	struct filch_group group;
	int status = filch_group_open(&group, NULL), closed;

	(void)arg;
	gone = prepared = false;
	if (status < 0)
		return status;
	status = filch_group_spawn(&group, wait_and_free, NULL);
	if (status == 0)
		status = filch_group_spawn(&group, wake, NULL);
	if (status < 0)
		filch_group_cancel(&group, 0);
	closed = filch_group_close(&group);
	for (size_t i = 0; gone && i < sizeof(object); i++)
		seeds_check(object.bytes[i] == POISON);
	return status < 0 ? status : closed;
}

Test(freed, by_who_was_woken_and_not_touched_any_more_by_who_woke_it, .timeout = 110)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct scenario scenario = { kinds[i].name, freed, reset, 0 };

		kind = &kinds[i];
		seeds_explore(&scenario, 3000);
	}
}
