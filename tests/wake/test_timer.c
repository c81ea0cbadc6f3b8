/* Timers without a runtime: plain threads arm, disarm and poll; the time is made up. */
#include "wake/timer_heap.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "sched/fiber.h"

#define HEAPS 3

static struct fiber nobody; /* never parked, so never resumed */

struct fixture {
	struct scheduler scheduler;
	struct timers *timers;
};

/* Threads are spread over the heaps by address; order holds within one. */
static void setup_heaps(struct fixture *fixture, unsigned heaps)
{
	*fixture = (struct fixture){ .timers = NULL };
	cr_assert_eq(filch__timers_create(&fixture->timers, &fixture->scheduler, heaps), 0);
	cr_assert(filch__timers_of(&fixture->scheduler) == fixture->timers);
}

static void setup(struct fixture *fixture)
{
	setup_heaps(fixture, HEAPS);
}

static void teardown(struct fixture *fixture)
{
	cr_assert(filch__timers_is_valid(fixture->timers));
	filch__timers_destroy(fixture->timers);
	cr_assert_null(fixture->scheduler.timers.next);
}

static filch_time next_of(struct fixture *fixture)
{
	return fixture->scheduler.timers.next(fixture->timers);
}

static unsigned poll_at(struct fixture *fixture, filch_time now)
{
	return fixture->scheduler.timers.poll(fixture->timers, now);
}

static uint64_t arm(struct fixture *fixture, struct parker *parker, filch_time deadline)
{
	uint64_t epoch;

	parker->fiber = &nobody;
	epoch = filch__park_arm(parker);
	cr_assert_eq(filch__timer_arm_wait(fixture->timers, parker, epoch, deadline), 0);
	return epoch;
}

/* ---- Timeouts of waits ---- */

Test(timer, wait_times_out_at_its_deadline_and_not_before)
{
	struct fixture fixture;
	struct parker parker = { 0 };
	uint64_t epoch;

	setup(&fixture);
	cr_assert(next_of(&fixture) == FILCH_NEVER);
	epoch = arm(&fixture, &parker, 1000);
	cr_assert(next_of(&fixture) == 1000);
	cr_assert_eq(poll_at(&fixture, 999), 0);
	cr_assert(filch__park_is_waiting(&parker, epoch));
	cr_assert_eq(poll_at(&fixture, 1000), 1);
	cr_assert(!filch__park_is_waiting(&parker, epoch));
	cr_assert(next_of(&fixture) == FILCH_NEVER);
	filch__timer_disarm_wait(fixture.timers, &parker);
	teardown(&fixture);
}

Test(timer, disarmed_wait_leaves_nothing_behind)
{
	struct fixture fixture;
	struct parker a = { 0 }, b = { 0 };
	uint64_t epoch;

	setup(&fixture);
	epoch = arm(&fixture, &a, 100);
	arm(&fixture, &b, 200);
	filch__timer_disarm_wait(fixture.timers, &a);
	filch__timer_disarm_wait(fixture.timers, &a);
	cr_assert(next_of(&fixture) == 200);
	cr_assert_eq(poll_at(&fixture, 150), 0);
	cr_assert(filch__park_is_waiting(&a, epoch));
	filch__timer_disarm_wait(fixture.timers, &b);
	cr_assert(next_of(&fixture) == FILCH_NEVER);
	teardown(&fixture);
}

Test(timer, timer_that_comes_too_late_claims_nothing)
{
	struct fixture fixture;
	struct parker parker = { 0 };
	uint64_t epoch;

	setup(&fixture);
	epoch = arm(&fixture, &parker, 100);
	cr_assert(filch__unpark(&parker, epoch, PARK_GRANTED));
	cr_assert_eq(poll_at(&fixture, 100), 0);
	teardown(&fixture);
}

Test(timer, entry_of_an_earlier_wait_is_harmless)
{
	struct fixture fixture;
	struct parker parker = { 0 };
	uint64_t epoch;

	setup(&fixture);
	epoch = arm(&fixture, &parker, 100);
	cr_assert(filch__unpark(&parker, epoch, PARK_GRANTED));
	parker.timer_heap = NULL; /* As if it had been disarmed elsewhere. */
	epoch = arm(&fixture, &parker, 300);
	cr_assert_eq(poll_at(&fixture, 200), 0);
	cr_assert(filch__park_is_waiting(&parker, epoch));
	filch__timer_disarm_wait(fixture.timers, &parker);
	cr_assert(next_of(&fixture) == FILCH_NEVER);
	teardown(&fixture);
}

Test(timer, never_and_plain_threads_are_not_inserted)
{
	struct fixture fixture;
	struct parker parker = { 0 };
	uint64_t epoch;

	setup(&fixture);
	arm(&fixture, &parker, FILCH_NEVER);
	cr_assert(next_of(&fixture) == FILCH_NEVER);
	filch__timer_disarm_wait(fixture.timers, &parker);
	parker.fiber = NULL;
	epoch = filch__park_arm(&parker);
	cr_assert_eq(filch__timer_arm_wait(fixture.timers, &parker, epoch, 5), 0);
	cr_assert(next_of(&fixture) == FILCH_NEVER);
	teardown(&fixture);
}

Test(timer, last_moment_before_never_does_not_fire_early)
{
	struct fixture fixture;
	struct parker parker = { 0 };

	setup(&fixture);
	arm(&fixture, &parker, FILCH_NEVER - 1);
	cr_assert_eq(poll_at(&fixture, FILCH_NEVER - 2), 0);
	cr_assert_eq(poll_at(&fixture, FILCH_NEVER - 1), 1);
	teardown(&fixture);
}

Test(timer, deadline_of_zero_or_before_is_due_at_once)
{
	struct fixture fixture;
	struct parker a = { 0 }, b = { 0 };

	setup(&fixture);
	arm(&fixture, &a, 0);
	arm(&fixture, &b, INT64_MIN);
	cr_assert(next_of(&fixture) > 0 && next_of(&fixture) <= 1);
	cr_assert_eq(poll_at(&fixture, 1), 2);
	teardown(&fixture);
}

Test(timer, thousands_fire_each_once)
{
	enum { COUNT = 3000 };
	struct fixture fixture;
	struct parker *parkers = calloc(COUNT, sizeof(*parkers));
	unsigned fired = 0;

	setup(&fixture);
	for (unsigned i = 0; i < COUNT; i++)
		arm(&fixture, &parkers[i], (filch_time)(i * 7919 % COUNT + 1));
	cr_assert(filch__timers_is_valid(fixture.timers));
	for (unsigned i = 0; i < COUNT; i += 3)
		filch__timer_disarm_wait(fixture.timers, &parkers[i]);
	for (filch_time now = 0; now <= COUNT; now += 250)
		fired += poll_at(&fixture, now);
	cr_assert_eq(fired, COUNT - COUNT / 3);
	cr_assert(next_of(&fixture) == FILCH_NEVER);
	teardown(&fixture);
	free(parkers);
}

/* ---- Callbacks ---- */

struct journal {
	struct fixture *fixture;
	struct timer_callback *callback;
	char text[64];
	unsigned length;
	bool disarmed;
	filch_time again; /* arms its own callback for that */
};

struct note {
	struct timer_callback callback;
	struct journal *journal;
	char letter;
};

static void write_down(void *arg)
{
	struct note *note = arg;

	note->journal->text[note->journal->length++] = note->letter;
}

static void notes_init(struct note *notes, unsigned count, struct journal *journal)
{
	for (unsigned i = 0; i < count; i++) {
		notes[i].journal = journal;
		notes[i].letter = (char)('a' + i);
		timer_callback_init(&notes[i].callback, write_down, &notes[i]);
	}
}

static void note_at(struct note *note, filch_time deadline)
{
	cr_assert_eq(filch__timer_callback_arm(note->journal->fixture->timers, &note->callback,
					       deadline),
		     0);
}

Test(timer, equal_deadlines_fire_in_registration_order)
{
	struct fixture fixture;
	struct journal journal = { .fixture = &fixture };
	struct note notes[8];

	setup_heaps(&fixture, 1);
	notes_init(notes, 8, &journal);
	for (unsigned i = 0; i < 8; i++)
		note_at(&notes[(i * 5) % 8], 100);
	note_at(&notes[0], 100); /* moved: now the last */
	cr_assert_eq(poll_at(&fixture, 100), 8);
	cr_assert_str_eq(journal.text, "fchebgda");
	teardown(&fixture);
}

Test(timer, callback_is_moved_earlier_later_and_taken_out)
{
	struct fixture fixture;
	struct journal journal = { .fixture = &fixture };
	struct note notes[3];

	setup(&fixture);
	notes_init(notes, 3, &journal);
	note_at(&notes[0], 100);
	note_at(&notes[1], 200);
	note_at(&notes[2], 300);
	note_at(&notes[2], 50);
	note_at(&notes[0], 400);
	cr_assert(next_of(&fixture) == 50);
	note_at(&notes[1], FILCH_NEVER);
	cr_assert_eq(poll_at(&fixture, 399), 1);
	cr_assert_eq(poll_at(&fixture, 400), 1);
	cr_assert_str_eq(journal.text, "ca");
	cr_assert(filch__timer_callback_disarm(fixture.timers, &notes[1].callback));
	teardown(&fixture);
}

Test(timer, disarm_is_true_exactly_when_the_callback_will_not_run)
{
	struct fixture fixture;
	struct journal journal = { .fixture = &fixture };
	struct note note;

	setup(&fixture);
	notes_init(&note, 1, &journal);
	cr_assert(filch__timer_callback_disarm(fixture.timers, &note.callback));
	note_at(&note, 10);
	cr_assert(filch__timer_callback_disarm(fixture.timers, &note.callback));
	cr_assert(filch__timer_callback_disarm(fixture.timers, &note.callback));
	cr_assert_eq(poll_at(&fixture, 10), 0);
	note_at(&note, 20);
	cr_assert_eq(poll_at(&fixture, 20), 1);
	cr_assert(!filch__timer_callback_disarm(fixture.timers, &note.callback));
	note_at(&note, 30);
	cr_assert(filch__timer_callback_disarm(fixture.timers, &note.callback));
	cr_assert_str_eq(journal.text, "a");
	teardown(&fixture);
}

static void arm_again(void *arg)
{
	struct journal *journal = arg;

	journal->length++;
	journal->disarmed = filch__timer_callback_disarm(journal->fixture->timers,
							 journal->callback);
	if (journal->again)
		cr_expect_eq(filch__timer_callback_arm(journal->fixture->timers, journal->callback,
						       journal->again),
			     0);
}

Test(timer, callback_may_disarm_and_arm_itself)
{
	struct fixture fixture;
	struct timer_callback callback;
	struct journal journal = { .fixture = &fixture, .callback = &callback, .again = 50 };

	setup(&fixture);
	timer_callback_init(&callback, arm_again, &journal);
	cr_assert_eq(filch__timer_callback_arm(fixture.timers, &callback, 10), 0);
	cr_assert_eq(poll_at(&fixture, 10), 1);
	cr_assert(!journal.disarmed);
	cr_assert(next_of(&fixture) == 50);
	journal.again = 0;
	cr_assert_eq(poll_at(&fixture, 50), 1);
	cr_assert_eq(journal.length, 2);
	teardown(&fixture);
}

Test(timer, callback_that_is_always_due_does_not_keep_the_poll_busy)
{
	struct fixture fixture;
	struct timer_callback callback;
	struct journal journal = { .fixture = &fixture, .callback = &callback, .again = 1 };

	setup(&fixture);
	timer_callback_init(&callback, arm_again, &journal);
	cr_assert_eq(filch__timer_callback_arm(fixture.timers, &callback, 10), 0);
	cr_assert_eq(poll_at(&fixture, 10), 1);
	cr_assert_eq(poll_at(&fixture, 10), 1);
	cr_assert_eq(journal.length, 2);
	cr_assert(filch__timer_callback_disarm(fixture.timers, &callback));
	teardown(&fixture);
}

static void free_it(void *arg)
{
	free(arg);
}

Test(timer, callback_may_free_its_memory)
{
	struct fixture fixture;
	struct timer_callback *callback = malloc(sizeof(*callback));

	setup(&fixture);
	timer_callback_init(callback, free_it, callback);
	cr_assert_eq(filch__timer_callback_arm(fixture.timers, callback, 10), 0);
	cr_assert_eq(poll_at(&fixture, 10), 1);
	teardown(&fixture);
}

struct witness {
	struct parker before, after;
	uint64_t before_epoch, after_epoch;
	bool in_order;
};

static void look(void *arg)
{
	struct witness *witness = arg;

	witness->in_order = !filch__park_is_waiting(&witness->before, witness->before_epoch) &&
			    filch__park_is_waiting(&witness->after, witness->after_epoch);
}

Test(timer, waits_and_callbacks_take_effect_in_one_order)
{
	struct fixture fixture;
	struct witness witness = { .in_order = false };
	struct timer_callback callback;

	setup_heaps(&fixture, 1);
	timer_callback_init(&callback, look, &witness);
	witness.before_epoch = arm(&fixture, &witness.before, 100);
	cr_assert_eq(filch__timer_callback_arm(fixture.timers, &callback, 100), 0);
	witness.after_epoch = arm(&fixture, &witness.after, 101);
	cr_assert_eq(poll_at(&fixture, 200), 3);
	cr_assert(witness.in_order);
	teardown(&fixture);
}

/* ---- Without memory ---- */

static bool is_exhausted;

static void *allocate_some(size_t size, size_t alignment, void *context)
{
	void *memory = NULL;

	(void)context;
	if (is_exhausted || posix_memalign(&memory, alignment < 16 ? 16 : alignment, size) != 0)
		return NULL;
	return memory;
}

static void free_some(void *memory, void *context)
{
	(void)context;
	free(memory);
}

Test(timer, without_memory_arming_fails_and_nothing_is_lost)
{
	enum { COUNT = 2000 };
	static struct note notes[COUNT];
	static const struct filch_allocator allocator = { allocate_some, free_some, NULL };
	struct fixture fixture = { .scheduler = { .allocator = &allocator } };
	struct journal journal = { .fixture = &fixture };
	struct parker parker = { .fiber = &nobody };
	unsigned armed = 0;

	is_exhausted = true;
	cr_assert_eq(filch__timers_create(&fixture.timers, &fixture.scheduler, 1), -ENOMEM);
	is_exhausted = false;
	cr_assert_eq(filch__timers_create(&fixture.timers, &fixture.scheduler, 1), 0);
	notes_init(notes, COUNT, &journal);
	note_at(&notes[armed++], 100);
	is_exhausted = true;
	while (filch__timer_callback_arm(fixture.timers, &notes[armed].callback, 100) == 0)
		armed++;
	cr_assert_lt(armed, COUNT);
	cr_assert_eq(filch__timer_arm_wait(fixture.timers, &parker, filch__park_arm(&parker), 50),
		     -ENOMEM);
	filch__timer_disarm_wait(fixture.timers, &parker);
	cr_assert(filch__timer_callback_disarm(fixture.timers, &notes[armed].callback));
	note_at(&notes[0], 200); /* moving needs no room */
	cr_assert(filch__timers_is_valid(fixture.timers));
	is_exhausted = false;
	note_at(&notes[armed++], 100);
	for (unsigned i = 0; i < armed; i++)
		cr_assert(filch__timer_callback_disarm(fixture.timers, &notes[i].callback));
	teardown(&fixture);
}
