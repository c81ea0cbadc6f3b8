/* What the code says to the compiler. */
#ifndef FILCH_BASE_COMPILER_H
#define FILCH_BASE_COMPILER_H

#include <stddef.h>

#define FILCH_NOINLINE __attribute__((noinline))
#define FILCH_ALWAYS_INLINE __attribute__((always_inline)) inline
#define FILCH_COLD __attribute__((cold, noinline))
#define FILCH_CACHE_LINE 64
/* Two lines: the adjacent-line prefetcher of x86 pulls them in pairs. */
#define FILCH_ALIGN_SHARED __attribute__((aligned(128)))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
