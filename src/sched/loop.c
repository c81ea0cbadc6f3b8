/* The loop that every pooled stack runs from its base. */
#include "sched/worker.h"

#include "base/panic.h"
#include "platform/clock.h"
#include "platform/cpu.h"

#define TICK 61
#define TICK_MOST 256
#define TICK_SPAN 100000
#define BRISK_SPAN (150 * FILCH_MICROSECOND) /* for TICK steps: a few microseconds each */
#define ROUNDS 24
#define ROUNDS_SIMULATED 2 /* one that looks, one that is desperate */
#define PAUSES_MOST 32

bool filch__worker_get_spare(struct worker *worker)
{
	worker->spare = filch__fiber_get(worker, FILCH_STACK_SMALL);
	return worker->spare != NULL;
}

bool filch__worker_poll_timers(struct worker *worker)
{
	struct source *timers = &worker->scheduler->timers;
	filch_time now;
	bool any;

	if (!timers->next || timers->next(timers->context) == FILCH_NEVER)
		return false;
	now = filch__clock_now();
	if (timers->next(timers->context) > now)
		return false;
	worker->polls = true;
	any = timers->poll(timers->context, now) > 0;
	worker->polls = false;
	return any;
}

/* One entry of the injection queue: a fiber joins the ready, a task is handed out; NULL if none. */
static struct injected *pop_injected(struct worker *worker, struct deque_item *item)
{
	struct injected *injected = filch__injector_pop(&worker->scheduler->injector);
	struct injected_task *task;

	if (!injected)
		return NULL;
	if (injected->owner) {
		filch__worker_push_ready(worker, (struct fiber *)injected->owner);
		return NULL;
	}
	task = container_of(injected, struct injected_task, injected);
	for (int i = 0; i < 4; i++)
		item->word[i] = task->word[i];
	return injected;
}

static bool take_injected(struct worker *worker, struct deque_item *item)
{
	return pop_injected(worker, item) != NULL;
}

static bool take_local(struct worker *worker, struct deque_item *item)
{
	bool found;

	if (deque_is_empty(&worker->tasks))
		return false;
	gate_enter(&worker->gate);
	found = filch__deque_take(&worker->tasks, item);
	gate_leave(&worker->gate);
	return found;
}

static bool take_new(struct worker *worker, struct deque_item *item, bool outside_first)
{
	if ((outside_first && take_injected(worker, item)) || take_local(worker, item) ||
	    take_injected(worker, item)) {
		if (worker->new_first)
			worker->new_first--;
		return true;
	}
	worker->new_first = 0;
	return false;
}

/* Without a spare stack: fibers must still come in, since only they can give stacks back. A task
 * moves on to the own deque. */
static void import_injected(struct worker *worker)
{
	struct deque_item item;
	struct injected *injected = pop_injected(worker, &item);
	int status;

	if (!injected)
		return;
	gate_enter(&worker->gate);
	status = deque_push(&worker->tasks, &item);
	gate_leave(&worker->gate);
	if (status == 0) {
		worker_offer(worker);
		return;
	}
	/* No room: back to where it needs no memory, until there is a stack, or room. */
	filch__injector_push(&worker->scheduler->injector, injected);
	filch__thread_yield();
}

static void pause_round(struct worker *worker, unsigned round)
{
	unsigned pauses = 1u << (round < 5 ? round : 5);

	if ((worker->scheduler->count > worker->scheduler->processors && round > 4) ||
	    worker->scheduler->world) {
		filch__thread_yield();
		return;
	}
	for (unsigned i = 0; i < pauses && i < PAUSES_MOST; i++)
		cpu_relax();
}

static bool has_local(const struct worker *worker)
{
	/* relaxed: hints; the takers order. */
	return pointer_load_relaxed(&worker->slot) || pointer_load_relaxed(&worker->inbox) ||
	       worker->homing || !deque_is_empty(&worker->ready) ||
	       (worker->spare && !deque_is_empty(&worker->tasks));
}

static bool is_stopping(const struct worker *worker)
{
	/* acquire: pairs with the store in join_threads. */
	return word32_load_acquire(&worker->scheduler->stopping) != 0;
}

/* One search: true when something is to be had. */
static bool search(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;

	/* With more workers than processors a round may cost a time slice. */
	unsigned rounds = scheduler->count > scheduler->processors ? ROUNDS / 3 : ROUNDS;

	if (scheduler->world)
		rounds = ROUNDS_SIMULATED;
	for (unsigned round = 0; round < rounds; round++) {
		if (has_local(worker) || !injector_is_empty(&scheduler->injector) ||
		    filch__worker_poll_timers(worker) || is_stopping(worker))
			return true;
		if (filch__worker_steal(worker, round == rounds - 1))
			return true;
		pause_round(worker, round);
	}
	return false;
}

static void find_work(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	bool searching;

	/* What a search finds is announced, and counted at its end. */
	worker_set_brisk(worker, false);
	worker->slot_victim = worker->index;
	searching = filch__idle_begin_search(scheduler);
	while (worker_ensure_spare(worker), !searching || !search(worker)) {
		/* Nothing to do but to tidy up: the pages of stacks above the mark, a batch at a
		 * time. */
		if (searching && filch__stack_pool_trim(&scheduler->stacks))
			continue;
		searching = filch__idle_sleep(worker, searching);
	}
	filch__idle_end_search(worker);
}

void filch__worker_measure_tick(struct worker *worker)
{
	uint64_t now = filch__clock_ticks();
	uint64_t elapsed = now - worker->tick_time;
	uint32_t length = worker->tick_length;

	/* Only the magnitude matters: a tick of the clock is about a nanosecond or less. */
	if (elapsed > 2 * TICK_SPAN)
		length = length / 2 + 1;
	else if (length < TICK_MOST)
		length = length * 2 < TICK_MOST ? length * 2 : TICK_MOST;
	worker->tick_time = now;
	worker->tick_length = worker->tick = length;
	/* Who waits for children comes to its ready fibers only now and then. */
	worker_set_brisk(worker, false);
}

void filch__worker_begin_tick(struct worker *worker)
{
	/* Not in ticks, which some processors count by the million a second only. */
	filch_time now = filch__clock_now();

	worker_set_brisk(worker, !worker->scheduler->world && now - worker->begun < BRISK_SPAN);
	worker->begun = now;
	worker->tick = TICK;
}

static FILCH_NOINLINE void step(struct fiber *self)
{
	struct worker *worker = self->worker;
	struct deque_item item;
	struct fiber *next = NULL;
	bool outside_first = false;

	if (unlikely(--worker->tick == 0)) {
		filch__worker_begin_tick(worker);
		outside_first = true;
		filch__worker_poll_timers(worker);
	}
	/* Now and then a new task goes first, so that those which wake each other on and on do not
	 * keep it waiting. */
	if (!worker->new_first && !outside_first)
		next = filch__worker_next_ready(worker);
	if (!next && !worker_ensure_spare(worker)) {
		worker->new_first = 0;
		import_injected(worker);
	} else if (!next && take_new(worker, &item, outside_first)) {
		worker->scheduler->run(self, &item);
		filch__fiber_check(self);
		return; /* R2: nothing of before is valid here, the worker least of all. */
	}
	if (next || (next = filch__worker_next_ready(worker)))
		filch__switch_away(self, next);
	if (is_stopping(worker))
		filch__switch_to_native(self);
	find_work(worker);
}

void filch__loop(void *fiber)
{
	filch__landed(fiber);
	for (;;)
		step(fiber);
}

uint64_t filch__worker_count_tasks(struct worker *worker)
{
	/* relaxed: a hint; below 0 for a moment when an entry is taken before it is counted. */
	int64_t outside = (int64_t)word64_load_relaxed(&worker->scheduler->injector.length);

	if (--worker->tick == 0) {
		filch__worker_begin_tick(worker);
		filch__worker_poll_timers(worker);
	}
	return deque_count(&worker->tasks) + (uint64_t)(outside > 0 ? outside : 0);
}

bool filch__worker_is_pressed(struct worker *worker)
{
	struct source *timers = &worker->scheduler->timers;
	filch_time next;

	/* relaxed: hints. */
	if (pointer_load_relaxed(&worker->slot) || pointer_load_relaxed(&worker->inbox) ||
	    worker->homing || !deque_is_empty(&worker->ready) ||
	    word64_load_relaxed(&worker->scheduler->injector.length) != 0)
		return true;
	if (!timers->next)
		return false;
	next = timers->next(timers->context);
	return next != FILCH_NEVER && next <= filch__clock_now();
}
