/* In a simulation: the order of what is ready is drawn, where nothing is promised about it. */
#include "sched/worker.h"

#include "base/world.h"

#define FARTHEST 64

static uint64_t pick(struct worker *worker, uint64_t n)
{
	struct world *world = worker->scheduler->world;

	return world->calls->pick(world, WORLD_READY, n);
}

static struct deque_slot *slot_at(struct deque *deque, uint64_t index)
{
	return &deque->slots[index & deque->mask];
}

/* In the gate. */
static void exchange(struct deque *deque, uint64_t a, uint64_t b)
{
	struct deque_item first, second;

	slot_read(slot_at(deque, a), &first);
	slot_read(slot_at(deque, b), &second);
	slot_write(slot_at(deque, a), &second);
	slot_write(slot_at(deque, b), &first);
}

/* Spawned tasks change places within a run of one group: whoever waits for it runs its newest. */
static void shuffle_tasks(struct worker *worker)
{
	struct deque *tasks = &worker->tasks;
	uint64_t last = deque_bottom(tasks), first = last;
	void *group;

	if (last == tasks->split)
		return;
	/* relaxed: the owner's own writes. */
	group = pointer_load_relaxed(&slot_at(tasks, --last)->word[2]);
	while (--first > tasks->split && last - first < FARTHEST &&
	       /* relaxed: as above. */
	       pointer_load_relaxed(&slot_at(tasks, first - 1)->word[2]) == group)
		;
	if (first < last)
		exchange(tasks, last, first + pick(worker, last - first + 1));
}

/* Woken fibers, too; but who was ready before somebody yielded goes before him. */
static void shuffle_ready(struct worker *worker)
{
	struct deque *ready = &worker->ready;
	uint64_t bottom = deque_bottom(ready), first = ready->split;
	const struct fiber *newest;

	if (bottom == ready->split)
		return;
	/* relaxed: the owner's own write. */
	newest = (const struct fiber *)pointer_load_relaxed(&slot_at(ready, bottom - 1)->word[0]);
	/* relaxed: nobody changes a word that is RUNNING. */
	if ((word64_load_relaxed(&newest->parker.word) & 15) == PARK_RUNNING)
		worker->shuffle_from = bottom;
	if (worker->shuffle_from > first && worker->shuffle_from <= bottom)
		first = worker->shuffle_from;
	if (first + 1 < bottom)
		exchange(ready, bottom - 1, first + pick(worker, bottom - first));
}

void filch__simulated_shuffle(struct worker *worker)
{
	gate_enter(&worker->gate);
	shuffle_tasks(worker);
	shuffle_ready(worker);
	gate_leave(&worker->gate);
}

void filch__simulated_slot(struct worker *worker)
{
	struct fiber *fiber = NULL;

	if (pick(worker, 2))
		return;
	gate_enter(&worker->gate);
	/* relaxed: changed only in the gate. */
	fiber = (struct fiber *)pointer_load_relaxed(&worker->slot);
	pointer_store_relaxed(&worker->slot, NULL);
	gate_leave(&worker->gate);
	if (fiber)
		filch__worker_push_ready(worker, fiber);
}
