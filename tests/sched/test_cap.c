/* At the cap on stacks: new tasks wait, at no cost, and none is forgotten. */
#include "sched/permits.h"

#include "base/atomic.h"
#include "platform/sanitizer.h"
#include "sched/worker.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

/*
 * With n workers and 2n+2 stacks: each loop stands on one, each task that parks keeps one. With n+1 of
 * them parked a single stack is left, the spare of one worker; with n+2 none.
 */
struct house {
	struct filch_runtime *runtime;
	struct permits permits;
	struct filch_word32 parked, left, ran;
	unsigned workers;
};

static int park_here(void *arg)
{
	struct house *house = arg;
	int status;

	word32_add_relaxed(&house->parked, 1); /* relaxed: a count */
	status = permits_acquire(&house->permits);
	word32_add_relaxed(&house->left, 1); /* relaxed: a count */
	return status;
}

static int pass_by(void *arg)
{
	word32_add_relaxed(&((struct house *)arg)->ran, 1); /* relaxed: a count */
	return 0;
}

/* Polls: nothing here may be woken by what is tested. False after ten seconds. */
static bool reaches(const struct filch_word32 *word, uint32_t value)
{
	for (int i = 0; i < 100000; i++) {
		if (word32_load_relaxed(word) >= value) /* relaxed: a count */
			return true;
		filch_sleep(100 * FILCH_MICROSECOND);
	}
	return false;
}

static void submit(struct house *house, filch_task_fn *fn, enum filch_stack_class stack_class)
{
	struct filch_task_options options = { .size = sizeof(options), .stack_class = stack_class };

	cr_assert_eq(filch_runtime_submit(house->runtime, &options, fn, house, NULL), 0);
}

static void open_house(struct house *house, unsigned workers, unsigned guests,
		       const struct filch_allocator *allocator)
{
	struct filch_options options = { .size = sizeof(options),
					 .workers = workers,
					 .max_stacks = 2 * workers + 2 };

	if (allocator)
		options.allocator = *allocator;
	*house = (struct house){ .workers = workers };
	cr_assert_eq(filch_runtime_create(&house->runtime, &options), 0);
	for (unsigned i = 0; i < guests; i++) {
		submit(house, park_here, FILCH_STACK_SMALL);
		cr_assert(reaches(&house->parked, i + 1));
	}
}

static void close_house(struct house *house)
{
	cr_assert_eq(filch_runtime_destroy(house->runtime), 0);
}

static filch_time processor_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * FILCH_SECOND + used.tv_nsec;
}

/* What the process computes while we sleep. */
static filch_time cost_of(filch_time span)
{
	filch_time before = processor_time();

	filch_sleep(span);
	return processor_time() - before;
}

static const unsigned counts[] = { 1, 2, 3, 8, 64 };

#define EACH_COUNT(i) for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)

Test(cap, tasks_that_wait_for_a_stack_cost_nothing, .timeout = 60)
{
	EACH_COUNT(i) {
		struct house house;

		open_house(&house, counts[i], counts[i] + 2, NULL);
		for (unsigned k = 0; k < 50; k++)
			submit(&house, pass_by, FILCH_STACK_SMALL);
		filch_sleep(20 * FILCH_MILLISECOND);
		cr_assert_lt(cost_of(200 * FILCH_MILLISECOND), 50 * FILCH_MILLISECOND);
		cr_assert_eq(house.ran.value, 0);
		permits_release(&house.permits);
		cr_assert(reaches(&house.ran, 50));
		close_house(&house);
	}
}

Test(cap, the_one_worker_that_has_a_stack_is_found, .timeout = 60)
{
	unsigned rounds = sanitize_is_thread() ? 100 : 1000;

	EACH_COUNT(i) {
		struct house house;

		open_house(&house, counts[i], counts[i] + 1, NULL);
		for (unsigned k = 0; k < rounds; k++) {
			submit(&house, pass_by, FILCH_STACK_SMALL);
			if (k % 3 == 0)
				cr_assert(reaches(&house.ran, k + 1));
		}
		cr_assert(reaches(&house.ran, rounds));
		close_house(&house);
	}
}

Test(cap, each_stack_that_comes_back_lets_one_more_begin, .timeout = 60)
{
	unsigned rounds = sanitize_is_thread() ? 50 : 300;

	EACH_COUNT(i) {
		struct house house;
		unsigned most = counts[i] + 2;

		open_house(&house, counts[i], most, NULL);
		for (unsigned k = 0; k < rounds; k++)
			submit(&house, park_here, FILCH_STACK_SMALL);
		for (unsigned k = 0; k < rounds; k++) {
			permits_release(&house.permits);
			cr_assert(reaches(&house.left, k + 1));
			cr_assert(reaches(&house.parked, most + k + 1));
		}
		close_house(&house);
	}
}

/* ---- Who searches may be one that cannot start what it finds ---- */

struct hunt {
	struct house house;
	struct filch_word32 over;
	unsigned missed;
};

static int set_flag(void *arg)
{
	/* release: pairs with the acquire in spawn_and_look. */
	word32_store_release((struct filch_word32 *)arg, 1);
	return 0;
}

/* Does not join before another worker has taken the child, or should have. */
static int spawn_and_look(void *arg)
{
	struct hunt *hunt = arg;

	for (unsigned k = 0; k < 100 && hunt->missed < 5; k++) {
		struct filch_word32 taken = { 0 };
		struct filch_group group;
		filch_time end;

		compute(100 * FILCH_MICROSECOND); /* the others fall asleep */
		filch_group_open(&group, NULL);
		filch_group_spawn(&group, set_flag, &taken);
		end = filch_now() + FILCH_SECOND;
		/* acquire: pairs with the release in set_flag. */
		while (!word32_load_acquire(&taken) && filch_now() < end)
			;
		/* relaxed: as above. */
		hunt->missed += !word32_load_relaxed(&taken);
		filch_group_close(&group);
	}
	word32_store_release(&hunt->over, 1); /* release: pairs with the acquire in the test */
	return 0;
}

/* Sets those on the search who sleep without a spare stack. */
static void disturb(struct scheduler *scheduler)
{
	struct idle *idle = &scheduler->idle;
	struct worker *worker = NULL;

	spin_acquire(&idle->lock);
	for (unsigned i = 0; i < idle->depth && !worker; i++) {
		if (!scheduler->workers[idle->sleeping[i]].spare)
			worker = &scheduler->workers[idle->sleeping[i]];
	}
	spin_release(&idle->lock);
	if (worker)
		filch__idle_wake(worker);
}

Test(cap, a_search_by_one_that_has_no_stack_hides_no_task, .timeout = 60)
{
	struct hunt hunt = { .missed = 0 };

	open_house(&hunt.house, 3, 3, NULL);
	cr_assert_eq(filch_runtime_submit(hunt.house.runtime, NULL, spawn_and_look, &hunt, NULL), 0);
	/* acquire: pairs with spawn_and_look. The sleep leaves the spinlock to others. */
	while (!word32_load_acquire(&hunt.over)) {
		disturb((struct scheduler *)(void *)hunt.house.runtime);
		filch_sleep(20 * FILCH_MICROSECOND);
	}
	cr_assert_eq(hunt.missed, 0);
	close_house(&hunt.house);
}

/* ---- Without memory ---- */

static bool is_stingy;

/* Records are small, the arrays of deques are not. */
static void *allocate_small(size_t size, size_t alignment, void *context)
{
	void *memory = NULL;

	(void)context;
	/* A test's own flag, written before the workers can need it. */
	if (__atomic_load_n(&is_stingy, __ATOMIC_ACQUIRE) && size > 8192)
		return NULL;
	return posix_memalign(&memory, alignment < 16 ? 16 : alignment, size) ? NULL : memory;
}

static void free_any(void *memory, void *context)
{
	(void)context;
	free(memory);
}

Test(cap, without_memory_to_queue_them_they_wait_outside, .timeout = 60)
{
	static const struct filch_allocator allocator = { allocate_small, free_any, NULL };
	struct house house;

	open_house(&house, 1, 3, &allocator);
	__atomic_store_n(&is_stingy, true, __ATOMIC_RELEASE);
	for (unsigned k = 0; k < 1000; k++)
		submit(&house, pass_by, FILCH_STACK_SMALL);
	filch_sleep(20 * FILCH_MILLISECOND);
	cr_assert_eq(house.ran.value, 0);
	permits_release(&house.permits);
	cr_assert(reaches(&house.ran, 1000));
	close_house(&house);
}
