/* Taking stacks and giving them back: caches, batches, the depot. */
#include "memory/slab.h"

#include "platform/sanitizer_stack.h"

#include <string.h>

#define CUT_AT_ONCE 8 /* new stacks per visit of the slab; a page table entry each until used */

/* ---- the depot ---- */

/* Under the lock. */
static void add_count(struct filch_word64 *word, uint64_t count)
{
	/* relaxed: under the lock; a hint elsewhere. */
	word64_store_relaxed(word, word64_load_relaxed(word) + count);
}

static void add_batch(struct stack_depot *depot, struct stack *first, bool warm)
{
	struct stack **batches = warm ? &depot->batches : &depot->frozen;

	spin_acquire(&depot->lock);
	first->next_batch = *batches;
	*batches = first;
	add_count(&depot->idle, first->batch_count);
	if (warm)
		add_count(&depot->warm, first->batch_count);
	spin_release(&depot->lock);
}

static void depot_push(struct stack_pool *pool, enum filch_stack_class stack_class,
		       struct stack_list *list)
{
	struct stack_depot *depot = &pool->depots[stack_class];
	struct stack *first = list->first;
	uint32_t count = list->count;

	*list = (struct stack_list){ NULL, 0 };
	if (!first)
		return;
	for (struct stack *stack = first; stack; stack = stack->next)
		filch__slab_trim(pool, stack, false);
	first->batch_count = count;
	/* relaxed: a count. */
	word64_sub_relaxed(&pool->out, count);
	add_batch(depot, first, true);
}

static struct stack_list take_batch(struct stack_depot *depot, bool also_frozen)
{
	struct stack_list list = { NULL, 0 };
	struct stack **batches;

	spin_acquire(&depot->lock);
	batches = depot->batches || !also_frozen ? &depot->batches : &depot->frozen;
	list.first = *batches;
	if (list.first) {
		list.count = list.first->batch_count;
		*batches = list.first->next_batch;
		add_count(&depot->idle, -(uint64_t)list.count);
		if (batches == &depot->batches)
			add_count(&depot->warm, -(uint64_t)list.count);
	}
	spin_release(&depot->lock);
	return list;
}

static struct stack_list depot_pop(struct stack_depot *depot)
{
	/* relaxed: a hint; an empty depot costs no lock. */
	if (word64_load_relaxed(&depot->idle) == 0)
		return (struct stack_list){ NULL, 0 };
	return take_batch(depot, true);
}

bool filch__stack_pool_trim(struct stack_pool *pool)
{
	for (int i = 0; i < STACK_CLASSES; i++) {
		struct stack_depot *depot = &pool->depots[i];
		struct stack_list list;

		/* relaxed: a threshold. */
		if (word64_load_relaxed(&depot->warm) <= depot->high_water)
			continue;
		list = take_batch(depot, false);
		for (struct stack *stack = list.first; stack; stack = stack->next)
			filch__slab_trim(pool, stack, true);
		if (list.first)
			add_batch(depot, list.first, false);
		return true;
	}
	return false;
}

static void count_out(struct stack_pool *pool, uint32_t count)
{
	/* relaxed: counts. */
	uint64_t out = word64_add_relaxed(&pool->out, count) + count;
	/* relaxed: as above. */
	uint64_t peak = word64_load_relaxed(&pool->peak);

	/* relaxed: as above. */
	while (out > peak && !word64_cas_relaxed(&pool->peak, &peak, out))
		;
}

/* A batch from the depot, else up to `fresh` new ones; empty at the cap or without memory. */
static struct stack_list obtain(struct stack_pool *pool, enum filch_stack_class stack_class,
				uint32_t fresh)
{
	struct stack_list list = depot_pop(&pool->depots[stack_class]);

	if (!list.first)
		filch__slab_cut(pool, stack_class, fresh, &list);
	if (list.first)
		count_out(pool, list.count);
	return list;
}

/* ---- lists and caches ---- */

static void list_push(struct stack_list *list, struct stack *stack)
{
	stack->next = list->first;
	list->first = stack;
	list->count++;
}

static struct stack *list_pop(struct stack_list *list)
{
	struct stack *stack = list->first;

	if (stack) {
		list->first = stack->next;
		list->count--;
	}
	return stack;
}

static void set_idle(struct stack_cache *cache)
{
	uint32_t idle = 0;

	for (int i = 0; i < STACK_CLASSES; i++)
		idle += cache->bins[i].hot.count + cache->bins[i].cold.count;
	/* relaxed: written by the owner only, read for statistics. */
	word32_store_relaxed(&cache->idle, idle);
}

void filch__stack_cache_init(struct stack_cache *cache)
{
	memset(cache, 0, sizeof(*cache));
}

void filch__stack_cache_flush(struct stack_pool *pool, struct stack_cache *cache)
{
	for (int i = 0; i < STACK_CLASSES; i++) {
		depot_push(pool, (enum filch_stack_class)i, &cache->bins[i].cold);
		depot_push(pool, (enum filch_stack_class)i, &cache->bins[i].hot);
	}
	set_idle(cache);
}

static struct stack *get_cached(struct stack_pool *pool, struct stack_cache *cache,
				enum filch_stack_class stack_class)
{
	struct stack_list *hot = &cache->bins[stack_class].hot;
	struct stack_list *cold = &cache->bins[stack_class].cold;
	uint32_t batch = pool->depots[stack_class].batch;
	struct stack *stack;

	if (!hot->first) {
		*hot = *cold;
		*cold = (struct stack_list){ NULL, 0 };
	}
	if (!hot->first)
		*hot = obtain(pool, stack_class, batch < CUT_AT_ONCE ? batch : CUT_AT_ONCE);
	stack = list_pop(hot);
	set_idle(cache);
	return stack;
}

static struct stack *get_shared(struct stack_pool *pool, enum filch_stack_class stack_class)
{
	struct stack_list list = obtain(pool, stack_class, 1);
	struct stack *stack = list_pop(&list);

	depot_push(pool, stack_class, &list);
	return stack;
}

struct stack *filch__stack_get(struct stack_pool *pool, struct stack_cache *cache,
			       enum filch_stack_class stack_class)
{
	struct stack *stack =
		cache ? get_cached(pool, cache, stack_class) : get_shared(pool, stack_class);

	if (stack && unlikely(stack->is_cold))
		filch__slab_mark(pool, stack);
	return stack;
}

void filch__stack_put(struct stack_pool *pool, struct stack_cache *cache, struct stack *stack)
{
	enum filch_stack_class stack_class = (enum filch_stack_class)stack->stack_class;
	struct stack_list one = { NULL, 0 };
	bool cached = cache && pool->depots[stack_class].batch > 1;
	struct stack_list *hot = cached ? &cache->bins[stack_class].hot : &one;

	sanitize_stack_unpoison(stack->lo, stack->size);
	list_push(hot, stack);
	if (!cached) {
		depot_push(pool, stack_class, &one);
		return;
	}
	/* A full half goes down one step: the coldest leave, by the batch. */
	if (hot->count >= pool->depots[stack_class].batch) {
		depot_push(pool, stack_class, &cache->bins[stack_class].cold);
		cache->bins[stack_class].cold = *hot;
		*hot = (struct stack_list){ NULL, 0 };
	}
	set_idle(cache);
}
