/* The deque: src/data/deque.h and deque.c themselves, an owner against thieves and a raider. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "model.h"

/* Enough to give up on an owner now and then. */
#define SPINS_FOR_OWNER 3
#define SPINS_BEFORE_YIELD 2

#include "data/deque.c"
#include "data/deque.h"
#include "data/gate.c"
#include "data/gate.h"

static const int ITEMS = 12;
static const int THREADS = 3;

/* ---- the deque's memory ---- */

struct block {
	size_t slots;
	size_t align;
};

static struct deque_slot *slots_of(void *memory)
{
	return (struct deque_slot *)((char *)memory + sizeof(struct deque_array));
}

void *filch__allocate(const struct filch_allocator *, size_t size)
{
	struct block *block = (struct block *)malloc(sizeof(*block) + size);

	block->slots = (size - sizeof(struct deque_array)) / sizeof(struct deque_slot);
	/* A thief whose window is stale may look at a slot that was never written. */
	for (size_t i = 0; i < block->slots; i++) {
		struct deque_slot *slot = ::new (&slots_of(block + 1)[i]) deque_slot;

		for (int j = 0; j < 4; j++)
			model::atomic_of(&slot->word[j])
				->store(NULL, rl::mo_relaxed, rl::debug_info());
	}
	return block + 1;
}

void filch__free(const struct filch_allocator *, void *memory)
{
	struct block *block = (struct block *)memory - 1;

	for (size_t i = 0; i < block->slots; i++)
		for (int j = 0; j < 4; j++)
			model::end(&slots_of(memory)[i].word[j]);
	free(block);
}

/*
 * ---- a slot is reused only after the copy that was claimed from it ----
 *
 * Relacy runs a load when it is reached and never lets it read from a later store, so
 * that a copy which is not ordered before the slot's reuse goes unnoticed. Hence: a
 * successful steal leaves behind what it read and when; whoever writes that slot again must have
 * seen that.
 */
struct copy {
	const void *word;
	rl::timestamp_t time;
};

static struct {
	struct copy copies[64];
	int count;
	bool stealing;
} pending[THREADS], claimed[THREADS];

static const void *not_a_slot;

static void note_read(const void *word)
{
	rl::thread_info_base *thread = rl::ctx().threadx_;
	int index = (int)thread->index_;

	if (!pending[index].stealing || word == not_a_slot)
		return;
	struct copy *copy = &pending[index].copies[pending[index].count++];
	copy->word = word;
	copy->time = thread->own_acq_rel_order_;
}

static void check_write(const void *word)
{
	for (int i = 0; i < THREADS; i++)
		for (int j = 0; j < claimed[i].count; j++)
			if (claimed[i].copies[j].word == word)
				model::require(
					rl::ctx().threadx_->acq_rel_order_[i] >=
						claimed[i].copies[j].time,
					"a slot is reused before a thief's copy of it is done");
}

/* ---- the clients ---- */

enum op { END, START, PUSH, POP, TAKE, PUBLISH, RECLAIM, ROOM, ANY };

static void gate_set(struct gate *gate)
{
	/* relaxed: before anybody runs. */
	word32_store_relaxed(&gate->busy, 0);
	word32_store_relaxed(&gate->raid, 0);
}

struct deque_test_base {
	struct deque deque;
	struct gate gate;
	PLAIN(int) payload[ITEMS];
	int got[ITEMS];
	int pushed;

	void open(uint64_t capacity)
	{
		model::begin();
		model::on_pointer_read = note_read;
		model::on_pointer_write = check_write;
		memset(pending, 0, sizeof(pending));
		memset(claimed, 0, sizeof(claimed));
		memset(got, 0, sizeof(got));
		pushed = 0;
		gate_set(&gate);
		not_a_slot = model::atomic_of(&deque.array);
		model::require(filch__deque_init(&deque, capacity, NULL) == 0, "memory");
	}

	void deliver(const struct deque_item *item)
	{
		intptr_t number = (intptr_t)item->word[0];

		model::require(item->word[1] == (void *)(number + 100) && item->word[2] == this &&
				       item->word[3] == (void *)(number + 200),
			       "an item is whole");
		model::require(number > 0 && number <= pushed, "an item was pushed");
		model::require(++got[number - 1] == 1, "an item is delivered once");
		model::require(PLAIN_READ(payload[number - 1]) == number, "a payload is published");
		PLAIN_WRITE(payload[number - 1], -1);
	}

	void push()
	{
		struct deque_item item;

		if (pushed == ITEMS)
			return;
		PLAIN_WRITE(payload[pushed], pushed + 1);
		pushed++;
		item.word[0] = (void *)(intptr_t)pushed;
		item.word[1] = (void *)(intptr_t)(pushed + 100);
		item.word[2] = this;
		item.word[3] = (void *)(intptr_t)(pushed + 200);
		model::require(deque_push(&deque, &item) == 0, "a push succeeds");
	}

	/* As pop_child does. */
	void pop()
	{
		struct deque_item item;
		bool found = deque_pop_if(&deque, this, &item);

		if (!found && deque_is_private_empty(&deque) && filch__deque_reclaim(&deque))
			found = deque_pop_if(&deque, this, &item);
		if (found)
			deliver(&item);
	}

	void take()
	{
		struct deque_item item;

		if (filch__deque_take(&deque, &item))
			deliver(&item);
	}

	void steal(unsigned most)
	{
		struct deque_item items[4];
		int self = (int)rl::thread_index();
		unsigned count;

		if (!deque_has_public(&deque))
			return;
		pending[self].count = 0;
		pending[self].stealing = true;
		count = filch__deque_steal(&deque, items, most);
		pending[self].stealing = false;
		for (int i = 0; count > 0 && i < pending[self].count; i++)
			claimed[self].copies[claimed[self].count++] = pending[self].copies[i];
		for (unsigned i = 0; i < count; i++)
			deliver(&items[i]);
	}

	void raid()
	{
		if (!filch__gate_try_raid(&gate))
			return;
		filch__deque_publish(&deque);
		filch__gate_end_raid(&gate);
	}

	/* A push needs no gate. */
	void run(enum op op)
	{
		if (op == ANY)
			op = (enum op)(PUSH + rl::rand(6));
		if (op == PUSH) {
			push();
			return;
		}
		gate_enter(&gate);
		run_in_gate(op);
		model::require(filch__deque_is_valid(&deque), "the deque is valid");
		gate_leave(&gate);
	}

	void run_in_gate(enum op op)
	{
		switch (op) {
		case POP:
			pop();
			break;
		case TAKE:
			take();
			break;
		case PUBLISH:
			filch__deque_publish(&deque);
			break;
		case RECLAIM:
			filch__deque_reclaim(&deque);
			break;
		case ROOM:
			deque_room(&deque);
			break;
		default:
			break;
		}
	}

	void close()
	{
		model::require(filch__deque_is_valid(&deque), "the deque is valid");
		while (!deque_is_empty(&deque))
			take();
		for (int i = 0; i < pushed; i++)
			model::require(got[i] == 1, "every item is delivered");
		filch__deque_fini(&deque);
		model::end(&deque.array);
	}
};

/* An owner with a fixed program against thieves that steal so often, so much, from START on. */
template <typename Program, int Thieves>
struct deque_test : rl::test_suite<deque_test<Program, Thieves>, Thieves + 1>, deque_test_base {
	const enum op *next;

	void before()
	{
		open(Program::capacity());
		for (next = Program::ops(); *next != START; next++)
			run(*next);
	}

	void thread(unsigned index)
	{
		if (index == 0) {
			while (*++next != END)
				run(*next);
		} else {
			for (int i = 0; i < Program::steals(); i++) {
				if (Program::raids())
					raid();
				steal(Program::most());
			}
		}
	}

	void after()
	{
		close();
	}
};

#define PROGRAM(name, capacity_, steals_, most_, raids_, ...)                                      \
	struct name {                                                                              \
		static uint64_t capacity()                                                         \
		{                                                                                  \
			return capacity_;                                                          \
		}                                                                                  \
		static int steals()                                                                \
		{                                                                                  \
			return steals_;                                                            \
		}                                                                                  \
		static unsigned most()                                                             \
		{                                                                                  \
			return most_;                                                              \
		}                                                                                  \
		static bool raids()                                                                \
		{                                                                                  \
			return raids_;                                                             \
		}                                                                                  \
		static const enum op *ops()                                                        \
		{                                                                                  \
			static const enum op list[] = { __VA_ARGS__, END };                        \
			return list;                                                               \
		}                                                                                  \
	}

PROGRAM(growth, 2, 1, 2, false, PUSH, PUBLISH, START, PUSH, PUSH, PUBLISH, PUSH, POP, PUBLISH);
PROGRAM(reuse, 2, 2, 1, false, PUSH, PUSH, PUBLISH, START, PUSH, PUBLISH, PUSH, POP, PUSH);
PROGRAM(oldest, 2, 2, 1, false, PUSH, PUSH, PUBLISH, START, TAKE, PUSH, PUSH, TAKE, PUSH, PUBLISH);
PROGRAM(recall, 4, 1, 2, false, PUSH, PUBLISH, START, POP, PUSH, PUBLISH, POP);
PROGRAM(recall_last, 4, 1, 1, false, PUSH, PUSH, PUSH, PUBLISH, POP, START, POP, PUSH, PUSH, PUSH);
PROGRAM(batches, 4, 2, 2, false, PUSH, PUSH, PUSH, PUSH, PUBLISH, START, RECLAIM, POP, TAKE, PUSH,
	PUBLISH);
PROGRAM(anything, 2, 2, 2, false, PUSH, PUSH, ANY, START, ANY, ANY, ANY, ANY, ANY, ANY, ANY);
PROGRAM(raided, 2, 1, 2, true, PUSH, START, PUSH, POP, PUSH, PUSH);
PROGRAM(besieged, 2, 1, 2, true, PUSH, START, ANY, ANY, ANY, ANY, ANY, ANY);

static const struct model::client clients[] = {
	{ "reuse, 1 thief", model::search<deque_test<reuse, 1>>, 100000, true },
	{ "oldest, 1 thief", model::search<deque_test<oldest, 1>>, 100000, true },
	{ "recall, 1 thief", model::search<deque_test<recall, 1>>, 100000, true },
	{ "recall the last, 1 thief", model::search<deque_test<recall_last, 1>>, 100000, true },
	{ "raided, 1 raider", model::search<deque_test<raided, 1>>, 100000, true },
	{ "growth, 2 thieves", model::search<deque_test<growth, 2>>, 100000, true },
	{ "batches, 2 thieves", model::search<deque_test<batches, 2>>, 100000, true },
	{ "anything, 2 thieves", model::search<deque_test<anything, 2>>, 100000, false },
	{ "besieged, 2 raiders", model::search<deque_test<besieged, 2>>, 100000, false },
};

int main(int argc, char **argv)
{
	static const struct model::program program = { "data/deque", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
