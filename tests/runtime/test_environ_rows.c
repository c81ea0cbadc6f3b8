/* filch_environment: what it says of each variable. */
#include "runtime/environ.h"

#include "platform/cpu.h"
#include "platform/pages.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 6

static struct filch_environment_row table[ROWS];

/* Whoever runs the tests may have set some. */
static void begin(void)
{
	filch_environment(table, ROWS);
	for (size_t i = 0; i < ROWS; i++)
		unsetenv(table[i].name);
}

static const struct filch_environment_row *find(const char *name)
{
	cr_assert_eq(filch_environment(table, ROWS), ROWS);
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static void expect_row(const char *name, const char *value, const char *source)
{
	const struct filch_environment_row *row = find(name);

	cr_assert_not_null(row);
	cr_expect_str_eq(row->value, value);
	cr_expect_str_eq(row->source, source);
	cr_expect(*row->accepted && *row->help);
}

Test(environ_rows, rows_say_the_defaults, .init = begin)
{
	char workers[32], size[32];

	snprintf(workers, sizeof(workers), "%u", filch__cpu_auto(""));
	snprintf(size, sizeof(size), "%zu",
		 ((size_t)(64 << 10) + filch__pages_size() - 1) / filch__pages_size() *
			 filch__pages_size());
	expect_row("FILCH_WORKERS", workers, "default");
	expect_row("FILCH_STACK_SIZE", size, "default");
	expect_row("FILCH_STACK_GUARD", "auto", "default");
	expect_row("FILCH_MAX_STACKS", "0", "default");
	expect_row("FILCH_AFFINITY", "none", "default");
	expect_row("FILCH_LOG", "off", "default");
}

Test(environ_rows, rows_say_what_the_environment_sets, .init = begin)
{
	setenv("FILCH_WORKERS", "8", 1);
	setenv("FILCH_STACK_SIZE", "1M", 1);
	setenv("FILCH_LOG", "info", 1);
	expect_row("FILCH_WORKERS", "8", "environment");
	expect_row("FILCH_STACK_SIZE", "1048576", "environment");
	expect_row("FILCH_LOG", "info", "environment");
}

Test(environ_rows, rows_show_an_invalid_value_as_written, .init = begin)
{
	setenv("FILCH_WORKERS", "-3", 1);
	setenv("FILCH_LOG", "", 1);
	setenv("FILCH_AFFINITY", "0123456789012345678901234567890123456789", 1);
	expect_row("FILCH_WORKERS", "-3", "invalid");
	expect_row("FILCH_LOG", "", "invalid");
	expect_row("FILCH_AFFINITY", "0123456789012345678901234567890", "invalid");
}

Test(environ_rows, rows_beyond_count_are_left_alone)
{
	struct filch_environment_row rows[ROWS + 1];

	memset(rows, 0, sizeof(rows));
	cr_expect_eq(filch_environment(NULL, 0), ROWS);
	cr_expect_eq(filch_environment(NULL, 5), ROWS);
	cr_expect_eq(filch_environment(rows, 2), ROWS);
	cr_expect_not_null(rows[1].name);
	cr_expect_null(rows[2].name);
	cr_expect_eq(filch_environment(rows, ROWS + 1), ROWS);
	cr_expect_null(rows[ROWS].name);
}
