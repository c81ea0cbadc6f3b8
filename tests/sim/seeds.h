/* Running a scenario under many seeds, and once for everything that can go wrong in it. */
#ifndef FILCH_TESTS_SIM_SEEDS_H
#define FILCH_TESTS_SIM_SEEDS_H

#include "platform/sanitizer.h"

#include <filch/simulate.h>
#include <filch/timer.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A scenario is a root task. It checks itself with seeds_check (which counts, and never jumps:
 * it runs on tasks' stacks) and returns 0, or anything once something was injected; `reset` (may be
 * NULL) is called before each run. What it draws itself, it draws with seeds_pick.
 *
 * A failure is printed with its seed. FILCH_SIM_FIRST and FILCH_SIM_SEEDS in the environment say
 * which seed to begin with, and how many: a first one and 1 for a run again.
 */
struct scenario {
	const char *name;
	filch_task_fn *fn;
	void (*reset)(void);
	unsigned workers; /* 0: by the seed, 1 to 4 */
};

#define SEEDS_CHOICES_MOST 2000000

static unsigned seeds_violations;
static const char *seeds_violated;
static uint64_t seeds_random;
static unsigned seeds_late;

#define SEEDS_TEXT_(line) #line
#define SEEDS_TEXT(line) SEEDS_TEXT_(line)
#define seeds_check(condition)                                                                     \
	((condition) ? (void)0 : seeds_note(__FILE__ ":" SEEDS_TEXT(__LINE__) ": " #condition))

/* The first one counts. */
static inline void seeds_note(const char *text)
{
	if (seeds_violations++ == 0)
		seeds_violated = text;
}

/* A number below n, by the seed and what was drawn before. */
static inline unsigned seeds_pick(unsigned n)
{
	seeds_random = seeds_random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((seeds_random >> 33) % n);
}

/* A deadline that does not come: nobody sleeps that long. */
static inline filch_time seeds_patience(void)
{
	return filch_now() + 100000 * FILCH_SECOND;
}

/* The status of a wait with that deadline: what ended it was not there, or a wakeup was lost. */
static inline int seeds_patient(int status)
{
	seeds_late += status == -ETIMEDOUT;
	return status;
}

static char seeds_report[4096];

static inline void seeds_keep_report(const char *line, void *context)
{
	size_t length = strlen(seeds_report);

	(void)context;
	snprintf(seeds_report + length, sizeof(seeds_report) - length, "%s\n", line);
}

static inline struct filch_simulation_options seeds_options(const struct scenario *scenario,
							    uint64_t seed)
{
	return (struct filch_simulation_options){
		.size = sizeof(struct filch_simulation_options),
		.seed = seed,
		.workers = scenario->workers ? scenario->workers : 1 + (unsigned)(seed % 4),
		.strategy = seed / 4 % 2 ? FILCH_SIMULATE_PCT : FILCH_SIMULATE_UNIFORM,
		.max_choices = SEEDS_CHOICES_MOST,
		.report = seeds_keep_report,
	};
}

/* One run: true when nothing was violated. */
static inline bool seeds_run(const struct scenario *scenario,
			     struct filch_simulation_options *options,
			     struct filch_simulation_result *result)
{
	int status;

	*result = (struct filch_simulation_result){ .size = sizeof(*result) };
	options->result = result;
	seeds_violations = seeds_late = 0;
	seeds_random = options->seed;
	seeds_report[0] = '\0';
	if (scenario->reset)
		scenario->reset();
	status = filch_simulate(options, scenario->fn, NULL);
	if (status == -EDEADLK || status == -ETIMEDOUT)
		seeds_note("it did not come to its end");
	else if (status < 0 && !result->injected)
		seeds_note("the scenario returned an error");
	if (seeds_late && !(result->injected && options->inject == FILCH_INJECT_TIMEOUT))
		seeds_note("a wait that had all the time timed out: a wakeup was lost");
	return seeds_violations == 0;
}

static inline void seeds_tell(const struct scenario *scenario,
			      const struct filch_simulation_options *options)
{
	fprintf(stderr, "%s: seed %llu, %u workers, %s, inject %d at %llu: %s\n%s", scenario->name,
		(unsigned long long)options->seed, options->workers,
		options->strategy == FILCH_SIMULATE_PCT ? "pct" : "uniform", (int)options->inject,
		(unsigned long long)options->inject_at, seeds_violated, seeds_report);
}

/* Under `count` seeds from `first`; the failing seed, 0 when there is none. */
static inline uint64_t seeds_search(const struct scenario *scenario, uint64_t first, uint64_t count)
{
	for (uint64_t seed = first; seed < first + count; seed++) {
		struct filch_simulation_options options = seeds_options(scenario, seed);
		struct filch_simulation_result result;

		if (seeds_run(scenario, &options, &result))
			continue;
		seeds_tell(scenario, &options);
		return seed;
	}
	return 0;
}

static inline uint64_t seeds_places(const struct filch_simulation_result *result,
				    enum filch_simulation_injection kind)
{
	switch (kind) {
	case FILCH_INJECT_CANCEL:
		return result->checkpoints;
	case FILCH_INJECT_TIMEOUT:
		return result->deadlines;
	case FILCH_INJECT_NO_MEMORY:
		return result->allocations;
	case FILCH_INJECT_NOTHING:
		break;
	}
	return 0;
}

/* Once for every place at which `kind` can be injected into the run of this seed. */
static inline bool seeds_inject(const struct scenario *scenario, uint64_t seed,
				enum filch_simulation_injection kind)
{
	struct filch_simulation_options options = seeds_options(scenario, seed);
	struct filch_simulation_result result;
	bool well = seeds_run(scenario, &options, &result);
	uint64_t places = seeds_places(&result, kind);

	options.inject = kind;
	for (uint64_t at = 1; well && at <= places; at++) {
		options.inject_at = at;
		well = seeds_run(scenario, &options, &result);
		if (well && !result.injected) {
			seeds_violated = "it was not the same run";
			well = false;
		}
	}
	if (!well)
		seeds_tell(scenario, &options);
	return well;
}

static inline uint64_t seeds_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* Fewer where a tool, or each atomic, makes a run dear. */
static inline uint64_t seeds_affordable(uint64_t count)
{
	if (sanitize_is_valgrind() || sanitize_is_thread())
		return count / 200 + 1;
#if defined(FILCH_SIMULATE_ATOMICS)
	return count / 8 + 1;
#else
	return sanitize_is_address() ? count / 16 + 1 : count;
#endif
}

#define SEEDS_INJECTED 20

/* All of it: `count` seeds; with some of them a cancel, a timeout, no memory at every place. */
static inline void seeds_explore(const struct scenario *scenario, uint64_t count)
{
	uint64_t first = seeds_number("FILCH_SIM_FIRST", 1);
	uint64_t most = seeds_number("FILCH_SIM_SEEDS", seeds_affordable(count));
	uint64_t injected = seeds_affordable(SEEDS_INJECTED);

	cr_expect_eq(seeds_search(scenario, first, most), 0);
	for (uint64_t seed = first; seed < first + injected; seed++) {
		cr_expect(seeds_inject(scenario, seed, FILCH_INJECT_CANCEL));
		cr_expect(seeds_inject(scenario, seed, FILCH_INJECT_TIMEOUT));
		cr_expect(seeds_inject(scenario, seed, FILCH_INJECT_NO_MEMORY));
	}
}

#endif
