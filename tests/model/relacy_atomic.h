/* The atomics of base/atomic.h on Relacy; each call site's order can be weakened. */
#ifndef FILCH_MODEL_RELACY_ATOMIC_H
#define FILCH_MODEL_RELACY_ATOMIC_H

/*
 * Takes the place of what is below the data structures: the words themselves, the
 * asymmetric barrier, waiting on a processor. A call of a wrapper is a `site`: it is known
 * before anything runs (a linker section lists them), carries the order its name says, and
 * model.h weakens one of them per mutant.
 *
 * Sites must stand in functions with internal linkage, not in member functions.
 */
#define FILCH_WORD_H
#define FILCH_PLATFORM_BARRIER_H
#define FILCH_PLATFORM_CPU_H
#define FILCH_PLATFORM_THREAD_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <relacy/relacy.hpp>

/* Relacy's names for what it replaces; here only plain memory is wanted. */
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef errno
#define errno (*__errno_location())

namespace model
{

enum kind { LOAD, STORE, UPDATE, CAS, LIGHT, HEAVY, STEP };

struct site {
	const char *file;
	int line;
	const char *function;
	const char *operation;
	enum kind kind;
	rl::memory_order order;	  /* as in the code, or weakened */
	rl::memory_order failure; /* of a cas */
	bool dropped;		  /* a barrier or a step that is not there */
	uint64_t visits;
};

/* Called after each access to a pointer word, with nothing between; see model_deque. */
static void (*on_pointer_read)(const void *word);
static void (*on_pointer_write)(const void *word);

static inline rl::debug_info where(const struct site *site)
{
	return rl::debug_info(site->function, site->file, (unsigned)site->line);
}

template <typename T> static void watch(void (*)(const void *), T *)
{
}

template <> void watch(void (*call)(const void *), rl::atomic<void *> *word)
{
	if (call)
		call(word);
}

template <typename T> static T load(struct site *site, rl::atomic<T> *word)
{
	T value;

	site->visits++;
	value = word->load(site->order, where(site));
	watch(on_pointer_read, word);
	return value;
}

/*
 * Relacy follows C++11, where a relaxed store carries on what its thread released to the same
 * word before. C++20 took that away, compilers may use it, so this ends it. The member that leads
 * there is private: an explicit instantiation may name it.
 */
template <typename T> struct data_of {
	typedef rl::atomic_data *rl::generic_atomic<T, false>::*type;
	friend type data_member(data_of);
};

template <typename T, typename data_of<T>::type Member> struct opened {
	friend typename data_of<T>::type data_member(data_of<T>)
	{
		return Member;
	}
};

template struct opened<uint32_t, &rl::generic_atomic<uint32_t, false>::impl_>;
template struct opened<uint64_t, &rl::generic_atomic<uint64_t, false>::impl_>;
template struct opened<void *, &rl::generic_atomic<void *, false>::impl_>;

template <int Threads>
static void end_release_sequence(rl::atomic_data *data, rl::memory_order order)
{
	rl::atomic_data_impl<Threads> *word = static_cast<rl::atomic_data_impl<Threads> *>(data);
	rl::thread_info<Threads> *self =
		static_cast<rl::thread_info<Threads> *>(rl::ctx().threadx_);
	rl::timestamp_t *released =
		word->history_[word->current_index_ % rl::atomic_history_size].acq_rel_order_;

	for (int i = 0; i < Threads; i++)
		released[i] = order == rl::mo_relaxed ? self->release_fence_order_[i]
						      : self->acq_rel_order_[i];
}

template <typename T> static void end_release_sequence(rl::atomic<T> *word, rl::memory_order order)
{
	rl::atomic_data *data = word->*data_member(data_of<T>());

	switch (rl::ctx().get_thread_count()) {
	case 2:
		return end_release_sequence<2>(data, order);
	case 3:
		return end_release_sequence<3>(data, order);
	case 4:
		return end_release_sequence<4>(data, order);
	default:
		abort();
	}
}

template <typename T, typename V> static void store(struct site *site, rl::atomic<T> *word, V value)
{
	site->visits++;
	word->store((T)value, site->order, where(site));
	end_release_sequence(word, site->order);
	watch(on_pointer_write, word);
}

template <typename T, typename V> static T exchange(struct site *site, rl::atomic<T> *word, V value)
{
	site->visits++;
	return word->exchange((T)value, site->order, where(site));
}

template <typename T, typename V> static T add(struct site *site, rl::atomic<T> *word, V value)
{
	site->visits++;
	return word->fetch_add((T)value, site->order, where(site));
}

template <typename T, typename V> static T sub(struct site *site, rl::atomic<T> *word, V value)
{
	site->visits++;
	return word->fetch_sub((T)value, site->order, where(site));
}

template <typename T, typename V> static T bit_or(struct site *site, rl::atomic<T> *word, V value)
{
	site->visits++;
	return word->fetch_or((T)value, site->order, where(site));
}

template <typename T, typename V> static T bit_and(struct site *site, rl::atomic<T> *word, V value)
{
	site->visits++;
	return word->fetch_and((T)value, site->order, where(site));
}

/* Relacy allows no failure order beside a weaker success order: a fence makes up for it. */
template <typename T, typename V>
static bool cas(struct site *site, rl::atomic<T> *word, T *expected, V desired)
{
	bool done;

	site->visits++;
	done = word->compare_exchange(rl::bool_t<false>(), *expected, (T)desired, site->order,
				      rl::mo_relaxed, where(site));
	if (!done && site->failure == rl::mo_acquire)
		rl::ctx().atomic_thread_fence_acquire();
	return done;
}

/*
 * Two ways to see the asymmetric barrier. As a pair of fences: what the code relies on, and
 * each side can be dropped. As membarrier(2) does it: nothing on the frequent side, and
 * on the rare side a fence in every thread; two light barriers order nothing among each other.
 */
static bool membarrier_is_systemwide;

static inline void light(struct site *site)
{
	site->visits++;
	if (!site->dropped && !membarrier_is_systemwide)
		rl::atomic_thread_fence(rl::mo_seq_cst, where(site));
}

static inline void heavy(struct site *site)
{
	site->visits++;
	if (site->dropped)
		return;
	if (membarrier_is_systemwide)
		rl::systemwide_fence(where(site));
	else
		rl::atomic_thread_fence(rl::mo_seq_cst, where(site));
}

/* A step of the algorithm: false in the mutant that leaves it out. */
static inline bool step(struct site *site)
{
	site->visits++;
	return !site->dropped;
}

static inline void relax(void)
{
	rl::yield(1, rl::debug_info("relax", __FILE__, __LINE__));
}

/*
 * A futex: looks and sleeps in one step. What Relacy's own waiting would hand over from waker
 * to sleeper is taken back: the kernel promises nothing, the words have to do it.
 */
template <typename T> static void sleep_on(rl::atomic<T> *word, T expected)
{
	rl::thread_info_base *self = rl::ctx().threadx_;
	const int count = (int)rl::ctx().get_thread_count();
	rl::timestamp_t known[8];

	if (word->debug_value() != expected)
		return relax(); /* so that the caller sees the other value in the end */
	for (int i = 0; i < count; i++)
		known[i] = self->acq_rel_order_[i];
	word->wait(rl::ctx(), false, true, rl::debug_info("sleep", __FILE__, __LINE__));
	for (int i = 0; i < count; i++)
		if (i != (int)self->index_)
			self->acq_rel_order_[i] = known[i];
	relax();
}

template <typename T> static void wake_on(rl::atomic<T> *word)
{
	word->wake(rl::ctx(), 1, rl::debug_info("wake", __FILE__, __LINE__));
}

} // namespace model

#define MODEL_SITE(operation, kind, order, failure)                                                \
	({                                                                                         \
		static struct model::site site_ = { __FILE__,	 __LINE__,    __func__,            \
						    operation,	 model::kind, rl::order,           \
						    rl::failure, false,	      0 };                 \
		static struct model::site *const listed_                                           \
			__attribute__((section("model_sites"), used)) = &site_;                    \
		(void)listed_;                                                                     \
		&site_;                                                                            \
	})
#define MODEL_STEP(what) model::step(MODEL_SITE(what, STEP, mo_seq_cst, mo_relaxed))
#define MODEL_LOAD(word, o)                                                                        \
	model::load(MODEL_SITE("load", LOAD, o, mo_relaxed), model::atomic_of(word))
#define MODEL_STORE(word, v, o)                                                                    \
	model::store(MODEL_SITE("store", STORE, o, mo_relaxed), model::atomic_of(word), v)
#define MODEL_UPDATE(f, word, v, o)                                                                \
	model::f(MODEL_SITE(#f, UPDATE, o, mo_relaxed), model::atomic_of(word), v)
#define MODEL_CAS(word, e, d, o, failure)                                                          \
	model::cas(MODEL_SITE("cas", CAS, o, failure), model::atomic_of(word), e, d)

struct filch_word32 {
	rl::atomic<uint32_t> value;
};

struct filch_word64 {
	rl::atomic<uint64_t> value;
};

/* Destroyed by hand (model::end): clang has no flexible array of what destroys itself. */
struct filch_pointer {
	filch_pointer()
	{
		::new (value) rl::atomic<void *>;
	}

	alignas(8) char value[sizeof(rl::atomic<void *>)];
};

namespace model
{

static inline rl::atomic<uint32_t> *atomic_of(const struct filch_word32 *word)
{
	return const_cast<rl::atomic<uint32_t> *>(&word->value);
}

static inline rl::atomic<uint64_t> *atomic_of(const struct filch_word64 *word)
{
	return const_cast<rl::atomic<uint64_t> *>(&word->value);
}

static inline rl::atomic<void *> *atomic_of(const struct filch_pointer *word)
{
	return (rl::atomic<void *> *)(void *)const_cast<char *>(word->value);
}

static inline void end(struct filch_pointer *word)
{
	atomic_of(word)->~atomic();
}

} // namespace model

#define word32_load_relaxed(w) MODEL_LOAD(w, mo_relaxed)
#define word32_load_acquire(w) MODEL_LOAD(w, mo_acquire)
#define word32_load_seq_cst(w) MODEL_LOAD(w, mo_seq_cst)
#define word32_store_relaxed(w, v) MODEL_STORE(w, v, mo_relaxed)
#define word32_store_release(w, v) MODEL_STORE(w, v, mo_release)
#define word32_exchange_acquire(w, v) MODEL_UPDATE(exchange, w, v, mo_acquire)
#define word32_exchange_acq_rel(w, v) MODEL_UPDATE(exchange, w, v, mo_acq_rel)
#define word32_exchange_seq_cst(w, v) MODEL_UPDATE(exchange, w, v, mo_seq_cst)
#define word32_cas_acquire(w, e, d) MODEL_CAS(w, e, d, mo_acquire, mo_relaxed)
#define word32_cas_relaxed(w, e, d) MODEL_CAS(w, e, d, mo_relaxed, mo_relaxed)
#define word32_cas_acq_rel(w, e, d) MODEL_CAS(w, e, d, mo_acq_rel, mo_relaxed)
#define word32_cas_seq_cst(w, e, d) MODEL_CAS(w, e, d, mo_seq_cst, mo_relaxed)
#define word32_add_relaxed(w, v) MODEL_UPDATE(add, w, v, mo_relaxed)
#define word32_add_release(w, v) MODEL_UPDATE(add, w, v, mo_release)
#define word32_add_acq_rel(w, v) MODEL_UPDATE(add, w, v, mo_acq_rel)
#define word32_add_seq_cst(w, v) MODEL_UPDATE(add, w, v, mo_seq_cst)
#define word32_sub_relaxed(w, v) MODEL_UPDATE(sub, w, v, mo_relaxed)
#define word32_sub_acq_rel(w, v) MODEL_UPDATE(sub, w, v, mo_acq_rel)
#define word32_sub_seq_cst(w, v) MODEL_UPDATE(sub, w, v, mo_seq_cst)
#define word32_or_relaxed(w, v) MODEL_UPDATE(bit_or, w, v, mo_relaxed)
#define word32_or_release(w, v) MODEL_UPDATE(bit_or, w, v, mo_release)
#define word32_and_relaxed(w, v) MODEL_UPDATE(bit_and, w, v, mo_relaxed)
#define word32_and_release(w, v) MODEL_UPDATE(bit_and, w, v, mo_release)

#define word64_load_relaxed(w) MODEL_LOAD(w, mo_relaxed)
#define word64_load_acquire(w) MODEL_LOAD(w, mo_acquire)
#define word64_load_seq_cst(w) MODEL_LOAD(w, mo_seq_cst)
#define word64_store_relaxed(w, v) MODEL_STORE(w, v, mo_relaxed)
#define word64_store_release(w, v) MODEL_STORE(w, v, mo_release)
#define word64_store_seq_cst(w, v) MODEL_STORE(w, v, mo_seq_cst)
#define word64_cas_relaxed(w, e, d) MODEL_CAS(w, e, d, mo_relaxed, mo_relaxed)
#define word64_cas_acquire(w, e, d) MODEL_CAS(w, e, d, mo_acquire, mo_relaxed)
#define word64_cas_release(w, e, d) MODEL_CAS(w, e, d, mo_release, mo_relaxed)
#define word64_cas_acq_rel(w, e, d) MODEL_CAS(w, e, d, mo_acq_rel, mo_relaxed)
#define word64_add_relaxed(w, v) MODEL_UPDATE(add, w, v, mo_relaxed)
#define word64_add_acq_rel(w, v) MODEL_UPDATE(add, w, v, mo_acq_rel)
#define word64_add_seq_cst(w, v) MODEL_UPDATE(add, w, v, mo_seq_cst)
#define word64_sub_relaxed(w, v) MODEL_UPDATE(sub, w, v, mo_relaxed)
#define word64_sub_acq_rel(w, v) MODEL_UPDATE(sub, w, v, mo_acq_rel)

#define pointer_load_relaxed(w) MODEL_LOAD(w, mo_relaxed)
#define pointer_load_acquire(w) MODEL_LOAD(w, mo_acquire)
#define pointer_load_seq_cst(w) MODEL_LOAD(w, mo_seq_cst)
#define pointer_store_relaxed(w, v) MODEL_STORE(w, v, mo_relaxed)
#define pointer_store_release(w, v) MODEL_STORE(w, v, mo_release)
#define pointer_exchange_acquire(w, v) MODEL_UPDATE(exchange, w, v, mo_acquire)
#define pointer_cas_release(w, e, d) MODEL_CAS(w, e, d, mo_release, mo_relaxed)

#define barrier_light() model::light(MODEL_SITE("light", LIGHT, mo_seq_cst, mo_relaxed))
#define filch__barrier_heavy() model::heavy(MODEL_SITE("heavy", HEAVY, mo_seq_cst, mo_relaxed))
#define compiler_barrier() model::relax()
#define cpu_relax() model::relax()
#define filch__thread_yield() model::relax()

#endif
