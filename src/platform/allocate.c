/* Choosing between the user's allocator and malloc. */
#include "platform/allocate.h"

#include "base/atomic.h"
#include "platform/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANY_TYPE _Alignof(max_align_t)

static void *from_malloc(size_t size, size_t alignment, bool zeroed)
{
	int saved = errno;
	void *memory;

	if (alignment > ANY_TYPE)
		memory = aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
	else
		memory = zeroed ? calloc(1, size) : malloc(size);
	/* clang believes that malloc leaves errno alone, and drops the restoring. */
	compiler_barrier();
	errno = saved;
	return memory;
}

static void *obtain(const struct filch_allocator *allocator, size_t size, size_t alignment,
		    bool zeroed)
{
	void *memory;

	if (filch__fault_hit(FILCH__FAULT_ALLOCATE))
		return NULL;
	if (!allocator || !allocator->allocate)
		return from_malloc(size, alignment, zeroed);
	memory = allocator->allocate(size, alignment, allocator->context);
	if (memory && zeroed)
		memset(memory, 0, size);
	return memory;
}

void *filch__allocate(const struct filch_allocator *allocator, size_t size)
{
	return obtain(allocator, size, ANY_TYPE, false);
}

void *filch__allocate_aligned(const struct filch_allocator *allocator, size_t size,
			      size_t alignment)
{
	return obtain(allocator, size, alignment, false);
}

void *filch__allocate_zeroed(const struct filch_allocator *allocator, size_t size)
{
	return obtain(allocator, size, ANY_TYPE, true);
}

void filch__free(const struct filch_allocator *allocator, void *memory)
{
	if (!memory)
		return;
	if (allocator && allocator->free)
		allocator->free(memory, allocator->context);
	else
		free(memory);
}
