/* The virtual clock, waiting for quiet, deadlocks, and the border of a simulation. */
#include "sim/seeds.h"

#include "runtime/simulate.h"
#include "wake/wait.h"

#include <filch.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define SECONDS(n) ((n)*FILCH_SECOND)

static double real_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static unsigned violations;

static void expect(bool condition)
{
	violations += !condition;
}

static struct filch_simulation_options with(uint64_t seed, unsigned workers)
{
	seeds_report[0] = '\0';
	violations = 0;
	return (struct filch_simulation_options){ .size = sizeof(struct filch_simulation_options),
						  .seed = seed,
						  .workers = workers,
						  .report = seeds_keep_report };
}

/* ---- VT1, VT2 ---- */

static int sleeper(void *arg)
{
	filch_time span = *(filch_time *)arg, before = filch_now();

	expect(filch_sleep(span) == 0);
	expect(filch_now() == before + span);
	return 0;
}

static int ten_sleepers(void *arg)
{
	filch_time spans[10], before = filch_now();
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 10; i++) {
		spans[i] = SECONDS(10 * i);
		filch_group_spawn(&group, sleeper, &spans[i]);
	}
	filch_group_close(&group);
	expect(filch_now() == before + SECONDS(90));
	return 0;
}

/* VT2 */
Test(virtual, sleeps_of_minutes_take_no_time_and_are_exact)
{
	double before = real_time();

	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct filch_simulation_result result = { .size = sizeof(result) };
		struct filch_simulation_options options = with(seed, 1 + (unsigned)seed % 4);

		options.result = &result;
		cr_assert_eq(filch_simulate(&options, ten_sleepers, NULL), 0);
		cr_assert_eq(violations, 0);
		cr_assert_eq(result.elapsed, SECONDS(90));
	}
	cr_expect(real_time() - before < 100);
}

static bool is_up, is_stopped;

static int busy(void *arg)
{
	filch_time before = filch_now();

	(void)arg;
	while (!is_stopped) {
		expect(filch_now() == before);
		filch_yield();
	}
	return 0;
}

static int early(void *arg)
{
	(void)arg;
	filch_sleep(SECONDS(1));
	is_up = true;
	return 0;
}

static int one_is_busy(void *arg)
{
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, early, NULL);
	filch_group_spawn(&group, busy, NULL);
	for (int i = 0; i < 1000; i++)
		filch_yield();
	expect(!is_up);
	is_stopped = true;
	filch_group_close(&group);
	expect(is_up);
	return 0;
}

/* VT1 */
Test(virtual, the_clock_stands_while_anything_runs_and_jumps_when_all_is_parked)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct filch_simulation_options options = with(seed, 1 + (unsigned)seed % 3);

		is_up = is_stopped = false;
		cr_assert_eq(filch_simulate(&options, one_is_busy, NULL), 0);
		cr_assert_eq(violations, 0);
	}
}

/* ---- VT4 ---- */

static int parked_count;

static int parks(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++)
		filch_yield();
	parked_count++;
	filch_sleep(SECONDS(1));
	return 0;
}

static int waits_for_quiet(void *arg)
{
	filch_time before = filch_now();
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 4; i++)
		filch_group_spawn(&group, parks, NULL);
	expect(filch_simulation_wait_all_parked() == 0);
	expect(parked_count == 4 && filch_now() == before);
	expect(filch_simulation_wait_all_parked() == 0);
	expect(filch_now() == before);
	filch_group_close(&group);
	expect(filch_now() == before + SECONDS(1));
	return 0;
}

/* VT4 */
Test(virtual, waiting_for_all_to_park_returns_before_time_moves)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct filch_simulation_options options = with(seed, 1 + (unsigned)seed % 3);

		parked_count = 0;
		cr_assert_eq(filch_simulate(&options, waits_for_quiet, NULL), 0);
		cr_assert_eq(violations, 0);
	}
	cr_expect_eq(filch_simulation_wait_all_parked(), -EPERM);
}

/* ---- VT6 ---- */

static int never(void *arg)
{
	(void)arg;
	return filch_sleep_until(FILCH_NEVER);
}

static int root_deadlock(void *arg)
{
	return never(arg);
}

static int child_deadlock(void *arg)
{
	struct filch_task_options options = { .size = sizeof(options), .name = "stuck" };
	struct filch_group group;
	struct filch_task *task;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn_with(&group, &options, never, NULL, &task);
	filch_task_wait(task, NULL);
	filch_task_release(task);
	return filch_group_close(&group);
}

/* VT6 */
Test(virtual, a_standstill_is_reported_with_every_task_and_what_it_waits_for)
{
	struct filch_simulation_options options = with(7, 2);

	cr_assert_eq(filch_simulate(&options, root_deadlock, NULL), -EDEADLK);
	cr_expect(strstr(seeds_report, "deadlock"), "%s", seeds_report);
	cr_expect(strstr(seeds_report, "task 'main' waits for time to pass"), "%s", seeds_report);
	options = with(8, 2);
	cr_assert_eq(filch_simulate(&options, child_deadlock, NULL), -EDEADLK);
	cr_expect(strstr(seeds_report, "task 'main' waits for the end of a task"), "%s",
		  seeds_report);
	cr_expect(strstr(seeds_report, ", 'stuck'"), "%s", seeds_report);
	cr_expect(strstr(seeds_report, "task 'stuck' (child of 'main') waits for time"), "%s",
		  seeds_report);
}

static int leaves_a_task(void *arg)
{
	struct filch_task_options options = { .size = sizeof(options), .name = "left" };

	(void)arg;
	return filch_runtime_submit(filch_runtime_current(), &options, never, NULL, NULL);
}

/* VT6 */
Test(virtual, tasks_parked_for_ever_after_the_main_one_has_returned_are_a_deadlock)
{
	struct filch_simulation_options options = with(9, 2);

	cr_assert_eq(filch_simulate(&options, leaves_a_task, NULL), -EDEADLK);
	cr_expect(strstr(seeds_report, "task 'left' waits for"), "%s", seeds_report);
	cr_expect(!strstr(seeds_report, "'main'"), "%s", seeds_report);
}

static int stubborn(void *arg)
{
	struct filch_token shield;

	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	return never(arg);
}

Test(virtual, tasks_that_no_cancel_ends_are_abandoned)
{
	struct filch_simulation_options options = with(10, 3);

	cr_assert_eq(filch_simulate(&options, stubborn, NULL), -EDEADLK);
	/* And the next simulation is not concerned. */
	options = with(11, 3);
	cr_assert_eq(filch_simulate(&options, ten_sleepers, NULL), 0);
	cr_assert_eq(violations, 0);
}

static int for_ever(void *arg)
{
	(void)arg;
	while (filch_yield() == 0)
		;
	return 0;
}

Test(virtual, a_loop_without_end_is_given_up)
{
	struct filch_simulation_options options = with(12, 2);

	options.max_choices = 10000;
	cr_assert_eq(filch_simulate(&options, for_ever, NULL), -ETIMEDOUT);
	cr_expect(strstr(seeds_report, "no end"), "%s", seeds_report);
}

/* ---- VT7 ---- */

static struct filch_timer timer;
static struct filch_token token;
static struct filch_runtime *inside;
static int outside_status[4];
static filch_time outside_now, inside_now;

static void tick(void *arg)
{
	(void)arg;
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void *stranger(void *arg)
{
	(void)arg;
	outside_status[0] = filch_timer_start(&timer, filch_now() + FILCH_SECOND);
	outside_status[1] = filch_runtime_submit(inside, NULL, nothing, NULL, NULL);
	outside_status[2] = filch_token_set_deadline(&token, filch_now() + FILCH_SECOND);
	outside_status[3] = filch_simulation_is_running();
	outside_now = filch_now();
	return NULL;
}

static int asks_a_stranger(void *arg)
{
	pthread_t thread;

	(void)arg;
	inside = filch_runtime_current();
	inside_now = filch_now();
	expect(filch_timer_init(&timer, NULL, tick, NULL) == 0);
	filch_token_init(&token);
	expect(filch_token_set_deadline(&token, filch_now() + FILCH_SECOND) == 0);
	expect(filch_simulation_is_running());
	pthread_create(&thread, NULL, stranger, NULL);
	pthread_join(thread, NULL);
	expect(filch_timer_start(&timer, filch_now() + FILCH_SECOND) == 0);
	filch_timer_fini(&timer);
	filch_token_fini(&token);
	return filch_simulate(NULL, nothing, NULL) == -EPERM ? 0 : 1;
}

/* VT7 */
Test(virtual, outside_a_simulation_its_objects_refuse_and_time_is_real)
{
	struct filch_simulation_options options = with(13, 2);
	filch_time before = filch_now();

	cr_assert_eq(filch_simulate(&options, asks_a_stranger, NULL), 0);
	cr_expect_eq(violations, 0);
	cr_expect_eq(outside_status[0], -EPERM);
	cr_expect_eq(outside_status[1], -EPERM);
	cr_expect_eq(outside_status[2], -EPERM);
	cr_expect_eq(outside_status[3], 0);
	cr_expect(outside_now >= before);
	cr_expect(inside_now < 10 * FILCH_SECOND);
}

static struct filch_runtime *real;

static int starts_a_real_timer(void *arg)
{
	(void)arg;
	if (filch_timer_init(&timer, real, tick, NULL) < 0)
		return 1;
	return filch_timer_start(&timer, filch_now() + FILCH_SECOND) == -EPERM ? 0 : 2;
}

static int simulates(void *arg)
{
	(void)arg;
	return filch_simulate(NULL, starts_a_real_timer, NULL);
}

/* VT7 */
Test(virtual, inside_a_simulation_real_timers_refuse_and_a_task_may_simulate)
{
	struct filch_task *task;
	int status = -1;

	cr_assert_eq(filch_runtime_create(&real, NULL), 0);
	cr_assert_eq(filch_runtime_submit(real, NULL, simulates, NULL, &task), 0);
	cr_assert_eq(filch_task_wait(task, &status), 0);
	cr_expect_eq(status, 0);
	filch_task_release(task);
	filch_runtime_destroy(real);
}

/* ---- VT3: there is no blocking pool yet; what it will hold the clock by ---- */

static struct world *world;
static struct world_job job;

static void finish(void *arg)
{
	waiter_grant(arg);
}

static void *worker_thread(void *arg)
{
	struct timespec moment = { .tv_nsec = 20000000 };

	(void)arg;
	nanosleep(&moment, NULL);
	filch__simulation_release(world, &job);
	return NULL;
}

static int waits_for_a_job(void *arg)
{
	filch_time before = filch_now();
	struct filch_group group;
	filch_time span = SECONDS(1);
	struct waiter waiter;
	pthread_t thread;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, sleeper, &span);
	filch__waiter_begin(&waiter);
	expect(filch__simulation_hold(&world) == 0);
	job = (struct world_job){ .fn = finish, .arg = &waiter };
	pthread_create(&thread, NULL, worker_thread, NULL);
	expect(filch__waiter_wait(&waiter, FILCH_NEVER) == 0);
	expect(filch_now() == before);
	pthread_join(thread, NULL);
	filch_group_close(&group);
	expect(filch_now() == before + span);
	return 0;
}

/* VT3 */
Test(virtual, a_job_on_another_thread_holds_the_clock)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct filch_simulation_options options = with(seed, (unsigned)seed);

		cr_assert_eq(filch_simulate(&options, waits_for_a_job, NULL), 0);
		cr_assert_eq(violations, 0);
	}
}
