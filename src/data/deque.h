/* A work-stealing deque with a private end and a public window. */
#ifndef FILCH_DATA_DEQUE_H
#define FILCH_DATA_DEQUE_H

#include "base/atomic.h"
#include "base/compiler.h"

struct filch_allocator;

/*
 *	   taken        window: public     private
 *	...........|====================|-----------|
 *	          top              top + count    bottom
 *	                             = split
 *
 * The owner pushes and pops at bottom with plain stores: nobody else looks at the
 * private part. The window is one word, {top:51, count:13}; whoever changes it by a
 * compare-and-swap owns what left it. Thieves claim up to half of it from the top in one
 * step; the owner extends it (publish), takes back from its end (reclaim), or takes its
 * oldest item (take). While count is 0 no thief can change the word, so that the owner
 * may store it.
 *
 *	operation                     caller                       excludes
 *	pop take publish reclaim      the owner, within its gate   publish by a raider (the gate)
 *	publish                       a raider, within the gate    the same
 *	push                          the owner                    nobody: it touches only what is
 *	                                                           beyond bottom
 *	steal has_public              anybody                      nobody
 *
 * Linearisation: a steal at its cas; a take or reclaim at its cas or store of the window.
 * An item is copied before the cas that claims it: a slot is written again only after top
 * or count have changed for good (no value of the window with an item in it ever comes back:
 * top never falls, count rises only from 0, and becomes 0 only as top moves), so that cas fails.
 *Old arrays are kept until the end (together smaller than the live one), so that a late reader
 *finds memory. Model: model_deque.
 */
struct deque_item {
	void *word[4];
};

struct deque_slot {
	struct filch_pointer word[4];
};

struct deque_array {
	struct deque_array *older;
	uint64_t mask;
	struct deque_slot slots[];
};

struct deque {
	struct deque_slot *slots; /* the owner's copy of array */
	uint64_t mask;
	struct filch_word64 bottom; /* written in the gate; others read it as a hint */
	uint64_t split;		    /* == top + count */
	uint64_t limit;		    /* bottom may grow to here before top is looked at again */
	const struct filch_allocator *allocator;
	FILCH_ALIGN_SHARED struct filch_word64 window;
	struct filch_pointer array;
};

#define DEQUE_COUNT_BITS 13
#define DEQUE_COUNT_MASK ((UINT64_C(1) << DEQUE_COUNT_BITS) - 1)
#define DEQUE_PUBLISH_MAX 4096

/* `capacity`: a power of two. 0 or -ENOMEM. */
int filch__deque_init(struct deque *deque, uint64_t capacity,
		      const struct filch_allocator *allocator);
void filch__deque_fini(struct deque *deque);

/* Makes room at the bottom: 0 or -ENOMEM (the deque is as it was). Owner, in the gate. */
int filch__deque_make_room(struct deque *deque);
/* Moves items from the window's end back into the private part; false when there are none, or
 * only one and the private part is not empty. */
bool filch__deque_reclaim(struct deque *deque);
/* The oldest item; false when empty. Owner, in the gate. */
bool filch__deque_take(struct deque *deque, struct deque_item *item);
/* Makes the older half of the private part public if the window is empty; true if it then is not.
 */
bool filch__deque_publish(struct deque *deque);
/* Claims up to half of the window, at most `most`, oldest first; returns how many. Anybody. */
unsigned filch__deque_steal(struct deque *deque, struct deque_item *items, unsigned most);
bool filch__deque_is_valid(const struct deque *deque);

static inline uint64_t deque_bottom(const struct deque *deque)
{
	/* relaxed: written only in the gate; for others a hint (a sleeper's heavy barrier orders
	 * it). */
	return word64_load_relaxed(&deque->bottom);
}

static FILCH_ALWAYS_INLINE void slot_write(struct deque_slot *slot, const struct deque_item *item)
{
	/* relaxed: published by the release of the window. Not a loop: gcc keeps it one. */
	pointer_store_relaxed(&slot->word[0], item->word[0]);
	pointer_store_relaxed(&slot->word[1], item->word[1]);
	pointer_store_relaxed(&slot->word[2], item->word[2]);
	pointer_store_relaxed(&slot->word[3], item->word[3]);
}

static FILCH_ALWAYS_INLINE void slot_read(const struct deque_slot *slot, struct deque_item *item)
{
	/* relaxed: by the owner its own; by a thief validated by its cas of the window. */
	item->word[0] = pointer_load_relaxed(&slot->word[0]);
	item->word[1] = pointer_load_relaxed(&slot->word[1]);
	item->word[2] = pointer_load_relaxed(&slot->word[2]);
	item->word[3] = pointer_load_relaxed(&slot->word[3]);
}

/* Owner. */
static FILCH_ALWAYS_INLINE bool deque_is_full(const struct deque *deque)
{
	return deque_bottom(deque) >= deque->limit;
}

/* When it is not full. */
static FILCH_ALWAYS_INLINE void deque_push_surely(struct deque *deque,
						  const struct deque_item *item)
{
	uint64_t bottom = deque_bottom(deque);

	slot_write(&deque->slots[bottom & deque->mask], item);
	/* release: a raider that publishes the item has it from here; pairs with publish. Thieves
	 * learn of it from the window. */
	word64_store_release(&deque->bottom, bottom + 1);
}

/* 0 or -ENOMEM. */
static FILCH_ALWAYS_INLINE int deque_push(struct deque *deque, const struct deque_item *item)
{
	uint64_t bottom = deque_bottom(deque);

	if (unlikely(bottom >= deque->limit)) {
		int status = filch__deque_make_room(deque);

		if (status < 0)
			return status;
	}
	deque_push_surely(deque, item);
	return 0;
}

/* How many pushes are certain to succeed; tries to make that at least one. Owner, in the gate. */
static inline uint64_t deque_room(struct deque *deque)
{
	if (deque_bottom(deque) >= deque->limit && filch__deque_make_room(deque) < 0)
		return 0;
	return deque->limit - deque_bottom(deque);
}

/*
 * Takes the newest private item if its third word is `owner`: looked at in place, the private part
 * being nobody else's. False when it is not, or there is none.
 */
static FILCH_ALWAYS_INLINE bool deque_pop_if(struct deque *deque, const void *owner,
					     struct deque_item *item)
{
	uint64_t bottom = deque_bottom(deque);

	if (unlikely(bottom == deque->split))
		return false;
	slot_read(&deque->slots[--bottom & deque->mask], item);
	if (unlikely(item->word[2] != owner))
		return false;
	/* relaxed: as in deque_push. */
	word64_store_relaxed(&deque->bottom, bottom);
	return true;
}

/* First word of the private item `ahead` places from the oldest, NULL beyond the newest. Owner, in
 * the gate. */
static inline void *deque_look_ahead(const struct deque *deque, uint64_t ahead)
{
	if (deque_bottom(deque) - deque->split <= ahead)
		return NULL;
	/* relaxed: the owner's own write. */
	return pointer_load_relaxed(&deque->slots[(deque->split + ahead) & deque->mask].word[0]);
}

/* Owner, in the gate. */
static inline bool deque_is_private_empty(const struct deque *deque)
{
	return deque_bottom(deque) == deque->split;
}

/* Anything in the window? Anybody; a hint. */
static inline bool deque_has_public(const struct deque *deque)
{
	/* relaxed: a hint; filch__deque_steal orders. */
	return (word64_load_relaxed(&deque->window) & DEQUE_COUNT_MASK) != 0;
}

/* Exact for the owner while nobody steals, a hint for others (never negative for the owner). */
static inline uint64_t deque_count(const struct deque *deque)
{
	/* relaxed: a hint to others; the owner's own writes. */
	uint64_t window = word64_load_relaxed(&deque->window);

	return deque_bottom(deque) - (window >> DEQUE_COUNT_BITS);
}

static inline bool deque_is_empty(const struct deque *deque)
{
	return deque_count(deque) == 0;
}

#endif
