/* A wait in a primitive's queue (src/wake/wait.h, src/sync): granted once, or given up without a
 * trace. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "mirror_park.h"

/*
 * What rwlock.c, semaphore.c and queue.c have in common, on permits that are handed over. A waiter
 * is linked under the guard after a last look; who grants unlinks it, claims its wait and
 * gives under the guard; who was woken takes the guard before it returns, who was not
 * granted undoes there what it is in. The guard's functions mirror those of data/spin.h. `frame`
 * is the object's memory, `node` the waiter's, gone when its call returns.
 */
static const int MOST = 4;

struct waiter {
	struct parker *parker;
	uint64_t epoch;
	bool linked, granted;
	PLAIN(int) node; /* 1 while it stands */
};

struct permits {
	struct filch_word32 guard;
	struct waiter *waiters[MOST];
	int waiting, leaving, count;
	PLAIN(int) frame;
};

static void touch(struct permits *permits)
{
	model::require(PLAIN_READ(permits->frame) == 1, "the object is there");
	PLAIN_WRITE(permits->frame, 1);
}

static void spin_acquire(struct permits *permits)
{
	while (word32_exchange_acquire(&permits->guard, 1) != 0)
		cpu_relax();
	touch(permits);
}

static void spin_release(struct permits *permits)
{
	touch(permits);
	word32_store_release(&permits->guard, 0);
}

static void unlink_waiter(struct permits *permits, struct waiter *waiter)
{
	int at = 0;

	while (permits->waiters[at] != waiter)
		at++;
	for (permits->waiting--; at < permits->waiting; at++)
		permits->waiters[at] = permits->waiters[at + 1];
	waiter->linked = false;
}

/* Guarded: gives what there is to those who wait; how many were claimed, to be resumed. */
static int advance(struct permits *permits, struct parker **parked)
{
	int claimed = 0;

	while (permits->waiting > 0 && permits->count > 0) {
		struct waiter *head = permits->waiters[0];

		model::require(PLAIN_READ(head->node) == 1, "a linked waiter is there");
		if (MODEL_STEP("who is granted is unlinked"))
			unlink_waiter(permits, head);
		if (!filch__park_claim(head->parker, head->epoch, PARK_GRANTED)) {
			permits->leaving++;
			if (!MODEL_STEP("the one behind who gave up is next"))
				break;
			continue;
		}
		head->granted = true;
		permits->count--;
		parked[claimed++] = head->parker;
	}
	return claimed;
}

static void resume_all(struct parker **parked, int count)
{
	for (int i = 0; i < count; i++)
		filch__park_resume(parked[i]);
}

static bool come(struct permits *permits, struct waiter *waiter)
{
	if (!MODEL_STEP("who was woken takes the guard") && waiter->granted)
		return true;
	spin_acquire(permits);
	if (!waiter->granted) {
		if (!waiter->linked)
			permits->leaving--;
		else if (MODEL_STEP("who gives up unlinks itself"))
			unlink_waiter(permits, waiter);
	}
	spin_release(permits);
	return waiter->granted;
}

static bool acquire(struct permits *permits, struct waiter *waiter, bool has_deadline)
{
	bool had;

	spin_acquire(permits);
	had = permits->waiting == 0 && permits->count > 0;
	if (had) {
		permits->count--;
	} else {
		if (!MODEL_STEP("it looks and joins in one step")) {
			spin_release(permits);
			spin_acquire(permits);
		}
		waiter->granted = false;
		PLAIN_WRITE(waiter->node, 1);
		waiter->epoch = filch__park_arm(waiter->parker);
		waiter->linked = true;
		permits->waiters[permits->waiting++] = waiter;
	}
	spin_release(permits);
	if (had)
		return true;
	filch__park(waiter->parker, waiter->epoch, has_deadline);
	had = come(permits, waiter);
	PLAIN_WRITE(waiter->node, 0);
	return had;
}

static void release(struct permits *permits)
{
	struct parker *parked[MOST];
	int claimed;

	spin_acquire(permits);
	permits->count++;
	claimed = advance(permits, parked);
	spin_release(permits); /* *permits may be gone from here on. */
	resume_all(parked, claimed);
}

/* ---- the clients ---- */

/* Each but GIVES acquires once and gives back; GIVES has one from the start. */
enum role { TAKES, MAY_BE_LATE, TAKES_TWICE, GIVES, TAKES_AND_FREES };

template <enum role... Roles>
struct wait_test : rl::test_suite<wait_test<Roles...>, sizeof...(Roles)> {
	struct permits permits;
	struct parker parkers[MOST];
	struct waiter waiters[MOST];
	PLAIN(int) inside;
	static constexpr enum role ROLES[] = { Roles... };

	void before()
	{
		model::begin();
		word32_store_relaxed(&permits.guard, 0);
		permits.waiting = permits.leaving = 0;
		permits.count = ROLES[0] == GIVES ? 0 : 1;
		PLAIN_WRITE(permits.frame, 1);
		PLAIN_WRITE(inside, 0);
		for (int i = 0; i < MOST; i++) {
			word64_store_relaxed(&parkers[i].word, 0);
			waiters[i].parker = &parkers[i];
			PLAIN_WRITE(waiters[i].node, 0);
		}
	}

	void visit(unsigned index)
	{
		bool may_be_late = ROLES[index] == MAY_BE_LATE;

		if (ROLES[index] != GIVES && !acquire(&permits, &waiters[index], may_be_late)) {
			model::require(may_be_late, "who is not late gets one");
			return;
		}
		PLAIN_WRITE(inside, PLAIN_READ(inside) + 1);
		if (ROLES[index] == TAKES_AND_FREES)
			PLAIN_WRITE(permits.frame, 0);
		else
			release(&permits);
	}

	void thread(unsigned index)
	{
		visit(index);
		if (ROLES[index] == TAKES_TWICE)
			visit(index);
	}

	void after()
	{
		bool freed = ROLES[sizeof...(Roles) - 1] == TAKES_AND_FREES;

		model::require(permits.count == (freed ? 0 : 1), "no permit is lost or made");
		model::require(permits.waiting == 0 && permits.leaving == 0, "nobody is left");
	}
};

template <enum role... Roles> constexpr enum role wait_test<Roles...>::ROLES[];

#define CLIENT(name, ...)                                                                          \
	{                                                                                          \
		name, model::search<wait_test<__VA_ARGS__>>, 50000, true                           \
	}

static const struct model::client clients[] = {
	CLIENT("2 take one", TAKES, TAKES),
	CLIENT("3 take one", TAKES, TAKES_TWICE, TAKES),
	CLIENT("one may be late", GIVES, MAY_BE_LATE, TAKES),
	CLIENT("two may be late", GIVES, MAY_BE_LATE, MAY_BE_LATE, TAKES),
	CLIENT("who was given it frees it", GIVES, TAKES_AND_FREES),
};

int main(int argc, char **argv)
{
	static const struct model::program program = { "model_wait", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
