/* The barrier's action, who comes while it runs, and crowds. */
#include "sync/waiters.h"

static int come(struct call *call)
{
	call->index = 99;
	return filch_barrier_wait_until(call->object, &call->index, call->deadline);
}

static struct filch_barrier_statistics look(struct filch_barrier *barrier)
{
	struct filch_barrier_statistics statistics;

	filch_barrier_get_statistics(barrier, &statistics);
	return statistics;
}

static struct call *arrived(struct scene *scene, struct filch_barrier *barrier)
{
	unsigned waiting = look(barrier).waiting;
	struct call *call = scene_call(scene, come, barrier, 0);

	await_that(look(barrier).waiting == waiting + 1);
	call_await_parked(call);
	return call;
}

/* ---- The action ---- */

struct stage {
	struct filch_barrier barrier;
	int begun, go;
	int runs;
	int status;
	int nested;
	int *released;
};

static int acts(void *arg)
{
	struct stage *stage = arg;

	stage->runs++;
	if (stage->released)
		cr_expect_eq(flag_get(stage->released), 0);
	stage->nested = filch_barrier_wait(&stage->barrier, NULL);
	flag_add(&stage->begun);
	flag_await(&stage->go, 1);
	return stage->status;
}

static void set_stage(struct stage *stage, unsigned parties, enum filch_barrier_policy policy)
{
	struct filch_barrier_options options = { .size = sizeof(options), .policy = policy };

	*stage = (struct stage){ .runs = 0 };
	options.action = acts;
	options.arg = stage;
	cr_expect_eq(filch_barrier_init(&stage->barrier, parties, &options), 0);
}

/* BR15 */
static int acts_first(void *arg)
{
	struct scene scene;
	struct stage stage;

	(void)arg;
	set_stage(&stage, 4, FILCH_BARRIER_LEAVE);
	stage.go = 1;
	stage.released = &scene.order;
	for (int round = 1; round <= 3; round++) {
		scene_open(&scene);
		for (int i = 0; i < 3; i++)
			arrived(&scene, &stage.barrier);
		cr_expect_eq(filch_barrier_wait(&stage.barrier, NULL), 0);
		scene_close(&scene);
		cr_expect_eq(stage.runs, round);
		cr_expect_eq(stage.nested, -EDEADLK);
	}
	stage.status = -ENOMEM;
	scene_open(&scene);
	for (int i = 0; i < 3; i++)
		arrived(&scene, &stage.barrier);
	cr_expect_eq(filch_barrier_wait(&stage.barrier, NULL), -ENOMEM);
	scene_close(&scene);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(scene.calls[i].status, -ENOTRECOVERABLE);
	cr_expect(look(&stage.barrier).broken);
	cr_expect_eq(filch_barrier_wait(&stage.barrier, NULL), -ENOTRECOVERABLE);
	cr_expect_eq(stage.runs, 4);
	cr_expect_eq(filch_barrier_fini(&stage.barrier), 0);
	return 0;
}

Test(barrier_action, runs_once_before_anybody_is_released_and_its_failure_breaks)
{
	play(acts_first);
}

/* BR4, BR7: while the action runs a cancel ends no wait of its generation; who comes then waits for
 * the next. */
static int is_met_while_it_acts(void *arg)
{
	struct call *leader, *first, *second, *next;
	struct scene scene;
	struct stage stage;

	(void)arg;
	set_stage(&stage, 3, FILCH_BARRIER_BREAK);
	scene_open(&scene);
	first = arrived(&scene, &stage.barrier);
	second = arrived(&scene, &stage.barrier);
	leader = scene_call(&scene, come, &stage.barrier, 0);
	flag_await(&stage.begun, 1);
	cr_expect_eq(filch_barrier_fini(&stage.barrier), -EBUSY);
	cr_expect_eq(look(&stage.barrier).waiting, 0);
	call_cancel(first);
	next = scene_call(&scene, come, &stage.barrier, 0);
	for (int i = 0; i < 20; i++)
		filch_yield();
	cr_expect_eq(filch_barrier_try_wait(&stage.barrier, NULL), -EAGAIN);
	cr_expect_eq(filch_barrier_wait_until(&stage.barrier, NULL, 0), -ETIMEDOUT);
	cr_expect_not(call_is_done(first));
	cr_expect_not(call_is_done(next));
	flag_add(&stage.go);
	call_await(leader);
	call_await(first);
	call_await(second);
	cr_expect_eq(leader->status, 0);
	cr_expect_eq(leader->index, 0);
	cr_expect_eq(first->status, 0);
	cr_expect_eq(second->status, 0);
	cr_expect_eq(first->index + second->index, 3);
	await_that(look(&stage.barrier).waiting == 1);
	cr_expect_not(call_is_done(next));
	arrived(&scene, &stage.barrier);
	cr_expect_eq(filch_barrier_wait(&stage.barrier, NULL), 0);
	scene_close(&scene);
	cr_expect_eq(next->status, 0);
	return 0;
}

Test(barrier_action, who_comes_while_it_runs_is_of_the_next_generation)
{
	play(is_met_while_it_acts);
}

/* BR11, BR13: reset or aborted while it runs. */
static int is_reset_while_it_acts(void *arg)
{
	for (int abort = 0; abort < 2; abort++) {
		struct call *leader, *first, *next;
		struct scene scene;
		struct stage stage;

		set_stage(&stage, 2, FILCH_BARRIER_LEAVE);
		scene_open(&scene);
		first = arrived(&scene, &stage.barrier);
		leader = scene_call(&scene, come, &stage.barrier, 0);
		flag_await(&stage.begun, 1);
		next = scene_call(&scene, come, &stage.barrier, 0);
		await_that(look(&stage.barrier).contended == 2);
		cr_expect_eq(abort ? filch_barrier_abort(&stage.barrier)
				   : filch_barrier_reset(&stage.barrier),
			     0);
		call_await(first);
		cr_expect_eq(first->status, -ENOTRECOVERABLE);
		cr_expect_not(call_is_done(leader));
		if (abort) {
			call_await(next);
			cr_expect_eq(next->status, -ENOTRECOVERABLE);
		} else {
			await_that(look(&stage.barrier).waiting == 1);
		}
		flag_add(&stage.go);
		call_await(leader);
		cr_expect_eq(leader->status, -ENOTRECOVERABLE);
		cr_expect_eq(look(&stage.barrier).broken, abort != 0);
		if (!abort) {
			cr_expect_eq(filch_barrier_wait(&stage.barrier, NULL), 0);
			call_await(next);
			cr_expect_eq(next->status, 0);
		}
		scene_close(&scene);
	}
	(void)arg;
	return 0;
}

Test(barrier_action, a_reset_while_it_runs_lets_the_blocked_go_on_in_a_new_generation)
{
	play(is_reset_while_it_acts);
}

/* ---- Crowds ---- */

#define PARTIES 12

/* BR4, G13: in round k nobody is seen who is not through with k - 1; the numbers are plain. */
struct race {
	struct filch_barrier barrier;
	int at[PARTIES];
	int rounds;
	int leaders;
	int joined;
};

static int runs(void *arg)
{
	struct race *race = arg;
	int self = __atomic_fetch_add(&race->joined, 1, __ATOMIC_RELAXED);

	for (int round = 1; round <= race->rounds; round++) {
		unsigned index = 99;

		race->at[self] = round;
		cr_expect_eq(filch_barrier_wait(&race->barrier, &index), 0);
		if (index == 0)
			flag_add(&race->leaders);
		for (int i = 0; i < PARTIES; i++)
			if (race->at[i] != round)
				cr_expect_eq(race->at[i], round);
		cr_expect_eq(filch_barrier_wait(&race->barrier, NULL), 0);
	}
	return 0;
}

static void *runs_as_thread(void *arg)
{
	runs(arg);
	return NULL;
}

static int is_a_race(void *arg)
{
	struct race race = { .barrier = FILCH_BARRIER_INIT(PARTIES), .rounds = rounds(500) };
	struct filch_group group;
	pthread_t threads[2];

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, runs_as_thread, &race);
	for (int i = 0; i < PARTIES - 2; i++)
		filch_group_spawn(&group, runs, &race);
	filch_group_close(&group);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(race.leaders, race.rounds);
	cr_expect_eq(filch_barrier_fini(&race.barrier), 0);
	return 0;
}

Test(barrier_action, tasks_and_threads_go_in_step, .timeout = 60)
{
	play_crowded(is_a_race);
}

/* BR8: of those that came, exactly as many succeed as whole generations need. */
struct crowd {
	struct filch_barrier barrier;
	int through, leaders;
	int rounds;
	int left;
};

static int comes_and_goes(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&crowd ^ (uint32_t)filch_now();

	for (int i = 0; i < crowd->rounds; i++) {
		struct filch_token token;
		unsigned index = 99;
		int status;

		filch_token_init(&token);
		if (next_random(&seed) % 3 == 0)
			filch_token_set_deadline(&token, filch_now() + next_random(&seed) % 40000);
		filch_scope_enter(&token);
		status = filch_barrier_wait_until(&crowd->barrier, &index,
						  filch_now() + next_random(&seed) % 60000);
		cr_expect(status == 0 || status == -ETIMEDOUT || status == -ECANCELED);
		if (status == 0)
			flag_add(&crowd->through);
		if (status == 0 && index == 0)
			flag_add(&crowd->leaders);
		filch_scope_leave(&token);
		filch_token_fini(&token);
	}
	return 0;
}

static void *comes_as_thread(void *arg)
{
	comes_and_goes(arg);
	return NULL;
}

static int is_conserved(void *arg)
{
	struct crowd crowd = { .barrier = FILCH_BARRIER_INIT(3), .rounds = rounds(300) };
	struct filch_group group;
	pthread_t thread;

	(void)arg;
	filch_group_open(&group, NULL);
	pthread_create(&thread, NULL, comes_as_thread, &crowd);
	for (int i = 0; i < 10; i++)
		filch_group_spawn(&group, comes_and_goes, &crowd);
	filch_group_close(&group);
	pthread_join(thread, NULL);
	cr_expect_eq(crowd.through, 3 * crowd.leaders);
	cr_expect_eq(look(&crowd.barrier).generation, (uint64_t)crowd.leaders);
	cr_expect_eq(look(&crowd.barrier).waiting, 0);
	cr_expect_eq(filch_barrier_fini(&crowd.barrier), 0);
	return 0;
}

Test(barrier_action, three_go_through_for_each_leader_whoever_leaves, .timeout = 60)
{
	play_crowded(is_conserved);
}

/* G12 */
static int waits_and_frees(void *arg)
{
	struct crowd *crowd = arg;

	cr_expect_eq(filch_barrier_wait(&crowd->barrier, NULL), 0);
	if (__atomic_sub_fetch(&crowd->left, 1, __ATOMIC_ACQ_REL) == 0)
		free(crowd);
	return 0;
}

static int is_freed_by_the_last(void *arg)
{
	const int many = rounds(300);

	(void)arg;
	for (int i = 0; i < many; i++) {
		struct crowd *crowd = calloc(1, sizeof(*crowd));
		struct filch_group group;
		unsigned parties = i % 2 ? 40 : 2;

		filch_barrier_init(&crowd->barrier, parties, NULL);
		crowd->left = (int)parties;
		filch_group_open(&group, NULL);
		for (unsigned k = 0; k < parties; k++)
			filch_group_spawn(&group, waits_and_frees, crowd);
		filch_group_close(&group);
	}
	return 0;
}

Test(barrier_action, may_be_freed_by_the_last_one_to_return, .timeout = 60)
{
	play_crowded(is_freed_by_the_last);
}
