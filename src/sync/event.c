/* The event: one flag and a line. */
#include <filch/event.h>

#include "sync/line.h"
#include "sync/select.h"

#include <errno.h>

#define EVENT_SET LINE_OWN(0)

static bool is_set(const struct filch_event *event)
{
	/* acquire: pairs with the release in change, and in line_unguard. */
	return (word64_load_acquire(&event->line.state) & EVENT_SET) != 0;
}

static const struct waited waited_event = { .name = "an event" };

int filch_event_wait_until(struct filch_event *event, filch_time deadline)
{
	struct line_waiter waiter = { .amount = 0 };
	uint64_t state;
	int status;

	if (!event)
		return -EINVAL;
	status = filch__line_enter(!is_set(event));
	if (status < 0 || is_set(event))
		return status;
	state = filch__line_guard(&event->line);
	if (state & EVENT_SET) {
		line_unguard(&event->line, state);
		return 0;
	}
	status = filch__line_wait(&event->line, &state, &waiter, &waited_event, deadline);
	if (status == 0)
		return 0;
	line_unguard(&event->line, state);
	return status;
}

FILCH_NOINLINE int filch_event_wait(struct filch_event *event)
{
	struct filch__task *task = line_enter_short();

	if (unlikely(!task || !event || !is_set(event)))
		return filch_event_wait_until(event, FILCH_NEVER);
	task->operations--;
	return 0;
}

int filch_event_try_wait(struct filch_event *event)
{
	int status = event ? filch__line_enter_try() : -EINVAL;

	return status < 0 || is_set(event) ? status : -EAGAIN;
}

/* Short: nobody is in line. Writes also what is there already, so that who clears or finds it set
 * afterwards has seen what we did before. */
static bool change(struct filch_event *event, uint64_t clear, uint64_t set)
{
	/* relaxed: the cas orders. */
	uint64_t state = word64_load_relaxed(&event->line.state);

	do {
		if (state & (LINE_GUARD | LINE_QUEUED | LINE_BUSY))
			return false;
		/* acq_rel: pairs with itself, with the acquire in is_set and in filch__line_guard,
		 * and with the release in line_unguard. */
	} while (!word64_cas_acq_rel(&event->line.state, &state, (state & ~clear) | set));
	return true;
}

int filch_event_set(struct filch_event *event)
{
	uint64_t state, last;

	if (!event)
		return -EINVAL;
	if (change(event, 0, EVENT_SET))
		return 0;
	state = filch__line_guard_to_wake(&event->line);
	last = event->line.tickets;
	filch__line_serve(&event->line, state | EVENT_SET, filch__line_choose_until, &last);
	return 0;
}

int filch_event_clear(struct filch_event *event)
{
	uint64_t state;

	if (!event)
		return -EINVAL;
	if (change(event, EVENT_SET, 0))
		return 0;
	state = filch__line_guard(&event->line);
	line_unguard(&event->line, state & ~EVENT_SET);
	return 0;
}

bool filch_event_is_set(const struct filch_event *event)
{
	return event && is_set(event);
}

int filch_event_fini(struct filch_event *event)
{
	return event ? filch__line_fini(&event->line) : 0;
}

void filch_event_get_statistics(struct filch_event *event,
				struct filch_event_statistics *statistics)
{
	uint64_t state = filch__line_guard(&event->line);

	*statistics = (struct filch_event_statistics){
		.set = (state & EVENT_SET) != 0,
		.waiting = event->line.waiting,
		.contended = event->line.tickets,
	};
	line_unguard(&event->line, state);
}

/* ---- As an arm of a select ---- */

SELECT_ROOM_FITS(struct line_waiter);

static int arm_ready(struct filch_arm *arm)
{
	return filch_event_try_wait(arm->object);
}

static bool arm_attach(struct filch_arm *arm)
{
	struct filch_event *event = arm->object;
	uint64_t state = filch__line_guard(&event->line);
	bool waits = !(state & EVENT_SET);

	if (waits)
		state = filch__line_link(&event->line, state, arm_waiter(arm));
	line_unguard(&event->line, state);
	return waits;
}

static int arm_detach(struct filch_arm *arm)
{
	struct filch_event *event = arm->object;
	uint64_t state;
	int status = filch__line_detach(&event->line, &state, arm_waiter(arm));

	line_unguard(&event->line, state);
	return status;
}

static const struct select_kind arm_kind = { arm_ready, arm_attach, arm_detach };

struct filch_arm filch_event_arm(struct filch_event *event)
{
	return (struct filch_arm){ .kind = &arm_kind, .object = event };
}
