/* What a user does with a token: make it, ask it, give it callbacks. */
#include "wake/token.h"
#include "wake/token_tree.h"

#include "base/world.h"
#include "data/spin.h"
#include "platform/thread.h"

#include <errno.h>
#include <string.h>

/* A callback's state. QUEUED -> RUNNING -> DONE, or QUEUED -> IDLE by removal. */
enum callback_state { CALLBACK_IDLE, CALLBACK_QUEUED, CALLBACK_RUNNING, CALLBACK_DONE };

static struct spin *lock_of(struct filch_token *token)
{
	return (struct spin *)(void *)&token->lock;
}

int filch_token_init_below(struct filch_token *token, struct filch_token *parent, unsigned flags)
{
	if (!token || flags & ~FILCH_TOKEN_SHIELD)
		return -EINVAL;
	memset(token, 0, sizeof(*token));
	/* relaxed: not shared yet. */
	word32_store_relaxed(&token->state,
			     TOKEN_EXPLICIT | (flags & FILCH_TOKEN_SHIELD ? TOKEN_SHIELD : 0));
	token->parent = parent;
	filch__token_link(token);
	return 0;
}

int filch_token_init(struct filch_token *token)
{
	return filch_token_init_below(token, filch__scope_self(), 0);
}

static bool is_in_use(struct filch_token *token)
{
	bool used;

	spin_acquire(lock_of(token));
	used = token->callbacks || token->waiters;
	spin_release(lock_of(token));
	return used;
}

int filch_token_fini(struct filch_token *token)
{
	/* relaxed: the caller has the token to itself. */
	uint32_t state = token ? word32_load_relaxed(&token->state) : 0;

	if (state & TOKEN_ENTERED || (state & TOKEN_READY && is_in_use(token)))
		return -EBUSY;
	if (state) {
		filch__token_close(token);
		memset(token, 0, sizeof(*token));
	}
	return 0;
}

bool filch_token_is_cancelled(const struct filch_token *token)
{
	return token && filch__token_poll((struct filch_token *)(uintptr_t)token, NULL);
}

int filch_token_reason(const struct filch_token *token)
{
	/* acquire: pairs with the cas in mark. */
	uint32_t state = token ? word32_load_acquire(&token->state) : 0;

	return state & TOKEN_CANCELLED ? -(int)(state >> 16) : 0;
}

bool filch_token_expired(const struct filch_token *token)
{
	/* acquire: pairs with the cas in mark. */
	return token && word32_load_acquire(&token->state) & TOKEN_EXPIRED;
}

/* ---- Callbacks ---- */

static _Thread_local char thread_mark;

/* A thread's identity, or a strand's, for a callback that removes itself. */
static FILCH_NOINLINE uint32_t this_thread(void)
{
	struct world *world = filch__world_self();

	return (uint32_t)((world ? (uintptr_t)world->local : (uintptr_t)&thread_mark) >> 4);
}

void filch__callback_unlink(struct filch_token_callback *callback)
{
	struct filch_token *token = callback->token;

	if (callback->previous)
		callback->previous->next = callback->next;
	else
		token->callbacks = callback->next;
	if (callback->next)
		callback->next->previous = callback->previous;
	else
		token->last = callback->previous;
}

void filch__callback_run_begin(struct filch_token_callback *callback)
{
	callback->thread = this_thread();
	/* release: pairs with the acquires in filch_token_remove_callback, which read `thread`. */
	word32_store_release(&callback->state, CALLBACK_RUNNING);
}

void filch__callback_run_end(struct filch_token_callback *callback)
{
	/* release: pairs with the acquire in filch_token_remove_callback; *callback may be gone. */
	word32_store_release(&callback->state, CALLBACK_DONE);
}

int filch_token_add_callback(struct filch_token *token, struct filch_token_callback *callback,
			     filch_token_fn *fn, void *arg)
{
	bool now;

	if (!token || !callback || !fn)
		return -EINVAL;
	*callback = (struct filch_token_callback){ .fn = fn, .arg = arg, .token = token };
	filch__token_link(token);
	spin_acquire(lock_of(token));
	/* acquire: pairs with the cas in mark. */
	now = (word32_load_acquire(&token->state) & TOKEN_CANCELLED) != 0;
	if (!now) {
		callback->previous = token->last;
		if (token->last)
			token->last->next = callback;
		else
			token->callbacks = callback;
		token->last = callback;
		/* relaxed: under the lock. */
		word32_store_relaxed(&callback->state, CALLBACK_QUEUED);
	}
	spin_release(lock_of(token));
	if (now) {
		filch__callback_run_begin(callback);
		fn(arg);
		filch__callback_run_end(callback);
	}
	return 0;
}

bool filch_token_remove_callback(struct filch_token_callback *callback)
{
	bool queued = false;
	uint32_t state;

	if (!callback)
		return false;
	/* acquire: pairs with the releases in run_begin and run_end. Only a queued one needs its
	 * token. */
	state = word32_load_acquire(&callback->state);
	if (state == CALLBACK_QUEUED) {
		spin_acquire(lock_of(callback->token));
		/* relaxed: under the lock. */
		queued = word32_load_relaxed(&callback->state) == CALLBACK_QUEUED;
		if (queued) {
			filch__callback_unlink(callback);
			/* relaxed: under the lock. */
			word32_store_relaxed(&callback->state, CALLBACK_IDLE);
		}
		spin_release(lock_of(callback->token));
	}
	/* acquire: pairs with the releases in run_begin and run_end. */
	while (!queued && word32_load_acquire(&callback->state) == CALLBACK_RUNNING &&
	       callback->thread != this_thread())
		filch__thread_yield();
	return queued;
}
