/* Tokens: the tree, reasons, callbacks. */
#include "task/play.h"

#include <pthread.h>
#include <string.h>

/* CN12: the cancelled token and what is below it, nobody else. */
Test(token, a_cancel_reaches_all_below_and_nobody_else)
{
	struct filch_token top, sibling, middle, leaves[4];

	filch_token_init(&top);
	filch_token_init_below(&sibling, &top, 0);
	filch_token_init_below(&middle, &top, 0);
	for (int i = 0; i < 4; i++)
		filch_token_init_below(&leaves[i], i < 2 ? &middle : &leaves[i - 2], 0);
	cr_assert(filch_token_cancel(&middle, -EINTR));
	cr_assert(!filch_token_is_cancelled(&top));
	cr_assert(!filch_token_is_cancelled(&sibling));
	cr_assert_eq(filch_token_reason(&middle), -EINTR);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(filch_token_reason(&leaves[i]), -EINTR);
	for (int i = 4; i-- > 0;)
		cr_assert_eq(filch_token_fini(&leaves[i]), 0);
	filch_token_fini(&middle);
	filch_token_fini(&sibling);
	filch_token_fini(&top);
}

/* CN5 */
Test(token, the_first_reason_stays)
{
	struct filch_token token;

	filch_token_init(&token);
	cr_assert_eq(filch_token_reason(&token), 0);
	cr_assert(filch_token_cancel(&token, -EINTR));
	cr_assert(!filch_token_cancel(&token, -EIO));
	cr_assert_eq(filch_token_reason(&token), -EINTR);
	cr_assert_eq(filch_token_set_deadline(&token, 1), -EBUSY); /* TO10 */
	cr_assert_eq(filch_token_reason(&token), -EINTR);
	cr_assert(!filch_token_expired(&token));
	filch_token_fini(&token);
}

Test(token, a_reason_that_is_no_errno_becomes_canceled)
{
	static const int reasons[] = { 0, 5, -4096, -100000, INT32_MIN };

	for (int i = 0; i < 5; i++) {
		struct filch_token token;

		filch_token_init(&token);
		cr_assert(filch_token_cancel(&token, reasons[i]));
		cr_assert_eq(filch_token_reason(&token), -ECANCELED);
		filch_token_fini(&token);
	}
}

Test(token, a_reason_that_says_timeout_is_no_expiry)
{
	struct filch_token token, below;

	filch_token_init(&token);
	filch_token_init_below(&below, &token, 0);
	filch_token_cancel(&token, -ETIMEDOUT);
	cr_assert_eq(filch_token_reason(&token), -ETIMEDOUT);
	cr_assert_eq(filch_token_reason(&below), -ETIMEDOUT);
	cr_assert(!filch_token_expired(&token));
	cr_assert(!filch_token_expired(&below));
	filch_token_fini(&below);
	filch_token_fini(&token);
}

Test(token, nothing_and_all_zero_are_accepted_or_refused_by_name)
{
	struct filch_token token = { 0 }, other;
	struct filch_token_callback callback = { 0 };

	cr_assert_eq(filch_token_init(NULL), -EINVAL);
	cr_assert_eq(filch_token_init_below(&other, NULL, 2), -EINVAL);
	cr_assert_eq(filch_token_fini(NULL), 0);
	cr_assert_eq(filch_token_fini(&token), 0);
	cr_assert(!filch_token_cancel(NULL, 0));
	cr_assert(!filch_token_is_cancelled(NULL));
	cr_assert_eq(filch_token_reason(NULL), 0);
	cr_assert(!filch_token_expired(NULL));
	cr_assert_eq(filch_token_set_deadline(NULL, 1), -EINVAL);
	cr_assert_eq(filch_token_deadline(NULL), FILCH_NEVER);
	cr_assert_eq(filch_token_deadline(&token), FILCH_NEVER);
	cr_assert_eq(filch_token_add_callback(NULL, &callback, NULL, NULL), -EINVAL);
	cr_assert(!filch_token_remove_callback(NULL));
	cr_assert(!filch_token_remove_callback(&callback));
	cr_assert_eq(filch_scope_enter(NULL), -EINVAL);
	cr_assert_eq(filch_scope_leave(NULL), -EINVAL);
	cr_assert_eq(filch_scope_leave(&token), -EPERM);
	cr_assert_eq(filch_checkpoint(), 0);
	cr_assert_eq(filch_scope_deadline(), FILCH_NEVER);
}

/* CN13 */
Test(token, a_child_is_born_cancelled_and_a_dropped_link_is_bridged)
{
	struct filch_token top, middle, leaf, late;

	filch_token_init(&top);
	filch_token_init_below(&middle, &top, 0);
	filch_token_init_below(&leaf, &middle, 0);
	filch_token_fini(&middle);
	cr_assert(!filch_token_is_cancelled(&leaf));
	filch_token_cancel(&top, -EINTR);
	cr_assert_eq(filch_token_reason(&leaf), -EINTR);
	filch_token_init_below(&late, &leaf, 0);
	cr_assert_eq(filch_token_reason(&late), -EINTR);
	filch_token_fini(&top); /* in any order */
	cr_assert(!filch_token_cancel(&late, 0));
	filch_token_fini(&late);
	filch_token_fini(&leaf);
}

Test(token, a_shield_keeps_cancels_from_above_out)
{
	struct filch_token top, shield, below;

	filch_token_init(&top);
	filch_token_init_below(&shield, &top, FILCH_TOKEN_SHIELD);
	filch_token_init_below(&below, &shield, 0);
	filch_token_cancel(&top, 0);
	cr_assert(!filch_token_is_cancelled(&shield));
	cr_assert(!filch_token_is_cancelled(&below));
	cr_assert(filch_token_cancel(&shield, -EPIPE));
	cr_assert_eq(filch_token_reason(&below), -EPIPE);
	filch_token_fini(&below);
	filch_token_fini(&shield);
	filch_token_fini(&top);
}

/* ---- Callbacks: CN20, G4 ---- */

struct note {
	struct filch_token_callback callback;
	struct note *victim; /* removed, or its token cancelled, by the callback */
	struct filch_token *token;
	char name;
	bool prevented;
};

static char journal[16];

static void write_down(void *arg)
{
	struct note *note = arg;
	char text[2] = { note->name, 0 };

	strcat(journal, text);
	if (note->victim)
		note->prevented = filch_token_remove_callback(&note->victim->callback);
	if (note->token)
		filch_token_cancel(note->token, 0);
}

Test(token, callbacks_run_once_in_the_order_of_their_adding)
{
	struct filch_token token;
	struct note notes[4] = {
		{ .name = 'a' }, { .name = 'b' }, { .name = 'c' }, { .name = 'd' }
	};

	filch_token_init(&token);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(
			filch_token_add_callback(&token, &notes[i].callback, write_down, &notes[i]),
			0);
	cr_assert(filch_token_remove_callback(&notes[1].callback));
	cr_assert(!filch_token_remove_callback(&notes[1].callback));
	filch_token_cancel(&token, 0);
	filch_token_cancel(&token, 0);
	cr_assert_str_eq(journal, "ac");
	cr_assert(!filch_token_remove_callback(&notes[0].callback));
	filch_token_add_callback(&token, &notes[3].callback, write_down, &notes[3]);
	cr_assert_str_eq(journal, "acd");
	filch_token_fini(&token);
}

Test(token, a_callback_may_remove_itself_and_others_and_cancel_its_token)
{
	struct filch_token token, other;
	struct note notes[4] = {
		{ .name = 'a' }, { .name = 'b' }, { .name = 'c' }, { .name = 'd' }
	};

	filch_token_init(&token);
	filch_token_init(&other);
	notes[0].victim = &notes[0];
	notes[0].token = &token;
	notes[1].victim = &notes[2];
	notes[1].token = &other;
	for (int i = 0; i < 3; i++)
		filch_token_add_callback(&token, &notes[i].callback, write_down, &notes[i]);
	filch_token_add_callback(&other, &notes[3].callback, write_down, &notes[3]);
	filch_token_cancel(&token, 0);
	cr_assert_str_eq(journal, "abd");
	cr_assert(!notes[0].prevented);
	cr_assert(notes[1].prevented);
	filch_token_fini(&token);
	filch_token_fini(&other);
}

struct slow {
	struct filch_token token;
	struct filch_token_callback callback;
	int begun, ended;
};

static void run_slowly(void *arg)
{
	struct slow *slow = arg;

	flag_add(&slow->begun);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	flag_add(&slow->ended);
}

static void *cancel_slow(void *arg)
{
	filch_token_cancel(&((struct slow *)arg)->token, 0);
	return NULL;
}

Test(token, removing_a_running_callback_waits_for_its_end)
{
	struct slow slow = { .begun = 0 };
	pthread_t thread;

	filch_token_init(&slow.token);
	filch_token_add_callback(&slow.token, &slow.callback, run_slowly, &slow);
	pthread_create(&thread, NULL, cancel_slow, &slow);
	flag_await(&slow.begun, 1);
	cr_assert(!filch_token_remove_callback(&slow.callback));
	cr_assert_eq(flag_get(&slow.ended), 1);
	pthread_join(thread, NULL);
	filch_token_fini(&slow.token);
}

static void *add_to_cancelled(void *arg)
{
	struct slow *slow = arg;

	filch_token_add_callback(&slow->token, &slow->callback, run_slowly, slow);
	return NULL;
}

Test(token, so_does_removing_one_that_was_added_too_late)
{
	struct slow slow = { .begun = 0 };
	pthread_t thread;

	filch_token_init(&slow.token);
	filch_token_cancel(&slow.token, 0);
	pthread_create(&thread, NULL, add_to_cancelled, &slow);
	flag_await(&slow.begun, 1);
	cr_assert(!filch_token_remove_callback(&slow.callback));
	cr_assert_eq(flag_get(&slow.ended), 1);
	pthread_join(thread, NULL);
	filch_token_fini(&slow.token);
}

Test(token, one_that_has_callbacks_is_not_given_up)
{
	struct filch_token token;
	struct note note = { .name = 'a' };

	filch_token_init(&token);
	filch_token_add_callback(&token, &note.callback, write_down, &note);
	cr_assert_eq(filch_token_fini(&token), -EBUSY);
	cr_assert(filch_token_remove_callback(&note.callback));
	cr_assert_eq(filch_token_fini(&token), 0);
	memset(&token, 0xff, sizeof(token));
	cr_assert(!filch_token_remove_callback(&note.callback)); /* looks at the token no more */
}
