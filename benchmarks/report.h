/* What a reader sees: a line while it runs, a table in the end, or JSON. */
#ifndef REPORT_H
#define REPORT_H

#include "measure.h"

#include <stdio.h>

struct report {
	FILE *text; /* for people */
	bool live;  /* it is a terminal: a line may be overwritten */
};

void report_init(struct report *report, FILE *text);
/* A measure_progress_fn; `arg` is the report. */
void report_progress(const struct outcome *outcome, const struct series *series, long rep,
		     void *arg);
/* After the last trial of a workload. */
void report_done(struct report *report, const struct outcome *outcome);
void report_table(struct report *report, const struct outcome *outcomes, unsigned count);
/* What was run, in the fewest words: a size or the workload's own label. */
void report_size(const struct outcome *outcome, const struct series *series, char *text,
		 size_t size);

void json_write(FILE *file, const struct outcome *outcomes, unsigned count);

#endif
