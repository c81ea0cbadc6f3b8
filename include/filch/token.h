/* Cancellation: tokens form a tree; a scope makes a token apply to what a task does. */
#ifndef FILCH_TOKEN_H
#define FILCH_TOKEN_H

#include <filch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A token is level-triggered: once it is cancelled, every call that may park
 * returns -ECANCELED while a scope of that token is entered, until the scope is
 * left. A token cancels everything below it, except what a shield covers.
 *
 *	struct filch_token token;
 *
 *	filch_token_init(&token);
 *	filch_token_set_deadline(&token, filch_now() + FILCH_SECOND);
 *	filch_scope_enter(&token);
 *	status = work();
 *	filch_scope_leave(&token);
 *	if (filch_token_expired(&token))
 *		...
 */
typedef void filch_token_fn(void *arg);

/* One callback of a token; lives in the caller's memory until it ran or was removed. */
struct filch_token_callback {
	filch_token_fn *fn;
	void *arg;
	struct filch_token_callback *next;
	struct filch_token_callback *previous;
	struct filch_token *token;
	struct filch_word32 state;
	uint32_t thread;
};

struct filch_token {
	struct filch_word32 state;
	struct filch_word32 lock;
	struct filch_word64 seen;
	struct filch_token *parent;
	/* What follows is written when something is first linked to the token. */
	struct filch_word32 pins;
	uint32_t room32;
	struct filch_token *children;
	struct filch_token *next;
	struct filch_token *previous;
	struct filch_token *work;
	void *waiters;
	struct filch_token_callback *callbacks;
	struct filch_token_callback *last;
	void *scheduler;
	struct filch_word64 deadline;
	void *timer[5];
	struct filch_token *enclosing;
	struct filch_token_callback from_enclosing;
	void *room[2];
};

#define FILCH_TOKEN_SHIELD 1u /* cancels of what is above do not come through */

/*
 * Makes a token below the caller's current scope (below nothing when called
 * outside any); born cancelled when that is.
 * Context: task or thread; does not park. Returns 0, -EINVAL.
 */
FILCH_API int filch_token_init(struct filch_token *token);

/* The same with an explicit parent (NULL: none) and flags (FILCH_TOKEN_SHIELD). */
FILCH_API int filch_token_init_below(struct filch_token *token, struct filch_token *parent,
				     unsigned flags);

/*
 * Detaches it; its children are handed to its parent. NULL and all-zero are accepted. Waits for a
 * cancel that is passing through, hence not from a token's callback. -EBUSY while entered, or while
 * it has callbacks that neither ran nor were removed.
 */
FILCH_API int filch_token_fini(struct filch_token *token);

/*
 * Cancels the token and all below it, wakes who is parked there, runs callbacks in
 * the order they were added. The first reason (a negative errno or 0 for
 * -ECANCELED) stays. Returns true when this call was the first.
 * Context: task or thread; does not park.
 */
FILCH_API bool filch_token_cancel(struct filch_token *token, int reason);

FILCH_API bool filch_token_is_cancelled(const struct filch_token *token);
/* 0 when not cancelled. What a deadline above it did reads -ECANCELED. */
FILCH_API int filch_token_reason(const struct filch_token *token);
/* Its own deadline did it; then the reason is -ETIMEDOUT. Of scopes within each other whose
 * deadlines have passed the earliest expires, of equal ones the outermost. */
FILCH_API bool filch_token_expired(const struct filch_token *token);

/*
 * Sets, moves or (FILCH_NEVER) takes away the deadline. One that has passed cancels at once. Waits
 * for an old deadline that is just passing: after 0 only the new one counts. What a plain thread
 * has set holds where the token is entered, and in tasks that enter one below it afterwards; what a
 * task has set outside its scopes is taken away before its runtime ends.
 * Context: task or thread, one at a time, not while others enter or leave it; does not park.
 * Returns 0, -EINVAL negative, -EBUSY already cancelled, -ENOMEM (all is as it was).
 */
FILCH_API int filch_token_set_deadline(struct filch_token *token, filch_time deadline);
/* The token's own deadline. */
FILCH_API filch_time filch_token_deadline(const struct filch_token *token);

/*
 * fn(arg) runs once when the token is cancelled, at once in the caller when it
 * already is. Not under a lock; must not park. Returns 0, -EINVAL.
 */
FILCH_API int filch_token_add_callback(struct filch_token *token,
				       struct filch_token_callback *callback, filch_token_fn *fn,
				       void *arg);
/* True when it will not run. Otherwise it ran, or this call has waited for its end. */
FILCH_API bool filch_token_remove_callback(struct filch_token_callback *callback);

/*
 * Makes the token apply to what the caller does until it is left. Scopes nest: a cancel of the
 * enclosing scope cancels the token, too, unless it is a shield.
 * Returns 0, -EBUSY when it is entered already (a token shared by many: each makes its own below
 * it), -EINVAL NULL or a group's, -EPERM in a timer's callback, -ENOMEM (for its deadline).
 */
FILCH_API int filch_scope_enter(struct filch_token *token);
/* The same with a deadline `span` from now: what passed since the token was made does not count.
 * -EINVAL also when it is negative. */
FILCH_API int filch_scope_enter_for(struct filch_token *token, filch_time span);
/* Leaves the innermost scope, which must be this one (-EPERM otherwise); disarms its deadline. */
FILCH_API int filch_scope_leave(struct filch_token *token);

/*
 * Calls fn(arg) in a scope of its own below `token`, which may be shared by many; cancelling the
 * token or what the caller is in ends its waits. When that has happened already, fn is not called.
 * Context: task or thread; parks if fn does. Returns 0 (what fn returned is in `status`, which may
 * be NULL), -ECANCELED (fn was not called), -EINVAL, -EPERM in a timer's callback.
 */
FILCH_API int filch_scope_run(struct filch_token *token, filch_task_fn *fn, void *arg, int *status);

/* 0, or -ECANCELED when a scope the caller is in has been cancelled. Does not park. */
FILCH_API int filch_checkpoint(void);
/* The earliest deadline that applies to the caller: FILCH_NEVER when none, INT64_MIN once
 * cancelled. */
FILCH_API filch_time filch_scope_deadline(void);

#ifdef __cplusplus
}
#endif

#endif
