/* The simulated runtime: set up, run to the end or to a standstill, torn down. */
#include "runtime/simulate.h"

#include "platform/allocate.h"
#include "platform/sanitizer_stack.h"
#include "runtime/runtime.h"
#include "sched/worker.h"
#include "wake/token.h"
#include "wake/wait.h"

#include <errno.h>
#include <string.h>

#define WORKERS 2
#define DEPTH 3
#define CHOICES_MOST UINT64_C(100000000)
#define START FILCH_SECOND /* what the clock shows at the beginning */

enum end { END_DONE, END_DEADLOCK, END_LOST, END_ENDLESS };

/* ---- to the end ---- */

static bool grant_quiet(struct simulation *simulation)
{
	struct list *link = list_pop_front(&simulation->quiet);

	if (!link)
		return false;
	filch__simulation_event(simulation, 0, "all parked");
	waiter_grant(container_of(link, struct waiter, link));
	return true;
}

static bool is_done(const struct simulation *simulation)
{
	/* relaxed: nothing runs. */
	return word64_load_relaxed(&simulation->runtime->root.pending) == 0;
}

/* Lets all go on that can; then who waits for that; then who waits for others; then time. */
static enum end go_on(struct simulation *simulation)
{
	for (;;) {
		int64_t deadline;

		filch__simulation_run(simulation);
		if (simulation->verdict == VERDICT_ENDLESS)
			return END_ENDLESS;
		if (filch__simulation_has_lost(simulation))
			return END_LOST;
		if (grant_quiet(simulation) || filch__simulation_finish_job(simulation))
			continue;
		if (is_done(simulation))
			return END_DONE;
		deadline = filch__simulation_next_deadline(simulation);
		if (deadline == INT64_MAX)
			return END_DEADLOCK;
		filch__simulation_set_time(simulation, deadline);
	}
}

static void report(struct simulation *simulation, enum end end)
{
	static const char *const texts[] = {
		[END_DEADLOCK] = "deadlock: all tasks are parked, and there is no timer",
		[END_LOST] = "lost wakeup: there is work, and all workers sleep",
		[END_ENDLESS] = "no end: the simulation is given up after so many choices",
	};

	filch__simulation_say(simulation, "%s (seed %llu, %u workers, trace %016llx)", texts[end],
			      (unsigned long long)simulation->options.seed,
			      simulation->options.workers,
			      (unsigned long long)simulation->result.hash);
	if (end == END_DEADLOCK)
		filch__simulation_name_tasks(simulation);
}

/* The tasks' stacks, and what the runtime owns, go; what the tasks own does not. */
static void abandon(struct simulation *simulation)
{
	struct scheduler *scheduler = &simulation->runtime->scheduler;

	while (simulation->holds > 0)
		filch__simulation_wait_for_job(simulation);
	filch__overflow_unwatch(&scheduler->overflow);
	filch__stack_pool_fini(&scheduler->stacks);
	filch__injector_fini(&scheduler->injector);
}

static int end_badly(struct simulation *simulation, enum end end)
{
	struct scheduler *scheduler = &simulation->runtime->scheduler;

	report(simulation, end);
	simulation->counting = false;
	simulation->result.lost_wakeup = end == END_LOST;
	if (end == END_DEADLOCK) {
		filch__token_cancel(&simulation->runtime->root.token, -EDEADLK, scheduler);
		if (go_on(simulation) == END_DONE) {
			filch_runtime_destroy(simulation->runtime);
			return -EDEADLK;
		}
	}
	abandon(simulation);
	return end == END_ENDLESS ? -ETIMEDOUT : -EDEADLK;
}

static int run(struct simulation *simulation, filch_task_fn *fn, void *arg)
{
	struct filch_task_options options = { .size = sizeof(options), .name = "main" };
	struct filch_task *task;
	int status = filch_runtime_submit(simulation->runtime, &options, fn, arg, &task);
	int result = 0;
	enum end end;

	if (status < 0) {
		filch_runtime_destroy(simulation->runtime);
		return status;
	}
	simulation->counting = true;
	end = go_on(simulation);
	simulation->counting = false;
	if (end == END_DONE) {
		filch_task_try_wait(task, &result);
		filch_task_release(task);
		filch_runtime_destroy(simulation->runtime);
		return result;
	}
	return end_badly(simulation, end);
}

/* ---- the world ---- */

static int read_options(struct simulation *simulation, const struct filch_simulation_options *given)
{
	struct filch_simulation_options *options = &simulation->options;

	if (given) {
		if (given->size < offsetof(struct filch_simulation_options, room) ||
		    given->strategy > FILCH_SIMULATE_PCT || given->depth > DEPTH_MOST ||
		    given->inject > FILCH_INJECT_NO_MEMORY ||
		    (given->result && given->result->size < sizeof(*given->result)))
			return -EINVAL;
		*options = *given;
	}
	options->workers = options->workers ? options->workers : WORKERS;
	options->depth = options->depth ? options->depth : DEPTH;
	options->max_choices = options->max_choices ? options->max_choices : CHOICES_MOST;
	return 0;
}

static int create_runtime(struct simulation *simulation)
{
	struct filch_options options = { .guard = FILCH_GUARD_CANARY };

	if (simulation->options.runtime)
		options = *simulation->options.runtime;
	options.size = sizeof(options);
	options.workers = simulation->options.workers;
	options.affinity = FILCH_AFFINITY_NONE;
	options.ignore_environment = true;
	options.allocator = filch__simulation_allocator(simulation);
	return filch_runtime_create(&simulation->runtime, &options);
}

static void describe_main(struct strand *main)
{
	struct fiber *fiber = filch__fiber_self();
	const void *lo = NULL;

	if (fiber) {
		main->stack = fiber->stack.lo;
		main->size = fiber->stack.size;
	} else if (sanitize_is_address()) {
		filch__thread_native_stack(&lo, &main->size);
		main->stack = (void *)(uintptr_t)lo;
	}
	strcpy(main->name, "main");
}

static void open_world(struct simulation *simulation)
{
	simulation->world.calls = &filch__simulation_calls;
	simulation->world.now = START;
	simulation->world.local = &simulation->main.local;
	simulation->current = &simulation->main;
	describe_main(&simulation->main);
	pthread_mutex_init(&simulation->jobs_lock, NULL);
	pthread_cond_init(&simulation->jobs_done, NULL);
	filch__simulation_seed(simulation);
	simulation->world.fenced = filch__simulation_is_fenced(simulation);
	filch__fiber_set_self(NULL);
	filch__world_set_self(&simulation->world);
}

static void close_world(struct simulation *simulation, struct fiber *fiber)
{
	filch__world_set_self(NULL);
	filch__fiber_set_self(fiber);
	filch__simulation_free_strands(simulation);
	filch__simulation_free_blocks(simulation);
	pthread_cond_destroy(&simulation->jobs_done);
	pthread_mutex_destroy(&simulation->jobs_lock);
}

static void tell(struct simulation *simulation)
{
	struct filch_simulation_result *result = simulation->options.result;

	if (!result)
		return;
	simulation->result.size = result->size;
	simulation->result.elapsed = simulation->world.now - START;
	*result = simulation->result;
}

int filch_simulate(const struct filch_simulation_options *options, filch_task_fn *fn, void *arg)
{
	struct fiber *fiber = filch__fiber_self();
	struct overflow_stack *overflow;
	struct simulation *simulation;
	int status;

	if (!fn)
		return -EINVAL;
	if (filch__world_self())
		return -EPERM;
	simulation = filch__allocate_zeroed(NULL, sizeof(*simulation));
	if (!simulation)
		return -ENOMEM;
	status = read_options(simulation, options);
	if (status < 0)
		goto free_simulation;
	/* Not by the first worker: one that is abandoned would leave it to the next simulation. */
	overflow = filch__overflow_enter_thread();
	open_world(simulation);
	status = create_runtime(simulation);
	if (status == 0)
		status = run(simulation, fn, arg);
	tell(simulation);
	close_world(simulation, fiber);
	filch__overflow_leave_thread(overflow);
free_simulation:
	filch__free(NULL, simulation);
	return status;
}

/* ---- for tasks ---- */

bool filch_simulation_is_running(void)
{
	return filch__world_self() != NULL;
}

int filch_simulation_wait_all_parked(void)
{
	static const struct waited all = { .name = "all others to park" };
	struct world *world = filch__world_self();
	struct waiter waiter;
	int status;

	if (!world || !filch__fiber_self())
		return -EPERM;
	status = filch__wait_enter();
	if (status < 0)
		return status;
	filch__waiter_begin(&waiter);
	waiter_says(&waiter, &all, NULL);
	list_push_back(&simulation_of(world)->quiet, &waiter.link);
	status = filch__waiter_wait(&waiter, FILCH_NEVER);
	if (list_is_linked(&waiter.link))
		list_remove(&waiter.link);
	return status;
}
