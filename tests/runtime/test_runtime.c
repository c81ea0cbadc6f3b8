/* Runtimes: submitting, shutting down, several at once, misuse. */
#include "platform/fault.h"
#include "platform/sanitizer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <filch.h>
#include <string.h>

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

static int deaf(void *arg)
{
	struct filch_word32 *stop = arg;
	struct filch_token shield;

	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	while (!__atomic_load_n(&stop->value, __ATOMIC_ACQUIRE))
		filch_sleep(FILCH_MILLISECOND);
	filch_scope_leave(&shield);
	filch_token_fini(&shield);
	return 0;
}

/* SD1 */
Test(runtime, shutdown_cancels_and_joins_all)
{
	struct filch_runtime *runtime;
	struct filch_task *task;
	int status = 0;

	cr_assert_eq(filch_runtime_create(&runtime, &two), 0);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, sleep_long, NULL, &task), 0);
	cr_assert_eq(filch_runtime_shutdown(runtime, FILCH_NEVER, NULL, NULL), 0);
	cr_assert_eq(filch_task_try_wait(task, &status), 0);
	cr_assert_eq(status, -ECANCELED);
	cr_assert_eq(filch_task_reason(task), -ESHUTDOWN);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, nothing, NULL, NULL), -ESHUTDOWN);
	filch_task_release(task);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

static void copy_name(const char *task, void *context)
{
	strcpy(context, task);
}

/* SD2 */
Test(runtime, shutdown_with_a_deadline_names_who_is_alive)
{
	struct filch_runtime *runtime;
	struct filch_task_options options = { .size = sizeof(options), .name = "deaf" };
	struct filch_word32 stop = { 0 };
	char name[32] = "";

	cr_assert_eq(filch_runtime_create(&runtime, &two), 0);
	cr_assert_eq(filch_runtime_submit(runtime, &options, deaf, &stop, NULL), 0);
	cr_assert_eq(filch_runtime_shutdown(runtime, filch_now() + 20 * FILCH_MILLISECOND, copy_name,
					    name),
		     -ETIMEDOUT);
	cr_assert_str_eq(name, "deaf");
	__atomic_store_n(&stop.value, 1, __ATOMIC_RELEASE);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

/* SD4 */
static int end_it_from_inside(void *arg)
{
	struct filch_runtime *runtime = filch_runtime_current();

	(void)arg;
	cr_expect_eq(filch_runtime_destroy(runtime), -EDEADLK);
	cr_expect_eq(filch_runtime_shutdown(runtime, FILCH_NEVER, NULL, NULL), -EDEADLK);
	return 0;
}

Test(runtime, a_task_cannot_end_its_own_runtime)
{
	cr_assert_eq(filch_run_with(&two, end_it_from_inside, NULL), 0);
}

/* SD5 */
Test(runtime, creating_and_destroying_leaves_nothing, .timeout = 200)
{
	int rounds = sanitize_is_thread() || sanitize_is_address() ? 100 : 2000;

	for (int i = 0; i < rounds; i++)
		cr_assert_eq(filch_run_with(&two, nothing, NULL), 0);
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

Test(runtime, bad_arguments_are_refused)
{
	struct filch_runtime *runtime;
	struct filch_options options = { .size = sizeof(options), .workers = 5000 };

	cr_assert_eq(filch_runtime_create(NULL, NULL), -EINVAL);
	cr_assert_eq(filch_runtime_create(&runtime, &options), -EINVAL);
	cr_assert_eq(filch_runtime_submit(NULL, NULL, nothing, NULL, NULL), -EINVAL);
	cr_assert_eq(filch_runtime_destroy(NULL), 0);
	cr_assert_eq(filch_task_wait(NULL, NULL), -EINVAL);
	cr_assert(!filch_task_cancel(NULL, 0));
	filch_task_release(NULL);
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
