/* The token tree: linking, cancelling, closing. */
#include "wake/token.h"

#include "base/panic.h"
#include "data/spin.h"
#include "platform/thread.h"
#include "wake/token_tree.h"

#include <errno.h>
#include <string.h>

#define REASON(state) ((int)((state) >> 16))

static struct spin *lock_of(struct filch_token *token)
{
	return (struct spin *)(void *)&token->lock;
}

static uint32_t state_of(const struct filch_token *token)
{
	/* acquire: pairs with the releases below that set a flag. */
	return word32_load_acquire(&token->state);
}

/* Under the token's lock. */
static void make_ready(struct filch_token *token)
{
	if (state_of(token) & TOKEN_READY)
		return;
	memset(&token->pins, 0,
	       offsetof(struct filch_token, room) - offsetof(struct filch_token, pins));
	token->deadline = FILCH_NEVER;
	token->scheduler = filch__scheduler_self();
	/* release: pairs with the acquire in state_of. */
	word32_or_release(&token->state, TOKEN_READY);
}

/* CANCELLED with its reason, in one step; true for the first. */
static bool mark(struct filch_token *token, int reason)
{
	uint32_t value = (uint32_t) - (reason < 0 && reason > -4096 ? reason : -ECANCELED);
	/* relaxed: the cas decides. */
	uint32_t state = word32_load_relaxed(&token->state);

	do {
		if (state & TOKEN_CANCELLED)
			return false;
		/* acq_rel: publishes the reason; acquires what READY promises. */
	} while (!word32_cas_acq_rel(&token->state, &state, state | TOKEN_CANCELLED | value << 16));
	return true;
}

/* A poll in this runtime looks again. */
static void bump(struct scheduler *scheduler)
{
	if (scheduler)
		/* release: the marks before it are seen by who reads the new count
		 * (filch__token_poll). */
		word64_add_release(&scheduler->cancels, 1);
}

static void wake_waiters(struct filch_token *token)
{
	struct token_waiter *waiter;

	while ((waiter = (struct token_waiter *)token->waiters)) {
		token->waiters = waiter->next;
		waiter->link = NULL;
		filch__unpark(waiter->parker, waiter->epoch, PARK_CANCELLED);
	}
}

/* Marks the children and puts them on the work list. Under the token's lock. */
static struct filch_token *take_children(struct filch_token *token, int reason,
					 struct filch_token *work)
{
	for (struct filch_token *child = token->children; child; child = child->next) {
		if (!mark(child, reason))
			continue;
		/* relaxed: under the lock that its close must take. */
		word32_add_relaxed(&child->pins, 1);
		child->work = work;
		work = child;
	}
	return work;
}

/* One after the other, oldest first, without the lock. */
static void run_callbacks(struct filch_token *token)
{
	for (;;) {
		struct filch_token_callback *callback;

		spin_acquire(lock_of(token));
		callback = token->callbacks;
		if (!callback) {
			spin_release(lock_of(token));
			return;
		}
		filch__callback_unlink(callback);
		filch__callback_run_begin(callback);
		spin_release(lock_of(token));
		callback->fn(callback->arg);
		filch__callback_run_end(callback);
	}
}

/* One token that is marked: its children join the work list, who waits is woken. */
static struct filch_token *visit(struct filch_token *token, int reason, struct filch_token *work)
{
	spin_acquire(lock_of(token));
	work = take_children(token, reason, work);
	/* Before anybody is woken: then the runtime may end. */
	bump((struct scheduler *)token->scheduler);
	wake_waiters(token);
	spin_release(lock_of(token));
	run_callbacks(token);
	return work;
}

/* The tokens of a work list, pinned, and everything below them. No recursion. */
static void carry_down(struct filch_token *work, int reason)
{
	while (work) {
		struct filch_token *now = work;

		work = visit(now, reason, now->work);
		/* release: our last touch; pairs with the acquire in wait_for_pins. */
		word32_sub_release(&now->pins, 1);
	}
}

bool filch__token_cancel(struct filch_token *token, int reason, struct scheduler *scheduler)
{
	bool ready;

	if (!mark(token, reason))
		return false;
	spin_acquire(lock_of(token));
	ready = (state_of(token) & TOKEN_READY) != 0;
	spin_release(lock_of(token));
	bump(scheduler);
	if (ready)
		carry_down(visit(token, token_inherited(reason), NULL), token_inherited(reason));
	return true;
}

bool filch_token_cancel(struct filch_token *token, int reason)
{
	return token && filch__token_cancel(token, reason, filch__scheduler_self());
}

/* Puts the token into its parent's list, unless it is there. True when the parent must be linked,
 * too. */
static bool link_once(struct filch_token *token)
{
	struct filch_token *parent;
	uint32_t state;
	bool inherits = false;

	/* Parent and LINKED together: a closing parent hands its children over under their locks.
	 */
	spin_acquire(lock_of(token));
	make_ready(token);
	parent = token->parent;
	state = state_of(token);
	spin_release(lock_of(token));
	if (!parent || state & (TOKEN_SHIELD | TOKEN_LINKED))
		return false;
	spin_acquire(lock_of(parent));
	make_ready(parent);
	if (!(state_of(token) & TOKEN_LINKED)) {
		token->next = parent->children;
		token->previous = NULL;
		if (parent->children)
			parent->children->previous = token;
		parent->children = token;
		/* release: pairs with the acquire in state_of. */
		word32_or_release(&token->state, TOKEN_LINKED);
		state = state_of(parent);
		inherits = (state & TOKEN_CANCELLED) != 0;
	}
	spin_release(lock_of(parent));
	if (inherits)
		filch__token_cancel(token, token_inherited(-REASON(state)), filch__scheduler_self());
	return true;
}

void filch__token_link(struct filch_token *token)
{
	while (link_once(token))
		token = token->parent;
}

int filch__token_attach(struct filch_token *token, struct token_waiter *waiter)
{
	int status = 0;

	if ((state_of(token) & (TOKEN_READY | TOKEN_LINKED)) != (TOKEN_READY | TOKEN_LINKED))
		filch__token_link(token);
	spin_acquire(lock_of(token));
	if (state_of(token) & TOKEN_CANCELLED) {
		status = -ECANCELED;
	} else {
		struct token_waiter *first = (struct token_waiter *)token->waiters;

		waiter->next = first;
		waiter->link = (struct token_waiter **)(void *)&token->waiters;
		if (first)
			first->link = &waiter->next;
		token->waiters = waiter;
	}
	spin_release(lock_of(token));
	return status;
}

void filch__token_detach(struct filch_token *token, struct token_waiter *waiter)
{
	spin_acquire(lock_of(token));
	if (waiter->link) {
		*waiter->link = waiter->next;
		if (waiter->next)
			waiter->next->link = waiter->link;
	}
	spin_release(lock_of(token));
}

/* Locks the token and its parent, child first: hence only tries for the second. NULL: it has none.
 */
static struct filch_token *lock_with_parent(struct filch_token *token)
{
	for (;;) {
		spin_acquire(lock_of(token));
		if (!(state_of(token) & TOKEN_LINKED) || spin_try_acquire(lock_of(token->parent)))
			return state_of(token) & TOKEN_LINKED ? token->parent : NULL;
		spin_release(lock_of(token));
		filch__thread_yield();
	}
}

static void unlink_from(struct filch_token *parent, struct filch_token *token)
{
	if (token->previous)
		token->previous->next = token->next;
	else
		parent->children = token->next;
	if (token->next)
		token->next->previous = token->previous;
	/* relaxed: under the parent's lock and the token's own. */
	word32_and_relaxed(&token->state, ~TOKEN_LINKED);
}

/* Children that outlive the token move up. Under both locks. */
static void hand_over_children(struct filch_token *token, struct filch_token *parent)
{
	struct filch_token *child;

	while ((child = token->children)) {
		spin_acquire(lock_of(child));
		token->children = child->next;
		child->parent = parent;
		child->previous = NULL;
		if (parent) {
			child->next = parent->children;
			if (child->next)
				child->next->previous = child;
			parent->children = child;
		} else {
			/* relaxed: under the lock. */
			word32_and_relaxed(&child->state, ~TOKEN_LINKED);
		}
		spin_release(lock_of(child));
	}
}

static void wait_for_pins(struct filch_token *token)
{
	/* acquire: pairs with the release in carry_down. */
	while (word32_load_acquire(&token->pins) != 0)
		filch__thread_yield();
}

void filch__token_close(struct filch_token *token)
{
	struct filch_token *parent, *work = NULL;
	uint32_t state;

	if (!(state_of(token) & TOKEN_READY))
		return;
	if (token->deadline != FILCH_NEVER)
		filch_token_set_deadline(token, FILCH_NEVER);
	parent = lock_with_parent(token);
	state = state_of(token);
	/* A cancel that has marked this token and not come to its children finds them no more. */
	if (state & TOKEN_CANCELLED)
		work = take_children(token, token_inherited(-REASON(state)), NULL);
	hand_over_children(token, parent);
	if (parent) {
		unlink_from(parent, token);
		spin_release(lock_of(parent));
	}
	spin_release(lock_of(token));
	carry_down(work, token_inherited(-REASON(state)));
	wait_for_pins(token);
}

void filch__token_make_shield(struct filch_token *token)
{
	/* relaxed: not shared yet. */
	word32_or_relaxed(&token->state, TOKEN_SHIELD);
	word64_store_relaxed(&token->seen, 0);
}

int filch__token_effective_reason(const struct filch_token *token)
{
	for (const struct filch_token *own = token; token; token = token->parent) {
		uint32_t state = state_of(token);

		if (state & TOKEN_CANCELLED)
			return token == own ? -REASON(state) : token_inherited(-REASON(state));
		if (state & (TOKEN_SHIELD | TOKEN_EXPLICIT))
			break;
	}
	return 0;
}

bool filch__token_poll(struct filch_token *token, struct scheduler *scheduler)
{
	/* acquire: pairs with the release in bump: marks of cancels counted so far are seen below.
	 */
	uint64_t seen = scheduler ? word64_load_acquire(&scheduler->cancels) : 0;
	struct filch_token *end = token;

	for (;; end = end->parent) {
		uint32_t state = state_of(end);

		if (state & TOKEN_CANCELLED)
			return true;
		/* relaxed: a count that was stored after the same look at everything above. */
		if (state & (TOKEN_SHIELD | TOKEN_EXPLICIT) || !end->parent ||
		    (scheduler && word64_load_relaxed(&end->seen) == seen))
			break;
	}
	for (; scheduler && token != end; token = token->parent)
		/* relaxed: any stored count is a true one; a lower one only costs another look. */
		word64_store_relaxed(&token->seen, seen);
	if (scheduler)
		/* relaxed: as above. */
		word64_store_relaxed(&end->seen, seen);
	return false;
}
