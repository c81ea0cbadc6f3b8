/* Mapping slabs, cutting stacks, guards, marks, trimming. */
#include "memory/slab.h"

#include "base/world.h"
#include "platform/allocate.h"
#include "platform/pages.h"
#include "platform/sanitizer_stack.h"

#include <stdint.h>

#define FIRST_SLAB ((size_t)16 << 20) /* so that a small runtime fits a small RLIMIT_AS */
#define NEXT_SLAB ((size_t)64 << 20)
#define KEEP_WARM 8192 /* bytes at the top that trimming leaves */
#define COLOURS 16     /* initial stack pointers 128 bytes apart: other cache sets, same page */
#define COLOUR_STEP 128
#define MARK_WORDS 8
#define MARK_BYTES (MARK_WORDS * sizeof(uint64_t))

struct slab {
	struct slab *next; /* older */
	char *base;
	size_t bytes;
	uint32_t total;
	struct filch_word32 cut; /* stacks born; written under `growing` */
	size_t stride;
	size_t descriptor_size;
	char *descriptors; /* behind this struct, aligned */
};

static struct stack *descriptor_of(const struct slab *slab, size_t index)
{
	return (struct stack *)(void *)(slab->descriptors + index * slab->descriptor_size);
}

static struct slab *newest(const struct stack_pool *pool, enum filch_stack_class stack_class)
{
	/* acquire: pairs with the release in add_slab. */
	return (struct slab *)pointer_load_acquire(&pool->depots[stack_class].slabs);
}

/* ---- marks ---- */

/* Bottom of the top page: who went deeper has most likely written here. */
static uint64_t *depth_mark(const struct stack_pool *pool, const struct stack *stack)
{
	uintptr_t end = ((uintptr_t)stack->lo + stack->size + pool->page - 1) & ~(pool->page - 1);
	uintptr_t at = end - pool->page;

	return (uint64_t *)(at > (uintptr_t)stack->lo ? at : (uintptr_t)stack->lo);
}

static uint64_t *canary(const struct stack *stack)
{
	return (uint64_t *)(void *)(stack->lo - MARK_BYTES);
}

static void mark_write(uint64_t *mark)
{
	sanitize_memory_defined(mark, MARK_BYTES);
	for (size_t i = 0; i < MARK_WORDS; i++)
		mark[i] = UINT64_C(0xf11c4f11c4f11c4f) ^ (uintptr_t)(mark + i);
}

static bool mark_is_intact(const uint64_t *mark)
{
	uint64_t differs = 0;

	sanitize_memory_defined(mark, MARK_BYTES);
	for (size_t i = 0; i < MARK_WORDS; i++)
		differs |= mark[i] ^ UINT64_C(0xf11c4f11c4f11c4f) ^ (uintptr_t)(mark + i);
	return differs == 0;
}

void filch__slab_mark(const struct stack_pool *pool, struct stack *stack)
{
	mark_write(depth_mark(pool, stack));
	if (stack->guard == FILCH_GUARD_CANARY)
		mark_write(canary(stack));
	stack->is_cold = false;
}

bool filch__stack_intact(const struct stack *stack)
{
	return stack->guard != FILCH_GUARD_CANARY || mark_is_intact(canary(stack));
}

void filch__slab_trim(const struct stack_pool *pool, struct stack *stack, bool all)
{
	uintptr_t lo = ((uintptr_t)stack->lo + pool->page - 1) & ~(pool->page - 1);
	uintptr_t hi = ((uintptr_t)stack->lo + stack->size + pool->page - 1) & ~(pool->page - 1);
	size_t keep = pool->page < KEEP_WARM ? KEEP_WARM : pool->page;

	if (stack->is_cold)
		return;
	if (all) {
		/* The canary's page as well: a get writes the marks again. */
		lo = (uintptr_t)stack->lo & ~(pool->page - 1);
		filch__pages_discard((void *)lo, hi - lo);
		stack->is_cold = true;
	} else if (!mark_is_intact(depth_mark(pool, stack))) {
		if (hi - keep > lo)
			filch__pages_discard((void *)lo, hi - keep - lo);
		mark_write(depth_mark(pool, stack));
	}
}

/* ---- cutting ---- */

/* Guards the page at `base` as well as it can be done now; each step down is for good. */
static enum filch_guard guard_page(struct stack_pool *pool, char *base)
{
	/* relaxed: written here only, under `growing`. */
	enum filch_guard mode = (enum filch_guard)word32_load_relaxed(&pool->guard);

	if (mode == FILCH_GUARD_INSTALL && filch__pages_guard(base, pool->page) < 0)
		mode = FILCH_GUARD_PROTECT;
	if (mode == FILCH_GUARD_PROTECT && filch__pages_protect(base, pool->page) < 0)
		mode = FILCH_GUARD_CANARY;
	/* relaxed: for statistics. */
	word32_store_relaxed(&pool->guard, (uint32_t)mode);
	return mode;
}

static struct stack *stack_make(struct stack_pool *pool, struct slab *slab, uint32_t index,
				enum filch_stack_class stack_class)
{
	struct stack *stack = descriptor_of(slab, index);
	char *base = slab->base + index * slab->stride;
	enum filch_guard guard = guard_page(pool, base);

	stack->lo = base + (guard == FILCH_GUARD_CANARY ? MARK_BYTES : pool->page);
	stack->size = (size_t)(base + slab->stride - stack->lo) - index % COLOURS * COLOUR_STEP;
	stack->stack_class = (uint8_t)stack_class;
	stack->guard = (uint8_t)guard;
	stack->is_cold = true; /* never touched: marked by the first get */
	stack->tsan = sanitize_thread_create();
	stack->valgrind = sanitize_stack_register(stack->lo, stack->size);
	sanitize_root_add(stack->lo, stack->size);
	return stack;
}

/* Large first, then halves, down to one stack. */
static char *map_slab(const struct stack_pool *pool, const struct stack_depot *depot,
		      uint32_t *total, bool first)
{
	size_t stride = depot->stride;
	size_t count = (first ? FIRST_SLAB : NEXT_SLAB) / stride;

	if (count == 0)
		count = 1;
	if (pool->options.max_stacks && count > pool->options.max_stacks - depot->born)
		count = pool->options.max_stacks - depot->born;
	for (; count > 0; count /= 2) {
		char *base = filch__pages_map(count * stride);

		*total = (uint32_t)count;
		if (base)
			return base;
	}
	return NULL;
}

static struct slab *add_slab(struct stack_pool *pool, enum filch_stack_class stack_class)
{
	struct stack_depot *depot = &pool->depots[stack_class];
	size_t unit = pool->options.descriptor_size;
	struct slab *older = newest(pool, stack_class);
	uint32_t total;
	char *base = map_slab(pool, depot, &total, !older);
	struct slab *slab;

	if (!base)
		return NULL;
	slab = filch__allocate_zeroed(pool->options.allocator,
				      sizeof(*slab) + FILCH_CACHE_LINE + total * unit);
	if (!slab) {
		filch__pages_unmap(base, total * depot->stride);
		return NULL;
	}
	slab->next = older;
	slab->base = base;
	slab->bytes = total * depot->stride;
	slab->total = total;
	slab->stride = depot->stride;
	slab->descriptor_size = unit;
	slab->descriptors = (char *)(((uintptr_t)(slab + 1) + FILCH_CACHE_LINE - 1) &
				     ~(uintptr_t)(FILCH_CACHE_LINE - 1));
	/* relaxed: a count. */
	word64_add_relaxed(&pool->mapped, slab->bytes);
	/* release: pairs with the acquire in newest (find, in a signal handler). */
	pointer_store_release(&depot->slabs, slab);
	return slab;
}

uint32_t filch__slab_cut(struct stack_pool *pool, enum filch_stack_class stack_class, uint32_t n,
			 struct stack_list *list)
{
	struct stack_depot *depot = &pool->depots[stack_class];

	*list = (struct stack_list){ NULL, 0 };
	world_mask(1);
	pthread_mutex_lock(&pool->growing);
	while (list->count < n &&
	       (!pool->options.max_stacks || depot->born < pool->options.max_stacks)) {
		struct slab *slab = newest(pool, stack_class);
		/* relaxed: written under the mutex held. */
		uint32_t index = slab ? word32_load_relaxed(&slab->cut) : 0;
		struct stack *stack;

		if (!slab || index == slab->total) {
			if (!add_slab(pool, stack_class))
				break;
			continue;
		}
		stack = stack_make(pool, slab, index, stack_class);
		/* release: pairs with the acquire in filch__stack_find. */
		word32_store_release(&slab->cut, index + 1);
		depot->born++;
		stack->next = list->first;
		list->first = stack;
		list->count++;
	}
	pthread_mutex_unlock(&pool->growing);
	world_mask(-1);
	for (struct stack *stack = list->first; stack && pool->options.born; stack = stack->next)
		pool->options.born(stack);
	return list->count;
}

/* ---- ending and finding ---- */

static void stack_end(struct stack_pool *pool, struct stack *stack)
{
	if (pool->options.dies)
		pool->options.dies(stack);
	sanitize_root_remove(stack->lo, stack->size);
	sanitize_stack_deregister(stack->valgrind);
	sanitize_stack_unpoison(stack->lo, stack->size);
	sanitize_thread_destroy(stack->tsan);
}

void filch__slab_unmap(struct stack_pool *pool, enum filch_stack_class stack_class)
{
	struct slab *slab = newest(pool, stack_class);

	/* relaxed: nobody else is left. */
	pointer_store_relaxed(&pool->depots[stack_class].slabs, NULL);
	while (slab) {
		struct slab *next = slab->next;
		size_t protected = 0;

		/* relaxed: as above. */
		for (uint32_t i = 0; i < word32_load_relaxed(&slab->cut); i++) {
			stack_end(pool, descriptor_of(slab, i));
			protected += descriptor_of(slab, i)->guard == FILCH_GUARD_PROTECT;
		}
		filch__pages_unmap(slab->base, slab->bytes);
		filch__pages_unprotected(protected);
		filch__free(pool->options.allocator, slab);
		slab = next;
	}
}

static struct slab *slab_at(const struct stack_pool *pool, enum filch_stack_class stack_class,
			    const void *address)
{
	struct slab *slab = newest(pool, stack_class);

	while (slab && (uintptr_t)address - (uintptr_t)slab->base >= slab->bytes)
		slab = slab->next;
	return slab;
}

struct stack *filch__stack_find(const struct stack_pool *pool, const void *address, bool *in_guard)
{
	struct slab *slab = slab_at(pool, FILCH_STACK_SMALL, address);
	struct stack *stack;
	size_t index;

	if (!slab)
		slab = slab_at(pool, FILCH_STACK_LARGE, address);
	if (!slab)
		return NULL;
	index = ((uintptr_t)address - (uintptr_t)slab->base) / slab->stride;
	/* acquire: pairs with the release in filch__slab_cut. */
	if (index >= word32_load_acquire(&slab->cut))
		return NULL;
	stack = descriptor_of(slab, index);
	*in_guard = (uintptr_t)address < (uintptr_t)stack->lo;
	return stack;
}

void filch__stack_pool_each(const struct stack_pool *pool,
			    void (*fn)(struct stack *stack, void *context), void *context)
{
	for (int i = 0; i < STACK_CLASSES; i++) {
		struct slab *slab = newest(pool, (enum filch_stack_class)i);

		for (; slab; slab = slab->next)
			/* relaxed: nobody is cutting. */
			for (uint32_t n = 0; n < word32_load_relaxed(&slab->cut); n++)
				fn(descriptor_of(slab, n), context);
	}
}
