/* The command line: which workloads, how often, with how many workers. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "bench.h"

#define OPTIONS_CHOICES 16
#define OPTIONS_WORKERS 16
#define OPTIONS_REPS_MAX 1000
#define OPTIONS_WORKERS_MAX 1024

enum command { COMMAND_RUN, COMMAND_LIST, COMMAND_ENV, COMMAND_HELP };

struct choice {
	const struct workload *workload;
	long size;
};

struct options {
	enum command command;
	struct choice choices[OPTIONS_CHOICES];
	unsigned choice_count;
	unsigned workers[OPTIONS_WORKERS]; /* 0: automatic */
	unsigned worker_count;
	long reps;
	const char *json; /* NULL: none, "-": standard output */
};

/* False: said on stderr what is wrong, with the option, the value and what is accepted. */
bool options_parse(struct options *options, int argc, char **argv);

#endif
