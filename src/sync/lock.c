/* The lock: barging, with hand-over to who has waited. */
#include "sync/lock.h"

#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/thread.h"
#include "sched/worker.h"
#include "sync/select.h"
#include "wake/token.h"

#include <errno.h>

#define PATIENCE FILCH_MILLISECOND
#define SPIN_ROUNDS 3 /* of 8, 16, 32 pauses */
#define FIRST_PAUSES 8u

#define OWNER(state) ((state) & ~LOCK_FLAGS)

/* ---- Who holds what ---- */

uint64_t filch__lock_self(void)
{
	struct fiber *self = filch__fiber_self();

	return (uintptr_t)(self ? (void *)self->task : (void *)filch__parker_self());
}

bool filch__lock_is_mine(const struct filch_lock *lock)
{
	/* relaxed: only the owner finds itself there. */
	return OWNER(word64_load_relaxed(&lock->state)) == filch__lock_self();
}

/* ---- The guard ---- */

/* The state that was found, without GUARD. */
static uint64_t guard(struct filch_lock *lock)
{
	for (unsigned spins = 0;; spins++) {
		/* relaxed: the cas orders. */
		uint64_t state = word64_load_relaxed(&lock->state);

		/* acquire: pairs with the release in unguard, and of the short release. */
		if (!(state & LOCK_GUARD) &&
		    word64_cas_acquire(&lock->state, &state, state | LOCK_GUARD))
			return state;
		if (spins < 100)
			cpu_relax();
		else
			filch__thread_yield();
	}
}

/* The last touch. */
static void unguard(struct filch_lock *lock, uint64_t state)
{
	/* release: pairs with the acquire in guard, and of the short acquire. */
	word64_store_release(&lock->state, state);
}

static struct list *waiters_of(struct filch_lock *lock)
{
	return (struct list *)(void *)lock->waiters;
}

static struct lock_waiter *first_of(struct filch_lock *lock)
{
	struct list *waiters = waiters_of(lock);

	return list_is_empty(waiters)
		       ? NULL
		       : container_of(waiters->next, struct lock_waiter, waiter.link);
}

static uint64_t holder(const void *object, unsigned n)
{
	const struct filch_lock *lock = object;

	/* relaxed: nothing runs. */
	return n == 0 ? OWNER(word64_load_relaxed(&lock->state)) : 0;
}

static const struct waited waited_lock = { .name = "a lock", .holder = holder };

/* Guarded, as the following; they return what the state becomes by it. */
static uint64_t join(struct filch_lock *lock, struct lock_waiter *waiter, uint64_t state)
{
	struct list *link = &waiter->waiter.link, *waiters = waiters_of(lock);

	list_push_back(waiters, link);
	if (waiter->joined) {
		/* Its turn had come already: it is the first again. */
		waiter->tried = true;
		waiter->woken = waiter->committed = false;
		list_remove(link);
		list_push_back(list_is_empty(waiters) ? waiters : waiters->next, link);
	} else {
		waiter->joined = true;
		waiter->since = filch__clock_now();
	}
	waiter_says(&waiter->waiter, &waited_lock, lock);
	lock->waiting++;
	return state | LOCK_WAITED;
}

static uint64_t unlink_waiter(struct filch_lock *lock, struct lock_waiter *waiter, uint64_t state)
{
	list_remove(&waiter->waiter.link);
	lock->waiting--;
	if (waiter->woken)
		state &= ~LOCK_WOKEN;
	return list_is_empty(waiters_of(lock)) ? state & ~LOCK_WAITED : state;
}

/* The same for one that has nothing by it: until it has come the lock must stay. */
static uint64_t expel(struct filch_lock *lock, struct lock_waiter *waiter, uint64_t state)
{
	lock->leaving++;
	return unlink_waiter(lock, waiter, state);
}

/* A waiter has come: 0 the lock was handed to it, -EAGAIN it was not, -EOWNERDEAD it was expelled.
 */
static int come(struct filch_lock *lock, struct lock_waiter *waiter, uint64_t *state)
{
	if (list_is_linked(&waiter->waiter.link)) {
		*state = unlink_waiter(lock, waiter, *state);
		return -EAGAIN;
	}
	if (OWNER(*state) == waiter->owner)
		return 0;
	lock->leaving--;
	return -EOWNERDEAD;
}

/* ---- Acquiring ---- */

static bool take(struct filch_lock *lock, uint64_t self)
{
	uint64_t state = 0;

	/* acquire: pairs with the release of the lock. */
	if (likely(word64_cas_acquire(&lock->state, &state, self)))
		return true;
	/* acquire: the same; past one that is on its way. */
	return state == LOCK_ON_ITS_WAY &&
	       word64_cas_acquire(&lock->state, &state, LOCK_ON_ITS_WAY | self);
}

/* A short wait, with few looks, for a lock that somebody has: parking costs more. */
static bool spin_for(struct filch_lock *lock, uint64_t self)
{
	for (unsigned round = 0; round < SPIN_ROUNDS; round++) {
		uint64_t state;

		for (unsigned i = 0; i < FIRST_PAUSES << round; i++)
			cpu_relax();
		/* relaxed: take orders. */
		state = word64_load_relaxed(&lock->state);
		if (OWNER(state) == 0 && take(lock, self))
			return true;
		if (state & LOCK_BROKEN || (state & LOCK_ON_ITS_WAY) == LOCK_WAITED)
			return false;
	}
	return false;
}

/* Guarded: 0 the lock becomes ours, -EAGAIN it is to be waited for, or the error. */
static int try_guarded(uint64_t *state, uint64_t self)
{
	if (*state & LOCK_BROKEN)
		return -EOWNERDEAD;
	if (OWNER(*state) == self)
		return -EDEADLK;
	if (OWNER(*state) != 0)
		return -EAGAIN;
	*state |= self;
	return 0;
}

static int wait_in_queue(struct lock_waiter *waiter, filch_time deadline, bool surely)
{
	int status = 0;

	if (surely)
		filch__waiter_wait_surely(&waiter->waiter);
	else
		status = filch__waiter_wait(&waiter->waiter, deadline);
	/* Closed: it was expelled, and will see. */
	return status == -EPIPE ? 0 : status;
}

static bool is_over(filch_time deadline)
{
	return deadline != FILCH_NEVER && deadline <= filch__clock_now();
}

/* Tries and waits in turns. A waiter that has joined begins as one that was woken. */
static int contend(struct filch_lock *lock, struct lock_waiter *waiter, filch_time deadline,
		   bool surely)
{
	int status = 0;

	for (;;) {
		uint64_t state = guard(lock);
		int found = waiter->joined ? come(lock, waiter, &state) : -EAGAIN;

		if (status == 0)
			status = found;
		if (status == -EAGAIN)
			status = try_guarded(&state, waiter->owner);
		if (status == -EAGAIN && is_over(deadline))
			status = -ETIMEDOUT;
		if (status != -EAGAIN) {
			unguard(lock, state);
			return status;
		}
		if (!waiter->joined)
			lock->contended++;
		filch__waiter_begin(&waiter->waiter);
		unguard(lock, join(lock, waiter, state));
		status = wait_in_queue(waiter, deadline, surely);
	}
}

/* Whose budget is spent waits in the queue, where others go first; the only worker would wait for
 * itself. */
static bool may_spin(void)
{
	struct fiber *self = filch__fiber_self();

	return !self || (self->task->operations > 1 && self->scheduler->count > 1);
}

static int acquire(struct filch_lock *lock, filch_time deadline, bool surely)
{
	struct lock_waiter waiter = { .owner = filch__lock_self() };
	int status = 0;

	if (!take(lock, waiter.owner) && !(may_spin() && spin_for(lock, waiter.owner)))
		status = contend(lock, &waiter, deadline, surely);
	if (status == 0)
		filch__lock_note_held(lock);
	return status;
}

int filch_lock_acquire_until(struct filch_lock *lock, filch_time deadline)
{
	int status;

	if (!lock)
		return -EINVAL;
	/* relaxed: a hint. */
	status = word64_load_relaxed(&lock->state) == 0 ? filch__wait_enter()
							: filch__wait_enter_queue();
	return status < 0 ? status : acquire(lock, deadline, false);
}

int filch__lock_acquire_surely(struct filch_lock *lock)
{
	return acquire(lock, FILCH_NEVER, true);
}

/* As filch__wait_enter and take, without a call. */
FILCH_NOINLINE int filch_lock_acquire(struct filch_lock *lock)
{
	struct fiber *self = fiber_self_at_entry();
	struct filch__task *task = self->task;

	if (unlikely(!lock || !task->scope || task->operations <= 1 ||
		     token_is_cancelled(task->scope, self->worker->scheduler) ||
		     !take(lock, (uintptr_t)task)))
		return filch_lock_acquire_until(lock, FILCH_NEVER);
	task->operations--;
	lock->held = task->held;
	task->held = lock;
	return 0;
}

int filch_lock_try_acquire(struct filch_lock *lock)
{
	struct fiber *fiber = filch__fiber_self();
	uint64_t self = filch__lock_self();
	int status;

	if (!lock)
		return -EINVAL;
	if (fiber && fiber->task == &filch__task_none)
		return -EPERM;
	if (!take(lock, self)) {
		uint64_t state = guard(lock);

		status = try_guarded(&state, self);
		unguard(lock, state);
		if (status < 0)
			return status;
	}
	filch__lock_note_held(lock);
	return 0;
}

/* ---- Releasing ---- */

static bool claim(struct lock_waiter *waiter, enum park_outcome outcome, struct parked *parked)
{
	struct parker *parker = waiter->waiter.parker;
	uint64_t epoch = waiter->waiter.epoch;

	waiter->waiter.outcome = outcome;
	if (waiter->committed)
		filch__park_claim_committed(parker, epoch, outcome, parked);
	else if (!filch__park_claim(parker, epoch, outcome, parked))
		waiter->waiter.outcome = PARK_UNDECIDED;
	return waiter->waiter.outcome != PARK_UNDECIDED;
}

/*
 * Guarded; what the state becomes when its owner has left it. The first waiter is handed the lock
 * if its patience has ended, and else woken, unless it is already.
 */
static uint64_t pass_on(struct filch_lock *lock, uint64_t state, struct parked *parked)
{
	struct lock_waiter *head;

	state &= LOCK_FLAGS;
	while ((head = first_of(lock)) != NULL) {
		if (!head->woken && !claim(head, PARK_GRANTED, parked)) {
			/* Its wait has ended otherwise. */
			state = expel(lock, head, state);
			continue;
		}
		if (head->tried || head->select || filch__clock_now() - head->since >= PATIENCE)
			return unlink_waiter(lock, head, state) | head->owner;
		head->woken = true;
		return state | LOCK_WOKEN;
	}
	return state;
}

/* Guarded: the lock is broken. */
static FILCH_COLD uint64_t expel_all(struct filch_lock *lock, uint64_t state)
{
	struct lock_waiter *head;

	while ((head = first_of(lock)) != NULL) {
		struct parked parked = { NULL, NULL };

		state = expel(lock, head, state);
		if (!head->woken && claim(head, PARK_CLOSED, &parked))
			filch__park_resume(&parked);
	}
	return state;
}

static FILCH_COLD int release_slowly(struct filch_lock *lock)
{
	struct parked parked = { NULL, NULL };

	if (!lock)
		return -EINVAL;
	if (!filch__lock_is_mine(lock))
		return -EPERM;
	filch__lock_forget_held(lock);
	unguard(lock, pass_on(lock, guard(lock), &parked));
	filch__park_resume(&parked);
	return 0;
}

FILCH_NOINLINE int filch_lock_release(struct filch_lock *lock)
{
	struct filch__task *task = fiber_self_at_entry()->task;
	struct filch_lock *next;
	uint64_t state, rest;

	if (unlikely(!lock || task->held != lock))
		return release_slowly(lock);
	next = lock->held;
	/* relaxed: the cas orders. */
	state = word64_load_relaxed(&lock->state);
	rest = state - (uintptr_t)task;
	/* release: pairs with the acquire of who takes it next. The last touch. */
	if (unlikely((rest != 0 && rest != LOCK_ON_ITS_WAY) ||
		     !word64_cas_release(&lock->state, &state, rest)))
		return release_slowly(lock);
	task->held = next;
	return 0;
}

/* ---- For conditions ---- */

void filch__lock_queue(struct filch_lock *lock, struct list *waiters)
{
	struct parked parked = { NULL, NULL };
	uint64_t state = guard(lock);
	struct list *link;

	while ((link = list_pop_front(waiters)))
		state = join(lock, container_of(link, struct lock_waiter, waiter.link), state);
	if (state & LOCK_BROKEN)
		state = expel_all(lock, state);
	else if (OWNER(state) == 0)
		state = pass_on(lock, state, &parked);
	unguard(lock, state);
	filch__park_resume(&parked);
}

int filch__lock_come(struct filch_lock *lock, struct lock_waiter *waiter)
{
	int status = contend(lock, waiter, FILCH_NEVER, true);

	if (status == 0)
		filch__lock_note_held(lock);
	return status;
}

/* ---- The end of an owner ---- */

void filch__lock_break(struct filch_lock *lock)
{
	uint64_t state = expel_all(lock, guard(lock));

	unguard(lock, (state & LOCK_FLAGS) | LOCK_BROKEN);
}

int filch_lock_repair(struct filch_lock *lock)
{
	uint64_t state;

	if (!lock)
		return -EINVAL;
	state = guard(lock);
	unguard(lock, state & ~LOCK_BROKEN);
	return state & LOCK_BROKEN ? 0 : -EINVAL;
}

int filch_lock_fini(struct filch_lock *lock)
{
	uint64_t state;
	bool busy;

	if (!lock)
		return 0;
	state = guard(lock);
	busy = OWNER(state) != 0 || lock->waiting + lock->leaving > 0;
	unguard(lock, state);
	return busy ? -EBUSY : 0;
}

void filch_lock_get_statistics(struct filch_lock *lock, struct filch_lock_statistics *statistics)
{
	uint64_t state = guard(lock);

	*statistics = (struct filch_lock_statistics){
		.owner = (const void *)(uintptr_t)OWNER(state),
		.locked = OWNER(state) != 0,
		.mine = OWNER(state) == filch__lock_self(),
		.broken = state & LOCK_BROKEN,
		.waiting = lock->waiting,
		.contended = lock->contended,
	};
	unguard(lock, state);
}

/* ---- As an arm of a select ---- */

SELECT_ROOM_FITS(struct lock_waiter);

static int arm_ready(struct filch_arm *arm)
{
	return filch_lock_try_acquire(arm->object);
}

static bool arm_attach(struct filch_arm *arm)
{
	struct filch_lock *lock = arm->object;
	struct lock_waiter *waiter = arm_waiter(arm);
	uint64_t state = guard(lock);

	waiter->owner = filch__lock_self();
	waiter->select = true;
	waiter->joined = waiter->woken = waiter->tried = waiter->committed = false;
	if (state & LOCK_BROKEN || OWNER(state) == 0 || OWNER(state) == waiter->owner) {
		unguard(lock, state);
		return false;
	}
	lock->contended++;
	unguard(lock, join(lock, waiter, state));
	return true;
}

static int arm_detach(struct filch_arm *arm)
{
	struct filch_lock *lock = arm->object;
	struct lock_waiter *waiter = arm_waiter(arm);
	uint64_t state = guard(lock);
	int status = come(lock, waiter, &state);

	unguard(lock, state);
	if (status == 0)
		filch__lock_note_held(lock);
	/* Expelled, but another arm was won before, or the wait had ended. */
	return status == -EOWNERDEAD && waiter->waiter.outcome == PARK_UNDECIDED ? -EAGAIN : status;
}

static const struct select_kind arm_kind = { arm_ready, arm_attach, arm_detach };

struct filch_arm filch_lock_arm(struct filch_lock *lock)
{
	return (struct filch_arm){ .kind = &arm_kind, .object = lock };
}
