/* The depot of src/memory/stack.c and slab.c: a stack has one user at a time. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "model.h"

#include <sched.h>

#define sched_yield() model::relax()

#include "data/spin.c"
#include "data/spin.h"

/*
 * The functions mirror those of the same name; the spinlock is the real one. What a stack's
 * descriptor and memory stand for is plain memory. The address space is the array of stacks.
 */
static const int STACKS = 4;
static const int SLAB = 2; /* stacks per slab */

struct stack {
	PLAIN(int) memory; /* and the descriptor */
	PLAIN(struct stack *) next;
	PLAIN(struct stack *) next_batch;
	PLAIN(int) batch_count;
	int users;
};

struct slab {
	PLAIN(int) base; /* and all else that is fixed before it is listed */
	struct slab *next;
	struct filch_word32 cut;
};

struct stack_list {
	struct stack *first;
	int count;
};

struct stack_pool {
	struct spin lock;
	PLAIN(struct stack *) batches;
	PLAIN(struct stack *) frozen;
	struct filch_word64 idle, warm;
	struct filch_pointer slabs;
	rl::mutex growing;
	struct slab slab[STACKS / SLAB];
	struct stack stacks[STACKS];
	PLAIN(int) born;
};

static const rl::debug_info NOWHERE;

/* ---- stack.c ---- */

static void add_count(struct filch_word64 *word, uint64_t count)
{
	word64_store_relaxed(word, word64_load_relaxed(word) + count);
}

static void add_batch(struct stack_pool *depot, struct stack *first, bool warm)
{
	PLAIN(struct stack *) *batches = warm ? &depot->batches : &depot->frozen;

	spin_acquire(&depot->lock);
	PLAIN_WRITE(first->next_batch, PLAIN_READ(*batches));
	PLAIN_WRITE(*batches, first);
	add_count(&depot->idle, PLAIN_READ(first->batch_count));
	if (warm)
		add_count(&depot->warm, PLAIN_READ(first->batch_count));
	spin_release(&depot->lock);
}

static void depot_push(struct stack_pool *depot, struct stack_list *list)
{
	if (!list->first)
		return;
	PLAIN_WRITE(list->first->batch_count, list->count);
	add_batch(depot, list->first, true);
}

static struct stack_list take_batch(struct stack_pool *depot, bool also_frozen)
{
	struct stack_list list = { NULL, 0 };
	PLAIN(struct stack *) * batches;

	spin_acquire(&depot->lock);
	batches = PLAIN_READ(depot->batches) || !also_frozen ? &depot->batches : &depot->frozen;
	list.first = PLAIN_READ(*batches);
	if (list.first) {
		list.count = PLAIN_READ(list.first->batch_count);
		PLAIN_WRITE(*batches, PLAIN_READ(list.first->next_batch));
		add_count(&depot->idle, -(uint64_t)list.count);
		if (batches == &depot->batches)
			add_count(&depot->warm, -(uint64_t)list.count);
	}
	spin_release(&depot->lock);
	return list;
}

static struct stack_list depot_pop(struct stack_pool *depot)
{
	struct stack_list none = { NULL, 0 };

	return word64_load_relaxed(&depot->idle) == 0 ? none : take_batch(depot, true);
}

/* With a high-water mark of 0. */
static void filch__stack_pool_trim(struct stack_pool *depot)
{
	struct stack_list list;

	if (word64_load_relaxed(&depot->warm) == 0)
		return;
	list = take_batch(depot, false);
	for (struct stack *stack = list.first; stack; stack = PLAIN_READ(stack->next))
		PLAIN_WRITE(stack->memory, -1);
	if (list.first)
		add_batch(depot, list.first, false);
}

/* ---- slab.c ---- */

static struct slab *newest(struct stack_pool *pool)
{
	return (struct slab *)pointer_load_acquire(&pool->slabs);
}

static struct slab *add_slab(struct stack_pool *pool)
{
	struct slab *slab = &pool->slab[PLAIN_READ(pool->born) / SLAB];

	PLAIN_WRITE(slab->base, (int)(slab - pool->slab) * SLAB);
	slab->next = newest(pool);
	word32_store_relaxed(&slab->cut, 0);
	pointer_store_release(&pool->slabs, slab);
	return slab;
}

static struct stack_list filch__slab_cut(struct stack_pool *pool)
{
	struct stack_list list = { NULL, 0 };

	pool->growing.lock(NOWHERE);
	if (PLAIN_READ(pool->born) < STACKS) {
		struct slab *slab = newest(pool);
		uint32_t index = slab ? word32_load_relaxed(&slab->cut) : SLAB;

		if (index == SLAB) {
			slab = add_slab(pool);
			index = 0;
		}
		list.first = &pool->stacks[PLAIN_READ(slab->base) + (int)index];
		list.count = 1;
		PLAIN_WRITE(list.first->memory, 1);
		PLAIN_WRITE(list.first->next, (struct stack *)NULL);
		word32_store_release(&slab->cut, index + 1);
		PLAIN_WRITE(pool->born, PLAIN_READ(pool->born) + 1);
	}
	pool->growing.unlock(NOWHERE);
	return list;
}

/* In a signal handler of any thread: what is found can be read. */
static bool filch__stack_find(struct stack_pool *pool, int address)
{
	struct slab *slab = newest(pool);

	while (slab && (unsigned)(address - PLAIN_READ(slab->base)) >= SLAB)
		slab = slab->next;
	if (!slab || address - PLAIN_READ(slab->base) >= (int)word32_load_acquire(&slab->cut))
		return false;
	/* `lo` and `size`: written before the cut, never again; here `next` of a new stack. */
	(void)PLAIN_READ(pool->stacks[address].next);
	return true;
}

static void pool_set(struct stack_pool *pool)
{
	word32_store_relaxed(&pool->lock.word, 0);
	word64_store_relaxed(&pool->idle, 0);
	word64_store_relaxed(&pool->warm, 0);
	pointer_store_relaxed(&pool->slabs, NULL);
	PLAIN_WRITE(pool->batches, (struct stack *)NULL);
	PLAIN_WRITE(pool->frozen, (struct stack *)NULL);
	PLAIN_WRITE(pool->born, 0);
	for (int i = 0; i < STACKS; i++)
		pool->stacks[i].users = 0;
}

/* ---- the clients ---- */

static struct stack_list obtain(struct stack_pool *pool)
{
	struct stack_list list = depot_pop(pool);

	return list.first ? list : filch__slab_cut(pool);
}

/* Takes a batch, stands on every stack of it, puts it back. */
static void use(struct stack_pool *pool)
{
	struct stack_list list = obtain(pool);
	int count = 0;

	for (struct stack *stack = list.first; stack; stack = PLAIN_READ(stack->next), count++) {
		model::require(++stack->users == 1, "a stack has one user");
		PLAIN_WRITE(stack->memory, PLAIN_READ(stack->memory) + 1);
		stack->users--;
	}
	model::require(count == list.count, "a batch is whole");
	depot_push(pool, &list);
}

/* Two that take and put, and one that trims; or one that cuts, and one that finds. */
template <bool Finds> struct depot_test : rl::test_suite<depot_test<Finds>, Finds ? 2 : 3> {
	struct stack_pool pool;

	void before()
	{
		model::begin();
		pool_set(&pool);
	}

	void thread(unsigned index)
	{
		if (Finds && index == 0) {
			for (int i = 0; i < 3; i++)
				filch__slab_cut(&pool);
		} else if (Finds) {
			filch__stack_find(&pool, 0);
			filch__stack_find(&pool, 2);
		} else if (index == 2) {
			filch__stack_pool_trim(&pool);
		} else {
			use(&pool);
			use(&pool);
		}
	}

	void after()
	{
		uint64_t idle = word64_load_relaxed(&pool.idle);
		struct stack_list list;

		while ((list = depot_pop(&pool)).first)
			idle -= (uint64_t)list.count;
		model::require(idle == 0 && word64_load_relaxed(&pool.warm) == 0,
			       "the counts are right");
		model::end(&pool.slabs);
	}
};

static const struct model::client clients[] = {
	{ "take, put, trim", model::search<depot_test<false>>, 100000, true },
	{ "cut and find", model::search<depot_test<true>>, 100000, true },
};

int main(int argc, char **argv)
{
	/* Every file: the spinlock's own sites are part of it. */
	static const struct model::program program = { "", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
