/* fib: the price of a spawn and a join, with next to no work between them. */
#include "../bench.h"

struct fib {
	long n;
	uint64_t result;
};

static int fib(void *arg)
{
	struct fib *call = arg, left, right;
	struct filch_group group;
	int status, closed;

	if (call->n < 2) {
		call->result = (uint64_t)call->n;
		return 0;
	}
	left.n = call->n - 1;
	right.n = call->n - 2;
	filch_group_open(&group, NULL);
	status = filch_group_spawn(&group, fib, &left);
	if (status == 0)
		status = fib(&right);
	closed = filch_group_close(&group);
	if (status < 0 || closed < 0)
		return status < 0 ? status : closed;
	call->result = left.result + right.result;
	return 0;
}

BENCH_OPAQUE static int fib_serially(void *arg)
{
	struct fib *call = arg, left, right;
	int status;

	if (call->n < 2) {
		call->result = (uint64_t)call->n;
		return 0;
	}
	left.n = call->n - 1;
	right.n = call->n - 2;
	status = fib_serially(&left);
	if (status == 0)
		status = fib_serially(&right);
	if (status < 0)
		return status;
	call->result = left.result + right.result;
	return 0;
}

/* As one would write it without a thought of tasks. */
static uint64_t fib_plainly(long n)
{
	return n < 2 ? (uint64_t)n : fib_plainly(n - 1) + fib_plainly(n - 2);
}

/* Without recursion: for checking, and for the number of spawns, fibonacci(n + 1) - 1. */
static uint64_t fibonacci(long n)
{
	uint64_t a = 0, b = 1;

	for (; n > 0; n--) {
		uint64_t next = a + b;

		a = b;
		b = next;
	}
	return a;
}

static void measure(struct trial *trial, int (*compute)(void *arg))
{
	struct fib call = { .n = trial->size };
	double start = bench_now();

	trial->status = compute(&call);
	trial->values[0] = (bench_now() - start) / (double)(fibonacci(trial->size + 1) - 1);
	trial->verified = trial->status == 0 && call.result == fibonacci(trial->size);
}

static void run(struct trial *trial)
{
	measure(trial, fib);
}

static void run_twin(struct trial *trial)
{
	double start, spawns = (double)(fibonacci(trial->size + 1) - 1);
	volatile long n = trial->size;

	measure(trial, fib_serially);
	start = bench_now();
	trial->verified = fib_plainly(n) == fibonacci(n) && trial->verified;
	bench_add_number(trial, "plain_recursion_ns", (bench_now() - start) / spawns);
}

const struct workload bench_fib = {
	.name = "fib",
	.question = "what does it cost to spawn a task and wait for it?",
	.twin = "serial",
	.size_is = "n of fib(n)",
	.size = 38,
	.least = 2,
	.most = 60,
	.metrics = { { "time", "ns/spawn", false } },
	.run = run,
	.run_twin = run_twin,
};
