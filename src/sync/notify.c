/* Notifications: a line, and one that is kept. */
#include <filch/notify.h>

#include "sync/line.h"
#include "sync/select.h"

#include <errno.h>

#define NOTIFY_KEPT LINE_OWN(0)

/* By whom a registered ticket has been notified: line.amount. */
enum { BY_NOBODY, BY_ONE, BY_LAST, BY_ALL };

struct notify_ticket {
	struct filch_notify *notify;
	struct line_waiter line; /* no parker until it waits */
};

_Static_assert(sizeof(struct notify_ticket) <= sizeof(struct filch_notify_ticket),
	       "struct filch_notify_ticket has room");

/* ---- Short: nobody is in line ---- */

static bool take_kept(struct filch_notify *notify)
{
	uint64_t state = NOTIFY_KEPT;

	/* acquire: pairs with the release in keep, and in line_unguard. */
	return word64_cas_acquire(&notify->line.state, &state, 0);
}

/* Also when one is kept already: who takes that one sees what we did before. */
static bool keep(struct filch_notify *notify)
{
	/* relaxed: the cas orders. */
	uint64_t state = word64_load_relaxed(&notify->line.state);

	do {
		if (state & (LINE_GUARD | LINE_QUEUED | LINE_BUSY))
			return false;
		/* release: pairs with the acquire in take_kept, and in filch__line_guard. */
	} while (!word64_cas_release(&notify->line.state, &state, state | NOTIFY_KEPT));
	return true;
}

/* ---- Waiting ---- */

static const struct waited waited_notify = { .name = "a notification" };

int filch_notify_wait_until(struct filch_notify *notify, filch_time deadline)
{
	struct line_waiter waiter = { .amount = BY_NOBODY };
	uint64_t state;
	int status;

	if (!notify)
		return -EINVAL;
	/* relaxed: a hint. */
	status = filch__line_enter(!(word64_load_relaxed(&notify->line.state) & NOTIFY_KEPT));
	if (status < 0 || take_kept(notify))
		return status;
	state = filch__line_guard(&notify->line);
	if (state & NOTIFY_KEPT) {
		line_unguard(&notify->line, state & ~NOTIFY_KEPT);
		return 0;
	}
	status = filch__line_wait(&notify->line, &state, &waiter, &waited_notify, deadline);
	if (status == 0)
		return 0;
	line_unguard(&notify->line, state);
	return status;
}

int filch_notify_wait(struct filch_notify *notify)
{
	return filch_notify_wait_until(notify, FILCH_NEVER);
}

int filch_notify_try_wait(struct filch_notify *notify)
{
	int status = notify ? filch__line_enter_try() : -EINVAL;
	uint64_t state;

	if (status < 0 || take_kept(notify))
		return status;
	state = filch__line_guard(&notify->line);
	line_unguard(&notify->line, state & ~NOTIFY_KEPT);
	return state & NOTIFY_KEPT ? 0 : -EAGAIN;
}

/* ---- Notifying ---- */

/* Guarded. Whom it reaches is told by whom, for the case that it is a ticket. */
static bool take(struct filch_line *line, uint64_t *state, struct line_waiter *waiter,
		 struct line_batch *batch, uint64_t by)
{
	waiter->amount = by;
	if (filch__line_take(line, state, waiter, batch, 0))
		return true;
	waiter->amount = BY_NOBODY; /* it leaves under the guard, so it is still there */
	return false;
}

/* One, from either end; kept when there is nobody. */
static uint64_t choose_one(struct filch_line *line, uint64_t state, struct line_batch *batch,
			   void *context)
{
	const uint64_t by = *(const uint64_t *)context;
	struct line_waiter *waiter;

	do {
		waiter = by == BY_LAST ? filch__line_last(line, &state)
				       : filch__line_first(line, &state);
	} while (waiter && !take(line, &state, waiter, batch, by));
	return waiter ? state : state | NOTIFY_KEPT;
}

static uint64_t choose_present(struct filch_line *line, uint64_t state, struct line_batch *batch,
			       void *context)
{
	const uint64_t *last = context;
	struct line_waiter *waiter;

	while (!line_batch_is_full(batch) && (waiter = filch__line_first(line, &state)) &&
	       waiter->ticket <= *last)
		take(line, &state, waiter, batch, BY_ALL);
	return state;
}

static int notify_one(struct filch_notify *notify, uint64_t by)
{
	if (!notify)
		return -EINVAL;
	if (!keep(notify))
		filch__line_serve(&notify->line, filch__line_guard_to_wake(&notify->line),
				  choose_one, &by);
	return 0;
}

int filch_notify_one(struct filch_notify *notify)
{
	return notify_one(notify, BY_ONE);
}

int filch_notify_last(struct filch_notify *notify)
{
	return notify_one(notify, BY_LAST);
}

int filch_notify_all(struct filch_notify *notify)
{
	uint64_t state, last;

	if (!notify)
		return -EINVAL;
	state = filch__line_guard_to_wake(&notify->line);
	last = notify->line.tickets;
	filch__line_serve(&notify->line, state, choose_present, &last);
	return 0;
}

/* ---- Tickets ---- */

static struct notify_ticket *own(struct filch_notify_ticket *ticket)
{
	return (struct notify_ticket *)(void *)ticket;
}

int filch_notify_register(struct filch_notify *notify, struct filch_notify_ticket *ticket)
{
	struct notify_ticket *self = own(ticket);
	int status = notify && ticket ? filch__line_enter_try() : -EINVAL;
	uint64_t state;

	if (status < 0)
		return status;
	*self = (struct notify_ticket){ .notify = notify };
	state = filch__line_guard(&notify->line);
	if (state & NOTIFY_KEPT) {
		self->line.amount = BY_ONE;
		line_unguard(&notify->line, state & ~NOTIFY_KEPT);
	} else {
		line_unguard(&notify->line, filch__line_link(&notify->line, state, &self->line));
	}
	return 0;
}

void filch_notify_unregister(struct filch_notify_ticket *ticket)
{
	struct notify_ticket *self = own(ticket);
	struct filch_notify *notify = ticket ? ticket->notify : NULL;
	uint64_t state;

	if (!notify)
		return;
	ticket->notify = NULL;
	state = filch__line_guard_to_wake(&notify->line);
	if (list_is_linked(&self->line.waiter.link))
		state = filch__line_unlink(&notify->line, state, &self->line);
	if (self->line.amount == BY_ONE || self->line.amount == BY_LAST)
		filch__line_serve(&notify->line, state, choose_one, &self->line.amount);
	else
		line_unguard(&notify->line, state);
}

/* Guarded: it keeps its place. */
static void begin_wait(struct waiter *waiter)
{
	struct parker *parker = filch__parker_self();

	waiter->epoch = filch__park_arm(parker);
	waiter->parker = parker;
	waiter->what = &waited_notify;
}

/* Parks in the ticket's place; 0 or why not. Leaves the guard. */
static int wait_in_place(struct notify_ticket *self, uint64_t state, filch_time deadline)
{
	struct filch_line *line = &self->notify->line;
	int status = -ETIMEDOUT;

	if (!filch__wait_is_over(deadline)) {
		begin_wait(&self->line.waiter);
		line_unguard(line, state);
		status = filch__waiter_wait(&self->line.waiter, deadline);
		if (status == 0) {
			filch__line_await_guard(line);
			return 0;
		}
	} else {
		line_unguard(line, state);
	}
	state = filch__line_guard_to_wake(line);
	if (list_is_linked(&self->line.waiter.link))
		state = filch__line_unlink(line, state, &self->line);
	line_unguard(line, state);
	return self->line.amount == BY_NOBODY ? status : 0;
}

int filch_notify_ticket_try_wait(struct filch_notify_ticket *ticket)
{
	struct notify_ticket *self = own(ticket);
	struct filch_notify *notify = ticket ? ticket->notify : NULL;
	uint64_t state;

	if (!notify)
		return -EINVAL;
	state = filch__line_guard(&notify->line);
	if (self->line.amount != BY_NOBODY)
		self->notify = NULL;
	line_unguard(&notify->line, state);
	return self->notify ? -EAGAIN : 0;
}

int filch_notify_ticket_wait_until(struct filch_notify_ticket *ticket, filch_time deadline)
{
	struct notify_ticket *self = own(ticket);
	uint64_t state;
	int status;

	if (!ticket || !ticket->notify)
		return -EINVAL;
	status = filch__line_enter(true);
	if (status < 0) {
		filch_notify_unregister(ticket);
		return status;
	}
	state = filch__line_guard(&self->notify->line);
	if (self->line.amount == BY_NOBODY)
		status = wait_in_place(self, state, deadline);
	else
		line_unguard(&self->notify->line, state);
	self->notify = NULL;
	return status;
}

int filch_notify_ticket_wait(struct filch_notify_ticket *ticket)
{
	return filch_notify_ticket_wait_until(ticket, FILCH_NEVER);
}

/* ---- All else ---- */

int filch_notify_fini(struct filch_notify *notify)
{
	return notify ? filch__line_fini(&notify->line) : 0;
}

void filch_notify_get_statistics(struct filch_notify *notify,
				 struct filch_notify_statistics *statistics)
{
	uint64_t state = filch__line_guard(&notify->line);

	*statistics = (struct filch_notify_statistics){
		.kept = (state & NOTIFY_KEPT) != 0,
		.waiting = notify->line.waiting,
		.contended = notify->line.tickets,
	};
	line_unguard(&notify->line, state);
}

/* ---- As an arm of a select ---- */

SELECT_ROOM_FITS(struct line_waiter);

static int arm_ready(struct filch_arm *arm)
{
	return filch_notify_try_wait(arm->object);
}

static bool arm_attach(struct filch_arm *arm)
{
	struct filch_line *line = &((struct filch_notify *)arm->object)->line;
	struct line_waiter *waiter = arm_waiter(arm);
	uint64_t state = filch__line_guard(line);
	bool waits = !(state & NOTIFY_KEPT);

	waiter->amount = BY_NOBODY;
	if (waits)
		state = filch__line_link(line, state, waiter);
	line_unguard(line, state);
	return waits;
}

static int arm_detach(struct filch_arm *arm)
{
	struct filch_line *line = &((struct filch_notify *)arm->object)->line;
	uint64_t state;
	int status = filch__line_detach(line, &state, arm_waiter(arm));

	line_unguard(line, state);
	return status;
}

static const struct select_kind arm_kind = { arm_ready, arm_attach, arm_detach };

struct filch_arm filch_notify_arm(struct filch_notify *notify)
{
	return (struct filch_arm){ .kind = &arm_kind, .object = notify };
}
