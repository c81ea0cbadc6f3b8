/* The semaphore and its line, src/sync/semaphore.c and line.c: permits are conserved, who waits is
 * served in turn, and who was woken last may free it. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "model.h"

#include "mirror_park.h"

/*
 * The functions mirror those of the same name; a batch is one, so that BUSY matters. What the
 * guard guards is plain memory, and so is the object's life: whoever touches it says so before.
 */
#define LINE_GUARD UINT64_C(1)
#define LINE_QUEUED UINT64_C(2)
#define LINE_BUSY UINT64_C(4)
#define LINE_FLAGS UINT64_C(255)
#define LINE_SHIFT 8
#define LINE_VALUE(state) ((state) >> LINE_SHIFT)
#define PERMITS(n) ((uint64_t)(n) << LINE_SHIFT)

static const int THREADS = 3;
static const int NOBODY = -1;

struct line_waiter {
	struct parker parker;
	uint64_t epoch;
	PLAIN(int) amount;
	PLAIN(int) linked;
	PLAIN(int) given;
};

struct filch_line {
	struct filch_word64 state;
	PLAIN(int) alive;
	PLAIN(int) length;
	PLAIN(int) order[THREADS];
	struct line_waiter waiters[THREADS]; /* of each thread; not of the object */
};

static void touch(struct filch_line *line)
{
	model::require(PLAIN_READ(line->alive) == 1, "the object is there");
}

/* ---- park.c ---- */

static bool filch__park_is_waiting(struct parker *parker, uint64_t epoch)
{
	return is_open(word64_load_relaxed(&parker->word), epoch, 0);
}

/* ---- line.c ---- */

static uint64_t guard(struct filch_line *line, uint64_t flags)
{
	for (;;) {
		touch(line);
		uint64_t state = word64_load_relaxed(&line->state);

		if (!(state & flags) &&
		    word64_cas_acquire(&line->state, &state, state | LINE_GUARD))
			return state;
		model::relax();
	}
}

static uint64_t filch__line_guard(struct filch_line *line)
{
	return guard(line, LINE_GUARD);
}

static uint64_t filch__line_guard_to_wake(struct filch_line *line)
{
	return guard(line, LINE_GUARD | LINE_BUSY);
}

static void filch__line_await_guard(struct filch_line *line)
{
	touch(line);
	while (word64_load_acquire(&line->state) & LINE_GUARD)
		model::relax();
}

static void line_unguard(struct filch_line *line, uint64_t state)
{
	touch(line);
	word64_store_release(&line->state, state);
}

static uint64_t filch__line_link(struct filch_line *line, uint64_t state, int self)
{
	int length = PLAIN_READ(line->length);

	PLAIN_WRITE(line->order[length], self);
	PLAIN_WRITE(line->length, length + 1);
	PLAIN_WRITE(line->waiters[self].linked, 1);
	return state | LINE_QUEUED;
}

static uint64_t filch__line_unlink(struct filch_line *line, uint64_t state, int who)
{
	int length = PLAIN_READ(line->length);
	int at = 0;

	while (PLAIN_READ(line->order[at]) != who)
		at++;
	for (; at + 1 < length; at++)
		PLAIN_WRITE(line->order[at], PLAIN_READ(line->order[at + 1]));
	PLAIN_WRITE(line->length, length - 1);
	PLAIN_WRITE(line->waiters[who].linked, 0);
	return length == 1 ? state & ~LINE_QUEUED : state;
}

static int filch__line_first(struct filch_line *line, uint64_t *state)
{
	while (PLAIN_READ(line->length) > 0) {
		int first = PLAIN_READ(line->order[0]);
		struct line_waiter *waiter = &line->waiters[first];

		if (filch__park_is_waiting(&waiter->parker, waiter->epoch))
			return first;
		*state = filch__line_unlink(line, *state, first);
	}
	return NOBODY;
}

static bool filch__line_take(struct filch_line *line, uint64_t *state, int who)
{
	struct line_waiter *waiter = &line->waiters[who];

	*state = filch__line_unlink(line, *state, who);
	PLAIN_WRITE(waiter->given, PLAIN_READ(waiter->amount));
	return filch__park_claim(&waiter->parker, waiter->epoch, PARK_GRANTED);
}

/* True: granted, the guard is left. */
static bool filch__line_wait(struct filch_line *line, uint64_t *state, int self, bool hasty)
{
	struct line_waiter *waiter = &line->waiters[self];

	waiter->epoch = filch__park_arm(&waiter->parker);
	line_unguard(line, filch__line_link(line, *state, self));
	if (filch__park(&waiter->parker, waiter->epoch, hasty) == PARK_GRANTED) {
		if (MODEL_STEP("await the guard"))
			filch__line_await_guard(line);
		return true;
	}
	*state = MODEL_STEP("await BUSY") ? filch__line_guard_to_wake(line)
					  : filch__line_guard(line);
	if (PLAIN_READ(waiter->linked))
		*state = filch__line_unlink(line, *state, self);
	return false;
}

/* ---- semaphore.c ---- */

/* The one that is taken, or NOBODY. */
static int choose_served(struct filch_line *line, uint64_t *state)
{
	int first;

	while ((first = filch__line_first(line, state)) != NOBODY) {
		uint64_t amount = (uint64_t)PLAIN_READ(line->waiters[first].amount);

		if (LINE_VALUE(*state) < amount)
			break;
		if (filch__line_take(line, state, first)) {
			*state -= PERMITS(amount);
			return first;
		}
	}
	return NOBODY;
}

static void filch__line_serve(struct filch_line *line, uint64_t state)
{
	bool more;

	do {
		state &= ~LINE_BUSY;
		int taken = choose_served(line, &state);

		more = taken != NOBODY && state & LINE_QUEUED;
		line_unguard(line, more && MODEL_STEP("BUSY") ? state | LINE_BUSY : state);
		if (taken != NOBODY)
			filch__park_resume(&line->waiters[taken].parker);
		if (more)
			state = filch__line_guard(line);
	} while (more);
}

static bool take(struct filch_line *line, int permits)
{
	touch(line);
	uint64_t state = word64_load_relaxed(&line->state);

	do {
		if (state & LINE_FLAGS || LINE_VALUE(state) < (uint64_t)permits)
			return false;
	} while (!word64_cas_acquire(&line->state, &state, state - PERMITS(permits)));
	return true;
}

static bool give(struct filch_line *line, int permits)
{
	touch(line);
	uint64_t state = word64_load_relaxed(&line->state);

	do {
		if (state & (LINE_GUARD | LINE_QUEUED | LINE_BUSY))
			return false;
	} while (!word64_cas_release(&line->state, &state, state + PERMITS(permits)));
	return true;
}

static bool acquire(struct filch_line *line, int self, int permits, bool hasty)
{
	if (take(line, permits))
		return true;
	uint64_t state = filch__line_guard(line);

	if (LINE_VALUE(state) >= (uint64_t)permits && filch__line_first(line, &state) == NOBODY) {
		line_unguard(line, state - PERMITS(permits));
		return true;
	}
	PLAIN_WRITE(line->waiters[self].amount, permits);
	if (filch__line_wait(line, &state, self, hasty)) {
		model::require(PLAIN_READ(line->waiters[self].given) == permits,
			       "what it waited for");
		return true;
	}
	if (MODEL_STEP("serve those behind"))
		filch__line_serve(line, state);
	else
		line_unguard(line, state);
	return false;
}

static void release(struct filch_line *line, int permits)
{
	if (!give(line, permits))
		filch__line_serve(line, filch__line_guard_to_wake(line) + PERMITS(permits));
}

/* ---- the clients ---- */

struct semaphore_room {
	struct filch_line line;
	PLAIN(int) guarded;
	rl::atomic<uint32_t> left;
	int inside;
};

static void set(struct semaphore_room *room, int permits)
{
	model::begin();
	word64_store_relaxed(&room->line.state, PERMITS(permits));
	PLAIN_WRITE(room->line.alive, 1);
	PLAIN_WRITE(room->line.length, 0);
	PLAIN_WRITE(room->guarded, 0);
	for (int i = 0; i < THREADS; i++)
		word64_store_relaxed(&room->line.waiters[i].parker.word, 0);
	room->left.store(2, rl::mo_relaxed, rl::debug_info());
	room->inside = 0;
}

static void require_idle(struct semaphore_room *room, uint64_t permits)
{
	model::require(word64_load_relaxed(&room->line.state) == PERMITS(permits),
		       "all permits are back, and nobody is in line");
}

/* The last one frees it. */
static void leave(struct semaphore_room *room)
{
	if (room->left.fetch_sub(1, rl::mo_acq_rel, rl::debug_info()) == 1)
		PLAIN_WRITE(room->line.alive, 0);
}

static void visit(struct semaphore_room *room, int self, bool hasty)
{
	if (!acquire(&room->line, self, 1, hasty))
		return;
	model::require(++room->inside == 1, "as many as there are permits");
	PLAIN_WRITE(room->guarded, PLAIN_READ(room->guarded) + 1);
	room->inside--;
	release(&room->line, 1);
}

/* One permit guards plain data, passed around by three. */
template <int Hasty> struct mutual_test : rl::test_suite<mutual_test<Hasty>, THREADS> {
	struct semaphore_room room;

	void before()
	{
		set(&room, 1);
	}

	void thread(unsigned index)
	{
		visit(&room, (int)index, (int)index < Hasty);
	}

	void after()
	{
		require_idle(&room, 1);
	}
};

/* Two wait, one releases for both: the last of the two frees it. */
template <int Hasty> struct freed_test : rl::test_suite<freed_test<Hasty>, THREADS> {
	struct semaphore_room room;

	void before()
	{
		set(&room, 0);
	}

	void thread(unsigned index)
	{
		if (index == 2) {
			release(&room.line, 2);
			return;
		}
		acquire(&room.line, (int)index, 1, (int)index < Hasty);
		leave(&room);
	}
};

/* One waits for two permits, one before or behind it for one. Hasty: there are never two, and the
 * other gets the one when that has given up. */
template <bool Hasty> struct many_test : rl::test_suite<many_test<Hasty>, THREADS> {
	struct semaphore_room room;

	void before()
	{
		set(&room, 1);
	}

	void thread(unsigned index)
	{
		int permits = index == 0 ? 2 : 1;

		if (index == 2 && !Hasty)
			release(&room.line, 1);
		else if (index < 2 && acquire(&room.line, (int)index, permits, Hasty && index == 0))
			release(&room.line, permits);
	}

	void after()
	{
		require_idle(&room, Hasty ? 1 : 2);
	}
};

/* Two release for one that wants both. */
struct wakers_test : rl::test_suite<wakers_test, THREADS> {
	struct semaphore_room room;

	void before()
	{
		set(&room, 0);
	}

	void thread(unsigned index)
	{
		if (index > 0) {
			release(&room.line, 1);
			return;
		}
		acquire(&room.line, 0, 2, false);
	}

	void after()
	{
		require_idle(&room, 0);
	}
};

static const struct model::client clients[] = {
	{ "one permit, 3 visitors", model::search<mutual_test<0>>, 100000, true },
	{ "1 of them in haste", model::search<mutual_test<1>>, 100000, true },
	{ "2 of them in haste", model::search<mutual_test<2>>, 100000, true },
	{ "freed by the last of 2", model::search<freed_test<0>>, 100000, true },
	{ "one of them in haste", model::search<freed_test<1>>, 100000, true },
	{ "2 permits at once", model::search<many_test<false>>, 100000, true },
	{ "2 release for 1", model::search<wakers_test>, 100000, true },
	{ "2 in haste, 1 behind", model::search<many_test<true>>, 100000, true },
};

int main(int argc, char **argv)
{
	static const struct model::program program = { "model_semaphore", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
