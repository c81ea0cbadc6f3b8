/* The deque's slow sides: growth, the window, stealing. */
#include "data/deque.h"

#include "base/panic.h"
#include "platform/allocate.h"

#include <errno.h>

static uint64_t window_top(uint64_t window)
{
	return window >> DEQUE_COUNT_BITS;
}

static uint64_t window_count(uint64_t window)
{
	return window & DEQUE_COUNT_MASK;
}

static uint64_t window_make(uint64_t top, uint64_t count)
{
	return top << DEQUE_COUNT_BITS | count;
}

static struct deque_array *array_create(uint64_t capacity, const struct filch_allocator *allocator)
{
	struct deque_array *array = (struct deque_array *)filch__allocate(
		allocator, sizeof(*array) + capacity * sizeof(struct deque_slot));

	if (array) {
		array->older = NULL;
		array->mask = capacity - 1;
	}
	return array;
}

static struct deque_array *array_of(const struct deque *deque)
{
	/* relaxed: the owner wrote it. */
	return (struct deque_array *)pointer_load_relaxed(&deque->array);
}

int filch__deque_init(struct deque *deque, uint64_t capacity,
		      const struct filch_allocator *allocator)
{
	struct deque_array *array = array_create(capacity, allocator);

	if (!array)
		return -ENOMEM;
	deque->slots = array->slots;
	deque->mask = array->mask;
	deque->split = 0;
	deque->limit = capacity;
	deque->allocator = allocator;
	/* relaxed: not shared yet. */
	word64_store_relaxed(&deque->bottom, 0);
	word64_store_relaxed(&deque->window, 0);
	pointer_store_relaxed(&deque->array, array);
	return 0;
}

void filch__deque_fini(struct deque *deque)
{
	struct deque_array *array = array_of(deque);

	while (array) {
		struct deque_array *older = array->older;

		filch__free(deque->allocator, array);
		array = older;
	}
	deque->slots = NULL;
	/* relaxed: no longer shared. */
	pointer_store_relaxed(&deque->array, NULL);
}

static int grow(struct deque *deque, uint64_t top, uint64_t bottom)
{
	struct deque_array *old = array_of(deque);
	struct deque_array *array = array_create((old->mask + 1) * 2, deque->allocator);

	if (!array)
		return -ENOMEM;
	for (uint64_t i = top; i != bottom; i++) {
		struct deque_item item;

		slot_read(&old->slots[i & old->mask], &item);
		slot_write(&array->slots[i & array->mask], &item);
	}
	array->older = old;
	deque->slots = array->slots;
	deque->mask = array->mask;
	deque->limit = top + array->mask + 1;
	/* release: pairs with the acquire of array in filch__deque_steal. */
	pointer_store_release(&deque->array, array);
	return 0;
}

FILCH_COLD int filch__deque_make_room(struct deque *deque)
{
	/* acquire: pairs with the thief's cas: its copy of a slot is done before we reuse it. */
	uint64_t top = window_top(word64_load_acquire(&deque->window));
	uint64_t bottom = deque_bottom(deque);

	deque->limit = top + deque->mask + 1;
	return bottom < deque->limit ? 0 : grow(deque, top, bottom);
}

/*
 * The window's only item moves to the next slot, and top with it. Given back in place it could
 * be published again with the same top and count, and then the cas of a thief that copied
 * the slot's former item would succeed.
 */
static bool reclaim_last(struct deque *deque, uint64_t window)
{
	uint64_t top = window_top(window);
	struct deque_item item;

	if (deque_bottom(deque) != deque->split)
		return false;
	slot_read(&deque->slots[top & deque->mask], &item);
	/* relaxed: as in filch__deque_take. */
	if (!word64_cas_relaxed(&deque->window, &window, window_make(top + 1, 0)))
		return false;
	deque->split = top + 1;
	deque->limit = top + 1 + deque->mask + 1;
	deque_push_surely(deque, &item);
	return true;
}

bool filch__deque_reclaim(struct deque *deque)
{
	/* acquire: pairs with the thief's cas, as in make_room. */
	uint64_t window = word64_load_acquire(&deque->window);

	while (window_count(window) > 1) {
		uint64_t keep = window_count(window) / 2;

		/* relaxed: nothing is handed over; the slots are the owner's own writes. */
		if (word64_cas_relaxed(&deque->window, &window,
				       window_make(window_top(window), keep))) {
			deque->split = window_top(window) + keep;
			return true;
		}
		/* acquire: as above, when the cas has seen a thief's. */
		window = word64_load_acquire(&deque->window);
	}
	return window_count(window) == 1 && reclaim_last(deque, window);
}

bool filch__deque_take(struct deque *deque, struct deque_item *item)
{
	/* acquire: pairs with the thief's cas, as in make_room: the store below hides it from
	 * there. */
	uint64_t window = word64_load_acquire(&deque->window);

	while (window_count(window) != 0) {
		uint64_t top = window_top(window);

		slot_read(&deque->slots[top & deque->mask], item);
		/* relaxed: the slots are the owner's own writes, and it alone reuses them. */
		if (word64_cas_relaxed(&deque->window, &window,
				       window_make(top + 1, window_count(window) - 1)))
			return true;
		/* acquire: as above, when the cas has seen a thief's. */
		window = word64_load_acquire(&deque->window);
	}
	if (deque_bottom(deque) == deque->split)
		return false;
	slot_read(&deque->slots[deque->split & deque->mask], item);
	deque->split++;
	/* relaxed: count is 0, so that nothing is handed over; the next publish releases. */
	word64_store_relaxed(&deque->window, window_make(deque->split, 0));
	return true;
}

bool filch__deque_publish(struct deque *deque)
{
	/* acquire: pairs with the thief's cas, as in make_room: the store below hides it from
	 * there. */
	uint64_t window = word64_load_acquire(&deque->window);
	/* acquire: pairs with the release in deque_push_surely; a raider did not write the items.
	 */
	uint64_t more = (word64_load_acquire(&deque->bottom) - deque->split + 1) / 2;

	if (window_count(window) != 0)
		return true;
	if (more == 0)
		return false;
	if (more > DEQUE_PUBLISH_MAX)
		more = DEQUE_PUBLISH_MAX;
	/* release: pairs with the acquire of the window in filch__deque_steal. */
	word64_store_release(&deque->window, window_make(deque->split, more));
	deque->split += more;
	return true;
}

unsigned filch__deque_steal(struct deque *deque, struct deque_item *items, unsigned most)
{
	/* acquire: pairs with the release in filch__deque_publish. */
	uint64_t window = word64_load_acquire(&deque->window);
	uint64_t count = (window_count(window) + 1) / 2;
	struct deque_array *array;

	if (count == 0)
		return 0;
	if (count > most)
		count = most;
	/* acquire: pairs with the release in grow. */
	array = (struct deque_array *)pointer_load_acquire(&deque->array);
	for (uint64_t i = 0; i < count; i++)
		slot_read(&array->slots[(window_top(window) + i) & array->mask], &items[i]);
	/* release: pairs with the acquire in make_room: our copy is done before the slot is reused.
	 */
	if (!word64_cas_release(
		    &deque->window, &window,
		    window_make(window_top(window) + count, window_count(window) - count)))
		return 0;
	return (unsigned)count;
}

bool filch__deque_is_valid(const struct deque *deque)
{
	/* relaxed: called by the owner, in the gate. */
	uint64_t window = word64_load_relaxed(&deque->window);
	uint64_t top = window_top(window);
	uint64_t bottom = deque_bottom(deque);

	return top + window_count(window) == deque->split && deque->split <= bottom &&
	       bottom <= deque->limit && bottom - top <= deque->mask + 1 &&
	       deque->slots == array_of(deque)->slots;
}
