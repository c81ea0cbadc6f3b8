/* Three levels of assertion: misuse (always on), invariant (debug), whole-structure walks
 * (paranoid). */
#ifndef FILCH_BASE_PANIC_H
#define FILCH_BASE_PANIC_H

#include "base/compiler.h"

/* Writes "filch: file:line: text" to stderr without allocating and aborts. */
__attribute__((noreturn, cold)) void filch__panic(const char *file, int line, const char *text);

/* Misuse by the caller, in every build. */
#define FILCH_CHECK(condition, text)                                                               \
	(likely(condition) ? (void)0 : filch__panic(__FILE__, __LINE__, (text)))

/* An O(1) invariant of our own, in debug builds. */
#if defined(FILCH_DEBUG) || defined(FILCH_PARANOID)
#define FILCH_ASSERT(condition) FILCH_CHECK(condition, #condition)
#else
#define FILCH_ASSERT(condition) ((void)sizeof(!(condition)))
#endif

/* A walk over a whole structure, in paranoid builds. */
#if defined(FILCH_PARANOID)
#define FILCH_ASSERT_SLOW(condition) FILCH_CHECK(condition, #condition)
#else
#define FILCH_ASSERT_SLOW(condition) ((void)sizeof(!(condition)))
#endif

#endif
