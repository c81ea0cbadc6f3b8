/* The pool of stacks, one thread. */
#include "memory/stack.h"

#include "platform/fault.h"
#include "platform/pages.h"
#include "platform/sanitizer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL FILCH_STACK_SMALL
#define LARGE FILCH_STACK_LARGE

static struct stack_pool pool;
static struct stack_cache cache;

static void begin(void)
{
	struct stack_options options = { .guard = FILCH_GUARD_AUTO };

	cr_assert_eq(filch__stack_pool_init(&pool, &options), 0);
	filch__stack_cache_init(&cache);
}

static void begin_with(struct stack_options options)
{
	cr_assert_eq(filch__stack_pool_init(&pool, &options), 0);
	filch__stack_cache_init(&cache);
}

static void end(void)
{
	cr_expect(filch__stack_pool_is_valid(&pool));
	filch__stack_pool_fini(&pool);
}

static bool write_kills(volatile char *at)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		close(STDERR_FILENO);
		*at = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

Test(stack, last_put_is_first_got, .init = begin, .fini = end)
{
	struct stack *a = filch__stack_get(&pool, &cache, SMALL);
	struct stack *b = filch__stack_get(&pool, &cache, SMALL);

	cr_assert(a && b && a != b);
	filch__stack_put(&pool, &cache, a);
	filch__stack_put(&pool, &cache, b);
	cr_assert_eq(filch__stack_get(&pool, &cache, SMALL), b);
	cr_assert_eq(filch__stack_get(&pool, &cache, SMALL), a);
}

Test(stack, all_of_it_can_be_written, .init = begin, .fini = end)
{
	struct stack *small = filch__stack_get(&pool, &cache, SMALL);
	struct stack *large = filch__stack_get(&pool, &cache, LARGE);

	cr_assert(small->size > 50000 && small->size <= 65536);
	cr_assert(large->size > 1000000 && large->size <= 1048576);
	cr_assert_eq(large->stack_class, LARGE);
	memset(small->lo, 1, small->size);
	memset(large->lo, 1, large->size);
	cr_assert(filch__stack_intact(small));
	cr_assert(filch__stack_intact(large));
}

struct wide {
	struct stack stack;
	char rest[100];
};

Test(stack, descriptors_are_zeroed_and_stay, .fini = end)
{
	struct wide *first, *again;

	begin_with((struct stack_options){ .descriptor_size = sizeof(struct wide) });
	first = (struct wide *)(void *)filch__stack_get(&pool, &cache, SMALL);
	for (size_t i = 0; i < sizeof(first->rest); i++)
		cr_assert_eq(first->rest[i], 0);
	memset(first->rest, 7, sizeof(first->rest));
	filch__stack_put(&pool, NULL, &first->stack);
	again = (struct wide *)(void *)filch__stack_get(&pool, NULL, SMALL);
	cr_assert_eq(again, first);
	cr_assert_eq(again->rest[99], 7);
}

Test(stack, wrong_options_are_refused)
{
	struct stack_options tiny = { .small_size = 4096 };
	struct stack_options narrow = { .descriptor_size = 8 };
	struct stack_options unknown = { .guard = (enum filch_guard)9 };
	struct stack_options forced = { .guard = FILCH_GUARD_INSTALL };

	cr_assert_eq(filch__stack_pool_init(&pool, &tiny), -EINVAL);
	filch__stack_pool_fini(&pool);
	cr_assert_eq(filch__stack_pool_init(&pool, &narrow), -EINVAL);
	cr_assert_eq(filch__stack_pool_init(&pool, &unknown), -EINVAL);
	filch__fault_set(FILCH__FAULT_GUARD, 1, UINT32_MAX);
	cr_assert_eq(filch__stack_pool_init(&pool, &forced), -EINVAL);
	filch__fault_clear();
	filch__stack_pool_fini(&pool);
	filch__stack_pool_fini(NULL);
}

Test(stack, cap_gives_null_until_one_is_put, .fini = end)
{
	struct stack *three[3];

	begin_with((struct stack_options){ .max_stacks = 3 });
	for (int i = 0; i < 3; i++)
		cr_assert_not_null(three[i] = filch__stack_get(&pool, &cache, SMALL));
	cr_assert_null(filch__stack_get(&pool, &cache, SMALL));
	/* Small stacks that idle would otherwise keep a large one from being cut for ever. */
	cr_assert_not_null(filch__stack_get(&pool, NULL, LARGE));
	filch__stack_put(&pool, &cache, three[1]);
	cr_assert_eq(filch__stack_get(&pool, &cache, SMALL), three[1]);
}

Test(stack, low_cap_leaves_nothing_stranded_in_another_cache, .fini = end)
{
	struct stack_cache other = { .idle = { 0 } };
	struct stack *taken[8];

	begin_with((struct stack_options){ .max_stacks = 8 });
	for (int i = 0; i < 8; i++)
		cr_assert_not_null(taken[i] = filch__stack_get(&pool, &cache, SMALL));
	for (int i = 0; i < 8; i++)
		filch__stack_put(&pool, &cache, taken[i]);
	for (int i = 0; i < 6; i++)
		cr_assert_not_null(filch__stack_get(&pool, &other, SMALL));
	filch__stack_cache_flush(&pool, &cache);
	cr_assert_eq(stack_cache_idle(&cache), 0u);
	cr_assert_not_null(filch__stack_get(&pool, &other, SMALL));
}

Test(stack, refused_slab_is_tried_smaller, .init = begin, .fini = end)
{
	struct stack_stats stats;

	filch__fault_set(FILCH__FAULT_MAP, 1, 3);
	cr_assert_not_null(filch__stack_get(&pool, &cache, SMALL));
	filch__fault_clear();
	filch__stack_pool_stats(&pool, &stats);
	cr_assert_leq(stats.mapped, (uint64_t)2 << 20); /* halved three times */
	cr_assert_gt(stats.mapped, (uint64_t)1 << 20);
}

Test(stack, no_memory_is_null_and_passes, .init = begin, .fini = end)
{
	struct stack_stats stats;

	filch__fault_set(FILCH__FAULT_MAP, 1, UINT32_MAX);
	cr_assert_null(filch__stack_get(&pool, &cache, SMALL));
	filch__fault_clear();
	filch__fault_set(FILCH__FAULT_ALLOCATE, 1, UINT32_MAX);
	cr_assert_null(filch__stack_get(&pool, NULL, LARGE));
	filch__fault_clear();
	filch__stack_pool_stats(&pool, &stats);
	cr_assert_eq(stats.mapped, 0u);
	cr_assert_eq(stats.live, 0u);
	cr_assert_not_null(filch__stack_get(&pool, &cache, SMALL));
}

Test(stack, protected_guard_kills, .fini = end)
{
	struct stack *stack;

	begin_with((struct stack_options){ .guard = FILCH_GUARD_PROTECT });
	stack = filch__stack_get(&pool, &cache, SMALL);
	cr_assert_eq(stack->guard, FILCH_GUARD_PROTECT);
	cr_assert(write_kills(stack->lo - 1));
	cr_assert(!write_kills(stack->lo));
}

Test(stack, installed_guard_kills_and_survives_trimming, .fini = end)
{
	struct stack *stack;

	if (!filch__pages_can_guard())
		cr_skip_test("no MADV_GUARD_INSTALL");
	begin_with((struct stack_options){ .guard = FILCH_GUARD_INSTALL, .high_water = 1 });
	stack = filch__stack_get(&pool, NULL, SMALL);
	cr_assert_eq(stack->guard, FILCH_GUARD_INSTALL);
	filch__stack_put(&pool, NULL, stack);
	cr_assert(write_kills(stack->lo - 1));
	cr_assert(!write_kills(stack->lo));
}

Test(stack, canary_tells, .fini = end)
{
	struct stack *stack;
	char *last;

	begin_with((struct stack_options){ .guard = FILCH_GUARD_CANARY });
	stack = filch__stack_get(&pool, &cache, SMALL);
	last = stack->lo - 20;
	cr_assert_eq(stack->guard, FILCH_GUARD_CANARY);
	memset(stack->lo, 0xff, stack->size);
	cr_assert(filch__stack_intact(stack));
	*last = (char)(*last + 1);
	cr_assert(!filch__stack_intact(stack));
}

Test(stack, guards_step_down_and_never_fail, .fini = end)
{
	struct stack_stats stats;
	struct stack *stack;

	filch__fault_set(FILCH__FAULT_GUARD, 1, UINT32_MAX);
	begin_with((struct stack_options){ .guard = FILCH_GUARD_AUTO, .max_stacks = 64 });
	filch__fault_set(FILCH__FAULT_PROTECT, 2, UINT32_MAX);
	stack = filch__stack_get(&pool, &cache, SMALL);
	cr_assert_eq(stack->guard, FILCH_GUARD_PROTECT);
	stack = filch__stack_get(&pool, &cache, SMALL);
	cr_assert_eq(stack->guard, FILCH_GUARD_CANARY);
	cr_assert(filch__stack_intact(stack));
	filch__fault_clear();
	stack = filch__stack_get(&pool, &cache, SMALL);
	cr_assert_eq(stack->guard, FILCH_GUARD_CANARY);
	filch__stack_pool_stats(&pool, &stats);
	cr_assert_eq(stats.guard, FILCH_GUARD_CANARY);
}

Test(stack, beyond_the_map_limit_canaries_guard, .fini = end)
{
	size_t most = filch__pages_map_limit() / 4 + 100;
	struct stack_stats stats;

	if (most > 50000 || sanitize_is_thread() || sanitize_is_valgrind())
		cr_skip_test("too many stacks for this build");
	begin_with((struct stack_options){ .guard = FILCH_GUARD_PROTECT });
	for (size_t i = 0; i < most; i++)
		cr_assert_not_null(filch__stack_get(&pool, &cache, SMALL));
	filch__stack_pool_stats(&pool, &stats);
	cr_assert_eq(stats.guard, FILCH_GUARD_CANARY);
}

Test(stack, deep_pages_go_back_with_the_depot, .init = begin, .fini = end)
{
	struct stack *stack = filch__stack_get(&pool, NULL, SMALL);
	char *deep = stack->lo + 4096;
	char *top = stack->lo + stack->size - 1;

	memset(stack->lo, 1, stack->size);
	filch__stack_put(&pool, NULL, stack);
	cr_assert_eq(filch__stack_get(&pool, NULL, SMALL), stack);
	cr_assert_eq(*deep, 0);
	cr_assert_eq(*top, 1);
	/* Again: the mark is renewed. */
	memset(stack->lo, 1, stack->size);
	filch__stack_put(&pool, NULL, stack);
	cr_assert_eq(*deep, 0);
}

Test(stack, shallow_use_costs_nothing, .init = begin, .fini = end)
{
	struct stack *stack = filch__stack_get(&pool, NULL, SMALL);
	char *deep = stack->lo + 4096;

	*deep = 1; /* not seen: nothing was written where the top page ends */
	filch__stack_put(&pool, NULL, stack);
	cr_assert_eq(filch__stack_get(&pool, NULL, SMALL), stack);
	cr_assert_eq(*deep, 1);
}

Test(stack, above_the_high_water_all_pages_go, .fini = end)
{
	struct stack *a, *b;
	char *top;

	begin_with((struct stack_options){ .guard = FILCH_GUARD_CANARY, .high_water = 1 });
	a = filch__stack_get(&pool, NULL, SMALL);
	b = filch__stack_get(&pool, NULL, SMALL);
	top = b->lo + b->size - 1;
	*top = 1;
	filch__stack_put(&pool, NULL, a);
	filch__stack_put(&pool, NULL, b);
	cr_assert_eq(*top, 1);
	cr_assert(filch__stack_pool_trim(&pool));
	cr_assert(!filch__stack_pool_trim(&pool));
	cr_assert_eq(*top, 0);
	cr_assert(b->is_cold);
	cr_assert_eq(filch__stack_get(&pool, NULL, SMALL), a); /* warm ones first */
	cr_assert_eq(filch__stack_get(&pool, NULL, SMALL), b);
	cr_assert(!b->is_cold);
	cr_assert(filch__stack_intact(b));
}

static int births, deaths;

static void count_birth(struct stack *stack)
{
	births += stack->size > 0;
}

static void count_death(struct stack *stack)
{
	deaths += stack->size > 0;
}

Test(stack, every_birth_has_its_death)
{
	begin_with((struct stack_options){ .born = count_birth, .dies = count_death });
	for (int i = 0; i < 20; i++)
		filch__stack_get(&pool, &cache, i % 4 ? SMALL : LARGE);
	cr_assert(births >= 20);
	cr_assert_eq(deaths, 0);
	filch__stack_pool_fini(&pool);
	cr_assert_eq(deaths, births);
}

Test(stack, addresses_are_found, .init = begin, .fini = end)
{
	struct stack *first = filch__stack_get(&pool, NULL, SMALL);
	struct stack *second = filch__stack_get(&pool, NULL, SMALL);
	struct stack *large = filch__stack_get(&pool, NULL, LARGE);
	bool in_guard = true;
	int local;

	cr_assert_eq(filch__stack_find(&pool, second->lo, &in_guard), second);
	cr_assert(!in_guard);
	cr_assert_eq(filch__stack_find(&pool, first->lo + first->size - 1, &in_guard), first);
	cr_assert_eq(filch__stack_find(&pool, second->lo - 1, &in_guard), second);
	cr_assert(in_guard);
	cr_assert_eq(filch__stack_find(&pool, large->lo + 500000, &in_guard), large);
	cr_assert_null(filch__stack_find(&pool, &local, &in_guard));
	cr_assert_null(filch__stack_find(&pool, NULL, &in_guard));
	/* Mapped, but not cut yet. */
	cr_assert_null(filch__stack_find(&pool, second->lo + 200000, &in_guard));
}

Test(stack, statistics_follow, .init = begin, .fini = end)
{
	struct stack_stats stats;
	struct stack *taken[100];

	for (int i = 0; i < 100; i++)
		taken[i] = filch__stack_get(&pool, &cache, SMALL);
	filch__stack_pool_stats(&pool, &stats);
	cr_assert_eq(stats.live - stack_cache_idle(&cache), 100u);
	cr_assert(stats.peak >= 100 && stats.peak < 110);
	for (int i = 0; i < 100; i++)
		filch__stack_put(&pool, &cache, taken[i]);
	filch__stack_pool_stats(&pool, &stats);
	cr_assert_eq(stats.live, stack_cache_idle(&cache));
	cr_assert(stack_cache_idle(&cache) <= 64);
	cr_assert(stats.peak >= 100);
	cr_assert(stats.mapped >= (uint64_t)100 << 16);
}
