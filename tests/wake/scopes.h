/* What the tests of scopes share: entering below the present scope, leaving, time. */
#ifndef TESTS_WAKE_SCOPES_H
#define TESTS_WAKE_SCOPES_H

#include "task/play.h"

#define LONG (3600 * FILCH_SECOND)

/* A scope below the present one, with a deadline. A machine that is busy may be so late that a
 * scope around it has expired by now: that ends this one, too, which takes no deadline any more.
 * The entry comes first: a token that is not entered expires by itself, whatever it will stand in.
 */
static inline void enter_until(struct filch_token *token, filch_time deadline)
{
	int status;

	filch_token_init(token);
	cr_expect_eq(filch_scope_enter(token), 0);
	status = filch_token_set_deadline(token, deadline);
	cr_expect(status == 0 || (status == -EBUSY && filch_token_is_cancelled(token)));
}

/* The same with a deadline from now; FILCH_NEVER: none. */
static inline void enter(struct filch_token *token, filch_time span)
{
	if (span != FILCH_NEVER) {
		enter_until(token, filch_now() + span);
		return;
	}
	filch_token_init(token);
	cr_expect_eq(filch_scope_enter(token), 0);
}

static inline void leave(struct filch_token *token)
{
	cr_expect_eq(filch_scope_leave(token), 0);
	filch_token_fini(token);
}

static inline void spin_until(filch_time when)
{
	while (filch_now() < when)
		;
}

/*
 * Plays a scene that must be over with its beginning before a deadline; it returns false when it
 * was not, and is then tried again with twice the time.
 */
static inline void play_in_time(bool (*scene)(filch_time span))
{
	for (filch_time span = FILCH_MILLISECOND; !scene(span); span *= 2)
		cr_assert_lt(span, 20 * FILCH_SECOND);
}

#endif
