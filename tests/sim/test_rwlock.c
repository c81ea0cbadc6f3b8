/* A read-write lock in simulation: many readers or one writer, up and down, nobody left behind. */
#include "sim/crew.h"

static struct filch_rwlock lock;
static int readers, writers;

static void reset(void)
{
	memset(&lock, 0, sizeof(lock));
	readers = writers = 0;
}

static int acquire_read(void)
{
	switch (seeds_pick(4)) {
	case 0:
		return seeds_patient(filch_rwlock_acquire_read_until(&lock, seeds_patience()));
	case 1:
		return filch_rwlock_acquire_read_until(&lock, crew_soon());
	case 2:
		return filch_rwlock_try_acquire_read(&lock);
	default:
		return filch_rwlock_acquire_read(&lock);
	}
}

static int acquire_write(void)
{
	switch (seeds_pick(4)) {
	case 0:
		return seeds_patient(filch_rwlock_acquire_write_until(&lock, seeds_patience()));
	case 1:
		return filch_rwlock_acquire_write_until(&lock, crew_soon());
	case 2:
		return filch_rwlock_try_acquire_write(&lock);
	default:
		return filch_rwlock_acquire_write(&lock);
	}
}

static int upgrade(void)
{
	switch (seeds_pick(3)) {
	case 0:
		return filch_rwlock_upgrade_until(&lock, crew_soon());
	case 1:
		return filch_rwlock_try_upgrade(&lock);
	default:
		return filch_rwlock_upgrade(&lock);
	}
}

static void be_writer(void)
{
	seeds_check(writers++ == 0 && readers == 0);
	crew_pause();
	seeds_check(writers-- == 1 && readers == 0);
}

static void be_reader(void)
{
	seeds_check(++readers > 0 && writers == 0);
	crew_pause();
	seeds_check(readers > 0 && writers == 0);
}

static void read_and_perhaps_write(void)
{
	int status = -EAGAIN;

	be_reader();
	if (seeds_pick(3) == 0) {
		readers--; /* if it succeeds it is one no more */
		status = upgrade();
		if (status < 0)
			readers++;
	}
	if (status == 0) {
		be_writer();
		seeds_check(filch_rwlock_release_write(&lock) == 0);
	} else {
		readers--;
		seeds_check(filch_rwlock_release_read(&lock) == 0);
	}
}

static void write_and_perhaps_read(void)
{
	be_writer();
	if (seeds_pick(3) > 0) {
		seeds_check(filch_rwlock_release_write(&lock) == 0);
		return;
	}
	seeds_check(filch_rwlock_downgrade(&lock) == 0);
	be_reader();
	readers--;
	seeds_check(filch_rwlock_release_read(&lock) == 0);
}

static int use(struct player *self)
{
	for (int i = 0; i < 3; i++) {
		bool reads = (self->index + (unsigned)i) % 3 != 0;
		int status = reads ? acquire_read() : acquire_write();

		if (status == -ECANCELED)
			return status;
		seeds_check(status == 0 || status == -EAGAIN || status == -ETIMEDOUT ||
			    status == -ENOMEM);
		if (status < 0)
			continue;
		if (reads)
			read_and_perhaps_write();
		else
			write_and_perhaps_read();
	}
	return 0;
}

static void check_free(void)
{
	struct filch_rwlock_statistics statistics;

	filch_rwlock_get_statistics(&lock, &statistics);
	seeds_check(readers == 0 && writers == 0);
	seeds_check(statistics.readers == 0 && !statistics.written && statistics.waiting == 0);
	seeds_check(filch_rwlock_fini(&lock) == 0);
}

static int users(void *arg)
{
	int status = crew_run(5, use);

	(void)arg;
	check_free();
	return status;
}

Test(rwlock, it_has_readers_or_one_writer_and_nobody_waits_for_a_free_one, .timeout = 110)
{
	static const struct scenario scenario = { "rwlock", users, reset, 0 };

	seeds_explore(&scenario, 16000);
}

/* ---- First in, first out ---- */

static int stand_in_line(struct player *self)
{
	int status = self->index & 1 ? filch_rwlock_acquire_write(&lock)
				     : filch_rwlock_acquire_read(&lock);

	if (status < 0)
		return status;
	/* Of the readers that are let in together any may be the first to run. */
	if (self->index & 1)
		crew_note(self);
	seeds_check((self->index & 1 ? filch_rwlock_release_write(&lock)
				     : filch_rwlock_release_read(&lock)) == 0);
	return 0;
}

static void release(void)
{
	seeds_check(filch_rwlock_release_write(&lock) == 0);
}

static int line(void *arg)
{
	unsigned served;
	int status = filch_rwlock_acquire_write(&lock);

	(void)arg;
	if (status < 0)
		return status;
	status = crew_line(stand_in_line, release, 1, &served);
	if (status < 0)
		filch_rwlock_release_write(&lock);
	check_free();
	return status;
}

Test(rwlock, writers_are_served_in_order_and_a_cancelled_one_lets_the_others_by, .timeout = 110)
{
	static const struct scenario scenario = { "rwlock's line", line, reset, 0 };

	seeds_explore(&scenario, 6000);
}
