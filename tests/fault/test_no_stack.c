/* Address space for stacks, or their records, cannot be had: tasks wait until it can. */
#include "fault/each.h"

#include "platform/sanitizer.h"

#include <pthread.h>

/* More than are mapped at first, and than each worker takes for itself. */
#define PARKED(workers) (600 + 24 * (int)(workers))

/* Each keeps a stack until the last has one. */
struct crowd {
	struct filch_group group;
	struct filch_runtime *runtime;
	enum filch__fault kind;
	int size;
	int failing, parked, woken;
};

static int park(void *arg)
{
	struct crowd *crowd = arg;

	while (!flag_get(&crowd->failing)) /* keeps its worker from having enough stacks before */
		sched_yield();
	flag_add(&crowd->parked);
	return sleep_and_count(&crowd->woken);
}

/* A plain thread. The next task from outside makes the workers look again. */
static void *let_them_have_stacks(void *arg)
{
	struct crowd *crowd = arg;

	while (filch__fault_calls(crowd->kind) == 0)
		filch_sleep(FILCH_MILLISECOND);
	filch_sleep(20 * FILCH_MILLISECOND); /* by now who can sleep sleeps */
	cr_expect_lt(flag_get(&crowd->parked), crowd->size);
	filch__fault_clear();
	cr_expect_eq(filch_runtime_submit(crowd->runtime, NULL, do_nothing, NULL, NULL), 0);
	flag_await(&crowd->parked, crowd->size);
	filch_group_cancel(&crowd->group, 0);
	return NULL;
}

static int park_all(void *arg)
{
	struct crowd *crowd = arg;
	pthread_t thread;

	crowd->runtime = filch_runtime_current();
	filch_group_open(&crowd->group, NULL);
	for (int i = 0; i < crowd->size; i++)
		cr_expect_eq(filch_group_spawn(&crowd->group, park, crowd), 0);
	filch__fault_set(crowd->kind, 1, UINT32_MAX);
	flag_add(&crowd->failing);
	pthread_create(&thread, NULL, let_them_have_stacks, crowd);
	cr_expect_eq(filch_group_close(&crowd->group), 0);
	pthread_join(thread, NULL);
	cr_expect_eq(flag_get(&crowd->woken), crowd->size);
	return 0;
}

static void wait_for_stacks(enum filch__fault kind)
{
	static const unsigned workers[] = { 1, 2, 8, 64 };

	for (int i = 0; i < 4; i++) {
		struct crowd crowd = { .kind = kind, .size = PARKED(workers[i]) };

		cr_assert_eq(run_with(workers[i], park_all, &crowd), 0);
	}
}

Test(no_stack, tasks_wait_until_there_is_address_space_again, .timeout = 60)
{
	wait_for_stacks(FILCH__FAULT_MAP);
}

Test(no_stack, tasks_wait_until_there_is_memory_again, .timeout = 60)
{
	wait_for_stacks(FILCH__FAULT_ALLOCATE);
}

/* ---- Stacks for calls in place ---- */

struct depth {
	int levels, ended;
	enum filch_stack_class stack_class;
};

/* Every level on a stack of its own, or chained to one. */
static int descend(void *arg)
{
	struct depth *depth = arg;
	struct filch_task_options options = { .size = sizeof(options),
					      .stack_class = depth->stack_class };
	struct filch_group group;
	volatile char frame[4096];

	frame[0] = 1;
	flag_add(&depth->ended);
	if (flag_get(&depth->ended) >= depth->levels)
		return frame[0] - 1;
	filch_group_open(&group, NULL);
	cr_expect_eq(filch_group_spawn_with(&group, &options, descend, arg, NULL), 0);
	return filch_group_close(&group);
}

static int descends(void *arg)
{
	struct depth depth = { .levels = 150 };
	struct trial *trial = arg;

	cr_expect_eq(descend(&depth), 0);
	cr_expect_eq(depth.ended, 150);
	depth = (struct depth){ .levels = 40, .stack_class = FILCH_STACK_LARGE };
	/* Each time it is tried with less and less, down to one stack: two such rounds fail. */
	filch__fault_set(trial->kind, trial->k, 10);
	cr_expect_eq(descend(&depth), 0);
	cr_expect_eq(depth.ended, 40);
	return 0;
}

/* A call in place that finds no stack is put off: somebody else's loop takes it, or its own later.
 */
Test(no_stack, calls_on_further_stacks_come_to_their_end, .timeout = 100)
{
	fail_each(descends, FILCH__FAULT_MAP);
}
