/* The only file that names an atomic builtin: thin wrappers with the order in the name. */
#ifndef FILCH_BASE_ATOMIC_H
#define FILCH_BASE_ATOMIC_H

/*
 * Three back ends: the compiler's builtins (here); Relacy's checked atomics
 * (tests/model/relacy_atomic.h) when FILCH_MODEL_ATOMIC names the header to use
 * instead; and, in the preset `sim`, the builtins with a choice before each.
 *
 * Per type (word32, word64, pointer): load, store, exchange, cas, add, or, and. An
 * operation is listed here when somebody uses it. A cas returns whether it
 * succeeded and leaves what it saw in *expected; its failure order is relaxed
 * unless the name says otherwise. seq_cst is used only where a model needs it.
 */
#if defined(FILCH_MODEL_ATOMIC)
#include FILCH_MODEL_ATOMIC
#else

#include <filch/word.h>
#include <stdbool.h>

#if defined(FILCH_SIMULATE_ATOMICS)
#include "base/atomic_choice.h"
#endif

static inline uint32_t word32_load_relaxed(const struct filch_word32 *word)
{
	return __atomic_load_n(&word->value, __ATOMIC_RELAXED);
}

static inline uint32_t word32_load_acquire(const struct filch_word32 *word)
{
	return __atomic_load_n(&word->value, __ATOMIC_ACQUIRE);
}

static inline uint32_t word32_load_seq_cst(const struct filch_word32 *word)
{
	return __atomic_load_n(&word->value, __ATOMIC_SEQ_CST);
}

static inline void word32_store_relaxed(struct filch_word32 *word, uint32_t value)
{
	__atomic_store_n(&word->value, value, __ATOMIC_RELAXED);
}

static inline void word32_store_release(struct filch_word32 *word, uint32_t value)
{
	__atomic_store_n(&word->value, value, __ATOMIC_RELEASE);
}

static inline uint32_t word32_exchange_acquire(struct filch_word32 *word, uint32_t value)
{
	return __atomic_exchange_n(&word->value, value, __ATOMIC_ACQUIRE);
}

static inline uint32_t word32_exchange_acq_rel(struct filch_word32 *word, uint32_t value)
{
	return __atomic_exchange_n(&word->value, value, __ATOMIC_ACQ_REL);
}

static inline uint32_t word32_exchange_seq_cst(struct filch_word32 *word, uint32_t value)
{
	return __atomic_exchange_n(&word->value, value, __ATOMIC_SEQ_CST);
}

static inline bool word32_cas_acquire(struct filch_word32 *word, uint32_t *expected,
				      uint32_t desired)
{
	return __atomic_compare_exchange_n(&word->value, expected, desired, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline bool word32_cas_relaxed(struct filch_word32 *word, uint32_t *expected,
				      uint32_t desired)
{
	return __atomic_compare_exchange_n(&word->value, expected, desired, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

static inline bool word32_cas_acq_rel(struct filch_word32 *word, uint32_t *expected,
				      uint32_t desired)
{
	return __atomic_compare_exchange_n(&word->value, expected, desired, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static inline bool word32_cas_seq_cst(struct filch_word32 *word, uint32_t *expected,
				      uint32_t desired)
{
	return __atomic_compare_exchange_n(&word->value, expected, desired, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

static inline uint32_t word32_add_relaxed(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_add(&word->value, value, __ATOMIC_RELAXED);
}

static inline uint32_t word32_add_release(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_add(&word->value, value, __ATOMIC_RELEASE);
}

static inline uint32_t word32_add_acq_rel(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_add(&word->value, value, __ATOMIC_ACQ_REL);
}

static inline uint32_t word32_add_seq_cst(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_add(&word->value, value, __ATOMIC_SEQ_CST);
}

static inline uint32_t word32_sub_relaxed(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_sub(&word->value, value, __ATOMIC_RELAXED);
}

static inline uint32_t word32_sub_release(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_sub(&word->value, value, __ATOMIC_RELEASE);
}

static inline uint32_t word32_sub_acq_rel(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_sub(&word->value, value, __ATOMIC_ACQ_REL);
}

static inline uint32_t word32_sub_seq_cst(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_sub(&word->value, value, __ATOMIC_SEQ_CST);
}

static inline uint32_t word32_or_relaxed(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_or(&word->value, value, __ATOMIC_RELAXED);
}

static inline uint32_t word32_or_release(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_or(&word->value, value, __ATOMIC_RELEASE);
}

static inline uint32_t word32_or_acq_rel(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_or(&word->value, value, __ATOMIC_ACQ_REL);
}

static inline uint32_t word32_and_relaxed(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_and(&word->value, value, __ATOMIC_RELAXED);
}

static inline uint32_t word32_and_release(struct filch_word32 *word, uint32_t value)
{
	return __atomic_fetch_and(&word->value, value, __ATOMIC_RELEASE);
}

static inline uint64_t word64_load_relaxed(const struct filch_word64 *word)
{
	return __atomic_load_n(&word->value, __ATOMIC_RELAXED);
}

static inline uint64_t word64_load_acquire(const struct filch_word64 *word)
{
	return __atomic_load_n(&word->value, __ATOMIC_ACQUIRE);
}

static inline uint64_t word64_load_seq_cst(const struct filch_word64 *word)
{
	return __atomic_load_n(&word->value, __ATOMIC_SEQ_CST);
}

static inline void word64_store_relaxed(struct filch_word64 *word, uint64_t value)
{
	__atomic_store_n(&word->value, value, __ATOMIC_RELAXED);
}

static inline void word64_store_release(struct filch_word64 *word, uint64_t value)
{
	__atomic_store_n(&word->value, value, __ATOMIC_RELEASE);
}

static inline void word64_store_seq_cst(struct filch_word64 *word, uint64_t value)
{
	__atomic_store_n(&word->value, value, __ATOMIC_SEQ_CST);
}

static inline bool word64_cas_relaxed(struct filch_word64 *word, uint64_t *expected,
				      uint64_t desired)
{
	return __atomic_compare_exchange_n(&word->value, expected, desired, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

static inline bool word64_cas_acquire(struct filch_word64 *word, uint64_t *expected,
				      uint64_t desired)
{
	return __atomic_compare_exchange_n(&word->value, expected, desired, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline bool word64_cas_release(struct filch_word64 *word, uint64_t *expected,
				      uint64_t desired)
{
	return __atomic_compare_exchange_n(&word->value, expected, desired, false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

static inline bool word64_cas_acq_rel(struct filch_word64 *word, uint64_t *expected,
				      uint64_t desired)
{
	return __atomic_compare_exchange_n(&word->value, expected, desired, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static inline uint64_t word64_add_relaxed(struct filch_word64 *word, uint64_t value)
{
	return __atomic_fetch_add(&word->value, value, __ATOMIC_RELAXED);
}

static inline uint64_t word64_add_release(struct filch_word64 *word, uint64_t value)
{
	return __atomic_fetch_add(&word->value, value, __ATOMIC_RELEASE);
}

static inline uint64_t word64_add_acq_rel(struct filch_word64 *word, uint64_t value)
{
	return __atomic_fetch_add(&word->value, value, __ATOMIC_ACQ_REL);
}

static inline uint64_t word64_add_seq_cst(struct filch_word64 *word, uint64_t value)
{
	return __atomic_fetch_add(&word->value, value, __ATOMIC_SEQ_CST);
}

static inline uint64_t word64_sub_relaxed(struct filch_word64 *word, uint64_t value)
{
	return __atomic_fetch_sub(&word->value, value, __ATOMIC_RELAXED);
}

static inline uint64_t word64_sub_acq_rel(struct filch_word64 *word, uint64_t value)
{
	return __atomic_fetch_sub(&word->value, value, __ATOMIC_ACQ_REL);
}

static inline uint64_t word64_or_acq_rel(struct filch_word64 *word, uint64_t value)
{
	return __atomic_fetch_or(&word->value, value, __ATOMIC_ACQ_REL);
}

static inline void *pointer_load_relaxed(const struct filch_pointer *word)
{
	return __atomic_load_n(&word->value, __ATOMIC_RELAXED);
}

static inline void *pointer_load_acquire(const struct filch_pointer *word)
{
	return __atomic_load_n(&word->value, __ATOMIC_ACQUIRE);
}

static inline void *pointer_load_seq_cst(const struct filch_pointer *word)
{
	return __atomic_load_n(&word->value, __ATOMIC_SEQ_CST);
}

static inline void pointer_store_relaxed(struct filch_pointer *word, void *value)
{
	__atomic_store_n(&word->value, value, __ATOMIC_RELAXED);
}

static inline void pointer_store_release(struct filch_pointer *word, void *value)
{
	__atomic_store_n(&word->value, value, __ATOMIC_RELEASE);
}

static inline void pointer_store_seq_cst(struct filch_pointer *word, void *value)
{
	__atomic_store_n(&word->value, value, __ATOMIC_SEQ_CST);
}

static inline void *pointer_exchange_acquire(struct filch_pointer *word, void *value)
{
	return __atomic_exchange_n(&word->value, value, __ATOMIC_ACQUIRE);
}

static inline bool pointer_cas_relaxed(struct filch_pointer *word, void **expected, void *desired)
{
	return __atomic_compare_exchange_n(&word->value, expected, desired, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

static inline bool pointer_cas_release(struct filch_pointer *word, void **expected, void *desired)
{
	return __atomic_compare_exchange_n(&word->value, expected, desired, false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

/* Keeps the compiler (not the processor) from moving accesses over this point. */
static inline void compiler_barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

#endif
#endif
