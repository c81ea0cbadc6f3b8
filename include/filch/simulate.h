/* A simulated runtime: one thread, many workers, a virtual clock, and a seed that decides. */
#ifndef FILCH_SIMULATE_H
#define FILCH_SIMULATE_H

#include <filch/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * For tests. A program under filch_simulate() runs as under filch_run(), but its workers take turns
 * on the caller's thread. Who goes on is chosen at every call of the library that may park, spawns,
 * wakes or cancels, and so is what the library leaves open (which worker is robbed, who of the
 * ready goes first, which of equal timers fires first). All of it follows from the seed: a run
 * that failed is repeated exactly by its seed, provided the program itself asks nobody else (real
 * time, random numbers, addresses, other threads).
 *
 *	for (uint64_t seed = 1; seed <= 1000; seed++) {
 *		struct filch_simulation_options options = { .size = sizeof(options), .seed = seed };
 *
 *		if (filch_simulate(&options, scenario, &argument) != 0)
 *			printf("seed %llu fails\n", (unsigned long long)seed);
 *	}
 *
 * Time stands still while anything can run and jumps to the next deadline when everything is
 * parked. When there is no deadline either, that is a deadlock: every task is named, with
 * what it waits for, all tasks are cancelled, and -EDEADLK is returned.
 */
enum filch_simulation_strategy {
	FILCH_SIMULATE_UNIFORM, /* each choice is equally likely */
	/* Probabilistic concurrency testing (Burckhardt and others, ASPLOS 2010): workers have
	 * priorities, which change at `depth` - 1 places. Finds what needs long delays. */
	FILCH_SIMULATE_PCT
};

/* What goes wrong at the place `inject_at`, counted from 1 in the order of the run. */
enum filch_simulation_injection {
	FILCH_INJECT_NOTHING,
	FILCH_INJECT_CANCEL,   /* at this checkpoint, or park, the caller's scope is cancelled */
	FILCH_INJECT_TIMEOUT,  /* as this wait with a deadline begins, its deadline comes */
	FILCH_INJECT_NO_MEMORY /* this allocation fails */
};

/* What has happened. What an injection can be at is counted while fn runs. */
struct filch_simulation_result {
	size_t size;   /* sizeof(struct filch_simulation_result) */
	uint64_t hash; /* of the trace */
	uint64_t choices;
	uint64_t checkpoints; /* for FILCH_INJECT_CANCEL */
	uint64_t deadlines;   /* for FILCH_INJECT_TIMEOUT */
	uint64_t allocations; /* for FILCH_INJECT_NO_MEMORY */
	filch_time elapsed;   /* virtual */
	bool injected;	      /* the run came to that place */
	bool lost_wakeup;     /* all workers slept while there was work: a bug of the library */
	uint64_t room[4];
};

struct filch_simulation_options {
	size_t size; /* sizeof(struct filch_simulation_options) */
	uint64_t seed;
	unsigned workers; /* 0: 2 */
	enum filch_simulation_strategy strategy;
	unsigned depth;	      /* of PCT; 0: 3 */
	uint64_t length;      /* of PCT: choices in a run, about; 0: drawn, up to 65536 */
	uint64_t max_choices; /* then it is given up, as a loop without end; 0: 100 million */
	enum filch_simulation_injection inject;
	uint64_t inject_at;
	/* The trace, a line at a time, and what is to be said of a failure (default: stderr). */
	void (*trace)(const char *line, void *context);
	void *trace_context;
	void (*report)(const char *line, void *context);
	void *report_context;
	struct filch_simulation_result *result; /* may be NULL; its size is to be set */
	/* For the runtime; workers, affinity and environment do not count. May be NULL. */
	const struct filch_options *runtime;
	void *room[8];
};

/*
 * Runs fn(arg) as the root task of a simulated runtime and waits for every task that it
 * has submitted. `options` NULL: all defaults.
 * Context: a thread, or a task (which blocks its worker); not in a simulation (-EPERM).
 * Returns the task's status; -EDEADLK (reported; tasks that a cancel does not end are abandoned,
 * with whatever they own), -ETIMEDOUT after max_choices (reported, abandoned), -EINVAL, -ENOMEM.
 */
FILCH_API int filch_simulate(const struct filch_simulation_options *options, filch_task_fn *fn,
			     void *arg);

/*
 * Waits until every other task is parked, before time moves on; of several callers one
 * at a time returns, first come first served.
 * Context: a task in a simulation; parks. Returns 0, -ECANCELED, -EPERM elsewhere.
 */
FILCH_API int filch_simulation_wait_all_parked(void);

/* Is the caller in a simulation? */
FILCH_API bool filch_simulation_is_running(void);

/*
 * A simulated runtime, its tasks, timers and clock concern nobody outside: there filch_now() is
 * real, a timer of a simulated runtime cannot be started (-EPERM), nothing is submitted to it
 * (-EPERM), a deadline of one of its tokens cannot be set (-EPERM), and waking one of its
 * tasks ends the process with a message. So it is the other way round.
 */

#ifdef __cplusplus
}
#endif

#endif
