/* Who runs next: the slot and its cap, yielding, budgets, the queue from outside. */
#include "sched/permits.h"

#include "base/atomic.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

/* One worker unless a test says otherwise: its tasks take turns, so their shared memory is plain. */

/* ---- Two that wake each other through the slot ---- */

#define MANY 1000000 /* rounds after which somebody who waits has been forgotten */

struct rally {
	struct permits ping, pong;
	unsigned rounds;
	bool over;
	bool forgot;	    /* everybody else, for MANY rounds */
	unsigned ran_after; /* rounds that somebody else had to wait */
};

static int pinger(void *arg)
{
	struct rally *rally = arg;

	while (!rally->over && rally->rounds < MANY) {
		permits_release(&rally->pong);
		permits_acquire(&rally->ping);
		rally->rounds++;
	}
	rally->forgot = !rally->over;
	rally->over = true;
	permits_release(&rally->pong);
	return 0;
}

static int ponger(void *arg)
{
	struct rally *rally = arg;

	while (!rally->over) {
		permits_acquire(&rally->pong);
		permits_release(&rally->ping);
	}
	return 0;
}

static int interrupter(void *arg)
{
	struct rally *rally = arg;

	rally->ran_after = rally->rounds;
	rally->over = true;
	return 0;
}

static int yielder(void *arg)
{
	struct rally *rally = arg;
	unsigned worst = 0;

	for (unsigned i = 0; i < 100; i++) {
		unsigned before = rally->rounds;

		filch_yield();
		if (rally->rounds - before > worst)
			worst = rally->rounds - before;
	}
	rally->ran_after = worst;
	rally->over = true;
	return 0;
}

static void start_rally(struct rally *rally, struct filch_group *group)
{
	filch_group_open(group, NULL);
	filch_group_spawn(group, pinger, rally);
	filch_group_spawn(group, ponger, rally);
	while (rally->rounds == 0)
		filch_yield();
	rally->rounds = 0;
}

static int with_yielder(void *arg)
{
	struct rally *rally = arg;
	struct filch_group group;

	start_rally(rally, &group);
	yielder(rally);
	return filch_group_close(&group);
}

static int with_new_task(void *arg)
{
	struct rally *rally = arg;
	struct filch_group group;

	start_rally(rally, &group);
	filch_group_spawn(&group, interrupter, rally);
	/* Not by closing the group, which would run the new task in place. */
	filch_sleep(50 * FILCH_MILLISECOND);
	return filch_group_close(&group);
}

static int with_timer(void *arg)
{
	struct rally *rally = arg;
	struct filch_group group;

	start_rally(rally, &group);
	filch_sleep(FILCH_MILLISECOND);
	interrupter(rally);
	return filch_group_close(&group);
}

static int with_outside(void *arg)
{
	struct rally *rally = arg;
	struct filch_group group;
	struct filch_task *task;

	start_rally(rally, &group);
	filch_runtime_submit(filch_runtime_current(), NULL, interrupter, rally, &task);
	filch_task_wait(task, NULL);
	filch_task_release(task);
	return filch_group_close(&group);
}

/* SC1 */
Test(fairness, a_ready_task_is_not_kept_waiting_by_two_that_wake_each_other, .timeout = 30)
{
	struct rally rally = { .rounds = 0 };

	cr_assert_eq(run_workers(1, with_yielder, &rally), 0);
	cr_assert(!rally.forgot);
	cr_assert_leq(rally.ran_after, 4u);
}

/* SC1 */
Test(fairness, neither_is_a_new_task, .timeout = 30)
{
	struct rally rally = { .rounds = 0 };

	cr_assert_eq(run_workers(1, with_new_task, &rally), 0);
	cr_assert(!rally.forgot);
	cr_assert_leq(rally.ran_after, 64u);
}

/* SC1 */
Test(fairness, nor_a_task_from_outside, .timeout = 30)
{
	struct rally rally = { .rounds = 0 };

	cr_assert_eq(run_workers(1, with_outside, &rally), 0);
	cr_assert(!rally.forgot);
	cr_assert_leq(rally.ran_after, 64u);
}

/* SC1 */
Test(fairness, nor_who_waits_for_a_timer, .timeout = 30)
{
	struct rally rally = { .rounds = 0 };

	cr_assert_eq(run_workers(1, with_timer, &rally), 0);
	cr_assert(!rally.forgot);
}

/* ---- Yielding ---- */

struct diary {
	struct filch_group *group;
	struct permits permits;
	char text[64];
	unsigned length;
};

struct author {
	struct diary *diary;
	char letter;
};

static void write_letter(struct diary *diary, char letter)
{
	if (diary->length < sizeof(diary->text) - 1)
		diary->text[diary->length++] = letter;
}

static int write_once(void *arg)
{
	struct author *author = arg;

	write_letter(author->diary, author->letter);
	return 0;
}

static int wait_and_write(void *arg)
{
	struct author *author = arg;
	int status = permits_acquire(&author->diary->permits);

	write_letter(author->diary, author->letter);
	return status;
}

static int sleep_and_write(void *arg)
{
	struct author *author = arg;
	int status = filch_sleep(50 * FILCH_MICROSECOND);

	write_letter(author->diary, author->letter);
	return status;
}

/* Others are woken, new, from outside: all of them come before the yield returns. */
static int yield_to_all(void *arg)
{
	struct diary *diary = arg;
	struct author authors[9];
	struct filch_group group;

	for (unsigned i = 0; i < 9; i++)
		authors[i] = (struct author){ diary, (char)('a' + i) };
	filch_group_open(&group, NULL);
	for (unsigned i = 0; i < 3; i++)
		filch_group_spawn(&group, wait_and_write, &authors[i]);
	filch_yield();
	for (unsigned i = 0; i < 3; i++)
		permits_release(&diary->permits);
	for (unsigned i = 3; i < 6; i++)
		filch_group_spawn(&group, write_once, &authors[i]);
	for (unsigned i = 6; i < 9; i++)
		filch_runtime_submit(filch_runtime_current(), NULL, write_once, &authors[i], NULL);
	filch_yield();
	write_letter(diary, '.');
	return filch_group_close(&group);
}

/* SC6 */
Test(fairness, a_yield_returns_after_every_task_that_was_ready, .timeout = 30)
{
	struct diary diary = { .length = 0 };

	cr_assert_eq(run_workers(1, yield_to_all, &diary), 0);
	cr_assert_eq(diary.length, 10, "%s", diary.text);
	cr_assert_eq(diary.text[9], '.', "%s", diary.text);
}

static int yield_to_sleeper(void *arg)
{
	struct diary *diary = arg;
	struct author author = { diary, 'a' };
	struct filch_group group;

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, sleep_and_write, &author);
	while (diary->length == 0)
		filch_yield();
	write_letter(diary, '.');
	return filch_group_close(&group);
}

/* SC6: timers, too, within a tick. */
Test(fairness, who_yields_on_and_on_lets_timers_fire, .timeout = 30)
{
	struct diary diary = { .length = 0 };

	cr_assert_eq(run_workers(1, yield_to_sleeper, &diary), 0);
	cr_assert_str_eq(diary.text, "a.");
}

static int take_turns(void *arg)
{
	struct author *author = arg;

	for (unsigned i = 0; i < 3; i++) {
		write_letter(author->diary, author->letter);
		filch_yield();
	}
	return 0;
}

static int three_take_turns(void *arg)
{
	struct author authors[3];

	for (unsigned i = 0; i < 3; i++) {
		authors[i] = (struct author){ arg, (char)('a' + i) };
		filch_runtime_submit(filch_runtime_current(), NULL, take_turns, &authors[i], NULL);
	}
	return filch_sleep(20 * FILCH_MILLISECOND);
}

Test(fairness, tasks_that_yield_take_turns, .timeout = 30)
{
	struct diary diary = { .length = 0 };

	cr_assert_eq(run_workers(1, three_take_turns, &diary), 0);
	cr_assert_str_eq(diary.text, "abcabcabc");
}

/* ---- Order ---- */

static int order_of_the_woken(void *arg)
{
	struct diary *diary = arg;
	struct author authors[4];
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (unsigned i = 0; i < 4; i++) {
		authors[i] = (struct author){ diary, (char)('a' + i) };
		filch_group_spawn(&group, wait_and_write, &authors[i]);
	}
	filch_yield();
	for (unsigned i = 0; i < 4; i++)
		permits_release(&diary->permits);
	return filch_group_close(&group);
}

/* What one wakes last is warm: it stands in the slot; the others keep their order. */
Test(fairness, the_last_that_was_woken_goes_first_the_others_in_order, .timeout = 30)
{
	struct diary diary = { .length = 0 };

	cr_assert_eq(run_workers(1, order_of_the_woken, &diary), 0);
	cr_assert_str_eq(diary.text, "dabc");
}

static int order_of_the_new(void *arg)
{
	struct author authors[4];
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (unsigned i = 0; i < 4; i++) {
		authors[i] = (struct author){ arg, (char)('a' + i) };
		filch_group_spawn(&group, write_once, &authors[i]);
	}
	while (((struct diary *)arg)->length < 4)
		filch_sleep(FILCH_MILLISECOND); /* the loop takes the oldest (R15) */
	for (unsigned i = 0; i < 4; i++)
		filch_group_spawn(&group, write_once, &authors[i]);
	return filch_group_close(&group); /* the join the newest */
}

Test(fairness, the_loop_takes_the_oldest_and_a_join_the_newest, .timeout = 30)
{
	struct diary diary = { .length = 0 };

	cr_assert_eq(run_workers(1, order_of_the_new, &diary), 0);
	cr_assert_str_eq(diary.text, "abcddcba");
}

/* ---- Budget ---- */

struct spender {
	unsigned operations; /* done between two looks */
	bool over;
	unsigned turns;
	unsigned longest; /* operations in a row */
	unsigned spent;
};

/* Counts how often it gets a turn, and what the other did meanwhile. */
static int watch_spender(void *arg)
{
	struct spender *spender = arg;

	while (!spender->over) {
		if (spender->operations > spender->longest)
			spender->longest = spender->operations;
		spender->operations = 0;
		spender->turns++;
		filch_yield();
	}
	return 0;
}

static int spend(void *arg)
{
	struct spender *spender = arg;

	for (unsigned i = 0; i < 2000; i++) {
		spender->operations++;
		filch_sleep(0); /* ready at once, always */
	}
	spender->over = true;
	return 0;
}

static int spend_little(void *arg)
{
	cr_expect_eq(filch_task_set_budget(10), 0);
	return spend(arg);
}

static int spend_without_limit(void *arg)
{
	cr_expect_eq(filch_task_set_budget(UINT_MAX), 0);
	return spend(arg);
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int spend_nothing(void *arg)
{
	struct spender *spender = arg;
	struct filch_group group;
	struct filch_task *task;

	filch_task_set_budget(10);
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, NULL, nothing, NULL, &task);
	for (unsigned i = 0; i < 2000; i++) {
		spender->operations++;
		cr_expect_eq(filch_task_try_wait(task, NULL), -EAGAIN);
		cr_expect_eq(filch_checkpoint(), 0);
	}
	spender->over = true;
	filch_task_release(task);
	return filch_group_close(&group);
}

struct spending {
	struct spender spender;
	filch_task_fn *fn;
	unsigned budget;
};

static int watch_spending(void *arg)
{
	struct spending *spending = arg;
	struct filch_task_options options = { .size = sizeof(options),
					      .budget = spending->budget };
	struct filch_runtime *runtime = filch_runtime_current();
	struct filch_task *task;

	filch_runtime_submit(runtime, NULL, watch_spender, &spending->spender, NULL);
	filch_runtime_submit(runtime, &options, spending->fn, &spending->spender, &task);
	filch_task_wait(task, NULL);
	filch_task_release(task);
	return 0;
}

static unsigned longest_run(filch_task_fn *fn, unsigned budget)
{
	struct spending spending = { .fn = fn, .budget = budget };

	cr_assert_eq(run_workers(1, watch_spending, &spending), 0);
	return spending.spender.longest;
}

/* SC8 */
Test(fairness, a_task_whose_calls_never_wait_yields_when_its_budget_is_spent, .timeout = 30)
{
	cr_assert_eq(longest_run(spend, 0), 128);
}

/* SC8 */
Test(fairness, each_task_may_have_its_own_budget, .timeout = 30)
{
	cr_assert_eq(longest_run(spend, 7), 7);
	cr_assert_eq(longest_run(spend, 1), 1);
	cr_assert_eq(longest_run(spend_little, 0), 10);
}

/* SC8 */
Test(fairness, a_task_may_lift_its_budget, .timeout = 30)
{
	cr_assert_leq(longest_run(spend_without_limit, 0), 1u); /* it was not looked at meanwhile */
	cr_assert_leq(longest_run(spend, UINT_MAX), 1u);
}

/* SC8 */
Test(fairness, calls_that_achieve_nothing_do_not_spend, .timeout = 30)
{
	cr_assert_leq(longest_run(spend_nothing, 0), 1u);
}

static int set_true(void *arg)
{
	*(bool *)arg = true;
	return 0;
}

static int wait_busily(void *arg)
{
	struct filch_group group;
	bool *set = arg;
	unsigned calls = 0;

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, set_true, set);
	while (!*set && calls++ < 10000)
		filch_sleep(0);
	filch_group_close(&group);
	return calls < 10000 ? 0 : -ETIMEDOUT;
}

/* SC8: also to tasks that have not begun. */
Test(fairness, a_spent_budget_lets_new_tasks_begin, .timeout = 30)
{
	bool set = false;

	cr_assert_eq(run_workers(1, wait_busily, &set), 0);
}

Test(fairness, a_budget_of_nothing_is_refused)
{
	cr_assert_eq(filch_task_set_budget(1), -EPERM);
	cr_assert_eq(filch_task_set_budget(0), -EPERM);
}
