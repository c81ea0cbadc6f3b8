/* The reader-writer lock: who gets in, in what order, and who lets whom in. */
#include "sync/visit.h"

/* RW1, RW2 */
static int order(void *arg)
{
	struct house house;
	struct filch_rwlock_statistics at;

	(void)arg;
	open_house(&house, 0, "rrrwrr");
	cr_expect_str_eq(inside_so_far(&house), "012");
	at = rwlock_at(&house.lock);
	cr_expect(at.readers == 3 && !at.written && at.waiting == 3 && at.contended == 3);
	cr_expect_eq(filch_rwlock_try_acquire_read(&house.lock), -EAGAIN);
	cr_expect_eq(filch_rwlock_try_acquire_write(&house.lock), -EAGAIN);
	cr_expect_eq(filch_rwlock_fini(&house.lock), -EBUSY);
	close_house(&house);
	cr_expect_eq(house.crew.order[3], 3);
	cr_expect_eq(rwlock_at(&house.lock).readers, 0);
	return 0;
}

Test(rwlock, readers_share_it_and_wait_behind_a_writer)
{
	play(order);
}

/* RW5: the last reader lets one writer in, a writer the whole run of readers up to the next one. */
static int runs(void *arg)
{
	struct house house;

	(void)arg;
	open_house(&house, 0, "rrwwrrrwr");
	send_off(&house, 0);
	while (rwlock_at(&house.lock).readers != 1)
		filch_yield();
	cr_expect_str_eq(inside_so_far(&house), "01");
	send_off(&house, 1);
	flag_await(&house.crew.arrived, 3);
	await_waiting(&house, 6);
	cr_expect_str_eq(inside_so_far(&house), "012");
	send_off(&house, 2);
	flag_await(&house.crew.arrived, 4);
	cr_expect_str_eq(inside_so_far(&house), "0123");
	send_off(&house, 3);
	flag_await(&house.crew.arrived, 7);
	cr_expect_eq(rwlock_at(&house.lock).readers, 3);
	cr_expect_eq(rwlock_at(&house.lock).waiting, 2);
	close_house(&house);
	cr_expect(house.crew.order[7] == 7 && house.crew.order[8] == 8);
	return 0;
}

Test(rwlock, the_last_reader_lets_a_writer_in_and_a_writer_the_run_of_readers)
{
	play(runs);
}

/* RW3: also by a deadline. */
static int writer_gives_up(void *arg)
{
	struct house house;

	(void)arg;
	open_house(&house, 0, "rwrr");
	cr_expect(filch_task_cancel(house.crew.tasks[1], 0));
	flag_await(&house.crew.arrived, 3);
	cr_expect_eq(rwlock_at(&house.lock).waiting, 0);
	cr_expect_eq(rwlock_at(&house.lock).readers, 3);
	close_house(&house);
	cr_expect_eq(house.crew.status[1], -ECANCELED);

	open_house(&house, 0, "r");
	invite(&house, 'w', filch_now() + 5 * FILCH_MILLISECOND);
	invite(&house, 'r', FILCH_NEVER);
	flag_await(&house.crew.arrived, 2);
	close_house(&house);
	cr_expect_eq(house.crew.status[1], -ETIMEDOUT);
	cr_expect_eq(house.crew.status[2], 0);
	return 0;
}

Test(rwlock, a_writer_that_gives_up_lets_the_readers_behind_it_in)
{
	play(writer_gives_up);
}

/* RW4 */
static int read_again(void *arg)
{
	struct house house;
	struct filch_rwlock lock = { 0 };

	(void)arg;
	cr_expect_eq(filch_rwlock_acquire_read(&lock), 0);
	cr_expect_eq(filch_rwlock_acquire_read(&lock), 0);
	cr_expect_eq(filch_rwlock_release_read(&lock), 0);
	cr_expect_eq(filch_rwlock_acquire_write(&lock), -EDEADLK);
	cr_expect_eq(filch_rwlock_release_read(&lock), 0);
	open_house(&house, 0, "");
	cr_expect_eq(filch_rwlock_acquire_read(&house.lock), 0);
	invite(&house, 'w', FILCH_NEVER);
	cr_expect_eq(filch_rwlock_acquire_read(&house.lock), -EDEADLK);
	cr_expect_eq(filch_rwlock_try_acquire_read(&house.lock), -EDEADLK);
	cr_expect_eq(filch_rwlock_release_read(&house.lock), 0);
	close_house(&house);
	cr_expect_eq(house.crew.status[0], 0);
	return 0;
}

Test(rwlock, a_reader_that_would_wait_behind_a_writer_for_itself_is_told)
{
	play(read_again);
}

/* RW6: the queued readers get in, the writer before or behind them does not. */
static int downgrade(void *arg)
{
	struct house house;

	(void)arg;
	open_house(&house, 0, "");
	cr_expect_eq(filch_rwlock_acquire_write(&house.lock), 0);
	invite(&house, 'r', FILCH_NEVER);
	invite(&house, 'r', FILCH_NEVER);
	invite(&house, 'w', FILCH_NEVER);
	invite(&house, 'r', FILCH_NEVER);
	cr_expect_eq(filch_rwlock_downgrade(&house.lock), 0);
	flag_await(&house.crew.arrived, 2);
	cr_expect_eq(rwlock_at(&house.lock).readers, 3);
	cr_expect(!rwlock_at(&house.lock).written);
	cr_expect_eq(rwlock_at(&house.lock).waiting, 2);
	cr_expect_eq(filch_rwlock_release_write(&house.lock), -EPERM);
	cr_expect_eq(filch_rwlock_release_read(&house.lock), 0);
	close_house(&house);
	cr_expect(house.crew.order[2] == 2 && house.crew.order[3] == 3);

	open_house(&house, 0, "");
	cr_expect_eq(filch_rwlock_acquire_write(&house.lock), 0);
	invite(&house, 'w', FILCH_NEVER);
	invite(&house, 'r', FILCH_NEVER);
	cr_expect_eq(filch_rwlock_downgrade(&house.lock), 0);
	cr_expect_eq(rwlock_at(&house.lock).waiting, 2);
	cr_expect_eq(filch_rwlock_release_read(&house.lock), 0);
	close_house(&house);
	return 0;
}

Test(rwlock, a_writer_becomes_a_reader_with_no_writer_in_between)
{
	play(downgrade);
}

/* RW7 */
static int downgrade_if(void *arg)
{
	struct filch_rwlock lock = { 0 };
	int answers[] = { 0, -EPROTO, 1 };
	static const int found[] = { -EAGAIN, -EPROTO, 0 };

	(void)arg;
	cr_expect_eq(filch_rwlock_downgrade_if(&lock, return_int, &answers[2]), -EPERM);
	cr_expect_eq(filch_rwlock_acquire_write(&lock), 0);
	cr_expect_eq(filch_rwlock_downgrade_if(&lock, NULL, NULL), -EINVAL);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(filch_rwlock_downgrade_if(&lock, return_int, &answers[i]), found[i]);
		cr_expect_eq(rwlock_at(&lock).mine, i < 2);
	}
	cr_expect_eq(filch_rwlock_release_read(&lock), 0);
	return 0;
}

Test(rwlock, a_downgrade_that_is_refused_leaves_the_writer_as_it_was)
{
	play(downgrade_if);
}

/* RW9, RW10 */
static int limit(void *arg)
{
	struct house house;

	(void)arg;
	cr_expect_eq(filch_rwlock_init(&house.lock, 0), -EINVAL);
	open_house(&house, 2, "rrrr");
	cr_expect_eq(rwlock_at(&house.lock).readers, 2);
	cr_expect_eq(rwlock_at(&house.lock).waiting, 2);
	send_off(&house, 0);
	flag_await(&house.crew.arrived, 3);
	cr_expect_str_eq(inside_so_far(&house), "012");
	cr_expect_eq(rwlock_at(&house.lock).waiting, 1);
	close_house(&house);
	return 0;
}

Test(rwlock, at_the_limit_one_reader_that_leaves_lets_one_in)
{
	play(limit);
}

/* RW12: the grant is kept, also by who is cancelled then, and the lock is free in the end. */
static int cancel_in_a_run(void *arg)
{
	struct house house;

	(void)arg;
	for (int when = 0; when < 2; when++) {
		open_house(&house, 0, "");
		cr_expect_eq(filch_rwlock_acquire_write(&house.lock), 0);
		for (int i = 0; i < 12; i++)
			invite(&house, 'r', FILCH_NEVER);
		if (when == 0)
			filch_task_cancel(house.crew.tasks[3], 0);
		cr_expect_eq(filch_rwlock_release_write(&house.lock), 0);
		if (when == 1)
			filch_task_cancel(house.crew.tasks[3], 0);
		flag_await(&house.crew.arrived, 11 + when);
		cr_expect_eq(rwlock_at(&house.lock).readers, 11 + (unsigned)when);
		for (int i = 0; i < 12; i++)
			send_off(&house, i);
		cr_expect_eq(filch_rwlock_acquire_write(&house.lock), 0);
		cr_expect_eq(filch_rwlock_release_write(&house.lock), 0);
		close_house(&house);
		cr_expect_eq(house.crew.status[3], when == 0 ? -ECANCELED : 0);
	}
	return 0;
}

Test(rwlock, a_cancelled_reader_of_a_run_leaves_nothing_behind)
{
	play(cancel_in_a_run);
}

/* RW13, RW14, G8, G9: any number is a deadline, also one long ago or never. */
static int deadlines(void *arg)
{
	static const filch_time past[] = { 0, -1, INT64_MIN, 1 };
	struct house house;

	(void)arg;
	open_house(&house, 0, "");
	for (int i = 0; i < 4; i++) {
		cr_expect_eq(filch_rwlock_acquire_write_until(&house.lock, past[i]), 0);
		cr_expect_eq(filch_rwlock_release_write(&house.lock), 0);
		cr_expect_eq(filch_rwlock_acquire_read_until(&house.lock, past[i]), 0);
		cr_expect_eq(filch_rwlock_upgrade_until(&house.lock, past[i]), 0);
		cr_expect_eq(filch_rwlock_release_write(&house.lock), 0);
	}
	invite(&house, 'w', INT64_MAX - 1);
	for (int i = 0; i < 4; i++) {
		cr_expect_eq(filch_rwlock_acquire_write_until(&house.lock, past[i]), -ETIMEDOUT);
		cr_expect_eq(filch_rwlock_acquire_read_until(&house.lock, past[i]), -ETIMEDOUT);
	}
	cr_expect_eq(rwlock_at(&house.lock).contended, 0);
	cr_expect_eq(filch_rwlock_acquire_read_until(&house.lock, filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	close_house(&house);
	return 0;
}

Test(rwlock, a_passed_deadline_polls_once)
{
	play(deadlines);
}

/* LK3 for this lock. */
static int spent(void *arg)
{
	filch_task_set_budget(1);
	return visit(arg);
}

static int spent_budget(void *arg)
{
	struct house house;

	(void)arg;
	open_house(&house, 0, "w");
	for (int i = 1; i < 4; i++) {
		house.visitors[i] = (struct visitor){ &house, i, true, FILCH_NEVER, 1 };
		filch_group_spawn(&house.crew.group, i == 2 ? visit : spent, &house.visitors[i]);
	}
	house.count = 4;
	await_waiting(&house, 3);
	close_house(&house);
	cr_expect_str_eq(inside_so_far(&house), "0123");
	return 0;
}

Test(rwlock, a_spent_budget_does_not_cost_the_place_in_the_queue)
{
	cr_assert_eq(run_with(1, spent_budget, NULL), 0);
}
