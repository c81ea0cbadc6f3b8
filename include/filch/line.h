/* What semaphores, events and their like begin with; nothing in it is for the user. */
#ifndef FILCH_LINE_H
#define FILCH_LINE_H

#include <filch/types.h>

/* A word of flags and a value, and who waits in line. All-zero: nothing, nobody. */
struct filch_line {
	struct filch_word64 state;
	void *waiters[2];
	uint64_t tickets; /* waits that had to park */
	uint32_t waiting;
	uint32_t room;
};

/* `value` in the upper 56 bits of the state. */
#define FILCH_LINE_INIT(value)                                                                     \
	{                                                                                          \
		{ (uint64_t)(value) << 8 }, { 0, 0 }, 0, 0, 0                                      \
	}

#endif
