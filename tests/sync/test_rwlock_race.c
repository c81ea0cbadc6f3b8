/* The reader-writer lock under load: exclusion, cancels and timeouts at any time, starvation,
 * frees. */
#include "sync/visit.h"

/* ---- Readers and writers of all kinds, mixed (RW1, RW12, RW15, G3, G13) ---- */

struct storm {
	struct filch_rwlock lock;
	int readers, writers;	/* inside */
	uint64_t first, second; /* written together */
	uint64_t reads, writes;
	int rounds;
};

static void read_inside(struct storm *storm)
{
	__atomic_fetch_add(&storm->readers, 1, __ATOMIC_RELAXED);
	cr_expect_eq(__atomic_load_n(&storm->writers, __ATOMIC_RELAXED), 0);
	cr_expect_eq(storm->first, storm->second);
	__atomic_fetch_add(&storm->reads, 1, __ATOMIC_RELAXED);
}

static void leave_as_reader(struct storm *storm)
{
	__atomic_fetch_sub(&storm->readers, 1, __ATOMIC_RELAXED);
	cr_expect_eq(filch_rwlock_release_read(&storm->lock), 0);
}

static void write_inside(struct storm *storm)
{
	cr_expect_eq(__atomic_fetch_add(&storm->writers, 1, __ATOMIC_RELAXED), 0);
	cr_expect_eq(__atomic_load_n(&storm->readers, __ATOMIC_RELAXED), 0);
	storm->first++;
	storm->second++;
	storm->writes++;
	__atomic_fetch_sub(&storm->writers, 1, __ATOMIC_RELAXED);
}

static void pause_inside(unsigned *state)
{
	struct filch_token shield;

	if (chance(state, 8) > 0)
		return;
	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	filch_sleep((filch_time)chance(state, 50) * 1000);
	filch_scope_leave(&shield);
	filch_token_fini(&shield);
}

static int try_to_upgrade(struct storm *storm, unsigned *state)
{
	int status;

	__atomic_fetch_sub(&storm->readers, 1, __ATOMIC_RELAXED);
	status = chance(state, 2) ? filch_rwlock_upgrade(&storm->lock)
				  : filch_rwlock_try_upgrade(&storm->lock);
	if (status < 0) {
		__atomic_fetch_add(&storm->readers, 1, __ATOMIC_RELAXED);
		return status;
	}
	write_inside(storm);
	cr_expect_eq(filch_rwlock_release_write(&storm->lock), 0);
	return 0;
}

static int visit_as_reader(struct storm *storm, unsigned *state, filch_time deadline)
{
	int status = filch_rwlock_acquire_read_until(&storm->lock, deadline);

	if (status < 0)
		return status;
	read_inside(storm);
	pause_inside(state);
	if (chance(state, 4) > 0 || try_to_upgrade(storm, state) < 0)
		leave_as_reader(storm);
	return 0;
}

static int visit_as_writer(struct storm *storm, unsigned *state, filch_time deadline)
{
	int status = filch_rwlock_acquire_write_until(&storm->lock, deadline);

	if (status < 0)
		return status;
	write_inside(storm);
	pause_inside(state);
	if (chance(state, 2)) {
		cr_expect_eq(filch_rwlock_release_write(&storm->lock), 0);
		return 0;
	}
	cr_expect_eq(filch_rwlock_downgrade(&storm->lock), 0);
	read_inside(storm);
	leave_as_reader(storm);
	return 0;
}

/* Each round in a scope of its own, which a deadline cancels at some time. */
static int live_in_the_storm(void *arg)
{
	struct storm *storm = arg;
	unsigned state = (unsigned)(uintptr_t)&state | 1;

	for (int i = 0; i < storm->rounds; i++) {
		filch_time now = filch_now(), deadline = FILCH_NEVER;
		struct filch_token token;
		int status;

		filch_token_init(&token);
		filch_token_set_deadline(&token, now + (filch_time)chance(&state, 400) * 1000);
		if (chance(&state, 2))
			deadline = now + (filch_time)chance(&state, 300) * 1000;
		filch_scope_enter(&token);
		if (chance(&state, 3))
			status = visit_as_reader(storm, &state, deadline);
		else
			status = visit_as_writer(storm, &state, deadline);
		cr_expect(status == 0 || status == -ETIMEDOUT || status == -ECANCELED, "status %d",
			  status);
		filch_scope_leave(&token);
		filch_token_fini(&token);
	}
	return 0;
}

static int storm_with_many(void *arg)
{
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (int i = 0; i < 12; i++)
		filch_group_spawn(&group, live_in_the_storm, arg);
	return filch_group_close(&group);
}

static void *storm_in_runtime(void *arg)
{
	cr_expect_eq(run_with(2, storm_with_many, arg), 0);
	return NULL;
}

static void *storm_in_thread(void *arg)
{
	live_in_the_storm(arg);
	return NULL;
}

Test(rwlock_race, tasks_of_two_runtimes_and_threads_lose_nothing, .timeout = 60)
{
	static const unsigned workers[] = { 1, 2, 8, 64 };

	for (int i = 0; i < 4; i++) {
		static struct storm storm;
		pthread_t threads[3];

		storm = (struct storm){ .rounds = 100 };
		for (int k = 0; k < 3; k++)
			pthread_create(&threads[k], NULL,
				       k == 0 ? storm_in_runtime : storm_in_thread, &storm);
		cr_assert_eq(run_with(workers[i], storm_with_many, &storm), 0);
		for (int k = 0; k < 3; k++)
			pthread_join(threads[k], NULL);
		cr_assert_eq(storm.first, storm.writes);
		cr_assert_gt(storm.reads, 0);
		cr_assert_eq(filch_rwlock_fini(&storm.lock), 0);
		cr_assert_eq(filch_rwlock_try_acquire_write(&storm.lock), 0);
		cr_assert_eq(filch_rwlock_release_write(&storm.lock), 0);
	}
}

/* ---- Nobody starves (RW15) ---- */

struct crowd {
	struct filch_rwlock lock;
	int stop;
	bool writes;
};

static int come_again_and_again(void *arg)
{
	struct crowd *crowd = arg;

	while (!flag_get(&crowd->stop)) {
		if (crowd->writes)
			cr_expect_eq(filch_rwlock_acquire_write(&crowd->lock), 0);
		else
			cr_expect_eq(filch_rwlock_acquire_read(&crowd->lock), 0);
		filch_yield();
		if (crowd->writes)
			cr_expect_eq(filch_rwlock_release_write(&crowd->lock), 0);
		else
			cr_expect_eq(filch_rwlock_release_read(&crowd->lock), 0);
	}
	return 0;
}

static int get_past_the_crowd(void *arg)
{
	(void)arg;
	for (int writes = 0; writes < 2; writes++) {
		struct crowd crowd = { .writes = writes };
		struct filch_group group;

		filch_group_open(&group, NULL);
		for (int i = 0; i < 4; i++)
			filch_group_spawn(&group, come_again_and_again, &crowd);
		for (int i = 0; i < 10; i++) {
			filch_yield();
			if (writes)
				cr_expect_eq(filch_rwlock_acquire_read(&crowd.lock), 0);
			else
				cr_expect_eq(filch_rwlock_acquire_write(&crowd.lock), 0);
			if (writes)
				cr_expect_eq(filch_rwlock_release_read(&crowd.lock), 0);
			else
				cr_expect_eq(filch_rwlock_release_write(&crowd.lock), 0);
		}
		flag_add(&crowd.stop);
		filch_group_close(&group);
	}
	return 0;
}

Test(rwlock_race, neither_a_writer_nor_a_reader_starves, .timeout = 60)
{
	play(get_past_the_crowd);
}

/* ---- Freed as soon as the last one has it (G12) ---- */

struct gift {
	struct filch_rwlock lock;
	int ready;
};

static int take_and_free(void *arg)
{
	struct gift *gift = arg;

	flag_add(&gift->ready);
	cr_expect_eq(filch_rwlock_acquire_write(&gift->lock), 0);
	cr_expect_eq(filch_rwlock_release_write(&gift->lock), 0);
	cr_expect_eq(filch_rwlock_fini(&gift->lock), 0);
	free(gift);
	return 0;
}

static void *take_and_free_in_thread(void *arg)
{
	take_and_free(arg);
	return NULL;
}

static int give(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++) {
		struct gift *gift = calloc(1, sizeof(*gift));
		struct filch_group group;
		pthread_t thread;

		cr_expect_eq(filch_rwlock_acquire_read(&gift->lock), 0);
		filch_group_open(&group, NULL);
		if (i % 4 == 0)
			pthread_create(&thread, NULL, take_and_free_in_thread, gift);
		else
			filch_group_spawn(&group, take_and_free, gift);
		while (!flag_get(&gift->ready))
			filch_yield();
		for (int k = 0; k < i % 8; k++)
			filch_yield();
		cr_expect_eq(filch_rwlock_release_read(&gift->lock), 0);
		cr_expect_eq(filch_group_close(&group), 0);
		if (i % 4 == 0)
			pthread_join(thread, NULL);
	}
	return 0;
}

Test(rwlock_race, it_may_be_freed_by_the_one_that_was_given_it, .timeout = 60)
{
	play(give);
}
