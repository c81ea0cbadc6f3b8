/* What the tests of tasks share: scenarios with 1 to 64 workers, flags, children of a kind. */
#ifndef TESTS_TASK_PLAY_H
#define TESTS_TASK_PLAY_H

#include <criterion/criterion.h>
#include <errno.h>
#include <filch.h>
#include <sched.h>

static inline int run_with(unsigned workers, filch_task_fn *fn, void *arg)
{
	struct filch_options options = { .size = sizeof(options), .workers = workers };

	return filch_run_with(&options, fn, arg);
}

/* A scenario is a task that returns 0; it runs with 1, 2, 8 and 64 workers. */
static inline void play(filch_task_fn *scenario)
{
	static const unsigned workers[] = { 1, 2, 8, 64 };

	for (int i = 0; i < 4; i++)
		cr_assert_eq(run_with(workers[i], scenario, NULL), 0, "with %u workers", workers[i]);
}

static inline void flag_add(int *flag)
{
	__atomic_fetch_add(flag, 1, __ATOMIC_RELEASE);
}

static inline int flag_get(int *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

/* Lets other tasks run, and other threads: one that is awaited may have to be given a processor. */
static inline void give_way(void)
{
	filch_yield();
	sched_yield();
}

/* Lets others run until the flag has reached `count`; in a plain thread, too. A cancel does not
 * reach in here. */
static inline void flag_await(int *flag, int count)
{
	struct filch_token shield;

	filch_token_init_below(&shield, NULL, FILCH_TOKEN_SHIELD);
	filch_scope_enter(&shield);
	while (flag_get(flag) < count)
		give_way();
	filch_scope_leave(&shield);
	filch_token_fini(&shield);
}

static inline int return_int(void *arg)
{
	return *(int *)arg;
}

static inline int do_nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* Parks until it is cancelled. */
static inline int sleep_for_ever(void *arg)
{
	(void)arg;
	return filch_sleep(FILCH_NEVER);
}

/* The same, and counts that it has been woken by the cancel. */
static inline int sleep_and_count(void *arg)
{
	int status = filch_sleep(FILCH_NEVER);

	if (status == -ECANCELED)
		flag_add(arg);
	return status;
}

static inline int count_up(void *arg)
{
	flag_add(arg);
	return 0;
}

/* A group, and what its members tell the test. */
struct team {
	struct filch_group group;
	int ended, ready, go;
	int status;
};

/* Ends after others have had their turn. */
static inline int end_late(void *arg)
{
	for (int i = 0; i < 3; i++)
		filch_yield();
	flag_add(arg);
	return 0;
}

static inline int waits_for_go(void *arg)
{
	struct team *team = arg;

	flag_add(&team->ready);
	flag_await(&team->go, 1);
	return 0;
}

static inline int tell(void *arg)
{
	flag_add(&((struct team *)arg)->go);
	return 0;
}

static inline int fail_when_told(void *arg)
{
	struct team *team = arg;

	flag_await(&team->go, 1);
	return team->status;
}

static inline int note_checkpoint(void *arg)
{
	*(int *)arg = filch_checkpoint();
	return *(int *)arg;
}

#endif
