/* timers: very many tasks that sleep, each for a time of its own. */
#include "../bench.h"

#include <errno.h>
#include <stdlib.h>

#define LONGEST (200 * FILCH_MILLISECOND)

struct sleeper {
	filch_time span;
	filch_time late; /* negative: woken too soon, or never run */
};

static int sleep_once(void *arg)
{
	struct sleeper *sleeper = arg;
	filch_time due = filch_now() + sleeper->span;
	int status = filch_sleep(sleeper->span);

	sleeper->late = filch_now() - due;
	return status;
}

static int sleep_all(struct sleeper *sleepers, long count)
{
	struct filch_group group;
	int status = filch_group_open(&group, NULL), closed;

	for (long i = 0; status == 0 && i < count; i++)
		status = filch_group_spawn(&group, sleep_once, &sleepers[i]);
	closed = filch_group_close(&group);
	return status < 0 ? status : closed;
}

static bool note_lateness(struct trial *trial, const struct sleeper *sleepers, double *late)
{
	size_t count = (size_t)trial->size;

	for (size_t i = 0; i < count; i++) {
		if (sleepers[i].late < 0)
			return false;
		late[i] = (double)sleepers[i].late / 1e6;
	}
	bench_sort(late, count);
	trial->values[1] = bench_percentile(late, count, 50);
	trial->values[2] = bench_percentile(late, count, 99);
	return true;
}

static void run(struct trial *trial)
{
	struct sleeper *sleepers = malloc((size_t)trial->size * sizeof(*sleepers));
	double *late = malloc((size_t)trial->size * sizeof(*late));
	uint64_t random = 1;

	trial->status = sleepers == NULL || late == NULL ? -ENOMEM : 0;
	for (long i = 0; trial->status == 0 && i < trial->size; i++) {
		sleepers[i].span = (filch_time)(bench_random(&random) % (uint64_t)LONGEST);
		sleepers[i].late = -1;
	}
	if (trial->status == 0) {
		double start = bench_cpu_seconds();

		trial->status = sleep_all(sleepers, trial->size);
		trial->values[0] = bench_cpu_seconds() - start;
		trial->verified = trial->status == 0 && note_lateness(trial, sleepers, late);
	}
	free(late);
	free(sleepers);
}

const struct workload bench_timers = {
	.name = "timers",
	.question = "what do tasks that sleep for 0 to 200 ms cost, and how late are they?",
	.size_is = "tasks",
	.size = 100000,
	.least = 1,
	.most = 1000000,
	.metrics = { { "cpu", "CPU s", false },
		     { "late_p50", "ms", false },
		     { "late_p99", "ms", false } },
	.run = run,
};
