/* Plain integers that only the library's atomic operations may touch. */
#ifndef FILCH_WORD_H
#define FILCH_WORD_H

#include <stdint.h>

/*
 * Public structs hold shared state in these one-field types. C++ can read the
 * declaration (which <stdatomic.h> prevents), a plain access does not compile
 * by accident, and the model builds substitute types of their own.
 */
struct filch_word32 {
	uint32_t value;
};

struct filch_word64 {
	uint64_t value;
};

struct filch_pointer {
	void *value;
};

#endif
