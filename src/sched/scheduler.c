/* Starting and ending the workers. */
#include "sched/worker.h"

#include "base/panic.h"
#include "base/world.h"
#include "memory/overflow.h"
#include "platform/allocate.h"
#include "platform/cpu.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CAPACITY 256

/* In the child of a fork: whatever task forked goes on as a plain thread. */
static void leave_worker(void)
{
	filch__fiber_set_self(NULL);
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, leave_worker);
}

bool filch__scheduler_is_foreign(const struct scheduler *scheduler)
{
	return scheduler->process != getpid();
}

static void worker_main(void *argument)
{
	struct worker *worker = argument;
	struct scheduler_options *options = &worker->scheduler->options;
	struct overflow_stack *overflow = filch__overflow_enter_thread();
	struct fiber *first = worker->spare;

	if (options->affinity == FILCH_AFFINITY_CORES)
		filch__cpu_pin(worker->index);
	if (options->thread_started)
		options->thread_started(worker->index, options->thread_context);
	worker->spare = NULL;
	filch__fiber_prepare(first, filch__loop);
	filch__switch_from_native(worker, first); /* R1: the native stack runs no task. */
	if (options->thread_stopping)
		options->thread_stopping(worker->index, options->thread_context);
	filch__overflow_leave_thread(overflow);
}

static int worker_init(struct worker *worker, struct scheduler *scheduler, unsigned index)
{
	int status;

	worker->scheduler = scheduler;
	worker->index = index;
	worker->tick = worker->tick_length = 1;
	worker->random = (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
	if (scheduler->world)
		worker->random ^= scheduler->world->calls->pick(scheduler->world, WORLD_QUEUE,
								UINT64_C(1) << 32);
	filch__stack_cache_init(&worker->stacks);
	if (scheduler->fenced)
		/* relaxed: not shared yet. */
		word32_store_relaxed(&worker->gate.raid, GATE_FENCED);
	status = filch__deque_init(&worker->tasks, FIRST_CAPACITY, scheduler->allocator);
	if (status == 0)
		status = filch__deque_init(&worker->ready, FIRST_CAPACITY, scheduler->allocator);
	if (status == 0 && !worker_ensure_spare(worker))
		status = -ENOMEM;
	return status;
}

static void workers_free(struct scheduler *scheduler)
{
	for (unsigned i = 0; scheduler->workers && i < scheduler->count; i++) {
		filch__deque_fini(&scheduler->workers[i].tasks);
		filch__deque_fini(&scheduler->workers[i].ready);
	}
	filch__free(scheduler->allocator, scheduler->workers);
	scheduler->workers = NULL;
	filch__free(scheduler->allocator, scheduler->idle.sleeping);
	scheduler->idle.sleeping = NULL;
}

static int workers_create(struct scheduler *scheduler)
{
	size_t size = scheduler->count * sizeof(struct worker);

	scheduler->workers = filch__allocate_aligned(scheduler->allocator, size, 128);
	scheduler->idle.sleeping =
		filch__allocate_zeroed(scheduler->allocator, scheduler->count * sizeof(uint16_t));
	if (scheduler->workers)
		memset(scheduler->workers, 0, size);
	for (unsigned i = 0; scheduler->workers && i < scheduler->count; i++)
		scheduler->workers[i].scheduler = scheduler;
	if (!scheduler->workers || !scheduler->idle.sleeping)
		return -ENOMEM;
	for (unsigned i = 0; i < scheduler->count; i++) {
		int status = worker_init(&scheduler->workers[i], scheduler, i);

		if (status < 0)
			return status;
	}
	return 0;
}

static void join_threads(struct scheduler *scheduler)
{
	/* release: pairs with the load in is_stopping; before the look at the sleepers by their
	 * lock. */
	word32_store_release(&scheduler->stopping, 1);
	filch__idle_wake_all(scheduler);
	for (unsigned i = 0; i < scheduler->count; i++) {
		filch__thread_join(scheduler->workers[i].thread);
		scheduler->workers[i].thread = NULL;
	}
}

int filch__scheduler_start(struct scheduler *scheduler)
{
	static pthread_once_t watched = PTHREAD_ONCE_INIT;
	int status;

	pthread_once(&watched, watch_forks);
	scheduler->process = getpid();
	scheduler->count = scheduler->options.workers;
	scheduler->world = filch__world_self();
	scheduler->processors = scheduler->world ? 1 : filch__cpu_count();
	scheduler->fenced = !filch__barrier_register();
	if (scheduler->world)
		/* relaxed: not shared yet. What no token has ever seen: each poll goes the long way. */
		word64_store_relaxed(&scheduler->cancels, 1);
	if (scheduler->fenced)
		/* relaxed: not shared yet. */
		word32_store_relaxed(&scheduler->idle.state, IDLE_FENCED);
	scheduler->options.stacks.descriptor_size = sizeof(struct fiber);
	scheduler->options.stacks.born = filch__fiber_born;
	status = filch__injector_init(&scheduler->injector);
	if (status < 0)
		return status;
	status = filch__stack_pool_init(&scheduler->stacks, &scheduler->options.stacks);
	if (status < 0)
		goto fini_injector;
	scheduler->overflow.pool = &scheduler->stacks;
	scheduler->overflow.name = scheduler->name_of;
	status = filch__overflow_watch(&scheduler->overflow);
	if (status == 0)
		status = workers_create(scheduler);
	for (unsigned i = 0; status == 0 && i < scheduler->count; i++) {
		char name[THREAD_NAME_SIZE];

		snprintf(name, sizeof(name), "filch-%hu", (unsigned short)i);
		status = filch__thread_create(&scheduler->workers[i].thread, name, worker_main,
					      &scheduler->workers[i]);
	}
	if (status == 0)
		return 0;
	if (scheduler->workers)
		join_threads(scheduler);
	workers_free(scheduler);
	filch__overflow_unwatch(&scheduler->overflow);
	filch__stack_pool_fini(&scheduler->stacks);
fini_injector:
	filch__injector_fini(&scheduler->injector);
	return status;
}

void filch__scheduler_stop(struct scheduler *scheduler)
{
	/* acquire: pairs with the release in filch__scheduler_append. */
	while (word32_load_acquire(&scheduler->outsiders) != 0)
		filch__thread_yield();
	join_threads(scheduler);
	workers_free(scheduler);
	filch__overflow_unwatch(&scheduler->overflow);
	filch__stack_pool_fini(&scheduler->stacks);
	filch__injector_fini(&scheduler->injector);
}

void filch__scheduler_append(struct scheduler *scheduler, struct injected *injected)
{
	FILCH_CHECK(scheduler->world == filch__world_self(),
		    "a task was woken from outside its simulation");
	/* What is appended may end, and with it the runtime, before we have notified: the end waits
	 * for us. */
	/* relaxed: the append below, which whoever ends the runtime has seen the effect of, orders.
	 */
	word32_add_relaxed(&scheduler->outsiders, 1);
	filch__injector_push(&scheduler->injector, injected);
	filch__idle_notify(scheduler);
	/* release: our last touch; pairs with the acquire in filch__scheduler_stop. */
	word32_sub_release(&scheduler->outsiders, 1);
}

void filch__scheduler_inject(struct scheduler *scheduler, struct injected_task *task)
{
	task->injected.owner = NULL;
	filch__scheduler_append(scheduler, &task->injected);
}
