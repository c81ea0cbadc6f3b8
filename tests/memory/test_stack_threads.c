/* The pool of stacks between threads: batches, and nobody shares a stack. */
#include "memory/stack.h"

#include "platform/thread.h"

#include <criterion/criterion.h>

#define ROUNDS 20000
#define RING 64

static struct stack_pool pool;

/* One thread takes, the other gives back: a ring between them. */
struct ring {
	struct filch_pointer slots[RING];
	struct filch_word32 failures;
};

static void give_back(void *arg)
{
	struct ring *ring = arg;
	struct stack_cache cache;

	filch__stack_cache_init(&cache);
	for (int i = 0; i < ROUNDS; i++) {
		struct stack *stack;

		/* acquire: pairs with the release in the taking thread. */
		while (!(stack = pointer_load_acquire(&ring->slots[i % RING])))
			filch__thread_yield();
		/* release: pairs with the acquire in the taking thread. */
		pointer_store_release(&ring->slots[i % RING], NULL);
		filch__stack_put(&pool, &cache, stack);
	}
	filch__stack_cache_flush(&pool, &cache);
}

Test(stack_threads, stacks_come_back_from_the_other_side, .timeout = 60)
{
	struct stack_options options = { .guard = FILCH_GUARD_CANARY };
	struct ring ring = { .failures = { 0 } };
	struct stack_cache cache;
	struct stack_stats stats;
	struct thread *thread;

	filch__stack_cache_init(&cache);
	cr_assert_eq(filch__stack_pool_init(&pool, &options), 0);
	cr_assert_eq(filch__thread_create(&thread, NULL, give_back, &ring), 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct stack *stack = filch__stack_get(&pool, &cache, FILCH_STACK_SMALL);

		cr_assert_not_null(stack);
		stack->lo[stack->size - 1] = 1;
		/* acquire: pairs with the release in give_back. */
		while (pointer_load_acquire(&ring.slots[i % RING]))
			filch__thread_yield();
		/* release: pairs with the acquire in give_back. */
		pointer_store_release(&ring.slots[i % RING], stack);
	}
	filch__thread_join(thread);
	filch__stack_pool_stats(&pool, &stats);
	cr_assert(stats.peak < 64 + RING + 64 + 16, "no drift: at most what ring and caches hold");
	cr_assert(filch__stack_pool_is_valid(&pool));
	filch__stack_pool_fini(&pool);
}

/* Each taker writes its number where only the holder may write. */
struct marked {
	struct stack stack;
	struct filch_word32 holder;
};

struct player {
	uint32_t number;
	uint32_t clashes;
	bool has_cache;
};

static void play(void *arg)
{
	struct player *player = arg;
	struct stack_cache own;
	struct stack_cache *cache = player->has_cache ? &own : NULL;
	struct marked *held[50] = { NULL };
	uint32_t random = player->number * 7919;

	filch__stack_cache_init(&own);
	for (int i = 0; i < ROUNDS; i++) {
		struct marked **slot;

		random = random * 1103515245 + 12345;
		slot = &held[(random >> 16) % 50];
		if (!*slot) {
			*slot = (struct marked *)(void *)filch__stack_get(
				&pool, cache,
				(random >> 8) % 16 ? FILCH_STACK_SMALL : FILCH_STACK_LARGE);
			/* relaxed: a wrong holder is a clash whenever it is seen. */
			if (*slot && word32_exchange_acq_rel(&(*slot)->holder, player->number) != 0)
				player->clashes++;
		} else {
			/* acq_rel: as strong as the hand-over that is tested. */
			if (word32_exchange_acq_rel(&(*slot)->holder, 0) != player->number)
				player->clashes++;
			filch__stack_put(&pool, cache, &(*slot)->stack);
			*slot = NULL;
		}
	}
	for (int i = 0; i < 50; i++) {
		if (!held[i])
			continue;
		/* relaxed: the put orders. */
		word32_store_relaxed(&held[i]->holder, 0);
		filch__stack_put(&pool, cache, &held[i]->stack);
	}
	filch__stack_cache_flush(&pool, &own);
}

static void play_all(size_t max_stacks)
{
	struct stack_options options = { .descriptor_size = sizeof(struct marked),
					 .guard = FILCH_GUARD_CANARY,
					 .max_stacks = max_stacks,
					 .high_water = 40 };
	struct player players[4];
	struct thread *threads[4];
	struct stack_stats stats;

	cr_assert_eq(filch__stack_pool_init(&pool, &options), 0);
	for (uint32_t i = 0; i < 4; i++) {
		players[i] = (struct player){ .number = i + 1, .has_cache = i != 3 };
		cr_assert_eq(filch__thread_create(&threads[i], NULL, play, &players[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		filch__thread_join(threads[i]);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(players[i].clashes, 0u);
	filch__stack_pool_stats(&pool, &stats);
	cr_assert_eq(stats.live, 0u);
	cr_assert(filch__stack_pool_is_valid(&pool));
	filch__stack_pool_fini(&pool);
}

Test(stack_threads, nobody_shares_a_stack, .timeout = 120)
{
	play_all(0);
}

Test(stack_threads, nobody_shares_a_stack_at_the_cap, .timeout = 120)
{
	play_all(60);
}
