/* The condition: who is notified, in what order, and that the lock is held whatever happens. */
#include "sync/waits.h"

/* CD2: by attribute; the waiter is woken at once, the lock being free. */
static int notify_unlocked(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 3, FILCH_CONDITION_NOTIFY_UNLOCKED);
	cr_expect_eq(filch_condition_notify(&scene.condition, 1), 0);
	flag_await(&scene.crew.arrived, 1);
	cr_expect_eq(filch_condition_notify_all(&scene.condition), 0);
	close_scene(&scene);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "012");
	return 0;
}

Test(condition, with_the_attribute_notify_does_not_ask_for_the_lock)
{
	play(notify_unlocked);
}

/* CD3 */
struct handshake {
	struct filch_lock lock;
	struct filch_condition condition;
	int turn, rounds;
};

static int take_turns(struct handshake *handshake, int mine)
{
	for (int i = 0; i < handshake->rounds; i++) {
		cr_expect_eq(filch_lock_acquire(&handshake->lock), 0);
		while (handshake->turn != mine)
			cr_expect_eq(filch_condition_wait(&handshake->condition, &handshake->lock),
				     0);
		handshake->turn = !mine;
		cr_expect_eq(filch_condition_notify(&handshake->condition, 1), 0);
		cr_expect_eq(filch_lock_release(&handshake->lock), 0);
	}
	return 0;
}

static int even(void *arg)
{
	return take_turns(arg, 0);
}

static int odd(void *arg)
{
	return take_turns(arg, 1);
}

static void *odd_in_thread(void *arg)
{
	odd(arg);
	return NULL;
}

static int shake_hands(void *arg)
{
	struct handshake handshake = { .rounds = 500 };
	struct filch_group group;
	pthread_t thread;

	(void)arg;
	filch_group_open(&group, NULL);
	filch_group_spawn(&group, even, &handshake);
	filch_group_spawn(&group, odd, &handshake);
	cr_expect_eq(filch_group_close(&group), 0);
	filch_group_open(&group, NULL);
	pthread_create(&thread, NULL, odd_in_thread, &handshake);
	filch_group_spawn(&group, even, &handshake);
	cr_expect_eq(filch_group_close(&group), 0);
	pthread_join(thread, NULL);
	return 0;
}

Test(condition, a_notify_after_the_lock_was_given_away_is_not_missed, .timeout = 30)
{
	play(shake_hands);
}

/* CD4, CD5, CD6, CD7: cancelled while the lock is another's, and again while it waits for it. */
static int cancelled(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 2, 0);
	cr_expect_eq(filch_lock_acquire(&scene.lock), 0);
	cr_expect(filch_task_cancel(scene.crew.tasks[0], -EINTR));
	lock_await_waiting(&scene.lock, 1);
	filch_task_cancel(scene.crew.tasks[0], -EIO);
	filch_task_cancel(scene.crew.tasks[1], -ENOENT);
	lock_await_waiting(&scene.lock, 2);
	for (int i = 0; i < 5; i++)
		filch_yield();
	cr_expect_eq(flag_get(&scene.crew.arrived), 0);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	close_scene(&scene);
	cr_expect_eq(scene.crew.status[0], -ECANCELED);
	cr_expect_eq(scene.waits[0].reason, -EINTR);
	cr_expect_eq(scene.crew.status[1], -ECANCELED);
	cr_expect_eq(scene.waits[1].reason, -ENOENT);
	return 0;
}

Test(condition, a_cancelled_wait_returns_with_the_lock_and_the_first_reason)
{
	play(cancelled);
}

/* CD4, CD19 */
static int timed_out(void *arg)
{
	struct filch_lock lock = { 0 };
	struct filch_condition condition = { 0 };

	(void)arg;
	cr_expect_eq(filch_lock_acquire(&lock), 0);
	cr_expect_eq(filch_condition_wait_until(&condition, &lock, filch_now() + 1000), -ETIMEDOUT);
	cr_expect(is_mine(&lock));
	cr_expect_eq(filch_condition_wait_until(&condition, &lock, filch_now()), -ETIMEDOUT);
	cr_expect_eq(filch_condition_wait_until(&condition, &lock, 0), -ETIMEDOUT);
	cr_expect_eq(filch_condition_wait_until(&condition, &lock, -1), -ETIMEDOUT);
	cr_expect(is_mine(&lock));
	cr_expect_eq(filch_lock_release(&lock), 0);
	cr_expect_eq(filch_condition_fini(&condition), 0);
	return 0;
}

/* The lock is released meanwhile: who waits for it gets it. */
static int pass_through(void *arg)
{
	struct scene *scene = arg;

	cr_expect_eq(filch_lock_acquire(&scene->lock), 0);
	crew_arrive(&scene->crew, 7);
	return filch_lock_release(&scene->lock);
}

static int timed_out_lets_others_in(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 0, 0);
	cr_expect_eq(filch_lock_acquire(&scene.lock), 0);
	filch_group_spawn(&scene.crew.group, pass_through, &scene);
	lock_await_waiting(&scene.lock, 1);
	busy_for(2 * FILCH_MILLISECOND); /* so that it is handed over */
	cr_expect_eq(filch_condition_wait_until(&scene.condition, &scene.lock, 1), -ETIMEDOUT);
	cr_expect(is_mine(&scene.lock));
	cr_expect_eq(flag_get(&scene.crew.arrived), 1);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	close_scene(&scene);
	return 0;
}

Test(condition, a_wait_that_times_out_has_released_the_lock_and_holds_it_again)
{
	play(timed_out);
	play(timed_out_lets_others_in);
	timed_out(NULL);
}

/* A pending cancel: at once, and the lock was never given away. */
static int cancelled_already(void *arg)
{
	struct filch_lock lock = { 0 };
	struct filch_condition condition = { 0 };
	struct filch_token token;

	(void)arg;
	filch_token_init(&token);
	cr_expect_eq(filch_lock_acquire(&lock), 0);
	filch_scope_enter(&token);
	filch_token_cancel(&token, 0);
	cr_expect_eq(filch_condition_wait(&condition, &lock), -ECANCELED);
	filch_scope_leave(&token);
	filch_token_fini(&token);
	cr_expect_eq(filch_lock_release(&lock), 0);
	return 0;
}

Test(condition, a_cancelled_caller_does_not_wait)
{
	play(cancelled_already);
	cancelled_already(NULL);
}

/* CD8, CD9, CD10: notified first, then cancelled or too late: the notify is had, and not lost. */
static bool notified_then_ended_within(filch_time span)
{
	struct scene scene;

	open_scene(&scene, 1, 0);
	add_waits(&scene, 1, filch_now() + span);
	add_waits(&scene, 2, FILCH_NEVER);
	cr_expect_eq(filch_lock_acquire(&scene.lock), 0);
	cr_expect_eq(filch_condition_notify(&scene.condition, 2), 0);
	if (filch_now() >= scene.waits[1].deadline) {
		cr_expect_eq(filch_lock_release(&scene.lock), 0);
		filch_group_cancel(&scene.crew.group, 0);
		close_scene(&scene);
		return false; /* nobody can tell which came first */
	}
	cr_expect(filch_task_cancel(scene.crew.tasks[0], 0));
	while (filch_now() < scene.waits[1].deadline)
		filch_sleep_until(scene.waits[1].deadline);
	for (int i = 0; i < 5; i++)
		filch_yield();
	cr_expect_eq(waiting_for_lock(&scene.lock), 2);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	flag_await(&scene.crew.arrived, 2);
	cr_expect_eq(waiting_for(&scene.condition), 1);
	notify(&scene, 1);
	close_scene(&scene);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(scene.crew.status[i], 0, "%d", i);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "012");
	return true;
}

static int notified_then_ended(void *arg)
{
	filch_time span = 20 * FILCH_MILLISECOND;

	(void)arg;
	/* When it was too late already it is tried again with more time. */
	while (!notified_then_ended_within(span) && span < 20 * FILCH_SECOND)
		span *= 2;
	cr_expect_lt(span, 20 * FILCH_SECOND);
	return 0;
}

Test(condition, a_notified_wait_is_ended_neither_by_a_cancel_nor_by_its_deadline)
{
	play(notified_then_ended);
}

/* CD11, CD8: who is cancelled first does not use up a notify. */
static int cancelled_then_notified(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 5, 0);
	cr_expect_eq(filch_lock_acquire(&scene.lock), 0);
	filch_task_cancel(scene.crew.tasks[0], 0);
	filch_task_cancel(scene.crew.tasks[2], 0);
	cr_expect_eq(filch_condition_notify(&scene.condition, 2), 0);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	flag_await(&scene.crew.arrived, 4);
	cr_expect_eq(waiting_for(&scene.condition), 1);
	notify(&scene, 7);
	close_scene(&scene);
	cr_expect_eq(scene.crew.status[0], -ECANCELED);
	cr_expect_eq(scene.crew.status[1], 0);
	cr_expect_eq(scene.crew.status[2], -ECANCELED);
	cr_expect_eq(scene.crew.status[3], 0);
	cr_expect_eq(scene.crew.status[4], 0);
	return 0;
}

Test(condition, notify_reaches_the_first_live_ones)
{
	play(cancelled_then_notified);
}

/* CD11, CD14, CD17 */
static int moved(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 3, 0);
	cr_expect_eq(filch_lock_acquire(&scene.lock), 0);
	cr_expect_eq(filch_condition_notify(&scene.condition, 2), 0);
	cr_expect_eq(waiting_for(&scene.condition), 1);
	cr_expect_eq(waiting_for_lock(&scene.lock), 2);
	cr_expect_eq(filch_condition_notify(&scene.condition, 0), 0);
	cr_expect_eq(waiting_for(&scene.condition), 1);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	flag_await(&scene.crew.arrived, 2);
	notify(&scene, 1);
	close_scene(&scene);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "012");
	return 0;
}

Test(condition, the_notified_move_to_the_queue_of_the_lock)
{
	play(moved);
}

/* CD13 */
static int not_remembered(void *arg)
{
	struct filch_condition condition = { 0 };
	struct filch_lock lock = { 0 };

	(void)arg;
	cr_expect_eq(filch_condition_notify(&condition, 1), 0);
	cr_expect_eq(filch_lock_acquire(&lock), 0);
	cr_expect_eq(filch_condition_notify(&condition, 3), 0);
	cr_expect_eq(filch_condition_wait_until(&condition, &lock, filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	cr_expect_eq(filch_lock_release(&lock), 0);
	cr_expect_eq(filch_condition_fini(&condition), 0);
	cr_expect_eq(filch_lock_fini(&lock), 0);
	return 0;
}

Test(condition, a_notify_of_nobody_is_not_remembered)
{
	play(not_remembered);
}

/* CD12: the notified wait again at once, and are not notified twice. */
static int again(void *arg)
{
	struct waits *waits = arg;
	struct scene *scene = waits->scene;

	cr_expect_eq(filch_lock_acquire(&scene->lock), 0);
	cr_expect_eq(filch_condition_wait(&scene->condition, &scene->lock), 0);
	crew_arrive(&scene->crew, waits->index);
	cr_expect_eq(filch_condition_wait(&scene->condition, &scene->lock), 0);
	crew_arrive(&scene->crew, waits->index);
	return filch_lock_release(&scene->lock);
}

static int not_twice(void *arg)
{
	struct scene scene;

	(void)arg;
	open_scene(&scene, 0, 0);
	for (int i = 0; i < 4; i++) {
		scene.waits[i] = (struct waits){ &scene, i, FILCH_NEVER, 0 };
		filch_group_spawn(&scene.crew.group, again, &scene.waits[i]);
		while (waiting_for(&scene.condition) <= (unsigned)i)
			filch_yield();
	}
	cr_expect_eq(filch_lock_acquire(&scene.lock), 0);
	cr_expect_eq(filch_condition_notify_all(&scene.condition), 0);
	cr_expect_eq(filch_lock_release(&scene.lock), 0);
	while (waiting_for(&scene.condition) < 4)
		filch_yield();
	cr_expect_eq(flag_get(&scene.crew.arrived), 4);
	notify(&scene, 4);
	close_scene(&scene);
	cr_expect_str_eq(crew_order(&scene.crew, scene.text), "01230123");
	return 0;
}

Test(condition, who_begins_to_wait_after_a_notify_is_not_meant)
{
	play(not_twice);
}

/* CD15, CD16 */
struct asked {
	struct filch_lock *lock;
	int calls, answer; /* the answer at the last of `until` calls */
	int until;
};

static int ask(void *arg)
{
	struct asked *asked = arg;

	cr_expect(is_mine(asked->lock));
	return ++asked->calls >= asked->until ? asked->answer : 0;
}

struct asks {
	struct scene *scene;
	struct asked asked;
	int status;
};

static int wait_for(void *arg)
{
	struct asks *asks = arg;
	struct scene *scene = asks->scene;

	cr_expect_eq(filch_lock_acquire(&scene->lock), 0);
	asks->status = filch_condition_wait_for(&scene->condition, &scene->lock, ask, &asks->asked);
	cr_expect(is_mine(&scene->lock));
	return filch_lock_release(&scene->lock);
}

static int predicates(void *arg)
{
	struct scene scene;
	struct asks asks[3];

	(void)arg;
	open_scene(&scene, 0, 0);
	for (int i = 0; i < 3; i++) {
		/* true at once; true after two wakes; an error after two */
		asks[i] = (struct asks){ &scene,
					 { &scene.lock, 0, i == 2 ? -EIO : 1, i ? 3 : 1 },
					 1 };
		filch_group_spawn(&scene.crew.group, wait_for, &asks[i]);
	}
	for (int round = 0; round < 2; round++) {
		while (waiting_for(&scene.condition) < 2)
			filch_yield();
		notify(&scene, 5);
	}
	close_scene(&scene);
	cr_expect(asks[0].status == 0 && asks[0].asked.calls == 1);
	cr_expect(asks[1].status == 0 && asks[1].asked.calls == 3);
	cr_expect(asks[2].status == -EIO && asks[2].asked.calls == 3);
	return 0;
}

static int predicates_in_time(void *arg)
{
	struct filch_lock lock = { 0 };
	struct filch_condition condition = { 0 };
	struct asked never = { &lock, 0, 1, 100 };
	filch_time span = FILCH_MILLISECOND;
	int status;

	(void)arg;
	cr_expect_eq(filch_lock_acquire(&lock), 0);
	cr_expect_eq(filch_condition_wait_for_until(&condition, &lock, ask, &never, 0), -ETIMEDOUT);
	cr_expect_eq(never.calls, 1);
	cr_expect_eq(filch_condition_wait_for_until(&condition, &lock, ask, &never,
						    filch_now() + span),
		     -ETIMEDOUT);
	cr_expect_gt(never.calls, 1);
	/* After the deadline it is asked once more; unless it had passed before the wait. */
	do {
		struct asked late = { &lock, 0, 1, 2 };

		status = filch_condition_wait_for_until(&condition, &lock, ask, &late,
							filch_now() + span);
		span *= 2;
	} while (status == -ETIMEDOUT && span < 20 * FILCH_SECOND);
	cr_expect_eq(status, 0);
	cr_expect_eq(filch_lock_release(&lock), 0);
	return 0;
}

Test(condition, a_predicate_is_asked_with_the_lock_first_and_after_each_wake)
{
	play(predicates);
	play(predicates_in_time);
	predicates_in_time(NULL);
}
