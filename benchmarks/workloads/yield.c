/* yield: tasks that do nothing but let each other go first. */
#include "../bench.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define YIELDS 1000 /* of each task */
#define ROUNDS 10   /* in one trial */
#define TWIN_THREADS 8
#define TWIN_YIELDS 20000 /* of each thread */

static int yield_often(void *arg)
{
	uint32_t *count = arg;

	for (int i = 0; i < YIELDS; i++) {
		int status = filch_yield();

		if (status < 0)
			return status;
		++*count;
	}
	return 0;
}

static int run_round(long tasks, uint32_t *counts)
{
	struct filch_group group;
	int status = filch_group_open(&group, NULL), closed;

	for (long i = 0; status == 0 && i < tasks; i++)
		status = filch_group_spawn(&group, yield_often, &counts[i]);
	closed = filch_group_close(&group);
	return status < 0 ? status : closed;
}

static void run(struct trial *trial)
{
	uint32_t *counts = calloc((size_t)trial->size, sizeof(*counts));
	double start = bench_now();

	trial->status = counts == NULL ? -ENOMEM : 0;
	for (int round = 0; trial->status == 0 && round < ROUNDS; round++)
		trial->status = run_round(trial->size, counts);
	trial->values[0] = (bench_now() - start) / (double)trial->size / YIELDS / ROUNDS;
	trial->verified = trial->status == 0;
	for (long i = 0; trial->verified && i < trial->size; i++)
		trial->verified = counts[i] == YIELDS * ROUNDS;
	free(counts);
}

/* `arg` is a gate that is closed until all threads stand before it. */
static void *yield_thread(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
	for (int i = 0; i < TWIN_YIELDS; i++)
		sched_yield();
	return NULL;
}

/* All threads on the first processor that this one may use. */
static int pin(pthread_attr_t *attributes)
{
	cpu_set_t allowed, one;
	size_t cpu = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return EINVAL;
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &allowed))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return pthread_attr_setaffinity_np(attributes, sizeof(one), &one);
}

static int run_threads(pthread_attr_t *attributes, double *elapsed)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	pthread_t threads[TWIN_THREADS];
	int count = 0, error = 0;
	double start;

	pthread_mutex_lock(&gate);
	while (error == 0 && count < TWIN_THREADS) {
		error = pthread_create(&threads[count], attributes, yield_thread, &gate);
		count += error == 0;
	}
	start = bench_now();
	pthread_mutex_unlock(&gate);
	while (count > 0)
		pthread_join(threads[--count], NULL);
	*elapsed = bench_now() - start;
	return error;
}

static void run_twin(struct trial *trial)
{
	pthread_attr_t attributes;
	double elapsed = 0;
	int error = pthread_attr_init(&attributes);

	if (error == 0) {
		error = pin(&attributes);
		if (error == 0)
			error = run_threads(&attributes, &elapsed);
		pthread_attr_destroy(&attributes);
	}
	trial->status = -error;
	trial->values[0] = elapsed / TWIN_THREADS / TWIN_YIELDS;
	trial->verified = error == 0;
}

const struct workload bench_yield = {
	.name = "yield",
	.question = "what does a switch from one task to the next cost?",
	.twin = "sched_yield of pinned threads",
	.size_is = "tasks, 1000 yields each",
	.size = 1000,
	.least = 1,
	.most = 100000,
	.metrics = { { "time", "ns/yield", false } },
	.run = run,
	.run_twin = run_twin,
};
