/* Which world the calling thread lives in. */
#include "base/world.h"

static _Thread_local struct world *self;

FILCH_NOINLINE struct world *filch__world_self(void)
{
	__asm__ volatile("" ::: "memory");
	return self;
}

FILCH_NOINLINE void filch__world_set_self(struct world *world)
{
	__asm__ volatile("" ::: "memory");
	self = world;
}

FILCH_NOINLINE void filch__world_choose(enum world_point point)
{
	struct world *world = self;

	if (unlikely(world != NULL) && world->masked == 0)
		world->calls->choose(world, point);
}
