/* A token's deadline: set, moved, taken away, passed. */
#include "wake/token.h"
#include "wake/token_tree.h"

#include "base/world.h"
#include "data/spin.h"
#include "platform/clock.h"
#include "wake/timer.h"

#include <errno.h>
#include <string.h>

static struct spin *lock_of(struct filch_token *token)
{
	return (struct spin *)(void *)&token->lock;
}

static struct timer_callback *timer_of(struct filch_token *token)
{
	return (struct timer_callback *)(void *)token->timer;
}

static uint32_t state_of(const struct filch_token *token)
{
	/* acquire: pairs with the release of READY in make_ready (token.c). */
	return word32_load_acquire(&token->state);
}

/* Of a token that is READY. */
static filch_time deadline_of(const struct filch_token *token)
{
	/* relaxed: a time and nothing else. */
	return (filch_time)word64_load_relaxed(&token->deadline);
}

static void store_deadline(struct filch_token *token, filch_time deadline)
{
	/* relaxed: as above. */
	word64_store_relaxed(&token->deadline, (uint64_t)deadline);
}

filch_time filch_token_deadline(const struct filch_token *token)
{
	return token && state_of(token) & TOKEN_READY ? deadline_of(token) : FILCH_NEVER;
}

/*
 * Of several scopes whose deadlines have passed, the one with the earliest expires, the outermost
 * of equal ones; the others are cancelled by it. `above`: what the token is entered in, or NULL.
 */
static void expire(struct filch_token *token, struct filch_token *above,
		   struct scheduler *scheduler)
{
	struct filch_token *first = above ? filch__scope_first_deadline(above) : NULL;

	if (!first || deadline_of(first) > deadline_of(token))
		first = token;
	filch__token_expire(first, scheduler);
}

/*
 * What stands above a token that is entered, or a group's, for its timer: nothing there can be left
 * or closed before this token, which waits for the timer's run.
 */
static struct filch_token *surrounding(struct filch_token *token)
{
	struct filch_token *above = NULL;
	uint32_t state;

	spin_acquire(lock_of(token));
	state = state_of(token);
	if (state & TOKEN_GROUP)
		above = token->parent;
	else if (state & TOKEN_ENTERED)
		above = token->enclosing;
	spin_release(lock_of(token));
	return state & TOKEN_SHIELD ? NULL : above;
}

/*
 * Of the user's tokens above this one the first to expire among those whose deadlines no timer
 * keeps: plain threads have set them. Pinned, or NULL. What is above a task's scope is in that
 * scope's charge.
 */
static struct filch_token *unkept_above(struct filch_token *token)
{
	struct filch_token *first = NULL, *at, *next;

	for (at = filch__token_pin_parent(token); at; at = next) {
		bool kept, entered;

		spin_acquire(lock_of(at));
		kept = at->scheduler != NULL;
		entered = (state_of(at) & TOKEN_ENTERED) != 0;
		spin_release(lock_of(at));
		next = kept && entered ? NULL : filch__token_pin_parent(at);
		if (!kept && deadline_of(at) != FILCH_NEVER &&
		    (!first || deadline_of(at) <= deadline_of(first))) {
			struct filch_token *other = first;

			first = at;
			at = other;
		}
		if (at)
			filch__token_unpin(at);
	}
	return first;
}

/* Is it a task's scope, which looks after the deadlines above it? The enclosing scope does when
 * that is its parent. */
static bool is_in_charge(struct filch_token *token)
{
	bool in_charge;

	spin_acquire(lock_of(token));
	in_charge = token->scheduler && state_of(token) & TOKEN_ENTERED &&
		    token->parent != token->enclosing;
	spin_release(lock_of(token));
	return in_charge;
}

filch_time filch__token_due(struct filch_token *token)
{
	filch_time due = filch_token_deadline(token);
	struct filch_token *above;

	if (!(state_of(token) & TOKEN_READY) || !is_in_charge(token))
		return due;
	above = unkept_above(token);
	if (!above)
		return due;
	if (deadline_of(above) < due)
		due = deadline_of(above);
	filch__token_unpin(above);
	return due;
}

/* What has passed of the token's own deadline and those in its charge. */
static void look_at_the_time(struct filch_token *token, struct scheduler *scheduler)
{
	struct filch_token *above = unkept_above(token);
	filch_time now = filch__clock_now(), own = deadline_of(token);

	if (above && deadline_of(above) <= now && deadline_of(above) <= own)
		filch__token_expire(above, scheduler);
	else if (own <= now)
		expire(token, surrounding(token), scheduler);
	if (above)
		filch__token_unpin(above);
}

/* The timer's callback. */
static void deadline_passed(void *argument)
{
	struct filch_token *token = argument;
	struct scheduler *scheduler = (struct scheduler *)token->scheduler;
	filch_time due;

	look_at_the_time(token, scheduler);
	if (filch_token_is_cancelled(token))
		return;
	/* Moved meanwhile. There is room where the timer came from. */
	due = filch__token_due(token);
	if (due != FILCH_NEVER)
		filch__timer_callback_arm(filch__timers_of(scheduler), timer_of(token), due);
}

/* The same for the caller's own scope, or one that it is about to enter. */
static struct filch_token *above_caller(struct filch_token *token)
{
	struct filch_token *scope = filch__scope_self(), *parent;

	if (token == scope)
		return surrounding(token);
	spin_acquire(lock_of(token));
	parent = state_of(token) & TOKEN_SHIELD ? NULL : token->parent;
	spin_release(lock_of(token));
	return parent == scope ? scope : NULL;
}

void filch__token_set_scheduler(struct filch_token *token, void *scheduler)
{
	spin_acquire(lock_of(token));
	if (token->scheduler != scheduler)
		memset(token->timer, 0, sizeof(token->timer)); /* for another runtime's heaps */
	token->scheduler = scheduler;
	spin_release(lock_of(token));
}

/* The runtime whose timers the token uses; NULL: a plain thread looks at the time itself. */
static struct scheduler *prepare_timer(struct filch_token *token)
{
	struct scheduler *scheduler;

	spin_acquire(lock_of(token));
	if (!token->scheduler)
		token->scheduler = filch__scheduler_self();
	scheduler = (struct scheduler *)token->scheduler;
	if (scheduler && !timer_of(token)->fn)
		timer_callback_init(timer_of(token), deadline_passed, token);
	spin_release(lock_of(token));
	return scheduler;
}

static void stop_timer(struct filch_token *token)
{
	struct scheduler *scheduler = (struct scheduler *)token->scheduler;

	if (scheduler && timer_of(token)->fn)
		filch__timer_callback_disarm(filch__timers_of(scheduler), timer_of(token));
}

void filch__token_disarm(struct filch_token *token)
{
	uint32_t state = state_of(token);

	if (!(state & TOKEN_READY))
		return;
	stop_timer(token);
	store_deadline(token, FILCH_NEVER); /* not before: a run that goes on compares it */
	if (state & TOKEN_EXPLICIT && !(state & TOKEN_ENTERED))
		filch__token_set_scheduler(token, NULL);
}

/* Waits for a run that has begun: whether the old deadline did it is known afterwards. */
static int move_timer(struct filch_token *token, struct scheduler *scheduler)
{
	filch_time due = filch__token_due(token);
	int status;

	if (!scheduler)
		return 0;
	status = filch__timer_callback_restart(filch__timers_of(scheduler), timer_of(token), due);
	if (status < 0 || !filch_token_is_cancelled(token) || due <= filch__clock_now())
		return status;
	stop_timer(token);
	return -EBUSY;
}

/* A task's scope without a deadline of its own, or with a late one, keeps those above it. */
static int take_charge(struct filch_token *token)
{
	filch_time due = filch__token_due(token);
	struct scheduler *scheduler;

	if (due == deadline_of(token))
		return 0;
	scheduler = prepare_timer(token);
	if (due <= filch__clock_now()) {
		look_at_the_time(token, scheduler);
		return 0;
	}
	return filch__timer_callback_arm(filch__timers_of(scheduler), timer_of(token), due);
}

int filch_token_set_deadline(struct filch_token *token, filch_time deadline)
{
	struct scheduler *scheduler;
	filch_time before;
	int status;

	if (!token || deadline < 0)
		return -EINVAL;
	filch__token_link(token);
	if (deadline == FILCH_NEVER) {
		filch__token_disarm(token);
		return take_charge(token);
	}
	if (filch_token_is_cancelled(token))
		return -EBUSY;
	scheduler = prepare_timer(token);
	if (scheduler && scheduler->world != filch__world_self())
		return -EPERM;
	before = deadline_of(token);
	store_deadline(token, deadline);
	if (deadline <= filch__clock_now()) {
		stop_timer(token);
		expire(token, above_caller(token), scheduler);
		return 0;
	}
	status = move_timer(token, scheduler);
	if (status < 0)
		store_deadline(token, before);
	return status;
}

/* To another runtime, or from none. */
static int bring_deadline(struct filch_token *token, struct scheduler *scheduler)
{
	filch_time deadline = deadline_of(token);
	int status;

	filch__token_disarm(token);
	filch__token_set_scheduler(token, scheduler);
	if (deadline == FILCH_NEVER)
		return 0;
	status = filch_token_set_deadline(token, deadline);
	if (status != -ENOMEM)
		return 0; /* also when it has been cancelled */
	filch__token_set_scheduler(token, NULL);
	store_deadline(token, deadline);
	return status;
}

int filch__token_bring(struct filch_token *token, bool foreign, struct scheduler *scheduler)
{
	int status = 0;

	if (!scheduler)
		return 0;
	if (token->scheduler != scheduler)
		status = bring_deadline(token, scheduler);
	if (status == 0 && foreign)
		status = take_charge(token);
	return status;
}
