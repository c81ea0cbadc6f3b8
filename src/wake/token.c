/* The token tree: linking, cancelling, closing. */
#include "wake/token.h"

#include "base/panic.h"
#include "base/world.h"
#include "data/spin.h"
#include "platform/clock.h"
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
	/* relaxed: published by READY. */
	word64_store_relaxed(&token->deadline, (uint64_t)FILCH_NEVER);
	/* A user's token, which may outlive the runtime, belongs to it only while it is entered or
	 * has a deadline. */
	if (state_of(token) & TOKEN_GROUP || (token->parent && !(state_of(token) & TOKEN_EXPLICIT)))
		token->scheduler = filch__scheduler_self();
	/* release: pairs with the acquire in state_of. */
	word32_or_release(&token->state, TOKEN_READY);
}

/* CANCELLED with its reason, in one step; true for the first. `how`: EXPIRED or nothing. */
static bool mark(struct filch_token *token, int reason, uint32_t how)
{
	uint32_t value = (uint32_t) - (reason < 0 && reason > -4096 ? reason : -ECANCELED);
	/* relaxed: the cas decides. */
	uint32_t state = word32_load_relaxed(&token->state);

	how |= TOKEN_CANCELLED | value << 16;
	do {
		if (state & TOKEN_CANCELLED)
			return false;
		/* acq_rel: publishes the reason; acquires what READY promises. */
	} while (!word32_cas_acq_rel(&token->state, &state, state | how));
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

/* Both deadlines have passed, the token's own first: whoever was quicker to say so, it expires. */
static bool expired_before(const struct filch_token *token, const struct filch_token *above)
{
	filch_time deadline = filch_token_deadline(token);

	return state_of(above) & TOKEN_EXPIRED && deadline < filch_token_deadline(above) &&
	       deadline <= filch__clock_now();
}

/* Marks a token for what was told to one above, and puts it on a work list; under a lock that its
 * close or leave must take. */
static struct filch_token *add_work(struct filch_token *token, const struct filch_token *above,
				    struct filch_token *work)
{
	if (!(expired_before(token, above) ? mark(token, -ETIMEDOUT, TOKEN_EXPIRED)
					   : mark(token, token_inherited(state_of(above)), 0)))
		return work;
	/* relaxed: published by the lock. */
	word32_add_relaxed(&token->pins, 1);
	token->work = work;
	return token;
}

/* Under the token's lock. */
static struct filch_token *add_children(struct filch_token *token, struct filch_token *work)
{
	for (struct filch_token *child = token->children; child; child = child->next)
		work = add_work(child, token, work);
	return work;
}

/* The scopes that this token encloses but is no ancestor of. Under its lock. */
static struct filch_token *add_enclosed(struct filch_token *token, struct filch_token *work)
{
	struct filch_token_callback *callback, *next;

	for (callback = token->callbacks; callback; callback = next) {
		next = callback->next;
		if (callback->fn != filch__enclosing_cancelled)
			continue;
		filch__callback_unlink(callback);
		work = add_work((struct filch_token *)callback->arg, token, work);
		filch__callback_run_end(callback);
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

/* A token that is marked: what is below it joins the work list, who waits is woken. True when it
 * has callbacks. */
static bool visit(struct filch_token *token, struct filch_token **work)
{
	bool has_callbacks;

	spin_acquire(lock_of(token));
	*work = add_enclosed(token, add_children(token, *work));
	/* Before anybody is woken: then the runtime may end. */
	bump((struct scheduler *)token->scheduler);
	wake_waiters(token);
	has_callbacks = token->callbacks != NULL;
	spin_release(lock_of(token));
	return has_callbacks;
}

void filch__token_unpin(struct filch_token *token)
{
	/* release: our last touch; pairs with the acquire in filch__token_wait_for_pins. */
	word32_sub_release(&token->pins, 1);
}

/* The tokens of a work list, pinned, and everything below them. No recursion. Those with callbacks
 * are returned, still pinned: nobody's callback keeps others from being woken. */
static struct filch_token *carry_down(struct filch_token *work)
{
	struct filch_token *first = NULL, **last = &first;

	while (work) {
		struct filch_token *now = work;

		work = now->work;
		now->work = NULL;
		if (visit(now, &work)) {
			*last = now;
			last = &now->work;
		} else {
			filch__token_unpin(now);
		}
	}
	return first;
}

static void call_back(struct filch_token *list)
{
	while (list) {
		struct filch_token *now = list;

		list = now->work;
		run_callbacks(now);
		filch__token_unpin(now);
	}
}

/* From a token that is marked and READY. */
static void spread(struct filch_token *token)
{
	struct filch_token *work = NULL;

	visit(token, &work);
	work = carry_down(work);
	run_callbacks(token);
	call_back(work);
}

static bool cancel(struct filch_token *token, int reason, uint32_t how, struct scheduler *scheduler)
{
	bool ready;

	filch__world_choose(WORLD_CANCEL);
	if (!mark(token, reason, how))
		return false;
	spin_acquire(lock_of(token));
	ready = (state_of(token) & TOKEN_READY) != 0;
	spin_release(lock_of(token));
	bump(scheduler);
	if (ready)
		spread(token);
	return true;
}

bool filch__token_cancel(struct filch_token *token, int reason, struct scheduler *scheduler)
{
	return cancel(token, reason, 0, scheduler);
}

bool filch__token_expire(struct filch_token *token, struct scheduler *scheduler)
{
	return cancel(token, -ETIMEDOUT, TOKEN_EXPIRED, scheduler);
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
		filch__token_cancel(token, token_inherited(state), filch__scheduler_self());
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
		/* Who marked it may not have counted it yet. What this wait tells must hold at the
		 * next look, too. */
		bump(filch__scheduler_self());
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

struct filch_token *filch__token_pin_parent(struct filch_token *token)
{
	struct filch_token *parent = lock_with_parent(token), *pinned = NULL;

	if (parent && state_of(parent) & TOKEN_EXPLICIT) {
		pinned = parent;
		/* relaxed: under the lock that its close must take. */
		word32_add_relaxed(&parent->pins, 1);
	}
	if (parent)
		spin_release(lock_of(parent));
	spin_release(lock_of(token));
	return pinned;
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

void filch__token_wait_for_pins(struct filch_token *token)
{
	/* acquire: pairs with the release in carry_down. */
	while (word32_load_acquire(&token->pins) != 0)
		filch__thread_yield();
}

void filch__token_close(struct filch_token *token)
{
	struct filch_token *parent, *work = NULL;

	if (!(state_of(token) & TOKEN_READY))
		return;
	filch__token_disarm(token);
	parent = lock_with_parent(token);
	/* A cancel that has marked this token and not come to its children finds them no more. */
	if (state_of(token) & TOKEN_CANCELLED)
		work = add_children(token, NULL);
	hand_over_children(token, parent);
	if (parent) {
		unlink_from(parent, token);
		spin_release(lock_of(parent));
	}
	spin_release(lock_of(token));
	call_back(carry_down(work));
	filch__token_wait_for_pins(token);
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
			return token == own ? -REASON(state) : token_inherited(state);
		if (state & (TOKEN_SHIELD | TOKEN_EXPLICIT))
			break;
	}
	return 0;
}

bool filch__token_poll(struct filch_token *token, struct scheduler *scheduler)
{
	struct filch_token *end = token;
	uint64_t seen;

	/* In a simulation nothing is remembered, so that every checkpoint comes by here. */
	if (scheduler && unlikely(scheduler->world != NULL)) {
		scheduler->world->calls->checkpoint(scheduler->world);
		scheduler = NULL;
	}
	/* acquire: pairs with the release in bump: marks of cancels counted so far are seen below.
	 */
	seen = scheduler ? word64_load_acquire(&scheduler->cancels) : 0;
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
