/* The reader-writer lock upgraded, and misused: each call tells, and the lock goes on as it was. */
#include "sync/visit.h"

/* RW8 */
static int upgrade(void *arg)
{
	struct house house;

	(void)arg;
	open_house(&house, 0, "r");
	cr_expect_eq(filch_rwlock_upgrade(&house.lock), -EPERM);
	cr_expect_eq(filch_rwlock_acquire_read(&house.lock), 0);
	invite(&house, 'w', FILCH_NEVER);
	invite(&house, 'r', FILCH_NEVER);
	cr_expect_eq(filch_rwlock_try_upgrade(&house.lock), -EAGAIN);
	cr_expect_eq(filch_rwlock_upgrade_until(&house.lock, filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	cr_expect_eq(rwlock_at(&house.lock).readers, 2);
	send_off(&house, 0);
	cr_expect_eq(filch_rwlock_upgrade(&house.lock), 0);
	cr_expect(rwlock_at(&house.lock).mine);
	cr_expect_str_eq(inside_so_far(&house), "0");
	cr_expect_eq(filch_rwlock_release_write(&house.lock), 0);
	close_house(&house);
	cr_expect_eq(house.crew.order[1], 1);
	return 0;
}

Test(rwlock_misuse, a_reader_becomes_the_writer_before_the_queue)
{
	play(upgrade);
}

static int read_and_upgrade(void *arg)
{
	struct house *house = arg;

	cr_expect_eq(filch_rwlock_acquire_read(&house->lock), 0);
	flag_add(&house->crew.go);
	house->crew.status[15] = filch_rwlock_upgrade(&house->lock);
	if (house->crew.status[15] == 0)
		cr_expect_eq(filch_rwlock_release_write(&house->lock), 0);
	else
		cr_expect_eq(filch_rwlock_release_read(&house->lock), 0);
	return 0;
}

/* RW8: the second one; and a new reader waits for the first. */
static int two_upgrades(void *arg)
{
	struct house house;
	struct filch_task *task;

	for (int cancels = 0; cancels < 2; cancels++) {
		open_house(&house, 0, "");
		cr_expect_eq(filch_rwlock_acquire_read(&house.lock), 0);
		filch_group_spawn_with(&house.crew.group, NULL, read_and_upgrade, &house, &task);
		await_waiting(&house, 1);
		cr_expect_eq(filch_rwlock_upgrade(&house.lock), -EDEADLK);
		cr_expect_eq(filch_rwlock_try_upgrade(&house.lock), -EDEADLK);
		invite(&house, 'r', FILCH_NEVER);
		cr_expect_eq(rwlock_at(&house.lock).waiting, 2);
		if (cancels) {
			filch_task_cancel(task, 0);
			flag_await(&house.crew.arrived, 1);
		}
		cr_expect_eq(filch_rwlock_release_read(&house.lock), 0);
		close_house(&house);
		filch_task_release(task);
		cr_expect_eq(house.crew.status[15], cancels ? -ECANCELED : 0);
	}
	(void)arg;
	return 0;
}

Test(rwlock_misuse, a_second_upgrade_is_told_and_a_cancelled_one_lets_readers_in)
{
	play(two_upgrades);
}

static int release_as_stranger(void *arg)
{
	cr_expect_eq(filch_rwlock_release_read(arg), -EPERM);
	cr_expect_eq(filch_rwlock_release_write(arg), -EPERM);
	cr_expect_eq(filch_rwlock_downgrade(arg), -EPERM);
	cr_expect_eq(filch_rwlock_upgrade(arg), -EPERM);
	return 0;
}

static void *release_in_thread(void *arg)
{
	release_as_stranger(arg);
	return NULL;
}

/* RW11, G10, G11 */
static int misuse(void *arg)
{
	struct filch_rwlock lock = { 0 };
	struct filch_group group;
	pthread_t thread;

	(void)arg;
	cr_expect_eq(filch_rwlock_acquire_read(NULL), -EINVAL);
	cr_expect_eq(filch_rwlock_acquire_write(NULL), -EINVAL);
	cr_expect_eq(filch_rwlock_try_acquire_read(NULL), -EINVAL);
	cr_expect_eq(filch_rwlock_release_read(NULL), -EINVAL);
	cr_expect_eq(filch_rwlock_release_write(NULL), -EINVAL);
	cr_expect_eq(filch_rwlock_downgrade(NULL), -EINVAL);
	cr_expect_eq(filch_rwlock_downgrade_if(NULL, NULL, NULL), -EINVAL);
	cr_expect_eq(filch_rwlock_upgrade(NULL), -EINVAL);
	cr_expect_eq(filch_rwlock_init(NULL, 1), -EINVAL);
	cr_expect_eq(filch_rwlock_fini(NULL), 0);
	release_as_stranger(&lock);
	for (int writes = 0; writes < 2; writes++) {
		cr_expect_eq(writes ? filch_rwlock_acquire_write(&lock)
				    : filch_rwlock_acquire_read(&lock),
			     0);
		filch_group_open(&group, NULL);
		filch_group_spawn(&group, release_as_stranger, &lock);
		filch_group_close(&group);
		pthread_create(&thread, NULL, release_in_thread, &lock);
		pthread_join(thread, NULL);
		cr_expect_eq(filch_rwlock_acquire_write(&lock), -EDEADLK);
		cr_expect_eq(filch_rwlock_fini(&lock), -EBUSY);
		if (writes) {
			cr_expect_eq(filch_rwlock_acquire_read(&lock), -EDEADLK);
			cr_expect_eq(filch_rwlock_release_read(&lock), -EPERM);
			cr_expect_eq(filch_rwlock_release_write(&lock), 0);
		} else {
			cr_expect_eq(filch_rwlock_release_write(&lock), -EPERM);
			cr_expect_eq(filch_rwlock_release_read(&lock), 0);
		}
		release_as_stranger(&lock);
	}
	cr_expect_eq(filch_rwlock_fini(&lock), 0);
	return 0;
}

Test(rwlock_misuse, releases_by_who_does_not_hold_it_so_are_told)
{
	play(misuse);
}

/* More readers than are known: they are counted, and each can release. */
static int many_readers(void *arg)
{
	struct house house;

	(void)arg;
	open_house(&house, 0, "rrrrrrrrrrrr");
	cr_expect_eq(rwlock_at(&house.lock).readers, 12);
	invite(&house, 'w', FILCH_NEVER);
	close_house(&house);
	cr_expect_eq(house.crew.order[12], 12);
	release_as_stranger(&house.lock);
	return 0;
}

Test(rwlock_misuse, more_readers_than_are_known_are_counted)
{
	play(many_readers);
}

/* G5: a cancelled caller has nothing, also when it is free. */
static int cancelled_caller(void *arg)
{
	struct filch_rwlock lock = { 0 };
	struct filch_token token;

	(void)arg;
	filch_token_init(&token);
	filch_scope_enter(&token);
	filch_token_cancel(&token, 0);
	cr_expect_eq(filch_rwlock_acquire_read(&lock), -ECANCELED);
	cr_expect_eq(filch_rwlock_acquire_write(&lock), -ECANCELED);
	cr_expect_eq(filch_rwlock_try_acquire_write(&lock), 0);
	cr_expect_eq(filch_rwlock_release_write(&lock), 0);
	filch_scope_leave(&token);
	filch_token_fini(&token);
	cr_expect_eq(filch_rwlock_fini(&lock), 0);
	return 0;
}

Test(rwlock_misuse, a_cancelled_caller_has_nothing)
{
	play(cancelled_caller);
}
