/* Trees of tasks in simulation: each runs once, on one worker at a time, and is waited for. */
#include "sim/crew.h"

#define NODES_MOST 64

static struct node {
	bool open;
	unsigned begun, ended, inside;
} nodes[NODES_MOST];
static unsigned born, fired;

static void reset(void)
{
	memset(nodes, 0, sizeof(nodes));
	born = fired = 0;
}

static int grow(void *arg);

static int spawn(struct filch_group *group, unsigned depth, struct filch_task **task)
{
	struct filch_task_options options = { .size = sizeof(options),
					      .sticky = seeds_pick(4) == 0 };
	unsigned index = born;
	int status;

	*task = NULL;
	if (index == NODES_MOST)
		return 0;
	born++;
	nodes[index].open = true;
	status = filch_group_spawn_with(group, &options, grow,
					(void *)(uintptr_t)(index << 4 | depth),
					seeds_pick(3) ? NULL : task);
	nodes[index].open = status == 0;
	return status;
}

static int branch(unsigned depth)
{
	struct filch_task *tasks[3] = { NULL };
	struct filch_group group;
	int status = filch_group_open(&group, NULL), closed;

	if (status < 0)
		return status;
	for (unsigned i = 0; i < 3 && status == 0; i++) {
		status = spawn(&group, depth, &tasks[i]);
		crew_pause();
	}
	if (seeds_pick(8) == 0)
		filch_group_cancel(&group, 0);
	for (unsigned i = 0; i < 3; i++) {
		if (tasks[i] && seeds_pick(2))
			filch_task_wait(tasks[i], NULL);
		filch_task_release(tasks[i]);
	}
	closed = filch_group_close(&group);
	return status < 0 ? status : closed;
}

/* It sleeps, branches, yields; whatever comes of it, it has been here once. */
static int grow(void *arg)
{
	struct node *node = &nodes[(uintptr_t)arg >> 4];
	unsigned depth = (uintptr_t)arg & 15;

	node->begun++;
	seeds_check(node->inside++ == 0);
	crew_pause();
	if (depth > 0 && seeds_pick(3) > 0)
		branch(depth - 1);
	crew_pause();
	node->inside--;
	node->ended++;
	return 0;
}

static void fire(void *arg)
{
	(void)arg;
	fired++;
}

static int tree(void *arg)
{
	struct filch_timer timer = { 0 };
	bool started = filch_timer_init(&timer, NULL, fire, NULL) == 0 &&
		       filch_timer_start(&timer, filch_now() + seeds_pick(4)) == 0;
	bool stopped;
	int status;

	(void)arg;
	status = branch(2);
	stopped = filch_timer_stop(&timer);
	seeds_check(!started || fired == !stopped);
	filch_timer_fini(&timer);
	for (unsigned i = 0; i < born; i++) {
		seeds_check(nodes[i].begun == nodes[i].open);
		seeds_check(nodes[i].ended == nodes[i].begun);
	}
	return status == -ECANCELED ? 0 : status;
}

Test(tree, each_task_runs_once_and_nobody_is_forgotten, .timeout = 110)
{
	static const struct scenario scenario = { "tree", tree, reset, 0 };

	seeds_explore(&scenario, 14000);
}

/* ---- Starting, and outcomes ---- */

static unsigned told;

static void reset_told(void)
{
	told = 0;
}

static int start(void *arg)
{
	crew_pause();
	if (seeds_pick(4) == 0)
		return -EIO;
	if (filch_task_started(arg) == 0)
		told++;
	crew_pause();
	return 3;
}

static int take_outcomes(struct filch_group *group, unsigned expected)
{
	struct filch_group_outcome outcome;
	unsigned count = 0;
	int status;

	while ((status = filch_group_next_outcome(group, &outcome)) == 0) {
		count++;
		filch_task_release(outcome.task);
	}
	if (status == -ENODATA) {
		seeds_check(count == expected);
		return 0;
	}
	return status;
}

static int starts(void *arg)
{
	struct filch_group group;
	unsigned up = 0;
	int status = filch_group_open(&group, NULL), closed;

	(void)arg;
	for (int i = 0; i < 3 && status >= 0; i++) {
		struct filch_task *task = NULL;
		void *value = NULL;

		status = filch_group_start(&group, NULL, start, &told, &value, &task);
		seeds_check(status < 0 || value == &told);
		up += status == 0;
		if (status == -EIO)
			status = 0;
		filch_task_release(task);
	}
	if (status == 0)
		status = take_outcomes(&group, up);
	closed = filch_group_close(&group);
	seeds_check(status < 0 || told == up);
	return status < 0 ? status : closed < 0 ? closed : 0;
}

Test(tree, a_start_ends_with_the_word_or_the_failure_and_outcomes_are_all_given, .timeout = 110)
{
	static const struct scenario scenario = { "start", starts, reset_told, 0 };

	seeds_explore(&scenario, 10000);
}
