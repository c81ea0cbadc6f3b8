/* What is said to AddressSanitizer, ThreadSanitizer and valgrind about stacks and their switches. */
#ifndef FILCH_PLATFORM_SANITIZER_STACK_H
#define FILCH_PLATFORM_SANITIZER_STACK_H

#include "base/compiler.h"
#include "platform/sanitizer.h"

#include <stddef.h>

#if defined(SANITIZE_ADDRESS)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if defined(SANITIZE_THREAD)
/* The header of gcc 12 lacks the fiber calls' declarations. */
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

/* For functions that call sanitize_thread_switch. */
#if defined(SANITIZE_THREAD)
#define SANITIZE_NO_THREAD __attribute__((no_sanitize("thread")))
#else
#define SANITIZE_NO_THREAD
#endif

/*
 * Before a switch, on the stack that is left, for the stack [lo, lo + size). *fake keeps
 * what finish_switch wants back; NULL: the frames left are abandoned for good.
 */
static FILCH_ALWAYS_INLINE void sanitize_start_switch(void **fake, const void *lo, size_t size)
{
#if defined(SANITIZE_ADDRESS)
	__sanitizer_start_switch_fiber(fake, lo, size);
#else
	(void)fake, (void)lo, (void)size;
#endif
}

/* First on the stack switched to: its own fake stack, NULL on a fresh one. */
static FILCH_ALWAYS_INLINE void sanitize_finish_switch(void *fake)
{
#if defined(SANITIZE_ADDRESS)
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
	(void)fake;
#endif
}

/* Forgets the red zones of frames that were abandoned. */
static inline void sanitize_stack_unpoison(const void *lo, size_t size)
{
#if defined(SANITIZE_ADDRESS)
	__asan_unpoison_memory_region(lo, size);
#else
	(void)lo, (void)size;
#endif
}

/* Pointers on the stacks keep what they point to from looking leaked. */
static inline void sanitize_root_add(const void *lo, size_t size)
{
#if defined(SANITIZE_ADDRESS)
	__lsan_register_root_region(lo, size);
#else
	(void)lo, (void)size;
#endif
}

static inline void sanitize_root_remove(const void *lo, size_t size)
{
#if defined(SANITIZE_ADDRESS)
	__lsan_unregister_root_region(lo, size);
#else
	(void)lo, (void)size;
#endif
}

/* ThreadSanitizer's picture of one stack. At most 8128 of them together with the threads. */
static inline void *sanitize_thread_create(void)
{
#if defined(SANITIZE_THREAD)
	return __tsan_create_fiber(0);
#else
	return NULL;
#endif
}

static inline void sanitize_thread_destroy(void *fiber)
{
#if defined(SANITIZE_THREAD)
	__tsan_destroy_fiber(fiber);
#else
	(void)fiber;
#endif
}

/* Of the stack the caller stands on, a thread's own included. */
static inline void *sanitize_thread_current(void)
{
#if defined(SANITIZE_THREAD)
	return __tsan_get_current_fiber();
#else
	return NULL;
#endif
}

/*
 * Right before filch__context_switch, in a function marked SANITIZE_NO_THREAD: an
 * instrumented function exit in between would pop the other stack's frames. Flag 0: what
 * ran before on this thread happens before what runs next (worker-private state).
 */
static FILCH_ALWAYS_INLINE void sanitize_thread_switch(void *fiber)
{
#if defined(SANITIZE_THREAD)
	__tsan_switch_to_fiber(fiber, 0);
#else
	(void)fiber;
#endif
}

/* Valgrind's picture of one stack; the id it wants back. */
static inline unsigned sanitize_stack_register(const void *lo, size_t size)
{
#if defined(VALGRIND_STACK_REGISTER)
	return (unsigned)VALGRIND_STACK_REGISTER(lo, (const char *)lo + size - 1);
#else
	(void)lo, (void)size;
	return 0;
#endif
}

static inline void sanitize_stack_deregister(unsigned id)
{
#if defined(VALGRIND_STACK_DEREGISTER)
	VALGRIND_STACK_DEREGISTER(id);
#else
	(void)id;
#endif
}

#endif
