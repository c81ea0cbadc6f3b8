/* Faults on purpose, and the allocations that have them. */
#include "platform/allocate.h"
#include "platform/fault.h"
#include "platform/sanitizer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

Test(fault, nothing_fails_unasked)
{
	for (int kind = 0; kind < FILCH__FAULT_KINDS; kind++)
		cr_assert(!filch__fault_hit((enum filch__fault)kind));
}

Test(fault, nth_call_fails_as_often_as_asked)
{
	filch__fault_set(FILCH__FAULT_MAP, 3, 2);
	cr_assert(!filch__fault_hit(FILCH__FAULT_MAP));
	cr_assert(!filch__fault_hit(FILCH__FAULT_MAP));
	cr_assert(!filch__fault_hit(FILCH__FAULT_THREAD));
	cr_assert(filch__fault_hit(FILCH__FAULT_MAP));
	cr_assert(filch__fault_hit(FILCH__FAULT_MAP));
	cr_assert(!filch__fault_hit(FILCH__FAULT_MAP));
	cr_assert_eq(filch__fault_calls(FILCH__FAULT_MAP), 5u);
	filch__fault_clear();
}

Test(fault, for_ever_means_for_ever)
{
	filch__fault_set(FILCH__FAULT_ALLOCATE, 2, UINT32_MAX);
	cr_assert(!filch__fault_hit(FILCH__FAULT_ALLOCATE));
	for (int i = 0; i < 100; i++)
		cr_assert(filch__fault_hit(FILCH__FAULT_ALLOCATE));
	filch__fault_clear();
	cr_assert(!filch__fault_hit(FILCH__FAULT_ALLOCATE));
}

Test(allocate, memory_is_zeroed_and_aligned)
{
	unsigned char *zeroed = filch__allocate_zeroed(NULL, 1000);
	void *aligned = filch__allocate_aligned(NULL, 1000, 256);
	void *plain = filch__allocate(NULL, 24);

	cr_assert_not_null(zeroed);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(zeroed[i], 0);
	cr_assert_eq((uintptr_t)aligned % 256, 0u);
	cr_assert_not_null(plain);
	filch__free(NULL, zeroed);
	filch__free(NULL, aligned);
	filch__free(NULL, plain);
	filch__free(NULL, NULL);
}

struct account {
	int taken, given;
	size_t alignment;
};

static void *take(size_t size, size_t alignment, void *context)
{
	struct account *account = context;

	account->taken++;
	account->alignment = alignment;
	return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void give(void *memory, void *context)
{
	struct account *account = context;

	account->given++;
	free(memory);
}

Test(allocate, goes_through_the_users_allocator)
{
	struct account account = { 0, 0, 0 };
	struct filch_allocator allocator = { take, give, &account };
	void *memory = filch__allocate_aligned(&allocator, 100, 64);

	cr_assert_eq(account.taken, 1);
	cr_assert_eq(account.alignment, 64u);
	filch__free(&allocator, memory);
	cr_assert_eq(account.given, 1);
}

Test(allocate, fails_on_request_and_leaves_errno)
{
	struct account account = { 0, 0, 0 };
	struct filch_allocator allocator = { take, give, &account };

	errno = 55;
	filch__fault_set(FILCH__FAULT_ALLOCATE, 1, UINT32_MAX);
	cr_assert_null(filch__allocate(NULL, 8));
	cr_assert_null(filch__allocate_zeroed(&allocator, 8));
	filch__fault_clear();
	cr_assert_eq(account.taken, 0);
	cr_assert_eq(errno, 55);
}

Test(allocate, impossible_size_leaves_errno)
{
	volatile size_t size = SIZE_MAX / 4;

	if (sanitize_is_address() || sanitize_is_thread())
		cr_skip_test("the sanitizer's malloc aborts");
	errno = 55;
	cr_assert_null(filch__allocate(NULL, size));
	cr_assert_eq(errno, 55);
}
