/* The pool of stacks: slabs from the system, a depot for all, a warm cache per worker. */
#ifndef FILCH_MEMORY_STACK_H
#define FILCH_MEMORY_STACK_H

#include "base/atomic.h"
#include "data/spin.h"

#include <filch/runtime.h>
#include <pthread.h>

/*
 * Stacks are cut from slabs of 64 MiB, one after the other, when nothing idle is left,
 * and stay until the pool ends. Who is where:
 *
 *	taken    its taker's alone
 *	cache    warm, newest first; only the cache's owner touches it
 *	depot    in batches of half a cache, linked, under a spinlock for a few instructions
 *
 * On the way to the depot a stack that was used deeply gives back all but its top
 * pages. With more than `high_water` warm ones in the depot, an idle worker takes all pages from
 *the rest (filch__stack_pool_trim): not who puts, since that would be a system call for each. What
 *stands on a stack is lost when it is put: make a new context after every get.
 */
#define STACK_CLASSES 2 /* enum filch_stack_class */

/*
 * The head of a descriptor of options.descriptor_size bytes, zeroed when its slab is
 * made, at its address until the pool ends. The pool writes these fields only.
 */
struct stack {
	char *lo;		  /* lowest usable byte */
	size_t size;		  /* usable bytes */
	void *tsan;		  /* ThreadSanitizer's picture of it */
	struct stack *next;	  /* below it in its list */
	struct stack *next_batch; /* of the first of a batch in the depot */
	uint32_t batch_count;	  /* as above */
	uint32_t valgrind;	  /* its id there */
	uint8_t stack_class;
	uint8_t guard;	 /* enum filch_guard, the one this stack has */
	uint8_t is_cold; /* its pages were given back */
};

struct stack_options {
	size_t descriptor_size; /* 0: sizeof(struct stack) */
	size_t small_size; /* address space, guard included; 0: 64 KiB; at least 16 KiB; made an odd
			      number of pages */
	size_t large_size; /* 0: 1 MiB */
	enum filch_guard guard;
	size_t max_stacks;			 /* 0: unlimited */
	size_t high_water;			 /* 0: 1024 small ones (large: a sixteenth) */
	const struct filch_allocator *allocator; /* descriptors; NULL: malloc */
	/* When a stack is cut, before its first use, and when the pool ends. May be NULL. */
	void (*born)(struct stack *stack);
	void (*dies)(struct stack *stack);
};

struct stack_depot {
	struct spin lock;
	struct stack *batches;	  /* warm, the last put first */
	struct stack *frozen;	  /* whose pages were given back */
	struct filch_word64 warm; /* stacks in batches; as idle */
	struct filch_word64 idle; /* stacks in it; written under the lock, read as a hint */
	size_t born; /* ever cut; capped for each class by itself */
	size_t stride;		  /* bytes from stack to stack */
	size_t high_water;
	uint32_t batch;		    /* stacks in a full one; 1: nothing is cached */
	struct filch_pointer slabs; /* struct slab, newest first */
};

struct stack_pool {
	struct stack_options options;
	struct stack_depot depots[STACK_CLASSES];
	size_t page;
	pthread_mutex_t growing; /* slabs, born, mapped */
	struct filch_word64 mapped;
	struct filch_word64 out;   /* not in the depot */
	struct filch_word64 peak;  /* the most that `out` was */
	struct filch_word32 guard; /* mode in force: that of the newest stack */
};

struct stack_list {
	struct stack *first;
	uint32_t count;
};

/* One per worker, zeroed is empty. `cold` is a full batch or nothing. */
struct stack_cache {
	struct {
		struct stack_list hot, cold;
	} bins[STACK_CLASSES];
	struct filch_word32 idle;
};

/* 0, -EINVAL (a size, or a forced guard that this kernel lacks), -ENOMEM. Maps nothing yet. */
int filch__stack_pool_init(struct stack_pool *pool, const struct stack_options *options);
/* Unmaps all, in caches and in use alike: nobody may stand on one. Zeroed is accepted. */
void filch__stack_pool_fini(struct stack_pool *pool);

void filch__stack_cache_init(struct stack_cache *cache);
/* Gives what a cache holds to the depot, for a worker that sleeps long or ends. */
void filch__stack_cache_flush(struct stack_pool *pool, struct stack_cache *cache);

/*
 * A stack of this class, or NULL: the cap or no memory. `cache` NULL: straight from the
 * depot (a thread that is no worker). Context: any thread, cache owned by it.
 */
struct stack *filch__stack_get(struct stack_pool *pool, struct stack_cache *cache,
			       enum filch_stack_class stack_class);
/* Nobody stands on it any more. Any cache, not only the one it came from. */
void filch__stack_put(struct stack_pool *pool, struct stack_cache *cache, struct stack *stack);

/* Takes the pages of one batch above the high-water mark; true when there may be more. */
bool filch__stack_pool_trim(struct stack_pool *pool);
/* False when a stack that is guarded by a canary has overflowed. A few loads. */
bool filch__stack_intact(const struct stack *stack);

/*
 * The stack in whose share of address space `address` lies, NULL: none of this pool's.
 * *in_guard: below its usable part. Async-signal-safe.
 */
struct stack *filch__stack_find(const struct stack_pool *pool, const void *address, bool *in_guard);

/* fn for every stack ever cut, oldest slab last. Nobody may be cutting. */
void filch__stack_pool_each(const struct stack_pool *pool,
			    void (*fn)(struct stack *stack, void *context), void *context);

struct stack_stats {
	uint64_t live;	 /* taken, or warm in a cache (stack_cache_idle counts those) */
	uint64_t peak;	 /* of live */
	uint64_t mapped; /* bytes of address space */
	enum filch_guard guard;
};

void filch__stack_pool_stats(const struct stack_pool *pool, struct stack_stats *stats);
/* Do the depot's counts agree with its lists? For paranoid builds, nobody else using it. */
bool filch__stack_pool_is_valid(struct stack_pool *pool);

static inline uint32_t stack_cache_idle(const struct stack_cache *cache)
{
	/* relaxed: a count. */
	return word32_load_relaxed(&cache->idle);
}

#endif
