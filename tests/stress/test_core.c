/* The core under load with 1, 2, 8 and 64 workers: self-checking, and bounded in time. */
#include "base/atomic.h"
#include "platform/fault.h"
#include "platform/cpu.h"
#include "platform/sanitizer.h"
#include "sched/park.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <filch.h>

static const unsigned counts[] = { 1, 2, 8, 64 };

#define EACH_COUNT(i) for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)

static void run(unsigned workers, filch_task_fn *fn, void *arg, int expected)
{
	struct filch_options options = { .size = sizeof(options), .workers = workers };

	cr_assert_eq(filch_run_with(&options, fn, arg), expected, "with %u workers", workers);
}

/* ---- Fork and join ---- */

struct tree {
	unsigned depth;
	uint64_t nodes;
};

static int tree(void *arg)
{
	struct tree *node = arg, left = { node->depth - 1, 0 }, right = { node->depth - 1, 0 };
	struct filch_group group;
	int status;

	node->nodes = 1;
	if (node->depth == 0)
		return 0;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, tree, &left);
	filch_group_spawn(&group, tree, &right);
	status = filch_group_close(&group);
	node->nodes += left.nodes + right.nodes;
	return status;
}

Test(core, every_node_of_a_tree_is_counted_once)
{
	EACH_COUNT(i) {
		struct tree root = { sanitize_is_thread() ? 12 : 16, 0 };
		uint64_t nodes = (UINT64_C(2) << root.depth) - 1;

		run(counts[i], tree, &root, 0);
		cr_assert_eq(root.nodes, nodes);
	}
}

struct chain {
	unsigned left;
	uint64_t depth;
};

static int chain(void *arg)
{
	struct chain *link = arg, next = { link->left - 1, 0 };
	struct filch_group group;
	int status;

	if (link->left == 0)
		return 0;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, chain, &next);
	status = filch_group_close(&group);
	link->depth = next.depth + 1;
	return status;
}

static int chain_and_count(void *arg)
{
	struct chain *root = arg;
	struct filch_runtime_stats stats;
	int status = chain(root);

	filch_runtime_stats(filch_runtime_current(), &stats);
	/* Some 100 levels fit on a stack: depth over stack size, with room for slow builds. */
	cr_expect_lt(stats.stacks_peak, root->left / 8 + 256);
	return status;
}

Test(core, recursion_far_deeper_than_a_stack_needs_few_of_them)
{
	for (size_t i = 0; i < 2; i++) {
		struct chain root = { sanitize_is_thread() ? 2000 : 50000, 0 };
		unsigned depth = root.left;

		run(counts[i], chain_and_count, &root, 0);
		cr_assert_eq(root.depth, depth);
	}
}

/* ---- Parking ---- */

struct mix {
	struct filch_word64 ended;
	unsigned tasks;
	filch_task_fn *member;
};

static int parker(void *arg)
{
	struct mix *mix = arg;
	struct tree node = { 3, 0 };

	for (int i = 0; i < 5; i++) {
		filch_yield();
		cr_expect_eq(tree(&node), 0);
		cr_expect_eq(node.nodes, 15);
		cr_expect_eq(filch_sleep(i * 10 * FILCH_MICROSECOND), 0);
	}
	word64_add_relaxed(&mix->ended, 1); /* relaxed: read after the join */
	return 0;
}

/* The same alone. */
static int sleeps(void *arg)
{
	struct mix *mix = arg;

	for (int i = 0; i < 10; i++) {
		filch_yield();
		cr_expect_eq(filch_sleep(i * 10 * FILCH_MICROSECOND), 0);
	}
	word64_add_relaxed(&mix->ended, 1); /* relaxed: read after the join */
	return 0;
}

static int spread(void *arg)
{
	struct mix *mix = arg;
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (unsigned i = 0; i < mix->tasks; i++) {
		struct filch_task_options options = { .size = sizeof(options),
						      .sticky = i % 3 == 0,
						      .stack_class = i % 50 == 1 ? FILCH_STACK_LARGE :
										   FILCH_STACK_SMALL };

		if (i % 3 == 2)
			cr_expect_eq(filch_group_spawn(&group, mix->member, mix), 0);
		else
			cr_expect_eq(
				filch_group_spawn_with(&group, &options, mix->member, mix, NULL),
				0);
	}
	return filch_group_close(&group);
}

Test(core, tasks_that_yield_sleep_and_fork_all_end)
{
	EACH_COUNT(i) {
		struct mix mix = { .tasks = sanitize_is_thread() ? 100 : 400, .member = parker };

		run(counts[i], spread, &mix, 0);
		cr_assert_eq(mix.ended.value, mix.tasks);
	}
}

static int sleeper(void *arg)
{
	struct mix *mix = arg;
	int status = filch_sleep(3600 * FILCH_SECOND);

	word64_add_relaxed(&mix->ended, status == -ECANCELED); /* relaxed: read after the join */
	return status;
}

static int cancel_sleepers(void *arg)
{
	struct mix *mix = arg;
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (unsigned i = 0; i < mix->tasks; i++)
		cr_expect_eq(filch_group_spawn(&group, sleeper, mix), 0);
	for (int i = 0; i < 20; i++)
		filch_yield();
	filch_group_cancel(&group, 0);
	return filch_group_close(&group);
}

Test(core, every_sleeper_of_a_cancelled_group_comes_back)
{
	EACH_COUNT(i) {
		struct mix mix = { .tasks = sanitize_is_thread() ? 300 : 3000 };

		run(counts[i], cancel_sleepers, &mix, 0);
		cr_assert_eq(mix.ended.value, mix.tasks);
	}
}

/* With fewer stacks than tasks that park, new tasks wait until stacks come back. None waits for
 * one that has not begun: those could take all the stacks. */
Test(core, tasks_wait_for_stacks_at_the_cap)
{
	for (size_t i = 0; i < 3; i++) {
		struct mix mix = { .tasks = 100, .member = sleeps };
		struct filch_options options = { .size = sizeof(options),
						 .workers = counts[i],
						 .max_stacks = 32 };

		cr_assert_eq(filch_run_with(&options, spread, &mix), 0);
		cr_assert_eq(mix.ended.value, mix.tasks);
	}
}

/* ---- From outside ---- */

static int count(void *arg)
{
	word64_add_relaxed((struct filch_word64 *)arg, 1); /* relaxed: read after the wait */
	return 0;
}

/* With pauses of all lengths in between: the workers are met searching, going to sleep, asleep. */
static void submit_to_idle(unsigned workers, unsigned rounds)
{
	struct filch_options options = { .size = sizeof(options), .workers = workers };
	struct filch_runtime *runtime;
	struct filch_word64 ran = { 0 };

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	for (unsigned i = 0; i < rounds; i++) {
		struct filch_task *task;
		int status = -1;

		for (unsigned pauses = i % 61 * (i % 7); pauses > 0; pauses--)
			cpu_relax();
		cr_assert_eq(filch_runtime_submit(runtime, NULL, count, &ran, &task), 0);
		cr_assert_eq(filch_task_wait(task, &status), 0);
		cr_assert_eq(status, 0);
		filch_task_release(task);
	}
	cr_assert_eq(ran.value, rounds);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

/* A million by the three tests together where it is quick; elsewhere as many as take a second. */
#ifdef NDEBUG
#define SUBMISSIONS 400000u
#else
#define SUBMISSIONS (sanitize_is_thread() ? 1000u : 20000u)
#endif

/* SC5 */
Test(core, a_task_submitted_to_a_worker_about_to_sleep_is_not_lost)
{
	submit_to_idle(1, SUBMISSIONS);
}

/* SC5 */
Test(core, a_task_submitted_to_two_workers_about_to_sleep_is_not_lost)
{
	submit_to_idle(2, SUBMISSIONS);
}

/* SC5 */
Test(core, a_task_submitted_to_many_workers_about_to_sleep_is_not_lost)
{
	submit_to_idle(8, SUBMISSIONS / 4);
	submit_to_idle(64, SUBMISSIONS / 4);
}

Test(core, the_same_where_there_is_no_membarrier)
{
	struct tree root = { 10, 0 };
	struct mix mix = { .tasks = 100, .member = parker };

	filch__fault_set(FILCH__FAULT_BARRIER, 1, UINT32_MAX);
	EACH_COUNT(i) {
		submit_to_idle(counts[i], 500);
		run(counts[i], tree, &root, 0);
		run(counts[i], spread, &mix, 0);
	}
	cr_assert_eq(mix.ended.value, 400);
	filch__fault_clear();
}
