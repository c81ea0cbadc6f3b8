/* The idle protocol of src/sched/idle.c: no wake is lost, whoever pushes and however. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "model.h"

#include "mirror_idle.h"

/* ---- loop.c ---- */

static bool poll_timers(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	bool any = false;

	for (int i = 0; i < 2; i++) {
		uint64_t due = word64_load_relaxed(&scheduler->timers[i]);

		if (due > scheduler->clock ||
		    !word64_cas_relaxed(&scheduler->timers[i], &due, NEVER))
			continue;
		any = true;
		worker->found += i; /* the first only wakes */
		if (i == 1 && scheduler->ends_with_timer)
			stop(scheduler);
	}
	return any;
}

static bool empty_inbox(struct worker *worker)
{
	PLAIN(int) * fiber;

	if (!pointer_load_relaxed(&worker->inbox))
		return false;
	fiber = (PLAIN(int) *)pointer_exchange_acquire(&worker->inbox, NULL);
	PLAIN_WRITE(*fiber, PLAIN_READ(*fiber) + 1);
	worker->found++;
	return true;
}

static bool search(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;

	return pointer_load_relaxed(&worker->inbox) || !injector_is_empty(scheduler) ||
	       poll_timers(worker) || word32_load_relaxed(&scheduler->stopping) ||
	       filch__worker_steal(worker) || steal_slot(worker);
}

static void find_work(struct worker *worker)
{
	bool searching = filch__idle_begin_search(worker->scheduler);

	while (!searching || !search(worker))
		searching = filch__idle_sleep(worker, searching);
	filch__idle_end_search(worker);
}

/* Until it has something to compute, which takes for ever. */
static void step(struct worker *worker)
{
	while (!worker->found && !empty_inbox(worker) && !filch__injector_pop(worker) &&
	       !word32_load_relaxed(&worker->scheduler->stopping))
		find_work(worker);
}

/* Finds at once what only it can have (its slot, a timer), then computes for ever. */
static void step_own(struct worker *worker)
{
	worker->has_own = true;
	if (filch__idle_begin_search(worker->scheduler))
		filch__idle_end_search(worker);
}

/* ---- who pushes ---- */

static void filch__worker_share(struct worker *worker)
{
	struct idle *idle = &worker->scheduler->idle;
	uint32_t state = word32_load_relaxed(&idle->state);

	if (state & IDLE_FENCED)
		state = word32_add_release(&idle->state, 0);
	if ((state & ~IDLE_FENCED) == 0)
		return;
	if (idle_sleepers(state) && !idle_searchers(state))
		filch__idle_notify(worker->scheduler);
}

/* filch_group_spawn, worker_offer */
static void spawn(struct worker *worker)
{
	word64_store_relaxed(&worker->bottom, word64_load_relaxed(&worker->bottom) + 1);
	barrier_light();
	if (word32_load_relaxed(&worker->scheduler->idle.state) != 0)
		filch__worker_share(worker);
}

/* And what a brisk worker has ready. */
static void push_slot(struct worker *worker)
{
	struct idle *idle = &worker->scheduler->idle;
	uint32_t state;

	word32_store_relaxed(&worker->slot, 1);
	barrier_light();
	state = word32_load_relaxed(&idle->state);
	if (state & IDLE_FENCED)
		state = word32_add_acq_rel(&idle->state, 0);
	if (!idle_sleepers(state) || idle_searchers(state) || word32_load_relaxed(&idle->watched))
		return;
	word32_store_relaxed(&idle->watched, 1);
	if (!filch__idle_notify(worker->scheduler))
		word32_store_relaxed(&idle->watched, 0);
}

/* By its owner, unless a thief was faster. */
static void take_slot(struct worker *worker)
{
	uint32_t full = 1;

	word32_cas_relaxed(&worker->slot, &full, 0u);
}

static void inject(struct scheduler *scheduler)
{
	word64_add_seq_cst(&scheduler->length, 1);
	filch__idle_notify(scheduler);
}

static void push_inbox(struct worker *worker, PLAIN(int) * fiber)
{
	void *head = pointer_load_relaxed(&worker->inbox);

	PLAIN_WRITE(*fiber, 1);
	do {
	} while (!pointer_cas_release(&worker->inbox, &head, fiber));
	filch__idle_wake(worker);
}

static void set_timer(struct scheduler *scheduler, uint64_t deadline)
{
	word64_store_seq_cst(&scheduler->timers[1], deadline);
	filch__scheduler_deadline(scheduler, deadline);
}

static void scheduler_set(struct scheduler *scheduler, uint32_t count, bool fenced, bool timers)
{
	word32_store_relaxed(&scheduler->idle.state, fenced ? IDLE_FENCED : 0);
	word32_store_relaxed(&scheduler->idle.lock.word, 0);
	/* As an earlier watch has left it. */
	word32_store_relaxed(&scheduler->idle.watched, 1);
	word64_store_relaxed(&scheduler->idle.keeper, 0);
	word64_store_relaxed(&scheduler->length, 0);
	word32_store_relaxed(&scheduler->stopping, 0);
	scheduler->clock = 0;
	scheduler->parks = 2;
	word64_store_relaxed(&scheduler->timers[0], timers ? 3 : NEVER);
	word64_store_relaxed(&scheduler->timers[1], NEVER);
	scheduler->idle.depth = 0;
	scheduler->idle.keeper_index = 0;
	scheduler->count = count;
	scheduler->fenced = fenced;
	for (uint32_t i = 0; i < count; i++) {
		struct worker *worker = &scheduler->workers[i];

		worker->scheduler = scheduler;
		worker->index = i;
		worker->found = 0;
		worker->has_own = false;
		word32_store_relaxed(&worker->wake, 0);
		word64_store_relaxed(&worker->top, 0);
		word64_store_relaxed(&worker->bottom, 0);
		pointer_store_relaxed(&worker->inbox, NULL);
		word32_store_relaxed(&worker->slot, 0);
	}
}

/* ---- the clients ---- */

/* Who thread i is: a worker that looks for work, or one that makes it, or somebody outside. */
enum role {
	LOOKS,
	HAS_OWN,
	SPAWNS,
	SPAWNS_TWO,
	INJECTS,
	INJECTS_TWO,
	SENDS_HOME,
	SETS_TIMER,
	SENDS_HOME_AND_SETS,
	FILLS_SLOT,
	/* The rare moments come more often. */
	HAS_OWN_OFTEN,
	FILLS_SLOT_OFTEN
};

template <bool Fenced, int Workers, enum role... Roles>
struct idle_test : rl::test_suite<idle_test<Fenced, Workers, Roles...>, sizeof...(Roles)> {
	struct scheduler scheduler;
	PLAIN(int) fiber;
	static constexpr enum role ROLES[] = { Roles... };

	void before()
	{
		model::begin();
		PLAIN_WRITE(fiber, 0);
		scheduler.ends_with_timer = ROLES[sizeof...(Roles) - 1] == SENDS_HOME_AND_SETS;
		scheduler_set(&scheduler, Workers, Fenced,
			      ROLES[sizeof...(Roles) - 1] == SETS_TIMER);
	}

	void after()
	{
		for (int i = 0; i < WORKERS; i++)
			model::end(&scheduler.workers[i].inbox);
	}

	void thread(unsigned index)
	{
		struct worker *self = &scheduler.workers[index];

		switch (ROLES[index]) {
		case LOOKS:
			step(self);
			break;
		case HAS_OWN:
			step_own(self);
			break;
		case SPAWNS_TWO:
			spawn(self); /* fall through */
		case SPAWNS:
			spawn(self);
			break;
		case INJECTS_TWO:
			inject(&scheduler); /* fall through */
		case INJECTS:
			inject(&scheduler);
			break;
		case SENDS_HOME_AND_SETS:
			push_inbox(&scheduler.workers[0], &fiber); /* fall through */
		case SETS_TIMER:
			set_timer(&scheduler, 5);
			break;
		case HAS_OWN_OFTEN:
			for (int i = 0; i < 8; i++)
				step_own(self);
			break;
		case FILLS_SLOT_OFTEN:
			for (int i = 0; i < 4; i++) {
				push_slot(self);
				take_slot(self);
			} /* fall through */
		case FILLS_SLOT:
			push_slot(self);
			break;
		case SENDS_HOME:
			push_inbox(&scheduler.workers[0], &fiber);
			break;
		}
	}
};

template <bool Fenced, int Workers, enum role... Roles>
constexpr enum role idle_test<Fenced, Workers, Roles...>::ROLES[];

#define CLIENT(name, workers, ...)                                                                 \
	{ name, model::search<idle_test<false, workers, __VA_ARGS__>>, 20000, true },              \
	{                                                                                          \
		name ", fenced", model::search<idle_test<true, workers, __VA_ARGS__>>, 20000, true \
	}

static const struct model::client clients[] = {
	CLIENT("a slot is full", 2, LOOKS, FILLS_SLOT),
	CLIENT("a slot, and a fiber", 3, LOOKS, LOOKS, FILLS_SLOT, INJECTS),
	CLIENT("a worker spawns", 2, LOOKS, SPAWNS),
	CLIENT("the keeper leaves", 2, LOOKS, LOOKS, SENDS_HOME_AND_SETS),
	CLIENT("a slot, and one finds its own", 3, LOOKS, HAS_OWN, FILLS_SLOT),
	CLIENT("a slot, full now and then", 3, LOOKS, HAS_OWN_OFTEN, FILLS_SLOT_OFTEN),
	CLIENT("a thread injects", 1, LOOKS, INJECTS),
	CLIENT("both look, one is enough", 2, LOOKS, HAS_OWN, INJECTS),
	CLIENT("one finds its own", 3, LOOKS, HAS_OWN, SPAWNS),
	CLIENT("two for two, spawned", 3, LOOKS, LOOKS, SPAWNS_TWO),
	CLIENT("two for two, injected", 2, LOOKS, LOOKS, INJECTS_TWO),
	CLIENT("a fiber comes home", 1, LOOKS, SENDS_HOME),
	CLIENT("another timer", 1, LOOKS, SETS_TIMER),
};

int main(int argc, char **argv)
{
	static const struct model::program program = { "_idle", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
