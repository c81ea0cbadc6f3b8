/* Runtimes: submitting, shutting down, several at once, misuse. */
#include "base/atomic.h"
#include "platform/fault.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <filch.h>

static const struct filch_options two = { .size = sizeof(two), .workers = 2 };

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int sleep_long(void *arg)
{
	(void)arg;
	return filch_sleep(3600 * FILCH_SECOND);
}

Test(runtime, several_live_side_by_side)
{
	struct filch_runtime *runtimes[4];
	struct filch_task *tasks[4];

	for (int i = 0; i < 4; i++) {
		cr_assert_eq(filch_runtime_create(&runtimes[i], &two), 0);
		cr_assert_eq(filch_runtime_submit(runtimes[i], NULL, sleep_long, NULL, &tasks[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		cr_assert(filch_task_cancel(tasks[i], 0));
		cr_assert_eq(filch_task_wait(tasks[i], NULL), 0);
		filch_task_release(tasks[i]);
		cr_assert_eq(filch_runtime_destroy(runtimes[i]), 0);
	}
}

static void ignore(void *arg)
{
	(void)arg;
}

struct foreign {
	struct filch_runtime *runtime;
	struct filch_task *task;
	struct filch_word32 go;
};

static int wait_for_go(void *arg)
{
	/* acquire: pairs with the release in await_foreigner. */
	while (!word32_load_acquire((struct filch_word32 *)arg))
		filch_sleep(100 * FILCH_MICROSECOND);
	return 42;
}

/* Parks a task of one runtime until a task of another ends, and is woken from there. */
static int await_foreigner(void *arg)
{
	struct foreign *foreign = arg;
	int status = 0;

	cr_expect_eq(filch_task_wait_until(foreign->task, &status, filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	word32_store_release(&foreign->go, 1); /* release: pairs with wait_for_go */
	cr_expect_eq(filch_task_wait(foreign->task, &status), 0);
	return status;
}

Test(runtime, a_task_may_await_one_of_another_runtime, .timeout = 30)
{
	for (int i = 0; i < 20; i++) {
		struct foreign foreign = { .go = { 0 } };

		cr_assert_eq(filch_runtime_create(&foreign.runtime, &two), 0);
		cr_assert_eq(filch_runtime_submit(foreign.runtime, NULL, wait_for_go, &foreign.go,
						  &foreign.task),
			     0);
		cr_assert_eq(filch_run_with(&two, await_foreigner, &foreign), 42);
		filch_task_release(foreign.task);
		cr_assert_eq(filch_runtime_destroy(foreign.runtime), 0);
	}
}

static int submit_there(void *arg)
{
	struct filch_task *task;
	int status = filch_runtime_submit(arg, NULL, sleep_long, NULL, &task);

	if (status < 0)
		return status;
	cr_expect_eq(filch_task_cancel_and_wait(task, -EINTR, &status), 0);
	cr_expect_eq(filch_task_reason(task), -EINTR);
	filch_task_release(task);
	return status;
}

Test(runtime, a_task_may_submit_to_another_runtime_and_cancel_there, .timeout = 30)
{
	struct filch_runtime *other;

	cr_assert_eq(filch_runtime_create(&other, &two), 0);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(filch_run_with(&two, submit_there, other), -ECANCELED);
	cr_assert_eq(filch_runtime_destroy(other), 0);
}

static int spawn_there(void *arg)
{
	return filch_group_spawn(arg, nothing, NULL);
}

static int lend_group(void *arg)
{
	struct filch_group group;
	int status;

	(void)arg;
	filch_group_open(&group, NULL);
	status = filch_run_with(&two, spawn_there, &group);
	filch_group_close(&group);
	return status;
}

Test(runtime, a_stranger_from_another_runtime_is_no_member_of_a_group, .timeout = 30)
{
	cr_assert_eq(filch_run_with(&two, lend_group, NULL), -EPERM);
}

struct visit {
	struct filch_token *token;
	filch_time span, deadline;
};

static int visit(void *arg)
{
	struct visit *visit = arg;
	int status;

	cr_expect_eq(filch_scope_enter(visit->token), 0);
	cr_expect_eq(filch_token_set_deadline(visit->token, filch_now() + visit->deadline), 0);
	status = filch_sleep(visit->span);
	cr_expect_eq(filch_scope_leave(visit->token), 0);
	return status;
}

/* Nothing of the first one, which is gone, may be touched for the second. */
Test(runtime, a_token_may_serve_one_runtime_after_the_other, .timeout = 30)
{
	struct filch_options options = { .size = sizeof(options) };
	struct filch_token token = { .parent = NULL };
	struct visit short_visit = { &token, FILCH_MILLISECOND, FILCH_SECOND };
	struct visit cut_visit = { &token, 10 * FILCH_SECOND, FILCH_MILLISECOND };

	cr_assert_eq(filch_token_init(&token), 0);
	for (unsigned workers = 1; workers < 5; workers++) {
		options.workers = workers;
		cr_assert_eq(filch_run_with(&options, visit, &short_visit), 0);
	}
	cr_assert(!filch_token_is_cancelled(&token));
	cr_assert_eq(filch_run_with(&options, visit, &cut_visit), -ECANCELED);
	cr_assert(filch_token_expired(&token));
	cr_assert_eq(filch_token_fini(&token), 0);
}

Test(runtime, bad_arguments_are_refused)
{
	struct filch_runtime *runtime = NULL;
	struct filch_options options = { .size = sizeof(options), .workers = 5000 };
	struct filch_task_options small = { .size = 1 };
	struct filch_runtime_stats stats;

	cr_assert_eq(filch_run(NULL, NULL), -EINVAL);
	cr_assert_eq(filch_run_with(NULL, NULL, NULL), -EINVAL);
	cr_assert_eq(filch_runtime_create(NULL, NULL), -EINVAL);
	cr_assert_eq(filch_runtime_create(&runtime, &options), -EINVAL);
	cr_assert_null(runtime);
	cr_assert_eq(filch_runtime_submit(NULL, NULL, nothing, NULL, NULL), -EINVAL);
	cr_assert_eq(filch_runtime_shutdown(NULL, 0, NULL, NULL), -EINVAL);
	cr_assert_eq(filch_runtime_destroy(NULL), 0);
	cr_assert_eq(filch_runtime_stats(NULL, &stats), -EINVAL);
	cr_assert_eq(filch_runtime_options(NULL, &options), -EINVAL);
	cr_assert_null(filch_runtime_current());
	cr_assert_eq(filch_runtime_create(&runtime, &two), 0);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, NULL, NULL, NULL), -EINVAL);
	cr_assert_eq(filch_runtime_submit(runtime, &small, nothing, NULL, NULL), -EINVAL);
	cr_assert_eq(filch_runtime_stats(runtime, NULL), -EINVAL);
	cr_assert_eq(filch_runtime_options(runtime, NULL), -EINVAL);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
	cr_assert_eq(filch_task_wait(NULL, NULL), -EINVAL);
	cr_assert_eq(filch_task_try_wait(NULL, NULL), -EINVAL);
	cr_assert_eq(filch_task_cancel_and_wait(NULL, 0, NULL), -EINVAL);
	cr_assert(!filch_task_cancel(NULL, 0));
	cr_assert(!filch_task_was_cancelled(NULL));
	cr_assert_eq(filch_task_reason(NULL), 0);
	cr_assert_str_eq(filch_task_name(NULL), "");
	cr_assert_null(filch_task_acquire(NULL));
	cr_assert_null(filch_task_self());
	filch_task_release(NULL);
}

Test(runtime, after_the_shutdown_calls_still_answer)
{
	struct filch_runtime_stats stats;
	struct filch_options options;
	struct filch_runtime *runtime;
	struct filch_timer timer;
	struct filch_task *task;

	cr_assert_eq(filch_runtime_create(&runtime, &two), 0);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, sleep_long, NULL, &task), 0);
	cr_assert_eq(filch_runtime_shutdown(runtime, FILCH_NEVER, NULL, NULL), 0);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, nothing, NULL, NULL), -ESHUTDOWN);
	cr_assert_eq(filch_runtime_shutdown(runtime, FILCH_NEVER, NULL, NULL), 0);
	cr_assert_eq(filch_runtime_stats(runtime, &stats), 0);
	cr_assert_eq(filch_runtime_options(runtime, &options), 0);
	cr_assert_eq(filch_timer_init(&timer, runtime, ignore, NULL), 0);
	cr_assert_eq(filch_timer_start(&timer, FILCH_NEVER - 1), 0);
	cr_assert(filch_timer_stop(&timer));
	cr_assert_eq(filch_task_wait(task, NULL), 0);
	cr_assert(filch_task_was_cancelled(task));
	cr_assert(!filch_task_cancel(task, 0));
	filch_task_release(task);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

Test(runtime, a_thread_that_cannot_be_had_undoes_the_start)
{
	struct filch_options options = { .size = sizeof(options), .workers = 8 };
	struct filch_runtime *runtime;

	for (uint32_t k = 1; k <= 8; k++) {
		filch__fault_set(FILCH__FAULT_THREAD, k, 1);
		cr_assert_lt(filch_runtime_create(&runtime, &options), 0);
		filch__fault_clear();
	}
	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

Test(runtime, without_memory_the_start_fails_and_is_undone)
{
	struct filch_runtime *runtime;
	int status = -ENOMEM;

	for (uint32_t k = 1; status < 0; k++) {
		cr_assert_lt(k, 200u);
		filch__fault_set(FILCH__FAULT_ALLOCATE, k, 1);
		status = filch_runtime_create(&runtime, &two);
		filch__fault_clear();
	}
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}
