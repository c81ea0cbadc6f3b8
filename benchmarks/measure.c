/* Runs trials A B A B ..., so that a machine that drifts drifts for all of them alike. */
#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int complain(const char *what, unsigned workers, int status)
{
	fprintf(stderr, "filch-bench: %s with %u workers: %s\n", what, workers, strerror(-status));
	return status;
}

static int start_runtime(struct filch_runtime **runtime, unsigned workers)
{
	struct filch_options options = { .size = sizeof(options), .workers = workers };
	int status = filch_runtime_create(runtime, &options);

	return status < 0 ? complain("no runtime", workers, status) : 0;
}

unsigned measure_automatic_workers(void)
{
	struct filch_runtime_stats stats = { .workers = 0 };
	struct filch_runtime *runtime;
	int status = filch_runtime_create(&runtime, NULL);

	if (status == 0) {
		status = filch_runtime_stats(runtime, &stats);
		filch_runtime_destroy(runtime);
	}
	if (status < 0)
		fprintf(stderr, "filch-bench: no runtime: %s\n", strerror(-status));
	return stats.workers;
}

static int run_trial(void *arg)
{
	struct trial *trial = arg;

	trial->workload->run(trial);
	return trial->status;
}

/* In a task of the runtime, unless the workload wants to look at it from outside. */
static void run_inside(struct trial *trial)
{
	struct filch_task *task;
	int status;

	if (trial->workload->foreign) {
		trial->workload->run(trial);
		return;
	}
	status = filch_runtime_submit(trial->runtime, NULL, run_trial, trial, &task);
	if (status == 0) {
		status = filch_task_wait(task, NULL);
		filch_task_release(task);
	}
	if (status < 0) {
		trial->status = status;
		trial->verified = false;
	}
}

static void repeat(struct outcome *outcome, struct series *series, long rep)
{
	struct trial *trial = &series->last;

	*trial = (struct trial){ .workload = outcome->choice.workload,
				 .runtime = series->runtime,
				 .size = outcome->choice.size };
	if (series->runtime == NULL)
		trial->workload->run_twin(trial);
	else
		run_inside(trial);
	if (series->status == 0)
		series->status = trial->status;
	series->verified = series->verified && trial->verified && trial->status == 0;
	for (int metric = 0; metric < BENCH_METRICS; metric++)
		series->values[metric][rep] = trial->values[metric];
}

static int series_init(struct series *series, unsigned workers, long reps)
{
	double *values = calloc(BENCH_METRICS * (size_t)reps, sizeof(*values));

	*series = (struct series){ .workers = workers, .verified = true };
	if (values == NULL)
		return complain("no memory", workers, -ENOMEM);
	for (int metric = 0; metric < BENCH_METRICS; metric++)
		series->values[metric] = values + metric * reps;
	return workers == 0 ? 0 : start_runtime(&series->runtime, workers);
}

/* The order statistics and the counters; the runtime is no longer needed. */
static void series_finish(struct series *series, long reps)
{
	for (int metric = 0; metric < BENCH_METRICS; metric++)
		bench_sort(series->values[metric], (size_t)reps);
	if (series->runtime != NULL)
		filch_runtime_stats(series->runtime, &series->stats);
	filch_runtime_destroy(series->runtime);
	series->runtime = NULL;
}

static int outcome_init(struct outcome *outcome, const struct options *options,
			struct choice choice)
{
	int status;

	memset(outcome, 0, sizeof(*outcome));
	outcome->choice = choice;
	outcome->reps = options->reps;
	status = series_init(&outcome->twin, 0, options->reps);
	for (unsigned i = 0; status == 0 && i < options->worker_count; i++)
		status = series_init(&outcome->series[outcome->series_count++], options->workers[i],
				     options->reps);
	return status;
}

int measure_run(struct outcome *outcome, const struct options *options, struct choice choice,
		measure_progress_fn *progress, void *arg)
{
	int status = outcome_init(outcome, options, choice);

	if (status < 0) {
		measure_fini(outcome);
		return status;
	}
	for (long rep = 0; rep < outcome->reps; rep++) {
		if (choice.workload->run_twin != NULL) {
			progress(outcome, &outcome->twin, rep, arg);
			repeat(outcome, &outcome->twin, rep);
		}
		for (unsigned i = 0; i < outcome->series_count; i++) {
			progress(outcome, &outcome->series[i], rep, arg);
			repeat(outcome, &outcome->series[i], rep);
		}
	}
	series_finish(&outcome->twin, outcome->reps);
	for (unsigned i = 0; i < outcome->series_count; i++)
		series_finish(&outcome->series[i], outcome->reps);
	return 0;
}

static void series_fini(struct series *series)
{
	filch_runtime_destroy(series->runtime);
	free(series->values[0]);
}

void measure_fini(struct outcome *outcome)
{
	series_fini(&outcome->twin);
	for (unsigned i = 0; i < outcome->series_count; i++)
		series_fini(&outcome->series[i]);
}

double measure_min(const struct outcome *outcome, const struct series *series, int metric)
{
	(void)outcome;
	return series->values[metric][0];
}

double measure_median(const struct outcome *outcome, const struct series *series, int metric)
{
	const double *sorted = series->values[metric];
	size_t middle = (size_t)outcome->reps / 2;

	return outcome->reps % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double measure_max(const struct outcome *outcome, const struct series *series, int metric)
{
	return series->values[metric][outcome->reps - 1];
}

static double quotient(double a, double b)
{
	return b > 0 ? a / b : 0;
}

double measure_speedup(const struct outcome *outcome, const struct series *series, int metric)
{
	double here = measure_median(outcome, series, metric);

	for (unsigned i = 0; i < outcome->series_count; i++) {
		if (outcome->series[i].workers == 1) {
			double one = measure_median(outcome, &outcome->series[i], metric);

			return outcome->choice.workload->metrics[metric].rate ? quotient(here, one)
									      : quotient(one, here);
		}
	}
	return 0;
}

double measure_ratio(const struct outcome *outcome, const struct series *series, int metric)
{
	if (outcome->choice.workload->twin == NULL)
		return 0;
	return quotient(measure_median(outcome, series, metric),
			measure_median(outcome, &outcome->twin, metric));
}

bool measure_is_right(const struct outcome *outcome, const struct series *series)
{
	return series->verified && outcome->twin.verified;
}
