/* Each allocation fails in turn: the documented error comes back, and everything goes on. */
#include "fault/each.h"

#include <pthread.h>

#define CHILDREN 40
#define COUNT 70 /* more than a heap holds at first */

static const struct filch_group_options collect = { .size = sizeof(collect),
						    .policy = FILCH_GROUP_COLLECT };

/* Statuses that a call may have here. */
static bool is_fine(int status)
{
	cr_expect(status == 0 || status == -ENOMEM, "%d", status);
	return status == 0;
}

/* ---- Groups ---- */

static int spawns_with_handles(void *arg)
{
	struct filch_group group;
	struct filch_group_outcome outcome;
	int count = 0, spawned = 0, given = 0;

	(void)arg;
	filch_group_open(&group, &collect);
	for (int i = 0; i < CHILDREN; i++) {
		struct filch_task *task = NULL;
		int status = filch_group_spawn_with(&group, NULL, count_up, &count, &task);

		spawned += is_fine(status);
		cr_expect_eq(task == NULL, status < 0);
		filch_task_release(task);
	}
	while (filch_group_next_outcome(&group, &outcome) == 0) {
		given++;
		filch_task_release(outcome.task);
	}
	cr_expect_eq(given, spawned);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(flag_get(&count), spawned);
	return 0;
}

Test(no_memory, spawning_with_a_handle_fails_and_the_group_goes_on, .timeout = 100)
{
	fail_each(spawns_with_handles, FILCH__FAULT_ALLOCATE);
}

/* More than the deque holds at first. */
static int spawns_many(void *arg)
{
	struct filch_group group;
	int count = 0, spawned = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 3000; i++)
		spawned += is_fine(filch_group_spawn(&group, count_up, &count));
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(flag_get(&count), spawned);
	return 0;
}

Test(no_memory, spawning_more_than_the_queue_holds_fails_and_none_is_lost, .timeout = 100)
{
	fail_each(spawns_many, FILCH__FAULT_ALLOCATE);
}

/* The same from a child, which counts in the group at once. */
static int spawn_from_below(void *arg)
{
	struct team *team = arg;

	for (int i = 0; i < 3000; i++)
		if (is_fine(filch_group_spawn(&team->group, count_up, &team->ended)))
			flag_add(&team->ready);
	return 0;
}

static int members_spawn(void *arg)
{
	struct team team = { .ended = 0 };

	(void)arg;
	filch_group_open(&team.group, NULL);
	is_fine(filch_group_spawn(&team.group, spawn_from_below, &team));
	is_fine(filch_group_spawn_with(&team.group, NULL, spawn_from_below, &team, NULL));
	cr_expect_eq(filch_group_close(&team.group), 0);
	cr_expect_eq(flag_get(&team.ended), flag_get(&team.ready));
	return 0;
}

Test(no_memory, a_member_that_cannot_spawn_leaves_the_count_right, .timeout = 100)
{
	fail_each(members_spawn, FILCH__FAULT_ALLOCATE);
}

static int get_ready(void *arg)
{
	return filch_task_started(arg);
}

static int starts(void *arg)
{
	struct filch_group_outcome outcome;
	struct filch_group group;
	int started = 0, given = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 10; i++) {
		struct filch_task *task = NULL;
		void *value = NULL;
		int status = filch_group_start(&group, NULL, get_ready, &group, &value, &task);

		started += is_fine(status);
		cr_expect_eq(value == &group, status == 0);
		cr_expect_eq(task == NULL, status < 0);
		filch_task_release(task);
	}
	while (filch_group_next_outcome(&group, &outcome) == 0) {
		given++;
		filch_task_release(outcome.task);
	}
	cr_expect_eq(given, started);
	return filch_group_close(&group);
}

Test(no_memory, a_start_fails_and_the_next_does_not, .timeout = 100)
{
	fail_each(starts, FILCH__FAULT_ALLOCATE);
}

/* The record can be had, room in the queue cannot: with one worker nobody else empties it. */
static int fills_the_queue(void *arg)
{
	struct filch_group_outcome outcome;
	struct filch_group group;
	struct filch_task *task = NULL;
	int count = 0, spawned = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	filch__fault_set(FILCH__FAULT_ALLOCATE, 1, UINT32_MAX);
	while (is_fine(filch_group_spawn(&group, count_up, &count)))
		spawned++;
	filch__fault_set(FILCH__FAULT_ALLOCATE, 2, UINT32_MAX);
	cr_expect_eq(filch_group_spawn_with(&group, NULL, count_up, &count, &task), -ENOMEM);
	filch__fault_set(FILCH__FAULT_ALLOCATE, 2, UINT32_MAX);
	cr_expect_eq(filch_group_spawn_with(&group, NULL, count_up, &count, NULL), -ENOMEM);
	filch__fault_set(FILCH__FAULT_ALLOCATE, 2, UINT32_MAX);
	cr_expect_eq(filch_group_start(&group, NULL, get_ready, NULL, NULL, &task), -ENOMEM);
	cr_expect_eq(filch__fault_calls(FILCH__FAULT_ALLOCATE), 2u);
	filch__fault_clear();
	cr_expect_null(task);
	cr_expect_eq(filch_group_next_outcome(&group, &outcome), -ENODATA);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(count, spawned);
	return 0;
}

Test(no_memory, a_record_without_room_in_the_queue_is_given_back, .timeout = 100)
{
	struct trial trial = { .scenario = fills_the_queue, .workers = 1 };

	run_trial(&trial);
}

static int opens_with_deadlines(void *arg)
{
	struct filch_group_options options = { .size = sizeof(options),
					       .deadline = filch_now() + 3600 * FILCH_SECOND };
	struct filch_group groups[COUNT];
	bool open[COUNT];
	int count = 0;

	(void)arg;
	for (int i = 0; i < COUNT; i++) {
		open[i] = is_fine(filch_group_open(&groups[i], &options));
		cr_expect_eq(filch_group_spawn(&groups[i], count_up, &count), open[i] ? 0 : -EPERM);
	}
	for (int i = COUNT; i-- > 0;)
		cr_expect_eq(filch_group_close(&groups[i]), open[i] ? 0 : -EPERM);
	return filch_checkpoint();
}

Test(no_memory, a_group_whose_deadline_finds_no_room_is_not_open, .timeout = 100)
{
	fail_each(opens_with_deadlines, FILCH__FAULT_ALLOCATE);
}

/* ---- Time ---- */

static int sleeps(void *arg)
{
	filch_time begin = filch_now();
	int status = filch_sleep(FILCH_MILLISECOND);

	(void)arg;
	if (is_fine(status))
		cr_expect_geq(filch_now() - begin, FILCH_MILLISECOND);
	return 0;
}

/* More than a heap holds at first. */
static int many_sleep(void *arg)
{
	struct filch_group group;

	filch_group_open(&group, NULL);
	for (int i = 0; i < 200; i++)
		is_fine(filch_group_spawn(&group, sleeps, arg));
	filch__fault_clear(); /* now and then, not at a time: stacks must be had */
	filch__fault_set(FILCH__FAULT_ALLOCATE, ((struct trial *)arg)->k, 1);
	return filch_group_close(&group);
}

Test(no_memory, a_sleep_fails_at_once_or_is_not_cut_short, .timeout = 100)
{
	fail_each(many_sleep, FILCH__FAULT_ALLOCATE);
}

/* A wait that got no timer has left the list of who waits: the task ends without it. */
static int waits_with_deadlines(void *arg)
{
	struct team team = { .ended = 0 };
	struct filch_task *task = NULL;
	int status = 7;

	(void)arg;
	filch_group_open(&team.group, NULL);
	if (is_fine(filch_group_spawn_with(&team.group, NULL, waits_for_go, &team, &task))) {
		for (int i = 0; i < 3; i++) {
			status = filch_task_wait_until(task, NULL, filch_now() + FILCH_MICROSECOND);
			cr_expect(status == -ETIMEDOUT || status == -ENOMEM);
		}
		flag_add(&team.go);
		cr_expect_eq(filch_task_wait(task, &status), 0);
		cr_expect_eq(status, 0);
	}
	filch_task_release(task);
	return filch_group_close(&team.group);
}

Test(no_memory, a_wait_with_a_deadline_fails_and_leaves_nothing, .timeout = 100)
{
	fail_each(waits_with_deadlines, FILCH__FAULT_ALLOCATE);
}

static int sets_deadlines(void *arg)
{
	filch_time late = filch_now() + 3600 * FILCH_SECOND;
	struct filch_token tokens[COUNT];

	(void)arg;
	for (int i = 0; i < COUNT; i++) {
		bool set;

		filch_token_init(&tokens[i]);
		set = is_fine(filch_token_set_deadline(&tokens[i], late));
		cr_expect_eq(filch_token_deadline(&tokens[i]), set ? late : FILCH_NEVER);
		if (set) /* moving it needs no memory */
			cr_expect_eq(filch_token_set_deadline(&tokens[i], late + 1), 0);
		cr_expect_eq(filch_scope_enter(&tokens[i]), 0);
		cr_expect_eq(filch_checkpoint(), 0);
	}
	for (int i = COUNT; i-- > 0;) {
		cr_expect_eq(filch_scope_leave(&tokens[i]), 0);
		cr_expect_eq(filch_token_fini(&tokens[i]), 0);
	}
	return 0;
}

Test(no_memory, a_deadline_is_set_or_all_is_as_it_was, .timeout = 100)
{
	fail_each(sets_deadlines, FILCH__FAULT_ALLOCATE);
}

static void *set_foreign_deadlines(void *arg)
{
	struct filch_token *tokens = arg;

	for (int i = 0; i < COUNT; i++) {
		filch_token_init_below(&tokens[i], NULL, 0);
		cr_expect_eq(
			filch_token_set_deadline(&tokens[i], filch_now() + 3600 * FILCH_SECOND), 0);
	}
	return NULL;
}

/* Their deadlines were set by a plain thread: entering brings them here. */
static int enters(void *arg)
{
	struct filch_token tokens[COUNT];
	bool entered[COUNT];
	pthread_t thread;

	(void)arg;
	pthread_create(&thread, NULL, set_foreign_deadlines, tokens);
	pthread_join(thread, NULL);
	for (int i = 0; i < COUNT; i++) {
		entered[i] = is_fine(filch_scope_enter(&tokens[i]));
		cr_expect_neq(filch_token_deadline(&tokens[i]), FILCH_NEVER);
	}
	for (int i = COUNT; i-- > 0;) {
		cr_expect_eq(filch_scope_leave(&tokens[i]), entered[i] ? 0 : -EPERM);
		cr_expect_eq(filch_token_fini(&tokens[i]), 0);
	}
	return filch_checkpoint();
}

Test(no_memory, a_scope_whose_deadline_finds_no_room_is_not_entered, .timeout = 100)
{
	fail_each(enters, FILCH__FAULT_ALLOCATE);
}

static void ring(void *arg)
{
	flag_add(arg);
}

static int rings(void *arg)
{
	struct filch_timer timers[COUNT];
	int started = 0, rung = 0;

	(void)arg;
	for (int i = 0; i < COUNT; i++) {
		filch_timer_init(&timers[i], NULL, ring, &rung);
		started += is_fine(filch_timer_start(&timers[i], filch_now() + FILCH_MILLISECOND));
	}
	flag_await(&rung, started);
	for (int i = 0; i < COUNT; i++)
		filch_timer_fini(&timers[i]);
	cr_expect_eq(flag_get(&rung), started);
	return 0;
}

Test(no_memory, timers_that_were_started_ring_and_no_others, .timeout = 100)
{
	fail_each(rings, FILCH__FAULT_ALLOCATE);
}

static int ticks(void *arg)
{
	struct filch_interval interval;
	filch_time due = 0, last = 0;

	(void)arg;
	filch_interval_init(&interval, filch_now() + FILCH_MILLISECOND, FILCH_MILLISECOND / 4,
			    FILCH_INTERVAL_BURST);
	for (int i = 0; i < 5; i++) {
		if (!is_fine(filch_interval_wait(&interval, &due)))
			continue;
		cr_expect(last == 0 || due == last + FILCH_MILLISECOND / 4); /* none is lost */
		last = due;
	}
	return 0;
}

Test(no_memory, a_tick_that_could_not_be_awaited_is_not_lost, .timeout = 100)
{
	fail_each(ticks, FILCH__FAULT_ALLOCATE);
}
