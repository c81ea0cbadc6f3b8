/* Taking work from other workers. */
#include "sched/worker.h"

#include "platform/clock.h"
#include "platform/cpu.h"

#define BATCH 32
#define LOOKS 64

static uint64_t next_random(struct worker *worker)
{
	uint64_t x = worker->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return worker->random = x;
}

/* Steals from one of the victim's deques into our own of the same kind, oldest first. Room is
 * made before, so that what was claimed can be kept. */
static unsigned move(struct worker *worker, struct deque *from, struct deque *to)
{
	struct deque_item items[BATCH];
	unsigned count = 0;
	uint64_t room;

	if (!deque_has_public(from))
		return 0;
	gate_enter(&worker->gate);
	room = deque_room(to);
	if (room > 0)
		count = filch__deque_steal(from, items, room < BATCH ? (unsigned)room : BATCH);
	for (unsigned i = 0; i < count; i++)
		deque_push(to, &items[i]);
	gate_leave(&worker->gate);
	return count;
}

static bool steal_from(struct worker *worker, struct worker *victim)
{
	unsigned count = 0;

	if (worker->spare) /* R6 */
		count = move(worker, &victim->tasks, &worker->tasks);
	if (count == 0)
		count = move(worker, &victim->ready, &worker->ready);
	if (count == 0)
		return false;
	/* relaxed: counts. */
	word64_add_relaxed(&worker->stats.steals, 1);
	word64_add_relaxed(&worker->stats.stolen, count);
	return true;
}

/* For who cannot start tasks, only what was woken is work; the little that a brisk worker has is its
 * own. */
static bool has_private(const struct worker *victim, bool tasks)
{
	return (tasks && !deque_is_empty(&victim->tasks)) ||
	       (!deque_is_empty(&victim->ready) && !worker_keeps_ready(victim));
}

static bool has_ready(const struct worker *worker)
{
	/* relaxed: a hint, see call_watch in ready.c. */
	return pointer_load_relaxed(&worker->slot) || !deque_is_empty(&worker->ready);
}

/* What waits for its worker's next step is taken only from one that has not parked anything since
 * the search began. */
static bool is_stuck(const struct worker *worker, const struct worker *victim)
{
	/* relaxed: a hint. */
	return worker->slot_victim == victim->index && has_ready(victim) &&
	       word64_load_relaxed(&victim->stats.parks) == worker->slot_parks;
}

static bool raid(struct worker *worker, struct worker *victim)
{
	struct fiber *fiber = NULL;
	bool stuck = is_stuck(worker, victim);

	if ((!has_private(victim, worker->spare) && !stuck) || !filch__gate_try_raid(&victim->gate))
		return false;
	filch__deque_publish(&victim->tasks);
	if (stuck)
		worker_set_brisk(victim, false);
	if (!worker_keeps_ready(victim))
		filch__deque_publish(&victim->ready);
	if (stuck) {
		/* relaxed: changed only in the gate. */
		fiber = (struct fiber *)pointer_load_relaxed(&victim->slot);
		pointer_store_relaxed(&victim->slot, NULL);
	}
	filch__gate_end_raid(&victim->gate);
	if (fiber) {
		filch__worker_push_ready(worker, fiber);
		return true;
	}
	return steal_from(worker, victim);
}

static void remember_ready(struct worker *worker, const struct worker *victim)
{
	if (has_ready(victim)) {
		worker->slot_victim = victim->index;
		/* relaxed: a hint. */
		worker->slot_parks = word64_load_relaxed(&victim->stats.parks);
	}
}

bool filch__worker_steal(struct worker *worker, bool desperate)
{
	struct scheduler *scheduler = worker->scheduler;
	unsigned start = (unsigned)(next_random(worker) % scheduler->count);

	for (unsigned i = 0; i < scheduler->count; i++) {
		struct worker *victim = &scheduler->workers[(start + i) % scheduler->count];

		if (victim == worker)
			continue;
		if (steal_from(worker, victim))
			return true;
		if (desperate && raid(worker, victim))
			return true;
		if (!desperate && worker->slot_victim == worker->index)
			remember_ready(worker, victim);
	}
	return false;
}

bool filch__scheduler_has_work(struct scheduler *scheduler, bool tasks)
{
	struct source *timers = &scheduler->timers;

	if (!injector_is_empty(&scheduler->injector))
		return true;
	for (unsigned i = 0; i < scheduler->count; i++) {
		const struct worker *worker = &scheduler->workers[i];

		if (has_private(worker, tasks))
			return true;
	}
	return timers->next && timers->next(timers->context) <= filch__clock_now();
}

/* Will this worker's next step take something that is counted below? */
static bool takes_counted(const struct worker *worker)
{
	/* relaxed: its own, or a hint that its next step looks at again. */
	if (pointer_load_relaxed(&worker->slot) || pointer_load_relaxed(&worker->inbox) ||
	    worker->homing)
		return false;
	return !deque_is_empty(&worker->ready) ||
	       (worker->spare && !deque_is_empty(&worker->tasks)) ||
	       !injector_is_empty(&worker->scheduler->injector);
}

bool filch__scheduler_has_more(const struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	struct source *timers = &scheduler->timers;
	/* seq_cst: as in injector_is_empty. */
	uint64_t count = word64_load_seq_cst(&scheduler->injector.length);

	for (unsigned i = 0; i < scheduler->count; i++) {
		const struct worker *each = &scheduler->workers[i];

		count += deque_count(&each->tasks);
		if (each == worker || !worker_keeps_ready(each))
			count += deque_count(&each->ready);
	}
	return count > takes_counted(worker) ||
	       (timers->next && timers->next(timers->context) <= filch__clock_now());
}

bool filch__scheduler_has_ready(struct scheduler *scheduler, const struct worker *self)
{
	for (unsigned i = 0; i < scheduler->count; i++)
		if (&scheduler->workers[i] != self && has_ready(&scheduler->workers[i]))
			return true;
	return false;
}

void filch__scheduler_begin_watch(const struct worker *self)
{
	struct scheduler *scheduler = self->scheduler;

	for (unsigned i = 0; i < scheduler->count; i++) {
		struct worker *worker = &scheduler->workers[i];

		/* relaxed: hints. */
		word64_store_relaxed(&worker->parks_seen, word64_load_relaxed(&worker->stats.parks));
	}
}

/* One look at all the others. */
static enum progress look(struct worker *self)
{
	struct scheduler *scheduler = self->scheduler;
	enum progress progress = PROGRESS_QUIET;

	for (unsigned i = 0; i < scheduler->count; i++) {
		struct worker *worker = &scheduler->workers[i];
		/* relaxed: a hint. */
		uint64_t parks = word64_load_relaxed(&worker->stats.parks);

		if (worker == self || !has_ready(worker))
			continue;
		progress = PROGRESS_MADE;
		/* relaxed: a hint. */
		if (parks == word64_load_relaxed(&worker->parks_seen)) {
			self->slot_victim = i;
			self->slot_parks = parks;
			return PROGRESS_STUCK;
		}
	}
	return progress;
}

enum progress filch__scheduler_watch(struct worker *self)
{
	enum progress progress = look(self);

	for (unsigned i = 0; progress == PROGRESS_QUIET && i < LOOKS; i++) {
		cpu_relax();
		progress = look(self);
	}
	filch__scheduler_begin_watch(self);
	return progress;
}
