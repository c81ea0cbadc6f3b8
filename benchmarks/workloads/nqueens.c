/* nqueens: a search with a little work per task, which cannot be divided evenly. */
#include "../bench.h"

#define BOARD 16

/* The queens placed so far, one per row. */
struct placement {
	uint64_t solutions;
	int row; /* the next to be filled */
	signed char column[BOARD];
};

/* Written before the first task of a trial. */
static int queens;

static inline bool is_safe(const struct placement *placed, int column)
{
	for (int row = 0; row < placed->row; row++) {
		int other = placed->column[row], distance = placed->row - row;

		if (other == column || other == column - distance || other == column + distance)
			return false;
	}
	return true;
}

static inline void place(const struct placement *from, int column, struct placement *to)
{
	*to = *from;
	to->column[to->row++] = (signed char)column;
}

static inline uint64_t sum(const struct placement *children, int count)
{
	uint64_t solutions = 0;

	for (int i = 0; i < count; i++)
		solutions += children[i].solutions;
	return solutions;
}

static int search(void *arg)
{
	struct placement *placed = arg, children[BOARD];
	struct filch_group group;
	int count = 0, status, closed;

	if (placed->row == queens) {
		placed->solutions = 1;
		return 0;
	}
	status = filch_group_open(&group, NULL);
	for (int column = 0; status == 0 && column < queens; column++) {
		if (is_safe(placed, column)) {
			place(placed, column, &children[count]);
			status = filch_group_spawn(&group, search, &children[count]);
			count++;
		}
	}
	closed = filch_group_close(&group);
	if (status < 0 || closed < 0)
		return status < 0 ? status : closed;
	placed->solutions = sum(children, count);
	return 0;
}

BENCH_OPAQUE static int search_serially(void *arg)
{
	struct placement *placed = arg, children[BOARD];
	int count = 0, status = 0;

	if (placed->row == queens) {
		placed->solutions = 1;
		return 0;
	}
	for (int column = 0; status == 0 && column < queens; column++) {
		if (is_safe(placed, column)) {
			place(placed, column, &children[count]);
			status = search_serially(&children[count]);
			count++;
		}
	}
	if (status < 0)
		return status;
	placed->solutions = sum(children, count);
	return 0;
}

static void measure(struct trial *trial, int (*compute)(void *arg))
{
	static const uint64_t solutions[BOARD + 1] = { 1,     1,     0,	     0,	      2,       10,
						       4,     40,    92,     352,     724,     2680,
						       14200, 73712, 365596, 2279184, 14772512 };
	struct placement root = { .row = 0 };
	double start;

	queens = (int)trial->size;
	start = bench_now();
	trial->status = compute(&root);
	trial->values[0] = (bench_now() - start) / 1e6;
	trial->verified = trial->status == 0 && root.solutions == solutions[queens];
}

static void run(struct trial *trial)
{
	measure(trial, search);
}

static void run_twin(struct trial *trial)
{
	measure(trial, search_serially);
}

const struct workload bench_nqueens = {
	.name = "nqueens",
	.question = "how much of a search with little work per task is overhead?",
	.twin = "serial",
	.size_is = "queens",
	.size = 14,
	.least = 1,
	.most = BOARD,
	.metrics = { { "time", "ms", false } },
	.run = run,
	.run_twin = run_twin,
};
