/* The results for machines. */
#include "report.h"

#include <inttypes.h>
#include <math.h>

/* Labels and facts are the program's own words; quotes in them would still be data. */
static void write_string(FILE *file, const char *text)
{
	if (text == NULL) {
		fputs("null", file);
		return;
	}
	fputc('"', file);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', file);
		fputc(*text, file);
	}
	fputc('"', file);
}

static void write_number(FILE *file, const char *name, double value)
{
	fprintf(file, ", \"%s\": ", name);
	if (isfinite(value))
		fprintf(file, "%.15g", value);
	else
		fputs("null", file);
}

static void write_facts(FILE *file, const struct trial *trial)
{
	for (unsigned i = 0; i < trial->fact_count; i++) {
		const struct fact *fact = &trial->facts[i];

		if (fact->text == NULL) {
			write_number(file, fact->name, fact->number);
		} else {
			fprintf(file, ", \"%s\": ", fact->name);
			write_string(file, fact->text);
		}
	}
}

/* Steals are those of an average trial. */
static void write_detail(FILE *file, const struct outcome *outcome, const struct series *series,
			 int metric)
{
	char size[BENCH_LABEL];

	report_size(outcome, series, size, sizeof(size));
	fputs(", \"detail\": {\"n\": ", file);
	write_string(file, size);
	fprintf(file, ", \"peak_stacks\": %" PRIu64, series->stats.stacks_peak);
	write_number(file, "steals", (double)series->stats.steals / (double)outcome->reps);
	if (outcome->choice.workload->twin != NULL)
		write_number(file, "twin_median", measure_median(outcome, &outcome->twin, metric));
	write_facts(file, &series->last);
	write_facts(file, &outcome->twin.last);
	fputc('}', file);
}

static void write_result(FILE *file, const struct outcome *outcome, const struct series *series,
			 int metric)
{
	const struct workload *workload = outcome->choice.workload;

	fprintf(file,
		"    {\"workload\": \"%s\", \"workers\": %u, \"metric\": \"%s\", \"unit\": \"%s\"",
		workload->name, series->workers, workload->metrics[metric].name,
		workload->metrics[metric].unit);
	write_number(file, "min", measure_min(outcome, series, metric));
	write_number(file, "median", measure_median(outcome, series, metric));
	write_number(file, "max", measure_max(outcome, series, metric));
	fprintf(file, ", \"reps\": %ld, \"verified\": %s, \"twin\": ", outcome->reps,
		measure_is_right(outcome, series) ? "true" : "false");
	write_string(file, workload->twin);
	if (workload->twin == NULL)
		fputs(", \"ratio\": null", file);
	else
		write_number(file, "ratio", measure_ratio(outcome, series, metric));
	write_detail(file, outcome, series, metric);
	fputc('}', file);
}

void json_write(FILE *file, const struct outcome *outcomes, unsigned count)
{
	const char *between = "";

	fputs("{\n  \"program\": \"filch-bench\",\n  \"results\": [\n", file);
	for (unsigned i = 0; i < count; i++) {
		for (int metric = 0; metric < BENCH_METRICS; metric++) {
			if (outcomes[i].choice.workload->metrics[metric].name == NULL)
				continue;
			for (unsigned k = 0; k < outcomes[i].series_count; k++) {
				fputs(between, file);
				write_result(file, &outcomes[i], &outcomes[i].series[k], metric);
				between = ",\n";
			}
		}
	}
	fputs("\n  ]\n}\n", file);
}
