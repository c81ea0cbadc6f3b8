/* What the report of a deadlock says: who waits for what, and who holds it. */
#include "sim/seeds.h"

#include <filch.h>

static struct filch_lock first, second;
static struct filch_rwlock rwlock;
static struct filch_semaphore semaphore;
static struct filch_event event;
static struct filch_notify notify;
static struct filch_condition condition;
static struct filch_barrier barrier;
static struct filch_latch latch;
static struct filch_once once;
static struct filch_queue queue;
static struct filch_limiter limiter;
static struct filch_parking_lot lot;

/* Named tasks at once, each in a group of 'main'. */
struct role {
	const char *name;
	filch_task_fn *fn;
};

static int play(void *arg)
{
	const struct role *role = arg;
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (; role->name; role++) {
		struct filch_task_options options = { .size = sizeof(options), .name = role->name };

		filch_group_spawn_with(&group, &options, role->fn, NULL, NULL);
	}
	return filch_group_close(&group);
}

/* The line from its task's name on, without the object's address. */
static const char *said_of(const char *task)
{
	static char text[256];
	const char *at = strstr(seeds_report, task);
	size_t length = at ? strcspn(at, "\n") : 0;
	char *address;

	snprintf(text, sizeof(text), "%.*s", (int)length, at ? at : "");
	address = strstr(text, " 0x");
	if (address) {
		size_t span = 1 + strcspn(address + 1, ", ");

		memmove(address, address + span, strlen(address + span) + 1);
	}
	return text;
}

/* ---- Two locks, taken in opposite orders ---- */

static struct filch_latch both;

static int take(struct filch_lock *one, struct filch_lock *other)
{
	int status = filch_lock_acquire(one);

	if (status == 0) {
		filch_latch_done(&both, 1);
		filch_latch_wait(&both);
		status = filch_lock_acquire(other);
		if (status == 0)
			filch_lock_release(other);
		filch_lock_release(one);
	}
	return status;
}

static int takes_first(void *arg)
{
	(void)arg;
	return take(&first, &second);
}

static int takes_second(void *arg)
{
	(void)arg;
	return take(&second, &first);
}

static int opposite(void *arg)
{
	static struct role roles[] = { { "Ann", takes_first }, { "Bob", takes_second }, { 0 } };

	(void)arg;
	memset(&both, 0, sizeof(both));
	filch_latch_add(&both, 2);
	return play(roles);
}

/* VT6 */
Test(report, two_that_wait_for_each_others_locks_are_named_with_who_holds_them)
{
	struct filch_simulation_options options = { .size = sizeof(options),
						    .report = seeds_keep_report };

	for (options.seed = 1; options.seed <= 50; options.seed++) {
		seeds_report[0] = '\0';
		cr_assert_eq(filch_simulate(&options, opposite, NULL), -EDEADLK);
		cr_expect_str_eq(said_of("task 'Ann'"),
				 "task 'Ann' (child of 'main') waits for a lock, held by 'Bob'");
		cr_expect_str_eq(said_of("task 'Bob'"),
				 "task 'Bob' (child of 'main') waits for a lock, held by 'Ann'");
		cr_expect_eq(filch_lock_fini(&first), 0);
		cr_expect_eq(filch_lock_fini(&second), 0);
	}
}

/* ---- All the others ---- */

/* Holds what can be held, and never ends. */
static int keeps(void *arg)
{
	struct filch_loan loan;
	int status;

	(void)arg;
	filch_rwlock_try_acquire_read(&rwlock);
	filch_limiter_try_acquire(&limiter, &loan);
	filch_latch_done(&both, 1);
	status = filch_sleep_until(FILCH_NEVER);
	filch_limiter_release(&limiter);
	filch_rwlock_release_read(&rwlock);
	return status;
}

static int initialises(void *arg)
{
	(void)arg;
	filch_latch_done(&both, 1);
	return filch_sleep_until(FILCH_NEVER);
}

static int runs_once(void *arg)
{
	(void)arg;
	return filch_once_run(&once, initialises, NULL);
}

static int waits_for_once(void *arg)
{
	(void)arg;
	filch_latch_wait(&both);
	return filch_once_run(&once, initialises, NULL);
}

static int writes(void *arg)
{
	(void)arg;
	filch_latch_wait(&both);
	return filch_rwlock_acquire_write(&rwlock);
}

static int borrows(void *arg)
{
	struct filch_loan loan;

	(void)arg;
	filch_latch_wait(&both);
	return filch_limiter_acquire(&limiter, &loan);
}

static int acquires(void *arg)
{
	(void)arg;
	return filch_semaphore_acquire(&semaphore);
}

static int awaits_event(void *arg)
{
	(void)arg;
	return filch_event_wait(&event);
}

static int awaits_news(void *arg)
{
	(void)arg;
	return filch_notify_wait(&notify);
}

static int awaits_condition(void *arg)
{
	int status = filch_lock_acquire(&first);

	(void)arg;
	if (status == 0) {
		status = filch_condition_wait(&condition, &first);
		filch_lock_release(&first);
	}
	return status;
}

static int meets(void *arg)
{
	(void)arg;
	return filch_barrier_wait(&barrier, NULL);
}

static int counts(void *arg)
{
	(void)arg;
	return filch_latch_wait(&latch);
}

static int gets(void *arg)
{
	(void)arg;
	return filch_queue_get(&queue, NULL);
}

static int parks(void *arg)
{
	(void)arg;
	return filch_parking_lot_park(&lot);
}

static int selects(void *arg)
{
	struct filch_arm arms[] = { filch_queue_get_arm(&queue, NULL), filch_lock_arm(NULL) };

	(void)arg;
	return filch_select_wait(arms, 2, 0, NULL);
}

static int everybody(void *arg)
{
	static struct role roles[] = { { "keeper", keeps },
				       { "loader", runs_once },
				       { "user", waits_for_once },
				       { "writer", writes },
				       { "borrower", borrows },
				       { "acquirer", acquires },
				       { "listener", awaits_event },
				       { "reader of news", awaits_news },
				       { "conditional", awaits_condition },
				       { "party", meets },
				       { "counter", counts },
				       { "consumer", gets },
				       { "parker", parks },
				       { "selector", selects },
				       { 0 } };

	(void)arg;
	memset(&both, 0, sizeof(both));
	filch_latch_add(&both, 2);
	memset(&latch, 0, sizeof(latch));
	filch_latch_add(&latch, 3);
	filch_limiter_set_total(&limiter, 1);
	filch_barrier_init(&barrier, 2, NULL);
	return play(roles);
}

/* VT6 */
Test(report, each_kind_of_wait_is_called_by_its_name)
{
	static const char *const lines[] = {
		"'keeper' (child of 'main') waits for time to pass",
		"'user' (child of 'main') waits for a once, held by 'loader'",
		"'writer' (child of 'main') waits for an rwlock, held by 'keeper'",
		"'borrower' (child of 'main') waits for a limiter, held by 'keeper'",
		"'acquirer' (child of 'main') waits for a semaphore, 0 permits are free",
		"'listener' (child of 'main') waits for an event",
		"'reader of news' (child of 'main') waits for a notification",
		"'conditional' (child of 'main') waits for a condition",
		"'party' (child of 'main') waits for a barrier, 1 of 2 have come",
		"'counter' (child of 'main') waits for a latch, 3 to be done",
		"'consumer' (child of 'main') waits for an element of a queue",
		"'parker' (child of 'main') waits for a parking lot",
		"'selector' (child of 'main') waits for any of a select's arms",
		"'main' waits for its children",
	};

	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct filch_simulation_options options = { .size = sizeof(options),
							    .seed = seed,
							    .workers = 1 + (unsigned)seed % 3,
							    .report = seeds_keep_report };

		seeds_report[0] = '\0';
		cr_assert_eq(filch_simulate(&options, everybody, NULL), -EDEADLK);
		for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
			char name[32];

			snprintf(name, sizeof(name), "task %.*s",
				 (int)(strcspn(lines[i] + 1, "'") + 2), lines[i]);
			cr_assert(strstr(seeds_report, name), "%s", name);
			cr_expect_str_eq(said_of(name) + strlen("task "), lines[i]);
		}
	}
}
