/* The one-shot timer without a runtime: threads start, stop and poll; the time is made up. */
#include <filch/timer.h>

#include "wake/timer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define HEAPS 3

struct fixture {
	struct scheduler scheduler;
	struct timers *timers;
};

static void setup(struct fixture *fixture)
{
	*fixture = (struct fixture){ .scheduler = { .process = getpid() } };
	cr_assert_eq(filch__timers_create(&fixture->timers, &fixture->scheduler, HEAPS), 0);
}

static void teardown(struct fixture *fixture)
{
	cr_assert(filch__timers_is_valid(fixture->timers));
	filch__timers_destroy(fixture->timers);
}

static filch_time next_of(struct fixture *fixture)
{
	return fixture->scheduler.timers.next(fixture->timers);
}

static unsigned poll_at(struct fixture *fixture, filch_time now)
{
	return fixture->scheduler.timers.poll(fixture->timers, now);
}

static void count_up(void *arg)
{
	++*(unsigned *)arg;
}

Test(one_shot, is_started_restarted_and_stopped)
{
	struct fixture fixture;
	struct filch_runtime *runtime = (struct filch_runtime *)(void *)&fixture.scheduler;
	struct filch_timer timer;
	unsigned runs = 0;

	setup(&fixture);
	cr_assert_eq(filch_timer_init(&timer, runtime, count_up, &runs), 0);
	cr_assert(filch_timer_stop(&timer));
	cr_assert_eq(filch_timer_start(&timer, 100), 0);
	cr_assert_eq(filch_timer_start(&timer, 50), 0); /* earlier */
	cr_assert_eq(poll_at(&fixture, 50), 1);
	cr_assert_eq(poll_at(&fixture, 100), 0);
	cr_assert(!filch_timer_stop(&timer));
	cr_assert_eq(filch_timer_start(&timer, 200), 0); /* after it fired */
	cr_assert_eq(filch_timer_start(&timer, 300), 0); /* later */
	cr_assert_eq(poll_at(&fixture, 200), 0);
	cr_assert_eq(filch_timer_start(&timer, -1), 0); /* past */
	cr_assert_eq(poll_at(&fixture, 200), 1);
	cr_assert_eq(filch_timer_start(&timer, 400), 0);
	cr_assert(filch_timer_stop(&timer));
	cr_assert_eq(filch_timer_start(&timer, FILCH_NEVER), 0);
	cr_assert(next_of(&fixture) == FILCH_NEVER);
	cr_assert_eq(runs, 2);
	filch_timer_fini(&timer);
	cr_assert_eq(filch_timer_start(&timer, 500), -EINVAL);
	teardown(&fixture);
}

Test(one_shot, checks_its_arguments)
{
	struct filch_timer timer = { 0 };

	cr_assert_eq(filch_timer_init(NULL, NULL, count_up, NULL), -EINVAL);
	cr_assert_eq(filch_timer_init(&timer, NULL, NULL, NULL), -EINVAL);
	cr_assert_eq(filch_timer_init(&timer, NULL, count_up, NULL), -EPERM);
	cr_assert_eq(filch_timer_start(NULL, 1), -EINVAL);
	cr_assert_eq(filch_timer_start(&timer, 1), -EINVAL);
	cr_assert(filch_timer_stop(&timer));
	cr_assert(filch_timer_stop(NULL));
	filch_timer_fini(&timer);
	filch_timer_fini(NULL);
}

/* ---- Many threads ---- */

#define THREADS 3
#define ROUNDS 4000

struct owned {
	struct filch_timer timer;
	unsigned runs; /* plain: written by the callback, read after a stop */
};

struct party {
	struct fixture fixture;
	struct filch_word32 done;
	unsigned wrong[THREADS];
	pthread_t threads[THREADS];
};

struct guest {
	struct party *party;
	unsigned index;
};

/* Starts and stops timers of its own; a run that a stop did not wait for is a data race, or wrong. */
static void *start_and_stop(void *arg)
{
	struct guest *guest = arg;
	struct party *party = guest->party;
	struct filch_runtime *runtime = (struct filch_runtime *)(void *)&party->fixture.scheduler;
	struct owned owned[4] = { 0 };
	unsigned seed = guest->index * 77 + 1;

	for (unsigned i = 0; i < 4; i++)
		filch_timer_init(&owned[i].timer, runtime, count_up, &owned[i].runs);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct owned *one = &owned[i % 4];
		unsigned before = one->runs;
		bool stopped;

		seed = seed * 1103515245u + 12345u;
		filch_timer_start(&one->timer, (filch_time)(seed >> 16 & 3) * 50);
		if (seed >> 20 & 1)
			sched_yield();
		stopped = filch_timer_stop(&one->timer);
		party->wrong[guest->index] += one->runs != before + !stopped;
	}
	for (unsigned i = 0; i < 4; i++)
		filch_timer_fini(&owned[i].timer);
	/* release: pairs with the acquire in the test; a count of those that are done. */
	word32_add_release(&party->done, 1);
	return NULL;
}

Test(one_shot, no_run_is_seen_after_a_stop_whoever_polls, .timeout = 60)
{
	static struct party party;
	struct guest guests[THREADS];

	setup(&party.fixture);
	for (unsigned i = 0; i < THREADS; i++) {
		guests[i] = (struct guest){ &party, i };
		pthread_create(&party.threads[i], NULL, start_and_stop, &guests[i]);
	}
	/* acquire: pairs with the release in start_and_stop. */
	while (word32_load_acquire(&party.done) < THREADS)
		poll_at(&party.fixture, 100);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(party.threads[i], NULL);
		cr_assert_eq(party.wrong[i], 0);
	}
	cr_assert(next_of(&party.fixture) == FILCH_NEVER);
	teardown(&party.fixture);
}
