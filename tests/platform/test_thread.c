/* Threads of the library. */
#include "platform/thread.h"

#include "base/atomic.h"
#include "platform/fault.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct seen {
	char name[THREAD_NAME_SIZE];
	sigset_t mask;
	size_t native_size;
	bool on_native_stack;
	struct filch_word32 may_end;
};

static void look(void *arg)
{
	struct seen *seen = arg;
	const void *lo;

	pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
	pthread_sigmask(SIG_SETMASK, NULL, &seen->mask);
	filch__thread_native_stack(&lo, &seen->native_size);
	seen->on_native_stack =
		(uintptr_t)__builtin_frame_address(0) - (uintptr_t)lo < seen->native_size;
}

static void wait_for_leave(void *arg)
{
	struct seen *seen = arg;

	/* acquire: pairs with the release in the test. */
	while (word32_load_acquire(&seen->may_end) == 0)
		filch__thread_yield();
}

Test(thread, name_is_cut_to_fit)
{
	struct seen seen;
	struct thread *thread;

	cr_assert_eq(filch__thread_create(&thread, "filch-worker-number-1", look, &seen), 0);
	filch__thread_join(thread);
	cr_assert_str_eq(seen.name, "filch-worker-nu");
}

Test(thread, only_faults_are_deliverable)
{
	struct seen seen;
	struct thread *thread;
	sigset_t before, after;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	cr_assert_eq(filch__thread_create(&thread, NULL, look, &seen), 0);
	filch__thread_join(thread);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	cr_assert(sigismember(&seen.mask, SIGINT) && sigismember(&seen.mask, SIGTERM));
	cr_assert(sigismember(&seen.mask, SIGCHLD) && sigismember(&seen.mask, SIGPROF));
	cr_assert(!sigismember(&seen.mask, SIGSEGV) && !sigismember(&seen.mask, SIGBUS));
	cr_assert_eq(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
}

Test(thread, native_stack_holds_its_frames)
{
	struct seen seen;
	struct thread *thread;

	cr_assert_eq(filch__thread_create_sized(&thread, NULL, (size_t)1 << 20, look, &seen), 0);
	filch__thread_join(thread);
	cr_assert(seen.on_native_stack);
	cr_assert(seen.native_size >= (size_t)512 << 10);
}

Test(thread, too_small_a_stack_still_starts)
{
	struct seen seen;
	struct thread *thread;

	cr_assert_eq(filch__thread_create_sized(&thread, NULL, 1, look, &seen), 0);
	filch__thread_join(thread);
	cr_assert(seen.on_native_stack);
}

Test(thread, try_join_gives_up_and_comes_back, .timeout = 20)
{
	struct seen seen = { .may_end = { 0 } };
	struct thread *thread;

	cr_assert_eq(filch__thread_create(&thread, NULL, wait_for_leave, &seen), 0);
	cr_assert_eq(filch__thread_try_join(thread, 1000000), -ETIMEDOUT);
	/* release: pairs with the acquire in wait_for_leave. */
	word32_store_release(&seen.may_end, 1);
	cr_assert_eq(filch__thread_try_join(thread, INT64_C(10000000000)), 0);
	filch__thread_join(NULL);
}

Test(thread, creation_fails_on_request)
{
	struct seen seen;
	struct thread *thread = NULL;

	filch__fault_set(FILCH__FAULT_THREAD, 2, 1);
	cr_assert_eq(filch__thread_create(&thread, NULL, look, &seen), 0);
	filch__thread_join(thread);
	thread = NULL;
	cr_assert_eq(filch__thread_create(&thread, NULL, look, &seen), -EAGAIN);
	cr_assert_null(thread);
	filch__fault_clear();
	filch__fault_set(FILCH__FAULT_ALLOCATE, 1, 1);
	cr_assert_eq(filch__thread_create(&thread, NULL, look, &seen), -ENOMEM);
	filch__fault_clear();
}
