/* The simulated back end of atomic.h: the compiler's builtins, each after a choice. */
#ifndef FILCH_BASE_ATOMIC_CHOICE_H
#define FILCH_BASE_ATOMIC_CHOICE_H

#include "base/world.h"

/*
 * A macro is not expanded within itself, so each of these ends in the builtin of its name. Strands
 * share one thread: their operations happen one after the other, in the order chosen.
 */
#define FILCH_CHOICE(operation) (filch__world_choose(WORLD_ATOMIC), operation)

#define __atomic_load_n(...) FILCH_CHOICE(__atomic_load_n(__VA_ARGS__))
#define __atomic_store_n(...) FILCH_CHOICE(__atomic_store_n(__VA_ARGS__))
#define __atomic_exchange_n(...) FILCH_CHOICE(__atomic_exchange_n(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) FILCH_CHOICE(__atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...) FILCH_CHOICE(__atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...) FILCH_CHOICE(__atomic_fetch_sub(__VA_ARGS__))
#define __atomic_fetch_or(...) FILCH_CHOICE(__atomic_fetch_or(__VA_ARGS__))
#define __atomic_fetch_and(...) FILCH_CHOICE(__atomic_fetch_and(__VA_ARGS__))

#endif
