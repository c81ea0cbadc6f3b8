/* The 4-ary heap: order, handles, growth, against a plain array as the model. */
#include "data/heap.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define MODEL 512

static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % bound;
}

static void grow(struct heap *heap, uint32_t capacity)
{
	void *block = malloc(filch__heap_block_size(capacity));

	cr_assert_not_null(block);
	free(filch__heap_adopt(heap, block, capacity));
}

static uint32_t insert(struct heap *heap, int64_t key, void *owner)
{
	if (heap_is_full(heap))
		grow(heap, heap->capacity ? heap->capacity * 2 : 1);
	return filch__heap_insert(heap, key, owner, 0);
}

static bool is_even(const struct heap_entry *entry)
{
	return entry->key % 2 == 0;
}

Test(heap, all_zero_is_an_empty_heap)
{
	struct heap heap = { 0 };

	cr_assert_null(heap_first(&heap));
	cr_assert(heap_is_full(&heap));
	cr_assert_null(filch__heap_find(&heap, 0));
	cr_assert(filch__heap_is_valid(&heap));
}

Test(heap, random_keys_come_out_in_order)
{
	struct heap heap = { 0 };
	int64_t last = INT64_MIN;

	for (unsigned i = 0; i < 3000; i++)
		insert(&heap, (int64_t)random_below(1000) - 500, NULL);
	cr_assert(filch__heap_is_valid(&heap));
	while (heap.count > 0) {
		cr_assert_geq(heap_first(&heap)->key, last);
		last = heap_first(&heap)->key;
		filch__heap_remove(&heap, heap_slot(heap_first(&heap)));
	}
	cr_assert(filch__heap_is_valid(&heap));
	free(heap.memory);
}

Test(heap, extreme_keys_are_ordered)
{
	struct heap heap = { 0 };

	insert(&heap, INT64_MAX, NULL);
	insert(&heap, 0, NULL);
	insert(&heap, INT64_MIN, NULL);
	cr_assert(heap_first(&heap)->key == INT64_MIN);
	filch__heap_remove(&heap, heap_slot(heap_first(&heap)));
	cr_assert(heap_first(&heap)->key == 0);
	free(heap.memory);
}

Test(heap, equal_keys_come_out_in_order_of_registration)
{
	struct heap heap = { 0 };
	char owners[300];

	for (unsigned i = 0; i < 300; i++)
		insert(&heap, 7, &owners[i]);
	/* A slot used again gets a number of its own. */
	filch__heap_remove(&heap, heap_slot(heap_first(&heap)));
	insert(&heap, 7, &owners[0]);
	for (unsigned i = 1; i <= 300; i++) {
		cr_assert(heap_first(&heap)->owner == &owners[i % 300]);
		filch__heap_remove(&heap, heap_slot(heap_first(&heap)));
	}
	free(heap.memory);
}

Test(heap, slot_finds_its_entry_after_moves_and_growth)
{
	struct heap heap = { 0 };
	char owners[200];
	uint32_t slots[200];

	for (unsigned i = 0; i < 200; i++)
		slots[i] = insert(&heap, (int64_t)random_below(50), &owners[i]);
	for (unsigned i = 0; i < 200; i++)
		cr_assert(filch__heap_find(&heap, slots[i])->owner == &owners[i]);
	filch__heap_remove(&heap, slots[100]);
	cr_assert_null(filch__heap_find(&heap, slots[100]));
	cr_assert_null(filch__heap_find(&heap, HEAP_NO_SLOT));
	free(heap.memory);
}

Test(heap, updated_entry_moves_and_goes_behind_its_equals)
{
	struct heap heap = { 0 };
	char a, b, c;
	uint32_t slot = insert(&heap, 10, &a);

	insert(&heap, 20, &b);
	insert(&heap, 30, &c);
	filch__heap_update(&heap, slot, 30);
	cr_assert(heap_first(&heap)->owner == &b);
	filch__heap_remove(&heap, heap_slot(heap_first(&heap)));
	cr_assert(heap_first(&heap)->owner == &c);
	filch__heap_update(&heap, slot, 1);
	cr_assert(heap_first(&heap)->owner == &a);
	cr_assert_eq(heap_slot(heap_first(&heap)), slot);
	free(heap.memory);
}

Test(heap, filter_removes_what_is_refused)
{
	struct heap heap = { 0 };
	uint32_t slots[501];

	filch__heap_filter(&heap, is_even);
	for (unsigned i = 0; i < 501; i++)
		slots[i] = insert(&heap, (int64_t)(i * 7919 % 501), NULL);
	filch__heap_filter(&heap, is_even);
	cr_assert(filch__heap_is_valid(&heap));
	cr_assert_eq(heap.count, 251);
	for (unsigned i = 0; i < 501; i++)
		cr_assert((filch__heap_find(&heap, slots[i]) != NULL) == (i * 7919 % 501 % 2 == 0));
	free(heap.memory);
}

Test(heap, groups_of_children_lie_on_pairs_of_lines)
{
	for (uint32_t capacity = 1; capacity < 40; capacity += 7) {
		struct heap heap = { 0 };

		grow(&heap, capacity);
		cr_assert_eq((uintptr_t)&heap.entries[1] % 128, 0);
		free(heap.memory);
	}
}

Test(heap, agrees_with_a_plain_array)
{
	struct heap heap = { 0 };
	int64_t keys[MODEL];
	uint32_t slots[MODEL];
	uint32_t count = 0;

	for (unsigned step = 0; step < 20000; step++) {
		uint32_t at = count ? random_below(count) : 0;
		uint32_t what = random_below(5);

		if (count == 0 || (what < 2 && count < MODEL)) {
			keys[count] = random_below(100);
			slots[count] = insert(&heap, keys[count], NULL);
			count++;
		} else if (what < 3) {
			keys[at] = random_below(100);
			filch__heap_update(&heap, slots[at], keys[at]);
		} else {
			filch__heap_remove(&heap, slots[at]);
			keys[at] = keys[--count];
			slots[at] = slots[count];
		}
		cr_assert_eq(heap.count, count);
		if (step % 64 == 0)
			cr_assert(filch__heap_is_valid(&heap));
		for (uint32_t i = 0; i < count; i++)
			cr_assert(filch__heap_find(&heap, slots[i])->key == keys[i] &&
				  heap_first(&heap)->key <= keys[i]);
	}
	free(heap.memory);
}
