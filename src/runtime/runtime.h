/* The runtime's own struct: a scheduler, a root group, what the user chose. */
#ifndef FILCH_RUNTIME_RUNTIME_H
#define FILCH_RUNTIME_RUNTIME_H

#include "data/list.h"
#include "data/spin.h"
#include "sched/scheduler.h"

#include <filch/group.h>
#include <filch/runtime.h>

struct timers;

struct filch_runtime {
	struct scheduler scheduler;   /* first: lower floors know a runtime by it */
	struct filch_group root;      /* supervises; no owner, no stack */
	struct filch_options options; /* in force */
	struct timers *timers;
	struct spin lock;	   /* guards live */
	struct list live;	   /* root tasks that have not ended */
	struct filch_word32 ended; /* futex: counts the ends of the last task */
};

#endif
