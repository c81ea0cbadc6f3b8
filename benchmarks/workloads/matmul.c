/* matmul: divide and conquer on matrices, where the tasks are large and the memory counts. */
#include "../bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BASE 32

/* c += a * b, all blocks of n by n in matrices with `stride` columns */
struct product {
	const uint32_t *a, *b;
	uint32_t *c;
	size_t n, stride;
};

/* Written for vectors: what the compilers make of plain loops here differs by a factor of four
 * between them, and would be the larger part of the result. */
#define LANES 8
typedef uint32_t lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

__attribute__((always_inline)) static inline void multiply_lanes(const struct product *product)
{
	for (size_t i = 0; i < BASE; i++) {
		const uint32_t *a = product->a + i * product->stride;
		lanes *c = (lanes *)(void *)(product->c + i * product->stride);
		lanes sum[BASE / LANES];

		memcpy(sum, c, sizeof(sum));
		for (size_t k = 0; k < BASE; k++) {
			const lanes *b =
				(const lanes *)(const void *)(product->b + k * product->stride);

			for (size_t j = 0; j < BASE / LANES; j++)
				sum[j] += a[k] * b[j];
		}
		memcpy(c, sum, sizeof(sum));
	}
}

static void multiply_anywhere(const struct product *product)
{
	multiply_lanes(product);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void multiply_avx2(const struct product *product)
{
	multiply_lanes(product);
}
#endif

static void multiply_base(const struct product *product)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2")) {
		multiply_avx2(product);
		return;
	}
#endif
	multiply_anywhere(product);
}

/* The four quarters of c get column `half` of a times row `half` of b. */
static inline void divide(const struct product *whole, size_t half, struct product parts[4])
{
	size_t n = whole->n / 2, right = n, down = n * whole->stride;

	for (size_t row = 0; row < 2; row++) {
		for (size_t column = 0; column < 2; column++) {
			parts[2 * row + column] = (struct product){
				.a = whole->a + row * down + half * right,
				.b = whole->b + half * down + column * right,
				.c = whole->c + row * down + column * right,
				.n = n,
				.stride = whole->stride,
			};
		}
	}
}

static int multiply(void *arg)
{
	struct product *product = arg, parts[4];
	int status = 0, closed;

	if (product->n == BASE) {
		multiply_base(product);
		return 0;
	}
	for (size_t half = 0; status == 0 && half < 2; half++) {
		struct filch_group group;

		divide(product, half, parts);
		status = filch_group_open(&group, NULL);
		for (int i = 0; status == 0 && i < 4; i++)
			status = filch_group_spawn(&group, multiply, &parts[i]);
		closed = filch_group_close(&group);
		status = status < 0 ? status : closed;
	}
	return status;
}

BENCH_OPAQUE static int multiply_serially(void *arg)
{
	struct product *product = arg, parts[4];
	int status = 0;

	if (product->n == BASE) {
		multiply_base(product);
		return 0;
	}
	for (size_t half = 0; status == 0 && half < 2; half++) {
		divide(product, half, parts);
		for (int i = 0; status == 0 && i < 4; i++)
			status = multiply_serially(&parts[i]);
	}
	return status;
}

/* out = matrix * in */
static void apply(const uint32_t *matrix, size_t n, const uint32_t *in, uint32_t *out)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = 0;
		for (size_t j = 0; j < n; j++)
			out[i] += matrix[i * n + j] * in[j];
	}
}

/* Freivalds: c x = a (b x) for a random x, modulo 2^32 like the product itself. */
static bool is_right(const struct product *product, uint32_t *x, uint64_t *random)
{
	size_t n = product->n;
	uint32_t *bx = x + n, *abx = bx + n, *cx = abx + n;

	for (size_t i = 0; i < n; i++)
		x[i] = (uint32_t)(bench_random(random) >> 32);
	apply(product->b, n, x, bx);
	apply(product->a, n, bx, abx);
	apply(product->c, n, x, cx);
	for (size_t i = 0; i < n; i++) {
		if (cx[i] != abx[i])
			return false;
	}
	return true;
}

static void measure(struct trial *trial, int (*compute)(void *arg))
{
	size_t n = (size_t)trial->size, count = n * n;
	uint32_t *memory = calloc(3 * count + 4 * n, sizeof(*memory));
	uint64_t random = 1;
	struct product product;
	double start;

	if (memory == NULL) {
		trial->status = -ENOMEM;
		return;
	}
	product = (struct product){ memory, memory + count, memory + 2 * count, n, n };
	for (size_t i = 0; i < 2 * count; i++)
		memory[i] = (uint32_t)(bench_random(&random) >> 56);
	for (size_t i = 0; i < count; i++)
		*(volatile uint32_t *)&product.c[i] =
			0; /* the pages are there before the clock runs */
	start = bench_now();
	trial->status = compute(&product);
	trial->values[0] = (bench_now() - start) / 1e6;
	trial->verified = trial->status == 0 && is_right(&product, memory + 3 * count, &random);
	free(memory);
}

static void run(struct trial *trial)
{
	measure(trial, multiply);
}

static void run_twin(struct trial *trial)
{
	measure(trial, multiply_serially);
}

const struct workload bench_matmul = {
	.name = "matmul",
	.question = "how well do large tasks share caches and memory?",
	.twin = "serial",
	.size_is = "rows, a power of two",
	.size = 2048,
	.least = BASE,
	.most = 8192,
	.power_of_two = true,
	.metrics = { { "time", "ms", false } },
	.run = run,
	.run_twin = run_twin,
};
