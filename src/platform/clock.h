/* Time: the monotonic clock in nanoseconds, and the processor's own counter. */
#ifndef FILCH_PLATFORM_CLOCK_H
#define FILCH_PLATFORM_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds, some 20 ns through the vDSO; in a simulation its clock. */
int64_t filch__clock_now(void);

/*
 * A counter that only rises on one core, in a unit of its own: for seeds and for "has
 * it been long". Not ordered against other cores; elsewhere the clock above.
 */
uint64_t filch__clock_ticks(void);

#endif
