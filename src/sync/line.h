/* A guarded word with a line of waiters: what most primitives are a page around. */
#ifndef FILCH_SYNC_LINE_H
#define FILCH_SYNC_LINE_H

#include "base/compiler.h"
#include "sched/worker.h"
#include "wake/token.h"
#include "wake/wait.h"

#include <filch/line.h>

/*
 * state = value << 8 | the primitive's own flags | these
 *
 *	flag     set by                                    cleared by
 *	GUARD    who changes the line or the flags         the same, with the store that ends it
 *	QUEUED   who joins the line                        who takes the last one out
 *	BUSY     a waker, between two batches of many      the same
 *
 * Synchronization. The short paths change the word by a cas while none of the flags is set; all
 * else is done under GUARD. Who joins the line waits for GUARD; who wakes, and who leaves the line
 * by himself (cancelled, timed out), also waits until nobody is BUSY. So of the waiters of an
 * object that somebody still wakes at least one has not returned, and the object is alive.
 *
 * Waits are decided under GUARD (filch__park_claim), tasks are queued and threads woken after it.
 * The store that clears GUARD and BUSY is the waker's last touch: the object may be gone
 * from then on. A waiter that was claimed before it had parked may be running already: before it
 * returns it waits for GUARD to clear.
 */
#define LINE_GUARD UINT64_C(1)
#define LINE_QUEUED UINT64_C(2)
#define LINE_BUSY UINT64_C(4)
#define LINE_FLAGS UINT64_C(255)
#define LINE_OWN(n) (UINT64_C(8) << (n))
#define LINE_SHIFT 8
#define LINE_ONE (UINT64_C(1) << LINE_SHIFT)
#define LINE_VALUE(state) ((state) >> LINE_SHIFT)

/* One wait, in its caller's frame. Guarded while it is linked. */
struct line_waiter {
	struct waiter waiter; /* first */
	uint64_t ticket;      /* its number among all waits that joined */
	uint64_t amount;      /* what it waits for, or is given */
	int outcome;	      /* what its call returns once it is granted */
};

/* Those a waker has claimed and not yet made runnable. */
#define LINE_BATCH 16

struct line_batch {
	unsigned count;
	struct parked parked[LINE_BATCH];
};

/*
 * Who is to be woken, as far as there is room in the batch: filch__line_take for each. Guarded;
 * called again until it leaves room or nobody is in line. Returns the new state.
 */
typedef uint64_t line_choose_fn(struct filch_line *line, uint64_t state, struct line_batch *batch,
				void *context);

/* Returns the state without GUARD. */
uint64_t filch__line_guard(struct filch_line *line);
/* For who will wake or leave: also waits until nobody is BUSY. */
uint64_t filch__line_guard_to_wake(struct filch_line *line);
/* For who was granted: until the waker's last touch is over. */
void filch__line_await_guard(const struct filch_line *line);

/* Ends the guard. */
static inline void line_unguard(struct filch_line *line, uint64_t state)
{
	/* release: pairs with the acquire in filch__line_guard and filch__line_await_guard, and of
	 * the short paths. */
	word64_store_release(&line->state, state);
}

static inline struct list *line_waiters(struct filch_line *line)
{
	return (struct list *)(void *)line->waiters;
}

/* What a blocking call does first; who finds that he will have to wait joins the line at once,
 * also with a spent budget. 0, -ECANCELED, -EPERM in a timer's callback. */
int filch__line_enter(bool will_wait);
/* For try_ forms: 0, or -EPERM in a timer's callback. */
int filch__line_enter_try(void);

/* The same without a call: the caller's task if it may go on (then charge it), else NULL. Once, at
 * the start of a function. */
static FILCH_ALWAYS_INLINE struct filch__task *line_enter_short(void)
{
	struct fiber *self = fiber_self_at_entry();
	struct filch__task *task = self->task;

	if (unlikely(!task->scope || task->operations <= 1 ||
		     token_is_cancelled(task->scope, self->worker->scheduler)))
		return NULL;
	return task;
}

/*
 * Called guarded with *state. 0: granted, waiter->outcome says what, and the guard is left.
 * Else why not (-ETIMEDOUT, -ECANCELED, -ENOMEM): out of the line, guarded to wake, with
 * *state. A deadline that has passed: the same without parking, ticket 0. `what` the object is
 * whose first member the line is.
 */
int filch__line_wait(struct filch_line *line, uint64_t *state, struct line_waiter *waiter,
		     const struct waited *what, filch_time deadline);
/* Its parts, for who does it otherwise. Guarded; both return the new state. */
uint64_t filch__line_link(struct filch_line *line, uint64_t state, struct line_waiter *waiter);
uint64_t filch__line_unlink(struct filch_line *line, uint64_t state, struct line_waiter *waiter);

/* The first or last whose wait is not over, NULL when there is none; takes those out of the line
 * whose is. Guarded. */
struct line_waiter *filch__line_first(struct filch_line *line, uint64_t *state);
struct line_waiter *filch__line_last(struct filch_line *line, uint64_t *state);
/* Takes it out of the line and, if its wait is not over, ends it with `outcome`. After true it may
 * be gone. The batch must have room. */
bool filch__line_take(struct filch_line *line, uint64_t *state, struct line_waiter *waiter,
		      struct line_batch *batch, int outcome);

/* An arm of a select leaves: out of the line, guarded to wake, with *state. Its outcome when a waker
 * has won the select for it, else -EAGAIN. */
int filch__line_detach(struct filch_line *line, uint64_t *state, struct line_waiter *waiter);

static inline bool line_batch_is_full(const struct line_batch *batch)
{
	return batch->count == LINE_BATCH;
}

/* Called guarded to wake: wakes whom `choose` takes, and leaves the guard. *line may be gone after
 * it. */
void filch__line_serve(struct filch_line *line, uint64_t state, line_choose_fn *choose,
		       void *context);
/* Chooses everybody whose ticket is at most *(uint64_t *)context, with the outcome 0. */
uint64_t filch__line_choose_until(struct filch_line *line, uint64_t state, struct line_batch *batch,
				  void *context);
/* Chooses everybody, with the outcome *(int *)context. */
uint64_t filch__line_choose_all(struct filch_line *line, uint64_t state, struct line_batch *batch,
				void *context);

/* -EBUSY when anybody waits or wakes. */
int filch__line_fini(struct filch_line *line);

#endif
