/* The progress line and the table. */
#include "report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS 11
#define CELL BENCH_LABEL

struct row {
	char cells[COLUMNS][CELL];
};

void report_init(struct report *report, FILE *text)
{
	const char *terminal = getenv("TERM");

	report->text = text;
	report->live =
		isatty(fileno(text)) == 1 && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

/* Four digits say all that can be repeated. */
static void format(char *cell, double value)
{
	int digits = value < 10 ? 3 : value < 100 ? 2 : value < 1000 ? 1 : 0;

	snprintf(cell, CELL, "%.*f", digits, value);
}

/* 0 is "there is none". */
static void format_quotient(char *cell, double value)
{
	snprintf(cell, CELL, value > 0 ? value < 0.095 ? "%.4f" : "%.2f" : "-", value);
}

void report_size(const struct outcome *outcome, const struct series *series, char *text,
		 size_t size)
{
	if (series->last.label[0] != '\0')
		snprintf(text, size, "%s", series->last.label);
	else if (outcome->choice.workload->size_is != NULL)
		snprintf(text, size, "%ld", outcome->choice.size);
	else
		snprintf(text, size, "-");
}

void report_progress(const struct outcome *outcome, const struct series *series, long rep,
		     void *arg)
{
	struct report *report = arg;
	const struct workload *workload = outcome->choice.workload;

	if (!report->live)
		return;
	fprintf(report->text, "\r\033[K%-8s repetition %ld of %ld, ", workload->name, rep + 1,
		outcome->reps);
	if (series->workers == 0)
		fprintf(report->text, "its twin: %s", workload->twin);
	else
		fprintf(report->text, "%u worker%s", series->workers,
			series->workers == 1 ? "" : "s");
	fflush(report->text);
}

void report_done(struct report *report, const struct outcome *outcome)
{
	const struct workload *workload = outcome->choice.workload;

	fprintf(report->text, "%s%-8s", report->live ? "\r\033[K" : "", workload->name);
	for (unsigned i = 0; i < outcome->series_count; i++) {
		const struct series *series = &outcome->series[i];
		char cell[CELL];

		format(cell, measure_median(outcome, series, 0));
		fprintf(report->text, "%s %s %s with %u worker%s", i == 0 ? "" : ",", cell,
			workload->metrics[0].unit, series->workers,
			series->workers == 1 ? "" : "s");
		if (!measure_is_right(outcome, series))
			fprintf(report->text, " (WRONG)");
	}
	fputc('\n', report->text);
	fflush(report->text);
}

static struct row head(void)
{
	return (struct row){ { "workload", "n", "workers", "metric", "min", "median", "max", "unit",
			       "speed-up", "ratio", "to twin" } };
}

static struct row make_row(const struct outcome *outcome, const struct series *series, int metric)
{
	const struct workload *workload = outcome->choice.workload;
	struct row row;

	snprintf(row.cells[0], CELL, "%s", workload->name);
	report_size(outcome, series, row.cells[1], CELL);
	snprintf(row.cells[2], CELL, "%u", series->workers);
	snprintf(row.cells[3], CELL, "%s", workload->metrics[metric].name);
	format(row.cells[4], measure_min(outcome, series, metric));
	format(row.cells[5], measure_median(outcome, series, metric));
	format(row.cells[6], measure_max(outcome, series, metric));
	snprintf(row.cells[7], CELL, "%s", workload->metrics[metric].unit);
	format_quotient(row.cells[8], measure_speedup(outcome, series, metric));
	format_quotient(row.cells[9], measure_ratio(outcome, series, metric));
	snprintf(row.cells[10], CELL, "%s%s", workload->twin == NULL ? "-" : workload->twin,
		 measure_is_right(outcome, series) ? "" : "  WRONG");
	return row;
}

/* Words to the left, numbers to the right; no blanks at the end of a line. */
static void print_row(FILE *text, const struct row *row, const int widths[COLUMNS])
{
	static const bool is_word[COLUMNS] = { [0] = true, [1] = true, [3] = true, [7] = true };

	for (int i = 0; i < COLUMNS - 1; i++)
		fprintf(text, "%*s  ", is_word[i] ? -widths[i] : widths[i], row->cells[i]);
	fprintf(text, "%s\n", row->cells[COLUMNS - 1]);
}

static void widen(int widths[COLUMNS], const struct row *row)
{
	for (int i = 0; i < COLUMNS; i++) {
		int length = (int)strlen(row->cells[i]);

		if (widths[i] < length)
			widths[i] = length;
	}
}

/* Calls `visit` for each line of the table. */
static void each_row(const struct outcome *outcomes, unsigned count,
		     void (*visit)(const struct row *row, void *arg), void *arg)
{
	for (unsigned i = 0; i < count; i++) {
		const struct workload *workload = outcomes[i].choice.workload;

		for (int metric = 0; metric < BENCH_METRICS; metric++) {
			if (workload->metrics[metric].name == NULL)
				continue;
			for (unsigned k = 0; k < outcomes[i].series_count; k++) {
				struct row row =
					make_row(&outcomes[i], &outcomes[i].series[k], metric);

				visit(&row, arg);
			}
		}
	}
}

struct printer {
	FILE *text;
	int widths[COLUMNS];
};

static void measure_row(const struct row *row, void *arg)
{
	widen(((struct printer *)arg)->widths, row);
}

static void write_row(const struct row *row, void *arg)
{
	struct printer *printer = arg;

	print_row(printer->text, row, printer->widths);
}

void report_table(struct report *report, const struct outcome *outcomes, unsigned count)
{
	struct printer printer = { .text = report->text };
	struct row top = head();

	measure_row(&top, &printer);
	each_row(outcomes, count, measure_row, &printer);
	fputc('\n', report->text);
	write_row(&top, &printer);
	each_row(outcomes, count, write_row, &printer);
	fputs("\nspeed-up: over 1 worker; ratio: median over the twin's median, both in this run\n",
	      report->text);
	fflush(report->text);
}
