/* The lock misused: each call tells, and the lock goes on as it was. */
#include "sync/crew.h"

#include <filch/lock.h>

/* LK10, LK11, LK12, G10 */
static int release_as_stranger(void *arg)
{
	struct filch_lock *lock = arg;

	cr_expect_eq(filch_lock_release(lock), -EPERM);
	cr_expect_eq(filch_lock_try_acquire(lock), -EAGAIN);
	return 0;
}

static void *release_in_thread(void *arg)
{
	release_as_stranger(arg);
	return NULL;
}

static void *arguments(void *arg)
{
	struct filch_lock lock = { 0 };

	(void)arg;
	cr_expect_eq(filch_lock_acquire(NULL), -EINVAL);
	cr_expect_eq(filch_lock_acquire_until(NULL, 0), -EINVAL);
	cr_expect_eq(filch_lock_try_acquire(NULL), -EINVAL);
	cr_expect_eq(filch_lock_release(NULL), -EINVAL);
	cr_expect_eq(filch_lock_repair(NULL), -EINVAL);
	cr_expect_eq(filch_lock_fini(NULL), 0);
	cr_expect_eq(filch_lock_release(&lock), -EPERM);
	cr_expect_eq(filch_lock_repair(&lock), -EINVAL);
	cr_expect_eq(filch_lock_acquire(&lock), 0);
	cr_expect_eq(filch_lock_acquire(&lock), -EDEADLK);
	cr_expect_eq(filch_lock_try_acquire(&lock), -EDEADLK);
	cr_expect_eq(filch_lock_acquire_until(&lock, filch_now()), -EDEADLK);
	cr_expect_eq(filch_lock_fini(&lock), -EBUSY);
	cr_expect_eq(filch_lock_release(&lock), 0);
	cr_expect_eq(filch_lock_release(&lock), -EPERM);
	cr_expect_eq(filch_lock_fini(&lock), 0);
	return NULL;
}

static int misuse(void *arg)
{
	struct filch_lock lock = { 0 };
	struct filch_lock_statistics statistics;
	struct filch_group group;
	pthread_t thread;

	arguments(arg);
	cr_expect_eq(filch_lock_acquire(&lock), 0);
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, release_as_stranger, &lock);
	filch_group_close(&group);
	pthread_create(&thread, NULL, release_in_thread, &lock);
	pthread_join(thread, NULL);
	filch_lock_get_statistics(&lock, &statistics);
	cr_expect(statistics.mine);
	cr_expect_eq(filch_lock_release(&lock), 0);
	return 0;
}

Test(lock_misuse, misuse_is_told_and_changes_nothing)
{
	play(misuse);
	arguments(NULL); /* in a plain thread, too */
}
