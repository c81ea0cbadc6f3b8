/* Events and notifications in simulation: no wakeup is lost, none is had twice. */
#include "sim/crew.h"

static struct filch_event event;

static void reset_event(void)
{
	memset(&event, 0, sizeof(event));
}

static int wait_or_set(struct player *self)
{
	if (self->index > 0) {
		int status =
			seeds_pick(2)
				? filch_event_wait(&event)
				: seeds_patient(filch_event_wait_until(&event, seeds_patience()));

		return status;
	}
	for (int i = 0; i < 3; i++) {
		crew_pause();
		filch_event_set(&event);
		crew_pause();
		filch_event_clear(&event);
	}
	filch_event_set(&event);
	return 0;
}

static int toggled(void *arg)
{
	int status = crew_run(5, wait_or_set);

	(void)arg;
	seeds_check(status < 0 || filch_event_is_set(&event));
	seeds_check(filch_event_fini(&event) == 0);
	return status;
}

Test(event, nobody_waits_for_one_that_is_set, .timeout = 110)
{
	static const struct scenario scenario = { "event", toggled, reset_event, 0 };

	seeds_explore(&scenario, 12000);
}

static unsigned woken, given_up;

static void reset_pulse(void)
{
	reset_event();
	woken = given_up = 0;
}

static int wait_once(struct player *self)
{
	int status = filch_event_wait(&event);

	(void)self;
	woken += status == 0;
	given_up += status < 0;
	return status;
}

static int pulse(void *arg)
{
	struct crew crew;
	int status = crew_open(&crew), closed;

	(void)arg;
	while (status == 0 && crew.count < 4)
		status = crew_add(&crew, wait_once);
	if (status == 0)
		status = filch_simulation_wait_all_parked();
	if (status == 0 && seeds_pick(2))
		status = filch_group_spawn(&crew.group, crew_cancel_one, &crew);
	filch_event_set(&event);
	filch_event_clear(&event);
	if (status == 0)
		status = filch_simulation_wait_all_parked();
	/* All but the cancelled one; none is parked any more. */
	seeds_check(status < 0 || woken + given_up == 4);
	seeds_check(status < 0 || given_up <= 2);
	if (status < 0)
		filch_group_cancel(&crew.group, 0);
	closed = crew_close(&crew);
	seeds_check(filch_event_fini(&event) == 0);
	return status < 0 ? status : closed;
}

Test(event, setting_wakes_all_who_wait_though_it_is_cleared_at_once, .timeout = 110)
{
	static const struct scenario scenario = { "event's pulse", pulse, reset_pulse, 0 };

	seeds_explore(&scenario, 6000);
}

/* ---- Notifications: a heap of letters, put and taken by several ---- */

static struct filch_notify arrived;
static int letters, put, taken, senders;

static void reset_notify(void)
{
	memset(&arrived, 0, sizeof(arrived));
	letters = put = taken = 0;
	senders = 2;
}

static void send_all(void)
{
	for (int i = 0; i < 3; i++) {
		letters++;
		put++;
		if (seeds_pick(3))
			filch_notify_one(&arrived);
		else
			filch_notify_last(&arrived);
		crew_pause();
	}
	if (--senders == 0)
		filch_notify_all(&arrived);
}

static int await_letter(struct filch_notify_ticket *ticket)
{
	switch (seeds_pick(3)) {
	case 0:
		return filch_notify_ticket_wait_until(ticket, crew_soon());
	case 1:
		return seeds_patient(filch_notify_ticket_wait_until(ticket, seeds_patience()));
	default:
		return filch_notify_ticket_wait(ticket);
	}
}

static int receive(void)
{
	for (;;) {
		struct filch_notify_ticket ticket;
		int status = 0;

		filch_notify_register(&arrived, &ticket);
		if (letters > 0) {
			letters--;
			taken++;
			filch_notify_unregister(&ticket);
			crew_pause();
			continue;
		}
		if (senders == 0) {
			filch_notify_unregister(&ticket);
			return 0;
		}
		status = await_letter(&ticket);
		if (status == -ECANCELED)
			return status;
	}
}

static int send_or_receive(struct player *self)
{
	if (self->index >= 2)
		return receive();
	send_all();
	return 0;
}

static int letters_pass(void *arg)
{
	struct filch_notify_statistics statistics;
	int status = crew_run(5, send_or_receive);

	(void)arg;
	filch_notify_get_statistics(&arrived, &statistics);
	seeds_check(put == taken + letters);
	seeds_check(statistics.waiting == 0);
	seeds_check(filch_notify_fini(&arrived) == 0);
	return status;
}

Test(notify, nobody_waits_while_there_is_something_to_take, .timeout = 110)
{
	static const struct scenario scenario = { "notify", letters_pass, reset_notify, 0 };

	seeds_explore(&scenario, 12000);
}

static int stand_in_line(struct player *self)
{
	int status = filch_notify_wait(&arrived);

	if (status == 0)
		crew_note(self);
	return status;
}

static void notify_one(void)
{
	filch_notify_one(&arrived);
}

static int line(void *arg)
{
	unsigned served;
	int status = crew_line(stand_in_line, notify_one, 3, &served);

	(void)arg;
	seeds_check(status < 0 || served == 3 || filch_notify_try_wait(&arrived) == 0);
	seeds_check(filch_notify_fini(&arrived) == 0);
	return status;
}

Test(notify, each_goes_to_who_has_waited_longest, .timeout = 110)
{
	static const struct scenario scenario = { "notify's line", line, reset_notify, 0 };

	seeds_explore(&scenario, 6000);
}
