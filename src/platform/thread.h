/* Threads of the library: joinable, named, deaf to signals. */
#ifndef FILCH_PLATFORM_THREAD_H
#define FILCH_PLATFORM_THREAD_H

#include <stddef.h>
#include <stdint.h>

#define THREAD_NAME_SIZE 16 /* the kernel's limit, its zero included */

/* Allocated by create, freed by join. */
struct thread;

/*
 * Starts fn(arg) in a new thread. All signals are blocked in it except those a fault
 * raises in the thread itself (SEGV, BUS, FPE, ILL, TRAP, SYS), which would kill without asking
 * any handler; pthread_cancel does nothing. `name` may be NULL and is cut at 15 characters.
 * The native stack is small (256 KiB, or the system's default where thread-local data
 * leaves no room on that): for threads that go straight to a pooled stack.
 * 0, -EAGAIN, -ENOMEM.
 */
int filch__thread_create(struct thread **thread, const char *name, void (*fn)(void *arg),
			 void *arg);
/* The same with a native stack of this size, for threads that run foreign code on it. */
int filch__thread_create_sized(struct thread **thread, const char *name, size_t stack_size,
			       void (*fn)(void *arg), void *arg);
/* Waits for its end and frees it. NULL is accepted. */
void filch__thread_join(struct thread *thread);
/* Waits at most `span` nanoseconds. 0: joined and freed; -ETIMEDOUT: still there. One caller. */
int filch__thread_try_join(struct thread *thread, int64_t span);
/* Of the caller. */
void filch__thread_set_name(const char *name);
void filch__thread_yield(void);
/* The native stack of the caller's thread, to be asked while it lives: [*lo, *lo + *size). */
void filch__thread_native_stack(const void **lo, size_t *size);

#endif
