/* skynet: a tree of ten children per node, whose leaves return their number. */
#include "../bench.h"

#define FANOUT 10
#define ROUNDS 4 /* in one trial */

struct branch {
	uint64_t number; /* of its first leaf */
	uint64_t leaves;
	uint64_t sum;
};

static int skynet(void *arg);

/* Inner nodes have functions of their own: in one with the leaves', these would save and restore
 * registers for nothing, which is more than the work they do. */
BENCH_OPAQUE static int grow(struct branch *branch)
{
	struct branch children[FANOUT];
	struct filch_group group;
	int status, closed;

	status = filch_group_open(&group, NULL);
	for (uint64_t i = 0; status == 0 && i < FANOUT; i++) {
		children[i].leaves = branch->leaves / FANOUT;
		children[i].number = branch->number + i * children[i].leaves;
		status = filch_group_spawn(&group, skynet, &children[i]);
	}
	closed = filch_group_close(&group);
	if (status < 0 || closed < 0)
		return status < 0 ? status : closed;
	branch->sum = 0;
	for (int i = 0; i < FANOUT; i++)
		branch->sum += children[i].sum;
	return 0;
}

static int skynet(void *arg)
{
	struct branch *branch = arg;

	if (branch->leaves > 1)
		return grow(branch);
	branch->sum = branch->number;
	return 0;
}

static int skynet_serially(void *arg);

BENCH_OPAQUE static int grow_serially(struct branch *branch)
{
	struct branch children[FANOUT];
	int status = 0;

	for (uint64_t i = 0; status == 0 && i < FANOUT; i++) {
		children[i].leaves = branch->leaves / FANOUT;
		children[i].number = branch->number + i * children[i].leaves;
		status = skynet_serially(&children[i]);
	}
	if (status < 0)
		return status;
	branch->sum = 0;
	for (int i = 0; i < FANOUT; i++)
		branch->sum += children[i].sum;
	return 0;
}

BENCH_OPAQUE static int skynet_serially(void *arg)
{
	struct branch *branch = arg;

	if (branch->leaves > 1)
		return grow_serially(branch);
	branch->sum = branch->number;
	return 0;
}

static void measure(struct trial *trial, int (*compute)(void *arg))
{
	uint64_t leaves = 1, tasks = 0;
	double start;

	for (long level = 0; level < trial->size; level++) {
		tasks += leaves;
		leaves *= FANOUT;
	}
	tasks += leaves;
	trial->verified = true;
	start = bench_now();
	for (int round = 0; trial->status == 0 && round < ROUNDS; round++) {
		struct branch root = { .leaves = leaves };

		trial->status = compute(&root);
		if (root.sum != leaves * (leaves - 1) / 2)
			trial->verified = false;
	}
	trial->values[0] = (bench_now() - start) / (double)tasks / ROUNDS;
}

static void run(struct trial *trial)
{
	measure(trial, skynet);
}

static void run_twin(struct trial *trial)
{
	measure(trial, skynet_serially);
}

const struct workload bench_skynet = {
	.name = "skynet",
	.question = "what does a task cost in a tree with ten children per node?",
	.twin = "serial",
	.size_is = "levels, 10^N leaves",
	.size = 7,
	.least = 1,
	.most = 9,
	.metrics = { { "time", "ns/task", false } },
	.run = run,
	.run_twin = run_twin,
};
