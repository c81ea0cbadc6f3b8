/* The library's own memory: through the user's allocator, or malloc. */
#ifndef FILCH_PLATFORM_ALLOCATE_H
#define FILCH_PLATFORM_ALLOCATE_H

#include <filch/runtime.h>
#include <stddef.h>

/*
 * `allocator` NULL, or with NULL members: malloc. All return NULL without memory and never
 * set errno. Memory aligned for any type, or to `alignment` (a power of two).
 */
void *filch__allocate(const struct filch_allocator *allocator, size_t size);
void *filch__allocate_aligned(const struct filch_allocator *allocator, size_t size,
			      size_t alignment);
/* Zeroed; large ones from malloc come untouched from the system. */
void *filch__allocate_zeroed(const struct filch_allocator *allocator, size_t size);
/* NULL is accepted. */
void filch__free(const struct filch_allocator *allocator, void *memory);

#endif
