/* What the tests of scopes share: entering below the present scope, leaving, time. */
#ifndef TESTS_WAKE_SCOPES_H
#define TESTS_WAKE_SCOPES_H

#include "task/play.h"

#define LONG (3600 * FILCH_SECOND)

/* A scope below the present one, with a deadline from now; FILCH_NEVER: none. */
static inline void enter(struct filch_token *token, filch_time span)
{
	filch_token_init(token);
	if (span != FILCH_NEVER)
		cr_expect_eq(filch_token_set_deadline(token, filch_now() + span), 0);
	cr_expect_eq(filch_scope_enter(token), 0);
}

/* The same with a point in time. */
static inline void enter_until(struct filch_token *token, filch_time deadline)
{
	filch_token_init(token);
	cr_expect_eq(filch_token_set_deadline(token, deadline), 0);
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

#endif
