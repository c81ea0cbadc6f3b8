/* Tokens: the tree, reasons, callbacks, cancels from many threads. */
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
	void *arg;
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

/* ---- Many threads: CN21 ---- */

#define PAIRS 200
static struct filch_token pair[PAIRS][2];
static struct filch_token_callback cross[PAIRS][2];
static int crossed[PAIRS][2];

static void cancel_other(void *arg)
{
	size_t at = (size_t)((int *)arg - &crossed[0][0]);

	flag_add(arg);
	filch_token_cancel(&pair[at / 2][1 - at % 2], 0);
}

static void *cancel_my_half(void *arg)
{
	size_t half = *(size_t *)arg;

	for (size_t i = 0; i < PAIRS; i++)
		filch_token_cancel(&pair[half ? PAIRS - 1 - i : i][half], 0);
	return NULL;
}

Test(token, cancels_that_cancel_each_other_do_not_lock_up)
{
	static size_t halves[2] = { 0, 1 };
	pthread_t threads[2];

	for (size_t i = 0; i < PAIRS; i++)
		for (size_t j = 0; j < 2; j++) {
			filch_token_init(&pair[i][j]);
			filch_token_add_callback(&pair[i][j], &cross[i][j], cancel_other,
						 &crossed[i][j]);
		}
	for (int j = 0; j < 2; j++)
		pthread_create(&threads[j], NULL, cancel_my_half, &halves[j]);
	for (int j = 0; j < 2; j++)
		pthread_join(threads[j], NULL);
	for (size_t i = 0; i < PAIRS; i++)
		for (size_t j = 0; j < 2; j++) {
			cr_assert_eq(crossed[i][j], 1);
			filch_token_fini(&pair[i][j]);
		}
}

static struct filch_token roots[2];
static int firsts;

static void *cancel_and_build(void *arg)
{
	for (int round = 0; round < 500; round++) {
		struct filch_token child, grandchild;

		filch_token_init_below(&child, &roots[round & 1], 0);
		filch_token_init_below(&grandchild, &child, 0);
		if (round == 250 && filch_token_cancel(arg, 0))
			flag_add(&firsts);
		filch_token_fini(&child);
		cr_expect(round <= 250 || &roots[round & 1] != arg ||
			  filch_token_is_cancelled(&grandchild));
		filch_token_fini(&grandchild);
	}
	return NULL;
}

Test(token, trees_grow_and_shrink_while_other_threads_cancel_them)
{
	pthread_t threads[4];

	for (int i = 0; i < 2; i++)
		filch_token_init(&roots[i]);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, cancel_and_build, &roots[i & 1]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(firsts, 2);
	for (int i = 0; i < 2; i++)
		filch_token_fini(&roots[i]);
}

/* CN12, CN13: a token that leaves while a cancel passes through does not hide what is below it. */
#define WIDE 200
struct passing {
	struct filch_token top, middle, leaf, beside[WIDE];
	int begun;
};

static void begin(void *arg)
{
	flag_add(arg);
}

static void *cancel_top(void *arg)
{
	struct passing *passing = arg;

	flag_add(&passing->begun);
	while (flag_get(&passing->begun) < 2)
		;
	filch_token_cancel(&passing->top, -EINTR);
	return NULL;
}

/* Returns whether the cancel was under way. */
static bool drop_link_meanwhile(struct passing *passing, int delay)
{
	pthread_t thread;
	bool passing_by;

	filch_token_init(&passing->top);
	for (int i = 0; i < WIDE; i++)
		filch_token_init_below(&passing->beside[i], &passing->top, 0);
	/* The newest is come to last. */
	filch_token_init_below(&passing->middle, &passing->top, 0);
	filch_token_init_below(&passing->leaf, &passing->middle, 0);
	passing->begun = 0;
	pthread_create(&thread, NULL, cancel_top, passing);
	flag_await(&passing->begun, 1);
	flag_add(&passing->begun);
	for (int i = 0; i < delay && !filch_token_reason(&passing->middle); i++)
		;
	passing_by = filch_token_is_cancelled(&passing->middle);
	filch_token_fini(&passing->middle);
	pthread_join(thread, NULL);
	cr_assert_eq(filch_token_reason(&passing->leaf), -EINTR);
	filch_token_fini(&passing->leaf);
	for (int i = 0; i < WIDE; i++)
		filch_token_fini(&passing->beside[i]);
	filch_token_fini(&passing->top);
	return passing_by;
}

Test(token, a_cancel_is_not_lost_on_a_link_that_is_dropped_meanwhile)
{
	static struct passing passing;
	int met = 0;

	for (int round = 0; round < 300; round++)
		met += drop_link_meanwhile(&passing, round % 3 ? 1000000 : round);
	cr_assert_gt(met, 0);
}

/* CN21: who is woken or told does not wait for somebody else's callback. */
static void await_flag(void *arg)
{
	flag_await(arg, 1);
}

static void *sleep_in_scope(void *arg)
{
	struct note *note = arg;

	filch_scope_enter(note->token);
	cr_expect_eq(filch_sleep(FILCH_NEVER), -ECANCELED);
	filch_scope_leave(note->token);
	begin(note->arg);
	return NULL;
}

Test(token, nobodys_callback_keeps_others_from_being_woken)
{
	struct filch_token top, children[3];
	struct filch_token_callback callbacks[2];
	int woken = 0;
	struct note note = { .token = &children[1], .arg = &woken };
	pthread_t thread;

	filch_token_init(&top);
	for (int i = 0; i < 3; i++)
		filch_token_init_below(&children[i], &top, 0);
	filch_token_add_callback(&children[0], &callbacks[0], await_flag, &woken);
	filch_token_add_callback(&children[2], &callbacks[1], await_flag, &woken);
	pthread_create(&thread, NULL, sleep_in_scope, &note);
	filch_token_cancel(&top, 0); /* would never return */
	pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		filch_token_fini(&children[i]);
	filch_token_fini(&top);
}
