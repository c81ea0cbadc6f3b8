/* Queues of any fill: they grow, they overflow elsewhere, or the call fails; none waits for room. */
#include "sched/permits.h"

#include "base/atomic.h"
#include "platform/fault.h"
#include "platform/sanitizer.h"

#include <criterion/criterion.h>
#include <errno.h>

struct crowd {
	struct permits permits;
	struct filch_word64 ran;
	struct filch_word32 hold; /* the worker computes until this is set */
	unsigned size, spawned;
};

static int count_me(void *arg)
{
	word64_add_relaxed(&((struct crowd *)arg)->ran, 1); /* relaxed: read after the join */
	return 0;
}

static int wait_and_count(void *arg)
{
	struct crowd *crowd = arg;
	int status = permits_acquire(&crowd->permits);

	count_me(crowd);
	return status;
}

static int spawn_all(void *arg)
{
	struct crowd *crowd = arg;
	struct filch_group group;
	int status = 0;

	filch_group_open(&group, NULL);
	for (unsigned i = 0; i < crowd->size && status == 0; i++) {
		status = filch_group_spawn(&group, count_me, crowd);
		crowd->spawned += status == 0;
	}
	filch__fault_clear();
	filch_group_close(&group);
	return status;
}

/* SC3, SC7 */
Test(full, a_queue_grows_to_what_it_must_hold_and_loses_nothing, .timeout = 60)
{
	static const unsigned counts[] = { 1, 2, 8, 64 };

	for (unsigned i = 0; i < 4; i++) {
		struct crowd crowd = { .size = sanitize_is_thread() ? 20000 : 200000 };

		cr_assert_eq(run_workers(counts[i], spawn_all, &crowd), 0);
		cr_assert_eq(crowd.ran.value, crowd.size);
	}
}

static int spawn_without_memory(void *arg)
{
	filch__fault_set(FILCH__FAULT_ALLOCATE, 1, UINT32_MAX);
	return spawn_all(arg);
}

/* SC7 */
Test(full, without_memory_the_spawn_fails_at_once_and_the_rest_runs, .timeout = 30)
{
	static const unsigned counts[] = { 1, 2, 8, 64 };

	for (unsigned i = 0; i < 4; i++) {
		struct crowd crowd = { .size = 100000000 };

		cr_assert_eq(run_workers(counts[i], spawn_without_memory, &crowd), -ENOMEM);
		cr_assert_geq(crowd.spawned, 256u);
		cr_assert_eq(crowd.ran.value, crowd.spawned);
	}
}

static int wake_all_without_memory(void *arg)
{
	struct crowd *crowd = arg;
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (unsigned i = 0; i < crowd->size; i++)
		filch_group_spawn(&group, wait_and_count, crowd);
	filch_yield();
	filch__fault_set(FILCH__FAULT_ALLOCATE, 1, UINT32_MAX);
	for (unsigned i = 0; i < crowd->size; i++)
		permits_release(&crowd->permits);
	filch_yield();
	filch__fault_clear();
	return filch_group_close(&group);
}

/* SC3: what the ready queue cannot hold goes to the injection queue. */
Test(full, the_woken_that_find_no_room_wait_in_the_common_queue, .timeout = 30)
{
	static const unsigned counts[] = { 1, 2, 8, 64 };

	for (unsigned i = 0; i < 4; i++) {
		struct crowd crowd = { .size = 2000 };

		cr_assert_eq(run_workers(counts[i], wake_all_without_memory, &crowd), 0);
		cr_assert_eq(crowd.ran.value, crowd.size);
	}
}

static int hold_the_worker(void *arg)
{
	struct crowd *crowd = arg;

	/* acquire: pairs with the release in the test. */
	while (!word32_load_acquire(&crowd->hold))
		;
	return 0;
}

/* SC7 */
Test(full, a_thread_that_submits_never_waits_for_the_workers, .timeout = 60)
{
	struct filch_options options = { .size = sizeof(options), .workers = 1 };
	struct crowd crowd = { .size = sanitize_is_thread() ? 5000 : 100000 };
	struct filch_runtime *runtime;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, hold_the_worker, &crowd, NULL), 0);
	for (unsigned i = 0; i < crowd.size; i++)
		cr_assert_eq(filch_runtime_submit(runtime, NULL, count_me, &crowd, NULL), 0);
	cr_assert_eq(word64_load_relaxed(&crowd.ran), 0); /* relaxed: none has started */
	word32_store_release(&crowd.hold, 1);		  /* release: pairs with hold_the_worker */
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
	cr_assert_eq(crowd.ran.value, crowd.size);
}
