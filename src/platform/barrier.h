/* The asymmetric barrier: nothing for the frequent side, a system call for the rare one. */
#ifndef FILCH_PLATFORM_BARRIER_H
#define FILCH_PLATFORM_BARRIER_H

#include "base/atomic.h"

#include <stdbool.h>

/*
 *	often:  store A; barrier_light(); load B        rarely:  store B; barrier_heavy(); load A
 *
 * At least one of the two loads sees the other side's store, as with a full fence on
 * both sides. Only when filch__barrier_register has returned true; otherwise both sides need
 * seq_cst operations of their own.
 */

/* Once per process, again is harmless. False where membarrier(2) is missing or forbidden. */
bool filch__barrier_register(void);

/* Keeps the compiler from moving accesses over it. */
static inline void barrier_light(void)
{
	compiler_barrier();
}

/* Every running thread of the process passes a full fence before it returns; microseconds.
 * Without a registration it does nothing. */
void filch__barrier_heavy(void);

#endif
