/* SHA-1 in plain C and through libcrypto, and the choice between all makes. */
#include "sha1.h"

#include "bench.h"

#include <string.h>

#ifdef FILCH_BENCH_OPENSSL
#define OPENSSL_SUPPRESS_DEPRECATED /* the calls that take a bare block are */
#include <openssl/sha.h>
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define END_MARK 0x80000000u

static inline uint32_t rotate(uint32_t word, unsigned bits)
{
	return word << bits | word >> (32 - bits);
}

/* FIPS 180-4, 6.1.2: the function and constant of each quarter of the rounds. */
static inline uint32_t mix(int quarter, uint32_t b, uint32_t c, uint32_t d)
{
	switch (quarter) {
	case 0:
		return (d ^ (b & (c ^ d))) + 0x5A827999u;
	case 1:
		return (b ^ c ^ d) + 0x6ED9EBA1u;
	case 2:
		return ((b & c) | (d & (b | c))) + 0x8F1BBCDCu;
	default:
		return (b ^ c ^ d) + 0xCA62C1D6u;
	}
}

/* Word t of the schedule, in place of word t - 16 (a loop of its own would be vectorised, and wait
 * for its own stores). */
static inline uint32_t schedule(uint32_t block[16], int t)
{
	if (t >= 16)
		block[t & 15] = rotate(block[(t - 3) & 15] ^ block[(t - 8) & 15] ^
					       block[(t - 14) & 15] ^ block[t & 15],
				       1);
	return block[t & 15];
}

static inline void step(uint32_t a, uint32_t *b, uint32_t c, uint32_t d, uint32_t *e, uint32_t word,
			int quarter)
{
	*e += rotate(a, 5) + mix(quarter, *b, c, d) + word;
	*b = rotate(*b, 30);
}

/* Twenty rounds, five at a time, so that the variables change roles and not places. */
ALWAYS_INLINE void rounds(uint32_t v[SHA1_WORDS], uint32_t block[16], int quarter)
{
	uint32_t a = v[0], b = v[1], c = v[2], d = v[3], e = v[4];

	for (int t = 20 * quarter; t < 20 * quarter + 20; t += 5) {
		step(a, &b, c, d, &e, schedule(block, t), quarter);
		step(e, &a, b, c, &d, schedule(block, t + 1), quarter);
		step(d, &e, a, b, &c, schedule(block, t + 2), quarter);
		step(c, &d, e, a, &b, schedule(block, t + 3), quarter);
		step(b, &c, d, e, &a, schedule(block, t + 4), quarter);
	}
	v[0] = a;
	v[1] = b;
	v[2] = c;
	v[3] = d;
	v[4] = e;
}

/* Uses the block up. */
static void digest_block(uint32_t block[16], uint32_t digest[SHA1_WORDS])
{
	static const uint32_t start[SHA1_WORDS] = { 0x67452301u, 0xEFCDAB89u, 0x98BADCFEu,
						    0x10325476u, 0xC3D2E1F0u };
	uint32_t v[SHA1_WORDS];

	memcpy(v, start, sizeof(v));
	rounds(v, block, 0);
	rounds(v, block, 1);
	rounds(v, block, 2);
	rounds(v, block, 3);
	for (int i = 0; i < SHA1_WORDS; i++)
		digest[i] = v[i] + start[i];
}

static void scalar(const uint32_t parent[SHA1_WORDS], uint32_t index, uint32_t child[SHA1_WORDS])
{
	uint32_t block[16] = { [5] = index, [6] = END_MARK, [15] = 24 * 8 };

	memcpy(block, parent, SHA1_WORDS * sizeof(*block));
	digest_block(block, child);
}

void sha1_root(uint32_t seed, uint32_t state[SHA1_WORDS])
{
	uint32_t block[16] = { [4] = seed, [5] = END_MARK, [15] = 20 * 8 };

	digest_block(block, state);
}

#ifdef FILCH_BENCH_OPENSSL
static void put_word(unsigned char *bytes, uint32_t word)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(word >> (24 - 8 * i));
}

/* The block function alone: with SHA1_Update and SHA1_Final, or EVP, it only costs more. */
static void libcrypto(const uint32_t parent[SHA1_WORDS], uint32_t index, uint32_t child[SHA1_WORDS])
{
	unsigned char block[64] = { [24] = END_MARK >> 24, [63] = 24 * 8 };
	SHA_CTX context;

	for (int i = 0; i < SHA1_WORDS; i++)
		put_word(block + 4 * i, parent[i]);
	put_word(block + 20, index);
	SHA1_Init(&context);
	SHA1_Transform(&context, block);
	child[0] = context.h0;
	child[1] = context.h1;
	child[2] = context.h2;
	child[3] = context.h3;
	child[4] = context.h4;
}
#endif

const char *sha1_name(enum sha1_variant variant)
{
	static const char *const names[SHA1_VARIANTS] = { "scalar", "sha-ni", "libcrypto" };

	return names[variant];
}

sha1_fn *sha1_function(enum sha1_variant variant)
{
	switch (variant) {
	case SHA1_SCALAR:
		return scalar;
	case SHA1_NI:
		return sha1_ni_function();
#ifdef FILCH_BENCH_OPENSSL
	case SHA1_LIBCRYPTO:
		return libcrypto;
#endif
	default:
		return NULL;
	}
}

/* The least of several short batches: each digest is the next one's parent. */
double sha1_cost(enum sha1_variant variant)
{
	enum { BATCHES = 8, BATCH = 2000 };
	uint32_t state[SHA1_WORDS] = { 0 };
	sha1_fn *function = sha1_function(variant);
	double least = 0;

	for (int batch = 0; function != NULL && batch < BATCHES; batch++) {
		double start = bench_now(), cost;

		for (uint32_t i = 0; i < BATCH; i++)
			function(state, i, state);
		cost = (bench_now() - start) / BATCH;
		if (batch == 0 || cost < least)
			least = cost;
	}
	return least;
}

enum sha1_variant sha1_fastest(void)
{
	enum sha1_variant best = SHA1_SCALAR;
	double least = sha1_cost(best);

	for (int variant = SHA1_SCALAR + 1; variant < SHA1_VARIANTS; variant++) {
		double cost = sha1_cost((enum sha1_variant)variant);

		if (cost > 0 && cost < least) {
			best = (enum sha1_variant)variant;
			least = cost;
		}
	}
	return best;
}
