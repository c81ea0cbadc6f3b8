/* The overflow report: each case overflows in a child process. */
#include "memory/overflow.h"

#include "platform/context.h"
#include "platform/sanitizer_stack.h"
#include "platform/thread.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct stack_pool pool;
static struct overflow_watch watch;
static void *native;

static const char *name_of(const struct stack *stack)
{
	return stack->stack_class == FILCH_STACK_LARGE ? "deep-thought" : NULL;
}

static FILCH_NOINLINE int descend(int depth)
{
	volatile char room[256];

	room[0] = (char)depth;
	return depth == 0 ? 0 : descend(depth - 1) + room[0];
}

static void overflow(void *arg)
{
	sanitize_finish_switch(NULL);
	descend(1 << 24);
	filch__context_switch(arg, native);
}

static SANITIZE_NO_THREAD void overflow_on(struct stack *stack)
{
	void *context = filch__context_make(stack->lo, stack->size, overflow, NULL);
	void *fake = NULL;

	sanitize_start_switch(&fake, stack->lo, stack->size);
	sanitize_thread_switch(stack->tsan);
	filch__context_switch(&native, context);
}

static void prepare(void)
{
	struct stack_options options = { .guard = FILCH_GUARD_AUTO };
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	filch__stack_pool_init(&pool, &options);
	watch.pool = &pool;
	watch.name = name_of;
	filch__overflow_watch(&watch);
}

/* Runs fn in a child; what it wrote to stderr and how it ended. */
static int run_child(void (*fn)(void), char *text, size_t size)
{
	int ends[2];
	char rest[256];
	int status = 0;
	size_t length = 0;
	ssize_t got;
	pid_t child;

	cr_assert_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		fn();
		_exit(0);
	}
	close(ends[1]);
	while (length < size - 1 && (got = read(ends[0], text + length, size - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	/* A sanitizer's report is longer: nobody may die of a closed pipe. */
	while (read(ends[0], rest, sizeof(rest)) > 0)
		;
	close(ends[0]);
	waitpid(child, &status, 0);
	return status;
}

static bool died(int status)
{
	/* A sanitizer turns the signal into an exit of its own. */
	return WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS
				   : WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 99;
}

static void overflow_large(void)
{
	prepare();
	filch__overflow_enter_thread();
	overflow_on(filch__stack_get(&pool, NULL, FILCH_STACK_LARGE));
}

Test(overflow, names_the_task_and_dies, .timeout = 30)
{
	char text[4096];
	int status = run_child(overflow_large, text, sizeof(text));

	cr_assert(died(status));
	cr_assert_not_null(
		strstr(text, "filch: stack overflow in task 'deep-thought' (stack of 10"));
}

static void overflow_small_in_thread(void *arg)
{
	(void)arg;
	filch__overflow_enter_thread();
	overflow_on(filch__stack_get(&pool, NULL, FILCH_STACK_SMALL));
}

static void overflow_in_thread(void)
{
	struct thread *thread;

	prepare();
	filch__thread_create(&thread, NULL, overflow_small_in_thread, NULL);
	filch__thread_join(thread);
}

Test(overflow, is_reported_in_a_worker_thread, .timeout = 30)
{
	char text[4096];
	int status = run_child(overflow_in_thread, text, sizeof(text));

	cr_assert(died(status));
	cr_assert_not_null(strstr(text, "filch: stack overflow in task '?' (stack of 6"));
}

static void exit_99(int signal)
{
	(void)signal;
	_exit(99);
}

static void exit_99_with_info(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	_exit(info->si_addr ? 99 : 1);
}

static void overflow_with_handler(void)
{
	struct sigaction action = { .sa_flags = SA_ONSTACK };

	action.sa_handler = exit_99;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	overflow_large();
}

static void overflow_with_info_handler(void)
{
	struct sigaction action = { .sa_flags = SA_ONSTACK | SA_SIGINFO };

	action.sa_sigaction = exit_99_with_info;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	overflow_large();
}

Test(overflow, hands_on_to_the_program_s_handler, .timeout = 30)
{
	char text[4096];
	int status = run_child(overflow_with_handler, text, sizeof(text));

	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 99);
	cr_assert_not_null(strstr(text, "deep-thought"));
	status = run_child(overflow_with_info_handler, text, sizeof(text));
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 99);
	cr_assert_not_null(strstr(text, "deep-thought"));
}

static void fault_elsewhere(void)
{
	char *volatile nowhere = (char *)16;

	prepare();
	filch__stack_get(&pool, NULL, FILCH_STACK_SMALL);
	*nowhere = 1;
}

static void be_sent_one(void)
{
	prepare();
	kill(getpid(), SIGSEGV);
	for (int i = 0; i < 1000; i++)
		usleep(1000);
}

Test(overflow, other_faults_are_not_ours, .timeout = 30)
{
	char text[4096];
	int status = run_child(fault_elsewhere, text, sizeof(text));

	cr_assert(died(status));
	cr_assert_null(strstr(text, "filch: stack overflow"));
	status = run_child(be_sent_one, text, sizeof(text));
	cr_assert(died(status));
	cr_assert_null(strstr(text, "filch: stack overflow"));
}

static void fault_after_unwatch(void)
{
	struct stack *stack;

	prepare();
	stack = filch__stack_get(&pool, NULL, FILCH_STACK_LARGE);
	filch__overflow_unwatch(&watch);
	filch__overflow_unwatch(&watch);
	filch__overflow_unwatch(NULL);
	*(volatile char *)(stack->lo - 1) = 1;
}

Test(overflow, unwatched_pool_is_forgotten, .timeout = 30)
{
	char text[4096];
	int status = run_child(fault_after_unwatch, text, sizeof(text));

	cr_assert(died(status));
	cr_assert_null(strstr(text, "filch: stack overflow"));
}

Test(overflow, handler_goes_with_the_last_watch)
{
	struct stack_pool second_pool;
	struct stack_options options = { .guard = FILCH_GUARD_CANARY };
	struct overflow_watch second = { .pool = &second_pool };
	struct sigaction before, during, after;

	sigaction(SIGSEGV, NULL, &before);
	prepare();
	cr_assert_eq(filch__stack_pool_init(&second_pool, &options), 0);
	cr_assert_eq(filch__overflow_watch(&second), 0);
	sigaction(SIGSEGV, NULL, &during);
	cr_assert(during.sa_sigaction != before.sa_sigaction);
	filch__overflow_unwatch(&watch);
	sigaction(SIGSEGV, NULL, &after);
	cr_assert(after.sa_sigaction == during.sa_sigaction);
	filch__overflow_unwatch(&second);
	sigaction(SIGSEGV, NULL, &after);
	cr_assert(after.sa_sigaction == before.sa_sigaction);
	filch__stack_pool_fini(&second_pool);
	filch__stack_pool_fini(&pool);
}

Test(overflow, later_handler_is_left_alone)
{
	struct sigaction theirs = { .sa_flags = 0 };
	struct sigaction now;

	prepare();
	theirs.sa_handler = exit_99;
	sigaction(SIGSEGV, &theirs, NULL);
	filch__overflow_unwatch(&watch);
	sigaction(SIGSEGV, NULL, &now);
	cr_assert(now.sa_handler == exit_99);
	/* Watching again must not put us before somebody who hands on to us: a circle. */
	filch__overflow_watch(&watch);
	sigaction(SIGSEGV, NULL, &now);
	cr_assert(now.sa_handler == exit_99);
	filch__overflow_unwatch(&watch);
	filch__stack_pool_fini(&pool);
}

Test(overflow, signal_stack_comes_and_goes)
{
	struct overflow_stack *stack = filch__overflow_enter_thread();
	stack_t now;

	sigaltstack(NULL, &now);
	cr_assert(!(now.ss_flags & SS_DISABLE));
	cr_assert_null(filch__overflow_enter_thread(), "it has one already");
	filch__overflow_leave_thread(NULL);
	if (stack) {
		filch__overflow_leave_thread(stack);
		sigaltstack(NULL, &now);
		cr_assert(now.ss_flags & SS_DISABLE);
	}
}
