/* Once: one runs, the others wait, and a failure hands the turn on. */
#include "sync/waiters.h"

struct cell {
	struct filch_once once;
	int runs, begun, go;
	int status;
	int nested;
	int value; /* plain */
};

static int initialises(void *arg)
{
	struct cell *cell = arg;
	int status = cell->status;

	flag_add(&cell->begun);
	cell->nested = filch_once_run(&cell->once, initialises, cell);
	cr_expect_eq(filch_once_try_run(&cell->once, initialises, cell), -EDEADLK);
	flag_await(&cell->go, 1);
	cell->runs++;
	cell->value = 42;
	return status;
}

static int run_once(struct call *call)
{
	struct cell *cell = call->object;

	return filch_once_run_until(&cell->once, initialises, cell, call->deadline);
}

static struct filch_once_statistics look(struct cell *cell)
{
	struct filch_once_statistics statistics;

	filch_once_get_statistics(&cell->once, &statistics);
	return statistics;
}

static struct call *in_line(struct scene *scene, struct cell *cell)
{
	unsigned waiting = look(cell).waiting;
	struct call *call = scene_call(scene, run_once, cell, 0);

	await_that(look(cell).waiting == waiting + 1);
	call_await_parked(call);
	return call;
}

/* ON1, ON3, ON4, G5, G8, G11 */
static int runs_once(void *arg)
{
	struct cell cell = { .runs = 0 };
	struct filch_token token;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	scene_call(&scene, run_once, &cell, 0);
	flag_await(&cell.begun, 1);
	for (int i = 0; i < 35; i++)
		in_line(&scene, &cell);
	cr_expect(look(&cell).running);
	cr_expect_eq(filch_once_set(&cell.once), -EBUSY);
	cr_expect_eq(filch_once_fini(&cell.once), -EBUSY);
	cr_expect_eq(filch_once_try_run(&cell.once, initialises, &cell), -EAGAIN);
	cr_expect_eq(filch_once_run_until(&cell.once, initialises, &cell, 0), -ETIMEDOUT);
	cr_expect_eq(filch_once_run_until(&cell.once, initialises, &cell,
					  filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	cr_expect_not(filch_once_is_done(&cell.once));
	cr_expect_eq(scene.order, 0);
	flag_add(&cell.go);
	scene_close(&scene);
	for (int i = 0; i < 36; i++)
		cr_expect_eq(scene.calls[i].status, 0);
	cr_expect_eq(cell.runs, 1);
	cr_expect_eq(cell.nested, -EDEADLK);
	cr_expect(filch_once_is_done(&cell.once));
	cr_expect_eq(filch_once_set(&cell.once), -EALREADY);
	cr_expect_eq(filch_once_run(&cell.once, initialises, &cell), 0);
	cr_expect_eq(filch_once_try_run(&cell.once, initialises, &cell), 0);
	enter_cancelled(&token);
	cr_expect_eq(filch_once_run(&cell.once, initialises, &cell), -ECANCELED);
	cr_expect_eq(filch_once_try_run(&cell.once, initialises, &cell), 0);
	leave_cancelled(&token);
	cr_expect_eq(cell.runs, 1);
	cr_expect_eq(filch_once_fini(&cell.once), 0);
	return 0;
}

Test(once, one_runs_and_the_others_wait_for_it)
{
	play(runs_once);
}

/* ON3, ON4, G10: misuse, and set. */
static int is_set(void *arg)
{
	struct cell cell = { .go = 1 };

	(void)arg;
	cr_expect_eq(filch_once_run(NULL, initialises, &cell), -EINVAL);
	cr_expect_eq(filch_once_run(&cell.once, NULL, &cell), -EINVAL);
	cr_expect_eq(filch_once_try_run(&cell.once, NULL, &cell), -EINVAL);
	cr_expect_eq(filch_once_set(NULL), -EINVAL);
	cr_expect_not(filch_once_is_done(NULL));
	cr_expect_eq(filch_once_set(&cell.once), 0);
	cr_expect_eq(filch_once_set(&cell.once), -EALREADY);
	cr_expect_eq(filch_once_run(&cell.once, initialises, &cell), 0);
	cr_expect_eq(cell.runs, 0);
	cr_expect_eq(filch_once_fini(&cell.once), 0);
	cr_expect_eq(filch_once_fini(NULL), 0);
	cell.once = (struct filch_once)FILCH_ONCE_INIT;
	cr_expect_eq(filch_once_run(&cell.once, initialises, &cell), 0);
	cr_expect_eq(cell.nested, -EDEADLK);
	cr_expect_eq(cell.runs, 1);
	return 0;
}

Test(once, can_be_set_unless_somebody_runs_it)
{
	play(is_set);
	cr_assert_eq(is_set(NULL), 0);
}

/* ON2: the failure is the runner's own; the next one in line takes over; cancelled ones are passed
 * over. */
static int fails_at_first(void *arg)
{
	struct cell cell = { .status = -ENOMEM };
	struct call *first, *gone, *next, *last;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	first = scene_call(&scene, run_once, &cell, 0);
	flag_await(&cell.begun, 1);
	gone = in_line(&scene, &cell);
	next = in_line(&scene, &cell);
	last = in_line(&scene, &cell);
	call_cancel(gone);
	cell.status = 0; /* read already by the first */
	flag_add(&cell.go);
	scene_close(&scene);
	cr_expect_eq(first->status, -ENOMEM);
	cr_expect_eq(gone->status, -ECANCELED);
	cr_expect_eq(next->status, 0);
	cr_expect_eq(last->status, 0);
	cr_expect_eq(cell.runs, 2);
	/* Nobody waits: it is as if it had never been run. */
	cell = (struct cell){ .status = -ENOMEM, .go = 1 };
	cr_expect_eq(filch_once_run(&cell.once, initialises, &cell), -ENOMEM);
	cr_expect_not(look(&cell).running);
	cr_expect_not(look(&cell).done);
	cell.status = 5;
	cr_expect_eq(filch_once_run(&cell.once, initialises, &cell), 0);
	cr_expect(look(&cell).done);
	cr_expect_eq(cell.runs, 2);
	return 0;
}

Test(once, after_a_failure_the_next_one_runs)
{
	play(fails_at_first);
}

/* ON2: the initialiser is cancelled. */
static int sleeps(void *arg)
{
	flag_add(&((struct cell *)arg)->begun);
	return filch_sleep(FILCH_NEVER);
}

static int run_sleeping(struct call *call)
{
	return filch_once_run(&((struct cell *)call->object)->once, sleeps, call->object);
}

static int is_cancelled(void *arg)
{
	struct cell cell = { .go = 1 };
	struct call *sleeper, *next;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	sleeper = scene_call(&scene, run_sleeping, &cell, 0);
	flag_await(&cell.begun, 1);
	next = in_line(&scene, &cell);
	call_cancel(sleeper);
	scene_close(&scene);
	cr_expect_eq(sleeper->status, -ECANCELED);
	cr_expect_eq(next->status, 0);
	cr_expect_eq(cell.value, 42);
	return 0;
}

Test(once, after_a_cancelled_one_the_next_one_runs)
{
	play(is_cancelled);
}

/* ---- Crowds ---- */

struct crowd {
	struct filch_once once;
	int runs;   /* plain: only one runs at a time */
	int failed, had;
	int left;
};

static int fails_often(void *arg)
{
	struct crowd *crowd = arg;

	filch_yield();
	return ++crowd->runs < 20 ? -ENOMEM : 0;
}

static int comes(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&crowd ^ (uint32_t)filch_now();
	int status = -1;

	while (status != 0) {
		status = filch_once_run_until(&crowd->once, fails_often, crowd,
					      next_random(&seed) % 2
						      ? FILCH_NEVER
						      : filch_now() + next_random(&seed) % 30000);
		cr_expect(status == 0 || status == -ENOMEM || status == -ETIMEDOUT);
		if (status == -ENOMEM)
			flag_add(&crowd->failed);
	}
	cr_expect_eq(crowd->runs, 20);
	flag_add(&crowd->had);
	if (__atomic_sub_fetch(&crowd->left, 1, __ATOMIC_ACQ_REL) == 0)
		free(crowd);
	return 0;
}

static void *comes_as_thread(void *arg)
{
	comes(arg);
	return NULL;
}

/* ON1, ON2, G12, G13 */
static int is_crowded(void *arg)
{
	const int many = rounds(100);

	(void)arg;
	for (int round = 0; round < many; round++) {
		struct crowd *crowd = calloc(1, sizeof(*crowd));
		struct filch_group group;
		pthread_t thread;

		crowd->left = 41;
		filch_group_open(&group, NULL);
		pthread_create(&thread, NULL, comes_as_thread, crowd);
		for (int i = 0; i < 40; i++)
			filch_group_spawn(&group, comes, crowd);
		filch_group_close(&group);
		pthread_join(thread, NULL);
	}
	return 0;
}

Test(once, one_at_a_time_until_one_succeeds_and_the_last_frees_it, .timeout = 100)
{
	play_crowded(is_crowded);
}
