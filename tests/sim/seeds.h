/* Running a scenario under many seeds, and once for everything that can go wrong in it. */
#ifndef FILCH_TESTS_SIM_SEEDS_H
#define FILCH_TESTS_SIM_SEEDS_H

#include <filch/simulate.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

/*
 * A scenario is a root task. It checks itself with seeds_check (which counts, and never jumps:
 * it runs on tasks' stacks) and returns 0; `reset` (may be NULL) is called before each run.
 */
struct scenario {
	const char *name;
	filch_task_fn *fn;
	void (*reset)(void);
	unsigned workers; /* 0: by the seed, 1 to 4 */
	bool may_fail;	  /* with something injected its status is its own affair */
};

static unsigned seeds_violations;
static const char *seeds_violated;

#define SEEDS_TEXT_(line) #line
#define SEEDS_TEXT(line) SEEDS_TEXT_(line)
#define seeds_check(condition)                                                                     \
	((condition) ? (void)0 : seeds_note(__FILE__ ":" SEEDS_TEXT(__LINE__) ": " #condition))

static inline void seeds_note(const char *text)
{
	seeds_violations++;
	seeds_violated = text;
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
	seeds_violations = 0;
	seeds_report[0] = '\0';
	if (scenario->reset)
		scenario->reset();
	status = filch_simulate(options, scenario->fn, NULL);
	if (status == -EDEADLK || status == -ETIMEDOUT)
		seeds_note("it came to an end");
	else if (status < 0 && !(scenario->may_fail && result->injected))
		seeds_note("the scenario returned an error");
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

/* Once for every place at which `kind` can be injected into the run of this seed; how many there
 * were, 0 after a failure. */
static inline uint64_t seeds_inject(const struct scenario *scenario, uint64_t seed,
				    enum filch_simulation_injection kind)
{
	struct filch_simulation_options options = seeds_options(scenario, seed);
	struct filch_simulation_result result;
	uint64_t places;

	if (!seeds_run(scenario, &options, &result)) {
		seeds_tell(scenario, &options);
		return 0;
	}
	places = seeds_places(&result, kind);
	for (uint64_t at = 1; at <= places; at++) {
		options.inject = kind;
		options.inject_at = at;
		if (!seeds_run(scenario, &options, &result)) {
			seeds_tell(scenario, &options);
			return 0;
		}
		if (!result.injected)
			return 0; /* it was not the same run */
	}
	return places;
}

#endif
