/* Entering and leaving a token, in tasks and in plain threads. */
#include "wake/token.h"

#include "base/panic.h"
#include "base/world.h"
#include "data/spin.h"
#include "platform/clock.h"
#include "sched/worker.h"
#include "wake/token_tree.h"

#include <errno.h>

static _Thread_local struct filch_token *thread_scope;

/* Noinline for the same reason as filch__fiber_self. */
static FILCH_NOINLINE struct filch_token *get_thread_scope(void)
{
	struct world *world = filch__world_self();

	return world ? (struct filch_token *)world->local->scope : thread_scope;
}

static FILCH_NOINLINE void set_thread_scope(struct filch_token *scope)
{
	struct world *world = filch__world_self();

	if (world)
		world->local->scope = scope;
	else
		thread_scope = scope;
}

struct filch_token *filch__scope_self(void)
{
	struct fiber *self = filch__fiber_self();

	return self ? self->task->scope : get_thread_scope();
}

static void set_scope(struct filch_token *scope)
{
	struct fiber *self = filch__fiber_self();

	if (self)
		self->task->scope = scope;
	else
		set_thread_scope(scope);
}

/* On a worker's stack, but in no task. */
static bool is_timer_callback(void)
{
	struct fiber *self = filch__fiber_self();

	return self && self->task == &filch__task_none;
}

/* Called only at once, by who enters inside a scope that is cancelled already. */
void filch__enclosing_cancelled(void *argument)
{
	struct filch_token *token = argument;
	/* acquire: pairs with the cas in mark. */
	uint32_t state = word32_load_acquire(&token->enclosing->state);

	filch__token_cancel(token, token_inherited(state), filch__scheduler_self());
}

/* True when the enclosing scope is not the token's parent, which may change any time. */
static bool set_enclosing(struct filch_token *token, struct filch_token *enclosing)
{
	bool foreign;

	/* The timer's run reads it. */
	spin_acquire((struct spin *)(void *)&token->lock);
	token->enclosing = enclosing;
	foreign = token->parent != enclosing;
	spin_release((struct spin *)(void *)&token->lock);
	return foreign;
}

static int enter(struct filch_token *token, struct filch_token *enclosing)
{
	bool foreign;
	int status;

	filch__token_link(token);
	foreign = set_enclosing(token, enclosing);
	status = filch__token_bring(token, foreign, filch__scheduler_self());
	if (status < 0) {
		set_enclosing(token, NULL);
		return status;
	}
	/* relaxed: one's own from here on. What was seen may be of another runtime, or before a
	 * cancel. */
	word64_store_relaxed(&token->seen, UINT64_MAX);
	/* relaxed: never changes. */
	if (enclosing && foreign && !(word32_load_relaxed(&token->state) & TOKEN_SHIELD))
		filch_token_add_callback(enclosing, &token->from_enclosing,
					 filch__enclosing_cancelled, token);
	set_scope(token);
	return 0;
}

int filch_scope_enter(struct filch_token *token)
{
	uint32_t state;
	int status;

	/* relaxed: never changes. */
	if (!token || word32_load_relaxed(&token->state) & TOKEN_GROUP)
		return -EINVAL;
	if (is_timer_callback())
		return -EPERM;
	/* acq_rel: one enters; what the last one to leave wrote is seen. */
	state = word32_or_acq_rel(&token->state, TOKEN_ENTERED);
	if (state & TOKEN_ENTERED)
		return -EBUSY;
	status = enter(token, filch__scope_self());
	if (status < 0)
		/* release: as in filch_scope_leave. */
		word32_and_release(&token->state, ~TOKEN_ENTERED);
	return status;
}

/* No cancel of the enclosing scope is on its way to the token any more. */
static void forget_enclosing(struct filch_token *token)
{
	if (token->from_enclosing.token && !filch_token_remove_callback(&token->from_enclosing))
		filch__token_wait_for_pins(token);
	token->from_enclosing.token = NULL;
	set_enclosing(token, NULL);
}

int filch_scope_leave(struct filch_token *token)
{
	if (!token)
		return -EINVAL;
	/* relaxed: never changes in here. */
	if (filch__scope_self() != token || word32_load_relaxed(&token->state) & TOKEN_GROUP)
		return -EPERM;
	filch__token_disarm(token);
	set_scope(token->enclosing);
	forget_enclosing(token);
	/* The runtime may end before the token. */
	filch__token_set_scheduler(token, NULL);
	/* release: pairs with the operation in filch_scope_enter. */
	word32_and_release(&token->state, ~TOKEN_ENTERED);
	return 0;
}

int filch_scope_enter_for(struct filch_token *token, filch_time span)
{
	filch_time now = filch__clock_now();
	int status;

	if (span < 0)
		return -EINVAL;
	status = filch_scope_enter(token);
	if (status < 0)
		return status;
	status = filch_token_set_deadline(token,
					  span < FILCH_NEVER - now ? now + span : FILCH_NEVER);
	if (status == -EBUSY)
		return 0; /* entered, and cancelled: the first checkpoint tells */
	if (status < 0)
		filch_scope_leave(token);
	return status;
}

int filch_scope_run(struct filch_token *token, filch_task_fn *fn, void *arg, int *status)
{
	struct filch_token own;
	int result;

	if (!token || !fn)
		return -EINVAL;
	filch_token_init_below(&own, token, 0);
	result = filch_scope_enter(&own);
	if (result == 0) {
		int returned = 0;

		result = filch__checkpoint();
		if (result == 0)
			returned = fn(arg);
		FILCH_CHECK(filch_scope_leave(&own) == 0, "a function left a scope entered");
		if (result == 0 && status)
			*status = returned;
	}
	filch_token_fini(&own);
	return result;
}

static struct filch_token *outer(const struct filch_token *token)
{
	/* relaxed: flags that do not change while the token is somebody's scope. */
	uint32_t state = word32_load_relaxed(&token->state);

	if (state & TOKEN_SHIELD)
		return NULL;
	return state & TOKEN_ENTERED ? token->enclosing : token->parent;
}

struct filch_token *filch__scope_first_deadline(struct filch_token *scope)
{
	struct filch_token *first = NULL;

	for (; scope; scope = outer(scope))
		if (filch_token_deadline(scope) != FILCH_NEVER &&
		    (!first || filch_token_deadline(scope) <= filch_token_deadline(first)))
			first = scope;
	return first;
}

/* A thread has no timers: its scopes' deadlines are looked at here. */
static bool thread_is_cancelled(struct filch_token *scope)
{
	struct filch_token *first = filch__scope_first_deadline(scope);

	if (first && filch_token_deadline(first) <= filch__clock_now())
		filch__token_expire(first, NULL);
	return filch__token_poll(scope, NULL);
}

int filch__checkpoint(void)
{
	struct fiber *self = filch__fiber_self();
	struct filch_token *scope;

	if (self && self->task == &filch__task_none)
		return 0; /* a timer's callback, on a worker's stack */
	if (self)
		return token_is_cancelled(self->task->scope, self->worker->scheduler) ? -ECANCELED
										      : 0;
	scope = get_thread_scope();
	return scope && thread_is_cancelled(scope) ? -ECANCELED : 0;
}

int filch_checkpoint(void)
{
	return filch__checkpoint();
}

filch_time filch_scope_deadline(void)
{
	struct filch_token *scope = filch__scope_self();
	filch_time first = FILCH_NEVER;

	if (scope && filch__token_poll(scope, NULL))
		return INT64_MIN;
	for (; scope; scope = outer(scope))
		if (filch__token_due(scope) < first)
			first = filch__token_due(scope);
	return first;
}
