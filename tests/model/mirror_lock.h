/* What model_lock and model_condition check: src/sync/lock.c, function by function. */
#ifndef FILCH_MODEL_MIRROR_LOCK_H
#define FILCH_MODEL_MIRROR_LOCK_H

#include "mirror_park.h"

/*
 * The functions mirror those of the same name. The list of waiters is an array; `frame` stands
 * for the lock's memory as a whole: everything but the word itself touches it. Whose patience has
 * ended is the scheduler's choice.
 */
#define LOCK_GUARD UINT64_C(1)
#define LOCK_WAITED UINT64_C(2)
#define LOCK_WOKEN UINT64_C(8)
#define LOCK_FLAGS UINT64_C(15)
#define LOCK_ON_ITS_WAY (LOCK_WAITED | LOCK_WOKEN)
#define OWNER(state) ((state) & ~LOCK_FLAGS)

static const int MOST = 4;

struct lock_waiter {
	struct parker *parker;
	uint64_t epoch;
	uint64_t owner;
	bool joined, woken, tried, committed, linked;
};

struct filch_lock {
	struct filch_word64 state;
	struct lock_waiter *waiters[MOST];
	int waiting, leaving;
	PLAIN(int) frame; /* 1 while it stands */
};

static void lock_set(struct filch_lock *lock)
{
	word64_store_relaxed(&lock->state, 0);
	lock->waiting = lock->leaving = 0;
	PLAIN_WRITE(lock->frame, 1);
}

/* By who has the lock's memory for itself. */
static void lock_free(struct filch_lock *lock)
{
	PLAIN_WRITE(lock->frame, 0);
}

static void touch(struct filch_lock *lock)
{
	model::require(PLAIN_READ(lock->frame) == 1, "the lock is there");
	PLAIN_WRITE(lock->frame, 1);
}

/* ---- The guard ---- */

static uint64_t guard(struct filch_lock *lock)
{
	for (;;) {
		uint64_t state = word64_load_relaxed(&lock->state);

		if (!(state & LOCK_GUARD) &&
		    word64_cas_acquire(&lock->state, &state, state | LOCK_GUARD)) {
			touch(lock);
			return state;
		}
		cpu_relax();
	}
}

static void unguard(struct filch_lock *lock, uint64_t state)
{
	touch(lock);
	word64_store_release(&lock->state, state);
}

static void insert(struct filch_lock *lock, struct lock_waiter *waiter, int at)
{
	for (int i = lock->waiting++; i > at; i--)
		lock->waiters[i] = lock->waiters[i - 1];
	lock->waiters[at] = waiter;
	waiter->linked = true;
}

static uint64_t join(struct filch_lock *lock, struct lock_waiter *waiter, uint64_t state)
{
	if (waiter->joined) {
		waiter->tried = true;
		waiter->woken = waiter->committed = false;
		insert(lock, waiter, 0);
	} else {
		waiter->joined = true;
		insert(lock, waiter, lock->waiting);
	}
	return state | LOCK_WAITED;
}

static uint64_t unlink_waiter(struct filch_lock *lock, struct lock_waiter *waiter, uint64_t state)
{
	int at = 0;

	while (lock->waiters[at] != waiter)
		at++;
	for (lock->waiting--; at < lock->waiting; at++)
		lock->waiters[at] = lock->waiters[at + 1];
	waiter->linked = false;
	if (waiter->woken && MODEL_STEP("who is taken out is not on its way any more"))
		state &= ~LOCK_WOKEN;
	return lock->waiting == 0 ? state & ~LOCK_WAITED : state;
}

static uint64_t expel(struct filch_lock *lock, struct lock_waiter *waiter, uint64_t state)
{
	lock->leaving++;
	return unlink_waiter(lock, waiter, state);
}

static int come(struct filch_lock *lock, struct lock_waiter *waiter, uint64_t *state)
{
	if (waiter->linked) {
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

	if (word64_cas_acquire(&lock->state, &state, self))
		return true;
	return state == LOCK_ON_ITS_WAY &&
	       word64_cas_acquire(&lock->state, &state, LOCK_ON_ITS_WAY | self);
}

static int try_guarded(uint64_t *state, uint64_t self)
{
	if (OWNER(*state) != 0)
		return -EAGAIN;
	*state |= self;
	return 0;
}

static int contend(struct filch_lock *lock, struct lock_waiter *waiter, bool has_deadline)
{
	int status = 0;

	for (;;) {
		uint64_t state = guard(lock);
		int found = waiter->joined ? come(lock, waiter, &state) : -EAGAIN;

		if (status == 0)
			status = found;
		if (status == -EAGAIN)
			status = try_guarded(&state, waiter->owner);
		if (status != -EAGAIN) {
			unguard(lock, state);
			return status;
		}
		waiter->epoch = filch__park_arm(waiter->parker);
		unguard(lock, join(lock, waiter, state));
		status = filch__park(waiter->parker, waiter->epoch, has_deadline) == PARK_TIMED_OUT
				 ? -ETIMEDOUT
				 : 0;
		if (!MODEL_STEP("who was woken takes the guard") && status == 0 &&
		    OWNER(word64_load_relaxed(&lock->state)) == waiter->owner)
			return 0;
	}
}

static int acquire(struct filch_lock *lock, struct parker *parker, uint64_t self, bool has_deadline)
{
	struct lock_waiter waiter = { parker, 0, self, false, false, false, false, false };

	return take(lock, self) ? 0 : contend(lock, &waiter, has_deadline);
}

/* ---- Releasing ---- */

static bool claim(struct lock_waiter *waiter)
{
	if (!waiter->committed)
		return filch__park_claim(waiter->parker, waiter->epoch, PARK_GRANTED);
	filch__park_claim_committed(waiter->parker, waiter->epoch, PARK_GRANTED);
	return true;
}

static uint64_t pass_on(struct filch_lock *lock, uint64_t state, struct parker **parked)
{
	state &= LOCK_FLAGS;
	while (lock->waiting > 0) {
		struct lock_waiter *head = lock->waiters[0];

		if (!head->woken && !claim(head)) {
			state = expel(lock, head, state);
			if (!MODEL_STEP("the one behind who gave up is next"))
				return state;
			continue;
		}
		if (!head->woken)
			*parked = head->parker;
		if (head->tried || rl::rand(2)) {
			if (MODEL_STEP("who is handed the lock leaves the list"))
				state = unlink_waiter(lock, head, state);
			return state | head->owner;
		}
		if (MODEL_STEP("who was woken is noted"))
			head->woken = true;
		return state | LOCK_WOKEN;
	}
	return state;
}

static void release_slowly(struct filch_lock *lock)
{
	struct parker *parked = NULL;

	unguard(lock, pass_on(lock, guard(lock), &parked));
	if (parked)
		filch__park_resume(parked);
}

static void release(struct filch_lock *lock, uint64_t self)
{
	uint64_t state = word64_load_relaxed(&lock->state), rest = state - self;

	if ((rest != 0 && rest != LOCK_ON_ITS_WAY) ||
	    !word64_cas_release(&lock->state, &state, rest))
		release_slowly(lock);
}

/* ---- For conditions ---- */

static void filch__lock_queue(struct filch_lock *lock, struct lock_waiter **moved, int count)
{
	struct parker *parked = NULL;
	uint64_t state = guard(lock);

	for (int i = 0; i < count; i++)
		state = join(lock, moved[i], state);
	if (OWNER(state) == 0 && MODEL_STEP("a free lock wakes who was moved to it"))
		state = pass_on(lock, state, &parked);
	unguard(lock, state);
	if (parked)
		filch__park_resume(parked);
}

static int filch__lock_come(struct filch_lock *lock, struct lock_waiter *waiter)
{
	return contend(lock, waiter, false);
}

#endif
