/* Timers: the heaps, the timeouts of waits. */
#include "wake/timer_heap.h"

#include "base/panic.h"
#include "platform/allocate.h"

#include <errno.h>
#include <string.h>

/* 60 entries and their places take less than 2.5 KiB. */
#define FIRST_CAPACITY 60u
#define STALE_ALLOWED 16u

unsigned filch__timers_worker(const struct timers *timers)
{
	return filch__scheduler_self() == timers->scheduler ? filch__worker_index() : TIMER_NOBODY;
}

struct timer_heap *filch__timers_heap(struct timers *timers, const void *owner)
{
	unsigned here = filch__timers_worker(timers);

	if (here == TIMER_NOBODY)
		here = (unsigned)((uintptr_t)owner / FILCH_CACHE_LINE % timers->count);
	return &timers->heaps[here];
}

bool filch__timer_heap_publish(struct timer_heap *heap)
{
	const struct heap_entry *first = heap_first(&heap->heap);
	filch_time next = first ? first->key : FILCH_NEVER;
	/* relaxed: written only under the lock. */
	filch_time old = (filch_time)word64_load_relaxed(&heap->next);

	if (next < old)
		/* seq_cst: pairs with the keeper's load in filch__timers_next (Dekker,
		 * timer_heap.h). */
		word64_store_seq_cst(&heap->next, (uint64_t)next);
	else if (next > old)
		/* relaxed: who still sees the earlier one looks too soon, and then here. */
		word64_store_relaxed(&heap->next, (uint64_t)next);
	return next < old;
}

static bool is_live(const struct heap_entry *entry)
{
	return entry->tag == TIMER_TAG_CALLBACK ||
	       filch__park_is_waiting((const struct parker *)entry->owner, entry->tag);
}

/* Rids the heap of stale entries once they may be a quarter of it: O(1) for each. */
static void sweep(struct timer_heap *heap)
{
	/* relaxed: a count; the entries themselves are under the lock. */
	uint32_t stale = word32_load_relaxed(&heap->stale);

	if (likely(stale <= STALE_ALLOWED || stale <= heap->heap.count / 4))
		return;
	/* relaxed: as above. Those counted meanwhile stay counted. */
	word32_sub_relaxed(&heap->stale, stale);
	filch__heap_filter(&heap->heap, is_live);
	filch__timer_heap_publish(heap);
}

/* Brings a larger block. Called without the lock; others may be faster. 0 or -ENOMEM. */
static int grow(struct timers *timers, struct timer_heap *heap, uint32_t capacity)
{
	const struct filch_allocator *allocator = timers->scheduler->allocator;
	uint32_t larger = capacity ? capacity * 2 : FIRST_CAPACITY;
	void *block;

	if (capacity == HEAP_CAPACITY_MAX)
		return -ENOMEM;
	if (larger > HEAP_CAPACITY_MAX)
		larger = HEAP_CAPACITY_MAX;
	block = filch__allocate(allocator, filch__heap_block_size(larger));
	if (!block)
		return -ENOMEM;
	spin_acquire(&heap->lock);
	if (heap->heap.capacity < larger)
		block = filch__heap_adopt(&heap->heap, block, larger);
	spin_release(&heap->lock);
	filch__free(allocator, block);
	return 0;
}

int filch__timer_heap_make_room(struct timers *timers, struct timer_heap *heap)
{
	uint32_t capacity = heap->heap.capacity;
	int status;

	if (likely(!heap_is_full(&heap->heap)))
		return 0;
	spin_release(&heap->lock);
	status = grow(timers, heap, capacity);
	if (status < 0)
		return status;
	spin_acquire(&heap->lock);
	return 1;
}

void filch__timer_heap_settle(struct timers *timers, struct timer_heap *heap, filch_time deadline)
{
	bool earlier = filch__timer_heap_publish(heap);

	spin_release(&heap->lock);
	if (earlier)
		filch__scheduler_deadline(timers->scheduler, deadline);
}

int filch__timer_arm_wait(struct timers *timers, struct parker *parker, uint64_t epoch,
			  filch_time deadline)
{
	struct timer_heap *heap;
	int status;

	parker->timer_heap = NULL;
	if (deadline == FILCH_NEVER || !parker->fiber)
		return 0;
	deadline = timer_deadline(deadline);
	heap = filch__timers_heap(timers, parker);
	spin_acquire(&heap->lock);
	sweep(heap);
	do
		status = filch__timer_heap_make_room(timers, heap);
	while (status > 0);
	if (status < 0)
		return status;
	timer_heap_shuffle(timers, heap);
	parker->timer_heap = heap;
	parker->timer_index = filch__heap_insert(&heap->heap, deadline, parker, epoch);
	filch__timer_heap_settle(timers, heap, deadline);
	return 0;
}

void filch__timer_disarm_wait(struct timers *timers, struct parker *parker)
{
	struct timer_heap *heap = parker->timer_heap;
	const struct heap_entry *entry;
	unsigned here;

	if (!heap)
		return;
	parker->timer_heap = NULL;
	here = filch__timers_worker(timers);
	if (here != TIMER_NOBODY && heap != &timers->heaps[here]) {
		/* relaxed: a count; see sweep. */
		word32_add_relaxed(&heap->stale, 1);
		return;
	}
	spin_acquire(&heap->lock);
	entry = filch__heap_find(&heap->heap, parker->timer_index);
	/* The slot may have been used again, but not for this parker: it has armed nothing since.
	 */
	if (entry && entry->owner == parker && entry->tag != TIMER_TAG_CALLBACK) {
		filch__heap_remove(&heap->heap, parker->timer_index);
		filch__timer_heap_publish(heap);
	}
	spin_release(&heap->lock);
}

int filch__timers_create(struct timers **timers, struct scheduler *scheduler, unsigned workers)
{
	size_t size = sizeof(**timers) + workers * sizeof((*timers)->heaps[0]);
	struct timers *created =
		filch__allocate_aligned(scheduler->allocator, size, _Alignof(struct timers));

	if (!created)
		return -ENOMEM;
	memset(created, 0, size);
	created->scheduler = scheduler;
	created->count = workers;
	for (unsigned i = 0; i < workers; i++)
		/* relaxed: not shared yet. */
		word64_store_relaxed(&created->heaps[i].next, (uint64_t)FILCH_NEVER);
	scheduler->timers.context = created;
	scheduler->timers.next = filch__timers_next;
	scheduler->timers.poll = filch__timers_poll;
	*timers = created;
	return 0;
}

void filch__timers_destroy(struct timers *timers)
{
	const struct filch_allocator *allocator;

	if (!timers)
		return;
	allocator = timers->scheduler->allocator;
	timers->scheduler->timers = (struct source){ 0 };
	for (unsigned i = 0; i < timers->count; i++) {
		FILCH_ASSERT(!timers->heaps[i].runs);
		filch__free(allocator, timers->heaps[i].heap.memory);
	}
	filch__free(allocator, timers);
}

struct timers *filch__timers_of(struct scheduler *scheduler)
{
	return scheduler->timers.context;
}

bool filch__timers_is_valid(struct timers *timers)
{
	bool valid = true;

	for (unsigned i = 0; i < timers->count; i++) {
		struct timer_heap *heap = &timers->heaps[i];
		const struct heap_entry *first;
		filch_time next;

		spin_acquire(&heap->lock);
		first = heap_first(&heap->heap);
		/* relaxed: written only under the lock. */
		next = (filch_time)word64_load_relaxed(&heap->next);
		valid = valid && filch__heap_is_valid(&heap->heap) &&
			next == (first ? first->key : FILCH_NEVER);
		spin_release(&heap->lock);
	}
	return valid;
}
