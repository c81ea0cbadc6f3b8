/* Strands: the threads of a simulated world, taking turns on one stack each. */
#include "runtime/simulate.h"

#include "base/panic.h"
#include "platform/allocate.h"
#include "platform/context.h"
#include "platform/sanitizer_stack.h"
#include "sched/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STACK_LEAST ((size_t)64 * 1024)
#define STACK_MOST ((size_t)256 * 1024)
/* One sleep in so many ends for no reason, as the kernel's may. */
#define SPURIOUS 16

/* The stack that a strand which has left stands on: its own, or its fiber's. */
static void stack_of(const struct strand *strand, const void **lo, size_t *size)
{
	*lo = strand->fiber ? strand->fiber->stack.lo : strand->stack;
	*size = strand->fiber ? strand->fiber->stack.size : strand->size;
}

static void enter(struct simulation *simulation, struct strand *to)
{
	simulation->current = to;
	simulation->world.local = &to->local;
	filch__fiber_set_self(to->fiber);
}

static SANITIZE_NO_THREAD void switch_to(struct simulation *simulation, struct strand *to)
{
	struct strand *from = simulation->current;
	int saved = errno;
	const void *lo;
	size_t size;

	from->fiber = filch__fiber_self();
	from->tsan = sanitize_thread_current();
	stack_of(to, &lo, &size);
	enter(simulation, to);
	sanitize_start_switch(&from->fake_stack, lo, size);
	sanitize_thread_switch(to->tsan);
	filch__context_switch(&from->context, to->context);
	sanitize_finish_switch(from->fake_stack);
	errno = saved;
}

/* ---- ready and asleep ---- */

static void make_ready(struct simulation *simulation, struct strand *strand)
{
	strand->state = STRAND_READY;
	strand->word = NULL;
	strand->deadline = INT64_MAX;
	simulation->ready[simulation->ready_count++] = strand;
}

static void take_out(struct simulation *simulation, const struct strand *strand)
{
	for (unsigned i = 0; i < simulation->ready_count; i++) {
		if (simulation->ready[i] != strand)
			continue;
		simulation->ready[i] = simulation->ready[--simulation->ready_count];
		return;
	}
}

/* Where to go when the current strand cannot go on. */
static struct strand *other(struct simulation *simulation)
{
	if (simulation->ready_count == 0 || simulation->verdict != VERDICT_NONE)
		return &simulation->main;
	return filch__simulation_next(simulation, WORLD_SLEEP);
}

static void choose(struct world *world, enum world_point point)
{
	struct simulation *simulation = simulation_of(world);
	struct strand *next;

	if (simulation->current == &simulation->main || world->masked)
		return;
	next = filch__simulation_next(simulation, point);
	if (unlikely(simulation->result.choices >= simulation->options.max_choices)) {
		simulation->verdict = VERDICT_ENDLESS;
		next = &simulation->main;
	}
	if (next != simulation->current)
		switch_to(simulation, next);
}

void filch__simulation_run(struct simulation *simulation)
{
	while (simulation->ready_count > 0 && simulation->verdict == VERDICT_NONE)
		switch_to(simulation, filch__simulation_next(simulation, WORLD_SLEEP));
}

int64_t filch__simulation_next_deadline(const struct simulation *simulation)
{
	int64_t earliest = INT64_MAX;

	for (const struct strand *strand = simulation->strands; strand; strand = strand->next)
		if (strand->state == STRAND_ASLEEP && strand->deadline < earliest)
			earliest = strand->deadline;
	return earliest;
}

void filch__simulation_set_time(struct simulation *simulation, int64_t now)
{
	if (now > simulation->world.now)
		simulation->world.now = now;
	filch__simulation_event(simulation, (uint64_t)now, "time");
	for (struct strand *strand = simulation->strands; strand; strand = strand->next) {
		if (strand->state != STRAND_ASLEEP || strand->deadline > simulation->world.now)
			continue;
		strand->timed_out = true;
		make_ready(simulation, strand);
	}
}

/* The main strand sleeps while the others go on, and time with them. */
static int wait_in_main(struct simulation *simulation, const struct filch_word32 *word,
			uint32_t expected, int64_t deadline)
{
	int64_t next;

	filch__simulation_run(simulation);
	/* relaxed: strands are one thread. */
	if (word32_load_relaxed(word) != expected)
		return 0;
	next = filch__simulation_next_deadline(simulation);
	if (deadline < next)
		next = deadline;
	FILCH_CHECK(next != INT64_MAX, "a simulation waits for what nobody will do");
	filch__simulation_set_time(simulation, next);
	return next == deadline ? -ETIMEDOUT : 0;
}

static int sleep_on(struct simulation *simulation, struct filch_word32 *word, int64_t deadline)
{
	struct strand *self = simulation->current;

	self->state = STRAND_ASLEEP;
	self->word = word;
	self->deadline = deadline;
	self->timed_out = false;
	take_out(simulation, self);
	switch_to(simulation, other(simulation));
	return self->timed_out ? -ETIMEDOUT : 0;
}

static int wait(struct world *world, struct filch_word32 *word, uint32_t expected, int64_t deadline)
{
	struct simulation *simulation = simulation_of(world);

	/* relaxed: strands are one thread. No choice between the look and the sleep. */
	world->masked++;
	if (word32_load_relaxed(word) != expected) {
		world->masked--;
		return 0;
	}
	world->masked--;
	if (deadline <= world->now)
		return -ETIMEDOUT;
	if (simulation->current == &simulation->main)
		return wait_in_main(simulation, word, expected, deadline);
	if (filch__simulation_pick(world, WORLD_SPURIOUS, SPURIOUS) == 1) {
		choose(world, WORLD_YIELD);
		return 0;
	}
	return sleep_on(simulation, word, deadline);
}

static unsigned count_asleep(const struct simulation *simulation, const struct filch_word32 *word)
{
	unsigned count = 0;

	for (const struct strand *strand = simulation->strands; strand; strand = strand->next)
		count += strand->state == STRAND_ASLEEP && strand->word == word;
	return count;
}

static void wake(struct world *world, struct filch_word32 *word, int n)
{
	struct simulation *simulation = simulation_of(world);
	unsigned count;

	for (; n > 0 && (count = count_asleep(simulation, word)) > 0; n--) {
		uint64_t skip = filch__simulation_pick(world, WORLD_WAKE, count);
		struct strand *strand = simulation->strands;

		while (strand->state != STRAND_ASLEEP || strand->word != word || skip-- > 0)
			strand = strand->next;
		make_ready(simulation, strand);
	}
}

/* ---- birth and death ---- */

static SANITIZE_NO_THREAD void leave_for_good(struct simulation *simulation, struct strand *to)
{
	struct strand *from = simulation->current;
	const void *lo;
	size_t size;

	stack_of(to, &lo, &size);
	enter(simulation, to);
	sanitize_start_switch(NULL, lo, size);
	sanitize_thread_switch(to->tsan);
	filch__context_switch(&from->context, to->context);
	__builtin_unreachable();
}

static void begin(void *argument)
{
	struct strand *self = argument;
	struct simulation *simulation = self->simulation;

	sanitize_finish_switch(NULL);
	self->fn(self->arg);
	simulation->world.masked++; /* who joins frees the stack we stand on */
	self->state = STRAND_ENDED;
	/* relaxed: strands are one thread. */
	word32_store_relaxed(&self->ended, 1);
	wake(&simulation->world, &self->ended, 1);
	take_out(simulation, self);
	simulation->world.masked--;
	leave_for_good(simulation, other(simulation));
}

static bool make_room(struct simulation *simulation)
{
	unsigned capacity = simulation->ready_capacity * 2 + 16;
	struct strand **ready;

	if (simulation->strand_count < simulation->ready_capacity)
		return true;
	ready = filch__allocate(NULL, capacity * sizeof(struct strand *));
	if (!ready)
		return false;
	if (simulation->ready)
		memcpy(ready, simulation->ready, simulation->ready_count * sizeof(*ready));
	filch__free(NULL, simulation->ready);
	simulation->ready = ready;
	simulation->ready_capacity = capacity;
	return true;
}

static int create(struct world *world, struct thread **thread, const char *name, size_t stack_size,
		  void (*fn)(void *arg), void *arg)
{
	struct simulation *simulation = simulation_of(world);
	struct strand *new = filch__allocate_zeroed(NULL, sizeof(*new));

	if (!new || !make_room(simulation))
		goto no_memory;
	new->size = stack_size < STACK_LEAST ? STACK_LEAST : stack_size;
	new->size = new->size > STACK_MOST ? STACK_MOST : new->size;
	new->stack = filch__allocate_aligned(NULL, new->size, 128);
	if (!new->stack)
		goto no_memory;
	new->index = simulation->strand_count++;
	new->simulation = simulation;
	new->fn = fn;
	new->arg = arg;
	snprintf(new->name, sizeof(new->name), "%.15s", name ? name : "thread");
	new->priority = filch__simulation_priority(simulation);
	new->context = filch__context_make(new->stack, new->size, begin, new);
	new->tsan = new->own_tsan = sanitize_thread_create();
	new->valgrind = sanitize_stack_register(new->stack, new->size);
	new->next = simulation->strands;
	simulation->strands = new;
	*thread = (struct thread *)(void *)new;
	make_ready(simulation, new);
	return 0;
no_memory:
	filch__free(NULL, new);
	return -EAGAIN;
}

static void free_strand(struct strand *strand)
{
	sanitize_stack_unpoison(strand->stack, strand->size);
	sanitize_stack_deregister(strand->valgrind);
	sanitize_thread_destroy(strand->own_tsan);
	filch__free(NULL, strand->stack);
	filch__free(NULL, strand);
}

static int join(struct world *world, struct thread *thread, int64_t deadline)
{
	struct simulation *simulation = simulation_of(world);
	struct strand *strand = (struct strand *)(void *)thread;
	struct strand **link = &simulation->strands;

	while (strand->state != STRAND_ENDED)
		if (wait(world, &strand->ended, 0, deadline) == -ETIMEDOUT)
			return -ETIMEDOUT;
	while (*link != strand)
		link = &(*link)->next;
	*link = strand->next;
	free_strand(strand);
	return 0;
}

void filch__simulation_free_strands(struct simulation *simulation)
{
	struct strand *strand;

	while ((strand = simulation->strands)) {
		simulation->strands = strand->next;
		free_strand(strand);
	}
	filch__free(NULL, simulation->ready);
}

static void native_stack(struct world *world, const void **lo, size_t *size)
{
	const struct strand *self = simulation_of(world)->current;

	*lo = self->stack;
	*size = self->size;
}

const struct world_calls filch__simulation_calls = {
	.choose = choose,
	.pick = filch__simulation_pick,
	.wait = wait,
	.wake = wake,
	.create = create,
	.join = join,
	.native_stack = native_stack,
	.checkpoint = filch__simulation_checkpoint,
	.parking = filch__simulation_parking,
};
