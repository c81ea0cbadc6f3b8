/* The split deque: order, growth, the window, thieves, and the gate. */
#include "data/deque.h"
#include "data/gate.h"
#include "platform/fault.h"
#include "platform/thread.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static struct deque_item item(uintptr_t value)
{
	return (struct deque_item){ { (void *)value, NULL, (void *)7, NULL } };
}

static uintptr_t value(const struct deque_item *item)
{
	return (uintptr_t)item->word[0];
}

static void fill(struct deque *deque, uintptr_t from, uintptr_t to)
{
	for (uintptr_t i = from; i < to; i++) {
		struct deque_item next = item(i);

		cr_assert_eq(deque_push(deque, &next), 0);
	}
}

Test(deque, bottom_is_last_in_first_out)
{
	struct deque deque;
	struct deque_item got = { 0 };

	cr_assert_eq(filch__deque_init(&deque, 4, NULL), 0);
	fill(&deque, 0, 100);
	for (uintptr_t i = 100; i-- > 0;) {
		cr_assert(deque_pop_if(&deque, (void *)7, &got));
		cr_assert_eq(value(&got), i);
		cr_assert(filch__deque_is_valid(&deque));
	}
	cr_assert(!deque_pop_if(&deque, (void *)7, &got));
	filch__deque_fini(&deque);
}

Test(deque, a_stranger_at_the_bottom_stays_there)
{
	struct deque deque;
	struct deque_item got;

	cr_assert_eq(filch__deque_init(&deque, 4, NULL), 0);
	fill(&deque, 0, 1);
	cr_assert(!deque_pop_if(&deque, (void *)8, &got));
	cr_assert_eq(deque_count(&deque), 1);
	filch__deque_fini(&deque);
}

Test(deque, top_is_first_in_first_out_across_growth)
{
	struct deque deque;
	struct deque_item got;
	uintptr_t pushed = 0, taken = 0;

	cr_assert_eq(filch__deque_init(&deque, 2, NULL), 0);
	for (int round = 0; round < 200; round++) {
		fill(&deque, pushed, pushed + 5);
		pushed += 5;
		for (int i = 0; i < 3; i++) {
			cr_assert(filch__deque_take(&deque, &got));
			cr_assert_eq(value(&got), taken++);
		}
		if (round % 7 == 0)
			filch__deque_publish(&deque);
		cr_assert(filch__deque_is_valid(&deque));
	}
	while (filch__deque_take(&deque, &got))
		cr_assert_eq(value(&got), taken++);
	cr_assert_eq(taken, pushed);
	filch__deque_fini(&deque);
}

Test(deque, nothing_can_be_stolen_before_it_is_published)
{
	struct deque deque;
	struct deque_item got[4];

	cr_assert_eq(filch__deque_init(&deque, 4, NULL), 0);
	fill(&deque, 0, 8);
	cr_assert_eq(filch__deque_steal(&deque, got, 4), 0);
	cr_assert(filch__deque_publish(&deque));
	cr_assert_eq(filch__deque_steal(&deque, got, 4), 2); /* half of the four published */
	cr_assert_eq(value(&got[0]), 0);
	cr_assert_eq(value(&got[1]), 1);
	filch__deque_fini(&deque);
}

Test(deque, the_owner_takes_back_what_it_published)
{
	struct deque deque;
	struct deque_item got;

	cr_assert_eq(filch__deque_init(&deque, 4, NULL), 0);
	fill(&deque, 0, 1);
	cr_assert(filch__deque_publish(&deque));
	cr_assert(!deque_pop_if(&deque, (void *)7, &got));
	cr_assert(filch__deque_reclaim(&deque));
	cr_assert(deque_pop_if(&deque, (void *)7, &got));
	cr_assert(!filch__deque_reclaim(&deque));
	filch__deque_fini(&deque);
}

Test(deque, without_memory_a_push_fails_and_nothing_is_lost)
{
	struct deque deque;
	struct deque_item next = item(2), got;

	cr_assert_eq(filch__deque_init(&deque, 2, NULL), 0);
	fill(&deque, 0, 2);
	filch__fault_set(FILCH__FAULT_ALLOCATE, 1, 1000);
	cr_assert_eq(deque_push(&deque, &next), -ENOMEM);
	filch__fault_clear();
	cr_assert_eq(deque_push(&deque, &next), 0);
	for (uintptr_t i = 0; i < 3; i++) {
		cr_assert(filch__deque_take(&deque, &got));
		cr_assert_eq(value(&got), i);
	}
	filch__deque_fini(&deque);
}

/* ---- With thieves and raiders ---- */

#define ITEMS 200000

struct shared {
	struct deque deque;
	struct gate gate;
	struct filch_word32 *seen;
	struct filch_word32 over;
};

static void note(struct shared *shared, const struct deque_item *got)
{
	word32_add_relaxed(&shared->seen[value(got)], 1); /* relaxed: read after the join */
}

static void thief(void *argument)
{
	struct shared *shared = argument;
	struct deque_item got[16];

	/* acquire: pairs with the release at the end of the test's work. */
	while (!word32_load_acquire(&shared->over)) {
		unsigned count = filch__deque_steal(&shared->deque, got, 16);

		for (unsigned i = 0; i < count; i++)
			note(shared, &got[i]);
		if (count == 0 && filch__gate_try_raid(&shared->gate)) {
			filch__deque_publish(&shared->deque);
			filch__gate_end_raid(&shared->gate);
		}
	}
}

static void own(struct shared *shared)
{
	struct deque_item got;
	bool found;

	for (uintptr_t i = 0; i < ITEMS; i++) {
		struct deque_item next = item(i);

		cr_assert_eq(deque_push(&shared->deque, &next), 0);
		if (i % 3 == 0)
			continue;
		gate_enter(&shared->gate);
		found = i % 5 ? deque_pop_if(&shared->deque, (void *)7, &got) :
				filch__deque_take(&shared->deque, &got);
		gate_leave(&shared->gate);
		if (found)
			note(shared, &got);
	}
	do {
		gate_enter(&shared->gate);
		found = filch__deque_take(&shared->deque, &got);
		gate_leave(&shared->gate);
		if (found)
			note(shared, &got);
	} while (found);
}

static void every_item_comes_out_once(uint32_t raid)
{
	struct shared shared = { .over = { 0 } };
	struct thread *thieves[3];

	shared.seen = calloc(ITEMS, sizeof(*shared.seen));
	shared.gate.raid.value = raid;
	filch__barrier_register();
	cr_assert_eq(filch__deque_init(&shared.deque, 2, NULL), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(filch__thread_create(&thieves[i], "thief", thief, &shared), 0);
	own(&shared);
	/* release: pairs with the acquire in thief. */
	word32_store_release(&shared.over, 1);
	for (int i = 0; i < 3; i++)
		filch__thread_join(thieves[i]);
	for (int i = 0; i < ITEMS; i++)
		cr_assert_eq(shared.seen[i].value, 1, "item %d came out %u times", i,
			     shared.seen[i].value);
	filch__deque_fini(&shared.deque);
	free(shared.seen);
}

Test(deque, every_item_comes_out_once_with_thieves_and_raiders)
{
	every_item_comes_out_once(0);
}

Test(deque, every_item_comes_out_once_without_membarrier)
{
	every_item_comes_out_once(GATE_FENCED);
}
