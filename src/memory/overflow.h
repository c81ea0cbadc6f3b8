/* The report of a stack overflow: whose stack it was, before the process dies of it. */
#ifndef FILCH_MEMORY_OVERFLOW_H
#define FILCH_MEMORY_OVERFLOW_H

#include "memory/stack.h"

/*
 * While at least one pool is watched, SIGSEGV and SIGBUS go through a handler that
 * looks up the faulting address. On a guard it writes
 *
 *	filch: stack overflow in task 'NAME' (stack of 65536 bytes at 0x7f...)
 *
 * to stderr; in any case it hands on to whoever had the signal before. The handler
 * needs a stack that is not the one that is full: each worker thread sets up one.
 */
struct overflow_watch {
	const struct stack_pool *pool;
	/* Name of the task on this stack or NULL. Called in a signal handler. */
	const char *(*name)(const struct stack *stack);
	struct filch_pointer next; /* struct overflow_watch */
};

/* Caller fills in pool and name and keeps it until remove. 0, -EINVAL. */
int filch__overflow_watch(struct overflow_watch *watch);
/* Before its pool ends; afterwards no handler looks at it. NULL is accepted, and what was
 * never added. */
void filch__overflow_unwatch(struct overflow_watch *watch);

/* The signal stack of the caller's thread. NULL: it has one already, or there is no memory. */
struct overflow_stack; /* its lowest byte; nothing lies there */
struct overflow_stack *filch__overflow_enter_thread(void);
/* In the same thread; NULL is accepted. */
void filch__overflow_leave_thread(struct overflow_stack *stack);

/* The same line for an overflow found otherwise (filch__stack_intact). Async-signal-safe. */
void filch__overflow_report(const struct stack *stack, const char *name);

#endif
