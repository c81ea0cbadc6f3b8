/* The one file that reads the environment: one row per variable. */
#include "runtime/environ.h"

#include "platform/cpu.h"
#include "platform/pages.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MOST 1024
#define GIVEN_MOST 4096 /* bytes; a larger options.size was never set */
#define NAME_SIZE 64	/* of an unknown variable, as it is shown */

/* COUNT_OR_AUTO: "auto" is 0. SIZE: K or M may follow; rounded up to whole pages. */
enum kind { COUNT, COUNT_OR_AUTO, SIZE, WORD };

struct row {
	const char *name, *field;
	size_t offset, width;
	enum kind kind;
	uint64_t least, most;
	const char *const *words; /* of a WORD: its index there is the value */
	uint64_t fallback;
	const char *accepted, *help;
};

static const char *const guards[] = { "auto", "install", "protect", "canary", NULL };
static const char *const affinities[] = { "none", "cores", NULL };
static const char *const levels[] = { "off", "error", "warning", "info", NULL };

#define FIELD(field)                                                                               \
#field, offsetof(struct filch_options, field), sizeof(((struct filch_options *)0)->field)

static const struct row rows[] = {
	{ "FILCH_WORKERS", FIELD(workers), COUNT_OR_AUTO, 1, WORKERS_MOST, NULL, 0,
	  "auto or 1..1024", "threads that run tasks; auto: the processors this process may use" },
	{ "FILCH_STACK_SIZE", FIELD(stack_size), SIZE, 16 << 10, 16 << 20, NULL, 64 << 10,
	  "16K..16M, in bytes or with K or M", "address space of a small stack" },
	{ "FILCH_STACK_GUARD", FIELD(guard), WORD, 0, 3, guards, 0,
	  "auto, install, protect or canary", "what catches a stack overflow" },
	{ "FILCH_MAX_STACKS", FIELD(max_stacks), COUNT, 0, UINT32_MAX, NULL, 0, "0..4294967295",
	  "stacks of each class at most; 0: no limit; at the limit new tasks wait" },
	{ "FILCH_AFFINITY", FIELD(affinity), WORD, 0, 1, affinities, 0, "none or cores",
	  "cores: worker n is pinned to the nth processor" },
	{ "FILCH_LOG", FIELD(log_level), WORD, 0, 3, levels, 0, "off, error, warning or info",
	  "what is written to the log hook, or to stderr" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void write_field(struct filch_options *options, const struct row *row, uint64_t value)
{
	char *field = (char *)options + row->offset;
	uint32_t narrow = (uint32_t)value;

	if (row->width == sizeof(narrow))
		memcpy(field, &narrow, sizeof(narrow));
	else
		memcpy(field, &value, sizeof(value));
}

static uint64_t read_field(const struct filch_options *options, const struct row *row)
{
	const char *field = (const char *)options + row->offset;
	uint32_t narrow;
	uint64_t value;

	if (row->width == sizeof(narrow)) {
		memcpy(&narrow, field, sizeof(narrow));
		return narrow;
	}
	memcpy(&value, field, sizeof(value));
	return value;
}

/* Digits, and K or M after a size. No sign, no space, no overflow. */
static bool parse_number(const char *text, bool is_size, uint64_t *value)
{
	uint64_t number = 0, unit = 1;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (number > (UINT64_MAX - 9) / 10)
			return false;
		number = number * 10 + (uint64_t)(*text - '0');
	}
	if (is_size && (*text == 'K' || *text == 'M'))
		unit = *text++ == 'K' ? 1 << 10 : 1 << 20;
	if (*text || number > UINT64_MAX / unit)
		return false;
	*value = number * unit;
	return true;
}

static bool parse(const struct row *row, const char *text, uint64_t *value)
{
	if (row->kind == WORD) {
		for (*value = 0; row->words[*value]; (*value)++)
			if (strcmp(row->words[*value], text) == 0)
				return true;
		return false;
	}
	if (row->kind == COUNT_OR_AUTO && strcmp(text, "auto") == 0) {
		*value = 0;
		return true;
	}
	return parse_number(text, row->kind == SIZE, value) && *value >= row->least &&
	       *value <= row->most;
}

/* The value as it will be used: automatic ones resolved, sizes in whole pages. */
static uint64_t settle(const struct row *row, uint64_t value)
{
	uint64_t page;

	if (row->kind == COUNT_OR_AUTO && value == 0) {
		value = filch__cpu_auto("");
		return value < row->most ? value : row->most;
	}
	if (row->kind != SIZE)
		return value;
	page = filch__pages_size();
	return (value + page - 1) / page * page;
}

/* Every right value is taken even when another is wrong: FILCH_LOG says who hears of that.
 * `error` is of the first wrong one. */
static int load_environment(struct filch_options *options, char *error, size_t error_size)
{
	int status = 0;

	for (size_t i = 0; i < ROWS; i++) {
		const char *text = getenv(rows[i].name);
		uint64_t value;

		if (!text)
			continue;
		if (parse(&rows[i], text, &value)) {
			write_field(options, &rows[i], value);
		} else if (status == 0) {
			snprintf(error, error_size, "%s=%.40s: expected %s", rows[i].name, text,
				 rows[i].accepted);
			status = -EINVAL;
		}
	}
	return status;
}

/* Fields that are out of range; only those can be wrong that the environment could set. */
static int check_fields(const struct filch_options *options, char *error, size_t error_size)
{
	for (size_t i = 0; i < ROWS; i++) {
		uint64_t value = read_field(options, &rows[i]);

		if (value && (value < rows[i].least || value > rows[i].most)) {
			snprintf(error, error_size, "filch_options.%s=%llu: expected %s",
				 rows[i].field, (unsigned long long)value, rows[i].accepted);
			return -EINVAL;
		}
	}
	return 0;
}

/* What a caller of an older or newer library gave. A size that splits a pointer is no struct's. */
static int copy_given(struct filch_options *copy, const struct filch_options *given, char *error,
		      size_t error_size)
{
	size_t size = given->size;

	if (size <= offsetof(struct filch_options, workers) || size > GIVEN_MOST ||
	    size % _Alignof(struct filch_options) != 0) {
		snprintf(error, error_size,
			 "filch_options.size=%zu: expected sizeof(struct filch_options)", size);
		return -EINVAL;
	}
	memcpy(copy, given, size < sizeof(*copy) ? size : sizeof(*copy));
	copy->size = sizeof(*copy);
	for (size_t i = sizeof(*copy); i < size; i++) {
		if (((const char *)given)[i]) {
			snprintf(error, error_size,
				 "filch_options has fields this library does not know");
			return -EINVAL;
		}
	}
	return check_fields(copy, error, error_size);
}

/* How many letters to change, add or leave out. `b` is one of ours: short. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_SIZE], length = strlen(b);

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t changed = diagonal + (a[i - 1] != b[j - 1]);
			size_t shorter = row[j] < row[j - 1] ? row[j] : row[j - 1];

			diagonal = row[j];
			row[j] = changed < shorter + 1 ? changed : shorter + 1;
		}
	}
	return row[length];
}

/* The row whose name is nearest, the first of equals; *off is how far. */
static const struct row *nearest(const char *name, size_t *off)
{
	const struct row *best = &rows[0];

	*off = distance(name, rows[0].name);
	for (size_t i = 1; i < ROWS; i++) {
		size_t other = distance(name, rows[i].name);

		if (other < *off) {
			*off = other;
			best = &rows[i];
		}
	}
	return best;
}

/* A FILCH_ name nobody reads is probably misspelt. */
static void warn_of_unknown(const struct filch_options *options)
{
	for (char **entry = environ; entry && *entry; entry++) {
		size_t length = strcspn(*entry, "="), off;
		char name[NAME_SIZE];
		const struct row *row;

		if (strncmp(*entry, "FILCH_", 6) != 0 || (*entry)[length] != '=')
			continue;
		snprintf(name, sizeof(name), "%.*s", length < NAME_SIZE ? (int)length : NAME_SIZE,
			 *entry);
		row = nearest(name, &off);
		if (off > 0)
			filch__environ_log(options, FILCH_LOG_WARNING,
					   "unknown variable %s; did you mean %s?", name,
					   row->name);
	}
}

/* A worker in its loop and a task on it need a stack each. */
static int check_stacks(const struct filch_options *options, char *error, size_t error_size)
{
	size_t least = 2 * (size_t)options->workers + 2;

	if (options->max_stacks == 0 || options->max_stacks >= least)
		return 0;
	snprintf(error, error_size,
		 "FILCH_MAX_STACKS=%zu: expected 0, or at least %zu with %u workers",
		 options->max_stacks, least, options->workers);
	return -EINVAL;
}

int filch__environ_load(struct filch_options *effective, const struct filch_options *given,
			char *error, size_t error_size)
{
	struct filch_options options = { .size = sizeof(options) };
	int status = 0, from_environment = 0;

	*effective = options;
	if (error_size)
		error[0] = '\0';
	for (size_t i = 0; i < ROWS; i++)
		write_field(&options, &rows[i], rows[i].fallback);
	if (given)
		status = copy_given(effective, given, error, error_size);
	if (!effective->ignore_environment)
		from_environment = load_environment(&options, error, status ? 0 : error_size);
	for (size_t i = 0; i < ROWS; i++) {
		uint64_t value = read_field(effective, &rows[i]);

		if (value == 0)
			value = read_field(&options, &rows[i]);
		write_field(effective, &rows[i], settle(&rows[i], value));
	}
	if (status == 0)
		status = from_environment;
	if (status == 0)
		status = check_stacks(effective, error, error_size);
	if (status == 0 && !effective->ignore_environment)
		warn_of_unknown(effective);
	return status;
}

void filch__environ_log(const struct filch_options *options, enum filch_log_level level,
			const char *format, ...)
{
	char text[256];
	va_list arguments;

	if (level > options->log_level && !(options->log && options->log_level == FILCH_LOG_OFF))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (options->log)
		options->log(level, text, options->log_context);
	else
		fprintf(stderr, "filch: %s\n", text);
}

static void describe(const struct row *row, struct filch_environment_row *out)
{
	const char *text = getenv(row->name);
	uint64_t value = row->fallback;
	bool valid = !text || parse(row, text, &value);

	*out = (struct filch_environment_row){ .name = row->name,
					       .source = !text	 ? "default"
							 : valid ? "environment"
								 : "invalid",
					       .accepted = row->accepted,
					       .help = row->help };
	if (!valid)
		snprintf(out->value, sizeof(out->value), "%.31s", text);
	else if (row->kind == WORD)
		snprintf(out->value, sizeof(out->value), "%s", row->words[value]);
	else
		snprintf(out->value, sizeof(out->value), "%llu",
			 (unsigned long long)settle(row, value));
}

size_t filch_environment(struct filch_environment_row *out, size_t count)
{
	for (size_t i = 0; out && i < count && i < ROWS; i++)
		describe(&rows[i], &out[i]);
	return ROWS;
}
