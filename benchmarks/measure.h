/* Repeating a workload and its twin, interleaved, and what came of it. */
#ifndef MEASURE_H
#define MEASURE_H

#include "options.h"

/* The trials with one number of workers, or those of the twin. */
struct series {
	unsigned workers; /* 0: the twin */
	struct filch_runtime *runtime;
	double *values[BENCH_METRICS]; /* of each trial; sorted in the end */
	bool verified;		       /* in all trials */
	int status;		       /* the first that was not 0 */
	struct trial last;
	struct filch_runtime_stats stats; /* over all trials */
};

struct outcome {
	struct choice choice;
	long reps;
	struct series series[OPTIONS_WORKERS];
	unsigned series_count;
	struct series twin; /* verified and empty when there is none */
};

/* Called before each trial. */
typedef void measure_progress_fn(const struct outcome *outcome, const struct series *series,
				 long rep, void *arg);

/* 0, or a negative errno (and a message on stderr) when it could not be begun. */
int measure_run(struct outcome *outcome, const struct options *options, struct choice choice,
		measure_progress_fn *progress, void *arg);
void measure_fini(struct outcome *outcome);
/* How many workers a runtime has that is not told how many; 0: it does not start (said on stderr).
 */
unsigned measure_automatic_workers(void);

double measure_min(const struct outcome *outcome, const struct series *series, int metric);
double measure_median(const struct outcome *outcome, const struct series *series, int metric);
double measure_max(const struct outcome *outcome, const struct series *series, int metric);
/* Against one worker in the same run; 0: there is no such series. */
double measure_speedup(const struct outcome *outcome, const struct series *series, int metric);
/* Median over the twin's median; 0: there is no twin. */
double measure_ratio(const struct outcome *outcome, const struct series *series, int metric);
bool measure_is_right(const struct outcome *outcome, const struct series *series);

#endif
