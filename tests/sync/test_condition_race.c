/* The condition under load: cancels and timeouts at any time, threads, rounds, frees. */
#include "sync/crew.h"

#include <filch/condition.h>

/* ---- Items between producers and consumers, who are cancelled (CD8, CD9, CD10, G3) ---- */

struct store {
	struct filch_lock lock;
	struct filch_condition filled;
	int items;	    /* under the lock */
	int inside;	    /* who believes to hold it */
	int taken, refused; /* under the lock */
	bool closed;
};

static void inside(struct store *store)
{
	cr_expect_eq(__atomic_fetch_add(&store->inside, 1, __ATOMIC_RELAXED), 0);
	__atomic_fetch_sub(&store->inside, 1, __ATOMIC_RELAXED);
}

/* One item is notified to one waiter. Who is notified takes it, whatever else happened to it. */
static int consume_once(struct store *store, filch_time deadline)
{
	int status = filch_lock_acquire(&store->lock);

	if (status < 0)
		return status;
	while (store->items == 0 && !store->closed && status == 0) {
		status = filch_condition_wait_until(&store->filled, &store->lock, deadline);
		inside(store);
	}
	if (status == 0 && store->items > 0) {
		store->items--;
		store->taken++;
	} else if (status == 0) {
		status = -EPIPE;
	} else {
		store->refused++;
	}
	cr_expect_eq(filch_lock_release(&store->lock), 0);
	return status;
}

static int consume(void *arg)
{
	struct store *store = arg;
	unsigned state = (unsigned)(uintptr_t)&state | 1;
	int status;

	do {
		struct filch_token token;

		filch_token_init(&token);
		if (chance(&state, 2))
			filch_token_set_deadline(&token, filch_now() + chance(&state, 300) * 1000);
		filch_scope_enter(&token);
		status = consume_once(store, chance(&state, 2)
						     ? FILCH_NEVER
						     : filch_now() + chance(&state, 300) * 1000);
		filch_scope_leave(&token);
		filch_token_fini(&token);
		cr_expect(status == 0 || status == -ECANCELED || status == -ETIMEDOUT ||
				  status == -EPIPE,
			  "status %d", status);
	} while (status != -EPIPE);
	return 0;
}

static void *consume_in_thread(void *arg)
{
	consume(arg);
	return NULL;
}

/* Puts items one by one; a consumer that would be missed leaves one behind that nobody takes. */
static int produce(struct store *store, int count)
{
	unsigned state = (unsigned)(uintptr_t)&state | 1;

	for (int i = 0; i < count; i++) {
		if (chance(&state, 4) == 0)
			filch_sleep(chance(&state, 200) * 1000);
		cr_expect_eq(filch_lock_acquire(&store->lock), 0);
		store->items++;
		if (store->filled.flags == 0)
			cr_expect_eq(filch_condition_notify(&store->filled, 1), 0);
		cr_expect_eq(filch_lock_release(&store->lock), 0);
		if (store->filled.flags != 0)
			cr_expect_eq(filch_condition_notify(&store->filled, 1), 0);
	}
	return 0;
}

static unsigned flags_now;

static int trade(void *arg)
{
	struct store store = { .items = 0 };
	struct filch_group group;
	pthread_t threads[2];

	(void)arg;
	filch_condition_init(&store.filled, flags_now);
	filch_group_open(&group, NULL);
	for (int i = 0; i < 4; i++)
		filch_group_spawn(&group, consume, &store);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, consume_in_thread, &store);
	produce(&store, 1000);
	cr_expect_eq(filch_lock_acquire(&store.lock), 0);
	store.closed = true;
	cr_expect_eq(filch_condition_notify_all(&store.filled), 0);
	cr_expect_eq(filch_lock_release(&store.lock), 0);
	cr_expect_eq(filch_group_close(&group), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(store.taken + store.items, 1000);
	cr_expect_eq(store.items, 0);
	cr_expect_eq(filch_condition_fini(&store.filled), 0);
	cr_expect_eq(filch_lock_fini(&store.lock), 0);
	return 0;
}

Test(condition_race, no_notify_is_lost_to_who_is_cancelled_or_too_late, .timeout = 60)
{
	play(trade);
	flags_now = FILCH_CONDITION_NOTIFY_UNLOCKED;
	play(trade);
}

/* ---- Rounds (CD17, CD18) ---- */

struct rounds {
	struct filch_lock lock;
	struct filch_condition next, arrived;
	int round, here, rounds, crowd;
	int order[100];
	int count;
};

static int wake_each_round(void *arg)
{
	struct rounds *rounds = arg;

	cr_expect_eq(filch_lock_acquire(&rounds->lock), 0);
	for (int i = 0; i < rounds->rounds; i++) {
		if (++rounds->here == rounds->crowd)
			cr_expect_eq(filch_condition_notify_all(&rounds->arrived), 0);
		cr_expect_eq(filch_condition_wait(&rounds->next, &rounds->lock), 0);
		cr_expect_eq(rounds->round, i + 1); /* once in each */
	}
	return filch_lock_release(&rounds->lock);
}

static int broadcast(void *arg)
{
	struct rounds rounds = { .rounds = 10, .crowd = 200 };
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < rounds.crowd; i++)
		filch_group_spawn(&group, wake_each_round, &rounds);
	cr_expect_eq(filch_lock_acquire(&rounds.lock), 0);
	while (rounds.round < rounds.rounds) {
		while (rounds.here < rounds.crowd)
			cr_expect_eq(filch_condition_wait(&rounds.arrived, &rounds.lock), 0);
		rounds.here = 0;
		rounds.round++;
		cr_expect_eq(filch_condition_notify_all(&rounds.next), 0);
	}
	cr_expect_eq(filch_lock_release(&rounds.lock), 0);
	return filch_group_close(&group);
}

Test(condition_race, a_broadcast_wakes_each_once_per_round, .timeout = 60)
{
	play(broadcast);
}

static int note_turn(void *arg)
{
	struct rounds *rounds = arg;
	int mine;

	cr_expect_eq(filch_lock_acquire(&rounds->lock), 0);
	mine = rounds->here++;
	cr_expect_eq(filch_condition_wait(&rounds->next, &rounds->lock), 0);
	rounds->order[rounds->count++] = mine;
	cr_expect_eq(filch_condition_notify(&rounds->arrived, 1), 0);
	return filch_lock_release(&rounds->lock);
}

static int generations(void *arg)
{
	struct rounds rounds = { .round = 0 };
	struct filch_condition_statistics at;
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 100; i++)
		filch_group_spawn(&group, note_turn, &rounds);
	do {
		filch_yield();
		filch_condition_get_statistics(&rounds.next, &at);
	} while (at.waiting < 100);
	for (int i = 0; i < 100; i++) {
		cr_expect_eq(filch_lock_acquire(&rounds.lock), 0);
		cr_expect_eq(filch_condition_notify(&rounds.next, 1), 0);
		while (rounds.count <= i)
			cr_expect_eq(filch_condition_wait(&rounds.arrived, &rounds.lock), 0);
		cr_expect_eq(filch_lock_release(&rounds.lock), 0);
	}
	cr_expect_eq(filch_group_close(&group), 0);
	for (int i = 0; i < 100; i++)
		cr_expect_eq(rounds.order[i], i);
	return 0;
}

Test(condition_race, a_hundred_wake_in_the_order_they_came, .timeout = 60)
{
	play(generations);
}

/* ---- Freed as soon as the last one was woken (G12) ---- */

struct gift {
	struct filch_lock lock;
	struct filch_condition condition;
	bool given;
};

static int wait_and_free(void *arg)
{
	struct gift *gift = arg;

	cr_expect_eq(filch_lock_acquire(&gift->lock), 0);
	while (!gift->given)
		cr_expect_eq(filch_condition_wait(&gift->condition, &gift->lock), 0);
	cr_expect_eq(filch_lock_release(&gift->lock), 0);
	cr_expect_eq(filch_condition_fini(&gift->condition), 0);
	cr_expect_eq(filch_lock_fini(&gift->lock), 0);
	free(gift);
	return 0;
}

static void *wait_and_free_in_thread(void *arg)
{
	wait_and_free(arg);
	return NULL;
}

/* The last touch is the release, or the notify: both orders. */
static void give(struct gift *gift, bool unlocked)
{
	struct filch_condition_statistics at;

	do {
		filch_yield();
		filch_condition_get_statistics(&gift->condition, &at);
	} while (at.waiting == 0);
	cr_expect_eq(filch_lock_acquire(&gift->lock), 0);
	gift->given = true;
	if (!unlocked)
		cr_expect_eq(filch_condition_notify(&gift->condition, 1), 0);
	cr_expect_eq(filch_lock_release(&gift->lock), 0);
	if (unlocked)
		cr_expect_eq(filch_condition_notify(&gift->condition, 1), 0);
}

static struct gift *wrap(bool unlocked)
{
	struct gift *gift = calloc(1, sizeof(*gift));

	filch_condition_init(&gift->condition, unlocked ? FILCH_CONDITION_NOTIFY_UNLOCKED : 0);
	return gift;
}

static int give_to_all(void *arg)
{
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 300; i++) {
		struct gift *gift = wrap(i & 1);

		filch_group_spawn(&group, wait_and_free, gift);
		give(gift, i & 1);
	}
	for (int i = 0; i < 50; i++) {
		struct gift *gift = wrap(i & 1);
		pthread_t thread;

		pthread_create(&thread, NULL, wait_and_free_in_thread, gift);
		give(gift, i & 1);
		pthread_join(thread, NULL);
	}
	return filch_group_close(&group);
}

Test(condition_race, it_may_be_freed_by_who_was_notified, .timeout = 60)
{
	play(give_to_all);
}
