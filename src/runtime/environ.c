/* The one file that reads the environment: one row per variable. */
#include "runtime/environ.h"

#include "platform/cpu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MOST 1024

/* A variable is a number (`words` NULL) or one of the words, whose index is the value. */
struct row {
	const char *name;
	size_t offset, width;
	uint64_t least, most;
	const char *const *words;
	uint64_t fallback; /* 0 for FILCH_WORKERS: automatic */
	const char *accepted, *help;
};

static const char *const guards[] = { "auto", "install", "protect", "canary", NULL };
static const char *const affinities[] = { "none", "cores", NULL };
static const char *const levels[] = { "off", "error", "warning", "info", NULL };

#define FIELD(field)                                                                               \
	offsetof(struct filch_options, field), sizeof(((struct filch_options *)0)->field)

static const struct row rows[] = {
	{ "FILCH_WORKERS", FIELD(workers), 1, WORKERS_MOST, NULL, 0, "auto or 1..1024",
	  "threads that run tasks; auto: the processors this process may use" },
	{ "FILCH_STACK_SIZE", FIELD(stack_size), 16 << 10, 16 << 20, NULL, 64 << 10,
	  "16K..16M, in bytes or with K or M", "address space of a small stack" },
	{ "FILCH_STACK_GUARD", FIELD(guard), 0, 3, guards, 0, "auto, install, protect or canary",
	  "what catches a stack overflow" },
	{ "FILCH_MAX_STACKS", FIELD(max_stacks), 0, UINT32_MAX, NULL, 0, "0..4294967295",
	  "stacks at most; 0: no limit; at the limit new tasks wait" },
	{ "FILCH_AFFINITY", FIELD(affinity), 0, 1, affinities, 0, "none or cores",
	  "cores: worker n is pinned to the nth processor" },
	{ "FILCH_LOG", FIELD(log_level), 0, 3, levels, 0, "off, error, warning or info",
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
	if (row->words) {
		for (*value = 0; row->words[*value]; (*value)++)
			if (strcmp(row->words[*value], text) == 0)
				return true;
		return false;
	}
	if (row == &rows[0] && strcmp(text, "auto") == 0) {
		*value = 0;
		return true;
	}
	return parse_number(text, row == &rows[1], value) && *value >= row->least &&
	       *value <= row->most;
}

/* Rows of the table whose variable is set; the first wrong one ends it. */
static int load_environment(struct filch_options *options, char *error, size_t error_size)
{
	for (size_t i = 0; i < ROWS; i++) {
		const char *text = getenv(rows[i].name);
		uint64_t value;

		if (!text)
			continue;
		if (!parse(&rows[i], text, &value)) {
			snprintf(error, error_size, "%s=%.40s: expected %s", rows[i].name, text,
				 rows[i].accepted);
			return -EINVAL;
		}
		write_field(options, &rows[i], value);
	}
	return 0;
}

static int check_given(const struct filch_options *given, struct filch_options *copy, char *error,
		       size_t error_size)
{
	size_t size = given->size < sizeof(*copy) ? given->size : sizeof(*copy);

	if (given->size < offsetof(struct filch_options, stack_size)) {
		snprintf(error, error_size,
			 "filch_options.size=%zu: expected sizeof(struct filch_options)",
			 given->size);
		return -EINVAL;
	}
	for (size_t i = sizeof(*copy); i < given->size; i++) {
		if (((const char *)given)[i]) {
			snprintf(error, error_size,
				 "filch_options has fields this library does not know");
			return -EINVAL;
		}
	}
	memset(copy, 0, sizeof(*copy));
	memcpy(copy, given, size);
	for (size_t i = 0; i < ROWS; i++) {
		uint64_t value = read_field(copy, &rows[i]);

		if (value && (value < rows[i].least || value > rows[i].most)) {
			snprintf(error, error_size, "option for %s=%llu: expected %s", rows[i].name,
				 (unsigned long long)value, rows[i].accepted);
			return -EINVAL;
		}
	}
	return 0;
}

static size_t distance(const char *a, const char *b)
{
	size_t row[64], length = strlen(b);

	if (length >= 63)
		return 64;
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

/* A FILCH_ name nobody reads is probably misspelt. */
static void warn_of_unknown(const struct filch_options *options)
{
	for (char **entry = environ; entry && *entry; entry++) {
		const char *end = strchr(*entry, '=');
		char name[64];
		size_t nearest = 0, length = end ? (size_t)(end - *entry) : 0;
		bool known = false;

		if (strncmp(*entry, "FILCH_", 6) != 0 || length == 0 || length >= sizeof(name))
			continue;
		memcpy(name, *entry, length);
		name[length] = '\0';
		for (size_t i = 0; i < ROWS; i++) {
			known |= strcmp(name, rows[i].name) == 0;
			if (distance(name, rows[i].name) < distance(name, rows[nearest].name))
				nearest = i;
		}
		if (!known)
			filch__environ_log(options, FILCH_LOG_WARNING,
					   "unknown variable %s; did you mean %s?", name,
					   rows[nearest].name);
	}
}

int filch__environ_load(struct filch_options *effective, const struct filch_options *given,
			char *error, size_t error_size)
{
	struct filch_options options = { .size = sizeof(options) };
	int status = 0;

	*effective = (struct filch_options){ .size = sizeof(*effective) };
	if (given)
		status = check_given(given, effective, error, error_size);
	if (status < 0)
		return status;
	for (size_t i = 0; i < ROWS; i++)
		write_field(&options, &rows[i], rows[i].fallback);
	if (!effective->ignore_environment)
		status = load_environment(&options, error, error_size);
	for (size_t i = 0; i < ROWS; i++)
		if (read_field(effective, &rows[i]) == 0)
			write_field(effective, &rows[i], read_field(&options, &rows[i]));
	if (effective->workers == 0)
		effective->workers = filch__cpu_auto("");
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
	else if (row->words)
		snprintf(out->value, sizeof(out->value), "%s", row->words[value]);
	else if (row == &rows[0] && value == 0)
		snprintf(out->value, sizeof(out->value), "%u", filch__cpu_auto(""));
	else
		snprintf(out->value, sizeof(out->value), "%llu", (unsigned long long)value);
}

size_t filch_environment(struct filch_environment_row *out, size_t count)
{
	for (size_t i = 0; out && i < count && i < ROWS; i++)
		describe(&rows[i], &out[i]);
	return ROWS;
}
