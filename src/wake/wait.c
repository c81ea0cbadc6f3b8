/* The one waiting function. */
#include "wake/wait.h"

#include "base/panic.h"
#include "base/planted.h"
#include "base/world.h"
#include "platform/clock.h"
#include "sched/worker.h"
#include "wake/timer.h"
#include "wake/token.h"

#include <errno.h>

void filch__waiter_begin(struct waiter *waiter)
{
	waiter->link.next = waiter->link.previous = NULL;
	waiter->outcome = PARK_UNDECIDED;
	waiter->what = NULL;
	waiter->parker = filch__parker_self();
	waiter->epoch = filch__park_arm(waiter->parker);
}

void filch__waiter_abort(struct waiter *waiter)
{
	bool claimed = filch__unpark(waiter->parker, waiter->epoch, PARK_CLOSED);

	(void)claimed;
	FILCH_ASSERT(claimed);
	filch__park(waiter->parker, waiter->epoch, FILCH_NEVER);
}

void filch__waiter_wait_surely(struct waiter *waiter)
{
	waiter->parker->waiter = waiter;
	filch__park(waiter->parker, waiter->epoch, FILCH_NEVER);
}

static int error_of(enum park_outcome outcome)
{
	switch (outcome) {
	case PARK_GRANTED:
		return 0;
	case PARK_TIMED_OUT:
		return -ETIMEDOUT;
	case PARK_CANCELLED:
		return -ECANCELED;
	case PARK_UNDECIDED:
	case PARK_CLOSED:
		break;
	}
	return -EPIPE;
}

/* What may end a wait early, while it lasts. */
struct limits {
	struct token_waiter cancel;
	struct filch_token *scope; /* NULL: not attached */
	struct filch_token *first; /* a thread's scope whose deadline comes before the wait's own */
	struct timers *timers;	   /* NULL: not armed */
	int failure;
};

static void begin_limits(struct limits *limits, struct waiter *waiter, filch_time *deadline)
{
	struct parker *parker = waiter->parker;
	struct filch_token *scope = filch__scope_self();

	*limits = (struct limits){ .cancel = { .parker = parker, .epoch = waiter->epoch } };
	if (scope) {
		if (filch__token_attach(scope, &limits->cancel) == 0)
			limits->scope = scope;
		else
			filch__unpark(parker, waiter->epoch, PARK_CANCELLED);
	}
	if (!parker->fiber) {
		limits->first = scope ? filch__scope_first_deadline(scope) : NULL;
		if (limits->first && filch_token_deadline(limits->first) <= *deadline)
			*deadline = filch_token_deadline(limits->first);
		else
			limits->first = NULL;
	} else if (*deadline != FILCH_NEVER) {
		limits->timers = filch__timers_of(parker->fiber->worker->scheduler);
		limits->failure =
			filch__timer_arm_wait(limits->timers, parker, waiter->epoch, *deadline);
		if (limits->failure < 0) {
			limits->timers = NULL;
			filch__unpark(parker, waiter->epoch, PARK_CLOSED);
		}
	}
}

static int end_limits(struct limits *limits, struct parker *parker, enum park_outcome outcome)
{
	if (limits->timers && outcome != PARK_TIMED_OUT)
		filch__timer_disarm_wait(limits->timers, parker);
	if (limits->scope)
		filch__token_detach(limits->scope, &limits->cancel);
	if (is_planted(PLANTED_LOST_GRANT) && limits->scope &&
	    filch_token_is_cancelled(limits->scope))
		return -ECANCELED;
	if (outcome == PARK_CLOSED && limits->failure < 0)
		return limits->failure;
	if (outcome == PARK_TIMED_OUT && limits->first) {
		filch__token_expire(limits->first, NULL);
		return -ECANCELED;
	}
	return error_of(outcome);
}

static FILCH_COLD void simulate_parking(struct world *world, filch_time deadline)
{
	world->calls->parking(world, deadline);
}

int filch__waiter_wait(struct waiter *waiter, filch_time deadline)
{
	struct limits limits;

	waiter->parker->waiter = waiter;
	begin_limits(&limits, waiter, &deadline);
	if (waiter->parker->fiber && unlikely(waiter->parker->fiber->scheduler->world != NULL))
		simulate_parking(waiter->parker->fiber->scheduler->world, deadline);
	return end_limits(&limits, waiter->parker,
			  filch__park(waiter->parker, waiter->epoch, deadline));
}

int filch__wait_sleep(filch_time deadline)
{
	static const struct waited time = { .name = "time to pass" };
	struct waiter waiter;

	filch__waiter_begin(&waiter);
	waiter_says(&waiter, &time, NULL);
	return filch__waiter_wait(&waiter, deadline);
}

bool filch__wait_is_over(filch_time deadline)
{
	return deadline != FILCH_NEVER && (deadline <= 0 || deadline <= filch__clock_now());
}

int filch__wait_enter(void)
{
	struct fiber *self = filch__fiber_self();
	int status = filch__checkpoint();
	struct filch__task *task;

	if (status < 0 || !self)
		return status;
	task = self->task;
	if (task == &filch__task_none)
		return -EPERM; /* a timer's callback */
	if (task->budget == UINT32_MAX || task->operations-- > 1)
		return 0;
	task->operations = task->budget;
	filch__wait_yield(self);
	return 0;
}

int filch__wait_enter_queue(void)
{
	struct fiber *self = filch__fiber_self();
	int status = filch__checkpoint();

	if (status < 0 || !self)
		return status;
	if (self->task == &filch__task_none)
		return -EPERM;
	if (self->task->operations > 1 && self->task->budget != UINT32_MAX)
		self->task->operations--;
	return 0;
}

/* Leaves for a fresh loop; the caller is ready again. */
static void yield_to_loop(struct fiber *self)
{
	struct worker *worker = self->worker;
	struct fiber *loop = worker->spare;

	worker->spare = NULL;
	filch__fiber_prepare(loop, filch__loop);
	filch__switch(self, loop, LEFT_YIELDED);
}

void filch__wait_breathe(struct fiber *self)
{
	struct worker *worker = self->worker;
	struct fiber *next;

	filch__worker_poll_timers(worker);
	next = filch__worker_next_ready(worker);
	if (next) {
		filch__switch(self, next, LEFT_YIELDED);
	} else if (filch__worker_is_pressed(worker)) {
		worker->tick = 1; /* the loop begins with the injection queue */
		yield_to_loop(self);
	}
}

void filch__wait_yield(struct fiber *self)
{
	struct worker *worker = self->worker;
	struct fiber *next = NULL;
	uint64_t waiting = filch__worker_count_tasks(worker);

	if (waiting == 0)
		next = filch__worker_next_ready(worker);
	if (!next && waiting == 0)
		return;
	if (next) {
		filch__switch(self, next, LEFT_YIELDED);
		return;
	}
	/* Not raised while it lasts: else tasks that spawn and yield would keep the ready ones
	 * waiting. */
	if (worker->new_first == 0)
		worker->new_first = (uint32_t)(waiting < UINT32_MAX ? waiting : UINT32_MAX);
	yield_to_loop(self);
}
