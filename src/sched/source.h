/* What the scheduler asks for reasons to run again (timers now, descriptors too). */
#ifndef FILCH_SCHED_SOURCE_H
#define FILCH_SCHED_SOURCE_H

#include <filch/types.h>

/*
 * An upward call: the floor above fills the table in, the scheduler calls it. All
 * members may be called from several workers at once.
 */
struct source {
	void *context;
	/* The earliest moment at which poll has something to do; FILCH_NEVER when none. A seq_cst
	 * load. */
	filch_time (*next)(void *context);
	/* Fires what is due at `now`; returns how many tasks became runnable. Never parks. */
	unsigned (*poll)(void *context, filch_time now);
};

#endif
