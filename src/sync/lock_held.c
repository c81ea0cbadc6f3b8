/* Who holds which locks: its end breaks them. */
#include "sync/lock.h"

#include "sched/worker.h"

#include <pthread.h>

/* The locks a plain thread holds are broken when it ends. */
static _Thread_local struct filch_lock *thread_held;
static pthread_key_t at_exit;
static pthread_once_t at_exit_once = PTHREAD_ONCE_INIT;
static bool has_at_exit;

static void break_all(struct filch_lock **held)
{
	while (*held) {
		struct filch_lock *lock = *held;

		*held = lock->held;
		filch__lock_break(lock);
	}
}

static void end_thread(void *held)
{
	break_all(held);
}

static void create_at_exit(void)
{
	has_at_exit = pthread_key_create(&at_exit, end_thread) == 0;
}

static struct filch_lock **held_by_thread(void)
{
	pthread_once(&at_exit_once, create_at_exit);
	if (!thread_held && has_at_exit)
		pthread_setspecific(at_exit, &thread_held);
	return &thread_held;
}

static struct filch_lock **held_by_self(void)
{
	struct fiber *self = filch__fiber_self();

	return self ? &self->task->held : held_by_thread();
}

/* Both by the owner alone, while it is. */
void filch__lock_note_held(struct filch_lock *lock)
{
	struct filch_lock **held = held_by_self();

	lock->held = *held;
	*held = lock;
}

void filch__lock_forget_held(const struct filch_lock *lock)
{
	struct filch_lock **held = held_by_self();

	while (*held != lock)
		held = &(*held)->held;
	*held = lock->held;
}

void filch__locks_break(struct filch__task *task)
{
	break_all(&task->held);
}
