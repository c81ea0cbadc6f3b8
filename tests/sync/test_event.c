/* The event: everybody who waits goes on, once, and nobody is forgotten. */
#include "sync/waiters.h"

static int wait_for(struct call *call)
{
	return filch_event_wait_until(call->object, call->deadline);
}

static struct filch_event_statistics look(struct filch_event *event)
{
	struct filch_event_statistics statistics;

	filch_event_get_statistics(event, &statistics);
	return statistics;
}

static struct call *in_line(struct scene *scene, struct filch_event *event)
{
	unsigned waiting = look(event).waiting;
	struct call *call = scene_call(scene, wait_for, event, 0);

	await_that(look(event).waiting == waiting + 1);
	call_await_parked(call);
	return call;
}

/* EV1, G5, G8: the example in the header. */
static struct filch_event ready = FILCH_EVENT_INIT;

static int is_set_already(void *arg)
{
	struct filch_event event = { .line = { .waiting = 0 } };
	struct filch_token token;

	(void)arg;
	cr_expect_not(filch_event_is_set(&event));
	cr_expect_eq(filch_event_try_wait(&event), -EAGAIN);
	cr_expect_eq(filch_event_wait_until(&event, 0), -ETIMEDOUT);
	cr_expect_eq(filch_event_wait_until(&event, filch_now() + FILCH_MILLISECOND), -ETIMEDOUT);
	cr_expect_eq(filch_event_set(&event), 0);
	cr_expect(filch_event_is_set(&event));
	cr_expect_eq(filch_event_wait(&event), 0);
	cr_expect_eq(filch_event_wait_until(&event, 0), 0);
	cr_expect_eq(filch_event_try_wait(&event), 0);
	enter_cancelled(&token);
	cr_expect_eq(filch_event_wait(&event), -ECANCELED);
	cr_expect_eq(filch_event_try_wait(&event), 0);
	leave_cancelled(&token);
	cr_expect_eq(filch_event_clear(&event), 0);
	cr_expect_eq(filch_event_clear(&event), 0);
	cr_expect_eq(filch_event_try_wait(&event), -EAGAIN);
	cr_expect_eq(filch_event_wait(NULL), -EINVAL);
	cr_expect_eq(filch_event_set(NULL), -EINVAL);
	cr_expect_eq(filch_event_fini(&event), 0);
	cr_expect_eq(filch_event_fini(NULL), 0);
	filch_event_set(&ready);
	return filch_event_wait(&ready);
}

Test(event, a_wait_for_one_that_is_set_returns_at_once_and_is_a_checkpoint)
{
	play(is_set_already);
	cr_assert_eq(is_set_already(NULL), 0);
}

/* EV2, EV3, G11 */
static int is_cleared_at_once(void *arg)
{
	struct filch_event event = FILCH_EVENT_INIT;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 35; i++)
		in_line(&scene, &event);
	cr_expect_eq(filch_event_fini(&event), -EBUSY);
	filch_event_set(&event);
	filch_event_clear(&event);
	filch_event_set(&event);
	filch_event_set(&event);
	filch_event_clear(&event);
	cr_expect_eq(look(&event).waiting, 0);
	scene_close(&scene);
	for (int i = 0; i < 35; i++)
		cr_expect_eq(scene.calls[i].status, 0);
	cr_expect_eq(look(&event).contended, 35);
	cr_expect_eq(filch_event_try_wait(&event), -EAGAIN);
	return 0;
}

Test(event, setting_wakes_all_who_wait_though_it_is_cleared_at_once)
{
	play(is_cleared_at_once);
}

/* EV4, EV5, G2, G3 */
static int cancels_around_the_set(void *arg)
{
	struct filch_event event = FILCH_EVENT_INIT;
	struct call *before, *after;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	before = in_line(&scene, &event);
	after = in_line(&scene, &event);
	call_cancel(before);
	call_await(before);
	cr_expect_eq(look(&event).waiting, 1);
	filch_event_set(&event);
	filch_task_cancel(after->task, 0);
	scene_close(&scene);
	cr_expect_eq(before->status, -ECANCELED);
	cr_expect_eq(after->status, 0); /* D0 */
	cr_expect_eq(look(&event).waiting, 0);
	return 0;
}

Test(event, a_wait_that_was_woken_and_then_cancelled_has_succeeded)
{
	play(cancels_around_the_set);
}

/* EV6: from any task or thread, with no wakeup lost; G13: the ball's number is plain. */
struct ball {
	struct filch_event here[2];
	int number;
	int rounds;
};

static void throw_and_catch(struct ball *ball, int side)
{
	for (int i = 0; i < ball->rounds; i++) {
		cr_expect_eq(filch_event_wait(&ball->here[side]), 0);
		filch_event_clear(&ball->here[side]);
		ball->number++;
		filch_event_set(&ball->here[!side]);
	}
}

static void *plays_as_thread(void *arg)
{
	throw_and_catch(arg, 1);
	return NULL;
}

static int plays_as_task(void *arg)
{
	throw_and_catch(arg, 0);
	return 0;
}

static int plays_with_thread(void *arg)
{
	struct ball ball = { .rounds = rounds(3000) };
	pthread_t thread;

	(void)arg;
	pthread_create(&thread, NULL, plays_as_thread, &ball);
	filch_event_set(&ball.here[0]);
	throw_and_catch(&ball, 0);
	pthread_join(thread, NULL);
	cr_expect_eq(ball.number, 2 * ball.rounds);
	return 0;
}

Test(event, a_task_and_a_thread_play_ball, .timeout = 60)
{
	play(plays_with_thread);
}

Test(event, tasks_of_two_runtimes_play_ball_with_a_thread, .timeout = 60)
{
	struct filch_options options = { .size = sizeof(options), .workers = 2 };
	struct ball ball = { .rounds = rounds(2000) };
	struct filch_runtime *runtime;
	struct filch_task *task;
	pthread_t thread;

	cr_assert_eq(filch_runtime_create(&runtime, &options), 0);
	pthread_create(&thread, NULL, plays_as_thread, &ball);
	cr_assert_eq(filch_runtime_submit(runtime, NULL, plays_as_task, &ball, &task), 0);
	filch_event_set(&ball.here[0]);
	cr_assert_eq(filch_task_wait(task, NULL), 0);
	pthread_join(thread, NULL);
	filch_task_release(task);
	cr_assert_eq(filch_runtime_destroy(runtime), 0);
	cr_assert_eq(ball.number, 2 * ball.rounds);
}

static void set_from_timer(void *arg)
{
	cr_expect_eq(filch_event_wait(arg), -EPERM);
	cr_expect_eq(filch_event_set(arg), 0);
}

static int is_set_by_timer(void *arg)
{
	struct filch_event event = FILCH_EVENT_INIT;
	struct filch_timer timer;

	(void)arg;
	cr_expect_eq(filch_timer_init(&timer, NULL, set_from_timer, &event), 0);
	cr_expect_eq(filch_timer_start(&timer, filch_now() + FILCH_MILLISECOND), 0);
	cr_expect_eq(filch_event_wait(&event), 0);
	filch_timer_fini(&timer);
	return 0;
}

Test(event, is_set_by_a_timer)
{
	play(is_set_by_timer);
}

/* ---- Crowds ---- */

/* Forty wait in rounds, some cancelled or timed out; each is woken or told why not. */
struct crowd {
	struct filch_event event;
	int in_time, late;
	int rounds;
	int stop;
};

static int waits(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&crowd ^ (uint32_t)filch_now();

	for (int i = 0; i < crowd->rounds; i++) {
		struct filch_token token;
		int status;

		filch_token_init(&token);
		if (next_random(&seed) % 3 == 0)
			filch_token_set_deadline(&token, filch_now() + next_random(&seed) % 40000);
		filch_scope_enter(&token);
		status = filch_event_wait_until(&crowd->event,
						next_random(&seed) % 3
							? FILCH_NEVER
							: filch_now() + next_random(&seed) % 40000);
		cr_expect(status == 0 || status == -ETIMEDOUT || status == -ECANCELED);
		flag_add(status == 0 ? &crowd->in_time : &crowd->late);
		filch_scope_leave(&token);
		filch_token_fini(&token);
		filch_yield();
	}
	return 0;
}

static void *sets_as_thread(void *arg)
{
	struct crowd *crowd = arg;

	while (!flag_get(&crowd->stop)) {
		filch_event_set(&crowd->event);
		filch_event_clear(&crowd->event);
		sched_yield();
	}
	return NULL;
}

static int sets_and_clears(void *arg)
{
	struct crowd crowd = { .rounds = rounds(200) };
	struct filch_group group;
	pthread_t threads[2];

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, sets_as_thread, &crowd);
	for (int i = 0; i < 40; i++)
		filch_group_spawn(&group, waits, &crowd);
	filch_group_close(&group);
	flag_add(&crowd.stop);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(crowd.in_time + crowd.late, 40 * crowd.rounds);
	cr_expect_gt(crowd.in_time, 0);
	cr_expect_eq(filch_event_fini(&crowd.event), 0);
	return 0;
}

Test(event, two_set_and_clear_while_forty_wait, .timeout = 60)
{
	play_crowded(sets_and_clears);
}

/* Nobody who waits is forgotten: as many as were parked before the set return after it. */
static int waits_once(void *arg)
{
	return filch_event_wait(arg);
}

static int wakes_a_crowd(void *arg)
{
	const unsigned many = sanitize_is_thread() ? 1000 : (unsigned)rounds(100000);
	struct filch_event event = FILCH_EVENT_INIT;
	struct filch_group group;

	(void)arg;
	filch_group_open(&group, NULL);
	for (unsigned i = 0; i < many; i++)
		cr_expect_eq(filch_group_spawn(&group, waits_once, &event), 0);
	await_that(look(&event).waiting == many);
	filch_event_set(&event);
	cr_expect_eq(look(&event).waiting, 0);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(look(&event).contended, many);
	return 0;
}

Test(event, a_hundred_thousand_are_woken_by_one_set, .timeout = 100)
{
	play(wakes_a_crowd);
}

/* G12 */
static int sets(void *arg)
{
	cr_expect_eq(filch_event_set(arg), 0);
	return 0;
}

static void *sets_once(void *arg)
{
	sets(arg);
	return NULL;
}

static int frees_at_once(void *arg)
{
	const int many = rounds(2000);

	(void)arg;
	for (int i = 0; i < many; i++) {
		struct filch_event *event = calloc(1, sizeof(*event));
		struct filch_group group;

		filch_group_open(&group, NULL);
		filch_group_spawn(&group, sets, event);
		if (i % 2)
			filch_yield();
		cr_expect_eq(filch_event_wait(event), 0);
		free(event);
		filch_group_close(&group);
	}
	for (int i = 0; i < many / 4; i++) {
		struct filch_event *event = calloc(1, sizeof(*event));
		pthread_t thread;

		pthread_create(&thread, NULL, sets_once, event);
		cr_expect_eq(filch_event_wait(event), 0);
		free(event);
		pthread_join(thread, NULL);
	}
	return 0;
}

Test(event, may_be_freed_by_who_was_woken, .timeout = 60)
{
	play_crowded(frees_at_once);
}

/* The last of many to return frees it, woken or not. */
struct shared {
	struct filch_event event;
	int begun;
	int left;
};

static int waits_and_frees(void *arg)
{
	struct shared *shared = arg;
	uint32_t seed = (uint32_t)filch_now();

	flag_add(&shared->begun);
	filch_event_wait_until(&shared->event, next_random(&seed) % 3
						       ? FILCH_NEVER
						       : filch_now() + next_random(&seed) % 200000);
	if (__atomic_sub_fetch(&shared->left, 1, __ATOMIC_ACQ_REL) == 0)
		free(shared);
	return 0;
}

static int is_freed_by_the_last(void *arg)
{
	const int many = rounds(300);

	(void)arg;
	for (int i = 0; i < many; i++) {
		struct shared *shared = calloc(1, sizeof(*shared));
		struct filch_group group;

		shared->left = 40;
		filch_group_open(&group, NULL);
		for (int k = 0; k < 40; k++)
			filch_group_spawn(&group, waits_and_frees, shared);
		await_that(flag_get(&shared->begun) == 40);
		filch_event_set(&shared->event);
		filch_group_close(&group);
	}
	return 0;
}

Test(event, may_be_freed_by_the_last_of_many, .timeout = 60)
{
	play_crowded(is_freed_by_the_last);
}
