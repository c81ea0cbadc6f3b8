/* Firing: whoever has time takes out what is due, then claims and calls. */
#include "wake/timer_heap.h"

#include "sched/fiber.h"

#define BATCH 32u

/* What a wait's entry names: a parker and its epoch. */
struct wait {
	struct parker *parker;
	uint64_t epoch;
};

/* What one hold of the lock takes out: waits, or (then alone) a callback, in the heap's order. */
struct batch {
	struct wait waits[BATCH];
	unsigned count;
	struct run run; /* of the callback, when fn is not NULL */
	timer_callback_fn *fn;
	void *arg;
};

/* Takes a callback out for its run. With the lock. */
static void begin_run(struct timer_heap *heap, struct batch *batch, struct timer_callback *callback)
{
	filch__timer_callback_take(heap, callback, TIMER_FIRED);
	batch->fn = callback->fn;
	batch->arg = callback->arg;
	batch->run.callback = callback;
	batch->run.caller = filch__parker_self();
	batch->run.next = heap->runs;
	heap->runs = &batch->run;
}

/* Calls fn, as nobody's task: a task that yields may be the one that polls */
static void call(timer_callback_fn *fn, void *arg)
{
	struct fiber *self = filch__fiber_self();
	struct filch__task *task = self ? self->task : NULL;

	if (self)
		self->task = &filch__task_none;
	fn(arg);
	if (self)
		self->task = task;
}

/* The callback's run; its entry is out and the run is listed. No lock is held. */
static void run_callback(struct timer_heap *heap, struct batch *batch)
{
	struct run **link = &heap->runs;

	call(batch->fn, batch->arg); /* *batch->run.callback may be gone from here on. */
	spin_acquire(&heap->lock);
	while (*link != &batch->run)
		link = &(*link)->next;
	*link = batch->run.next;
	spin_release(&heap->lock);
}

/* Takes out what is due, at most a batch. With the lock. Returns how many entries. */
static unsigned collect(struct timer_heap *heap, struct batch *batch, filch_time now)
{
	const struct heap_entry *first;

	batch->count = 0;
	batch->fn = NULL;
	while (batch->count < BATCH && (first = heap_first(&heap->heap)) && first->key <= now) {
		if (first->tag == TIMER_TAG_CALLBACK) {
			if (batch->count == 0)
				begin_run(heap, batch, first->owner);
			break;
		}
		batch->waits[batch->count++] = (struct wait){ first->owner, first->tag };
		filch__heap_remove(&heap->heap, heap_slot(first));
	}
	filch__timer_heap_publish(heap);
	return batch->fn ? 1 : batch->count;
}

/* Fires one batch. *left: entries that may still be fired, at first 0. False: no more now. */
static bool fire_batch(struct timer_heap *heap, filch_time now, bool own, unsigned *fired,
		       uint32_t *left)
{
	struct batch batch;
	unsigned taken;

	if (!spin_try_acquire(&heap->firing))
		return false;
	if (own) {
		spin_acquire(&heap->lock);
	} else if (!spin_try_acquire(&heap->lock)) {
		spin_release(&heap->firing);
		return false;
	}
	if (*left == 0)
		*left = heap->heap.count;
	taken = collect(heap, &batch, now);
	spin_release(&heap->lock);
	for (unsigned i = 0; i < batch.count; i++)
		*fired +=
			filch__unpark(batch.waits[i].parker, batch.waits[i].epoch, PARK_TIMED_OUT);
	spin_release(&heap->firing);
	if (batch.fn) {
		run_callback(heap, &batch);
		++*fired;
	}
	*left = taken < *left ? *left - taken : 0;
	return taken > 0 && *left > 0;
}

/*
 * Fires what is due in one heap, but no more entries than it has now: a callback that arms
 * itself anew in the past must not keep the worker here.
 */
static unsigned fire(struct timer_heap *heap, filch_time now, bool own)
{
	unsigned fired = 0;
	uint32_t left = 0;

	/* relaxed: one's own insertions are seen; others' by who keeps the time. */
	while ((filch_time)word64_load_relaxed(&heap->next) <= now) {
		if (!fire_batch(heap, now, own, &fired, &left))
			break;
	}
	return fired;
}

/* The caller's own heap first, then those of others, unless they are busy. */
unsigned filch__timers_poll(void *context, filch_time now)
{
	struct timers *timers = context;
	unsigned here = filch__timers_worker(timers);
	unsigned start = here == TIMER_NOBODY ? 0 : here;
	unsigned fired = 0;

	for (unsigned i = 0; i < timers->count; i++)
		fired += fire(&timers->heaps[(start + i) % timers->count], now, i == 0);
	return fired;
}

filch_time filch__timers_next(void *context)
{
	struct timers *timers = context;
	filch_time earliest = FILCH_NEVER;

	for (unsigned i = 0; i < timers->count; i++) {
		/* seq_cst: after the keeper's store of its time; pairs with the store in publish.
		 */
		filch_time next = (filch_time)word64_load_seq_cst(&timers->heaps[i].next);

		if (next < earliest)
			earliest = next;
	}
	return earliest;
}
