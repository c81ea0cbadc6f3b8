/* The gate: src/data/gate.h and gate.c themselves, an owner against two raiders. */
#define FILCH_MODEL_ATOMIC "relacy_atomic.h"
#include "model.h"

/* One attempt is enough where every spin is a switch. */
#define SPINS_FOR_OWNER 3
#define SPINS_BEFORE_YIELD 2

#include "data/gate.c"
#include "data/gate.h"

static void section(PLAIN(int) * guarded, int *inside)
{
	model::require(++*inside == 1, "one at a time");
	PLAIN_WRITE(*guarded, PLAIN_READ(*guarded) + 1);
	(*inside)--;
}

static void owner_turn(struct gate *gate, PLAIN(int) * guarded, int *inside)
{
	gate_enter(gate);
	section(guarded, inside);
	gate_leave(gate);
}

static void raider_turn(struct gate *gate, PLAIN(int) * guarded, int *inside)
{
	if (!filch__gate_try_raid(gate))
		return;
	section(guarded, inside);
	filch__gate_end_raid(gate);
}

static void gate_set(struct gate *gate, bool fenced)
{
	/* relaxed: before anybody runs. */
	word32_store_relaxed(&gate->busy, 0);
	word32_store_relaxed(&gate->raid, fenced ? GATE_FENCED : 0);
}

template <bool Fenced, int Raiders, int Turns>
struct gate_test : rl::test_suite<gate_test<Fenced, Raiders, Turns>, Raiders + 1> {
	struct gate gate;
	PLAIN(int) guarded;
	int inside;

	void before()
	{
		model::begin();
		inside = 0;
		PLAIN_WRITE(guarded, 0);
		gate_set(&gate, Fenced);
	}

	void thread(unsigned index)
	{
		if (index == 0)
			for (int i = 0; i < Turns; i++)
				owner_turn(&gate, &guarded, &inside);
		else
			raider_turn(&gate, &guarded, &inside);
	}
};

static const struct model::client clients[] = {
	{ "membarrier, 1 raider", model::search<gate_test<false, 1, 2>>, 100000, true },
	{ "membarrier, 2 raiders", model::search<gate_test<false, 2, 2>>, 100000, true },
	{ "fenced, 1 raider", model::search<gate_test<true, 1, 2>>, 100000, true },
	{ "fenced, 2 raiders", model::search<gate_test<true, 2, 2>>, 100000, true },
};

int main(int argc, char **argv)
{
	static const struct model::program program = { "data/gate", clients,
						       sizeof(clients) / sizeof(clients[0]), NULL,
						       0 };

	return model::run(argc, argv, &program);
}
