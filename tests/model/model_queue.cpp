/* The queue's guard word, short paths and waiters, src/sync/queue.c and queue_wait.c: no element is
 * lost or got twice, nobody waits for what is there, and who was woken may free it. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "model.h"

#include "mirror_park.h"

/*
 * The functions mirror those of the same name; a ring of one slot. What the guard guards is plain
 * memory, and so is the object's life: whoever touches it says so before.
 */
#define QUEUE_GUARD 1u
#define QUEUE_GETTERS 2u
#define QUEUE_PUTTERS 4u

static const int THREADS = 3;

struct queue_waiter {
	struct parker parker;
	uint64_t epoch;
	PLAIN(int) element;
	PLAIN(int) linked;
	struct filch_word32 released;
};

struct list {
	PLAIN(int) length;
	PLAIN(int) order[THREADS];
};

struct filch_queue {
	struct filch_word32 state;
	PLAIN(int) alive;
	PLAIN(unsigned) flags;
	PLAIN(int) slot;
	PLAIN(int) count;
	PLAIN(int) leaving;
	PLAIN(int) woken; /* who is resumed after the guard is left, + 1 */
	struct list getters, putters;
	struct queue_waiter waiters[THREADS]; /* of each thread; not of the object */
};

static void touch(struct filch_queue *queue)
{
	model::require(PLAIN_READ(queue->alive) == 1, "the object is there");
}

/* ---- queue.h ---- */

static uint32_t queue_guard(struct filch_queue *queue)
{
	for (;;) {
		touch(queue);
		uint32_t state = word32_load_relaxed(&queue->state);

		if (!(state & QUEUE_GUARD) &&
		    word32_cas_acquire(&queue->state, &state, QUEUE_GUARD))
			return state;
		model::relax();
	}
}

static void filch__queue_resume(struct filch_queue *queue, int who)
{
	struct queue_waiter *waiter = &queue->waiters[who];

	word32_store_release(&waiter->released, 1);
	filch__park_resume(&waiter->parker);
}

static void queue_unguard(struct filch_queue *queue)
{
	touch(queue);
	int woken = PLAIN_READ(queue->woken);

	PLAIN_WRITE(queue->woken, 0);
	word32_store_release(&queue->state, PLAIN_READ(queue->flags));
	if (woken)
		filch__queue_resume(queue, woken - 1);
}

/* ---- queue_wait.c ---- */

static void update_flags(struct filch_queue *queue)
{
	PLAIN_WRITE(queue->flags,
		    (PLAIN_READ(queue->getters.length) > 0 ? QUEUE_GETTERS : 0) |
			    (PLAIN_READ(queue->putters.length) > 0 ? QUEUE_PUTTERS : 0));
}

static void filch__queue_link(struct filch_queue *queue, struct list *list, int who)
{
	int length = PLAIN_READ(list->length);

	PLAIN_WRITE(list->order[length], who);
	PLAIN_WRITE(list->length, length + 1);
	PLAIN_WRITE(queue->waiters[who].linked, 1);
	update_flags(queue);
}

static void filch__queue_unlink(struct filch_queue *queue, struct list *list, int who)
{
	int length = PLAIN_READ(list->length), at = 0;

	while (PLAIN_READ(list->order[at]) != who)
		at++;
	for (; at + 1 < length; at++)
		PLAIN_WRITE(list->order[at], PLAIN_READ(list->order[at + 1]));
	PLAIN_WRITE(list->length, length - 1);
	PLAIN_WRITE(queue->waiters[who].linked, 0);
	update_flags(queue);
}

/* The first, -1 when there is none. */
static int filch__queue_pop(struct filch_queue *queue, struct list *list)
{
	int first;

	if (PLAIN_READ(list->length) == 0)
		return -1;
	first = PLAIN_READ(list->order[0]);
	filch__queue_unlink(queue, list, first);
	return first;
}

static bool filch__queue_wake(struct filch_queue *queue, int who)
{
	struct queue_waiter *waiter = &queue->waiters[who];

	if (!filch__park_claim(&waiter->parker, waiter->epoch, PARK_GRANTED)) {
		PLAIN_WRITE(queue->leaving, PLAIN_READ(queue->leaving) + 1);
		return false;
	}
	PLAIN_WRITE(queue->woken, who + 1);
	return true;
}

static bool filch__queue_hand_over(struct filch_queue *queue, int element)
{
	int getter;

	while ((getter = filch__queue_pop(queue, &queue->getters)) >= 0) {
		if (!filch__queue_wake(queue, getter))
			continue;
		PLAIN_WRITE(queue->waiters[getter].element, element);
		return true;
	}
	return false;
}

static void filch__queue_refill(struct filch_queue *queue)
{
	int putter;

	while (PLAIN_READ(queue->count) == 0 &&
	       (putter = filch__queue_pop(queue, &queue->putters)) >= 0) {
		PLAIN_WRITE(queue->slot, PLAIN_READ(queue->waiters[putter].element));
		if (filch__queue_wake(queue, putter))
			PLAIN_WRITE(queue->count, 1);
	}
}

static void filch__queue_come(struct queue_waiter *waiter)
{
	while (MODEL_STEP("await the release") && !word32_load_acquire(&waiter->released))
		model::relax();
}

/* Guarded on entry, not on return. */
static bool filch__queue_park(struct filch_queue *queue, struct list *list, int self, bool hasty)
{
	struct queue_waiter *waiter = &queue->waiters[self];

	word32_store_relaxed(&waiter->released, 0);
	waiter->epoch = filch__park_arm(&waiter->parker);
	filch__queue_link(queue, list, self);
	queue_unguard(queue);
	if (filch__park(&waiter->parker, waiter->epoch, hasty) == PARK_GRANTED) {
		filch__queue_come(waiter);
		return true;
	}
	queue_guard(queue);
	if (PLAIN_READ(waiter->linked))
		filch__queue_unlink(queue, list, self);
	else
		PLAIN_WRITE(queue->leaving, PLAIN_READ(queue->leaving) - 1);
	queue_unguard(queue);
	return false;
}

/* ---- queue.c ---- */

static bool put_guarded(struct filch_queue *queue, int self, int element, bool hasty)
{
	if (PLAIN_READ(queue->flags) & QUEUE_GETTERS && filch__queue_hand_over(queue, element)) {
		queue_unguard(queue);
		return true;
	}
	if (PLAIN_READ(queue->count) == 0) {
		PLAIN_WRITE(queue->slot, element);
		PLAIN_WRITE(queue->count, 1);
		queue_unguard(queue);
		return true;
	}
	PLAIN_WRITE(queue->waiters[self].element, element);
	return filch__queue_park(queue, &queue->putters, self, hasty);
}

static bool put(struct filch_queue *queue, int self, int element, bool hasty)
{
	if (queue_guard(queue) != 0 || PLAIN_READ(queue->count) != 0)
		return put_guarded(queue, self, element, hasty);
	PLAIN_WRITE(queue->slot, element);
	PLAIN_WRITE(queue->count, 1);
	touch(queue);
	word32_store_release(&queue->state, 0);
	return true;
}

/* The element, 0 for none. */
static int get_guarded(struct filch_queue *queue, int self, bool hasty)
{
	int element;

	if (PLAIN_READ(queue->count) == 0)
		return filch__queue_park(queue, &queue->getters, self, hasty)
			       ? PLAIN_READ(queue->waiters[self].element)
			       : 0;
	element = PLAIN_READ(queue->slot);
	PLAIN_WRITE(queue->count, 0);
	if (PLAIN_READ(queue->flags) & QUEUE_PUTTERS)
		filch__queue_refill(queue);
	queue_unguard(queue);
	return element;
}

static int get(struct filch_queue *queue, int self, bool hasty)
{
	int element;

	if (queue_guard(queue) != 0 || PLAIN_READ(queue->count) == 0)
		return get_guarded(queue, self, hasty);
	element = PLAIN_READ(queue->slot);
	PLAIN_WRITE(queue->count, 0);
	touch(queue);
	word32_store_release(&queue->state, 0);
	return element;
}

/* ---- the clients ---- */

struct queue_room {
	struct filch_queue queue;
	int put, got; /* sums of elements, which are powers of two */
};

static void set(struct queue_room *room, int element)
{
	struct filch_queue *queue = &room->queue;

	model::begin();
	word32_store_relaxed(&queue->state, 0);
	PLAIN_WRITE(queue->alive, 1);
	PLAIN_WRITE(queue->flags, 0u);
	PLAIN_WRITE(queue->slot, element);
	PLAIN_WRITE(queue->count, element != 0);
	PLAIN_WRITE(queue->leaving, 0);
	PLAIN_WRITE(queue->woken, 0);
	PLAIN_WRITE(queue->getters.length, 0);
	PLAIN_WRITE(queue->putters.length, 0);
	for (int i = 0; i < THREADS; i++)
		word64_store_relaxed(&queue->waiters[i].parker.word, 0);
	room->put = element;
	room->got = 0;
}

static void put_one(struct queue_room *room, int self, bool hasty)
{
	if (put(&room->queue, self, 2 << self, hasty))
		room->put |= 2 << self;
}

static void get_one(struct queue_room *room, int self, bool hasty)
{
	int element = get(&room->queue, self, hasty);

	model::require((room->got & element) == 0, "nothing is got twice");
	model::require(element != 0 || hasty, "who was woken has something");
	room->got |= element;
}

static void require_conserved(struct queue_room *room)
{
	struct filch_queue *queue = &room->queue;
	int left = PLAIN_READ(queue->count) ? PLAIN_READ(queue->slot) : 0;

	model::require((room->got | left) == room->put && (room->got & left) == 0,
		       "what was put was got, or is there");
	model::require(PLAIN_READ(queue->leaving) == 0 && word32_load_relaxed(&queue->state) == 0,
		       "nobody waits any more");
}

/* Two put, one gets both. In haste: thread i when bit i is set, and then the last get, too. */
template <int Hasty> struct putters_test : rl::test_suite<putters_test<Hasty>, THREADS> {
	struct queue_room room;

	void before()
	{
		set(&room, 0);
	}

	void thread(unsigned index)
	{
		bool hasty = Hasty >> index & 1;

		if (index < 2) {
			put_one(&room, (int)index, hasty);
			return;
		}
		get_one(&room, 2, hasty);
		get_one(&room, 2, Hasty != 0);
	}

	void after()
	{
		require_conserved(&room);
	}
};

/* Two get, one puts for both. */
template <int Hasty> struct getters_test : rl::test_suite<getters_test<Hasty>, THREADS> {
	struct queue_room room;

	void before()
	{
		set(&room, 0);
	}

	void thread(unsigned index)
	{
		bool hasty = Hasty >> index & 1;

		if (index < 2) {
			get_one(&room, (int)index, hasty);
			return;
		}
		if (put(&room.queue, 2, 8, hasty))
			room.put |= 8;
		if (put(&room.queue, 2, 16, hasty))
			room.put |= 16;
	}

	void after()
	{
		require_conserved(&room);
	}
};

/* It is freed by who got its only element. */
struct got_test : rl::test_suite<got_test, 2> {
	struct queue_room room;

	void before()
	{
		set(&room, 0);
	}

	void thread(unsigned index)
	{
		if (index == 0) {
			put_one(&room, 0, false);
			return;
		}
		model::require(get(&room.queue, 1, false) == 2, "what was put");
		PLAIN_WRITE(room.queue.alive, 0);
	}
};

/* It is freed by who waited for room in it. */
struct put_test : rl::test_suite<put_test, 2> {
	struct queue_room room;

	void before()
	{
		set(&room, 1);
	}

	void thread(unsigned index)
	{
		if (index == 0) {
			model::require(get(&room.queue, 0, false) == 1, "what was there");
			return;
		}
		put_one(&room, 1, false);
		PLAIN_WRITE(room.queue.alive, 0);
	}
};

static const struct model::client clients[] = {
	{ "freed by who got", model::search<got_test>, 50000, true },
	{ "freed by who put", model::search<put_test>, 50000, true },
	{ "2 put, 1 gets", model::search<putters_test<0>>, 100000, true },
	{ "a putter in haste", model::search<putters_test<1>>, 100000, true },
	{ "all in haste", model::search<putters_test<7>>, 100000, true },
	{ "2 get, 1 puts", model::search<getters_test<0>>, 100000, true },
	{ "a getter in haste", model::search<getters_test<1>>, 100000, true },
	{ "all in haste", model::search<getters_test<7>>, 100000, true },
};

int main(int argc, char **argv)
{
	static const struct model::program program = { "model_queue", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
