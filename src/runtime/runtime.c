/* Creating, submitting to, and ending a runtime. */
#include "runtime/runtime.h"

#include "base/world.h"
#include "platform/allocate.h"
#include "platform/clock.h"
#include "platform/futex.h"
#include "runtime/environ.h"
#include "task/task.h"
#include "wake/timer.h"
#include "wake/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* root.pending: tasks that live, and this bit once no more are taken. */
#define ROOT_CLOSED (UINT64_C(1) << 63)

static struct filch_runtime *runtime_of(struct scheduler *scheduler)
{
	return container_of(scheduler, struct filch_runtime, scheduler);
}

/* A task that left the root group: its last touch of the runtime. */
static void root_left(struct scheduler *scheduler)
{
	struct filch_runtime *runtime = runtime_of(scheduler);

	/* acq_rel: releases the task's work to shutdown, pairs with the load in wait_for_end. */
	if (word64_sub_acq_rel(&runtime->root.pending, 1) != (ROOT_CLOSED | 1))
		return;
	/* release: pairs with the acquire in wait_for_end. */
	word32_add_release(&runtime->ended, 1);
	filch__futex_wake(&runtime->ended, 1 << 30);
}

static void root_ended(struct scheduler *scheduler, struct filch_task *task)
{
	struct filch_runtime *runtime = runtime_of(scheduler);

	spin_acquire(&runtime->lock);
	list_remove(&task->link);
	spin_release(&runtime->lock);
}

static void report_unobserved(struct scheduler *scheduler, const char *task, int status)
{
	struct filch_options *options = &runtime_of(scheduler)->options;

	if (options->unobserved)
		options->unobserved(task && *task ? task : "(unnamed)", status,
				    options->unobserved_context);
	else
		fprintf(stderr, "filch: task '%s' failed unobserved: %s\n",
			task && *task ? task : "(unnamed)", strerror(-status));
}

/* In a signal handler: reads what the overflowing thread itself wrote. */
static const char *name_of(const struct stack *stack)
{
	const struct fiber *fiber = container_of(stack, const struct fiber, stack);
	const struct filch__task *task = fiber->task;

	return task && task->record ? task->record->name : NULL;
}

static void configure(struct filch_runtime *runtime)
{
	const struct filch_options *options = &runtime->options;
	struct scheduler *scheduler = &runtime->scheduler;

	scheduler->runtime = runtime;
	scheduler->allocator = &runtime->options.allocator;
	scheduler->run = filch__task_run;
	scheduler->name_of = name_of;
	scheduler->root_ended = root_ended;
	scheduler->root_left = root_left;
	scheduler->unobserved = report_unobserved;
	scheduler->options.workers = options->workers;
	scheduler->options.affinity = options->affinity;
	scheduler->options.thread_started = options->thread_started;
	scheduler->options.thread_stopping = options->thread_stopping;
	scheduler->options.thread_context = options->thread_context;
	scheduler->options.stacks.small_size = options->stack_size;
	scheduler->options.stacks.guard = options->guard;
	scheduler->options.stacks.max_stacks = options->max_stacks;
	scheduler->options.stacks.allocator = &runtime->options.allocator;
	filch_token_init_below(&runtime->root.token, NULL, 0);
	runtime->root.token.scheduler = scheduler;
	runtime->root.policy = FILCH_GROUP_SUPERVISE;
}

int filch_runtime_create(struct filch_runtime **created, const struct filch_options *options)
{
	struct filch_options effective;
	struct filch_runtime *runtime;
	char error[160] = "";
	int status;

	if (!created)
		return -EINVAL;
	status = filch__environ_load(&effective, options, error, sizeof(error));
	if (status < 0) {
		filch__environ_log(&effective, FILCH_LOG_ERROR, "%s", error);
		return status;
	}
	runtime = filch__allocate_aligned(&effective.allocator, sizeof(*runtime), 128);
	if (!runtime)
		return -ENOMEM;
	memset(runtime, 0, sizeof(*runtime));
	runtime->options = effective;
	configure(runtime);
	status = filch__timers_create(&runtime->timers, &runtime->scheduler, effective.workers);
	if (status < 0)
		goto free_runtime;
	status = filch__scheduler_start(&runtime->scheduler);
	if (status < 0)
		goto destroy_timers;
	*created = runtime;
	return 0;

destroy_timers:
	filch__timers_destroy(runtime->timers);
free_runtime:
	filch__environ_log(&effective, FILCH_LOG_ERROR, "the runtime could not start: %s",
			   strerror(-status));
	filch__free(&effective.allocator, runtime);
	return status;
}

/* Joins the root group unless it is closed. */
static bool enter_root(struct filch_runtime *runtime)
{
	/* acq_rel: ordered with the closing of the group and with its last end. */
	if (!(word64_add_acq_rel(&runtime->root.pending, 1) & ROOT_CLOSED))
		return true;
	root_left(&runtime->scheduler);
	return false;
}

int filch_runtime_submit(struct filch_runtime *runtime, const struct filch_task_options *options,
			 filch_task_fn *fn, void *arg, struct filch_task **handle)
{
	struct filch_task *task;
	struct deque_item item;
	int status;

	if (!runtime || !fn)
		return -EINVAL;
	if (filch__scheduler_is_foreign(&runtime->scheduler))
		return -ESHUTDOWN;
	if (runtime->scheduler.world != filch__world_self())
		return -EPERM;
	status = filch__task_create(&task, &runtime->scheduler, options, handle != NULL);
	if (status < 0)
		return status;
	if (!enter_root(runtime)) {
		if (handle)
			filch_task_release(task);
		filch_task_release(task);
		return -ESHUTDOWN;
	}
	task->flags |= TASK_ROOT;
	task->group = &runtime->root;
	token_open(&task->token, &runtime->root.token, 0);
	item = item_make(fn, arg, &runtime->root, task, ITEM_COUNTED);
	memcpy(task->injected.word, item.word, sizeof(item.word));
	spin_acquire(&runtime->lock);
	list_push_back(&runtime->live, &task->link);
	spin_release(&runtime->lock);
	if (handle)
		*handle = task;
	filch__scheduler_inject(&runtime->scheduler, &task->injected);
	return 0;
}

static int wait_for_end(struct filch_runtime *runtime, filch_time deadline)
{
	for (;;) {
		/* acquire: pairs with root_left. */
		uint32_t seen = word32_load_acquire(&runtime->ended);

		/* acquire: pairs with root_left. */
		if (word64_load_acquire(&runtime->root.pending) == ROOT_CLOSED)
			return 0;
		if (filch__clock_now() >= deadline)
			return -ETIMEDOUT;
		filch__futex_wait(&runtime->ended, seen, deadline);
	}
}

static void name_living(struct filch_runtime *runtime,
			void (*alive)(const char *task, void *context), void *context)
{
	char(*names)[TASK_NAME_SIZE];
	size_t count = 0, i = 0;

	spin_acquire(&runtime->lock);
	for (struct list *link = runtime->live.next; link && link != &runtime->live;
	     link = link->next)
		count++;
	names = filch__allocate(&runtime->options.allocator, count * sizeof(*names) + 1);
	for (struct list *link = runtime->live.next; names && i < count; link = link->next)
		memcpy(names[i++], container_of(link, struct filch_task, link)->name,
		       sizeof(*names));
	spin_release(&runtime->lock);
	for (size_t named = 0; named < i; named++)
		alive(names[named], context);
	filch__free(&runtime->options.allocator, names);
}

static bool is_inside(const struct filch_runtime *runtime)
{
	return filch__scheduler_self() == &runtime->scheduler;
}

int filch_runtime_shutdown(struct filch_runtime *runtime, filch_time deadline,
			   void (*alive)(const char *task, void *context), void *context)
{
	int status;

	if (!runtime)
		return -EINVAL;
	if (filch__scheduler_is_foreign(&runtime->scheduler))
		return -ESHUTDOWN;
	if (is_inside(runtime))
		return -EDEADLK;
	/* acq_rel: no task enters after this; see enter_root. */
	word64_or_acq_rel(&runtime->root.pending, ROOT_CLOSED);
	filch__token_cancel(&runtime->root.token, -ESHUTDOWN, &runtime->scheduler);
	status = wait_for_end(runtime, deadline);
	if (status == -ETIMEDOUT && alive)
		name_living(runtime, alive, context);
	return status;
}

int filch_runtime_destroy(struct filch_runtime *runtime)
{
	int status;

	if (!runtime)
		return 0;
	status = filch_runtime_shutdown(runtime, FILCH_NEVER, NULL, NULL);
	if (status < 0)
		return status;
	filch__scheduler_stop(&runtime->scheduler);
	filch__timers_destroy(runtime->timers);
	filch_token_fini(&runtime->root.token);
	struct filch_allocator allocator = runtime->options.allocator;

	filch__free(&allocator, runtime);
	return 0;
}

/* The one-liner says on stderr why it could not start, unless somebody has been told already. */
static void explain(const struct filch_options *options, int status)
{
	struct filch_options effective;
	char error[160] = "";

	filch__environ_load(&effective, options, error, sizeof(error));
	if (effective.log_level == FILCH_LOG_OFF && !effective.log)
		fprintf(stderr, "filch: %s\n", error[0] ? error : strerror(-status));
}

int filch_run_with(const struct filch_options *options, filch_task_fn *fn, void *arg)
{
	struct filch_runtime *runtime;
	struct filch_task *task;
	int status, result = 0;

	if (!fn)
		return -EINVAL;
	status = filch_runtime_create(&runtime, options);
	if (status < 0) {
		explain(options, status);
		return status;
	}
	status = filch_runtime_submit(runtime, NULL, fn, arg, &task);
	if (status == 0) {
		status = filch_task_wait(task, &result);
		filch_task_release(task);
	}
	filch_runtime_destroy(runtime);
	return status < 0 ? status : result;
}

int filch_run(filch_task_fn *fn, void *arg)
{
	return filch_run_with(NULL, fn, arg);
}

struct filch_runtime *filch_runtime_current(void)
{
	struct scheduler *scheduler = filch__scheduler_self();

	return scheduler ? scheduler->runtime : NULL;
}

int filch_runtime_options(const struct filch_runtime *runtime, struct filch_options *options)
{
	if (!runtime || !options)
		return -EINVAL;
	*options = runtime->options;
	return 0;
}
