/* spawn: one task spawns many empty ones, the widest and flattest tree there is. */
#include "../bench.h"

#include <errno.h>
#include <stdlib.h>

#define ROUNDS 10 /* in one trial */

struct descriptor {
	filch_task_fn *fn;
	void *arg;
};

BENCH_OPAQUE static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int mark(void *arg)
{
	*(unsigned char *)arg = 1;
	return 0;
}

static int spawn_all(long count, filch_task_fn *fn, unsigned char *marks)
{
	struct filch_group group;
	int status = filch_group_open(&group, NULL), closed;

	for (long i = 0; status == 0 && i < count; i++)
		status = filch_group_spawn(&group, fn, marks == NULL ? NULL : &marks[i]);
	closed = filch_group_close(&group);
	return status < 0 ? status : closed;
}

BENCH_OPAQUE static int call_all(struct descriptor *list, long count, filch_task_fn *fn,
				 unsigned char *marks)
{
	int status = 0;

	for (long i = 0; i < count; i++)
		list[i] = (struct descriptor){ fn, marks == NULL ? NULL : &marks[i] };
	for (long i = 0; status == 0 && i < count; i++)
		status = list[i].fn(list[i].arg);
	return status;
}

/* Empty tasks leave no trace, so one more round, not timed, checks that each of them runs. */
static bool is_marked(const unsigned char *marks, long count)
{
	for (long i = 0; i < count; i++) {
		if (marks[i] != 1)
			return false;
	}
	return true;
}

static void run(struct trial *trial)
{
	unsigned char *marks = calloc((size_t)trial->size, 1);
	double start = bench_now();

	trial->status = marks == NULL ? -ENOMEM : 0;
	for (int round = 0; trial->status == 0 && round < ROUNDS; round++)
		trial->status = spawn_all(trial->size, nothing, NULL);
	trial->values[0] = (bench_now() - start) / (double)trial->size / ROUNDS;
	if (trial->status == 0)
		trial->status = spawn_all(trial->size, mark, marks);
	trial->verified = trial->status == 0 && is_marked(marks, trial->size);
	free(marks);
}

static void run_twin(struct trial *trial)
{
	unsigned char *marks = calloc((size_t)trial->size, 1);
	struct descriptor *list = malloc((size_t)trial->size * sizeof(*list));
	double start;

	trial->status = marks == NULL || list == NULL ? -ENOMEM : 0;
	if (trial->status == 0)
		trial->status = call_all(list, trial->size, mark, marks);
	start = bench_now();
	for (int round = 0; trial->status == 0 && round < ROUNDS; round++)
		trial->status = call_all(list, trial->size, nothing, NULL);
	trial->values[0] = (bench_now() - start) / (double)trial->size / ROUNDS;
	trial->verified = trial->status == 0 && is_marked(marks, trial->size);
	free(list);
	free(marks);
}

const struct workload bench_spawn = {
	.name = "spawn",
	.question = "what does an empty task cost when one task spawns them all?",
	.twin = "calls from an array",
	.size_is = "tasks",
	.size = 1000000,
	.least = 1,
	.most = 100000000,
	.metrics = { { "time", "ns/task", false } },
	.run = run,
	.run_twin = run_twin,
};
