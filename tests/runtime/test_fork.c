/* After fork the child has the memory of the runtime, but none of its threads. */
#include "platform/sanitizer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <filch.h>
#include <stdlib.h>
#include <sys/wait.h>
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

static void ring(void *arg)
{
	(void)arg;
}

/* What the child found: bits of what was wrong. A hang ends by SIGALRM. */
static int child_of(int (*body)(void *arg), void *arg)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		alarm(10);
		_exit(body(arg));
	}
	cr_expect_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct heritage {
	struct filch_runtime *runtime;
	struct filch_task *task;
	struct filch_timer timer;
};

static int use_all(void *arg)
{
	struct heritage *heritage = arg;
	int wrong = 0;

	wrong |= filch_runtime_submit(heritage->runtime, NULL, nothing, NULL, NULL) != -ESHUTDOWN;
	wrong |= (filch_task_wait(heritage->task, NULL) != -ESHUTDOWN) << 1;
	wrong |= (filch_task_try_wait(heritage->task, NULL) != -ESHUTDOWN) << 2;
	wrong |= (filch_task_cancel(heritage->task, 0)) << 3;
	wrong |= (filch_timer_start(&heritage->timer, 1) != -ESHUTDOWN) << 4;
	wrong |= (!filch_timer_stop(&heritage->timer)) << 5;
	wrong |= (filch_runtime_shutdown(heritage->runtime, FILCH_NEVER, NULL, NULL) !=
		  -ESHUTDOWN) << 6;
	wrong |= (filch_runtime_destroy(heritage->runtime) != -ESHUTDOWN) << 7;
	return wrong;
}

static void create(struct heritage *heritage)
{
	cr_assert_eq(filch_runtime_create(&heritage->runtime, &two), 0);
	cr_assert_eq(filch_runtime_submit(heritage->runtime, NULL, sleep_long, NULL,
					  &heritage->task),
		     0);
	cr_assert_eq(filch_timer_init(&heritage->timer, heritage->runtime, ring, NULL), 0);
	cr_assert_eq(filch_timer_start(&heritage->timer, FILCH_NEVER - 1), 0);
}

static void destroy(struct heritage *heritage)
{
	cr_assert(filch_timer_stop(&heritage->timer));
	filch_task_release(heritage->task);
	cr_assert_eq(filch_runtime_destroy(heritage->runtime), 0);
}

/* ThreadSanitizer refuses threads after a fork. */
static void skip_where_it_cannot_be(void)
{
	if (sanitize_is_thread())
		cr_skip_test("fork with threads under ThreadSanitizer");
}

Test(fork, every_call_of_the_child_is_refused, .timeout = 60)
{
	struct heritage heritage;

	skip_where_it_cannot_be();
	create(&heritage);
	cr_assert_eq(child_of(use_all, &heritage), 0);
	destroy(&heritage);
}

static int run_anew(void *arg)
{
	(void)arg;
	return filch_run_with(&two, nothing, NULL) != 0;
}

Test(fork, the_child_may_have_a_runtime_of_its_own, .timeout = 60)
{
	struct heritage heritage;

	skip_where_it_cannot_be();
	if (sanitize_is_address())
		cr_skip_test("the locks of AddressSanitizer's allocator are copied as they are held");
	if (getenv("EMULATED"))
		cr_skip_test("qemu-user fails an assertion of its own in the child's threads");
	create(&heritage);
	cr_assert_eq(child_of(run_anew, NULL), 0);
	destroy(&heritage);
}

static int be_a_plain_thread(void *arg)
{
	struct filch_group group = { 0 };
	int wrong = use_all(arg);

	wrong |= filch_runtime_current() != NULL;
	wrong |= filch_task_self() != NULL;
	wrong |= filch_group_open(&group, NULL) != -EPERM;
	wrong |= filch_sleep(FILCH_MILLISECOND) != 0;
	wrong |= filch_yield() != 0;
	return wrong;
}

static int fork_in_a_task(void *arg)
{
	int seen = child_of(be_a_plain_thread, arg);

	cr_expect_eq(seen, 0);
	return filch_yield();
}

Test(fork, a_task_that_forks_is_a_plain_thread_in_the_child, .timeout = 60)
{
	struct heritage heritage;
	struct filch_task *task;
	int status = -1;

	skip_where_it_cannot_be();
	create(&heritage);
	cr_assert_eq(filch_runtime_submit(heritage.runtime, NULL, fork_in_a_task, &heritage, &task),
		     0);
	cr_assert_eq(filch_task_wait(task, &status), 0);
	cr_assert_eq(status, 0);
	filch_task_release(task);
	destroy(&heritage);
}
