/* What the application hooks in: threads, memory, failures; and what it reads back. */
#include "base/atomic.h"
#include "platform/fault.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <filch.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 8

struct threads {
	struct filch_word32 started[WORKERS], stopped[WORKERS];
	struct filch_word32 tasks;
	struct filch_word32 wrong;
};

static _Thread_local unsigned mine;

static void started(unsigned worker, void *context)
{
	struct threads *threads = context;

	mine = worker + 1;
	word32_add_relaxed(&threads->started[worker], 1); /* relaxed: read after the join */
}

static void stopping(unsigned worker, void *context)
{
	struct threads *threads = context;

	/* The same thread, and its own hook has run before. */
	if (mine != worker + 1)
		word32_add_relaxed(&threads->wrong, 1); /* relaxed: read after the join */
	word32_add_relaxed(&threads->stopped[worker], 1); /* relaxed: as above */
}

static struct filch_options with_threads(struct threads *threads)
{
	return (struct filch_options){ .size = sizeof(struct filch_options),
				       .workers = WORKERS,
				       .thread_started = started,
				       .thread_stopping = stopping,
				       .thread_context = threads };
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int fail(void *arg)
{
	(void)arg;
	return -EIO;
}

Test(hooks, each_worker_tells_of_its_start_and_its_end_once, .timeout = 30)
{
	struct threads threads = { .wrong = { 0 } };
	struct filch_options options = with_threads(&threads);

	cr_assert_eq(filch_run_with(&options, nothing, NULL), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		cr_assert_eq(threads.started[i].value, 1);
		cr_assert_eq(threads.stopped[i].value, 1);
	}
	cr_assert_eq(threads.wrong.value, 0);
}

Test(hooks, threads_of_a_start_that_failed_end_as_they_began, .timeout = 30)
{
	for (uint32_t k = 1; k <= WORKERS; k++) {
		struct threads threads = { .wrong = { 0 } };
		struct filch_options options = with_threads(&threads);
		struct filch_runtime *runtime = NULL;

		filch__fault_set(FILCH__FAULT_THREAD, k, 1);
		cr_assert_eq(filch_runtime_create(&runtime, &options), -EAGAIN);
		filch__fault_clear();
		cr_assert_null(runtime);
		for (unsigned i = 0; i < WORKERS; i++) {
			cr_assert_eq(threads.started[i].value, i + 1 < k);
			cr_assert_eq(threads.stopped[i].value, i + 1 < k);
		}
	}
}

/* ---- Memory ---- */

struct purse {
	struct filch_word64 given, returned;
};

static void *give(size_t size, size_t alignment, void *context)
{
	void *memory = NULL;

	word64_add_relaxed(&((struct purse *)context)->given, 1); /* relaxed: read after the end */
	return posix_memalign(&memory, alignment < 16 ? 16 : alignment, size) ? NULL : memory;
}

static void take_back(void *memory, void *context)
{
	/* relaxed: read after the end. */
	word64_add_relaxed(&((struct purse *)context)->returned, 1);
	free(memory);
}

static int spawn_some(void *arg)
{
	struct filch_group group;
	int status = filch_group_open(&group, NULL);

	for (unsigned i = 0; i < 2000 && status == 0; i++) {
		struct filch_task *task;

		status = filch_group_spawn_with(&group, NULL, arg ? fail : nothing, NULL, &task);
		filch_task_release(task);
	}
	for (unsigned i = 0; i < 2000 && status == 0; i++)
		status = filch_group_spawn(&group, nothing, NULL);
	if (status == 0)
		status = filch_sleep(FILCH_MILLISECOND);
	return status < 0 ? status : filch_group_close(&group);
}

Test(hooks, all_memory_comes_from_the_allocator_and_goes_back, .timeout = 30)
{
	struct purse purse = { { 0 }, { 0 } };
	struct filch_options options = { .size = sizeof(options),
					 .workers = 2,
					 .allocator = { give, take_back, &purse } };

	cr_assert_eq(filch_run_with(&options, spawn_some, NULL), 0);
	cr_assert_gt(purse.given.value, 2000);
	cr_assert_eq(purse.given.value, purse.returned.value);
}

Test(hooks, a_start_without_memory_gives_all_back, .timeout = 30)
{
	int status = -ENOMEM;

	for (uint32_t k = 1; status < 0; k++) {
		struct purse purse = { { 0 }, { 0 } };
		struct filch_options options = { .size = sizeof(options),
						 .workers = 2,
						 .allocator = { give, take_back, &purse } };
		struct filch_runtime *runtime = NULL;

		cr_assert_lt(k, 200u);
		filch__fault_set(FILCH__FAULT_ALLOCATE, k, 1);
		status = filch_runtime_create(&runtime, &options);
		filch__fault_clear();
		cr_assert(status == 0 || status == -ENOMEM);
		cr_assert_eq(runtime == NULL, status < 0);
		filch_runtime_destroy(runtime);
		cr_assert_eq(purse.given.value, purse.returned.value);
	}
}

Test(hooks, a_start_without_address_space_gives_all_back, .timeout = 30)
{
	static const struct filch_options two = { .size = sizeof(two), .workers = 2 };
	int status = -ENOMEM;

	for (uint32_t k = 1; status < 0; k++) {
		struct filch_runtime *runtime = NULL;

		cr_assert_lt(k, 50u);
		filch__fault_set(FILCH__FAULT_MAP, k, 1);
		status = filch_runtime_create(&runtime, &two);
		filch__fault_clear();
		cr_assert_eq(runtime == NULL, status < 0);
		filch_runtime_destroy(runtime);
	}
}

/* ---- Failures ---- */

struct news {
	struct filch_word32 count;
	int status;
	char name[32];
};

static void hear(const char *task, int status, void *context)
{
	struct news *news = context;

	strncpy(news->name, task, sizeof(news->name) - 1);
	news->status = status;
	word32_add_release(&news->count, 1); /* release: pairs with the end of the runtime */
}

Test(hooks, a_failure_is_told_unless_somebody_looked, .timeout = 30)
{
	struct news news = { .status = 0 };
	struct filch_options options = { .size = sizeof(options),
					 .workers = 2,
					 .unobserved = hear,
					 .unobserved_context = &news };
	struct filch_task_options named = { .size = sizeof(named), .name = "lonely" };
	struct filch_runtime *runtime;
	struct filch_task *task;
	int status = 0;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, fail, NULL, &task), 0);
	cr_assert_eq(filch_task_wait(task, &status), 0);
	cr_assert_eq(status, -EIO);
	filch_task_release(task);
	cr_assert_eq(filch_runtime_submit(runtime, &named, fail, NULL, NULL), 0);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
	cr_assert_eq(news.count.value, 1);
	cr_assert_eq(news.status, -EIO);
	cr_assert_str_eq(news.name, "lonely");
}

/* ---- What can be read ---- */

Test(hooks, options_and_counters_can_be_read)
{
	struct filch_options options = { .size = sizeof(options), .workers = 3 };
	struct filch_options effective = { .size = 0 };
	struct filch_runtime_stats stats = { .workers = 0 };
	struct filch_runtime *runtime;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	cr_assert_eq(filch_runtime_options(runtime, &effective), 0);
	cr_assert_eq(effective.workers, 3);
	cr_assert_eq(effective.size, sizeof(effective));
	cr_assert_gt(effective.stack_size, 0);
	cr_assert_eq(filch_runtime_stats(runtime, &stats), 0);
	cr_assert_eq(stats.workers, 3);
	cr_assert_geq(stats.stacks_peak, stats.stacks_live);
	cr_assert_neq(stats.guard, FILCH_GUARD_AUTO);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}
