/* The condition: a list of waits, moved to a lock's queue when they are notified. */
#include <filch/condition.h>

#include "data/spin.h"
#include "platform/clock.h"
#include "sync/lock.h"

#include <errno.h>
#include <limits.h>

/*
 * The guard guards all fields, and the waiters while they are in the list. A notified one is
 * committed under it and belongs to the lock from then on: it does not touch the condition
 * again, which may be gone when it returns. One that ended otherwise comes to unlink itself, or
 * to find that a notify has already done it. The guard and that of the lock are never held
 * together.
 */
static struct spin *guard_of(struct filch_condition *condition)
{
	return (struct spin *)(void *)&condition->guard;
}

static struct list *waiters_of(struct filch_condition *condition)
{
	return (struct list *)(void *)condition->waiters;
}

int filch_condition_init(struct filch_condition *condition, unsigned flags)
{
	if (!condition || flags & ~FILCH_CONDITION_NOTIFY_UNLOCKED)
		return -EINVAL;
	*condition = (struct filch_condition){ .flags = flags };
	return 0;
}

int filch_condition_fini(struct filch_condition *condition)
{
	bool busy;

	if (!condition)
		return 0;
	spin_acquire(guard_of(condition));
	busy = condition->waiting + condition->leaving > 0;
	spin_release(guard_of(condition));
	return busy ? -EBUSY : 0;
}

/* ---- Waiting ---- */

static int enter(struct filch_condition *condition, struct filch_lock *lock)
{
	if (!condition || !lock)
		return -EINVAL;
	if (!filch__lock_is_mine(lock))
		return -EPERM;
	return filch__wait_enter_queue();
}

static bool is_over(filch_time deadline)
{
	return deadline != FILCH_NEVER && deadline <= filch__clock_now();
}

static const struct waited waited_condition = { .name = "a condition" };

static int join(struct filch_condition *condition, struct filch_lock *lock,
		struct lock_waiter *waiter)
{
	int status = 0;

	spin_acquire(guard_of(condition));
	if (condition->waiting > 0 && condition->lock != lock) {
		status = -EBUSY;
	} else {
		filch__waiter_begin(&waiter->waiter);
		waiter_says(&waiter->waiter, &waited_condition, condition);
		list_push_back(waiters_of(condition), &waiter->waiter.link);
		condition->lock = lock;
		condition->waiting++;
	}
	spin_release(guard_of(condition));
	return status;
}

static void leave(struct filch_condition *condition, struct lock_waiter *waiter)
{
	spin_acquire(guard_of(condition));
	if (list_is_linked(&waiter->waiter.link)) {
		list_remove(&waiter->waiter.link);
		condition->waiting--;
	} else {
		condition->leaving--;
	}
	spin_release(guard_of(condition));
}

static int wait_once(struct filch_condition *condition, struct filch_lock *lock,
		     filch_time deadline)
{
	struct lock_waiter waiter = { .owner = filch__lock_self() };
	int status = 0, back;

	if (is_over(deadline))
		status = -ETIMEDOUT;
	else
		status = join(condition, lock, &waiter);
	if (status == -EBUSY)
		return status;
	filch_lock_release(lock);
	if (status == 0)
		status = filch__waiter_wait(&waiter.waiter, deadline);
	if (waiter.committed)
		return filch__lock_come(lock, &waiter); /* *condition may be gone. */
	if (waiter.waiter.parker)
		leave(condition, &waiter);
	back = filch__lock_acquire_surely(lock);
	return back < 0 ? back : status;
}

int filch_condition_wait_until(struct filch_condition *condition, struct filch_lock *lock,
			       filch_time deadline)
{
	int status = enter(condition, lock);

	return status < 0 ? status : wait_once(condition, lock, deadline);
}

int filch_condition_wait(struct filch_condition *condition, struct filch_lock *lock)
{
	return filch_condition_wait_until(condition, lock, FILCH_NEVER);
}

int filch_condition_wait_for_until(struct filch_condition *condition, struct filch_lock *lock,
				   filch_predicate_fn *predicate, void *arg, filch_time deadline)
{
	int status = predicate ? enter(condition, lock) : -EINVAL;
	int answer;

	if (status < 0)
		return status;
	while ((answer = predicate(arg)) == 0 && status == 0) {
		if (is_over(deadline))
			return -ETIMEDOUT;
		status = wait_once(condition, lock, deadline);
		if (status == -EOWNERDEAD || status == -EBUSY)
			return status;
	}
	if (answer != 0)
		return answer < 0 ? answer : 0;
	return status;
}

int filch_condition_wait_for(struct filch_condition *condition, struct filch_lock *lock,
			     filch_predicate_fn *predicate, void *arg)
{
	return filch_condition_wait_for_until(condition, lock, predicate, arg, FILCH_NEVER);
}

/* ---- Notifying ---- */

/* Guarded: the first `count` whose waits had not ended otherwise go to `moved`. */
static void take_first(struct filch_condition *condition, unsigned count, struct list *moved)
{
	struct list *link;

	while (count > 0 && (link = list_pop_front(waiters_of(condition)))) {
		struct lock_waiter *waiter = container_of(link, struct lock_waiter, waiter.link);

		condition->waiting--;
		if (!filch__park_commit(waiter->waiter.parker, waiter->waiter.epoch)) {
			condition->leaving++;
			continue;
		}
		waiter->committed = true;
		list_push_back(moved, link);
		condition->notified++;
		count--;
	}
}

int filch_condition_notify(struct filch_condition *condition, unsigned count)
{
	struct list moved = { NULL, NULL };
	struct filch_lock *lock;
	int status = 0;

	if (!condition)
		return -EINVAL;
	spin_acquire(guard_of(condition));
	lock = condition->lock;
	if (condition->waiting > 0 && !(condition->flags & FILCH_CONDITION_NOTIFY_UNLOCKED) &&
	    !filch__lock_is_mine(lock))
		status = -EPERM;
	else
		take_first(condition, count, &moved);
	spin_release(guard_of(condition)); /* *condition may be gone when the lock has them. */
	if (!list_is_empty(&moved))
		filch__lock_queue(lock, &moved);
	return status;
}

int filch_condition_notify_all(struct filch_condition *condition)
{
	return filch_condition_notify(condition, UINT_MAX);
}

void filch_condition_get_statistics(struct filch_condition *condition,
				    struct filch_condition_statistics *statistics)
{
	spin_acquire(guard_of(condition));
	*statistics = (struct filch_condition_statistics){
		.waiting = condition->waiting,
		.notified = condition->notified,
	};
	spin_release(guard_of(condition));
}
