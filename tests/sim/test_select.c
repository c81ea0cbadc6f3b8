/* Select in simulation: one arm is carried out, the others have no effect and hold nothing. */
#include "sim/crew.h"

#define PLAYERS 4

static struct filch_queue stock, hand; /* with a place; from hand to hand */
static struct filch_lock lock;
static unsigned put[2], got[2], inside, here[2];

static void reset(void)
{
	struct filch_queue_options options = { .size = sizeof(options),
					       .element_size = sizeof(unsigned) };

	filch_queue_init(&hand, &options);
	options.capacity = 1;
	filch_queue_init(&stock, &options);
	memset(&lock, 0, sizeof(lock));
	memset(put, 0, sizeof(put));
	memset(got, 0, sizeof(got));
	inside = 0;
	here[0] = here[1] = PLAYERS / 2;
}

enum { ARM_PUT, ARM_GET, ARM_LOCK, ARM_TIMER, ARMS };

static void be_inside(void)
{
	seeds_check(inside++ == 0);
	crew_pause();
	inside--;
	seeds_check(filch_lock_release(&lock) == 0);
}

/* The even ones put into the stock and get from hand to hand, the odd ones the other way round. */
static int choose_once(unsigned side, bool *over)
{
	unsigned element = 1 + seeds_pick(9), received = 0;
	bool hurried = seeds_pick(3) == 0;
	struct filch_arm arms[ARMS] = {
		[ARM_PUT] = filch_queue_put_arm(side ? &hand : &stock, &element),
		[ARM_GET] = filch_queue_get_arm(side ? &stock : &hand, &received),
		[ARM_LOCK] = filch_lock_arm(&lock),
		[ARM_TIMER] = filch_timer_arm(hurried ? crew_soon() : seeds_patience()),
	};
	unsigned flags = seeds_pick(2) ? FILCH_SELECT_ORDERED : 0;
	size_t index = ARMS;
	int status;

	arms[ARM_LOCK].disabled = seeds_pick(3) > 0;
	status = seeds_pick(4) ? filch_select_wait(arms, ARMS, flags, &index)
			       : filch_select_try_wait(arms, ARMS, flags, &index);
	if (status < 0)
		return status;
	if (index >= ARMS) {
		seeds_note("an arm that is not there");
		return 0;
	}
	if (index == ARM_TIMER && !hurried)
		seeds_patient(-ETIMEDOUT);
	else if (arms[index].status == -EPIPE)
		*over = true;
	else if (index == ARM_LOCK)
		be_inside();
	else if (index != ARM_TIMER)
		(index == ARM_PUT ? put : got)[(index == ARM_PUT) == !side ? 0 : 1] +=
			index == ARM_PUT ? element : received;
	return 0;
}

static int choose(struct player *self)
{
	unsigned side = self->index & 1;
	bool over = false;
	int status = 0;

	for (int i = 0; i < 4 && !over && status != -ECANCELED; i++) {
		status = choose_once(side, &over);
		seeds_check(status == 0 || status == -ECANCELED || status == -EAGAIN ||
			    status == -ENOMEM);
	}
	/* The last of a side leaves nobody there for the other to wait for. */
	if (--here[side] == 0) {
		filch_queue_shutdown(&stock, false);
		filch_queue_shutdown(&hand, false);
	}
	return status == -EAGAIN ? 0 : status;
}

static void check_idle(struct filch_queue *queue)
{
	struct filch_queue_statistics statistics;

	filch_queue_get_statistics(queue, &statistics);
	seeds_check(statistics.getters == 0 && statistics.putters == 0);
}

static int choosers(void *arg)
{
	unsigned left = 0;
	int status = crew_run(PLAYERS, choose);

	(void)arg;
	check_idle(&stock);
	check_idle(&hand);
	filch_queue_try_get(&stock, &left);
	seeds_check(put[0] == got[0] + left);
	seeds_check(put[1] == got[1]);
	seeds_check(inside == 0 && filch_lock_fini(&lock) == 0);
	seeds_check(filch_queue_fini(&stock) == 0 && filch_queue_fini(&hand) == 0);
	return status;
}

Test(select, one_arm_fires_and_the_others_hold_nothing, .timeout = 110)
{
	static const struct scenario scenario = { "select", choosers, reset, 0 };

	seeds_explore(&scenario, 16000);
}

/* ---- Tasks and tokens ---- */

static struct filch_token stop;
static bool worked;

static void reset_work(void)
{
	worked = false;
}

static int work(void *arg)
{
	(void)arg;
	crew_pause();
	crew_pause();
	worked = true;
	return 7;
}

static int cancel_stop(void *arg)
{
	(void)arg;
	crew_pause();
	filch_token_cancel(&stop, 0);
	return 0;
}

static int await_either(struct filch_task *task)
{
	int result = 0;
	struct filch_arm arms[] = {
		filch_task_arm(task, &result),
		filch_token_arm(&stop),
		filch_timer_arm(seeds_patience()),
	};
	size_t index = 3;
	int status = filch_select_wait(arms, 3, 0, &index);

	if (status < 0)
		return status;
	if (index == 0)
		seeds_check(worked && result == 7);
	else if (index == 1)
		seeds_check(filch_token_is_cancelled(&stop));
	else
		seeds_patient(-ETIMEDOUT);
	return 0;
}

static int either(void *arg)
{
	struct filch_group group;
	struct filch_task *task;
	int status, closed;

	(void)arg;
	filch_token_init_below(&stop, NULL, 0);
	status = filch_group_open(&group, NULL);
	if (status == 0) {
		status = filch_group_spawn_with(&group, NULL, work, NULL, &task);
		if (status == 0) {
			filch_group_spawn(&group, cancel_stop, NULL);
			status = await_either(task);
			filch_task_release(task);
		}
		closed = filch_group_close(&group);
		status = status < 0 ? status : closed < 0 ? closed : 0;
	}
	seeds_check(filch_token_fini(&stop) == 0);
	return status;
}

Test(select, the_end_of_a_task_or_a_cancel_whichever_comes_first, .timeout = 110)
{
	static const struct scenario scenario = { "select's task", either, reset_work, 0 };

	seeds_explore(&scenario, 10000);
}
