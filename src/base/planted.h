/* Bugs on demand: does a simulation find them? The library has none of them. */
#ifndef FILCH_BASE_PLANTED_H
#define FILCH_BASE_PLANTED_H

#include <stdbool.h>

enum planted {
	PLANTED_NOTHING,
	PLANTED_LOST_GRANT,   /* wake/wait.c: who was granted and then cancelled says cancelled */
	PLANTED_DOUBLE_GRANT, /* sync/line.c: who had not parked yet when it was granted is not
			       * counted as served */
	PLANTED_MISSED_WAKEUP /* sched/idle.c: no last look before the sleep */
};

#if defined(FILCH_PLANTED) /* for tests/sim/test_planted.c, which compiles those files anew */
extern enum planted filch__planted;

static inline bool is_planted(enum planted bug)
{
	return filch__planted == bug;
}
#else
static inline bool is_planted(enum planted bug)
{
	(void)bug;
	return false;
}
#endif

#endif
