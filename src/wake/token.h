/* Inside the token tree: what a wait and a group need of it. */
#ifndef FILCH_WAKE_TOKEN_H
#define FILCH_WAKE_TOKEN_H

#include "sched/fiber.h"
#include "sched/scheduler.h"

#include <errno.h>
#include <filch/token.h>

/*
 * state = reason << 16 | flags
 *
 *	flag        set by                                    cleared by
 *	CANCELLED   whoever cancels first, with the reason    nobody
 *	READY       who first links something to the token    nobody
 *	LINKED      who puts it into its parent's list        its close
 *	SHIELD      its opening: cancels stop here            nobody
 *	GROUP       its opening                               nobody
 *	ENTERED     filch_scope_enter                         filch_scope_leave
 *	EXPLICIT    filch_token_init: linked all the way up   nobody
 *	NOTED       a group: a failure, or a child's handle   nobody
 *	EXPIRED     with CANCELLED: its own deadline did it   nobody
 *
 * Synchronization. A token's list of children, its waiters and callbacks are guarded by its lock. A
 *child's LINKED, next, previous are guarded by its parent's lock, its parent by its own as well.
 *Locks are taken parent first; from the child upwards only by trying. A token of a group or a task
 *links itself only when somebody parks below it; the links are made from the bottom up, and whoever
 *attaches to a cancelled token carries the cancel down. A canceller pins a token under its parent's
 *lock before it goes there; closing waits for the pins.
 */
#define TOKEN_CANCELLED 1u
#define TOKEN_READY 2u
#define TOKEN_LINKED 4u
#define TOKEN_SHIELD 8u
#define TOKEN_GROUP 16u
#define TOKEN_ENTERED 32u
#define TOKEN_EXPLICIT 64u
#define TOKEN_NOTED 128u
#define TOKEN_EXPIRED 256u

/* One parked wait in a token's list; lives in the waiter's frame. */
struct token_waiter {
	struct token_waiter *next;
	struct token_waiter **link; /* what points to us; NULL: in no list */
	struct parker *parker;
	uint64_t epoch;
};

/* A group's or a task's token: what is not written here is when the token becomes READY. */
static FILCH_ALWAYS_INLINE void token_open(struct filch_token *token, struct filch_token *parent,
					   uint32_t flags)
{
	/* relaxed: not shared yet. What is known of the parent holds for the child. */
	word32_store_relaxed(&token->state, flags);
	word32_store_relaxed(&token->lock, 0);
	word64_store_relaxed(&token->seen, word64_load_relaxed(&parent->seen));
	token->parent = parent;
}

/* Slow half of the poll below; `scheduler` NULL: nothing is remembered. */
bool filch__token_poll(struct filch_token *token, struct scheduler *scheduler);

/*
 * Is anything from `token` up to the next shield cancelled? A load and a compare unless something
 * was cancelled in this runtime since the last look.
 */
static FILCH_ALWAYS_INLINE bool token_is_cancelled(struct filch_token *token,
						   struct scheduler *scheduler)
{
	/* relaxed: a cancel that is concurrent may be seen at the next look. */
	return unlikely(word64_load_relaxed(&token->seen) !=
			word64_load_relaxed(&scheduler->cancels)) &&
	       filch__token_poll(token, scheduler);
}

/* Nothing was ever linked to it or noted, and it was not cancelled: closing it costs nothing. */
static FILCH_ALWAYS_INLINE bool token_is_pristine(const struct filch_token *token)
{
	/* relaxed: asked by its owner, when nobody below is left. */
	return (word32_load_relaxed(&token->state) &
		(TOKEN_CANCELLED | TOKEN_READY | TOKEN_LINKED | TOKEN_NOTED)) == 0;
}

static inline bool token_is_group(const struct filch_token *token)
{
	/* relaxed: never changes. */
	return (word32_load_relaxed(&token->state) & TOKEN_GROUP) != 0;
}

static inline bool token_is_shield(const struct filch_token *token)
{
	/* relaxed: never changes once the token is in use. */
	return (word32_load_relaxed(&token->state) & TOKEN_SHIELD) != 0;
}

/* What those below a token of this state, cancelled, are told: that a deadline has passed is said
 * only by the token it was set for. */
static inline int token_inherited(uint32_t state)
{
	return state & TOKEN_EXPIRED ? -ECANCELED : -(int)(state >> 16);
}

/* A fresh token becomes a shield: nothing that is above it comes through. */
void filch__token_make_shield(struct filch_token *token);
/* The reason of the nearest cancelled token from here up to a shield, 0 when there is none. */
int filch__token_effective_reason(const struct filch_token *token);
/* filch_token_cancel for a token that may not be READY: `scheduler` is where its tasks run. */
bool filch__token_cancel(struct filch_token *token, int reason, struct scheduler *scheduler);
/* The same because of its own deadline. */
bool filch__token_expire(struct filch_token *token, struct scheduler *scheduler);
/* Adds the waiter. -ECANCELED when cancelled already: nothing is attached. */
int filch__token_attach(struct filch_token *token, struct token_waiter *waiter);
/* After this the waiter's frame may go. */
void filch__token_detach(struct filch_token *token, struct token_waiter *waiter);
/* The end of a group, of a task, of a scope: takes the token out of the tree and disarms its
 * deadline. Waits for a cancel that is passing through. */
void filch__token_close(struct filch_token *token);

/* ---- scope.c ---- */

/* The caller's innermost scope, task or thread; NULL: a thread that entered none. */
struct filch_token *filch__scope_self(void);
/* For a plain thread: the token whose deadline comes first, NULL when there is none. */
struct filch_token *filch__scope_first_deadline(struct filch_token *scope);
/* 0 or -ECANCELED. */
int filch__checkpoint(void);

#endif
