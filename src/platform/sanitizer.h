/* Which of AddressSanitizer, ThreadSanitizer and valgrind watches; nothing in other builds. */
#ifndef FILCH_PLATFORM_SANITIZER_H
#define FILCH_PLATFORM_SANITIZER_H

#include <stdbool.h>
#include <stddef.h>

/* The only files with these #ifs: this one and sanitizer_stack.h. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZE_ADDRESS 1
#endif
#if __has_feature(thread_sanitizer)
#define SANITIZE_THREAD 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZE_ADDRESS 1
#endif
#if defined(__SANITIZE_THREAD__)
#define SANITIZE_THREAD 1
#endif

#if defined(SANITIZE_THREAD)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#endif
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif

/* Order made by somebody ThreadSanitizer cannot see: release before, acquire after. */
static inline void sanitize_acquire(void *address)
{
#if defined(SANITIZE_THREAD)
	__tsan_acquire(address);
#else
	(void)address;
#endif
}

static inline void sanitize_release(void *address)
{
#if defined(SANITIZE_THREAD)
	__tsan_release(address);
#else
	(void)address;
#endif
}

/* Memory of a stack below the stack pointer that the pool itself looks at. */
static inline void sanitize_memory_defined(const void *lo, size_t size)
{
#if defined(VALGRIND_MAKE_MEM_DEFINED)
	VALGRIND_MAKE_MEM_DEFINED(lo, size);
#else
	(void)lo, (void)size;
#endif
}

/* True where impossible sizes and faults end in the tool's own report. */
static inline bool sanitize_is_address(void)
{
#if defined(SANITIZE_ADDRESS)
	return true;
#else
	return false;
#endif
}

static inline bool sanitize_is_valgrind(void)
{
#if defined(RUNNING_ON_VALGRIND)
	return RUNNING_ON_VALGRIND != 0;
#else
	return false;
#endif
}

/* True where every stack costs the tool dearly: tests then use fewer. */
static inline bool sanitize_is_thread(void)
{
#if defined(SANITIZE_THREAD)
	return true;
#else
	return false;
#endif
}

#endif
