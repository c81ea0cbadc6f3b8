/* Notifications: one is kept, none is lost, each reaches one. */
#include "sync/waiters.h"

static int wait_for(struct call *call)
{
	return filch_notify_wait_until(call->object, call->deadline);
}

static struct filch_notify_statistics look(struct filch_notify *notify)
{
	struct filch_notify_statistics statistics;

	filch_notify_get_statistics(notify, &statistics);
	return statistics;
}

static struct call *in_line(struct scene *scene, struct filch_notify *notify)
{
	unsigned waiting = look(notify).waiting;
	struct call *call = scene_call(scene, wait_for, notify, 0);

	await_that(look(notify).waiting == waiting + 1);
	call_await_parked(call);
	return call;
}

/* NT1, G5, G8 */
static int keeps_one(void *arg)
{
	struct filch_notify notify = { .line = { .waiting = 0 } };
	struct filch_token token;

	(void)arg;
	cr_expect_eq(filch_notify_try_wait(&notify), -EAGAIN);
	cr_expect_eq(filch_notify_one(&notify), 0);
	cr_expect_eq(filch_notify_one(&notify), 0);
	cr_expect_eq(filch_notify_last(&notify), 0);
	cr_expect(look(&notify).kept);
	enter_cancelled(&token);
	cr_expect_eq(filch_notify_wait(&notify), -ECANCELED);
	leave_cancelled(&token);
	cr_expect_eq(filch_notify_wait(&notify), 0);
	cr_expect_eq(filch_notify_try_wait(&notify), -EAGAIN);
	cr_expect_eq(filch_notify_wait_until(&notify, 0), -ETIMEDOUT);
	cr_expect_eq(filch_notify_wait_until(&notify, filch_now() + FILCH_MILLISECOND), -ETIMEDOUT);
	filch_notify_all(&notify);
	cr_expect_eq(filch_notify_try_wait(&notify), -EAGAIN);
	filch_notify_last(&notify);
	cr_expect_eq(filch_notify_wait_until(&notify, 0), 0);
	cr_expect_eq(filch_notify_wait(NULL), -EINVAL);
	cr_expect_eq(filch_notify_one(NULL), -EINVAL);
	cr_expect_eq(filch_notify_all(NULL), -EINVAL);
	cr_expect_eq(filch_notify_fini(&notify), 0);
	return 0;
}

Test(notify, one_is_kept_and_not_two)
{
	play(keeps_one);
	cr_assert_eq(keeps_one(NULL), 0);
}

/* NT2, G11 */
static int has_directions(void *arg)
{
	struct filch_notify notify = FILCH_NOTIFY_INIT;
	struct call *call[4];
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 4; i++)
		call[i] = in_line(&scene, &notify);
	cr_expect_eq(filch_notify_fini(&notify), -EBUSY);
	filch_notify_one(&notify);
	call_await(call[0]);
	filch_notify_last(&notify);
	call_await(call[3]);
	cr_expect_eq(look(&notify).waiting, 2);
	filch_notify_last(&notify);
	call_await(call[2]);
	filch_notify_one(&notify);
	scene_close(&scene);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(call[i]->status, 0);
	cr_expect_not(look(&notify).kept);
	return 0;
}

Test(notify, one_reaches_the_oldest_and_last_the_newest)
{
	play(has_directions);
}

/* NT3: cancelled ones are passed over, in the direction it was sent; D0 for the granted one. */
static int passes_on(void *arg)
{
	struct filch_notify notify = FILCH_NOTIFY_INIT;
	struct call *call[5];
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 5; i++)
		call[i] = in_line(&scene, &notify);
	call_cancel(call[0]);
	call_cancel(call[4]);
	filch_notify_one(&notify);
	filch_notify_last(&notify);
	filch_task_cancel(call[1]->task, 0); /* it was notified before */
	call_await(call[1]);
	call_await(call[3]);
	cr_expect_eq(look(&notify).waiting, 1);
	call_cancel(call[2]);
	filch_notify_one(&notify);
	scene_close(&scene);
	cr_expect_eq(call[0]->status, -ECANCELED);
	cr_expect_eq(call[4]->status, -ECANCELED);
	cr_expect_eq(call[2]->status, -ECANCELED);
	cr_expect_eq(call[1]->status, 0);
	cr_expect_eq(call[3]->status, 0);
	cr_expect(look(&notify).kept); /* nobody was left for it */
	return 0;
}

Test(notify, one_that_finds_a_cancelled_waiter_goes_to_the_next)
{
	play(passes_on);
}

/* NT3 with tickets: dropped after it was notified. */
static int ticket_passes_on(void *arg)
{
	struct filch_notify notify = FILCH_NOTIFY_INIT;
	struct filch_notify_ticket ticket[4];

	(void)arg;
	for (int i = 0; i < 4; i++)
		cr_expect_eq(filch_notify_register(&notify, &ticket[i]), 0);
	filch_notify_one(&notify);  /* 0 */
	filch_notify_last(&notify); /* 3 */
	cr_expect_eq(filch_notify_ticket_try_wait(&ticket[1]), -EAGAIN);
	cr_expect_eq(filch_notify_ticket_try_wait(&ticket[2]), -EAGAIN);
	filch_notify_unregister(&ticket[3]);
	cr_expect_eq(filch_notify_ticket_try_wait(&ticket[1]), -EAGAIN);
	cr_expect_eq(filch_notify_ticket_try_wait(&ticket[2]), 0);
	cr_expect_eq(filch_notify_ticket_try_wait(&ticket[2]), -EINVAL);
	filch_notify_unregister(&ticket[0]);
	cr_expect_eq(filch_notify_ticket_wait(&ticket[1]), 0);
	cr_expect_not(look(&notify).kept);
	cr_expect_eq(filch_notify_register(&notify, &ticket[0]), 0);
	filch_notify_one(&notify);
	filch_notify_unregister(&ticket[0]);
	filch_notify_unregister(&ticket[0]);
	cr_expect(look(&notify).kept);
	cr_expect_eq(filch_notify_register(&notify, &ticket[0]), 0);
	cr_expect_not(look(&notify).kept); /* the ticket has it */
	filch_notify_unregister(&ticket[0]);
	cr_expect(look(&notify).kept);
	filch_notify_unregister(NULL);
	cr_expect_eq(filch_notify_register(NULL, &ticket[0]), -EINVAL);
	cr_expect_eq(filch_notify_ticket_wait(NULL), -EINVAL);
	return 0;
}

Test(notify, a_notified_ticket_that_is_dropped_passes_it_on_in_its_direction)
{
	play(ticket_passes_on);
}

/* NT4, NT5 */
static int waits_twice(struct call *call)
{
	int status = filch_notify_wait(call->object);

	return status < 0 ? status : filch_notify_wait(call->object);
}

static int reaches_those_present(void *arg)
{
	struct filch_notify notify = FILCH_NOTIFY_INIT;
	struct filch_notify_ticket ticket;
	struct scene scene;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 35; i++)
		scene_call(&scene, waits_twice, &notify, 0);
	await_that(look(&notify).waiting == 35);
	filch_notify_register(&notify, &ticket);
	filch_notify_all(&notify);
	cr_expect_eq(filch_notify_ticket_wait_until(&ticket, 0), 0);
	await_that(look(&notify).contended == 71); /* all wait a second time */
	cr_expect_eq(look(&notify).waiting, 35);
	cr_expect_eq(scene.order, 0);
	filch_notify_one(&notify);
	filch_notify_all(&notify);
	scene_close(&scene);
	cr_expect_eq(scene.order, 35);
	cr_expect_not(look(&notify).kept);
	/* What was kept is not taken by who is notified with all others. */
	filch_notify_register(&notify, &ticket);
	filch_notify_all(&notify);
	filch_notify_one(&notify);
	cr_expect_eq(filch_notify_ticket_try_wait(&ticket), 0);
	cr_expect(look(&notify).kept);
	filch_notify_all(&notify);
	cr_expect(look(&notify).kept);
	return 0;
}

Test(notify, all_are_those_who_wait_at_the_call_and_what_is_kept_stays)
{
	play(reaches_those_present);
}

/* NT6 */
static int one_of_33_is_gone(void *arg)
{
	struct filch_notify notify = FILCH_NOTIFY_INIT;
	struct scene scene;
	int woken = 0;

	(void)arg;
	scene_open(&scene);
	for (int i = 0; i < 33; i++)
		in_line(&scene, &notify);
	call_cancel(&scene.calls[16]);
	filch_notify_all(&notify);
	scene_close(&scene);
	for (int i = 0; i < 33; i++)
		woken += scene.calls[i].status == 0;
	cr_expect_eq(woken, 32);
	cr_expect_eq(scene.calls[16].status, -ECANCELED);
	return 0;
}

Test(notify, a_cancelled_one_among_33_does_not_stop_the_others)
{
	play(one_of_33_is_gone);
}

/* NT7: the header's example; letters are announced to all, and none lies unread. */
struct mailbox {
	struct filch_notify arrived;
	int letters;
	int taken;
	int all;
};

static bool take_letter(struct mailbox *mailbox)
{
	int letters = flag_get(&mailbox->letters);

	while (letters > 0)
		if (__atomic_compare_exchange_n(&mailbox->letters, &letters, letters - 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

static int reads_letters(void *arg)
{
	struct mailbox *mailbox = arg;

	while (flag_get(&mailbox->taken) < mailbox->all) {
		struct filch_notify_ticket ticket;
		int status = 0;

		cr_expect_eq(filch_notify_register(&mailbox->arrived, &ticket), 0);
		if (take_letter(mailbox)) {
			flag_add(&mailbox->taken);
			if (flag_get(&mailbox->taken) == mailbox->all)
				filch_notify_all(&mailbox->arrived);
			filch_notify_unregister(&ticket);
		} else if (flag_get(&mailbox->taken) < mailbox->all) {
			status = filch_notify_ticket_wait_until(&ticket,
								filch_now() + 10 * FILCH_SECOND);
		} else {
			filch_notify_unregister(&ticket);
		}
		cr_expect_eq(status, 0, "a letter lies unread");
		if (status < 0)
			break;
	}
	return 0;
}

static void *reads_as_thread(void *arg)
{
	reads_letters(arg);
	return NULL;
}

static int brings_letters(void *arg)
{
	struct mailbox mailbox = { .all = rounds(3000) };
	struct filch_group group;
	pthread_t thread;

	(void)arg;
	filch_group_open(&group, NULL);
	pthread_create(&thread, NULL, reads_as_thread, &mailbox);
	for (int i = 0; i < 4; i++)
		filch_group_spawn(&group, reads_letters, &mailbox);
	for (int i = 0; i < mailbox.all; i++) {
		flag_add(&mailbox.letters);
		if (i % 2)
			filch_notify_all(&mailbox.arrived);
		else
			filch_notify_one(&mailbox.arrived);
		if (i % 16 == 0)
			filch_yield();
	}
	filch_group_close(&group);
	pthread_join(thread, NULL);
	cr_expect_eq(mailbox.taken, mailbox.all);
	cr_expect_eq(filch_notify_fini(&mailbox.arrived), 0);
	return 0;
}

Test(notify, who_registers_looks_and_then_waits_misses_nothing, .timeout = 60)
{
	play_crowded(brings_letters);
}

/* A wait in the ticket's place that fails ends it. */
static int tickets_fail(void *arg)
{
	struct filch_notify notify = FILCH_NOTIFY_INIT;
	struct filch_notify_ticket ticket;
	struct filch_token token;

	(void)arg;
	filch_notify_register(&notify, &ticket);
	cr_expect_eq(filch_notify_fini(&notify), -EBUSY);
	cr_expect_eq(filch_notify_ticket_wait_until(&ticket, 0), -ETIMEDOUT);
	cr_expect_eq(look(&notify).waiting, 0);
	filch_notify_register(&notify, &ticket);
	cr_expect_eq(filch_notify_ticket_wait_until(&ticket, filch_now() + FILCH_MILLISECOND),
		     -ETIMEDOUT);
	cr_expect_eq(look(&notify).waiting, 0);
	filch_notify_register(&notify, &ticket);
	filch_notify_one(&notify);
	enter_cancelled(&token);
	cr_expect_eq(filch_notify_ticket_wait(&ticket), -ECANCELED);
	leave_cancelled(&token);
	cr_expect(look(&notify).kept);
	cr_expect_eq(filch_notify_wait(&notify), 0);
	cr_expect_eq(filch_notify_fini(&notify), 0);
	return 0;
}

Test(notify, a_ticket_whose_wait_fails_is_out_of_line)
{
	play(tickets_fail);
	cr_assert_eq(tickets_fail(NULL), 0);
}

/* ---- Crowds: as many successes as notifications, less one that is kept ---- */

struct crowd {
	struct filch_notify notify;
	int woken;
	int sent;
	int rounds;
};

static int waits(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&crowd ^ (uint32_t)filch_now();

	for (int i = 0; i < crowd->rounds; i++) {
		filch_time deadline = filch_now() + next_random(&seed) % 60000;
		struct filch_notify_ticket ticket;
		int status;

		if (next_random(&seed) % 3 == 0) {
			filch_notify_register(&crowd->notify, &ticket);
			filch_yield();
			if (next_random(&seed) % 2) {
				filch_notify_unregister(&ticket);
				continue;
			}
			status = filch_notify_ticket_wait_until(&ticket, deadline);
		} else {
			status = filch_notify_wait_until(&crowd->notify, deadline);
		}
		if (status == 0)
			flag_add(&crowd->woken);
		else
			cr_expect_eq(status, -ETIMEDOUT);
	}
	return 0;
}

static void *waits_as_thread(void *arg)
{
	waits(arg);
	return NULL;
}

static int notifies(void *arg)
{
	struct crowd crowd = { .rounds = rounds(200) };
	struct filch_group group;
	pthread_t threads[2];
	int status = 0;

	(void)arg;
	filch_group_open(&group, NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, waits_as_thread, &crowd);
	for (int i = 0; i < 20; i++)
		filch_group_spawn(&group, waits, &crowd);
	/* Each is sent when the one before has been had. */
	for (int i = 0; i < crowd.rounds && status == 0; i++) {
		struct filch_notify_statistics now = look(&crowd.notify);

		if (!now.kept) {
			if (i % 2)
				filch_notify_one(&crowd.notify);
			else
				filch_notify_last(&crowd.notify);
			crowd.sent++;
		}
		filch_yield();
	}
	filch_group_close(&group);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	/* None is lost; a dropped one that was passed on may have met a kept one. */
	cr_expect_leq(crowd.woken, crowd.sent);
	cr_expect_eq(look(&crowd.notify).waiting, 0);
	cr_expect_eq(filch_notify_fini(&crowd.notify), 0);
	return 0;
}

Test(notify, nobody_is_woken_twice_by_one, .timeout = 60)
{
	play_crowded(notifies);
}

/* G12 */
static int notifies_once(void *arg)
{
	cr_expect_eq(filch_notify_one(arg), 0);
	return 0;
}

static int notifies_all_until_taken(void *arg)
{
	cr_expect_eq(filch_notify_last(arg), 0);
	return 0;
}

static int frees_at_once(void *arg)
{
	const int many = rounds(2000);

	(void)arg;
	for (int i = 0; i < many; i++) {
		struct filch_notify *notify = calloc(1, sizeof(*notify));
		struct filch_group group;

		filch_group_open(&group, NULL);
		filch_group_spawn(&group, i % 3 ? notifies_once : notifies_all_until_taken, notify);
		if (i % 2)
			filch_yield();
		cr_expect_eq(filch_notify_wait(notify), 0);
		free(notify);
		filch_group_close(&group);
	}
	return 0;
}

Test(notify, may_be_freed_by_who_was_notified, .timeout = 60)
{
	play_crowded(frees_at_once);
}
