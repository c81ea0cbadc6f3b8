/* The park word of src/sched/park.c and settle() in switch.c: one outcome, one enqueue per wait. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "model.h"

/*
 * The functions mirror those of the same name. A fiber is a function that any thread may
 * continue; what its stack and saved context stand for is plain memory. The queue of ready fibers
 * is under a lock, and so is the waiter: who wakes has the arming behind it, else it might read an
 * older word and not wake.
 */
#define STATE(word) ((word)&15)
#define OUTCOME(word) ((int)((word) >> 4 & 15))
#define EPOCH(word) ((word) >> 8)
#define COMMITTED (UINT64_C(8) << 4)

enum park_state { PARK_RUNNING, PARK_ARMED, PARK_PARKED, PARK_WON };

static const int OUTCOMES = 3;

struct fiber {
	struct filch_word64 word;
	PLAIN(int) context;	    /* saved by who leaves the stack, read by who comes */
	PLAIN(int) given[OUTCOMES]; /* by each waker, before it claims */
	int standing;		    /* threads on this stack */
	uint64_t epoch;
	int waits_left;

	rl::mutex lock;
	rl::atomic<uint32_t> published; /* the waiter in an object's list; relaxed */
	bool queued;			/* in the queue of ready fibers */
	int enqueued, claimed;		/* how often */
	bool is_thread;
};

/* ---- park.c ---- */

static void filch__ready(struct fiber *fiber)
{
	fiber->lock.lock(rl::debug_info(__func__, __FILE__, __LINE__));
	model::require(!fiber->queued, "a fiber is enqueued once");
	fiber->queued = true;
	fiber->enqueued++;
	fiber->lock.unlock(rl::debug_info(__func__, __FILE__, __LINE__));
}

static uint64_t filch__park_arm(struct fiber *fiber)
{
	uint64_t epoch = EPOCH(word64_load_relaxed(&fiber->word)) + 1;

	word64_store_relaxed(&fiber->word, epoch << 8 | PARK_ARMED);
	return epoch;
}

static bool is_open(uint64_t word, uint64_t epoch, uint64_t committed)
{
	return EPOCH(word) == epoch && (STATE(word) == PARK_ARMED || STATE(word) == PARK_PARKED) &&
	       (word & COMMITTED) == committed;
}

/* With what filch__park_resume does for it. */
static bool claim(struct fiber *fiber, uint64_t epoch, uint64_t committed, int outcome)
{
	uint64_t word = word64_load_relaxed(&fiber->word);
	uint64_t won = epoch << 8 | (uint64_t)outcome << 4 | PARK_WON;

	do {
		if (!is_open(word, epoch, committed))
			return false;
	} while (!word64_cas_acq_rel(&fiber->word, &word, won));
	if (fiber->is_thread)
		model::wake_on(model::atomic_of(&fiber->word));
	else if (STATE(word) == PARK_PARKED) {
		model::require(PLAIN_READ(fiber->context) == (int)epoch, "the context is saved");
		filch__ready(fiber);
	}
	return true;
}

static bool filch__unpark(struct fiber *fiber, uint64_t epoch, int outcome)
{
	return claim(fiber, epoch, 0, outcome);
}

static bool filch__park_commit(struct fiber *fiber, uint64_t epoch)
{
	uint64_t word = word64_load_relaxed(&fiber->word);

	do {
		if (!is_open(word, epoch, 0))
			return false;
	} while (!word64_cas_relaxed(&fiber->word, &word,
				     MODEL_STEP("a commit") ? word | COMMITTED : word));
	return true;
}

static uint64_t sleep_thread(struct fiber *fiber)
{
	for (;;) {
		uint64_t word = word64_load_acquire(&fiber->word);

		if (STATE(word) == PARK_WON)
			return word;
		model::sleep_on(model::atomic_of(&fiber->word), word);
	}
}

/* filch__park up to the switch: true when there is nothing to wait for. */
static bool is_won(struct fiber *fiber)
{
	return STATE(word64_load_relaxed(&fiber->word)) == PARK_WON;
}

/* And after it. */
static void finish(struct fiber *fiber, uint64_t word)
{
	model::require(STATE(word) == PARK_WON && EPOCH(word) == fiber->epoch,
		       "resumed as claimed");
	model::require(PLAIN_READ(fiber->given[OUTCOME(word)]) == (int)fiber->epoch,
		       "what the waker gave is there");
	word64_store_relaxed(&fiber->word, fiber->epoch << 8 | PARK_RUNNING);
}

static void resume(struct fiber *fiber)
{
	finish(fiber, word64_load_acquire(&fiber->word));
}

/* ---- switch.c ---- */

static void settle(struct fiber *left)
{
	uint64_t word = word64_load_relaxed(&left->word);

	while (STATE(word) == PARK_ARMED) {
		if (word64_cas_release(&left->word, &word, (word & ~UINT64_C(15)) | PARK_PARKED))
			return;
		if (!MODEL_STEP("again when it was committed meanwhile"))
			break;
	}
	filch__ready(left);
}

/* ---- a task that waits, and the workers that run it ---- */

/* Arms, and only then lets the wakers know. */
static void begin_wait(struct fiber *fiber)
{
	fiber->epoch = filch__park_arm(fiber);
	fiber->waits_left--;
	fiber->lock.lock(rl::debug_info(__func__, __FILE__, __LINE__));
	fiber->published.store((uint32_t)fiber->epoch, rl::mo_relaxed, rl::debug_info());
	fiber->lock.unlock(rl::debug_info(__func__, __FILE__, __LINE__));
	model::wake_on(&fiber->published);
	model::wake_on(&fiber->published);
}

/* From the start or from after a wait to the end or to the next. */
static void run_fiber(struct fiber *fiber, bool resumed)
{
	model::require(++fiber->standing == 1, "one thread stands on a stack");
	if (resumed) {
		model::require(PLAIN_READ(fiber->context) == (int)fiber->epoch,
			       "the context is saved");
		resume(fiber);
	}
	while (fiber->waits_left > 0) {
		begin_wait(fiber);
		if (!is_won(fiber)) {
			PLAIN_WRITE(fiber->context, (int)fiber->epoch);
			fiber->standing--;
			settle(fiber);
			return;
		}
		resume(fiber);
	}
	fiber->standing--;
	fiber->epoch = 0;
}

static bool run_ready(struct fiber *fiber)
{
	bool found;

	fiber->lock.lock(rl::debug_info(__func__, __FILE__, __LINE__));
	found = fiber->queued;
	fiber->queued = false;
	fiber->lock.unlock(rl::debug_info(__func__, __FILE__, __LINE__));
	if (found)
		run_fiber(fiber, true);
	return found;
}

static void run_thread(struct fiber *fiber)
{
	while (fiber->waits_left > 0) {
		begin_wait(fiber);
		finish(fiber, sleep_thread(fiber));
	}
}

/* As who moves the waiter to another queue, and then who takes it from there. */
static bool commit_and_claim(struct fiber *fiber, uint64_t epoch, int outcome)
{
	if (!filch__park_commit(fiber, epoch))
		return false;
	model::require(claim(fiber, epoch, COMMITTED, outcome),
		       "nobody else ends a committed wait");
	return true;
}

/* Waits until this wait is in the list, then claims it. */
static void wake(struct fiber *fiber, uint64_t epoch, int outcome, bool commits)
{
	uint32_t published;

	while ((published = fiber->published.load(rl::mo_relaxed, rl::debug_info())) < epoch)
		model::sleep_on(&fiber->published, published);
	fiber->lock.lock(rl::debug_info(__func__, __FILE__, __LINE__));
	fiber->lock.unlock(rl::debug_info(__func__, __FILE__, __LINE__));
	/* Another wait may have begun: then this one is stale and must touch nothing. */
	PLAIN_WRITE(fiber->given[outcome], (int)epoch);
	if (commits ? commit_and_claim(fiber, epoch, outcome)
		    : filch__unpark(fiber, epoch, outcome)) {
		fiber->lock.lock(rl::debug_info(__func__, __FILE__, __LINE__));
		fiber->claimed++;
		fiber->lock.unlock(rl::debug_info(__func__, __FILE__, __LINE__));
	}
}

static void fiber_set(struct fiber *fiber, int waits, bool is_thread)
{
	word64_store_relaxed(&fiber->word, 0);
	fiber->standing = 0;
	fiber->epoch = 0;
	fiber->waits_left = waits;
	fiber->published.store(0, rl::mo_relaxed, rl::debug_info());
	fiber->queued = false;
	fiber->enqueued = fiber->claimed = 0;
	fiber->is_thread = is_thread;
}

/* ---- the clients ---- */

/* Thread 0 runs the task and then what is ready; 1 and 2 wake it and run what is ready. `Commits`:
 * 1 commits the wait first. */
template <bool Thread, int Waits, bool Commits>
struct park_test : rl::test_suite<park_test<Thread, Waits, Commits>, 3> {
	struct fiber fiber;

	void before()
	{
		model::begin();
		fiber_set(&fiber, Waits, Thread);
		for (int i = 0; i < OUTCOMES; i++)
			PLAIN_WRITE(fiber.given[i], 0);
		PLAIN_WRITE(fiber.context, 0);
	}

	void thread(unsigned index)
	{
		if (index == 0) {
			if (Thread)
				run_thread(&fiber);
			else
				run_fiber(&fiber, false);
			if (!Thread)
				run_ready(&fiber);
			return;
		}
		for (int epoch = 1; epoch <= Waits; epoch++) {
			wake(&fiber, epoch, (int)index, Commits && index == 1);
			if (!Thread)
				run_ready(&fiber);
		}
	}

	void after()
	{
		while (run_ready(&fiber))
			;
		model::require(fiber.waits_left == 0, "every wait ended");
		model::require(fiber.claimed == Waits, "one waker won each wait");
		model::require(Thread || fiber.epoch == 0, "the task came to its end");
	}
};

static const struct model::client clients[] = {
	{ "a task, 1 wait", model::search<park_test<false, 1, false>>, 100000, true },
	{ "a task, 2 waits", model::search<park_test<false, 2, false>>, 100000, true },
	{ "a thread, 1 wait", model::search<park_test<true, 1, false>>, 100000, true },
	{ "a thread, 2 waits", model::search<park_test<true, 2, false>>, 100000, true },
	{ "a task, committed", model::search<park_test<false, 2, true>>, 100000, true },
	{ "a thread, committed", model::search<park_test<true, 2, true>>, 100000, true },
};

int main(int argc, char **argv)
{
	static const struct model::program program = { "model_park", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
