/* A runtime from its start to its end, with each call of each kind failing in turn. */
#include "fault/each.h"

/* A bit of everything that asks for something. Each part may fail for want of it. */
static void ring(void *arg)
{
	flag_add(arg);
}

static int nap(void *arg)
{
	(void)arg;
	return filch_sleep(FILCH_MILLISECOND / 4);
}

static int use_time(void *arg)
{
	struct filch_timer timer;
	struct filch_token token;
	int rung = 0, status;

	(void)arg;
	filch_timer_init(&timer, NULL, ring, &rung);
	status = filch_timer_start(&timer, filch_now() + FILCH_MILLISECOND / 8);
	filch_token_init(&token);
	if (status == 0)
		status = filch_token_set_deadline(&token, filch_now() + FILCH_SECOND);
	cr_expect_eq(filch_scope_enter(&token), 0);
	if (status == 0)
		status = nap(NULL);
	cr_expect_eq(filch_scope_leave(&token), 0);
	filch_token_fini(&token);
	filch_timer_fini(&timer);
	return status;
}

static int live(void *arg)
{
	struct filch_task_options large = { .size = sizeof(large),
					    .stack_class = FILCH_STACK_LARGE };
	struct filch_group group;
	int status = 0, closed;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 10 && status == 0; i++)
		status = filch_group_spawn(&group, i % 2 ? nap : use_time, NULL);
	if (status == 0)
		status = filch_group_spawn_with(&group, &large, nap, NULL, NULL);
	if (status == 0)
		status = nap(NULL);
	/* A child's failure cancels the body. */
	closed = filch_group_close(&group);
	return closed < 0 ? closed : status;
}

/* True while the kth call was made, and failed. */
static bool live_with(enum filch__fault kind, uint32_t k, unsigned workers, int *failures)
{
	struct purse purse = { 0, 0 };
	struct filch_options options = { .size = sizeof(options),
					 .workers = workers,
					 .allocator = { purse_give, purse_take, &purse } };
	struct filch_runtime *runtime = NULL;
	struct filch_task *task = NULL;
	int status, result = 0;
	uint32_t calls;

	filch__fault_set(kind, k, 1);
	status = filch_runtime_create(&runtime, &options);
	cr_assert_eq(runtime == NULL, status < 0);
	if (status == 0) {
		status = filch_runtime_submit(runtime, NULL, live, NULL, &task);
		cr_assert_eq(task == NULL, status < 0);
	}
	if (status == 0)
		cr_assert_eq(filch_task_wait(task, &result), 0);
	filch_task_release(task);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
	calls = filch__fault_calls(kind);
	filch__fault_clear();
	status = status < 0 ? status : result;
	*failures += status < 0;
	cr_assert(status == 0 || (status == -ENOMEM && kind != FILCH__FAULT_THREAD) ||
			  (status == -EAGAIN && kind == FILCH__FAULT_THREAD),
		  "%d: call %u of kind %d, %u workers", status, k, (int)kind, workers);
	cr_assert_eq(purse.given, purse.returned, "call %u of kind %d, %u workers", k, (int)kind,
		     workers);
	return calls >= k;
}

/* Returns how many lives have failed. */
static int live_through(enum filch__fault kind)
{
	static const unsigned workers[] = { 1, 2, 8 };
	int failures = 0;

	for (int i = 0; i < 3; i++)
		for (uint32_t k = 1; live_with(kind, k, workers[i], &failures); k++)
			cr_assert_lt(k, 1000u);
	return failures;
}

Test(whole_life, no_memory_is_told_and_all_is_given_back, .timeout = 100)
{
	cr_assert_gt(live_through(FILCH__FAULT_ALLOCATE), 0);
}

Test(whole_life, a_worker_that_cannot_be_had_ends_the_others, .timeout = 100)
{
	cr_assert_eq(live_through(FILCH__FAULT_THREAD), 1 + 2 + 8);
}

/* A slab that cannot be had is tried smaller. */
Test(whole_life, one_refusal_of_address_space_does_no_harm, .timeout = 100)
{
	cr_assert_eq(live_through(FILCH__FAULT_MAP), 0);
}

/* Without them there are others, or none. */
Test(whole_life, guards_and_the_barrier_need_not_be_had, .timeout = 100)
{
	cr_assert_eq(live_through(FILCH__FAULT_GUARD), 0);
	cr_assert_eq(live_through(FILCH__FAULT_PROTECT), 0);
	cr_assert_eq(live_through(FILCH__FAULT_BARRIER), 0);
}

/* ---- Submitting ---- */

static void submit_with(uint32_t k, uint32_t times)
{
	struct filch_options options = { .size = sizeof(options), .workers = 2 };
	struct filch_runtime *runtime;
	int count = 0, accepted = 0;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	filch__fault_set(FILCH__FAULT_ALLOCATE, k, times);
	for (int i = 0; i < 20; i++) {
		struct filch_task *task = NULL;
		int status =
			filch_runtime_submit(runtime, NULL, count_up, &count, i % 2 ? &task : NULL);

		cr_assert(status == 0 || status == -ENOMEM);
		cr_assert(i % 2 == 0 || (task == NULL) == (status < 0));
		accepted += status == 0;
		filch_task_release(task);
	}
	filch__fault_clear();
	cr_assert_leq(accepted, 19);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, count_up, &count, NULL), 0);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
	cr_assert_eq(count, accepted + 1);
}

Test(whole_life, a_submit_is_refused_and_the_runtime_goes_on, .timeout = 100)
{
	for (uint32_t k = 1; k <= 20; k++) {
		submit_with(k, 1);
		submit_with(k, UINT32_MAX);
	}
}

/* Who wants to know at the deadline who is alive is told nothing, and the shutdown goes on. */
static void count_living(const char *task, void *context)
{
	(void)task;
	flag_add(context);
}

Test(whole_life, a_shutdown_without_memory_names_nobody_and_goes_on, .timeout = 100)
{
	struct filch_options options = { .size = sizeof(options), .workers = 2 };
	struct team team = { .ended = 0 };
	struct filch_runtime *runtime;
	int named = 0;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, waits_for_go, &team, NULL), 0);
	flag_await(&team.ready, 1);
	filch__fault_set(FILCH__FAULT_ALLOCATE, 1, UINT32_MAX);
	cr_assert_eq(filch_runtime_shutdown(runtime, filch_now(), count_living, &named),
		     -ETIMEDOUT);
	filch__fault_clear();
	cr_assert_eq(named, 0);
	cr_assert_eq(filch_runtime_shutdown(runtime, filch_now(), count_living, &named),
		     -ETIMEDOUT);
	cr_assert_eq(named, 1);
	flag_add(&team.go);
	cr_assert_eq(filch_runtime_shutdown(runtime, FILCH_NEVER, NULL, NULL), 0);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

Test(whole_life, what_is_submitted_too_late_is_given_back, .timeout = 100)
{
	struct purse purse = { 0, 0 };
	struct filch_options options = { .size = sizeof(options),
					 .workers = 2,
					 .allocator = { purse_give, purse_take, &purse } };
	struct filch_runtime *runtime;
	struct filch_task *task = NULL;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	cr_assert_eq(filch_runtime_shutdown(runtime, FILCH_NEVER, NULL, NULL), 0);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, do_nothing, NULL, NULL), -ESHUTDOWN);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, do_nothing, NULL, &task), -ESHUTDOWN);
	cr_assert_null(task);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
	cr_assert_eq(purse.given, purse.returned);
}
