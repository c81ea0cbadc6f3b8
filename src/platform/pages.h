/* Memory from the system in pages: slabs of stacks, their guards, giving pages back. */
#ifndef FILCH_PLATFORM_PAGES_H
#define FILCH_PLATFORM_PAGES_H

#include <stdbool.h>
#include <stddef.h>

size_t filch__pages_size(void);

/* Zeroed, readable and writable, committed as touched, never in huge pages. NULL: none. */
void *filch__pages_map(size_t size);
void filch__pages_unmap(void *lo, size_t size);

/* Gives the pages back; they read as zero afterwards. Guards stay. */
void filch__pages_discard(void *lo, size_t size);

/* Does the kernel have lightweight guards (6.13), and may this process use them? Sets one and
 * sees whether it holds. */
bool filch__pages_can_guard(void);
/* Lightweight guard: no cost but the page table entry. 0 or a negative errno. */
int filch__pages_guard(void *lo, size_t size);

/*
 * Guard by mprotect: splits the mapping in two. -ENOMEM once such guards, of all
 * callers in the process, take half of vm.max_map_count: the rest is for the program.
 */
int filch__pages_protect(void *lo, size_t size);
/* To be called when n such guards were unmapped. */
void filch__pages_unprotected(size_t n);
/* vm.max_map_count, or its default where it cannot be read. */
size_t filch__pages_map_limit(void);

#endif
