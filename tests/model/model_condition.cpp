/* The condition of src/sync/condition.c and its waiters' move to the lock: no notify is lost. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "mirror_lock.h"

/*
 * The functions mirror those of the same name; spin_acquire and spin_release those of
 * data/spin.h. The list of waiters is an array, and `frame` the condition's memory.
 */
struct filch_condition {
	struct filch_word32 spin;
	struct lock_waiter *waiters[MOST];
	int waiting, leaving, notified;
	PLAIN(int) frame;
};

static void touch(struct filch_condition *condition)
{
	model::require(PLAIN_READ(condition->frame) == 1, "the condition is there");
	PLAIN_WRITE(condition->frame, 1);
}

static void spin_acquire(struct filch_condition *condition)
{
	while (word32_exchange_acquire(&condition->spin, 1) != 0)
		cpu_relax();
	touch(condition);
}

static void spin_release(struct filch_condition *condition)
{
	touch(condition);
	word32_store_release(&condition->spin, 0);
}

/* ---- condition.c ---- */

static struct lock_waiter *pop_front(struct filch_condition *condition)
{
	struct lock_waiter *first = condition->waiters[0];

	if (condition->waiting == 0)
		return NULL;
	condition->waiting--;
	for (int i = 0; i < condition->waiting; i++)
		condition->waiters[i] = condition->waiters[i + 1];
	first->linked = false;
	return first;
}

static void join(struct filch_condition *condition, struct lock_waiter *waiter)
{
	spin_acquire(condition);
	waiter->epoch = filch__park_arm(waiter->parker);
	condition->waiters[condition->waiting++] = waiter;
	waiter->linked = true;
	spin_release(condition);
}

static void leave(struct filch_condition *condition, struct lock_waiter *waiter)
{
	spin_acquire(condition);
	if (waiter->linked) {
		int at = 0;

		while (condition->waiters[at] != waiter)
			at++;
		for (condition->waiting--; at < condition->waiting; at++)
			condition->waiters[at] = condition->waiters[at + 1];
	} else {
		condition->leaving--;
	}
	spin_release(condition);
}

/* Returns with the lock: 0 notified, or -ETIMEDOUT. */
static int wait_once(struct filch_condition *condition, struct filch_lock *lock,
		     struct parker *parker, uint64_t self, bool has_deadline)
{
	struct lock_waiter waiter = { parker, 0, self, false, false, false, false, false };
	int outcome;

	if (MODEL_STEP("who waits joins before it gives the lock away")) {
		join(condition, &waiter);
		release(lock, self);
	} else {
		release(lock, self);
		join(condition, &waiter);
	}
	outcome = filch__park(parker, waiter.epoch, has_deadline);
	if (waiter.committed)
		return filch__lock_come(lock, &waiter); /* *condition may be gone. */
	if (MODEL_STEP("who was not notified leaves the condition"))
		leave(condition, &waiter);
	model::require(outcome == PARK_TIMED_OUT, "only a deadline ends it otherwise");
	model::require(acquire(lock, parker, self, false) == 0, "the lock is had again");
	return -ETIMEDOUT;
}

static int take_first(struct filch_condition *condition, int count, struct lock_waiter **moved)
{
	struct lock_waiter *waiter;
	int taken = 0;

	while (taken < count && (waiter = pop_front(condition))) {
		if (MODEL_STEP("who is moved is committed") &&
		    !filch__park_commit(waiter->parker, waiter->epoch)) {
			condition->leaving++;
			if (!MODEL_STEP("a notify goes on to who still waits"))
				count--;
			continue;
		}
		if (MODEL_STEP("who is moved knows it"))
			waiter->committed = true;
		moved[taken++] = waiter;
	}
	condition->notified += taken;
	return taken;
}

static void filch_condition_notify(struct filch_condition *condition, struct filch_lock *lock,
				   int count)
{
	struct lock_waiter *moved[MOST];
	int taken;

	spin_acquire(condition);
	taken = take_first(condition, count, moved);
	if (!MODEL_STEP("the condition is left before the lock has them")) {
		if (taken > 0)
			filch__lock_queue(lock, moved, taken);
		return spin_release(condition);
	}
	spin_release(condition); /* *condition may be gone when the lock has them. */
	if (taken > 0)
		filch__lock_queue(lock, moved, taken);
}

/* ---- the clients ---- */

/*
 * The first three wait until the work is there: MAY_WAIT with a deadline; MAY_HELP too, but it
 * leaves the work and hands its notify on. FREES has the lock from the start, is the only one to
 * wait, and frees the condition afterwards. The others make the work and notify, LATER without
 * the lock.
 */
enum role { WAITS, MAY_WAIT, MAY_HELP, FREES, NOTIFIES_ONE, NOTIFIES_ALL, NOTIFIES_LATER };

template <enum role... Roles>
struct condition_test : rl::test_suite<condition_test<Roles...>, sizeof...(Roles)> {
	struct filch_lock lock;
	struct filch_condition condition;
	struct parker parkers[MOST];
	PLAIN(int) work;
	static constexpr enum role ROLES[] = { Roles... };

	void before()
	{
		model::begin();
		lock_set(&lock);
		word32_store_relaxed(&condition.spin, 0);
		condition.waiting = condition.leaving = condition.notified = 0;
		PLAIN_WRITE(condition.frame, 1);
		PLAIN_WRITE(work, 0);
		if (ROLES[0] == FREES)
			take(&lock, 16);
		for (int i = 0; i < MOST; i++)
			word64_store_relaxed(&parkers[i].word, 0);
	}

	void help(int status)
	{
		if (status == 0)
			filch_condition_notify(&condition, &lock, 1);
	}

	/* Takes one piece of work, or is late. */
	void wait(unsigned index, uint64_t self)
	{
		int status = 0;

		while (PLAIN_READ(work) == 0 && status == 0)
			status = wait_once(&condition, &lock, &parkers[index], self,
					   ROLES[index] == MAY_WAIT || ROLES[index] == MAY_HELP);
		if (ROLES[index] == MAY_HELP)
			return help(status);
		if (PLAIN_READ(work) > 0)
			PLAIN_WRITE(work, PLAIN_READ(work) - 1);
		else
			model::require(status == -ETIMEDOUT, "who is not late has work");
	}

	void make(unsigned index)
	{
		int count = ROLES[index] == NOTIFIES_ALL ? MOST : 1;

		PLAIN_WRITE(work, PLAIN_READ(work) + (count == 1 ? 1 : 2));
		if (ROLES[index] != NOTIFIES_LATER)
			filch_condition_notify(&condition, &lock, count);
	}

	void thread(unsigned index)
	{
		uint64_t self = (index + 1) * 16;

		model::require(ROLES[index] == FREES ||
				       acquire(&lock, &parkers[index], self, false) == 0,
			       "it is had");
		if (ROLES[index] <= FREES)
			wait(index, self);
		else
			make(index);
		release(&lock, self);
		if (ROLES[index] == NOTIFIES_LATER)
			filch_condition_notify(&condition, &lock, 1);
		if (ROLES[index] == FREES)
			PLAIN_WRITE(condition.frame, 0);
	}

	void after()
	{
		model::require(word64_load_relaxed(&lock.state) == 0, "the lock is free");
		model::require(lock.waiting == 0 && lock.leaving == 0, "nobody waits for it");
		model::require(condition.waiting == 0 && condition.leaving == 0,
			       "nobody is in the condition");
	}
};

template <enum role... Roles> constexpr enum role condition_test<Roles...>::ROLES[];

#define CLIENT(name, ...)                                                                          \
	{                                                                                          \
		name, model::search<condition_test<__VA_ARGS__>>, 50000, true                      \
	}

static const struct model::client clients[] = {
	CLIENT("one waits", WAITS, NOTIFIES_ONE),
	CLIENT("notified without the lock", WAITS, NOTIFIES_LATER),
	CLIENT("two wait, all notified", WAITS, WAITS, NOTIFIES_ALL),
	CLIENT("two wait, one by one", WAITS, WAITS, NOTIFIES_ONE, NOTIFIES_LATER),
	CLIENT("one may be late", MAY_WAIT, NOTIFIES_ONE),
	CLIENT("one of two hands it on", MAY_HELP, WAITS, NOTIFIES_ONE),
	CLIENT("the notified one frees it", FREES, NOTIFIES_LATER),
	CLIENT("one of two may be late", MAY_WAIT, WAITS, NOTIFIES_ONE, NOTIFIES_ONE),
};

int main(int argc, char **argv)
{
	static const struct model::program program = { "_condition", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
