/* The injection queue: work from outside the workers, a wait-free append (liburcu). */
#ifndef FILCH_DATA_INJECTOR_H
#define FILCH_DATA_INJECTOR_H

#include "base/atomic.h"
#include "data/spin.h"

/* One entry, embedded in what is queued. A dequeued entry may be queued again at once. */
struct injected {
	void *link[1]; /* liburcu's node */
	void *owner;   /* the consumer's business */
};

struct injector {
	struct filch_word64 length; /* appended and not taken; a hint, except as noted */
	struct spin consumer;
	void *queue; /* liburcu's head and tail */
};

int filch__injector_init(struct injector *injector);
void filch__injector_fini(struct injector *injector);
/* Anybody; wait-free. The length is raised (seq_cst) before this returns. */
void filch__injector_push(struct injector *injector, struct injected *entry);
/* The oldest entry; NULL when empty, when another consumer is at it, or while an append is half
 * done (then the length is not zero, and the caller must not sleep). */
struct injected *filch__injector_pop(struct injector *injector);

static inline bool injector_is_empty(const struct injector *injector)
{
	/* seq_cst: pairs with the add in push; a sleeper's last look (model_idle). */
	return word64_load_seq_cst(&injector->length) == 0;
}

#endif
