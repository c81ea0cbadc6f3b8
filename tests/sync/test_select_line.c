/* Select over semaphores, events, notifications: what is not taken is there for the others. */
#include "sync/queues.h"

#include <filch/event.h>
#include <filch/notify.h>
#include <filch/semaphore.h>

struct choice {
	struct filch_arm arms[4];
	size_t count;
	size_t index;
	int status;
	int done;
};

static int64_t free_permits(struct filch_semaphore *semaphore)
{
	struct filch_semaphore_statistics statistics;

	filch_semaphore_get_statistics(semaphore, &statistics);
	cr_expect_eq(statistics.waiting, 0u);
	return statistics.permits;
}

static unsigned waiting_for(struct filch_event *event)
{
	struct filch_event_statistics statistics;

	filch_event_get_statistics(event, &statistics);
	return statistics.waiting;
}

static int choose(void *arg)
{
	struct choice *choice = arg;

	choice->status = filch_select_wait(choice->arms, choice->count, 0, &choice->index);
	flag_add(&choice->done);
	return choice->status == -ECANCELED ? -ECANCELED : 0;
}

enum winner { QUEUE, SEMAPHORE, EVENT, NOTIFY, CLOSE, CANCEL, WINNERS };

/* SL1, SL9 */
static void let_win(enum winner winner)
{
	struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(1);
	struct filch_event event = FILCH_EVENT_INIT;
	struct filch_notify notify = FILCH_NOTIFY_INIT;
	struct choice choice = { .index = 9, .count = 4 };
	struct filch_group group;
	struct filch_queue queue;
	struct filch_task *task;
	int value = 0;

	make_queue(&queue, 1);
	choice.arms[QUEUE] = filch_queue_get_arm(&queue, &value);
	choice.arms[SEMAPHORE] = filch_semaphore_arm(&semaphore, 2);
	choice.arms[EVENT] = filch_event_arm(&event);
	choice.arms[NOTIFY] = filch_notify_arm(&notify);
	cr_expect_eq(filch_select_try_wait(choice.arms, 4, 0, NULL), -EAGAIN);
	filch_group_open(&group, NULL);
	task = start_parked(&group, choose, &choice);
	cr_expect_eq(look(&queue).getters, 1u);
	cr_expect_eq(waiting_for(&event), 1u);
	if (winner == QUEUE)
		put_int(&queue, 5);
	else if (winner == SEMAPHORE)
		filch_semaphore_release(&semaphore);
	else if (winner == EVENT)
		filch_event_set(&event);
	else if (winner == NOTIFY)
		filch_notify_one(&notify);
	else if (winner == CLOSE)
		filch_semaphore_close(&semaphore);
	else
		filch_task_cancel(task, 0);
	flag_await(&choice.done, 1);
	cr_expect_eq(choice.status, winner == CANCEL ? -ECANCELED : 0);
	cr_expect_eq(choice.index, winner == CANCEL ? 9u : winner == CLOSE ? 1u : winner);
	if (winner != CANCEL)
		cr_expect_eq(choice.arms[choice.index].status, winner == CLOSE ? -EPIPE : 0);
	cr_expect_eq(free_permits(&semaphore), winner == SEMAPHORE ? 0 : 1);
	cr_expect_eq(look(&queue).getters, 0u);
	cr_expect_eq(waiting_for(&event), 0u);
	cr_expect_eq(filch_notify_try_wait(&notify), -EAGAIN);
	filch_notify_one(&notify); /* kept: nobody is there */
	cr_expect_eq(filch_notify_try_wait(&notify), 0);
	filch_group_close(&group);
	filch_task_release(task);
	cr_expect_eq(filch_event_fini(&event), 0);
	cr_expect_eq(filch_notify_fini(&notify), 0);
	cr_expect_eq(filch_semaphore_fini(&semaphore), 0);
	end_queue(&queue);
}

static int each_kind(void *arg)
{
	(void)arg;
	for (enum winner winner = QUEUE; winner < WINNERS; winner++)
		let_win(winner);
	return 0;
}

Test(select_line, permits_of_an_arm_that_did_not_fire_are_not_taken)
{
	play(each_kind);
}

static int acquire_one(void *arg)
{
	return filch_semaphore_acquire(arg);
}

/* One that wanted many leaves: who wants few and stood behind it is served. */
static int head_leaves(void *arg)
{
	struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(1);
	struct filch_event event = FILCH_EVENT_INIT;
	struct choice choice = { .index = 9, .count = 3 };
	struct filch_group group;
	struct filch_task *tasks[2];

	(void)arg;
	choice.arms[0] = filch_semaphore_arm(&semaphore, 5);
	choice.arms[1] = filch_event_arm(&event);
	choice.arms[2] = filch_semaphore_arm(&semaphore, 9);
	filch_group_open(&group, NULL);
	tasks[0] = start_parked(&group, choose, &choice);
	tasks[1] = start_parked(&group, acquire_one, &semaphore);
	cr_expect_eq(filch_semaphore_try_acquire(&semaphore), -EAGAIN);
	filch_event_set(&event);
	cr_expect_eq(filch_group_close(&group), 0);
	cr_expect_eq(choice.index, 1u);
	cr_expect_eq(free_permits(&semaphore), 0);
	for (int i = 0; i < 2; i++)
		filch_task_release(tasks[i]);
	return 0;
}

Test(select_line, who_stood_behind_an_arm_that_leaves_is_served)
{
	play(head_leaves);
}

/* Many or one: whichever comes first, in whatever order they stand. */
static int many_or_one(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++) {
		struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(0);
		struct choice choice = { .index = 9, .count = 3 };
		struct filch_group group;
		struct filch_task *task;

		choice.arms[0] = filch_semaphore_arm(&semaphore, 5);
		choice.arms[1] = filch_semaphore_arm(&semaphore, 1);
		choice.arms[2] = filch_semaphore_arm(&semaphore, 4);
		filch_group_open(&group, NULL);
		task = start_parked(&group, choose, &choice);
		filch_semaphore_release(&semaphore);
		cr_expect_eq(filch_group_close(&group), 0);
		cr_expect_eq(choice.index, 1u);
		cr_expect_eq(free_permits(&semaphore), 0);
		filch_task_release(task);
	}
	return 0;
}

Test(select_line, arms_of_one_select_do_not_stand_in_each_others_way)
{
	play(many_or_one);
}

/* ---- G3, SL7, SL8: permits are conserved ---- */

#define TASKS 12
#define ROUNDS 150

static struct filch_semaphore left, right;
static int taken;

static int cross(void *arg)
{
	uintptr_t seed = (uintptr_t)arg;
	bool crossed = seed % 2;
	int status = 0;

	for (uintptr_t i = 0; i < ROUNDS && status != -ECANCELED; i++) {
		struct filch_arm arms[] = {
			filch_semaphore_arm(crossed ? &right : &left, 1 + (int64_t)(i % 2)),
			filch_semaphore_arm(crossed ? &left : &right, 2),
			filch_timer_arm(filch_now() + (filch_time)((seed + i) % 7) * 5000),
		};
		size_t index;

		status = filch_select_wait(arms, 3, 0, &index);
		if (status < 0 || index == 2)
			continue;
		flag_add(&taken);
		if (i % 3 == 0)
			filch_yield();
		filch_semaphore_release_many(arms[index].object, (int64_t)arms[index].number);
	}
	return status;
}

static int storm(void *arg)
{
	struct filch_task *tasks[TASKS];
	struct filch_group group;

	(void)arg;
	filch_semaphore_init(&left, 2);
	filch_semaphore_init(&right, 3);
	filch_group_open(&group, NULL);
	for (uintptr_t i = 0; i < TASKS; i++)
		tasks[i] = start(&group, cross, (void *)i);
	for (int i = 0; i < 20; i++)
		filch_yield();
	for (int i = 0; i < TASKS; i += 3)
		filch_task_cancel(tasks[i], 0);
	for (int i = 0; i < TASKS; i++) {
		filch_task_wait(tasks[i], NULL);
		filch_task_release(tasks[i]);
	}
	filch_group_close(&group);
	cr_expect_eq(free_permits(&left), 2);
	cr_expect_eq(free_permits(&right), 3);
	return 0;
}

Test(select_line, permits_are_conserved_when_selects_cross)
{
	play(storm);
	cr_assert_gt(taken, 0);
}
