/* A stand-in for Criterion where it cannot run (ThreadSanitizer, qemu): one process per test, own main. */
#ifndef FILCH_STANDIN_CRITERION_H
#define FILCH_STANDIN_CRITERION_H
#pragma GCC system_header

#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct standin_options {
	double timeout;
	int signal, exit_code;
	void (*init)(void), (*fini)(void);
	bool disabled;
	const char *description;
};

struct standin_test {
	const char *suite, *name;
	void (*body)(void);
	struct standin_options options;
	struct standin_test *next;
};

/* What the test's process tells its parent, in shared memory. */
struct standin_report {
	int failed, skipped;
};

static struct standin_test *standin_tests;
static struct standin_report *standin_report;

#define Test(Suite, Name, ...)                                                                     \
	static void Suite##_##Name##_body(void);                                                   \
	__attribute__((constructor)) static void Suite##_##Name##_add(void)                        \
	{                                                                                          \
		static struct standin_test test = { #Suite, #Name, Suite##_##Name##_body,          \
						    { __VA_ARGS__ }, NULL };                       \
		struct standin_test **end = &standin_tests;                                        \
		while (*end)                                                                       \
			end = &(*end)->next;                                                       \
		*end = &test;                                                                      \
	}                                                                                          \
	static void Suite##_##Name##_body(void)

__attribute__((format(printf, 2, 3), unused)) static void standin_log(const char *head, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(stderr, "[----] %s%s%s\n", head, *text ? ": " : "", text);
}

#define standin_check(Fatal, Condition, Text, ...)                                                 \
	do {                                                                                       \
		if (!(Condition)) {                                                                \
			fprintf(stderr, "[----] %s:%d: ", __FILE__, __LINE__);                     \
			standin_log("Assertion Failed: " Text, "" __VA_ARGS__);                    \
			__atomic_store_n(&standin_report->failed, 1, __ATOMIC_RELAXED);            \
			if (Fatal)                                                                 \
				_exit(1);                                                          \
		}                                                                                  \
	} while (0)

#define standin_same(A, B) (strcmp((A), (B)) == 0)
#define cr_assert(C, ...) standin_check(1, C, #C, __VA_ARGS__)
#define cr_assert_not(C, ...) standin_check(1, !(C), "not " #C, __VA_ARGS__)
#define cr_assert_eq(A, B, ...) standin_check(1, (A) == (B), #A " == " #B, __VA_ARGS__)
#define cr_assert_neq(A, B, ...) standin_check(1, (A) != (B), #A " != " #B, __VA_ARGS__)
#define cr_assert_lt(A, B, ...) standin_check(1, (A) < (B), #A " < " #B, __VA_ARGS__)
#define cr_assert_leq(A, B, ...) standin_check(1, (A) <= (B), #A " <= " #B, __VA_ARGS__)
#define cr_assert_gt(A, B, ...) standin_check(1, (A) > (B), #A " > " #B, __VA_ARGS__)
#define cr_assert_geq(A, B, ...) standin_check(1, (A) >= (B), #A " >= " #B, __VA_ARGS__)
#define cr_assert_null(A, ...) standin_check(1, (A) == NULL, #A " is NULL", __VA_ARGS__)
#define cr_assert_not_null(A, ...) standin_check(1, (A) != NULL, #A " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(A, B, ...) standin_check(1, standin_same(A, B), #A " is " #B, __VA_ARGS__)
#define cr_assert_fail(...) standin_check(1, 0, "fail", __VA_ARGS__)
#define cr_expect(C, ...) standin_check(0, C, #C, __VA_ARGS__)
#define cr_expect_not(C, ...) standin_check(0, !(C), "not " #C, __VA_ARGS__)
#define cr_expect_eq(A, B, ...) standin_check(0, (A) == (B), #A " == " #B, __VA_ARGS__)
#define cr_expect_neq(A, B, ...) standin_check(0, (A) != (B), #A " != " #B, __VA_ARGS__)
#define cr_expect_lt(A, B, ...) standin_check(0, (A) < (B), #A " < " #B, __VA_ARGS__)
#define cr_expect_leq(A, B, ...) standin_check(0, (A) <= (B), #A " <= " #B, __VA_ARGS__)
#define cr_expect_gt(A, B, ...) standin_check(0, (A) > (B), #A " > " #B, __VA_ARGS__)
#define cr_expect_geq(A, B, ...) standin_check(0, (A) >= (B), #A " >= " #B, __VA_ARGS__)
#define cr_expect_null(A, ...) standin_check(0, (A) == NULL, #A " is NULL", __VA_ARGS__)
#define cr_expect_not_null(A, ...) standin_check(0, (A) != NULL, #A " is not NULL", __VA_ARGS__)
#define cr_expect_str_eq(A, B, ...) standin_check(0, standin_same(A, B), #A " is " #B, __VA_ARGS__)
#define cr_expect_fail(...) standin_check(0, 0, "fail", __VA_ARGS__)
#define cr_log_info(...) standin_log("info", __VA_ARGS__)
#define cr_log_warn(...) standin_log("warning", __VA_ARGS__)
#define cr_log_error(...) standin_log("error", __VA_ARGS__)
#define cr_skip_test(...)                                                                          \
	do {                                                                                       \
		standin_log("skipped", "" __VA_ARGS__);                                            \
		standin_report->skipped = 1;                                                       \
		_exit(0);                                                                          \
	} while (0)

/* In the child. Everything is slower here: a timeout counts tenfold. */
static void standin_child(const struct standin_test *test)
{
	if (test->options.timeout > 0)
		alarm((unsigned)(test->options.timeout * 10) + 1);
	if (test->options.init)
		test->options.init();
	test->body();
	if (test->options.fini)
		test->options.fini();
	exit(0);
}

static bool standin_passed(const struct standin_test *test, int status)
{
	if (standin_report->failed)
		return false;
	if (standin_report->skipped)
		return true;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == test->options.signal;
	return !test->options.signal && WEXITSTATUS(status) == test->options.exit_code;
}

static bool standin_run(const struct standin_test *test)
{
	int status = 0;
	pid_t child;
	bool passed;

	standin_report->failed = standin_report->skipped = 0;
	fflush(NULL);
	child = fork();
	if (child == 0)
		standin_child(test);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	passed = standin_passed(test, status);
	if (!passed)
		fprintf(stderr, "[FAIL] %s::%s: %s %d\n", test->suite, test->name,
			WIFSIGNALED(status) ? "killed by signal" : "exit status",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return passed;
}

static int standin_list(void)
{
	for (struct standin_test *test = standin_tests; test; test = test->next)
		printf("%s: 1 test\n`-- %s%s\n", test->suite, test->name,
		       test->options.disabled ? " (skipped)" : "");
	return 0;
}

int main(int argc, char **argv)
{
	const char *filter = "*";
	int tested = 0, passing = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--list") == 0)
			return standin_list();
		if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
			filter = argv[++i];
	}
	standin_report = mmap(NULL, sizeof(*standin_report), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (standin_report == MAP_FAILED)
		return 2;
	for (struct standin_test *test = standin_tests; test; test = test->next) {
		char name[512];

		snprintf(name, sizeof(name), "%s/%s", test->suite, test->name);
		if (test->options.disabled || fnmatch(filter, name, 0) != 0)
			continue;
		bool passed = standin_run(test);
		tested += !standin_report->skipped;
		passing += passed && !standin_report->skipped;
	}
	fprintf(stderr, "[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Crashing: 0 \n",
		tested, passing, tested - passing);
	return tested != passing;
}

#endif
