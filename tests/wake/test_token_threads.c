/* Tokens under many threads: cancels that meet each other, and trees that change meanwhile. */
#include "platform/sanitizer.h"
#include "task/play.h"

#include <pthread.h>
#include <stdlib.h>

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

Test(token_threads, cancels_that_cancel_each_other_do_not_lock_up)
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

Test(token_threads, trees_grow_and_shrink_while_other_threads_cancel_them)
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

Test(token_threads, a_cancel_is_not_lost_on_a_link_that_is_dropped_meanwhile)
{
	static struct passing passing;
	int met = 0;

	/* A busy machine may need more to meet once. */
	for (int round = 0; round < 100 || met == 0; round++)
		met += drop_link_meanwhile(&passing, round % 3 ? 1000000 : round);
}

/* CN21: who is woken or told does not wait for somebody else's callback. */
static void await_flag(void *arg)
{
	flag_await(arg, 1);
}

struct sleeper {
	struct filch_token *token;
	int *woken;
};

static void *sleep_in_scope(void *arg)
{
	struct sleeper *sleeper = arg;

	filch_scope_enter(sleeper->token);
	cr_expect_eq(filch_sleep(FILCH_NEVER), -ECANCELED);
	filch_scope_leave(sleeper->token);
	flag_add(sleeper->woken);
	return NULL;
}

Test(token_threads, nobodys_callback_keeps_others_from_being_woken)
{
	struct filch_token top, children[3];
	struct filch_token_callback callbacks[2];
	int woken = 0;
	struct sleeper sleeper = { &children[1], &woken };
	pthread_t thread;

	filch_token_init(&top);
	for (int i = 0; i < 3; i++)
		filch_token_init_below(&children[i], &top, 0);
	filch_token_add_callback(&children[0], &callbacks[0], await_flag, &woken);
	filch_token_add_callback(&children[2], &callbacks[1], await_flag, &woken);
	pthread_create(&thread, NULL, sleep_in_scope, &sleeper);
	filch_token_cancel(&top, 0); /* would never return */
	pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		filch_token_fini(&children[i]);
	filch_token_fini(&top);
}

/* ---- Thousands: CN21 ---- */

#define THREADS 8
struct crowd {
	struct filch_token root, *tokens;
	struct filch_token_callback *callbacks;
	int per_thread, told, firsts, numbers, stuck, release;
};

static void count_told(void *arg)
{
	flag_add(&((struct crowd *)arg)->told);
}

/* Each begins with its own and goes on with everybody's. */
static void *cancel_the_crowd(void *arg)
{
	struct crowd *crowd = arg;
	int count = THREADS * crowd->per_thread;
	int own = __atomic_fetch_add(&crowd->numbers, 1, __ATOMIC_RELAXED) * crowd->per_thread;

	for (int i = 0; i < count; i++)
		if (filch_token_cancel(&crowd->tokens[(own + i) % count], 0))
			flag_add(&crowd->firsts);
	return NULL;
}

static void *cancel_root(void *arg)
{
	filch_token_cancel(&((struct crowd *)arg)->root, 0);
	return NULL;
}

static void get_stuck(void *arg)
{
	struct crowd *crowd = arg;

	flag_add(&crowd->stuck);
	flag_await(&crowd->release, 1);
}

static void gather(struct crowd *crowd, int arity)
{
	int count = THREADS * crowd->per_thread;

	crowd->tokens = calloc((size_t)count, sizeof(*crowd->tokens));
	crowd->callbacks = calloc((size_t)count, sizeof(*crowd->callbacks));
	filch_token_init(&crowd->root);
	for (int i = 0; i < count; i++) {
		filch_token_init_below(&crowd->tokens[i],
				       arity && i ? &crowd->tokens[(i - 1) / arity] : &crowd->root,
				       0);
		filch_token_add_callback(&crowd->tokens[i], &crowd->callbacks[i], count_told,
					 crowd);
	}
}

static void scatter(struct crowd *crowd)
{
	int count = THREADS * crowd->per_thread;

	cr_assert_eq(crowd->told, count); /* each once */
	for (int i = count; i-- > 0;) {
		cr_assert(filch_token_is_cancelled(&crowd->tokens[i]));
		filch_token_fini(&crowd->tokens[i]);
	}
	filch_token_fini(&crowd->root);
	free(crowd->callbacks);
	free(crowd->tokens);
}

static void cancel_from_all_sides(int arity)
{
	struct crowd crowd = { .per_thread = sanitize_is_thread() ? 200 : 1000 };
	pthread_t threads[THREADS];

	gather(&crowd, arity);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, cancel_the_crowd, &crowd);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (!arity)
		cr_assert_eq(crowd.firsts, THREADS * crowd.per_thread);
	scatter(&crowd);
}

Test(token_threads, thousands_are_cancelled_once_each_from_all_sides)
{
	cancel_from_all_sides(0); /* side by side */
	cancel_from_all_sides(1); /* a chain: every cancel goes down through what others cancel */
	cancel_from_all_sides(3);
}

Test(token_threads, a_canceller_that_is_stuck_in_a_callback_holds_up_nobody)
{
	struct crowd crowd = { .per_thread = 500 };
	struct filch_token first;
	struct filch_token_callback callback;
	pthread_t canceller, threads[THREADS];

	gather(&crowd, 3);
	filch_token_init_below(&first, &crowd.root, 0);
	filch_token_add_callback(&crowd.root, &callback, get_stuck, &crowd);
	pthread_create(&canceller, NULL, cancel_root, &crowd);
	flag_await(&crowd.stuck, 1);
	/* It has told all already; what is made meanwhile is born cancelled. */
	for (int i = 0; i < THREADS * crowd.per_thread; i++)
		cr_assert(filch_token_is_cancelled(&crowd.tokens[i]));
	cr_assert_eq(filch_token_fini(&first), 0);
	filch_token_init_below(&first, &crowd.root, 0);
	cr_assert(filch_token_is_cancelled(&first));
	filch_token_fini(&first);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, cancel_the_crowd, &crowd);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(crowd.firsts, 0);
	flag_add(&crowd.release);
	pthread_join(canceller, NULL);
	scatter(&crowd);
}
