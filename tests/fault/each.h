/* What the tests of faults share: a scenario in which each call of a kind fails in turn. */
#ifndef TESTS_FAULT_EACH_H
#define TESTS_FAULT_EACH_H

#include "platform/fault.h"
#include "task/play.h"

#include <stdlib.h>

/* Memory that was taken from the test, and what came back. */
struct purse {
	int given, returned;
};

static inline void *purse_give(size_t size, size_t alignment, void *context)
{
	void *memory = NULL;

	if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size))
		return NULL;
	flag_add(&((struct purse *)context)->given);
	return memory;
}

static inline void purse_take(void *memory, void *context)
{
	flag_add(&((struct purse *)context)->returned);
	free(memory);
}

/* A scenario, and what shall fail in it: the kth call of a kind and the `times` - 1 after it. */
struct trial {
	filch_task_fn *scenario;
	enum filch__fault kind;
	uint32_t k, times, calls;
	unsigned workers;
};

static inline int try_it(void *arg)
{
	struct trial *trial = arg;
	int status;

	filch__fault_set(trial->kind, trial->k, trial->times);
	status = trial->scenario(arg);
	trial->calls = filch__fault_calls(trial->kind);
	filch__fault_clear();
	return status;
}

static inline void run_trial(struct trial *trial)
{
	struct purse purse = { 0, 0 };
	struct filch_options options = { .size = sizeof(options),
					 .workers = trial->workers,
					 .allocator = { purse_give, purse_take, &purse } };

	cr_assert_eq(filch_run_with(&options, try_it, trial), 0, "call %u of kind %d, %u workers",
		     trial->k, (int)trial->kind, trial->workers);
	cr_assert_eq(purse.given, purse.returned, "call %u of kind %d, %u workers", trial->k,
		     (int)trial->kind, trial->workers);
}

/*
 * Runs the scenario in a runtime of its own with the first call failing, the second, and so on
 * until none has failed; alone, and with all that follow it. The scenario returns 0 when all it was
 * told was as documented. What it leaves to be done is done with memory again.
 */
static inline void fail_each(filch_task_fn *scenario, enum filch__fault kind)
{
	static const unsigned workers[] = { 1, 2, 8 };

	for (int i = 0; i < 6; i++) {
		struct trial trial = { .scenario = scenario,
				       .kind = kind,
				       .times = i < 3 ? 1 : UINT32_MAX,
				       .workers = workers[i % 3] };

		/* A machine may be so slow that what would be waited for has come already. */
		for (int vain = 0; vain < 100 && trial.calls == 0; vain++) {
			trial.k = 1;
			run_trial(&trial);
		}
		while (trial.calls >= trial.k) {
			trial.k++;
			run_trial(&trial);
			cr_assert_lt(trial.k, 1000u);
		}
		cr_assert_gt(trial.k, 1u, "nothing could fail");
	}
}

#endif
