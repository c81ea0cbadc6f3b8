/* Clocks, order statistics, random numbers and number parsing for the workloads. */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

double bench_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

double bench_cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

static void add_fact(struct trial *trial, struct fact fact)
{
	if (trial->fact_count < BENCH_FACTS)
		trial->facts[trial->fact_count++] = fact;
}

void bench_add_number(struct trial *trial, const char *name, double number)
{
	add_fact(trial, (struct fact){ .name = name, .number = number });
}

void bench_add_text(struct trial *trial, const char *name, const char *text)
{
	add_fact(trial, (struct fact){ .name = name, .text = text });
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

void bench_sort(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
}

double bench_percentile(const double *sorted, size_t count, double percent)
{
	size_t index = (size_t)((double)count * percent / 100);

	return count == 0 ? 0 : sorted[index < count ? index : count - 1];
}

/* Marsaglia's xorshift64* */
uint64_t bench_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545F4914F6CDD1D);
}

bool bench_parse_integer(const char *text, long least, long most, long *value)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || number < least || number > most)
		return false;
	*value = number;
	return true;
}

bool bench_parse_real(const char *text, double least, double most, double *value)
{
	char *end;
	double number;

	errno = 0;
	number = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || !isfinite(number))
		return false;
	if (number < least || number > most)
		return false;
	*value = number;
	return true;
}
