/* SHA-1 of 24 bytes, the step of the tree search's random stream, in several makes. */
#ifndef SHA1_H
#define SHA1_H

#include <stdint.h>

#define SHA1_WORDS 5

/*
 * child = SHA-1(parent || index). Digests are kept as the algorithm's big-endian words, which
 * makes 24 bytes of input a single block without a byte being moved.
 */
typedef void sha1_fn(const uint32_t parent[SHA1_WORDS], uint32_t index, uint32_t child[SHA1_WORDS]);

enum sha1_variant { SHA1_SCALAR, SHA1_NI, SHA1_LIBCRYPTO, SHA1_VARIANTS };

/* "scalar", "sha-ni", "libcrypto" */
const char *sha1_name(enum sha1_variant variant);
/* NULL: not on this processor, or not in this build. */
sha1_fn *sha1_function(enum sha1_variant variant);
/* ns per digest as measured here, now; 0 when there is no such variant. */
double sha1_cost(enum sha1_variant variant);
/* The cheapest of those there are. */
enum sha1_variant sha1_fastest(void);
/* SHA-1(16 bytes 0 || seed) */
void sha1_root(uint32_t seed, uint32_t state[SHA1_WORDS]);

/* With the processor's own instructions; NULL without them. */
sha1_fn *sha1_ni_function(void);

#endif
