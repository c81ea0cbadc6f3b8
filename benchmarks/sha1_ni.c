/* SHA-1 with the x86 instructions made for it, where the processor has them. */
#include "sha1.h"

#include <stddef.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define WITH_SHA __attribute__((target("sha,sse4.1")))
#define REVERSED 0x1B /* the instructions want a block's first word in the highest lane */

/* Words 4g to 4g+3 of the message schedule; `words` holds the last 16. */
WITH_SHA static inline __m128i schedule(__m128i words[4], int g)
{
	__m128i next = words[g & 3];

	if (g >= 4) {
		next = _mm_sha1msg1_epu32(next, words[(g + 1) & 3]);
		next = _mm_xor_si128(next, words[(g + 2) & 3]);
		next = _mm_sha1msg2_epu32(next, words[(g + 3) & 3]);
		words[g & 3] = next;
	}
	return next;
}

struct lanes {
	__m128i abcd;
	__m128i before; /* abcd four rounds ago, which gives the next e */
};

/* What the next four rounds add: e and their words. */
WITH_SHA static inline __m128i advance(struct lanes *lanes, __m128i words)
{
	__m128i e = _mm_sha1nexte_epu32(lanes->before, words);

	lanes->before = lanes->abcd;
	return e;
}

WITH_SHA static void rounds(struct lanes *lanes, __m128i words[4])
{
	int g = 1;

#pragma GCC unroll 4
	for (; g < 5; g++)
		lanes->abcd =
			_mm_sha1rnds4_epu32(lanes->abcd, advance(lanes, schedule(words, g)), 0);
#pragma GCC unroll 5
	for (; g < 10; g++)
		lanes->abcd =
			_mm_sha1rnds4_epu32(lanes->abcd, advance(lanes, schedule(words, g)), 1);
#pragma GCC unroll 5
	for (; g < 15; g++)
		lanes->abcd =
			_mm_sha1rnds4_epu32(lanes->abcd, advance(lanes, schedule(words, g)), 2);
#pragma GCC unroll 5
	for (; g < 20; g++)
		lanes->abcd =
			_mm_sha1rnds4_epu32(lanes->abcd, advance(lanes, schedule(words, g)), 3);
}

WITH_SHA static void native(const uint32_t parent[SHA1_WORDS], uint32_t index,
			    uint32_t child[SHA1_WORDS])
{
	const __m128i start =
		_mm_set_epi32(0x67452301, (int)0xEFCDAB89, (int)0x98BADCFE, 0x10325476);
	const __m128i start_e = _mm_set_epi32((int)0xC3D2E1F0, 0, 0, 0);
	__m128i words[4] = {
		_mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)parent), REVERSED),
		_mm_set_epi32((int)parent[4], (int)index, (int)0x80000000, 0),
		_mm_setzero_si128(),
		_mm_set_epi32(0, 0, 0, 24 * 8),
	};
	struct lanes lanes = { .before = start };

	lanes.abcd = _mm_sha1rnds4_epu32(start, _mm_add_epi32(start_e, words[0]), 0);
	rounds(&lanes, words);
	lanes.before = _mm_sha1nexte_epu32(lanes.before, start_e);
	lanes.abcd = _mm_shuffle_epi32(_mm_add_epi32(lanes.abcd, start), REVERSED);
	_mm_storeu_si128((__m128i *)(void *)child, lanes.abcd);
	child[4] = (uint32_t)_mm_extract_epi32(lanes.before, 3);
}

static int is_there(void)
{
	unsigned a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSE4_1) == 0)
		return 0;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

sha1_fn *sha1_ni_function(void)
{
	return is_there() ? native : NULL;
}

#else

sha1_fn *sha1_ni_function(void)
{
	return NULL;
}

#endif
