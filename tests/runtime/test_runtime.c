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
