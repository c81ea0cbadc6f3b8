/* lock: one that nobody else wants, and one that 64 tasks want all the time. */
#include "../bench.h"

#include <errno.h>
#include <pthread.h>

#define TASKS 64
#define FREE_SHARE 50	/* operations on the free lock per increment of each task */
#define TWIN_THREADS 64 /* the same */

struct count {
	struct filch_lock lock;
	long rounds, sum;
	int came;
};

/* Both in a place of their own, so that lock and sum share a line as they would in a program. */
static int use_free(struct count *count, long operations)
{
	for (long i = 0; i < operations; i++) {
		int status = filch_lock_acquire(&count->lock);

		if (status < 0)
			return status;
		count->sum++;
		filch_lock_release(&count->lock);
	}
	return 0;
}

/* Nobody begins before all have come: else the first are done before the last are spawned. */
static int increment(void *arg)
{
	struct count *count = arg;

	__atomic_add_fetch(&count->came, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&count->came, __ATOMIC_RELAXED) < TASKS)
		filch_yield();
	return use_free(count, count->rounds);
}

static int contend(struct count *count)
{
	struct filch_group group;
	int status = filch_group_open(&group, NULL), closed;

	if (status < 0)
		return status;
	for (int i = 0; status == 0 && i < TASKS; i++)
		status = filch_group_spawn(&group, increment, count);
	if (status < 0)
		__atomic_store_n(&count->came, TASKS, __ATOMIC_RELAXED);
	closed = filch_group_close(&group);
	return status < 0 ? status : closed;
}

static void run(struct trial *trial)
{
	struct count alone = { .rounds = trial->size }, shared = { .rounds = trial->size };
	struct filch_lock_statistics statistics;
	double start = bench_now(), middle;

	trial->status = use_free(&alone, FREE_SHARE * trial->size);
	middle = bench_now();
	if (trial->status == 0)
		trial->status = contend(&shared);
	trial->values[0] = (middle - start) / (double)(FREE_SHARE * trial->size);
	trial->values[1] = (bench_now() - middle) / (double)(TASKS * trial->size);
	trial->verified = trial->status == 0 && alone.sum == FREE_SHARE * trial->size &&
			  shared.sum == TASKS * trial->size;
	filch_lock_get_statistics(&shared.lock, &statistics);
	bench_add_number(trial, "parked", (double)statistics.contended);
}

struct twin_count {
	pthread_mutex_t lock;
	pthread_barrier_t start;
	long rounds, sum;
};

static void twin_use(struct twin_count *count, long operations)
{
	for (long i = 0; i < operations; i++) {
		pthread_mutex_lock(&count->lock);
		count->sum++;
		pthread_mutex_unlock(&count->lock);
	}
}

static void *twin_increment(void *arg)
{
	struct twin_count *count = arg;

	pthread_barrier_wait(&count->start);
	twin_use(count, count->rounds);
	return NULL;
}

static int twin_contend(struct twin_count *count)
{
	pthread_t threads[TWIN_THREADS];
	int begun = 0, error = 0;

	while (error == 0 && begun < TWIN_THREADS) {
		error = pthread_create(&threads[begun], NULL, twin_increment, count);
		begun += error == 0;
	}
	for (int i = 0; error != 0 && i < begun; i++)
		pthread_cancel(threads[i]);
	while (begun > 0)
		pthread_join(threads[--begun], NULL);
	return error;
}

static void run_twin(struct trial *trial)
{
	struct twin_count count = { .lock = PTHREAD_MUTEX_INITIALIZER, .rounds = trial->size };
	double start = bench_now(), middle;
	int error = pthread_barrier_init(&count.start, NULL, TWIN_THREADS);

	twin_use(&count, FREE_SHARE * trial->size);
	middle = bench_now();
	if (error == 0) {
		error = twin_contend(&count);
		pthread_barrier_destroy(&count.start);
	}
	trial->status = -error;
	trial->values[0] = (middle - start) / (double)(FREE_SHARE * trial->size);
	trial->values[1] = (bench_now() - middle) / (double)(TWIN_THREADS * trial->size);
	trial->verified =
		error == 0 && count.sum == FREE_SHARE * trial->size + TWIN_THREADS * trial->size;
}

const struct workload bench_lock = {
	.name = "lock",
	.question = "what does a lock cost alone, and what when 64 tasks want it?",
	.twin = "pthread mutex, 64 threads",
	.size_is = "increments by each of 64 tasks; 50 times as many by one alone",
	.size = 20000,
	.least = 1,
	.most = 10000000,
	.metrics = { { "free", "ns/operation", false }, { "contended", "ns/operation", false } },
	.run = run,
	.run_twin = run_twin,
};
