/* The simulation's choices: random numbers, strategies, the trace. */
#include "runtime/simulate.h"

#include <stdarg.h>
#include <stdio.h>

#define LENGTH_BITS_LEAST 5
#define LENGTH_BITS_MOST 16
/* Before an atomic operation: one choice in 2^n, n drawn up to this, is really one. */
#define INERTIA_MOST 6
/* Who is chosen so many times in a row waits in a loop of the program's, and lets others go on. */
#define STREAK_MOST 4096

static const char *const point_names[] = {
	[WORLD_ATOMIC] = "atomic",   [WORLD_QUEUE] = "queue",	[WORLD_CHECKPOINT] = "checkpoint",
	[WORLD_PARK] = "park",	     [WORLD_CANCEL] = "cancel", [WORLD_TIMER] = "timer",
	[WORLD_RELEASE] = "release", [WORLD_YIELD] = "yield",	[WORLD_SLEEP] = "sleep",
	[WORLD_WAKE] = "wake",	     [WORLD_READY] = "ready",	[WORLD_SPURIOUS] = "spurious",
};

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014): any seed is a good one. */
static uint64_t draw(struct simulation *simulation)
{
	uint64_t x = simulation->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t filch__simulation_random(struct simulation *simulation, uint64_t n)
{
	if (n <= UINT32_MAX)
		return (draw(simulation) >> 32) * n >> 32;
	return draw(simulation) % n;
}

static void mix(struct simulation *simulation, uint64_t value)
{
	uint64_t x = simulation->result.hash ^ value;

	x *= UINT64_C(0x9fb21c651e98df25);
	simulation->result.hash = x ^ x >> 29;
}

static void trace_list(struct simulation *simulation, const char *format, va_list arguments)
{
	char line[160];
	int length = snprintf(line, sizeof(line), "%llu %lld.%09lld ",
			      (unsigned long long)simulation->result.choices,
			      (long long)(simulation->world.now / FILCH_SECOND),
			      (long long)(simulation->world.now % FILCH_SECOND));

	vsnprintf(line + length, sizeof(line) - (size_t)length, format, arguments);
	simulation->options.trace(line, simulation->options.trace_context);
}

__attribute__((format(printf, 2, 3))) static void trace(struct simulation *simulation,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	trace_list(simulation, format, arguments);
	va_end(arguments);
}

void filch__simulation_event(struct simulation *simulation, uint64_t value, const char *what)
{
	mix(simulation, value);
	if (unlikely(simulation->options.trace != NULL))
		trace(simulation, "%s", what);
}

static uint64_t event_of(enum world_point point, uint64_t n, uint64_t chosen)
{
	return (uint64_t)point | n << 8 | chosen << 24;
}

uint64_t filch__simulation_pick(struct world *world, enum world_point point, uint64_t n)
{
	struct simulation *simulation = simulation_of(world);
	uint64_t chosen = n > 1 ? filch__simulation_random(simulation, n) : 0;

	mix(simulation, event_of(point, n, chosen));
	if (unlikely(simulation->options.trace != NULL))
		trace(simulation, "%s: %llu of %llu", point_names[point],
		      (unsigned long long)chosen, (unsigned long long)n);
	return chosen;
}

/* ---- who goes on ---- */

static struct strand *next_uniform(struct simulation *simulation, enum world_point point)
{
	struct strand *current = simulation->current, *next;
	unsigned count = simulation->ready_count;
	/* Who yields is the last to be asked. */
	bool others = point == WORLD_YIELD && current->state == STRAND_READY && count > 1;

	/* Some bugs need one to go a long way while another stands still. Not those who wait. */
	if (point == WORLD_ATOMIC && count > 1 &&
	    filch__simulation_random(simulation, UINT64_C(1) << simulation->inertia) != 0)
		return current;
	next = simulation->ready[filch__simulation_random(simulation, count - others)];
	return others && next == current ? simulation->ready[count - 1] : next;
}

int64_t filch__simulation_priority(struct simulation *simulation)
{
	return (int64_t)(draw(simulation) >> 2);
}

static void step_back(struct simulation *simulation, struct strand *strand)
{
	strand->priority = --simulation->lowest;
}

static struct strand *highest(const struct simulation *simulation)
{
	struct strand *best = simulation->ready[0];

	for (unsigned i = 1; i < simulation->ready_count; i++)
		if (simulation->ready[i]->priority > best->priority)
			best = simulation->ready[i];
	return best;
}

static struct strand *next_by_priority(struct simulation *simulation, enum world_point point)
{
	bool changes = point == WORLD_YIELD || simulation->streak >= STREAK_MOST;
	struct strand *next;

	for (unsigned i = 0; i + 1 < simulation->options.depth; i++)
		changes |= simulation->changes[i] == simulation->result.choices;
	if (changes)
		step_back(simulation, simulation->current);
	next = highest(simulation);
	simulation->streak = next == simulation->current ? simulation->streak + 1 : 0;
	return next;
}

struct strand *filch__simulation_next(struct simulation *simulation, enum world_point point)
{
	struct strand *next;

	simulation->result.choices++;
	if (simulation->ready_count == 1)
		next = simulation->ready[0];
	else if (simulation->options.strategy == FILCH_SIMULATE_PCT)
		next = next_by_priority(simulation, point);
	else
		next = next_uniform(simulation, point);
	mix(simulation, event_of(point, simulation->ready_count, next->index));
	if (unlikely(simulation->options.trace != NULL))
		trace(simulation, "%s %s: %s", simulation->current->name, point_names[point],
		      next->name);
	return next;
}

bool filch__simulation_is_fenced(struct simulation *simulation)
{
#if defined(FILCH_SIMULATE_ATOMICS)
	simulation->inertia = (unsigned)filch__simulation_random(simulation, INERTIA_MOST + 1);
	return filch__simulation_random(simulation, 2) != 0;
#else
	(void)simulation;
	return true;
#endif
}

void filch__simulation_seed(struct simulation *simulation)
{
	uint64_t length = simulation->options.length;

	simulation->random = simulation->options.seed * UINT64_C(0xd1342543de82ef95);
	mix(simulation, draw(simulation));
	if (length == 0)
		length = UINT64_C(1)
			 << (LENGTH_BITS_LEAST +
			     filch__simulation_random(simulation,
						      LENGTH_BITS_MOST - LENGTH_BITS_LEAST + 1));
	for (unsigned i = 0; i < DEPTH_MOST; i++)
		simulation->changes[i] = 1 + filch__simulation_random(simulation, length);
}
