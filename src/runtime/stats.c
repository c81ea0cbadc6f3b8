/* What the counters say. */
#include "runtime/runtime.h"

#include "sched/worker.h"

#include <errno.h>

int filch_runtime_stats(const struct filch_runtime *runtime, struct filch_runtime_stats *stats)
{
	struct stack_stats stacks;
	uint64_t warm = 0;

	if (!runtime || !stats)
		return -EINVAL;
	*stats = (struct filch_runtime_stats){ .workers = runtime->scheduler.count };
	for (unsigned i = 0; i < runtime->scheduler.count; i++) {
		const struct worker *worker = &runtime->scheduler.workers[i];

		warm += stack_cache_idle(&worker->stacks);
		/* relaxed: counts. */
		stats->steals += word64_load_relaxed(&worker->stats.steals);
		stats->tasks_stolen += word64_load_relaxed(&worker->stats.stolen);
		/* relaxed: counts, too. */
		stats->parks += word64_load_relaxed(&worker->stats.parks);
		stats->wakes += word64_load_relaxed(&worker->stats.wakes);
	}
	filch__stack_pool_stats(&runtime->scheduler.stacks, &stacks);
	stats->stacks_live = stacks.live - warm;
	stats->stacks_peak = stacks.peak;
	stats->stacks_bytes = stacks.mapped;
	stats->guard = stacks.guard;
	return 0;
}
