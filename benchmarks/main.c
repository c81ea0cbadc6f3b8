/* filch-bench: measures filch, each workload beside a twin without it. */
#include "options.h"
#include "report.h"
#include "sha1.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENVIRONMENT_ROWS 64
#define BAD_ARGUMENTS 2

const struct workload *const bench_workloads[] = {
	&bench_fib,  &bench_spawn, &bench_skynet, &bench_nqueens, &bench_matmul,
	&bench_uts,  &bench_yield, &bench_timers, &bench_wake,	  &bench_pingpong,
	&bench_lock, &bench_queue, &bench_parked, NULL,
};

static int list(void)
{
	for (const struct workload *const *at = bench_workloads; *at != NULL; at++) {
		const struct workload *workload = *at;

		printf("%-8s  %s\n", workload->name, workload->question);
		if (workload->size_is != NULL)
			printf("%-8s  --size: %s (%ld to %ld, default %ld)\n", "",
			       workload->size_is, workload->least, workload->most, workload->size);
		printf("%-8s  twin: %s\n", "", workload->twin == NULL ? "none" : workload->twin);
	}
	return EXIT_SUCCESS;
}

static int longest(int width, const char *text)
{
	int length = text == NULL ? 0 : (int)strlen(text);

	return width < length ? length : width;
}

static const char *or_dash(const char *text)
{
	return text == NULL || *text == '\0' ? "-" : text;
}

static int show_environment(void)
{
	struct filch_environment_row rows[1 + ENVIRONMENT_ROWS] = {
		{ "variable", "from", "accepted", "meaning", "value" }
	};
	size_t count = 1 + filch_environment(rows + 1, ENVIRONMENT_ROWS);
	int name = 0, value = 0, source = 0, accepted = 0;

	if (count > 1 + ENVIRONMENT_ROWS)
		count = 1 + ENVIRONMENT_ROWS;
	for (size_t i = 0; i < count; i++) {
		name = longest(name, rows[i].name);
		value = longest(value, rows[i].value);
		source = longest(source, rows[i].source);
		accepted = longest(accepted, rows[i].accepted);
	}
	for (size_t i = 0; i < count; i++)
		printf("%-*s  %-*s  %-*s  %-*s  %s\n", name, or_dash(rows[i].name), value,
		       or_dash(rows[i].value), source, or_dash(rows[i].source), accepted,
		       or_dash(rows[i].accepted), or_dash(rows[i].help));
	return EXIT_SUCCESS;
}

static int help(void)
{
	puts("filch-bench [WORKLOAD [its options]]... [options]   measure (all, unless some are "
	     "named)\n"
	     "filch-bench list                                    what the workloads are\n"
	     "filch-bench env                                     environment variables in "
	     "force\n\n"
	     "  --workers N,...  numbers of workers, each 1 to 1024 or auto (default: 1,auto)\n"
	     "  --reps N         repetitions, interleaved with the twin's, 1 to 1000 (default: 5)\n"
	     "  --json FILE|-    the results as JSON; the table then goes to stderr if FILE is -\n"
	     "  --size N         after a workload: its size, see filch-bench list\n");
	for (const struct workload *const *at = bench_workloads; *at != NULL; at++) {
		if ((*at)->help != NULL)
			printf("after %s:\n%s", (*at)->name, (*at)->help);
	}
	printf("\nSHA-1 that auto takes here: %s (ns each:", sha1_name(sha1_fastest()));
	for (int variant = 0; variant < SHA1_VARIANTS; variant++) {
		if (sha1_function((enum sha1_variant)variant) != NULL)
			printf(" %s %.0f", sha1_name((enum sha1_variant)variant),
			       sha1_cost((enum sha1_variant)variant));
	}
	puts(")\n\nExit status: 0; 1 when a result is wrong or could not be had; 2 for bad "
	     "arguments.");
	return EXIT_SUCCESS;
}

/* "auto" becomes a number, and a number that is there twice goes. */
static bool settle_workers(struct options *options)
{
	unsigned automatic = 0, count = 0;

	for (unsigned i = 0; i < options->worker_count; i++) {
		unsigned workers = options->workers[i];
		bool is_new = true;

		if (workers == 0 && automatic == 0)
			automatic = measure_automatic_workers();
		workers = workers == 0 ? automatic : workers;
		if (workers == 0)
			return false;
		for (unsigned k = 0; k < count; k++)
			is_new = is_new && options->workers[k] != workers;
		if (is_new)
			options->workers[count++] = workers;
	}
	options->worker_count = count;
	return true;
}

static bool is_right(const struct outcome *outcome)
{
	bool right = true;

	for (unsigned i = 0; i < outcome->series_count; i++) {
		const struct series *series = &outcome->series[i];
		int status = series->status != 0 ? series->status : outcome->twin.status;

		if (measure_is_right(outcome, series))
			continue;
		fprintf(stderr, "filch-bench: %s with %u workers: %s\n",
			outcome->choice.workload->name, series->workers,
			status < 0 ? strerror(-status) : "wrong result");
		right = false;
	}
	return right;
}

static bool write_json(FILE *file, const char *name, const struct outcome *outcomes, unsigned count)
{
	bool good;

	if (file == NULL)
		return true;
	json_write(file, outcomes, count);
	good = fflush(file) == 0 && ferror(file) == 0;
	if (file != stdout)
		good = fclose(file) == 0 && good;
	if (!good)
		fprintf(stderr, "filch-bench: --json: cannot write '%s'\n", name);
	return good;
}

static int run(const struct options *options, FILE *json)
{
	struct outcome *outcomes = calloc(options->choice_count, sizeof(*outcomes));
	struct report report;
	unsigned count = 0;
	bool good = outcomes != NULL;

	report_init(&report, json == stdout ? stderr : stdout);
	while (outcomes != NULL && count < options->choice_count) {
		if (measure_run(&outcomes[count], options, options->choices[count], report_progress,
				&report) < 0) {
			good = false;
			break;
		}
		report_done(&report, &outcomes[count]);
		good = is_right(&outcomes[count]) && good;
		count++;
	}
	if (count > 0)
		report_table(&report, outcomes, count);
	good = write_json(json, options->json, outcomes, count) && good;
	while (count > 0)
		measure_fini(&outcomes[--count]);
	free(outcomes);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct options options;
	FILE *json = NULL;

	if (!options_parse(&options, argc, argv))
		return BAD_ARGUMENTS;
	if (options.command == COMMAND_HELP)
		return help();
	if (options.command == COMMAND_LIST)
		return list();
	if (options.command == COMMAND_ENV)
		return show_environment();
	if (options.json != NULL) {
		json = strcmp(options.json, "-") == 0 ? stdout : fopen(options.json, "w");
		if (json == NULL) {
			fprintf(stderr, "filch-bench: --json: cannot write '%s': %s\n",
				options.json, strerror(errno));
			return BAD_ARGUMENTS;
		}
	}
	if (!settle_workers(&options))
		return EXIT_FAILURE;
	return run(&options, json);
}
