/* Timers that other threads move, stop and drop while somebody fires them; the time is made up. */
#include <filch/timer.h>

#include "wake/timer.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAPS 3
#define NOW 100
#define THREADS 3

struct fixture {
	struct scheduler scheduler;
	struct timers *timers;
	struct filch_word32 done;
	pthread_t threads[THREADS];
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

static struct filch_runtime *runtime_of(struct fixture *fixture)
{
	return (struct filch_runtime *)(void *)&fixture->scheduler;
}

static filch_time next_of(struct fixture *fixture)
{
	return fixture->scheduler.timers.next(fixture->timers);
}

static unsigned poll_at(struct fixture *fixture, filch_time now)
{
	return fixture->scheduler.timers.poll(fixture->timers, now);
}

static void finish(struct fixture *fixture)
{
	/* release: pairs with the acquire in is_over. */
	word32_add_release(&fixture->done, 1);
}

static bool is_over(struct fixture *fixture)
{
	/* acquire: pairs with the release in finish. */
	return word32_load_acquire(&fixture->done) == THREADS;
}

static void *poll_till_the_end(void *arg)
{
	while (!is_over(arg)) {
		if (poll_at(arg, NOW) == 0)
			sched_yield();
	}
	return NULL;
}

/* Threads that play, while two others fire what is due. */
static void play(struct fixture *fixture, void *(*fn)(void *), void *arg)
{
	pthread_t poller;

	for (unsigned i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&fixture->threads[i], NULL, fn, arg), 0);
	cr_assert_eq(pthread_create(&poller, NULL, poll_till_the_end, fixture), 0);
	poll_till_the_end(fixture);
	pthread_join(poller, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(fixture->threads[i], NULL);
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

/* ---- Moved from another thread, step by step ---- */

struct move {
	struct filch_timer *timer;
	filch_time deadline;
};

static void *move_it(void *arg)
{
	struct move *move = arg;

	cr_expect_eq(filch_timer_start(move->timer, move->deadline), 0);
	return NULL;
}

static void move_elsewhere(struct filch_timer *timer, filch_time deadline)
{
	struct move move = { timer, deadline };
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, move_it, &move), 0);
	pthread_join(thread, NULL);
}

static void count_up(void *arg)
{
	++*(unsigned *)arg;
}

/* TM3 */
Test(timer_race, another_thread_moves_it_earlier_later_and_to_the_past)
{
	struct fixture fixture;
	struct filch_timer timer;
	unsigned runs = 0;

	setup(&fixture);
	cr_assert_eq(filch_timer_init(&timer, runtime_of(&fixture), count_up, &runs), 0);
	cr_assert_eq(filch_timer_start(&timer, 100), 0);
	move_elsewhere(&timer, 50); /* earlier, not fired yet */
	cr_assert_eq(poll_at(&fixture, 49), 0);
	cr_assert_eq(poll_at(&fixture, 50), 1);
	cr_assert_eq(poll_at(&fixture, 100), 0);
	move_elsewhere(&timer, 200); /* after it fired */
	move_elsewhere(&timer, 300); /* later */
	cr_assert_eq(poll_at(&fixture, 299), 0);
	cr_assert_eq(poll_at(&fixture, 300), 1);
	move_elsewhere(&timer, 400);
	move_elsewhere(&timer, 7); /* past, not fired yet */
	cr_assert_eq(poll_at(&fixture, 300), 1);
	move_elsewhere(&timer, 7); /* past, after it fired */
	cr_assert_eq(poll_at(&fixture, 300), 1);
	move_elsewhere(&timer, 500);
	cr_assert(filch_timer_stop(&timer));
	cr_assert_eq(poll_at(&fixture, 500), 0);
	cr_assert_eq(runs, 4);
	teardown(&fixture);
}

/* ---- Restarted while it fires ---- */

#define ROUNDS 3000

struct own {
	struct filch_timer timer;
	unsigned runs; /* plain: the callback's until a start or stop has returned */
};

/* Long enough to be met half way. */
static void count_slowly(void *arg)
{
	sched_yield();
	++*(unsigned *)arg;
}

static void *restart_own(void *arg)
{
	struct fixture *fixture = arg;
	struct own own = { .runs = 0 };
	unsigned seed = (unsigned)(uintptr_t)&own >> 4;
	unsigned wrong = 0;

	filch_timer_init(&own.timer, runtime_of(fixture), count_slowly, &own.runs);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned before = own.runs, after;

		filch_timer_start(&own.timer, NOW - 1 - (filch_time)(next_random(&seed) & 1));
		if (next_random(&seed) & 1)
			sched_yield();
		filch_timer_start(&own.timer, next_random(&seed) & 1 ? FILCH_NEVER : NOW + 1);
		after = own.runs;
		sched_yield(); /* a stale run would show now */
		wrong += after - before > 1 || own.runs != after;
		wrong += !filch_timer_stop(&own.timer); /* the second start has not fired */
	}
	cr_expect_eq(wrong, 0);
	filch_timer_fini(&own.timer);
	finish(fixture);
	return NULL;
}

/* TM2 */
Test(timer_race, no_run_of_an_earlier_start_is_seen_after_a_restart, .timeout = 60)
{
	struct fixture fixture;

	setup(&fixture);
	play(&fixture, restart_own, &fixture);
	cr_assert(next_of(&fixture) == FILCH_NEVER);
	teardown(&fixture);
}

/* ---- One timer, moved and stopped by several threads ---- */

struct shared {
	struct fixture fixture;
	struct filch_timer timer;
	struct filch_word32 starts, runs;
};

static void count_run(void *arg)
{
	word32_add_relaxed(&((struct shared *)arg)->runs, 1); /* relaxed: read after the joins */
}

static void *move_and_stop(void *arg)
{
	struct shared *shared = arg;
	unsigned seed = (unsigned)(uintptr_t)&seed >> 4;

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned choice = next_random(&seed) & 3;

		if (choice == 0) {
			filch_timer_stop(&shared->timer);
			continue;
		}
		word32_add_relaxed(&shared->starts, 1); /* relaxed: read after the joins */
		filch_timer_start(&shared->timer, choice == 1 ? NOW - 1 : NOW + (filch_time)choice);
	}
	finish(&shared->fixture);
	return NULL;
}

/* TM3: cancel and insert race. */
Test(timer_race, several_threads_may_move_and_stop_the_same_one, .timeout = 60)
{
	static struct shared shared;
	unsigned before;

	setup(&shared.fixture);
	cr_assert_eq(filch_timer_init(&shared.timer, runtime_of(&shared.fixture), count_run, &shared),
		     0);
	play(&shared.fixture, move_and_stop, &shared);
	cr_assert_leq(shared.runs.value, shared.starts.value);
	cr_assert(filch__timers_is_valid(shared.fixture.timers));
	before = shared.runs.value;
	cr_assert_eq(filch_timer_start(&shared.timer, NOW), 0);
	cr_assert_eq(poll_at(&shared.fixture, NOW), 1);
	cr_assert_eq(shared.runs.value, before + 1);
	cr_assert(!filch_timer_stop(&shared.timer));
	cr_assert(next_of(&shared.fixture) == FILCH_NEVER);
	teardown(&shared.fixture);
}

/* ---- Dropped while it fires ---- */

#define ALIVE 0x600du

struct dropped {
	struct filch_timer timer;
	unsigned alive; /* plain: the callback's until the timer is dropped */
	struct filch_word32 *wrong;
};

static void look_twice(void *arg)
{
	struct dropped *dropped = arg;
	struct filch_word32 *wrong = dropped->wrong;
	bool dead = dropped->alive != ALIVE;

	sched_yield();
	if (dead || dropped->alive != ALIVE)
		word32_add_relaxed(wrong, 1); /* relaxed: read after the joins */
}

struct dropping {
	struct fixture fixture;
	struct filch_word32 wrong;
};

static void *start_and_drop(void *arg)
{
	struct dropping *dropping = arg;
	unsigned seed = (unsigned)(uintptr_t)&seed >> 4;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct dropped *dropped = malloc(sizeof(*dropped));

		dropped->alive = ALIVE;
		dropped->wrong = &dropping->wrong;
		filch_timer_init(&dropped->timer, runtime_of(&dropping->fixture), look_twice, dropped);
		filch_timer_start(&dropped->timer, NOW);
		for (unsigned spins = next_random(&seed) & 7; spins > 0; spins--)
			sched_yield();
		filch_timer_fini(&dropped->timer);
		dropped->alive = 0;
		free(dropped);
	}
	finish(&dropping->fixture);
	return NULL;
}

/* TM6 */
Test(timer_race, a_timer_may_be_dropped_while_another_thread_fires_it, .timeout = 60)
{
	static struct dropping dropping;

	setup(&dropping.fixture);
	play(&dropping.fixture, start_and_drop, &dropping);
	cr_assert_eq(dropping.wrong.value, 0);
	cr_assert(next_of(&dropping.fixture) == FILCH_NEVER);
	teardown(&dropping.fixture);
}
