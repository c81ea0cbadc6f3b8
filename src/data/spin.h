/* A spinlock for sections of a few instructions; never held across a park or a callback. */
#ifndef FILCH_DATA_SPIN_H
#define FILCH_DATA_SPIN_H

#include "base/atomic.h"
#include "base/compiler.h"

/* Zero is free. Test-and-test-and-set; gives the processor away after a bounded spin. */
struct spin {
	struct filch_word32 word;
};

void filch__spin_wait(struct spin *spin);

static inline bool spin_try_acquire(struct spin *spin)
{
	/* acquire: pairs with the release in spin_release. */
	return word32_exchange_acquire(&spin->word, 1) == 0;
}

static inline void spin_acquire(struct spin *spin)
{
	while (unlikely(!spin_try_acquire(spin)))
		filch__spin_wait(spin);
}

static inline void spin_release(struct spin *spin)
{
	/* release: pairs with the acquire in spin_try_acquire. */
	word32_store_release(&spin->word, 0);
}

#endif
