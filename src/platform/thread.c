/* Starting and ending threads with pthreads. */
#include "platform/thread.h"

#include "base/atomic.h"
#include "base/world.h"
#include "platform/allocate.h"
#include "platform/clock.h"
#include "platform/fault.h"
#include "platform/futex.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#define SMALL_STACK ((size_t)256 * 1024)

struct thread {
	pthread_t id;
	void (*fn)(void *arg);
	void *arg;
	struct filch_word32 ended; /* futex: fn has returned */
	char name[THREAD_NAME_SIZE];
};

static void block_signals(sigset_t *old)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, old);
}

static void *start(void *arg)
{
	struct thread *thread = arg;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	if (thread->name[0])
		filch__thread_set_name(thread->name);
	thread->fn(thread->arg);
	/* release: pairs with the acquire in filch__thread_try_join. */
	word32_store_release(&thread->ended, 1);
	filch__futex_wake(&thread->ended, 1);
	return NULL;
}

static int create(struct thread *thread, size_t stack_size)
{
	pthread_attr_t attributes;
	int status = pthread_attr_init(&attributes);

	if (status != 0)
		return -status;
	/* Refused when too small for the system: then its default stands. */
	pthread_attr_setstacksize(&attributes, stack_size);
	status = pthread_create(&thread->id, &attributes, start, thread);
	pthread_attr_destroy(&attributes);
	/* EINVAL: thread-local data of the program leaves no room on so small a stack. */
	if (status == EINVAL)
		status = pthread_create(&thread->id, NULL, start, thread);
	return -status;
}

int filch__thread_create_sized(struct thread **thread, const char *name, size_t stack_size,
			       void (*fn)(void *arg), void *arg)
{
	struct world *world = filch__world_self();
	struct thread *new;
	sigset_t old;
	int status;

	if (filch__fault_hit(FILCH__FAULT_THREAD))
		return -EAGAIN;
	if (world)
		return world->calls->create(world, thread, name, stack_size, fn, arg);
	new = filch__allocate_zeroed(NULL, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->fn = fn;
	new->arg = arg;
	snprintf(new->name, sizeof(new->name), "%.15s", name ? name : "");
	*thread = new; /* before it runs: fn may read where the caller keeps it */
	/* A thread inherits the mask: none is delivered before it could block them itself. */
	block_signals(&old);
	status = create(new, stack_size);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (status < 0) {
		*thread = NULL;
		filch__free(NULL, new);
	}
	return status;
}

int filch__thread_create(struct thread **thread, const char *name, void (*fn)(void *arg), void *arg)
{
	return filch__thread_create_sized(thread, name, SMALL_STACK, fn, arg);
}

void filch__thread_join(struct thread *thread)
{
	struct world *world = filch__world_self();

	if (!thread)
		return;
	if (world) {
		world->calls->join(world, thread, INT64_MAX);
		return;
	}
	pthread_join(thread->id, NULL);
	filch__free(NULL, thread);
}

/* Not pthread_clockjoin_np: ThreadSanitizer does not know it. */
int filch__thread_try_join(struct thread *thread, int64_t span)
{
	struct world *world = filch__world_self();
	int64_t deadline = filch__clock_now() + span;

	if (world)
		return world->calls->join(world, thread, deadline);
	/* acquire: pairs with the release in start. */
	while (word32_load_acquire(&thread->ended) == 0)
		if (filch__futex_wait(&thread->ended, 0, deadline) == -ETIMEDOUT)
			return -ETIMEDOUT;
	filch__thread_join(thread);
	return 0;
}

void filch__thread_set_name(const char *name)
{
	char text[THREAD_NAME_SIZE];

	snprintf(text, sizeof(text), "%.15s", name);
	pthread_setname_np(pthread_self(), text);
}

void filch__thread_yield(void)
{
	if (unlikely(filch__world_self() != NULL))
		filch__world_choose(WORLD_YIELD);
	else
		sched_yield();
}

void filch__thread_native_stack(const void **lo, size_t *size)
{
	struct world *world = filch__world_self();
	pthread_attr_t attributes;
	void *low = NULL;

	*size = 0;
	if (world) {
		world->calls->native_stack(world, lo, size);
		return;
	}
	if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
		pthread_attr_getstack(&attributes, &low, size);
		pthread_attr_destroy(&attributes);
	}
	*lo = low;
}
