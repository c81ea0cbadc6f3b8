/* Reading the command line, strictly. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REPS 5
#define NAME_MAX_LENGTH 32

/* The arguments that are left: an option takes the next one as its value, unless it had a '='. */
struct reader {
	struct options *options;
	char **next;
	char **end;
};

static bool refuse(const char *name, const char *value, const char *accepted)
{
	fprintf(stderr, "filch-bench: %s: '%s' is not accepted; accepted: %s\n", name, value,
		accepted);
	return false;
}

static bool refuse_range(const char *name, const char *value, long least, long most)
{
	char accepted[64];

	snprintf(accepted, sizeof(accepted), "%ld to %ld", least, most);
	return refuse(name, value, accepted);
}

static bool add_workers(struct options *options, unsigned workers)
{
	for (unsigned i = 0; i < options->worker_count; i++) {
		if (options->workers[i] == workers)
			return true;
	}
	if (options->worker_count == OPTIONS_WORKERS)
		return false;
	options->workers[options->worker_count++] = workers;
	return true;
}

static bool set_workers(struct options *options, const char *name, const char *value)
{
	const char *at = value;

	options->worker_count = 0;
	for (bool more = true; more; at++) {
		size_t length = strcspn(at, ",");
		char item[16];
		long workers = 0;

		snprintf(item, sizeof(item), "%.*s", (int)(length < 15 ? length : 15), at);
		if ((strcmp(item, "auto") != 0 &&
		     !bench_parse_integer(item, 1, OPTIONS_WORKERS_MAX, &workers)) ||
		    !add_workers(options, (unsigned)workers))
			return refuse(name, value,
				      "up to 16 of 1 to 1024 or auto, with commas between");
		at += length;
		more = *at == ',';
	}
	return true;
}

static bool set_size(struct options *options, const char *name, const char *value)
{
	struct choice *choice;
	const struct workload *workload;

	if (options->choice_count == 0)
		return refuse(name, value, "only after the workload that it belongs to");
	choice = &options->choices[options->choice_count - 1];
	workload = choice->workload;
	if (workload->size_is == NULL)
		return refuse(name, value, "not for this workload, it has options of its own");
	if (!bench_parse_integer(value, workload->least, workload->most, &choice->size))
		return refuse_range(name, value, workload->least, workload->most);
	if (workload->power_of_two && (choice->size & (choice->size - 1)) != 0)
		return refuse(name, value, "powers of two");
	return true;
}

/* An option that only the last named workload can know. */
static bool set_own(struct options *options, const char *name, const char *value)
{
	const struct workload *workload =
		options->choice_count == 0 ? NULL
					   : options->choices[options->choice_count - 1].workload;
	const char *accepted = NULL;
	int status = -ENOENT;

	if (workload != NULL && workload->set_option != NULL)
		status = workload->set_option(name, value == NULL ? "" : value, &accepted);
	if (status == -ENOENT)
		fprintf(stderr,
			"filch-bench: unknown option '%s'%s%s (a workload's own options follow its "
			"name); see filch-bench --help\n",
			name, workload == NULL ? "" : " for ",
			workload == NULL ? "" : workload->name);
	else if (status < 0)
		refuse(name, value == NULL ? "" : value, accepted);
	return status == 0;
}

static bool set_common(struct options *options, const char *name, const char *value, bool *known)
{
	*known = true;
	if (strcmp(name, "--workers") == 0)
		return set_workers(options, name, value);
	if (strcmp(name, "--size") == 0)
		return set_size(options, name, value);
	if (strcmp(name, "--reps") == 0)
		return bench_parse_integer(value, 1, OPTIONS_REPS_MAX, &options->reps) ||
		       refuse_range(name, value, 1, OPTIONS_REPS_MAX);
	if (strcmp(name, "--json") == 0) {
		options->json = value;
		return *value != '\0' || refuse(name, value, "a file's name, or -");
	}
	*known = false;
	return false;
}

static bool read_option(struct reader *reader, const char *argument)
{
	const char *value = strchr(argument, '=');
	char name[NAME_MAX_LENGTH];
	bool known, good;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(argument, "="), argument);
	if (value != NULL)
		value++;
	else if (reader->next < reader->end)
		value = *reader->next++;
	good = set_common(reader->options, name, value == NULL ? "" : value, &known);
	return known ? good : set_own(reader->options, name, value);
}

static bool read_command(struct options *options, const char *word, bool alone)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		options->command = COMMAND_HELP;
	else if (strcmp(word, "list") == 0 && alone)
		options->command = COMMAND_LIST;
	else if (strcmp(word, "env") == 0 && alone)
		options->command = COMMAND_ENV;
	else
		return false;
	return true;
}

static bool add_choice(struct options *options, const struct workload *workload)
{
	for (unsigned i = 0; i < options->choice_count; i++) {
		if (options->choices[i].workload == workload) {
			fprintf(stderr, "filch-bench: %s is named twice\n", workload->name);
			return false;
		}
	}
	options->choices[options->choice_count++] = (struct choice){ workload, workload->size };
	return true;
}

static bool read_workload(struct options *options, const char *name)
{
	for (const struct workload *const *at = bench_workloads; *at != NULL; at++) {
		if (strcmp((*at)->name, name) == 0)
			return add_choice(options, *at);
	}
	fprintf(stderr, "filch-bench: unknown workload '%s'; accepted:", name);
	for (const struct workload *const *at = bench_workloads; *at != NULL; at++)
		fprintf(stderr, " %s", (*at)->name);
	fprintf(stderr, " (or list, or env, alone)\n");
	return false;
}

bool options_parse(struct options *options, int argc, char **argv)
{
	struct reader reader = { options, argv + (argc > 0), argv + argc };

	*options = (struct options){ .reps = REPS, .workers = { 1, 0 }, .worker_count = 2 };
	while (reader.next < reader.end) {
		const char *argument = *reader.next++;

		if (read_command(options, argument, argc == 2))
			return true;
		if (argument[0] == '-' ? !read_option(&reader, argument)
				       : !read_workload(options, argument))
			return false;
	}
	if (options->choice_count == 0) {
		for (const struct workload *const *at = bench_workloads; *at != NULL; at++)
			add_choice(options, *at);
	}
	return true;
}
