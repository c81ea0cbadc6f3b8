/* Counters that say which call fails. */
#include "platform/fault.h"

#include "base/atomic.h"
#include "base/compiler.h"

/* Global, as what it breaks: a process has one kernel and one heap. Set by tests only. */
static struct filch_word32 in_use;
static struct plan {
	struct filch_word32 first, times, calls;
} plans[FILCH__FAULT_KINDS];

void filch__fault_set(enum filch__fault kind, uint32_t nth, uint32_t times)
{
	struct plan *plan = &plans[kind];

	/* relaxed: a test sets before it starts the threads that hit. */
	word32_store_relaxed(&plan->first, nth);
	word32_store_relaxed(&plan->times, times);
	word32_store_relaxed(&plan->calls, 0);
	/* relaxed: as above. */
	word32_store_relaxed(&in_use, 1);
}

uint32_t filch__fault_calls(enum filch__fault kind)
{
	/* relaxed: a count. */
	return word32_load_relaxed(&plans[kind].calls);
}

void filch__fault_clear(void)
{
	/* relaxed: who still sees 1 finds plans that hit nothing. */
	word32_store_relaxed(&in_use, 0);
	for (int kind = 0; kind < FILCH__FAULT_KINDS; kind++)
		filch__fault_set((enum filch__fault)kind, 0, 0);
	/* relaxed: as above. */
	word32_store_relaxed(&in_use, 0);
}

static bool hit(struct plan *plan)
{
	/* relaxed: each caller only needs a number of its own. */
	uint32_t call = word32_add_relaxed(&plan->calls, 1) + 1;
	uint32_t first = word32_load_relaxed(&plan->first);
	/* relaxed: set before the threads that hit were started. */
	uint32_t times = word32_load_relaxed(&plan->times);

	return times > 0 && call >= first && call - first < times;
}

bool filch__fault_hit(enum filch__fault kind)
{
	/* relaxed: see filch__fault_set. */
	return unlikely(word32_load_relaxed(&in_use) != 0) && hit(&plans[kind]);
}
