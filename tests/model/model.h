/* Checks the clients, or weakens each order and leaves out each step in turn, to be caught. */
#ifndef FILCH_MODEL_MODEL_H
#define FILCH_MODEL_MODEL_H

#include "relacy_atomic.h"

#include <stdio.h>

extern "C" {
extern struct model::site *const __start_model_sites[];
extern struct model::site *const __stop_model_sites[];
}

/* A payload: memory that is not atomic. Every access is checked for a race. */
#define PLAIN(T) rl::var<T>
#define PLAIN_READ(v) ((v).operator()(rl::debug_info(__func__, __FILE__, __LINE__)).load())
#define PLAIN_WRITE(v, x) ((v).operator()(rl::debug_info(__func__, __FILE__, __LINE__)).store(x))

namespace model
{

struct verdict {
	bool caught;
	bool complete; /* the search was exhausted */
	uint64_t iterations;
};

struct client {
	const char *name;
	struct verdict (*search)(rl::scheduler_type_e type, uint64_t most, bool verbose);
	uint64_t iterations; /* of the random scheduler */
	bool bound;	     /* also with at most 3 preemptions */
};

/* A mutant that no client can tell from the original, and why it is kept as it is. */
struct excuse {
	const char *function;
	const char *operation;
	const char *from, *to;
	const char *reason;
};

struct program {
	const char *file; /* sites in files whose path contains it are mutated */
	const struct client *clients;
	size_t client_count;
	const struct excuse *excuses;
	size_t excuse_count;
};

/* After so many per client and scheduler a mutant counts as not to be told from the original. */
#define MUTANT_ITERATIONS 100000

static uint64_t iterations_left;

/* To be called first in every client's before(): ends a search that is too long. */
static inline void begin(void)
{
	if (iterations_left-- == 0)
		rl::ctx().rl_until("enough", rl::debug_info());
}

/* Fails the execution when it is false. */
static inline void require(bool condition, const char *claim)
{
	if (!condition)
		rl::ctx().fail_test(claim, rl::test_result_user_assert_failed, rl::debug_info());
}

template <typename T> struct verdict search(rl::scheduler_type_e type, uint64_t most, bool verbose)
{
	std::ostream nowhere(NULL);
	rl::ostringstream state;
	rl::test_params params;
	rl::test_result_e result;

	params.iteration_count = most;
	params.search_type = type;
	params.context_bound = 3;
	params.execution_depth_limit = 4000;
	params.progress_stream = &nowhere;
	params.output_stream =
		verbose ? &std::cout : &nowhere; /* with the history of the failure */
	iterations_left = most;
	if (verbose)
		return { !rl::simulate<T>(params), false, (uint64_t)params.stop_iteration };
	if (type == rl::sched_random)
		result = rl::run_test<T, rl::random_scheduler<T::params::thread_count>>(
			params, state, false);
	else
		result = rl::run_test<T, rl::context_bound_scheduler<T::params::thread_count>>(
			params, state, false);
	return { result != rl::test_result_success && result != rl::test_result_until_condition_hit,
		 result == rl::test_result_success && type != rl::sched_random,
		 (uint64_t)params.stop_iteration };
}

static inline bool check_one(const struct client *client, rl::scheduler_type_e type, uint64_t most)
{
	struct verdict verdict = client->search(type, most, false);

	printf("%-28s %-13s %9llu executions%s%s\n", client->name, rl::format(type) + 0,
	       (unsigned long long)verdict.iterations, verdict.complete ? ", all" : "",
	       verdict.caught ? "  FAILED" : "");
	fflush(stdout);
	if (verdict.caught)
		client->search(type, most, true);
	return !verdict.caught;
}

static inline bool is_mutated(const struct program *program, const struct site *site)
{
	return strstr(site->file, program->file) != NULL;
}

/* Every ordered site was executed: otherwise the clients lack something. */
static inline bool check_coverage(const struct program *program)
{
	bool good = true;

	for (struct site *const *at = __start_model_sites; at != __stop_model_sites; at++) {
		if (!is_mutated(program, *at) || (*at)->visits != 0)
			continue;
		printf("%s:%d: %s in %s is never executed\n", (*at)->file, (*at)->line,
		       (*at)->operation, (*at)->function);
		good = (*at)->order == rl::mo_relaxed && good;
	}
	return good;
}

/* How many ways there are to see the asymmetric barrier: none to speak of, or two. */
static inline int barrier_views(void)
{
	for (struct site *const *at = __start_model_sites; at != __stop_model_sites; at++)
		if ((*at)->kind == HEAVY)
			return 2;
	return 1;
}

static inline bool check(const struct program *program)
{
	bool good = true;

	for (int view = 0; view < barrier_views(); view++) {
		if (view == 1)
			printf("-- the barrier as membarrier(2)\n");
		membarrier_is_systemwide = view == 1;
		for (size_t i = 0; i < program->client_count && good; i++) {
			const struct client *client = &program->clients[i];
			uint64_t most = client->iterations >> view;

			good = check_one(client, rl::sched_random, most);
			if (good && client->bound)
				good = check_one(client, rl::sched_bound, most);
		}
	}
	membarrier_is_systemwide = false;
	return good && check_coverage(program);
}

/* The orders one step below; returns how many. */
static inline int weaker(enum kind kind, rl::memory_order order, rl::memory_order out[2])
{
	switch (order) {
	case rl::mo_seq_cst:
		out[0] = kind == LOAD	 ? rl::mo_acquire
			 : kind == STORE ? rl::mo_release
					 : rl::mo_acq_rel;
		return 1;
	case rl::mo_acq_rel:
		out[0] = rl::mo_acquire;
		out[1] = rl::mo_release;
		return 2;
	case rl::mo_acquire:
	case rl::mo_release:
		out[0] = rl::mo_relaxed;
		return 1;
	default:
		return 0;
	}
}

/* All clients with at most so many executions each; adds those there were to *total. */
static inline bool is_caught(const struct program *program, uint64_t most, uint64_t *total)
{
	for (size_t i = 0; i < program->client_count; i++) {
		const struct client *client = &program->clients[i];
		uint64_t now = most < client->iterations ? most : client->iterations;
		struct verdict verdict = client->search(rl::sched_random, now, false);

		*total += verdict.iterations;
		if (!verdict.caught && client->bound) {
			verdict = client->search(rl::sched_bound, now, false);
			*total += verdict.iterations;
		}
		if (verdict.caught)
			return true;
	}
	return false;
}

static inline struct verdict hunt(const struct program *program)
{
	struct verdict verdict = { false, false, 0 };
	const uint64_t rounds[] = { 2000, 20000, MUTANT_ITERATIONS };

	for (uint64_t most : rounds) {
		for (int view = 0; view < barrier_views() && !verdict.caught; view++) {
			membarrier_is_systemwide = view == 1;
			verdict.caught = is_caught(program, most, &verdict.iterations);
		}
		if (verdict.caught)
			break;
	}
	membarrier_is_systemwide = false;
	return verdict;
}

struct tally {
	unsigned mutants, caught, excused, survived;
};

static inline const struct excuse *excuse_for(const struct program *program,
					      const struct site *site, const char *operation,
					      const char *from, const char *to)
{
	for (size_t i = 0; i < program->excuse_count; i++) {
		const struct excuse *excuse = &program->excuses[i];

		if (!strcmp(excuse->function, site->function) &&
		    !strcmp(excuse->operation, operation) && !strcmp(excuse->from, from) &&
		    !strcmp(excuse->to, to))
			return excuse;
	}
	return NULL;
}

/* One mutant, already in force. */
static inline void judge(const struct program *program, const struct site *site,
			 const char *operation, const char *from, const char *to,
			 struct tally *tally)
{
	struct verdict verdict = hunt(program);
	const struct excuse *excuse = excuse_for(program, site, operation, from, to);
	const char *file = strrchr(site->file, '/');

	printf("%-16s %4d  %-28s %-9s %-8s -> %-8s ", file ? file + 1 : site->file, site->line,
	       site->function, operation, from, to);
	tally->mutants++;
	if (verdict.caught) {
		tally->caught++;
		printf("caught after %llu\n", (unsigned long long)verdict.iterations);
	} else if (excuse) {
		tally->excused++;
		printf("not distinguished: %s\n", excuse->reason);
	} else {
		tally->survived++;
		printf("SURVIVED %llu\n", (unsigned long long)verdict.iterations);
	}
	fflush(stdout);
}

static inline void mutate_site(const struct program *program, struct site *site,
			       struct tally *tally)
{
	const rl::memory_order order = site->order, failure = site->failure;
	rl::memory_order out[2];
	int count;

	if (site->kind == LIGHT || site->kind == HEAVY || site->kind == STEP) {
		site->dropped = true;
		judge(program, site, site->operation, site->kind == STEP ? "step" : "barrier",
		      "nothing", tally);
		site->dropped = false;
		return;
	}
	count = weaker(site->kind, order, out);
	for (int i = 0; i < count; i++) {
		site->order = out[i];
		judge(program, site, site->operation, rl::format(order), rl::format(out[i]), tally);
	}
	site->order = order;
	if (site->kind != CAS || failure == rl::mo_relaxed)
		return;
	site->failure = rl::mo_relaxed;
	judge(program, site, "failure", rl::format(failure), "relaxed", tally);
	site->failure = failure;
}

static inline bool mutants(const struct program *program)
{
	struct tally tally = { 0, 0, 0, 0 };

	for (struct site *const *at = __start_model_sites; at != __stop_model_sites; at++)
		if (is_mutated(program, *at))
			mutate_site(program, *at, &tally);
	printf("%u mutants: %u caught, %u not distinguished, %u survived\n", tally.mutants,
	       tally.caught, tally.excused, tally.survived);
	return tally.survived == 0;
}

static inline int run(int argc, char **argv, const struct program *program)
{
	bool good = argc > 1 && !strcmp(argv[1], "mutants") ? mutants(program) : check(program);

	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace model

#endif
