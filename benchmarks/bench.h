/* What a workload is, what a trial of it gives, and the tools that workloads share. */
#ifndef BENCH_H
#define BENCH_H

#include <filch.h>

#define BENCH_METRICS 3
#define BENCH_FACTS 8
#define BENCH_LABEL 64

/*
 * A serial twin is the workload with every spawn replaced by a call. Tasks are reached through a
 * pointer, so the compiler must not inline, clone or specialise the twin either.
 */
#if defined(__clang__)
#define BENCH_OPAQUE __attribute__((noinline))
#else
#define BENCH_OPAQUE __attribute__((noipa))
#endif

struct metric {
	const char *name;
	const char *unit;
	bool rate; /* more is better */
};

/* Something worth knowing about a trial that is not measured over repetitions. */
struct fact {
	const char *name;
	const char *text; /* NULL: a number */
	double number;
};

/* One run of a workload or of its twin: the upper part is given, the rest is the outcome. */
struct trial {
	const struct workload *workload;
	struct filch_runtime *runtime; /* NULL in a twin */
	long size;
	double values[BENCH_METRICS];
	bool verified;		 /* the result was checked and is right */
	int status;		 /* a negative errno when it could not be run */
	char label[BENCH_LABEL]; /* what was run, when a size does not say it */
	struct fact facts[BENCH_FACTS];
	unsigned fact_count;
};

struct workload {
	const char *name;
	const char *question; /* that it answers, in one line */
	const char *twin;     /* what it is compared with; NULL: nothing */
	const char *size_is;  /* what --size counts; NULL: it has no size */
	long size, least, most;
	bool power_of_two; /* the size must be one */
	bool foreign;	   /* run in a plain thread beside the runtime, not in a task of it */
	struct metric metrics[BENCH_METRICS];
	void (*run)(struct trial *trial);
	void (*run_twin)(struct trial *trial);
	/*
	 * Its own options, given after its name. 0, -ENOENT (none of its options), -EINVAL
	 * (and `accepted` says what is).
	 */
	int (*set_option)(const char *name, const char *value, const char **accepted);
	const char *help; /* lines about them */
};

/* NULL-terminated. */
extern const struct workload *const bench_workloads[];

extern const struct workload bench_fib, bench_spawn, bench_skynet, bench_nqueens, bench_matmul,
	bench_uts, bench_yield, bench_timers, bench_wake, bench_pingpong, bench_lock, bench_queue,
	bench_parked;

/* ns on CLOCK_MONOTONIC */
double bench_now(void);
/* Of the whole process, user and system. */
double bench_cpu_seconds(void);
void bench_add_number(struct trial *trial, const char *name, double number);
void bench_add_text(struct trial *trial, const char *name, const char *text);
void bench_sort(double *values, size_t count);
/* The value below which `percent` of the sorted values lie. */
double bench_percentile(const double *sorted, size_t count, double percent);
/* A repeatable sequence of random numbers; `state` starts at anything but 0. */
uint64_t bench_random(uint64_t *state);
/* The whole of `text` is a number in [least, most]. */
bool bench_parse_integer(const char *text, long least, long most, long *value);
bool bench_parse_real(const char *text, double least, double most, double *value);

#endif
