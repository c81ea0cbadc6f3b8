/* What a simulation makes go wrong: a cancel, a timeout, no memory; and its memory. */
#include "runtime/simulate.h"

#include "platform/allocate.h"
#include "runtime/runtime.h"
#include "sched/worker.h"
#include "wake/token.h"

/* The task that is at a checkpoint now, NULL: nobody's, or it does not count. */
static struct fiber *caller(const struct simulation *simulation)
{
	struct fiber *self = filch__fiber_self();

	if (!simulation->counting || simulation->current == &simulation->main || !self ||
	    self->task == &filch__task_none)
		return NULL;
	return self;
}

static bool is_place(struct simulation *simulation, enum filch_simulation_injection kind,
		     uint64_t count)
{
	if (simulation->options.inject != kind || simulation->options.inject_at != count)
		return false;
	simulation->result.injected = true;
	filch__simulation_event(simulation, count, "injected");
	return true;
}

static void count_checkpoint(struct simulation *simulation, struct fiber *self)
{
	if (is_place(simulation, FILCH_INJECT_CANCEL, ++simulation->result.checkpoints))
		filch__token_cancel(self->task->scope, -ECANCELED, self->scheduler);
}

void filch__simulation_checkpoint(struct world *world)
{
	struct simulation *simulation = simulation_of(world);
	struct fiber *self = caller(simulation);

	if (self)
		count_checkpoint(simulation, self);
	filch__world_choose(WORLD_CHECKPOINT);
}

/* What ends this wait by time: its own deadline or a scope's. */
static int64_t first_deadline(const struct fiber *self, int64_t deadline)
{
	struct filch_token *first = filch__scope_first_deadline(self->task->scope);

	if (first && filch_token_deadline(first) < deadline)
		deadline = filch_token_deadline(first);
	return deadline;
}

void filch__simulation_parking(struct world *world, int64_t deadline)
{
	struct simulation *simulation = simulation_of(world);
	struct fiber *self = caller(simulation);

	if (self) {
		count_checkpoint(simulation, self);
		deadline = first_deadline(self, deadline);
		if (deadline != INT64_MAX &&
		    is_place(simulation, FILCH_INJECT_TIMEOUT, ++simulation->result.deadlines)) {
			filch__simulation_set_time(simulation, deadline);
			filch__worker_poll_timers(self->worker);
		}
	}
	filch__world_choose(WORLD_PARK);
}

/* ---- memory ---- */

static void *allocate(size_t size, size_t alignment, void *context)
{
	struct simulation *simulation = context;
	size_t head = sizeof(struct block) > alignment ? sizeof(struct block) : alignment;
	const struct filch_options *given = simulation->options.runtime;
	struct block *block;
	char *memory;

	head = (head + alignment - 1) / alignment * alignment;
	if (simulation->counting &&
	    is_place(simulation, FILCH_INJECT_NO_MEMORY, ++simulation->result.allocations))
		return NULL;
	memory = filch__allocate_aligned(given ? &given->allocator : NULL, head + size, alignment);
	if (!memory)
		return NULL;
	block = (struct block *)(void *)(memory + head) - 1;
	block->memory = memory;
	block->link = &simulation->blocks;
	block->next = simulation->blocks;
	if (block->next)
		block->next->link = &block->next;
	simulation->blocks = block;
	return block + 1;
}

static void release(void *memory, void *context)
{
	struct simulation *simulation = context;
	const struct filch_options *given = simulation->options.runtime;
	struct block *block = (struct block *)memory - 1;

	*block->link = block->next;
	if (block->next)
		block->next->link = block->link;
	filch__free(given ? &given->allocator : NULL, block->memory);
}

struct filch_allocator filch__simulation_allocator(struct simulation *simulation)
{
	return (struct filch_allocator){ allocate, release, simulation };
}

void filch__simulation_free_blocks(struct simulation *simulation)
{
	while (simulation->blocks)
		release(simulation->blocks + 1, simulation);
}
