/* Ending a runtime: who is cancelled, who is told, what is refused, what is left. */
#include "base/atomic.h"
#include "platform/sanitizer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <filch.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- All are cancelled and joined ---- */

/* SD1 */
Test(shutdown, cancels_and_joins_all_and_refuses_new_ones)
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
	cr_assert_eq(filch_runtime_submit(runtime, NULL, nothing, NULL, &task), -ESHUTDOWN);
	cr_assert_eq(filch_runtime_shutdown(runtime, 0, NULL, NULL), 0);
	filch_task_release(task);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

struct work {
	struct filch_word32 parked, cleaned, told;
	int status; /* as the hook was told */
	char name[32];
};

static int child_of_work(void *arg)
{
	struct work *work = arg;

	word32_add_relaxed(&work->parked, 1); /* relaxed: a count */
	return filch_sleep(3600 * FILCH_SECOND);
}

/* Children are joined first, then what is to be put away waits behind a shield. */
static int work_and_clean(void *arg)
{
	struct work *work = arg;
	struct filch_group group;
	struct filch_token shield;
	int status;

	filch_group_open(&group, NULL);
	filch_group_spawn(&group, child_of_work, work);
	filch_group_spawn(&group, child_of_work, work);
	status = filch_group_close(&group);
	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	if (filch_sleep(FILCH_MILLISECOND) == 0)
		word32_add_relaxed(&work->cleaned, 1); /* relaxed: read after the shutdown */
	filch_scope_leave(&shield);
	filch_token_fini(&shield);
	return status == -ECANCELED ? -EIO : status; /* and the cleanup fails */
}

static void note_failure(const char *task, int status, void *context)
{
	struct work *work = context;

	snprintf(work->name, sizeof(work->name), "%s", task);
	work->status = status;
	word32_add_release(&work->told, 1); /* release: pairs with the acquire in the test */
}

/* SD1 */
Test(shutdown, lets_cleanups_run_and_tells_the_hook_of_failures, .timeout = 30)
{
	struct work work = { .status = 0 };
	struct filch_options options = { .size = sizeof(options),
					 .workers = 2,
					 .unobserved = note_failure,
					 .unobserved_context = &work };
	struct filch_task_options named = { .size = sizeof(named), .name = "cleaner" };
	struct filch_runtime *runtime;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	cr_assert_eq(filch_runtime_submit(runtime, &named, work_and_clean, &work, NULL), 0);
	while (word32_load_relaxed(&work.parked) < 2) /* relaxed: a count */
		filch_sleep(FILCH_MILLISECOND);
	cr_assert_eq(filch_runtime_shutdown(runtime, FILCH_NEVER, NULL, NULL), 0);
	cr_assert_eq(word32_load_acquire(&work.told), 1); /* acquire: pairs with note_failure */
	cr_assert_eq(work.cleaned.value, 1);
	cr_assert_eq(work.status, -EIO);
	cr_assert_str_eq(work.name, "cleaner");
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

/* ---- With a deadline ---- */

static int deaf(void *arg)
{
	struct filch_word32 *stop = arg;
	struct filch_token shield;

	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	while (!word32_load_acquire(stop)) /* acquire: pairs with the release in the test */
		filch_sleep(FILCH_MILLISECOND);
	filch_scope_leave(&shield);
	filch_token_fini(&shield);
	return 0;
}

struct roll {
	char names[8][32];
	unsigned count;
};

static void call_roll(const char *task, void *context)
{
	struct roll *roll = context;

	if (roll->count < 8)
		snprintf(roll->names[roll->count++], sizeof(roll->names[0]), "%s", task);
}

static void submit_named(struct filch_runtime *runtime, const char *name, filch_task_fn *fn,
			 void *arg)
{
	struct filch_task_options options = { .size = sizeof(options), .name = name };

	cr_assert_eq(filch_runtime_submit(runtime, &options, fn, arg, NULL), 0);
}

/* SD2 */
Test(shutdown, with_a_deadline_names_who_is_alive, .timeout = 30)
{
	struct filch_runtime *runtime;
	struct filch_word32 stop = { 0 };
	struct roll roll = { .count = 0 };

	cr_assert_eq(filch_runtime_create(&runtime, &two), 0);
	submit_named(runtime, "deaf", deaf, &stop);
	submit_named(runtime, "obedient", sleep_long, NULL);
	submit_named(runtime, "stubborn", deaf, &stop);
	cr_assert_eq(filch_runtime_shutdown(runtime, filch_now() + 20 * FILCH_MILLISECOND, NULL,
					    NULL),
		     -ETIMEDOUT);
	do { /* the obedient one may need its time on a busy machine */
		roll.count = 0;
		cr_assert_eq(filch_runtime_shutdown(runtime, filch_now() + 20 * FILCH_MILLISECOND,
						    call_roll, &roll),
			     -ETIMEDOUT);
	} while (roll.count > 2);
	cr_assert_eq(roll.count, 2);
	cr_assert_str_eq(roll.names[0], "deaf");
	cr_assert_str_eq(roll.names[1], "stubborn");
	roll.count = 0;
	word32_store_release(&stop, 1); /* release: pairs with the acquire in deaf */
	cr_assert_eq(filch_runtime_shutdown(runtime, FILCH_NEVER, call_roll, &roll), 0);
	cr_assert_eq(roll.count, 0);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
}

/* ---- Meanwhile others submit and spawn ---- */

#define THREADS 3

struct rush {
	struct filch_runtime *runtime;
	struct filch_word32 accepted, freed, uncancelled;
};

struct closure {
	struct rush *rush;
	unsigned children;
};

static struct closure *closure_of(struct rush *rush, unsigned children)
{
	struct closure *closure = malloc(sizeof(*closure));

	*closure = (struct closure){ rush, children };
	return closure;
}

static int run_closure(void *arg)
{
	struct closure *closure = arg;
	struct rush *rush = closure->rush;
	struct filch_group group;
	int status;

	filch_group_open(&group, NULL);
	for (unsigned i = 0; i < closure->children; i++) {
		struct closure *child = closure_of(rush, 0);

		status = filch_group_spawn(&group, run_closure, child);
		if (status == 0)
			word32_add_relaxed(&rush->accepted, 1); /* relaxed: a count */
		else
			free(child);
	}
	status = filch_sleep(3600 * FILCH_SECOND);
	filch_group_close(&group);
	/* relaxed: counts, read after the shutdown. */
	word32_add_relaxed(&rush->uncancelled, status != -ECANCELED);
	word32_add_relaxed(&rush->freed, 1); /* relaxed: as above */
	free(closure);
	return status;
}

static void *submit_until_refused(void *arg)
{
	struct rush *rush = arg;

	for (;;) {
		struct closure *closure = closure_of(rush, 2);
		int status = filch_runtime_submit(rush->runtime, NULL, run_closure, closure, NULL);

		if (status < 0) {
			free(closure);
			return (void *)(intptr_t)status;
		}
		word32_add_relaxed(&rush->accepted, 1); /* relaxed: a count */
		if (word32_load_relaxed(&rush->accepted) > 2000) /* relaxed: a bound */
			sched_yield();
	}
}

static void shut_down_in_a_rush(unsigned workers, unsigned round)
{
	struct filch_options options = { .size = sizeof(options), .workers = workers };
	struct rush rush = { .runtime = NULL };
	pthread_t threads[THREADS];
	void *status;

	cr_assert_eq(filch_runtime_create(&rush.runtime, &options), 0);
	for (unsigned i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, submit_until_refused, &rush), 0);
	filch_sleep(round % 5 * 50 * FILCH_MICROSECOND);
	cr_assert_eq(filch_runtime_shutdown(rush.runtime, FILCH_NEVER, NULL, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &status);
		cr_assert_eq((intptr_t)status, -ESHUTDOWN);
	}
	cr_assert_eq(rush.freed.value, rush.accepted.value);
	cr_assert_eq(rush.uncancelled.value, 0);
	cr_assert_eq(filch_runtime_destroy(rush.runtime), 0);
}

/* SD3 */
Test(shutdown, what_is_submitted_meanwhile_is_refused_or_ends_cancelled, .timeout = 60)
{
	static const unsigned counts[] = { 1, 2, 8, 64 };
	unsigned rounds = sanitize_is_thread() || sanitize_is_address() ? 10 : 40;

	for (unsigned i = 0; i < 4; i++)
		for (unsigned round = 0; round < rounds; round++)
			shut_down_in_a_rush(counts[i], round);
}

/* ---- From inside ---- */

static int end_it_from_inside(void *arg)
{
	struct filch_runtime *runtime = filch_runtime_current();

	(void)arg;
	cr_expect_eq(filch_runtime_destroy(runtime), -EDEADLK);
	cr_expect_eq(filch_runtime_shutdown(runtime, FILCH_NEVER, NULL, NULL), -EDEADLK);
	/* It was not shut down. */
	cr_expect_eq(filch_runtime_submit(runtime, NULL, nothing, NULL, NULL), 0);
	return filch_sleep(FILCH_MILLISECOND);
}

/* SD4 */
Test(shutdown, a_task_cannot_end_its_own_runtime, .timeout = 30)
{
	cr_assert_eq(filch_run_with(&two, end_it_from_inside, NULL), 0);
}

struct last_call {
	struct filch_runtime *runtime;
	struct filch_word32 status;
};

static void end_it_from_a_callback(void *arg)
{
	struct last_call *call = arg;

	/* release: pairs with the acquire in the test. */
	word32_store_release(&call->status, (uint32_t)-filch_runtime_destroy(call->runtime));
}

/* SD4 */
Test(shutdown, nor_can_a_timer_of_it, .timeout = 30)
{
	struct last_call call = { .runtime = NULL };
	struct filch_timer timer;

	cr_assert_eq(filch_runtime_create(&call.runtime, &two), 0);
	cr_assert_eq(filch_timer_init(&timer, call.runtime, end_it_from_a_callback, &call), 0);
	cr_assert_eq(filch_timer_start(&timer, 1), 0);
	while (!word32_load_acquire(&call.status)) /* acquire: pairs with the callback */
		filch_sleep(FILCH_MILLISECOND);
	cr_assert_eq(call.status.value, EDEADLK);
	filch_timer_fini(&timer);
	cr_assert_eq(filch_runtime_destroy(call.runtime), 0);
}

static int end_another(void *arg)
{
	return filch_runtime_destroy(arg);
}

Test(shutdown, a_task_may_end_another_runtime, .timeout = 30)
{
	struct filch_runtime *other;

	cr_assert_eq(filch_runtime_create(&other, &two), 0);
	cr_assert_eq(filch_runtime_submit(other, NULL, sleep_long, NULL, NULL), 0);
	cr_assert_eq(filch_run_with(&two, end_another, other), 0);
}

/* ---- What is left ---- */

/* Pages of address space and of memory. */
static void read_pages(long *mapped, long *resident)
{
	FILE *file = fopen("/proc/self/statm", "r");

	cr_assert_not_null(file);
	cr_assert_eq(fscanf(file, "%ld %ld", mapped, resident), 2);
	fclose(file);
}

/* SD5 */
Test(shutdown, ten_thousand_lives_leave_nothing_behind, .timeout = 110)
{
	bool slow = sanitize_is_thread() || sanitize_is_address();
	int rounds = slow ? 100 : 10000;
	long mapped = 0, resident = 0, mapped_then = 0, resident_then = 0;

	for (int i = 0; i < rounds; i++) {
		if (i == rounds / 10)
			read_pages(&mapped_then, &resident_then);
		cr_assert_eq(filch_run_with(&two, nothing, NULL), 0);
	}
	read_pages(&mapped, &resident);
	if (slow || getenv("EMULATED"))
		return; /* the sanitizers keep what was freed; an emulator has memory of its own */
	/* What each thread's arena holds differs; a page of each life would be 9000. */
	cr_assert_lt(resident - resident_then, 500);
	cr_assert_lt(mapped - mapped_then, 70000); /* an arena takes 64 MiB of address space */
}
