/* Beginning and ending a pool of stacks. */
#include "memory/slab.h"

#include "platform/pages.h"

#include <errno.h>
#include <string.h>

#define SMALL_SIZE ((size_t)64 << 10)
#define LARGE_SIZE ((size_t)1 << 20)
#define LEAST_SIZE ((size_t)16 << 10)
#define SMALL_BATCH 32
#define LARGE_BATCH 4
#define HIGH_WATER 1024 /* idle small stacks: 8 MiB of warm pages */

static int choose_guard(struct stack_pool *pool)
{
	enum filch_guard guard = pool->options.guard;

	if (guard < FILCH_GUARD_AUTO || guard > FILCH_GUARD_CANARY)
		return -EINVAL;
	if (guard == FILCH_GUARD_AUTO || guard == FILCH_GUARD_INSTALL) {
		bool can = filch__pages_can_guard();

		if (!can && guard == FILCH_GUARD_INSTALL)
			return -EINVAL;
		guard = can ? FILCH_GUARD_INSTALL : FILCH_GUARD_PROTECT;
	}
	/* relaxed: not shared yet. */
	word32_store_relaxed(&pool->guard, (uint32_t)guard);
	return 0;
}

/* With a low cap one cache must not hoard what the others starve for, not even one stack (1). */
static uint32_t batch_below(size_t max_stacks, uint32_t batch)
{
	size_t share = max_stacks / 256; /* two batches for each of 64 workers: half of it */

	if (max_stacks == 0 || share >= batch)
		return batch;
	return share ? (uint32_t)share : 1;
}

static void depot_init(struct stack_pool *pool, enum filch_stack_class stack_class, size_t size,
		       uint32_t batch, size_t high_water)
{
	struct stack_depot *depot = &pool->depots[stack_class];

	depot->stride = (size + pool->page - 1) & ~(pool->page - 1);
	if (depot->stride < 2 * pool->page)
		depot->stride = 2 * pool->page;
	/* An odd number of pages: the tops of stacks a power of two apart would share a few cache
	 * sets. */
	if (depot->stride / pool->page % 2 == 0)
		depot->stride += pool->page;
	depot->batch = batch_below(pool->options.max_stacks, batch);
	depot->high_water = high_water;
}

int filch__stack_pool_init(struct stack_pool *pool, const struct stack_options *options)
{
	size_t small = options->small_size ? options->small_size : SMALL_SIZE;
	size_t large = options->large_size ? options->large_size : LARGE_SIZE;
	size_t unit = options->descriptor_size ? options->descriptor_size : sizeof(struct stack);
	size_t high = options->high_water ? options->high_water : HIGH_WATER;
	int status;

	memset(pool, 0, sizeof(*pool));
	if (small < LEAST_SIZE || large < LEAST_SIZE)
		return -EINVAL;
	if (small > SIZE_MAX / 4 || large > SIZE_MAX / 4)
		return -EINVAL;
	if (unit < sizeof(struct stack))
		return -EINVAL;
	pool->options = *options;
	pool->options.descriptor_size =
		(unit + FILCH_CACHE_LINE - 1) & ~(size_t)(FILCH_CACHE_LINE - 1);
	pool->page = filch__pages_size();
	status = choose_guard(pool);
	if (status < 0)
		goto fail;
	status = pthread_mutex_init(&pool->growing, NULL);
	if (status != 0) {
		status = -status;
		goto fail;
	}
	depot_init(pool, FILCH_STACK_SMALL, small, SMALL_BATCH, high);
	depot_init(pool, FILCH_STACK_LARGE, large, LARGE_BATCH, high / 16);
	return 0;
fail:
	pool->page = 0;
	return status;
}

void filch__stack_pool_fini(struct stack_pool *pool)
{
	if (!pool || pool->page == 0)
		return;
	for (int i = 0; i < STACK_CLASSES; i++)
		filch__slab_unmap(pool, (enum filch_stack_class)i);
	pthread_mutex_destroy(&pool->growing);
	memset(pool, 0, sizeof(*pool));
}

void filch__stack_pool_stats(const struct stack_pool *pool, struct stack_stats *stats)
{
	/* relaxed: counts, each true by itself. */
	stats->live = word64_load_relaxed(&pool->out);
	stats->peak = word64_load_relaxed(&pool->peak);
	stats->mapped = word64_load_relaxed(&pool->mapped);
	/* relaxed: as above. */
	stats->guard = (enum filch_guard)word32_load_relaxed(&pool->guard);
}

static bool count_batches(const struct stack *first, uint64_t *count)
{
	uint64_t seen = 0;

	for (const struct stack *batch = first; batch; batch = batch->next_batch) {
		uint64_t before = seen;

		for (const struct stack *stack = batch; stack; stack = stack->next)
			seen++;
		if (seen - before != batch->batch_count)
			return false;
	}
	*count = seen;
	return true;
}

static bool depot_is_valid(struct stack_depot *depot)
{
	uint64_t warm, frozen;

	if (!count_batches(depot->batches, &warm) || !count_batches(depot->frozen, &frozen))
		return false;
	/* relaxed: under the lock. */
	return warm == word64_load_relaxed(&depot->warm) &&
	       warm + frozen == word64_load_relaxed(&depot->idle);
}

bool filch__stack_pool_is_valid(struct stack_pool *pool)
{
	bool valid = true;

	for (int i = 0; i < STACK_CLASSES; i++) {
		spin_acquire(&pool->depots[i].lock);
		valid = depot_is_valid(&pool->depots[i]) && valid;
		spin_release(&pool->depots[i].lock);
	}
	return valid;
}
