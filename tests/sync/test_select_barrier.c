/* Select over barriers: who has come by an arm and leaves was never there. */
#include "sync/queues.h"

#include <filch/barrier.h>

struct choice {
	struct filch_queue queue;
	struct filch_barrier barrier;
	struct filch_arm arms[2];
	size_t index;
	unsigned place;
	int value, status, done;
};

static struct filch_barrier_statistics at(struct filch_barrier *barrier)
{
	struct filch_barrier_statistics statistics;

	filch_barrier_get_statistics(barrier, &statistics);
	return statistics;
}

static int choose(void *arg)
{
	struct choice *choice = arg;

	choice->status = filch_select_wait(choice->arms, 2, 0, &choice->index);
	flag_add(&choice->done);
	return 0;
}

/* A task that selects over an empty queue and a barrier of three. */
static struct filch_task *open_choice(struct choice *choice, struct filch_group *group,
				      const struct filch_barrier_options *options)
{
	*choice = (struct choice){ .index = 9, .place = 9 };
	make_queue(&choice->queue, 1);
	cr_expect_eq(filch_barrier_init(&choice->barrier, 3, options), 0);
	choice->arms[0] = filch_queue_get_arm(&choice->queue, &choice->value);
	choice->arms[1] = filch_barrier_arm(&choice->barrier, &choice->place);
	cr_expect_eq(filch_select_try_wait(choice->arms, 2, 0, NULL), -EAGAIN);
	filch_group_open(group, NULL);
	return start_parked(group, choose, choice);
}

static void close_choice(struct choice *choice, struct filch_group *group, struct filch_task *task)
{
	cr_expect_eq(filch_group_close(group), 0);
	cr_expect_eq(choice->done, 1);
	cr_expect_eq(at(&choice->barrier).waiting, 0u);
	filch_task_release(task);
	cr_expect_eq(filch_barrier_fini(&choice->barrier), 0);
	end_queue(&choice->queue);
}

static int come(void *arg)
{
	return filch_barrier_wait(arg, NULL);
}

/* SL1 */
static int fires(void *arg)
{
	struct choice choice;
	struct filch_group group;
	struct filch_task *task = open_choice(&choice, &group, NULL), *second;
	unsigned place = 9;

	(void)arg;
	second = start_parked(&group, come, &choice.barrier);
	cr_expect_eq(at(&choice.barrier).waiting, 2u);
	cr_expect_eq(filch_barrier_try_wait(&choice.barrier, &place), 0);
	cr_expect_eq(place, 0u);
	flag_await(&choice.done, 1);
	cr_expect_eq(choice.index, 1u);
	cr_expect_eq(choice.arms[1].status, 0);
	cr_expect_eq(choice.place, 1u); /* it came first */
	filch_task_release(second);
	close_choice(&choice, &group, task);
	return 0;
}

Test(select_barrier, it_passes_with_the_generation_and_knows_its_place)
{
	play(fires);
}

/* SL9: also where a cancelled waiter would break it. */
static int loses(void *arg)
{
	static const struct filch_barrier_options breaks = { .size = sizeof(breaks),
							     .policy = FILCH_BARRIER_BREAK };
	struct choice choice;
	struct filch_group group;

	(void)arg;
	for (int cancel = 0; cancel < 2; cancel++) {
		struct filch_task *task = open_choice(&choice, &group, &breaks), *others[2];

		others[0] = start_parked(&group, come, &choice.barrier);
		if (cancel)
			filch_task_cancel(task, 0);
		else
			put_int(&choice.queue, 5);
		flag_await(&choice.done, 1);
		cr_expect_eq(choice.status, cancel ? -ECANCELED : 0);
		cr_expect_eq(choice.index, cancel ? 9u : 0u);
		cr_expect_eq(at(&choice.barrier).waiting, 1u);
		cr_expect_not(at(&choice.barrier).broken);
		others[1] = start_parked(&group, come, &choice.barrier);
		cr_expect_eq(at(&choice.barrier).waiting, 2u);
		cr_expect_eq(filch_barrier_wait(&choice.barrier, NULL), 0);
		for (int i = 0; i < 2; i++)
			filch_task_release(others[i]);
		close_choice(&choice, &group, task);
	}
	return 0;
}

Test(select_barrier, who_does_not_fire_was_never_there)
{
	play(loses);
}

/* While the action runs nothing else can fire, and nobody passes. */
static int act(void *arg)
{
	struct choice *choice = arg;

	put_int(&choice->queue, 7);
	for (int i = 0; i < 5; i++)
		filch_yield();
	cr_expect_eq(flag_get(&choice->done), 0);
	return 0;
}

static int acted(void *arg)
{
	struct choice choice;
	struct filch_barrier_options options = { .size = sizeof(options),
						 .action = act,
						 .arg = &choice };
	struct filch_group group;
	struct filch_task *task = open_choice(&choice, &group, &options), *second;

	(void)arg;
	second = start_parked(&group, come, &choice.barrier);
	cr_expect_eq(filch_barrier_wait(&choice.barrier, NULL), 0);
	flag_await(&choice.done, 1);
	cr_expect_eq(choice.index, 1u);
	cr_expect_eq(choice.place, 1u);
	cr_expect_eq(try_get_int(&choice.queue), 7);
	filch_task_release(second);
	close_choice(&choice, &group, task);
	return 0;
}

Test(select_barrier, it_belongs_to_the_generation_before_the_action_and_passes_after_it)
{
	play(acted);
}

/* SL6 */
static int broken(void *arg)
{
	struct choice choice;
	struct filch_group group;
	struct filch_task *task = open_choice(&choice, &group, NULL);

	(void)arg;
	cr_expect_eq(filch_barrier_abort(&choice.barrier), 0);
	flag_await(&choice.done, 1);
	cr_expect_eq(choice.index, 1u);
	cr_expect_eq(choice.arms[1].status, -ENOTRECOVERABLE);
	cr_expect_eq(filch_select_try_wait(choice.arms, 2, 0, &choice.index), 0);
	cr_expect_eq(choice.arms[1].status, -ENOTRECOVERABLE);
	close_choice(&choice, &group, task);
	return 0;
}

Test(select_barrier, a_broken_one_is_always_ready)
{
	play(broken);
}

/* ---- G3: generations are whole, whoever comes and goes ---- */

#define PARTIES 3
#define TASKS 9
#define PASSES 300

static struct filch_barrier gate;
static int passed, led;

static void count_pass(unsigned place)
{
	cr_expect_lt(place, PARTIES);
	if (place == 0)
		flag_add(&led);
	flag_add(&passed);
	if (flag_get(&passed) >= PASSES)
		filch_barrier_abort(&gate);
}

static int pass_again(void *arg)
{
	uintptr_t self = (uintptr_t)arg;
	int status = 0;

	for (uintptr_t i = 0; status == 0; i++) {
		filch_time soon =
			filch_now() + (filch_time)((self + i) % 5) * 20 * FILCH_MICROSECOND;
		unsigned place = 99;
		size_t index = 0;
		struct filch_arm arms[] = { filch_barrier_arm(&gate, &place), filch_timer_arm(soon),
					    filch_barrier_arm(&gate, &place) };

		if (self < PARTIES) {
			status = filch_barrier_wait_until(&gate, &place, self ? FILCH_NEVER : soon);
			if (status == -ETIMEDOUT) {
				status = 0;
				continue;
			}
		} else {
			cr_expect_eq(filch_select_wait(arms, 3, 0, &index), 0);
			status = index == 1 ? 0 : arms[index].status;
		}
		if (status == 0 && index != 1)
			count_pass(place);
	}
	cr_expect_eq(status, -ENOTRECOVERABLE);
	return 0;
}

static int storm(void *arg)
{
	struct filch_group group;

	(void)arg;
	for (int action = 0; action < 2; action++) {
		struct filch_barrier_options options = { .size = sizeof(options),
							 .action = action ? do_nothing : NULL };

		passed = led = 0;
		cr_expect_eq(filch_barrier_init(&gate, PARTIES, &options), 0);
		filch_group_open(&group, NULL);
		for (uintptr_t i = 0; i < TASKS; i++)
			filch_group_spawn(&group, pass_again, (void *)i);
		cr_expect_eq(filch_group_close(&group), 0);
		cr_expect_eq(passed, led * PARTIES);
		cr_expect_eq(filch_barrier_fini(&gate), 0);
	}
	return 0;
}

Test(select_barrier, a_generation_is_whole_whoever_comes_and_goes, .timeout = 100)
{
	play(storm);
}
