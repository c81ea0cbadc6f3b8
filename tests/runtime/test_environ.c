/* The environment: what is accepted, what wins, what is said about the rest. */
#include "runtime/environ.h"

#include "platform/cpu.h"
#include "platform/pages.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS 6

static const char *const names[ROWS] = { "FILCH_WORKERS",     "FILCH_STACK_SIZE",
					 "FILCH_STACK_GUARD", "FILCH_MAX_STACKS",
					 "FILCH_AFFINITY",    "FILCH_LOG" };
static struct filch_options effective;
static char error[160];
static char logged[1024];
static enum filch_log_level logged_level;
static unsigned logged_count;

/* Whoever runs the tests may have set some. */
static void begin(void)
{
	for (size_t i = 0; i < ROWS; i++)
		unsetenv(names[i]);
}

static int load(const struct filch_options *given)
{
	return filch__environ_load(&effective, given, error, sizeof(error));
}

static int load_with(const char *name, const char *value)
{
	setenv(name, value, 1);
	return load(NULL);
}

static void hook(enum filch_log_level level, const char *text, void *context)
{
	unsigned *count = context;

	logged_level = level;
	snprintf(logged, sizeof(logged), "%s", text);
	(*count)++;
}

static struct filch_options hooked(void)
{
	return (struct filch_options){ .size = sizeof(struct filch_options),
				       .log = hook,
				       .log_context = &logged_count };
}

static size_t pages(size_t size)
{
	size_t page = filch__pages_size();

	return (size + page - 1) / page * page;
}

static void expect_refused(const char *name, const char *value, const char *accepted)
{
	char text[160];

	snprintf(text, sizeof(text), "%s=%.40s: expected %s", name, value, accepted);
	cr_expect_eq(load_with(name, value), -EINVAL, "%s=%s", name, value);
	cr_expect_str_eq(error, text);
	unsetenv(name);
}

static void expect_all_refused(const char *name, const char *accepted)
{
	static const char *const bad[] = { "",	   " ",	      "-3",	"+3",
					   " 3",   "3 ",      "3x",	"x",
					   "0x10", "3.0",     "1e3",	"3\n",
					   "K",	   "AUTO",    "auto ",	"99999999999",
					   "-",	   "none,",   "cores0", "18446744073709551616",
					   "off,", "install2" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_refused(name, bad[i], accepted);
	expect_refused(name, "99999999999999999999999999999999999999999999999999", accepted);
}

Test(environ, defaults_hold_when_nothing_is_set, .init = begin)
{
	cr_assert_eq(load(NULL), 0);
	cr_expect_eq(effective.size, sizeof(effective));
	cr_expect_eq(effective.workers, filch__cpu_auto(""));
	cr_expect_eq(effective.stack_size, pages(64 << 10));
	cr_expect_eq(effective.guard, FILCH_GUARD_AUTO);
	cr_expect_eq(effective.max_stacks, 0);
	cr_expect_eq(effective.affinity, FILCH_AFFINITY_NONE);
	cr_expect_eq(effective.log_level, FILCH_LOG_OFF);
	cr_expect_str_eq(error, "");
}

Test(environ, every_variable_reaches_its_field, .init = begin)
{
	setenv("FILCH_WORKERS", "7", 1);
	setenv("FILCH_STACK_SIZE", "128K", 1);
	setenv("FILCH_STACK_GUARD", "canary", 1);
	setenv("FILCH_MAX_STACKS", "500", 1);
	setenv("FILCH_AFFINITY", "cores", 1);
	setenv("FILCH_LOG", "info", 1);
	cr_assert_eq(load(NULL), 0);
	cr_expect_eq(effective.workers, 7);
	cr_expect_eq(effective.stack_size, pages(128 << 10));
	cr_expect_eq(effective.guard, FILCH_GUARD_CANARY);
	cr_expect_eq(effective.max_stacks, 500);
	cr_expect_eq(effective.affinity, FILCH_AFFINITY_CORES);
	cr_expect_eq(effective.log_level, FILCH_LOG_INFO);
}

Test(environ, workers_go_from_1_to_1024_or_auto, .init = begin)
{
	cr_expect_eq(load_with("FILCH_WORKERS", "1"), 0);
	cr_expect_eq(effective.workers, 1);
	cr_expect_eq(load_with("FILCH_WORKERS", "1024"), 0);
	cr_expect_eq(effective.workers, 1024);
	cr_expect_eq(load_with("FILCH_WORKERS", "auto"), 0);
	cr_expect_eq(effective.workers, filch__cpu_auto(""));
	expect_refused("FILCH_WORKERS", "0", "auto or 1..1024");
	expect_refused("FILCH_WORKERS", "1025", "auto or 1..1024");
	expect_refused("FILCH_WORKERS", "1K", "auto or 1..1024");
	expect_refused("FILCH_WORKERS", "4294967297", "auto or 1..1024");
}

Test(environ, wrong_workers_are_refused_with_variable_value_and_range, .init = begin)
{
	cr_expect_eq(load_with("FILCH_WORKERS", "-3"), -EINVAL);
	cr_expect_str_eq(error, "FILCH_WORKERS=-3: expected auto or 1..1024");
	expect_all_refused("FILCH_WORKERS", "auto or 1..1024");
}

Test(environ, stack_size_takes_bytes_or_a_suffix, .init = begin)
{
	cr_expect_eq(load_with("FILCH_STACK_SIZE", "65536"), 0);
	cr_expect_eq(effective.stack_size, pages(65536));
	cr_expect_eq(load_with("FILCH_STACK_SIZE", "16K"), 0);
	cr_expect_eq(effective.stack_size, pages(16 << 10));
	cr_expect_eq(load_with("FILCH_STACK_SIZE", "16M"), 0);
	cr_expect_eq(effective.stack_size, pages(16 << 20));
}

Test(environ, stack_size_is_rounded_up_to_pages, .init = begin)
{
	struct filch_options given = { .size = sizeof(given), .stack_size = (64 << 10) + 1 };

	cr_expect_eq(load_with("FILCH_STACK_SIZE", "16385"), 0);
	cr_expect_eq(effective.stack_size, pages(16385));
	cr_expect_eq(load(&given), 0);
	cr_expect_eq(effective.stack_size, pages((64 << 10) + 1));
}

Test(environ, wrong_stack_sizes_are_refused, .init = begin)
{
	const char *accepted = "16K..16M, in bytes or with K or M";

	expect_all_refused("FILCH_STACK_SIZE", accepted);
	expect_refused("FILCH_STACK_SIZE", "16383", accepted);
	expect_refused("FILCH_STACK_SIZE", "16777217", accepted);
	expect_refused("FILCH_STACK_SIZE", "17M", accepted);
	expect_refused("FILCH_STACK_SIZE", "64KB", accepted);
	expect_refused("FILCH_STACK_SIZE", "64KM", accepted);
	expect_refused("FILCH_STACK_SIZE", "64G", accepted);
	/* times 1 MiB this is 1 MiB more than 2 to the 64 */
	expect_refused("FILCH_STACK_SIZE", "17592186044417M", accepted);
}

Test(environ, words_are_taken_whole_and_in_lower_case, .init = begin)
{
	const char *accepted = "auto, install, protect or canary";

	cr_expect_eq(load_with("FILCH_STACK_GUARD", "auto"), 0);
	cr_expect_eq(effective.guard, FILCH_GUARD_AUTO);
	cr_expect_eq(load_with("FILCH_STACK_GUARD", "install"), 0);
	cr_expect_eq(effective.guard, FILCH_GUARD_INSTALL);
	cr_expect_eq(load_with("FILCH_STACK_GUARD", "protect"), 0);
	cr_expect_eq(effective.guard, FILCH_GUARD_PROTECT);
	expect_refused("FILCH_STACK_GUARD", "Canary", accepted);
	expect_refused("FILCH_STACK_GUARD", "can", accepted);
	expect_refused("FILCH_STACK_GUARD", "3", accepted);
}

Test(environ, wrong_words_are_refused, .init = begin)
{
	expect_all_refused("FILCH_STACK_GUARD", "auto, install, protect or canary");
	expect_all_refused("FILCH_AFFINITY", "none or cores");
	expect_all_refused("FILCH_LOG", "off, error, warning or info");
}

Test(environ, stacks_may_be_limited_or_not, .init = begin)
{
	expect_all_refused("FILCH_MAX_STACKS", "0..4294967295");
	expect_refused("FILCH_MAX_STACKS", "4294967296", "0..4294967295");
	cr_expect_eq(load_with("FILCH_MAX_STACKS", "0"), 0);
	cr_expect_eq(effective.max_stacks, 0);
	cr_expect_eq(load_with("FILCH_MAX_STACKS", "4294967295"), 0);
	cr_expect_eq(effective.max_stacks, UINT32_MAX);
}

Test(environ, the_first_wrong_variable_is_named, .init = begin)
{
	setenv("FILCH_LOG", "loud", 1);
	setenv("FILCH_STACK_SIZE", "x", 1);
	cr_expect_eq(load(NULL), -EINVAL);
	cr_expect_str_eq(error, "FILCH_STACK_SIZE=x: expected 16K..16M, in bytes or with K or M");
}

Test(environ, a_wrong_given_field_is_named_before_a_wrong_variable, .init = begin)
{
	struct filch_options given = { .size = sizeof(given), .workers = 5000 };

	setenv("FILCH_LOG", "loud", 1);
	cr_expect_eq(load(&given), -EINVAL);
	cr_expect_str_eq(error, "filch_options.workers=5000: expected auto or 1..1024");
}

Test(environ, a_short_error_buffer_is_not_overrun, .init = begin)
{
	char small[] = "............";

	setenv("FILCH_WORKERS", "-3", 1);
	cr_expect_eq(filch__environ_load(&effective, NULL, small, 6), -EINVAL);
	cr_expect_str_eq(small, "FILCH");
	cr_expect_eq(small[6], '.');
	cr_expect_eq(filch__environ_load(&effective, NULL, NULL, 0), -EINVAL);
}

Test(environ, given_fields_win_over_the_environment, .init = begin)
{
	struct filch_options given = { .size = sizeof(given),
				       .workers = 3,
				       .guard = FILCH_GUARD_PROTECT,
				       .log_level = FILCH_LOG_ERROR };

	setenv("FILCH_WORKERS", "7", 1);
	setenv("FILCH_STACK_GUARD", "canary", 1);
	setenv("FILCH_LOG", "info", 1);
	setenv("FILCH_MAX_STACKS", "9", 1);
	cr_assert_eq(load(&given), 0);
	cr_expect_eq(effective.workers, 3);
	cr_expect_eq(effective.guard, FILCH_GUARD_PROTECT);
	cr_expect_eq(effective.log_level, FILCH_LOG_ERROR);
	cr_expect_eq(effective.max_stacks, 9, "a zero field takes the environment's value");
}

Test(environ, a_wrong_variable_counts_even_where_a_given_field_wins, .init = begin)
{
	struct filch_options given = { .size = sizeof(given), .workers = 3 };

	setenv("FILCH_WORKERS", "many", 1);
	cr_expect_eq(load(&given), -EINVAL);
	cr_expect_str_eq(error, "FILCH_WORKERS=many: expected auto or 1..1024");
}

Test(environ, an_ignored_environment_is_neither_used_nor_checked, .init = begin)
{
	struct filch_options given = hooked();

	given.ignore_environment = true;
	setenv("FILCH_WORKERS", "-3", 1);
	setenv("FILCH_MAX_STACKS", "9", 1);
	setenv("FILCH_WORKER", "1", 1);
	cr_assert_eq(load(&given), 0);
	cr_expect_eq(effective.workers, filch__cpu_auto(""));
	cr_expect_eq(effective.max_stacks, 0);
	cr_expect_eq(logged_count, 0);
}

Test(environ, what_is_no_variable_is_passed_on, .init = begin)
{
	int thing;
	struct filch_options given = { .size = sizeof(given),
				       .thread_context = &thing,
				       .allocator = { .context = &thing } };

	cr_assert_eq(load(&given), 0);
	cr_expect_eq(effective.thread_context, &thing);
	cr_expect_eq(effective.allocator.context, &thing);
}

Test(environ, given_fields_out_of_range_are_refused, .init = begin)
{
	struct filch_options given = { .size = sizeof(given), .workers = 1025 };

	cr_expect_eq(load(&given), -EINVAL);
	cr_expect_str_eq(error, "filch_options.workers=1025: expected auto or 1..1024");
	given = (struct filch_options){ .size = sizeof(given), .stack_size = 4096 };
	cr_expect_eq(load(&given), -EINVAL);
	given.stack_size = SIZE_MAX;
	cr_expect_eq(load(&given), -EINVAL);
	given = (struct filch_options){ .size = sizeof(given), .guard = (enum filch_guard)4 };
	cr_expect_eq(load(&given), -EINVAL);
	given = (struct filch_options){ .size = sizeof(given),
					.log_level = (enum filch_log_level) - 1 };
	cr_expect_eq(load(&given), -EINVAL);
	given = (struct filch_options){ .size = sizeof(given), .affinity = (enum filch_affinity)2 };
	cr_expect_eq(load(&given), -EINVAL);
	given = (struct filch_options){ .size = sizeof(given) };
	cr_expect_eq(load(&given), 0);
}

Test(environ, an_older_callers_struct_is_read_as_far_as_it_goes, .init = begin)
{
	struct filch_options given;

	memset(&given, 0xff, sizeof(given));
	given.size = offsetof(struct filch_options, max_stacks);
	given.workers = 5;
	given.stack_size = 1 << 20;
	cr_assert_eq(load(&given), 0);
	cr_expect_eq(effective.workers, 5);
	cr_expect_eq(effective.stack_size, pages(1 << 20));
	cr_expect_eq(effective.max_stacks, 0);
	cr_expect(!effective.log);
	cr_expect_eq(effective.size, sizeof(effective));
}

Test(environ, a_newer_callers_struct_is_taken_when_its_unknown_fields_are_zero, .init = begin)
{
	struct {
		struct filch_options known;
		void *unknown[2];
	} given = { .known = hooked() };

	given.known.size = sizeof(given);
	given.known.workers = 5;
	cr_assert_eq(load(&given.known), 0);
	cr_expect_eq(effective.workers, 5);
	cr_expect_eq(effective.size, sizeof(effective));
	given.unknown[1] = &given;
	cr_expect_eq(load(&given.known), -EINVAL);
	cr_expect_str_eq(error, "filch_options has fields this library does not know");
	cr_expect(effective.log == hook, "the error can still be logged");
}

Test(environ, a_size_of_no_struct_is_refused, .init = begin)
{
	static const size_t sizes[] = { 0,
					1,
					sizeof(size_t),
					sizeof(struct filch_options) - 1,
					SIZE_MAX,
					SIZE_MAX / 8 * 8,
					(size_t)1 << 30 };
	struct filch_options given = { 0 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char text[160];

		given.size = sizes[i];
		snprintf(text, sizeof(text),
			 "filch_options.size=%zu: expected sizeof(struct filch_options)", sizes[i]);
		cr_expect_eq(load(&given), -EINVAL, "size %zu", sizes[i]);
		cr_expect_str_eq(error, text);
	}
}

Test(environ, an_error_leaves_the_log_usable, .init = begin)
{
	struct filch_options given = { .size = sizeof(given), .workers = 5000 };

	setenv("FILCH_LOG", "error", 1);
	cr_expect_eq(load(&given), -EINVAL);
	cr_expect_eq(effective.log_level, FILCH_LOG_ERROR);
	setenv("FILCH_WORKERS", "-3", 1);
	cr_expect_eq(load(NULL), -EINVAL);
	cr_expect_eq(effective.log_level, FILCH_LOG_ERROR);
	given = hooked();
	cr_expect_eq(load(&given), -EINVAL);
	cr_expect(effective.log == hook);
}

Test(environ, an_unknown_name_warns_and_names_the_nearest, .init = begin)
{
	static const struct {
		const char *wrong, *right;
	} cases[] = { { "FILCH_WORKER", "FILCH_WORKERS" },
		      { "FILCH_WROKERS", "FILCH_WORKERS" },
		      { "FILCH_STACKSIZE", "FILCH_STACK_SIZE" },
		      { "FILCH_STACK_GAURD", "FILCH_STACK_GUARD" },
		      { "FILCH_MAXSTACKS", "FILCH_MAX_STACKS" },
		      { "FILCH_AFINITY", "FILCH_AFFINITY" },
		      { "FILCH_LOGS", "FILCH_LOG" },
		      { "FILCH_", "FILCH_LOG" } };
	struct filch_options given = hooked();
	char text[160];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		logged_count = 0;
		setenv(cases[i].wrong, "1", 1);
		cr_expect_eq(load(&given), 0, "%s", cases[i].wrong);
		snprintf(text, sizeof(text), "unknown variable %s; did you mean %s?",
			 cases[i].wrong, cases[i].right);
		cr_expect_str_eq(logged, text);
		cr_expect_eq(logged_level, FILCH_LOG_WARNING);
		cr_expect_eq(logged_count, 1);
		unsetenv(cases[i].wrong);
	}
}

Test(environ, a_very_long_unknown_name_warns_too, .init = begin)
{
	struct filch_options given = hooked();
	char name[400] = "FILCH_";

	memset(name + 6, 'A', sizeof(name) - 7);
	setenv(name, "1", 1);
	cr_expect_eq(load(&given), 0);
	cr_expect_eq(logged_count, 1);
	cr_expect(strstr(logged, "unknown variable FILCH_AAAA") == logged);
	cr_expect(strstr(logged, "; did you mean FILCH_") != NULL);
}

Test(environ, known_and_foreign_names_do_not_warn, .init = begin)
{
	struct filch_options given = hooked();

	setenv("FILCH_WORKERS", "2", 1);
	setenv("FILCHER", "2", 1);
	setenv("XFILCH_LOGS", "2", 1);
	setenv("filch_logs", "2", 1);
	cr_expect_eq(load(&given), 0);
	cr_expect_eq(logged_count, 0);
}

Test(environ, a_process_without_environment_gets_the_defaults, .init = begin)
{
	clearenv();
	cr_expect_eq(load(NULL), 0);
	cr_expect_eq(effective.stack_size, pages(64 << 10));
}

Test(environ, the_hook_gets_what_the_level_admits)
{
	struct filch_options options = hooked();

	filch__environ_log(&options, FILCH_LOG_INFO, "%d %s", 1, "one");
	cr_expect_eq(logged_count, 1, "no level asked for: everything");
	cr_expect_eq(logged_level, FILCH_LOG_INFO);
	cr_expect_str_eq(logged, "1 one");
	options.log_level = FILCH_LOG_WARNING;
	filch__environ_log(&options, FILCH_LOG_INFO, "quiet");
	cr_expect_eq(logged_count, 1);
	filch__environ_log(&options, FILCH_LOG_WARNING, "loud");
	filch__environ_log(&options, FILCH_LOG_ERROR, "louder");
	cr_expect_eq(logged_count, 3);
}

/* What the logger wrote to stderr. */
static const char *stderr_of(const struct filch_options *options, enum filch_log_level level)
{
	static char text[512];
	int before = dup(STDERR_FILENO), ends[2];
	ssize_t length;

	if (before < 0 || pipe(ends) < 0)
		return NULL;
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	filch__environ_log(options, level, "%s", "words");
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	length = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	text[length > 0 ? length : 0] = '\0';
	return text;
}

Test(environ, without_a_hook_stderr_hears_only_what_was_asked_for)
{
	struct filch_options options = { .size = sizeof(options) };

	cr_expect_str_eq(stderr_of(&options, FILCH_LOG_ERROR), "");
	options.log_level = FILCH_LOG_WARNING;
	cr_expect_str_eq(stderr_of(&options, FILCH_LOG_INFO), "");
	cr_expect_str_eq(stderr_of(&options, FILCH_LOG_WARNING), "filch: words\n");
	options.log = hook;
	options.log_context = &logged_count;
	cr_expect_str_eq(stderr_of(&options, FILCH_LOG_WARNING), "");
}
