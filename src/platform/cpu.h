/* Processors: how many this process may use, pinning to one, waiting a moment on one. */
#ifndef FILCH_PLATFORM_CPU_H
#define FILCH_PLATFORM_CPU_H

#include "base/world.h"

/* Processors in the caller's affinity mask, at least 1. */
unsigned filch__cpu_count(void);

/* Pins the caller's thread to the nth processor of its mask (modulo their number). 0, -EINVAL. */
int filch__cpu_pin(unsigned nth);

/*
 * Processors that the cgroups grant: the floor of quota over period, the least of all
 * ancestors that are visible (version 2 cpu.max, version 1 cpu.cfs_quota_us), at least 1. 0:
 * no limit, or nothing readable. `root` goes before every path read (/proc and the mount
 * points), NULL or "" in earnest.
 */
unsigned filch__cpu_quota(const char *root);

/* How many workers when nobody says: the least of mask and quota, at least 1. */
unsigned filch__cpu_auto(const char *root);

/* Tells the core that this is a spin loop; in a simulation lets somebody else go on. */
static inline void cpu_relax(void)
{
	if (unlikely(filch__world_self() != NULL))
		filch__world_choose(WORLD_YIELD);
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory"); /* yield is a no-op on most cores */
#else
	__asm__ volatile("" ::: "memory");
#endif
}

#endif
