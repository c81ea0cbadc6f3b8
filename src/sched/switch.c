/* The one room that switches stacks. */
#include "sched/worker.h"

#include "base/panic.h"
#include "platform/context.h"
#include "platform/sanitizer_stack.h"

/* What a call in place leaves free below it: a libc call, a signal frame, the scheduler. */
#define STACK_RESERVE ((size_t)32 * 1024)

/* The fiber this thread stands on. The only mutable global of the core. */
_Thread_local struct fiber *filch__fiber_current = &filch__fiber_none;

/* Never written: they save a test on the short paths. */
struct filch__task filch__task_none;
struct fiber filch__fiber_none = { .task = &filch__task_none };

/* A value, never an address, and not inlined: compilers keep a thread-local's address over
 * a switch (R3). */
FILCH_NOINLINE struct fiber *filch__fiber_self(void)
{
	compiler_barrier();
	return filch__fiber_current == &filch__fiber_none ? NULL : filch__fiber_current;
}

FILCH_NOINLINE void filch__fiber_set_self(struct fiber *fiber)
{
	compiler_barrier();
	filch__fiber_current = fiber ? fiber : &filch__fiber_none;
}

struct scheduler *filch__scheduler_self(void)
{
	struct fiber *fiber = filch__fiber_self();

	return fiber ? fiber->worker->scheduler : NULL;
}

unsigned filch__worker_index(void)
{
	return filch__fiber_self()->worker->index;
}

/* R4, R5: what was left is published or pooled only here, when nobody stands on it. */
static void settle(struct worker *worker, struct fiber *left)
{
	struct scheduler *scheduler = worker->scheduler;
	uint64_t word;

	switch (worker->left_action) {
	case LEFT_NOTHING:
		break;
	case LEFT_DEAD:
		sanitize_stack_unpoison(left->stack.lo, left->stack.size);
		if (!worker->spare && left->stack.stack_class == FILCH_STACK_SMALL) {
			worker->spare = left;
			break;
		}
		filch__stack_put(&scheduler->stacks, &worker->stacks, &left->stack);
		/* At a cap somebody may sleep for want of it, and our tasks could be his. */
		if (unlikely(scheduler->stacks.options.max_stacks))
			worker_offer(worker);
		break;
	case LEFT_YIELDED:
		filch__worker_push_ready(worker, left);
		break;
	case LEFT_PARKED:
		/* relaxed: the cas decides. */
		word = word64_load_relaxed(&left->parker.word);
		/* Again when it was committed meanwhile.
		 * release: the saved context, to the claim in park.c. What the waker wrote
		 * before it claimed is acquired by filch__park. */
		while ((word & 15) == PARK_ARMED)
			if (word64_cas_release(&left->parker.word, &word,
					       (word & ~UINT64_C(15)) | PARK_PARKED))
				return;
		filch__worker_push_ready(worker, left);
		break;
	}
}

void filch__landed(struct fiber *self)
{
	struct worker *worker = self->worker;
	struct fiber *left = worker->left;

	sanitize_finish_switch(self->fake_stack);
	worker->left = NULL;
	if (left)
		settle(worker, left);
}

static void enter(struct worker *worker, struct fiber *from, struct fiber *to,
		  enum left_action action)
{
	worker->left = from;
	worker->left_action = action;
	to->worker = worker;
	filch__fiber_set_self(to);
}

SANITIZE_NO_THREAD void filch__switch(struct fiber *from, struct fiber *to, enum left_action action)
{
	enter(from->worker, from, to, action);
	sanitize_start_switch(&from->fake_stack, to->stack.lo, to->stack.size);
	sanitize_thread_switch(to->stack.tsan);
	filch__context_switch(&from->context, to->context);
	filch__landed(from);
}

SANITIZE_NO_THREAD void filch__switch_away(struct fiber *from, struct fiber *to)
{
	enter(from->worker, from, to, LEFT_DEAD);
	sanitize_start_switch(NULL, to->stack.lo, to->stack.size);
	sanitize_thread_switch(to->stack.tsan);
	filch__context_switch(&from->context, to->context);
	__builtin_unreachable();
}

void filch__fiber_check(struct fiber *self)
{
	struct scheduler *scheduler = self->worker->scheduler;

	if (likely(self->stack.guard != FILCH_GUARD_CANARY || filch__stack_intact(&self->stack)))
		return;
	filch__overflow_report(&self->stack, scheduler->name_of(&self->stack));
	filch__panic(__FILE__, __LINE__, "a stack has overflowed");
}

void filch__fiber_born(struct stack *stack)
{
	struct fiber *fiber = container_of(stack, struct fiber, stack);

	fiber->parker.fiber = fiber;
}

struct fiber *filch__fiber_get(struct worker *worker, enum filch_stack_class stack_class)
{
	struct stack *stack =
		filch__stack_get(&worker->scheduler->stacks, &worker->stacks, stack_class);
	struct fiber *fiber = stack ? container_of(stack, struct fiber, stack) : NULL;

	/* Once only: who cancels a group from another thread reads it. */
	if (fiber && !fiber->scheduler)
		fiber->scheduler = worker->scheduler;
	return fiber;
}

void filch__fiber_prepare(struct fiber *fiber, void (*entry)(void *fiber))
{
	fiber->fake_stack = NULL;
	fiber->task = &filch__task_none;
	fiber->floor =
		fiber->stack.lo +
		(fiber->stack.size < 2 * STACK_RESERVE ? fiber->stack.size / 2 : STACK_RESERVE);
	fiber->below = NULL;
	fiber->sticky = 0;
	fiber->context = filch__context_make(fiber->stack.lo, fiber->stack.size, entry, fiber);
}

SANITIZE_NO_THREAD void filch__switch_from_native(struct worker *worker, struct fiber *to)
{
	worker->native_tsan = sanitize_thread_current();
	enter(worker, NULL, to, LEFT_NOTHING);
	sanitize_start_switch(&worker->native_fake, to->stack.lo, to->stack.size);
	sanitize_thread_switch(to->stack.tsan);
	filch__context_switch(&worker->native, to->context);
	sanitize_finish_switch(worker->native_fake);
}

SANITIZE_NO_THREAD void filch__switch_to_native(struct fiber *from)
{
	struct worker *worker = from->worker;
	const void *lo;
	size_t size;

	filch__thread_native_stack(&lo, &size);
	filch__fiber_set_self(NULL);
	sanitize_start_switch(NULL, lo, size);
	sanitize_thread_switch(worker->native_tsan);
	filch__context_switch(&from->context, worker->native);
	__builtin_unreachable();
}
