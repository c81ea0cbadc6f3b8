/* What a thief takes, and from whom, without threads: the workers here are only their queues. */
#include "sched/worker.h"

#include "platform/clock.h"

#include <criterion/criterion.h>
#include <string.h>

#define WORKERS 3
#define THIEF (&fixture.workers[0])
#define VICTIM (&fixture.workers[1])

static struct fixture {
	struct scheduler scheduler;
	struct worker workers[WORKERS];
	uint16_t sleeping[WORKERS];
	struct fiber spare;
	struct fiber fibers[BRISK_MOST + 2];
	char tasks[1024]; /* one address each */
} fixture;

static void setup(void)
{
	memset(&fixture, 0, sizeof(fixture));
	filch__barrier_register();
	fixture.scheduler.workers = fixture.workers;
	fixture.scheduler.count = WORKERS;
	fixture.scheduler.idle.sleeping = fixture.sleeping;
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *worker = &fixture.workers[i];

		worker->scheduler = &fixture.scheduler;
		worker->index = i;
		worker->random = i + 1;
		worker->slot_victim = i;
		cr_assert_eq(filch__deque_init(&worker->tasks, 64, NULL), 0);
		cr_assert_eq(filch__deque_init(&worker->ready, 16, NULL), 0);
	}
	THIEF->spare = &fixture.spare;
}

static void teardown(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		filch__deque_fini(&fixture.workers[i].tasks);
		filch__deque_fini(&fixture.workers[i].ready);
	}
}

static void push_tasks(struct worker *worker, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct deque_item item = { { &fixture.tasks[i], NULL, NULL, NULL } };

		cr_assert_eq(deque_push(&worker->tasks, &item), 0);
	}
}

/* The tasks there, oldest first, are those numbered from `first`. */
static void expect_tasks(struct worker *worker, unsigned first, unsigned count)
{
	struct deque_item item;

	for (unsigned i = 0; i < count; i++) {
		cr_assert(filch__deque_take(&worker->tasks, &item));
		cr_assert(item.word[0] == &fixture.tasks[first + i]);
	}
	cr_assert(!filch__deque_take(&worker->tasks, &item));
}

static struct fiber *pop_ready(struct worker *worker)
{
	return filch__worker_next_ready(worker);
}

Test(steal, takes_the_older_half_of_what_is_public_oldest_first, .init = setup, .fini = teardown)
{
	push_tasks(VICTIM, 12);
	cr_assert(filch__deque_publish(&VICTIM->tasks)); /* 6 of them */
	cr_assert(filch__worker_steal(THIEF, false));
	expect_tasks(THIEF, 0, 3);
	expect_tasks(VICTIM, 3, 9);
	cr_assert_eq(THIEF->stats.steals.value, 1);
	cr_assert_eq(THIEF->stats.stolen.value, 3);
}

Test(steal, takes_no_more_than_a_batch_and_loses_nothing, .init = setup, .fini = teardown)
{
	push_tasks(VICTIM, 1000);
	cr_assert(filch__deque_publish(&VICTIM->tasks));
	cr_assert(filch__worker_steal(THIEF, false));
	cr_assert_eq(THIEF->stats.stolen.value, 32);
	expect_tasks(THIEF, 0, 32);
	expect_tasks(VICTIM, 32, 968);
}

/* R6 */
Test(steal, without_a_spare_stack_only_what_was_woken_is_taken, .init = setup, .fini = teardown)
{
	THIEF->spare = NULL;
	push_tasks(VICTIM, 4);
	cr_assert(filch__deque_publish(&VICTIM->tasks));
	cr_assert(!filch__worker_steal(THIEF, false));
	cr_assert(!filch__worker_steal(THIEF, true));
	filch__worker_push_ready(VICTIM, &fixture.fibers[0]);
	cr_assert(filch__deque_publish(&VICTIM->ready));
	cr_assert(filch__worker_steal(THIEF, false));
	cr_assert(pop_ready(THIEF) == &fixture.fibers[0]);
	expect_tasks(VICTIM, 0, 4);
}

Test(steal, every_other_worker_is_looked_at, .init = setup, .fini = teardown)
{
	for (unsigned i = 1; i < WORKERS; i++) {
		push_tasks(&fixture.workers[i], 1);
		cr_assert(filch__deque_publish(&fixture.workers[i].tasks));
	}
	cr_assert(filch__worker_steal(THIEF, false));
	cr_assert(filch__worker_steal(THIEF, false));
	cr_assert(!filch__worker_steal(THIEF, true));
	cr_assert_eq(THIEF->stats.stolen.value, 2);
}

Test(steal, private_work_is_taken_only_in_despair, .init = setup, .fini = teardown)
{
	push_tasks(VICTIM, 4);
	cr_assert(!filch__worker_steal(THIEF, false));
	cr_assert(filch__worker_steal(THIEF, true));
	expect_tasks(THIEF, 0, 1);
	expect_tasks(VICTIM, 1, 3);
}

Test(steal, a_raid_gives_up_on_an_owner_that_stays_in_its_gate, .init = setup, .fini = teardown)
{
	push_tasks(VICTIM, 4);
	gate_enter(&VICTIM->gate);
	cr_assert(!filch__worker_steal(THIEF, true));
	gate_leave(&VICTIM->gate);
	cr_assert(filch__worker_steal(THIEF, true));
}

/* SC2 */
Test(steal, a_slot_is_taken_in_despair_from_who_has_not_parked_since, .init = setup,
     .fini = teardown)
{
	/* relaxed: no other thread. */
	pointer_store_relaxed(&VICTIM->slot, &fixture.fibers[0]);
	cr_assert(!filch__worker_steal(THIEF, true)); /* not seen before */
	cr_assert(!filch__worker_steal(THIEF, false));
	/* relaxed: no other thread. */
	word64_store_relaxed(&VICTIM->stats.parks, 1); /* it will come to it */
	cr_assert(!filch__worker_steal(THIEF, true));
	THIEF->slot_victim = THIEF->index; /* a new search */
	cr_assert(!filch__worker_steal(THIEF, false));
	cr_assert(filch__worker_steal(THIEF, true));
	cr_assert(pop_ready(THIEF) == &fixture.fibers[0]);
	/* relaxed: no other thread. */
	cr_assert_null(pointer_load_relaxed(&VICTIM->slot));
}

/* ---- What a brisk worker has ready ---- */

static void make_ready(struct worker *worker, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		filch__worker_push_ready(worker, &fixture.fibers[i]);
}

/* SC2 */
Test(steal, the_few_of_a_brisk_worker_are_its_own_until_they_are_stuck, .init = setup,
     .fini = teardown)
{
	worker_set_brisk(VICTIM, true);
	make_ready(VICTIM, BRISK_MOST);
	cr_assert(!filch__scheduler_has_work(&fixture.scheduler, true));
	cr_assert(filch__scheduler_has_ready(&fixture.scheduler, THIEF));
	cr_assert(!filch__worker_steal(THIEF, true)); /* not seen before */
	cr_assert(!filch__worker_steal(THIEF, false));
	cr_assert(filch__worker_steal(THIEF, true)); /* nothing has parked since */
	cr_assert(pop_ready(THIEF) == &fixture.fibers[0]);
	cr_assert(filch__scheduler_has_work(&fixture.scheduler, true));
}

Test(steal, of_more_there_is_a_share_for_others, .init = setup, .fini = teardown)
{
	worker_set_brisk(VICTIM, true);
	make_ready(VICTIM, BRISK_MOST + 1);
	cr_assert(filch__scheduler_has_work(&fixture.scheduler, true));
	cr_assert(filch__worker_steal(THIEF, true));
	cr_assert(pop_ready(THIEF) == &fixture.fibers[0]);
}

/* Somebody searches: a push shows what it may. */
Test(steal, a_push_shows_what_a_brisk_worker_does_not_keep, .init = setup, .fini = teardown)
{
	/* relaxed: no other thread. */
	word32_store_relaxed(&fixture.scheduler.idle.state, IDLE_SEARCHER);
	worker_set_brisk(VICTIM, true);
	make_ready(VICTIM, BRISK_MOST);
	cr_assert(!deque_has_public(&VICTIM->ready));
	filch__worker_push_ready(VICTIM, &fixture.fibers[BRISK_MOST]);
	cr_assert(deque_has_public(&VICTIM->ready));
}

/* SC2 */
Test(steal, who_watches_tells_progress_from_none, .init = setup, .fini = teardown)
{
	cr_assert_eq(filch__scheduler_watch(THIEF), PROGRESS_QUIET);
	make_ready(VICTIM, 1);
	/* relaxed: no other thread. */
	word64_store_relaxed(&VICTIM->stats.parks, 1);
	cr_assert_eq(filch__scheduler_watch(THIEF), PROGRESS_MADE);
	cr_assert_eq(THIEF->slot_victim, THIEF->index);
	cr_assert_eq(filch__scheduler_watch(THIEF), PROGRESS_STUCK);
	cr_assert_eq(THIEF->slot_victim, VICTIM->index); /* to be raided */
	cr_assert(filch__worker_steal(THIEF, true));
	cr_assert_eq(filch__scheduler_watch(THIEF), PROGRESS_QUIET);
}

/* SC5: who has found two, and is woken no more, counts both. */
Test(steal, what_a_searcher_has_itself_counts, .init = setup, .fini = teardown)
{
	worker_set_brisk(THIEF, true);
	make_ready(THIEF, 2);
	cr_assert(filch__scheduler_has_more(THIEF));
	cr_assert(pop_ready(THIEF) != NULL);
	cr_assert(!filch__scheduler_has_more(THIEF));
	/* relaxed: no other thread. */
	word64_store_relaxed(&fixture.scheduler.injector.length, 1);
	cr_assert(filch__scheduler_has_more(THIEF));
	cr_assert(pop_ready(THIEF) != NULL);
	cr_assert(!filch__scheduler_has_more(THIEF));
}

Test(steal, the_last_look_sees_all_that_one_can_have, .init = setup, .fini = teardown)
{
	cr_assert(!filch__scheduler_has_work(&fixture.scheduler, true));
	push_tasks(VICTIM, 1);
	cr_assert(filch__scheduler_has_work(&fixture.scheduler, true));
	cr_assert(!filch__scheduler_has_work(&fixture.scheduler, false));
	filch__worker_push_ready(VICTIM, &fixture.fibers[0]);
	cr_assert(filch__scheduler_has_work(&fixture.scheduler, false));
	cr_assert(pop_ready(VICTIM) == &fixture.fibers[0]);
	/* relaxed: no other thread. */
	word64_store_relaxed(&fixture.scheduler.injector.length, 1);
	cr_assert(filch__scheduler_has_work(&fixture.scheduler, false));
}

static filch_time due;

static filch_time due_next(void *context)
{
	(void)context;
	return due;
}

Test(steal, the_last_look_sees_timers_that_are_due, .init = setup, .fini = teardown)
{
	fixture.scheduler.timers.next = due_next;
	due = FILCH_NEVER;
	cr_assert(!filch__scheduler_has_work(&fixture.scheduler, true));
	due = filch__clock_now();
	cr_assert(filch__scheduler_has_work(&fixture.scheduler, false));
}

/* ---- The slot and its turns ---- */

static void fill_slot(struct worker *worker, struct fiber *fiber)
{
	/* relaxed: no other thread. */
	pointer_store_relaxed(&worker->slot, fiber);
}

/* SC1 */
Test(steal, the_slot_goes_first_but_not_for_ever, .init = setup, .fini = teardown)
{
	filch__worker_push_ready(THIEF, &fixture.fibers[1]);
	for (unsigned i = 0; i < 3; i++) {
		fill_slot(THIEF, &fixture.fibers[0]);
		cr_assert(pop_ready(THIEF) == &fixture.fibers[0]);
	}
	fill_slot(THIEF, &fixture.fibers[0]);
	cr_assert(pop_ready(THIEF) == &fixture.fibers[1]);
	cr_assert(pop_ready(THIEF) == &fixture.fibers[0]);
	cr_assert_null(pop_ready(THIEF));
}

Test(steal, the_slot_keeps_its_turn_when_nobody_waits, .init = setup, .fini = teardown)
{
	for (unsigned i = 0; i < 10; i++) {
		fill_slot(THIEF, &fixture.fibers[0]);
		cr_assert(pop_ready(THIEF) == &fixture.fibers[0]);
	}
}

Test(steal, a_sticky_fiber_goes_home_and_comes_in_order, .init = setup, .fini = teardown)
{
	for (unsigned i = 0; i < 3; i++) {
		fixture.fibers[i].sticky = 1;
		fixture.fibers[i].home = 0;
		filch__ready(&fixture.scheduler, &fixture.fibers[i]); /* from a plain thread */
	}
	for (unsigned i = 0; i < 3; i++)
		cr_assert(pop_ready(THIEF) == &fixture.fibers[i]);
	cr_assert_null(pop_ready(THIEF));
	cr_assert_null(pop_ready(VICTIM));
}
