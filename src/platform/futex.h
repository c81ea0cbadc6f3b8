/* Sleeping on a word until somebody changes it. */
#ifndef FILCH_PLATFORM_FUTEX_H
#define FILCH_PLATFORM_FUTEX_H

#include <filch/word.h>

/*
 * Sleeps while *word is `expected`, at most until `deadline` (CLOCK_MONOTONIC in
 * nanoseconds; INT64_MAX: no limit). Returns 0 when woken, when the word differs, or for no
 * reason at all: the caller looks again; -ETIMEDOUT. errno is left alone.
 */
int filch__futex_wait(struct filch_word32 *word, uint32_t expected, int64_t deadline);

/* Wakes up to n sleepers. The word may be gone already: an address nobody sleeps on is harmless. */
void filch__futex_wake(struct filch_word32 *word, int n);

#endif
