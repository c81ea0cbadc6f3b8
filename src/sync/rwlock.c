/* The reader-writer lock: one queue, handed over from its head. */
#include <filch/rwlock.h>

#include "data/spin.h"
#include "platform/clock.h"
#include "sched/worker.h"
#include "sync/lock.h"

#include <errno.h>

/*
 * The guard guards all fields, and the waiters that are in the queue (or are the upgrader).
 * Nobody takes the lock past the queue: who frees it gives it to those at the head (advance). A
 * waiter that was given it takes the guard once more before it returns: the giver's last touch
 * is the release of the guard, so the lock may be freed by whoever has it then.
 */
enum kind { READ, WRITE, UPGRADE };

/* One call that waits, in its caller's frame. */
struct rwlock_waiter {
	struct waiter waiter; /* first */
	uint64_t owner;
	enum kind kind;
	bool granted;
};

/* The waits that were claimed under the guard, to be resumed after it; what is over at once. */
struct wakes {
	struct parked parked[8];
	unsigned count;
};

static struct spin *guard_of(struct filch_rwlock *lock)
{
	return (struct spin *)(void *)&lock->guard;
}

static struct list *waiters_of(struct filch_rwlock *lock)
{
	return (struct list *)(void *)lock->waiters;
}

static struct rwlock_waiter *first_of(struct filch_rwlock *lock)
{
	struct list *waiters = waiters_of(lock);

	return list_is_empty(waiters)
		       ? NULL
		       : container_of(waiters->next, struct rwlock_waiter, waiter.link);
}

/* ---- Who holds it; all guarded ---- */

static unsigned count_known(const struct filch_rwlock *lock, uint64_t owner)
{
	unsigned count = 0;

	for (int i = 0; i < FILCH_RWLOCK_KNOWN; i++)
		count += lock->known[i] == owner;
	return count;
}

/* As far as is known: others are only counted. */
static bool is_reader(const struct filch_rwlock *lock, uint64_t owner)
{
	return count_known(lock, owner) > 0 ||
	       lock->readers > FILCH_RWLOCK_KNOWN - count_known(lock, 0);
}

static void replace_known(struct filch_rwlock *lock, uint64_t from, uint64_t to)
{
	for (int i = 0; i < FILCH_RWLOCK_KNOWN; i++) {
		if (lock->known[i] != from)
			continue;
		lock->known[i] = to;
		return;
	}
}

static void hold(struct filch_rwlock *lock, uint64_t owner, enum kind kind)
{
	if (kind == READ) {
		lock->readers++;
		replace_known(lock, 0, owner);
	} else {
		lock->writer = owner;
	}
}

static void drop_read(struct filch_rwlock *lock, uint64_t owner)
{
	lock->readers--;
	replace_known(lock, owner, 0);
}

static bool fits(const struct filch_rwlock *lock, enum kind kind)
{
	if (lock->writer)
		return false;
	if (kind == READ)
		return lock->limit == 0 || lock->readers < lock->limit;
	return lock->readers == (kind == UPGRADE ? 1 : 0);
}

/* ---- Handing over; all guarded ---- */

static bool claim(struct filch_rwlock *lock, struct rwlock_waiter *waiter, struct wakes *wakes)
{
	struct parked parked = { NULL, NULL };

	lock->waiting--;
	if (!filch__park_claim(waiter->waiter.parker, waiter->waiter.epoch, PARK_GRANTED,
			       &parked)) {
		/* Its wait has ended otherwise; it has yet to come. */
		lock->leaving++;
		return false;
	}
	waiter->granted = true;
	if (waiter->kind == UPGRADE)
		drop_read(lock, waiter->owner);
	hold(lock, waiter->owner, waiter->kind);
	if (wakes->count < sizeof(wakes->parked) / sizeof(wakes->parked[0]))
		wakes->parked[wakes->count++] = parked;
	else
		filch__park_resume(&parked);
	return true;
}

/* Gives the lock to whoever it can be given to now, in their order. */
static void advance(struct filch_rwlock *lock, struct wakes *wakes)
{
	struct rwlock_waiter *head = lock->upgrader;

	if (head) {
		if (!fits(lock, UPGRADE))
			return;
		lock->upgrader = NULL;
		if (claim(lock, head, wakes))
			return;
	}
	while ((head = first_of(lock)) != NULL && fits(lock, head->kind)) {
		list_remove(&head->waiter.link);
		claim(lock, head, wakes);
	}
}

static void unguard(struct filch_rwlock *lock, const struct wakes *wakes)
{
	spin_release(guard_of(lock)); /* *lock may be gone from here on. */
	for (unsigned i = 0; i < wakes->count; i++)
		filch__park_resume(&wakes->parked[i]);
}

/* ---- Waiting ---- */

/* Guarded: 0 it is had, -EAGAIN it is to be waited for, or the error. */
static int try_guarded(struct filch_rwlock *lock, uint64_t owner, enum kind kind)
{
	if (kind == UPGRADE) {
		if (!is_reader(lock, owner))
			return -EPERM;
		if (lock->upgrader || count_known(lock, owner) > 1)
			return -EDEADLK;
		if (!fits(lock, kind))
			return -EAGAIN;
		drop_read(lock, owner);
	} else if (lock->writer == owner) {
		return -EDEADLK;
	} else if (lock->upgrader || first_of(lock) || !fits(lock, kind)) {
		return count_known(lock, owner) > 0 ? -EDEADLK : -EAGAIN;
	}
	hold(lock, owner, kind);
	return 0;
}

static uint64_t holder(const void *object, unsigned n)
{
	const struct filch_rwlock *lock = object;

	if (lock->writer)
		return n == 0 ? lock->writer : 0;
	for (unsigned i = 0; i < FILCH_RWLOCK_KNOWN; i++)
		if (lock->known[i] && n-- == 0)
			return lock->known[i];
	return 0;
}

static const struct waited waited_rwlock = { .name = "an rwlock", .holder = holder };

static void join(struct filch_rwlock *lock, struct rwlock_waiter *waiter)
{
	filch__waiter_begin(&waiter->waiter);
	waiter_says(&waiter->waiter, &waited_rwlock, lock);
	if (waiter->kind == UPGRADE)
		lock->upgrader = waiter;
	else
		list_push_back(waiters_of(lock), &waiter->waiter.link);
	lock->waiting++;
	lock->contended++;
}

/* After the wait: who was not given the lock leaves the queue, and lets those behind it in. */
static int come(struct filch_rwlock *lock, struct rwlock_waiter *waiter, int status)
{
	struct wakes wakes = { .count = 0 };

	spin_acquire(guard_of(lock));
	if (!waiter->granted) {
		if (lock->upgrader == waiter || list_is_linked(&waiter->waiter.link))
			lock->waiting--;
		else
			lock->leaving--;
		if (lock->upgrader == waiter)
			lock->upgrader = NULL;
		else if (list_is_linked(&waiter->waiter.link))
			list_remove(&waiter->waiter.link);
		advance(lock, &wakes);
	}
	unguard(lock, &wakes);
	return waiter->granted ? 0 : status;
}

/* Whose budget is spent yields, but not when it has to wait: then it joins the queue at once. */
static int enter(struct filch_rwlock *lock, enum kind kind)
{
	struct fiber *self = filch__fiber_self();
	bool free;

	if (!self || self->task->operations > 1)
		return filch__wait_enter_queue();
	spin_acquire(guard_of(lock));
	free = !lock->upgrader && !first_of(lock) && fits(lock, kind);
	spin_release(guard_of(lock));
	return free ? filch__wait_enter() : filch__wait_enter_queue();
}

static int acquire(struct filch_rwlock *lock, enum kind kind, filch_time deadline)
{
	struct rwlock_waiter waiter = { .owner = filch__lock_self(), .kind = kind };
	int status = lock ? enter(lock, kind) : -EINVAL;

	if (status < 0)
		return status;
	spin_acquire(guard_of(lock));
	status = try_guarded(lock, waiter.owner, kind);
	if (status == -EAGAIN && deadline != FILCH_NEVER && deadline <= filch__clock_now())
		status = -ETIMEDOUT;
	if (status == -EAGAIN)
		join(lock, &waiter);
	spin_release(guard_of(lock));
	if (status != -EAGAIN)
		return status;
	return come(lock, &waiter, filch__waiter_wait(&waiter.waiter, deadline));
}

static int try_acquire(struct filch_rwlock *lock, enum kind kind)
{
	struct fiber *self = filch__fiber_self();
	int status;

	if (!lock)
		return -EINVAL;
	if (self && self->task == &filch__task_none)
		return -EPERM;
	spin_acquire(guard_of(lock));
	status = try_guarded(lock, filch__lock_self(), kind);
	spin_release(guard_of(lock));
	return status;
}

int filch_rwlock_acquire_read(struct filch_rwlock *lock)
{
	return acquire(lock, READ, FILCH_NEVER);
}

int filch_rwlock_acquire_read_until(struct filch_rwlock *lock, filch_time deadline)
{
	return acquire(lock, READ, deadline);
}

int filch_rwlock_acquire_write(struct filch_rwlock *lock)
{
	return acquire(lock, WRITE, FILCH_NEVER);
}

int filch_rwlock_acquire_write_until(struct filch_rwlock *lock, filch_time deadline)
{
	return acquire(lock, WRITE, deadline);
}

int filch_rwlock_upgrade(struct filch_rwlock *lock)
{
	return acquire(lock, UPGRADE, FILCH_NEVER);
}

int filch_rwlock_upgrade_until(struct filch_rwlock *lock, filch_time deadline)
{
	return acquire(lock, UPGRADE, deadline);
}

int filch_rwlock_try_acquire_read(struct filch_rwlock *lock)
{
	return try_acquire(lock, READ);
}

int filch_rwlock_try_acquire_write(struct filch_rwlock *lock)
{
	return try_acquire(lock, WRITE);
}

int filch_rwlock_try_upgrade(struct filch_rwlock *lock)
{
	return try_acquire(lock, UPGRADE);
}

/* ---- Releasing ---- */

int filch_rwlock_release_read(struct filch_rwlock *lock)
{
	struct wakes wakes = { .count = 0 };
	uint64_t self = filch__lock_self();
	int status = 0;

	if (!lock)
		return -EINVAL;
	spin_acquire(guard_of(lock));
	if (is_reader(lock, self)) {
		drop_read(lock, self);
		advance(lock, &wakes);
	} else {
		status = -EPERM;
	}
	unguard(lock, &wakes);
	return status;
}

/* The writer leaves the lock to others, or stays as a reader. */
static int end_write(struct filch_rwlock *lock, bool reads)
{
	struct wakes wakes = { .count = 0 };
	uint64_t self = filch__lock_self();
	int status = 0;

	if (!lock)
		return -EINVAL;
	spin_acquire(guard_of(lock));
	if (lock->writer == self) {
		lock->writer = 0;
		if (reads)
			hold(lock, self, READ);
		advance(lock, &wakes);
	} else {
		status = -EPERM;
	}
	unguard(lock, &wakes);
	return status;
}

int filch_rwlock_release_write(struct filch_rwlock *lock)
{
	return end_write(lock, false);
}

int filch_rwlock_downgrade(struct filch_rwlock *lock)
{
	return end_write(lock, true);
}

static bool is_writer(struct filch_rwlock *lock)
{
	bool mine;

	spin_acquire(guard_of(lock));
	mine = lock->writer == filch__lock_self();
	spin_release(guard_of(lock));
	return mine;
}

int filch_rwlock_downgrade_if(struct filch_rwlock *lock, filch_predicate_fn *predicate, void *arg)
{
	int answer;

	if (!lock || !predicate)
		return -EINVAL;
	if (!is_writer(lock))
		return -EPERM;
	answer = predicate(arg);
	if (answer <= 0)
		return answer < 0 ? answer : -EAGAIN;
	return end_write(lock, true);
}

/* ---- Its life ---- */

int filch_rwlock_init(struct filch_rwlock *lock, unsigned most_readers)
{
	if (!lock || most_readers == 0)
		return -EINVAL;
	*lock = (struct filch_rwlock){ .limit = most_readers };
	return 0;
}

int filch_rwlock_fini(struct filch_rwlock *lock)
{
	bool busy;

	if (!lock)
		return 0;
	spin_acquire(guard_of(lock));
	busy = lock->writer || lock->readers + lock->waiting + lock->leaving > 0;
	spin_release(guard_of(lock));
	return busy ? -EBUSY : 0;
}

void filch_rwlock_get_statistics(struct filch_rwlock *lock,
				 struct filch_rwlock_statistics *statistics)
{
	spin_acquire(guard_of(lock));
	*statistics = (struct filch_rwlock_statistics){
		.readers = lock->readers,
		.written = lock->writer != 0,
		.mine = lock->writer == filch__lock_self(),
		.waiting = lock->waiting,
		.contended = lock->contended,
	};
	spin_release(guard_of(lock));
}
