/* What a user does with a token: make it, ask it, give it a deadline and callbacks. */
#include "wake/token.h"
#include "wake/token_tree.h"

#include "data/spin.h"
#include "platform/clock.h"
#include "platform/thread.h"
#include "wake/timer.h"

#include <errno.h>
#include <string.h>

/* A callback's state. QUEUED -> RUNNING -> DONE, or QUEUED -> IDLE by removal. */
enum callback_state { CALLBACK_IDLE, CALLBACK_QUEUED, CALLBACK_RUNNING, CALLBACK_DONE };

static struct spin *lock_of(struct filch_token *token)
{
	return (struct spin *)(void *)&token->lock;
}

static struct timer_callback *timer_of(struct filch_token *token)
{
	return (struct timer_callback *)(void *)token->timer;
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

int filch_token_fini(struct filch_token *token)
{
	/* relaxed: the caller has the token to itself. */
	uint32_t state = token ? word32_load_relaxed(&token->state) : 0;

	if (state & TOKEN_ENTERED)
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
	return filch_token_reason(token) == -ETIMEDOUT;
}

static void deadline_passed(void *argument)
{
	struct filch_token *token = argument;

	filch__token_cancel(token, -ETIMEDOUT, (struct scheduler *)token->scheduler);
}

void filch__token_set_scheduler(struct filch_token *token, void *scheduler)
{
	spin_acquire(lock_of(token));
	token->scheduler = scheduler;
	/* Left, and disarmed: the heap that its timer belongs to may go with its runtime. */
	if (!scheduler)
		memset(token->timer, 0, sizeof(token->timer));
	spin_release(lock_of(token));
}

int filch_token_set_deadline(struct filch_token *token, filch_time deadline)
{
	struct scheduler *scheduler;

	if (!token || deadline < 0)
		return -EINVAL;
	filch__token_link(token);
	if (!token->scheduler)
		filch__token_set_scheduler(token, filch__scheduler_self());
	scheduler = (struct scheduler *)token->scheduler;
	if (deadline != FILCH_NEVER && filch_token_is_cancelled(token))
		return -EBUSY;
	token->deadline = deadline;
	if (!scheduler)
		return 0;
	if (!timer_of(token)->fn)
		timer_callback_init(timer_of(token), deadline_passed, token);
	if (deadline == FILCH_NEVER) {
		filch__timer_callback_disarm(filch__timers_of(scheduler), timer_of(token));
		return 0;
	}
	if (deadline <= filch__clock_now()) {
		filch__timer_callback_disarm(filch__timers_of(scheduler), timer_of(token));
		filch__token_cancel(token, -ETIMEDOUT, scheduler);
		return 0;
	}
	return filch__timer_callback_arm(filch__timers_of(scheduler), timer_of(token), deadline);
}

filch_time filch_token_deadline(const struct filch_token *token)
{
	/* relaxed: asked by who set it. */
	return token && word32_load_relaxed(&token->state) & TOKEN_READY ? token->deadline
									 : FILCH_NEVER;
}

/* ---- Callbacks ---- */

static _Thread_local char thread_mark;

/* A thread's identity, for a callback that removes itself. */
static FILCH_NOINLINE uint32_t this_thread(void)
{
	compiler_barrier();
	return (uint32_t)((uintptr_t)&thread_mark >> 4);
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
	/* relaxed: under the token's lock. */
	word32_store_relaxed(&callback->state, CALLBACK_RUNNING);
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
		fn(arg);
		filch__callback_run_end(callback);
	}
	return 0;
}

bool filch_token_remove_callback(struct filch_token_callback *callback)
{
	bool queued;

	if (!callback || !callback->token)
		return false;
	/* acquire: pairs with the release in run_end. What has run needs its token no more. */
	if (word32_load_acquire(&callback->state) == CALLBACK_DONE)
		return false;
	spin_acquire(lock_of(callback->token));
	/* relaxed: under the lock. */
	queued = word32_load_relaxed(&callback->state) == CALLBACK_QUEUED;
	if (queued) {
		filch__callback_unlink(callback);
		/* relaxed: under the lock. */
		word32_store_relaxed(&callback->state, CALLBACK_IDLE);
	}
	spin_release(lock_of(callback->token));
	/* acquire: pairs with the release in run_end. */
	while (!queued && word32_load_acquire(&callback->state) == CALLBACK_RUNNING &&
	       callback->thread != this_thread())
		filch__thread_yield();
	return queued;
}
