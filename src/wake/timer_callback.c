/* Callbacks at a deadline: armed, moved and taken out from any thread. */
#include "wake/timer_heap.h"

#include "base/panic.h"
#include "platform/thread.h"

/* The heap that this callback belongs to, chosen when it is first armed. */
static struct timer_heap *heap_of(struct timers *timers, struct timer_callback *callback)
{
	/* relaxed: the heaps were there before the callback; which of them is all that is read. */
	void *heap = pointer_load_relaxed(&callback->heap);

	if (!heap) {
		struct timer_heap *mine = filch__timers_heap(timers, callback);

		/* relaxed: as above; on failure `heap` is the one that another caller chose. */
		if (pointer_cas_relaxed(&callback->heap, &heap, mine))
			heap = mine;
	}
	return heap;
}

void filch__timer_callback_take(struct timer_heap *heap, struct timer_callback *callback,
				enum timer_callback_state state)
{
	FILCH_ASSERT(callback->state == TIMER_ARMED);
	filch__heap_remove(&heap->heap, callback->slot);
	callback->state = state;
}

/*
 * Does a run of this callback go on that the caller must wait for? A run itself waits for none:
 * two runs (the first has armed it anew) would wait for each other. With the lock.
 */
static bool is_running(const struct timer_heap *heap, const struct timer_callback *callback)
{
	const struct parker *caller = filch__parker_self();
	bool found = false;

	for (const struct run *run = heap->runs; run; run = run->next) {
		if (run->callback != callback)
			continue;
		if (run->caller == caller)
			return false;
		found = true;
	}
	return found;
}

/* Lets a run go on, if there is one: true when it gave up the lock meanwhile. */
static bool wait_for_run(struct timer_heap *heap, const struct timer_callback *callback)
{
	if (likely(!heap->runs) || !is_running(heap, callback))
		return false;
	spin_release(&heap->lock);
	filch__thread_yield();
	spin_acquire(&heap->lock);
	return true;
}

static int arm(struct timers *timers, struct timer_callback *callback, filch_time deadline,
	       bool wait)
{
	struct timer_heap *heap = heap_of(timers, callback);
	int status = 0;

	deadline = timer_deadline(deadline);
	spin_acquire(&heap->lock);
	do {
		while (wait && wait_for_run(heap, callback))
			;
		if (callback->state != TIMER_ARMED && deadline != FILCH_NEVER)
			status = filch__timer_heap_make_room(timers, heap);
		else
			status = 0;
	} while (status > 0);
	if (status < 0)
		return status;
	timer_heap_shuffle(timers, heap);
	if (callback->state == TIMER_ARMED && deadline == FILCH_NEVER) {
		filch__timer_callback_take(heap, callback, TIMER_IDLE);
	} else if (callback->state == TIMER_ARMED) {
		filch__heap_update(&heap->heap, callback->slot, deadline);
	} else if (deadline == FILCH_NEVER) {
		callback->state = TIMER_IDLE;
	} else {
		callback->slot =
			filch__heap_insert(&heap->heap, deadline, callback, TIMER_TAG_CALLBACK);
		callback->state = TIMER_ARMED;
	}
	filch__timer_heap_settle(timers, heap, deadline);
	return 0;
}

int filch__timer_callback_arm(struct timers *timers, struct timer_callback *callback,
			      filch_time deadline)
{
	return arm(timers, callback, deadline, false);
}

int filch__timer_callback_restart(struct timers *timers, struct timer_callback *callback,
				  filch_time deadline)
{
	return arm(timers, callback, deadline, true);
}

bool filch__timer_callback_disarm(struct timers *timers, struct timer_callback *callback)
{
	/* relaxed: as in heap_of; NULL: never armed. */
	struct timer_heap *heap = pointer_load_relaxed(&callback->heap);
	bool stopped;

	if (!heap)
		return true;
	FILCH_ASSERT(heap >= timers->heaps && heap < timers->heaps + timers->count);
	spin_acquire(&heap->lock);
	do { /* A run may arm it again. */
		if (callback->state == TIMER_ARMED) {
			filch__timer_callback_take(heap, callback, TIMER_IDLE);
			filch__timer_heap_publish(heap);
		}
	} while (wait_for_run(heap, callback));
	stopped = callback->state == TIMER_IDLE;
	spin_release(&heap->lock);
	return stopped;
}
