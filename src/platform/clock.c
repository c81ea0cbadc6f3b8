/* Reading the clocks. */
#include "platform/clock.h"

#include "base/world.h"

#include <time.h>

int64_t filch__clock_now(void)
{
	struct world *world = filch__world_self();
	struct timespec now;

	if (unlikely(world != NULL))
		return world->now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t filch__clock_ticks(void)
{
	struct world *world = filch__world_self();

	if (unlikely(world != NULL))
		return (uint64_t)world->now;
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return (uint64_t)filch__clock_now();
#endif
}
