/* Making system calls and allocations fail on purpose, in tests. */
#ifndef FILCH_PLATFORM_FAULT_H
#define FILCH_PLATFORM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum filch__fault {
	FILCH__FAULT_THREAD,   /* thread creation: -EAGAIN */
	FILCH__FAULT_MAP,      /* mapping pages */
	FILCH__FAULT_PROTECT,  /* guards by mprotect */
	FILCH__FAULT_GUARD,    /* guards by madvise, and the probe for them */
	FILCH__FAULT_ALLOCATE, /* filch__allocate */
	FILCH__FAULT_BARRIER,  /* registration for the asymmetric barrier */
	FILCH__FAULT_KINDS
};

/*
 * From now on the nth call of this kind (1: the next) and the `times` - 1 after it fail.
 * UINT32_MAX: for ever; 0 times: none, calls are just counted.
 */
void filch__fault_set(enum filch__fault kind, uint32_t nth, uint32_t times);
/* Calls since the last set of this kind: how far "fail each in turn" has to go. */
uint32_t filch__fault_calls(enum filch__fault kind);
/* Nothing fails any more. */
void filch__fault_clear(void);

/* Shall this call fail? One relaxed load unless a test has set something. */
bool filch__fault_hit(enum filch__fault kind);

#endif
