/* The 4-ary heap's moves: up, down, in, out, and into a larger block. */
#include "data/heap.h"

#include "base/panic.h"

#include <string.h>

#define WIDTH 4u
/* Puts entries[1], the first group of children, on a pair of cache lines. */
#define PAIR 128u
#define BEFORE_CHILDREN (PAIR - sizeof(struct heap_entry))

_Static_assert(WIDTH * sizeof(struct heap_entry) == PAIR,
	       "a group of children fills a pair of lines");

static bool is_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void place(struct heap *heap, uint32_t index, const struct heap_entry *entry)
{
	heap->entries[index] = *entry;
	heap->places[heap_slot(entry)] = index;
}

/* Finds the entry's place from the hole at `index` towards the root. */
static void sift_up(struct heap *heap, uint32_t index, const struct heap_entry *entry)
{
	while (index > 0) {
		uint32_t parent = (index - 1) / WIDTH;

		if (!is_before(entry, &heap->entries[parent]))
			break;
		place(heap, index, &heap->entries[parent]);
		index = parent;
	}
	place(heap, index, entry);
}

static uint32_t least_child(const struct heap *heap, uint32_t first)
{
	uint32_t end = heap->count - first < WIDTH ? heap->count : first + WIDTH;
	uint32_t least = first;

	for (uint32_t child = first + 1; child < end; child++) {
		if (is_before(&heap->entries[child], &heap->entries[least]))
			least = child;
	}
	return least;
}

/* Finds the entry's place from the hole at `index` towards the leaves. */
static void sift_down(struct heap *heap, uint32_t index, const struct heap_entry *entry)
{
	for (;;) {
		uint32_t child = WIDTH * index + 1;

		if (child >= heap->count)
			break;
		child = least_child(heap, child);
		if (!is_before(&heap->entries[child], entry))
			break;
		place(heap, index, &heap->entries[child]);
		index = child;
	}
	place(heap, index, entry);
}

/* Fills the hole at `index` with an entry from elsewhere. */
static void refill(struct heap *heap, uint32_t index, const struct heap_entry *entry)
{
	if (index > 0 && is_before(entry, &heap->entries[(index - 1) / WIDTH]))
		sift_up(heap, index, entry);
	else
		sift_down(heap, index, entry);
}

static void free_slot(struct heap *heap, uint32_t slot)
{
	heap->places[slot] = heap->free_slot;
	heap->free_slot = slot;
}

size_t filch__heap_block_size(uint32_t capacity)
{
	return PAIR + BEFORE_CHILDREN +
	       (size_t)capacity * (sizeof(struct heap_entry) + sizeof(uint32_t));
}

void *filch__heap_adopt(struct heap *heap, void *block, uint32_t capacity)
{
	uintptr_t skip = (PAIR - (uintptr_t)block % PAIR) % PAIR + BEFORE_CHILDREN;
	struct heap_entry *entries = (struct heap_entry *)(void *)((char *)block + skip);
	uint32_t *places = (uint32_t *)(void *)(entries + capacity);
	void *old = heap->memory;

	FILCH_ASSERT(capacity > heap->capacity && capacity <= HEAP_CAPACITY_MAX);
	if (old) {
		memcpy(entries, heap->entries, heap->count * sizeof(*entries));
		memcpy(places, heap->places, heap->capacity * sizeof(*places));
	} else {
		heap->free_slot = HEAP_NO_SLOT;
	}
	heap->entries = entries;
	heap->places = places;
	heap->memory = block;
	for (uint32_t slot = capacity; slot-- > heap->capacity;)
		free_slot(heap, slot);
	heap->capacity = capacity;
	FILCH_ASSERT_SLOW(filch__heap_is_valid(heap));
	return old;
}

uint32_t filch__heap_insert(struct heap *heap, int64_t key, void *owner, uint64_t tag)
{
	uint32_t slot = heap->free_slot;
	struct heap_entry entry = {
		.key = key,
		.order = heap->registrations++ << HEAP_SLOT_BITS | slot,
		.owner = owner,
		.tag = tag,
	};

	FILCH_ASSERT(!heap_is_full(heap));
	heap->free_slot = heap->places[slot];
	sift_up(heap, heap->count++, &entry);
	FILCH_ASSERT_SLOW(filch__heap_is_valid(heap));
	return slot;
}

void filch__heap_update(struct heap *heap, uint32_t slot, int64_t key)
{
	uint32_t index = heap->places[slot];
	struct heap_entry entry = heap->entries[index];

	FILCH_ASSERT(filch__heap_find(heap, slot));
	entry.key = key;
	entry.order = heap->registrations++ << HEAP_SLOT_BITS | slot;
	refill(heap, index, &entry);
	FILCH_ASSERT_SLOW(filch__heap_is_valid(heap));
}

void filch__heap_remove(struct heap *heap, uint32_t slot)
{
	uint32_t index = heap->places[slot];
	struct heap_entry last;

	FILCH_ASSERT(filch__heap_find(heap, slot));
	last = heap->entries[--heap->count];
	if (index != heap->count)
		refill(heap, index, &last);
	free_slot(heap, slot);
	FILCH_ASSERT_SLOW(filch__heap_is_valid(heap));
}

void filch__heap_filter(struct heap *heap, bool (*keep)(const struct heap_entry *entry))
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < heap->count; i++) {
		if (keep(&heap->entries[i]))
			place(heap, kept++, &heap->entries[i]);
		else
			free_slot(heap, heap_slot(&heap->entries[i]));
	}
	heap->count = kept;
	for (uint32_t i = kept < 2 ? 0 : (kept - 2) / WIDTH + 1; i-- > 0;) {
		struct heap_entry entry = heap->entries[i];

		sift_down(heap, i, &entry);
	}
	FILCH_ASSERT_SLOW(filch__heap_is_valid(heap));
}

const struct heap_entry *filch__heap_find(const struct heap *heap, uint32_t slot)
{
	uint32_t index;

	if (slot >= heap->capacity)
		return NULL;
	index = heap->places[slot];
	if (index >= heap->count || heap_slot(&heap->entries[index]) != slot)
		return NULL;
	return &heap->entries[index];
}

bool filch__heap_is_valid(const struct heap *heap)
{
	uint32_t spare = 0;

	if (heap->count > heap->capacity)
		return false;
	for (uint32_t i = 0; i < heap->count; i++) {
		const struct heap_entry *entry = &heap->entries[i];

		if (i > 0 && !is_before(&heap->entries[(i - 1) / WIDTH], entry))
			return false;
		if (heap_slot(entry) >= heap->capacity || heap->places[heap_slot(entry)] != i)
			return false;
	}
	if (!heap->memory)
		return heap->capacity == 0;
	for (uint32_t slot = heap->free_slot; slot != HEAP_NO_SLOT; slot = heap->places[slot]) {
		if (slot >= heap->capacity || ++spare > heap->capacity)
			return false;
	}
	return spare == heap->capacity - heap->count;
}
