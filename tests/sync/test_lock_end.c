/* Who ends holding a lock breaks it. */
#include "sync/crew.h"

#include <filch/lock.h>

static int end_with_it(void *arg)
{
	return filch_lock_acquire(arg);
}

static int end_with_it_while_waited_for(void *arg)
{
	cr_expect_eq(filch_lock_acquire(arg), 0);
	lock_await_waiting(arg, 3);
	return 0;
}

static int find_it_broken(void *arg)
{
	int status = filch_lock_acquire(arg);

	cr_expect_eq(status, -EOWNERDEAD);
	return 0;
}

static void *find_it_broken_in_thread(void *arg)
{
	find_it_broken(arg);
	return NULL;
}

/* LK13 */
static int owner_ends(void *arg)
{
	struct filch_lock lock = { 0 };
	struct filch_lock_statistics at;
	struct filch_group group;
	pthread_t thread;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, end_with_it_while_waited_for, &lock);
	do {
		filch_yield();
		filch_lock_get_statistics(&lock, &at);
	} while (!at.locked);
	filch_group_spawn(&group, find_it_broken, &lock);
	filch_group_spawn(&group, find_it_broken, &lock);
	pthread_create(&thread, NULL, find_it_broken_in_thread, &lock);
	cr_expect_eq(filch_group_close(&group), 0);
	pthread_join(thread, NULL);
	filch_lock_get_statistics(&lock, &at);
	cr_expect(at.broken && !at.locked && at.waiting == 0);
	cr_expect_eq(filch_lock_acquire(&lock), -EOWNERDEAD);
	cr_expect_eq(filch_lock_try_acquire(&lock), -EOWNERDEAD);
	cr_expect_eq(filch_lock_release(&lock), -EPERM);
	cr_expect_eq(filch_lock_repair(&lock), 0);
	cr_expect_eq(filch_lock_repair(&lock), -EINVAL);
	cr_expect_eq(filch_lock_acquire(&lock), 0);
	cr_expect_eq(filch_lock_release(&lock), 0);
	cr_expect_eq(filch_lock_fini(&lock), 0);
	return 0;
}

Test(lock_end, an_owner_that_ends_breaks_it_for_waiters_and_later_callers)
{
	play(owner_ends);
}

static void *end_thread_with_two(void *arg)
{
	struct filch_lock *locks = arg;

	cr_expect_eq(filch_lock_acquire(&locks[0]), 0);
	cr_expect_eq(filch_lock_acquire(&locks[1]), 0);
	cr_expect_eq(filch_lock_acquire(&locks[2]), 0);
	cr_expect_eq(filch_lock_release(&locks[1]), 0);
	return NULL;
}

Test(lock_end, a_thread_that_ends_breaks_all_it_holds)
{
	struct filch_lock locks[3] = { 0 };
	pthread_t thread;

	pthread_create(&thread, NULL, end_thread_with_two, locks);
	pthread_join(thread, NULL);
	cr_assert_eq(filch_lock_acquire(&locks[0]), -EOWNERDEAD);
	cr_assert_eq(filch_lock_acquire(&locks[1]), 0);
	cr_assert_eq(filch_lock_acquire(&locks[2]), -EOWNERDEAD);
	cr_assert_eq(filch_lock_release(&locks[1]), 0);
}

/* A record, a token of its own, a stack of its own: it ends the same way. */
static int owner_with_a_handle(void *arg)
{
	const struct filch_task_options large = { .size = sizeof(large),
						  .stack_class = FILCH_STACK_LARGE };
	struct filch_lock lock = { 0 };
	struct filch_group group;
	struct filch_task *task;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, &large, end_with_it, &lock, &task);
	filch_group_close(&group);
	filch_task_release(task);
	cr_expect_eq(filch_lock_acquire(&lock), -EOWNERDEAD);
	return 0;
}

Test(lock_end, so_does_a_task_with_a_handle)
{
	play(owner_with_a_handle);
}

/*
 * The waiter was woken, another barged in and ended holding the lock before it came: it finds the
 * lock broken, also when it was repaired meanwhile, and until then the lock is busy.
 */
static int barge_and_end(void *arg)
{
	struct filch_lock *lock = arg;

	cr_expect_eq(filch_lock_acquire(lock), 0);
	lock_await_waiting(lock, 1);
	cr_expect_eq(filch_lock_release(lock), 0);
	return filch_lock_try_acquire(lock) == 0 ? 1 : 0;
}

static int woken_then_broken(void *arg)
{
	const struct filch_group_options collect = { .size = sizeof(collect),
						     .policy = FILCH_GROUP_COLLECT };
	struct filch_lock lock = { 0 };
	struct filch_lock_statistics at;
	struct filch_group group, inner;

	(void)arg;
	filch_group_open(&group, &collect);
	filch_group_open(&inner, NULL);
	filch_group_spawn(&inner, barge_and_end, &lock);
	do {
		filch_yield();
		filch_lock_get_statistics(&lock, &at);
	} while (!at.locked);
	filch_group_spawn(&group, end_with_it, &lock);
	filch_group_close(&inner);
	filch_lock_get_statistics(&lock, &at);
	if (at.broken)
		cr_expect_eq(filch_lock_fini(&lock), -EBUSY);
	if (at.broken)
		cr_expect_eq(filch_lock_repair(&lock), 0);
	cr_expect_eq(filch_group_close(&group), at.broken ? -EOWNERDEAD : 0);
	cr_expect_eq(filch_lock_fini(&lock), 0);
	return 0;
}

Test(lock_end, who_was_on_its_way_then_finds_it_broken)
{
	cr_assert_eq(run_with(1, woken_then_broken, NULL), 0);
}
