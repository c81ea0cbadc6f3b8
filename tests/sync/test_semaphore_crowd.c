/* Crowds at a semaphore: tasks and threads, cancelled and timed out at random; freed at once. */
#include "sync/waiters.h"

/* ---- Permits are conserved ---- */

#define PERMITS 3
#define TASKS 24

struct crowd {
	struct filch_semaphore semaphore;
	int64_t inside; /* permits held */
	int64_t most;
	int rounds;
	int acquired, failed;
};

static void hold(struct crowd *crowd, int64_t permits)
{
	int64_t inside = __atomic_add_fetch(&crowd->inside, permits, __ATOMIC_RELAXED);

	if (inside > PERMITS)
		__atomic_store_n(&crowd->most, inside, __ATOMIC_RELAXED);
}

static void visit(struct crowd *crowd, uint32_t *seed)
{
	int64_t permits = next_random(seed) % PERMITS + 1;
	filch_time deadline =
		next_random(seed) % 2 ? FILCH_NEVER : filch_now() + next_random(seed) % 30000;
	int status =
		next_random(seed) % 8 == 0
			? filch_semaphore_try_acquire_many(&crowd->semaphore, permits)
			: filch_semaphore_acquire_many_until(&crowd->semaphore, permits, deadline);

	if (status < 0) {
		cr_expect(status == -EAGAIN || status == -ETIMEDOUT || status == -ECANCELED);
		flag_add(&crowd->failed);
		return;
	}
	flag_add(&crowd->acquired);
	hold(crowd, permits);
	if (next_random(seed) % 2)
		filch_yield();
	__atomic_sub_fetch(&crowd->inside, permits, __ATOMIC_RELAXED);
	cr_expect_eq(filch_semaphore_release_many(&crowd->semaphore, permits), 0);
}

/* Each visit in a scope with a deadline that may come first. */
static int visits(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&crowd ^ (uint32_t)filch_now();

	for (int i = 0; i < crowd->rounds; i++) {
		struct filch_token token;

		filch_token_init(&token);
		if (next_random(&seed) % 2)
			filch_token_set_deadline(&token, filch_now() + next_random(&seed) % 50000);
		filch_scope_enter(&token);
		visit(crowd, &seed);
		filch_scope_leave(&token);
		filch_token_fini(&token);
	}
	return 0;
}

static void *visits_as_thread(void *arg)
{
	visits(arg);
	return NULL;
}

static int comes_and_goes(void *arg)
{
	struct crowd crowd = { .semaphore = FILCH_SEMAPHORE_INIT(PERMITS), .rounds = rounds(300) };
	struct filch_semaphore_statistics statistics;
	struct filch_group group;
	pthread_t threads[2];

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, visits_as_thread, &crowd);
	for (int i = 0; i < TASKS; i++)
		filch_group_spawn(&group, visits, &crowd);
	cr_expect_eq(filch_group_close(&group), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	filch_semaphore_get_statistics(&crowd.semaphore, &statistics);
	cr_expect_eq(crowd.most, 0, "%d permits were held at once", (int)crowd.most);
	cr_expect_eq(statistics.permits, PERMITS);
	cr_expect_eq(statistics.waiting, 0);
	cr_expect_eq(crowd.acquired + crowd.failed, (TASKS + 2) * crowd.rounds);
	cr_expect_gt(crowd.acquired, 0);
	cr_expect_eq(filch_semaphore_fini(&crowd.semaphore), 0);
	return 0;
}

Test(semaphore_crowd, permits_are_conserved_whoever_is_cancelled_or_times_out, .timeout = 60)
{
	play_crowded(comes_and_goes);
}

/* ---- G13: plain data ---- */

struct guarded {
	struct filch_semaphore semaphore;
	int64_t count;
	int rounds;
};

static int counts(void *arg)
{
	struct guarded *guarded = arg;

	for (int i = 0; i < guarded->rounds; i++) {
		filch_semaphore_acquire(&guarded->semaphore);
		guarded->count++;
		filch_semaphore_release(&guarded->semaphore);
	}
	return 0;
}

static void *counts_as_thread(void *arg)
{
	counts(arg);
	return NULL;
}

static int counts_together(void *arg)
{
	struct guarded guarded = { .semaphore = FILCH_SEMAPHORE_INIT(1), .rounds = rounds(3000) };
	struct filch_group group;
	pthread_t thread;

	(void)arg;
	filch_group_open(&group, NULL);
	pthread_create(&thread, NULL, counts_as_thread, &guarded);
	for (int i = 0; i < 8; i++)
		filch_group_spawn(&group, counts, &guarded);
	filch_group_close(&group);
	pthread_join(thread, NULL);
	cr_expect_eq(guarded.count, 9 * guarded.rounds);
	return 0;
}

Test(semaphore_crowd, one_permit_guards_plain_data, .timeout = 60)
{
	play_crowded(counts_together);
}

/* ---- G12: freed by who was woken ---- */

static int releases(void *arg)
{
	cr_expect_eq(filch_semaphore_release(arg), 0);
	return 0;
}

static void *releases_as_thread(void *arg)
{
	releases(arg);
	return NULL;
}

static int frees_at_once(void *arg)
{
	const int many = rounds(2000);

	(void)arg;
	for (int i = 0; i < many; i++) {
		struct filch_semaphore *semaphore = calloc(1, sizeof(*semaphore));
		struct filch_group group;

		filch_group_open(&group, NULL);
		filch_group_spawn(&group, releases, semaphore);
		if (i % 2)
			filch_yield();
		cr_expect_eq(filch_semaphore_acquire(semaphore), 0);
		free(semaphore);
		filch_group_close(&group);
	}
	return 0;
}

Test(semaphore_crowd, may_be_freed_by_the_task_that_got_the_last_permit, .timeout = 60)
{
	play_crowded(frees_at_once);
}

Test(semaphore_crowd, may_be_freed_by_the_thread_that_got_the_last_permit, .timeout = 60)
{
	for (int i = 0; i < rounds(1000); i++) {
		struct filch_semaphore *semaphore = calloc(1, sizeof(*semaphore));
		pthread_t thread;

		pthread_create(&thread, NULL, releases_as_thread, semaphore);
		cr_assert_eq(filch_semaphore_acquire(semaphore), 0);
		free(semaphore);
		pthread_join(thread, NULL);
	}
}

/* Batches: the last of forty to return frees it, some by timeout. */
struct shared {
	struct filch_semaphore semaphore;
	int begun;
	int left;
};

static int waits_and_frees(void *arg)
{
	struct shared *shared = arg;
	uint32_t seed = (uint32_t)filch_now();
	filch_time deadline =
		next_random(&seed) % 3 ? FILCH_NEVER : filch_now() + next_random(&seed) % 100000;

	flag_add(&shared->begun);
	filch_semaphore_acquire_until(&shared->semaphore, deadline);
	if (__atomic_sub_fetch(&shared->left, 1, __ATOMIC_ACQ_REL) == 0)
		free(shared);
	return 0;
}

static int is_freed_by_the_last(void *arg)
{
	const int many = rounds(200);

	(void)arg;
	for (int i = 0; i < many; i++) {
		struct shared *shared = calloc(1, sizeof(*shared));
		struct filch_group group;

		shared->left = 40;
		filch_group_open(&group, NULL);
		for (int k = 0; k < 40; k++)
			filch_group_spawn(&group, waits_and_frees, shared);
		await_that(flag_get(&shared->begun) == 40);
		filch_semaphore_release_many(&shared->semaphore, 40);
		filch_group_close(&group);
	}
	return 0;
}

Test(semaphore_crowd, may_be_freed_by_the_last_of_many_that_one_release_woke, .timeout = 60)
{
	play_crowded(is_freed_by_the_last);
}
