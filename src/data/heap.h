/* A 4-ary heap of values, with a handle per entry that stays while entries move. */
#ifndef FILCH_DATA_HEAP_H
#define FILCH_DATA_HEAP_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Smallest key first; equal keys in the order of their registration. The four children
 * of an entry are 128 bytes, two cache lines, so a step down touches one pair of lines.
 *
 *	slot --places[]--> index --entries[]--> entry, whose order names its slot
 *
 * An entry is found again by its slot, through places[], a dense array of this heap:
 * moving an entry writes nothing in what it refers to (a back index in the owner would
 * be a cache miss per move, and a race once the owner has gone on without its entry).
 *
 * The heap does not allocate: who inserts looks whether it is full and brings a larger
 * block, which may be allocated and freed outside the lock that guards the heap. All
 * calls exclude each other.
 */
struct heap_entry {
	int64_t key;
	uint64_t order; /* registration number << HEAP_SLOT_BITS | slot */
	void *owner;
	uint64_t tag;
};

struct heap {
	struct heap_entry *entries;
	uint32_t *places; /* by slot: its entry's index; of a free slot the next free one */
	void *memory;	  /* the block that holds both; NULL at first */
	uint64_t registrations;
	uint32_t count;
	uint32_t capacity;
	uint32_t free_slot;
};

#define HEAP_SLOT_BITS 24
#define HEAP_SLOT_MASK ((UINT64_C(1) << HEAP_SLOT_BITS) - 1)
/* All-ones is never a slot: it ends the list of free ones. */
#define HEAP_CAPACITY_MAX ((uint32_t)HEAP_SLOT_MASK)
#define HEAP_NO_SLOT UINT32_MAX

/* Bytes of a block for that many entries. */
size_t filch__heap_block_size(uint32_t capacity);
/* Moves the entries into `block`, made for `capacity` (larger than now); returns the old one. */
void *filch__heap_adopt(struct heap *heap, void *block, uint32_t capacity);

/* Adds an entry and returns its slot. The heap must not be full. */
uint32_t filch__heap_insert(struct heap *heap, int64_t key, void *owner, uint64_t tag);
/* A new key, as if removed and inserted again; the slot stays. */
void filch__heap_update(struct heap *heap, uint32_t slot, int64_t key);
void filch__heap_remove(struct heap *heap, uint32_t slot);
/* Removes what keep() refuses, in O(n). */
void filch__heap_filter(struct heap *heap, bool (*keep)(const struct heap_entry *entry));
/* The entry of a slot; NULL when the slot is free. The pointer is good until the next change. */
const struct heap_entry *filch__heap_find(const struct heap *heap, uint32_t slot);
bool filch__heap_is_valid(const struct heap *heap);

static inline bool heap_is_full(const struct heap *heap)
{
	return heap->count == heap->capacity;
}

/* The smallest entry; NULL when empty. Good until the next change. */
static inline const struct heap_entry *heap_first(const struct heap *heap)
{
	return heap->count ? heap->entries : NULL;
}

static inline uint32_t heap_slot(const struct heap_entry *entry)
{
	return (uint32_t)(entry->order & HEAP_SLOT_MASK);
}

#endif
