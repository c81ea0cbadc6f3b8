/* What every implementation of platform/context.h must do; each case returns whether it holds. */
#ifndef TESTS_PLATFORM_CONTEXT_CASES_H
#define TESTS_PLATFORM_CONTEXT_CASES_H

#include "platform/context.h"
#include "platform/sanitizer_stack.h"

#include <execinfo.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two sides that switch to and fro: the caller's native stack and a made one. */
struct side {
	void *context;
	void *fake;
	const void *lo; /* native: what the tools are told, see run_side */
	size_t size;
	void *tsan;
};

struct pair {
	struct side native, made;
	void *memory;
	int value;
	double real;
	bool holds;
};

typedef void switch_fn(void **save, void *load);
typedef unsigned long preserving_fn(void **save, void *load, unsigned long seed, switch_fn *fn);

/* Fills every register a call preserves, switches, and returns 0 when all came back. */
preserving_fn switch_with_registers_full;

#if defined(__x86_64__)
__asm__(".text\n"
	"switch_with_registers_full:\n"
	"	pushq %rbx\n	pushq %rbp\n	pushq %r12\n	pushq %r13\n"
	"	pushq %r14\n	pushq %r15\n	pushq %rdx\n"
	"	movq %rdx, %rbx\n	leaq 1(%rdx), %rbp\n	leaq 2(%rdx), %r12\n"
	"	leaq 3(%rdx), %r13\n	leaq 4(%rdx), %r14\n	leaq 5(%rdx), %r15\n"
	"	call *%rcx\n"
	"	popq %rdx\n	xorl %eax, %eax\n"
	"	subq %rdx, %rbx\n	orq %rbx, %rax\n"
	"	subq %rdx, %rbp\n	xorq $1, %rbp\n	orq %rbp, %rax\n"
	"	subq %rdx, %r12\n	xorq $2, %r12\n	orq %r12, %rax\n"
	"	subq %rdx, %r13\n	xorq $3, %r13\n	orq %r13, %rax\n"
	"	subq %rdx, %r14\n	xorq $4, %r14\n	orq %r14, %rax\n"
	"	subq %rdx, %r15\n	xorq $5, %r15\n	orq %r15, %rax\n"
	"	popq %r15\n	popq %r14\n	popq %r13\n	popq %r12\n"
	"	popq %rbp\n	popq %rbx\n	ret\n");
#elif defined(__aarch64__)
#define FILL(n, k) "	add x" #n ", x2, #" #k "\n"
#define SEEN(n, k) "	sub x9, x" #n ", x2\n	eor x9, x9, #" #k "\n	orr x0, x0, x9\n"
#define FILL_D(n, k) "	add x9, x2, #" #k "\n	fmov d" #n ", x9\n"
#define SEEN_D(n, k) \
	"	fmov x9, d" #n "\n	add x10, x2, #" #k "\n	eor x9, x9, x10\n	orr x0, x0, x9\n"
__asm__(".text\n"
	"switch_with_registers_full:\n"
	"	stp x29, x30, [sp, #-176]!\n	stp x19, x20, [sp, #16]\n"
	"	stp x21, x22, [sp, #32]\n	stp x23, x24, [sp, #48]\n"
	"	stp x25, x26, [sp, #64]\n	stp x27, x28, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n	stp d14, d15, [sp, #144]\n"
	"	str x2, [sp, #160]\n"
	FILL(19, 1) FILL(20, 2) FILL(21, 3) FILL(22, 4) FILL(23, 6) FILL(24, 7) FILL(25, 8)
	FILL(26, 12) FILL(27, 14) FILL(28, 15) FILL(29, 16)
	FILL_D(8, 21) FILL_D(9, 22) FILL_D(10, 23) FILL_D(11, 24)
	FILL_D(12, 25) FILL_D(13, 26) FILL_D(14, 27) FILL_D(15, 28)
	"	blr x3\n"
	"	ldr x2, [sp, #160]\n	mov x0, #0\n"
	SEEN(19, 1) SEEN(20, 2) SEEN(21, 3) SEEN(22, 4) SEEN(23, 6) SEEN(24, 7) SEEN(25, 8)
	SEEN(26, 12) SEEN(27, 14) SEEN(28, 15) SEEN(29, 16)
	SEEN_D(8, 21) SEEN_D(9, 22) SEEN_D(10, 23) SEEN_D(11, 24)
	SEEN_D(12, 25) SEEN_D(13, 26) SEEN_D(14, 27) SEEN_D(15, 28)
	"	ldp d14, d15, [sp, #144]\n	ldp d12, d13, [sp, #128]\n"
	"	ldp d10, d11, [sp, #112]\n	ldp d8, d9, [sp, #96]\n"
	"	ldp x27, x28, [sp, #80]\n	ldp x25, x26, [sp, #64]\n"
	"	ldp x23, x24, [sp, #48]\n	ldp x21, x22, [sp, #32]\n"
	"	ldp x19, x20, [sp, #16]\n	ldp x29, x30, [sp], #176\n	ret\n");
#else
unsigned long switch_with_registers_full(void **save, void *load, unsigned long seed, switch_fn *fn)
{
	fn(save, load);
	return seed - seed;
}
#endif

static SANITIZE_NO_THREAD void leave(struct side *from, struct side *to)
{
	sanitize_start_switch(&from->fake, to->lo, to->size);
	sanitize_thread_switch(to->tsan);
	filch__context_switch(&from->context, to->context);
	sanitize_finish_switch(from->fake);
}

static SANITIZE_NO_THREAD unsigned long leave_full(struct side *from, struct side *to,
						   unsigned long seed)
{
	unsigned long differs;

	sanitize_start_switch(&from->fake, to->lo, to->size);
	sanitize_thread_switch(to->tsan);
	differs = switch_with_registers_full(&from->context, to->context, seed,
					     filch__context_switch);
	sanitize_finish_switch(from->fake);
	return differs;
}

static void native_bounds(struct side *side)
{
	pthread_attr_t attributes;
	void *lo = NULL;

	side->tsan = sanitize_thread_current();
	if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
		pthread_attr_getstack(&attributes, &lo, &side->size);
		pthread_attr_destroy(&attributes);
	}
	side->lo = lo;
}

static void pair_init(struct pair *pair, size_t size, void (*entry)(void *))
{
	memset(pair, 0, sizeof(*pair));
	pair->memory = aligned_alloc(4096, size);
	pair->made.lo = pair->memory;
	pair->made.size = size;
	pair->made.tsan = sanitize_thread_create();
	pair->made.context = filch__context_make(pair->memory, size, entry, pair);
	native_bounds(&pair->native);
}

static void pair_fini(struct pair *pair)
{
	sanitize_thread_destroy(pair->made.tsan);
	sanitize_stack_unpoison(pair->memory, pair->made.size);
	free(pair->memory);
}

/* ---- the cases ---- */

static void count_entry(void *arg)
{
	struct pair *pair = arg;

	sanitize_finish_switch(NULL);
	for (;;) {
		pair->value++;
		leave(&pair->made, &pair->native);
	}
}

static bool case_switches_to_and_fro(void)
{
	struct pair pair;
	bool holds;

	pair_init(&pair, 65536, count_entry);
	for (int i = 0; i < 10000; i++)
		leave(&pair.native, &pair.made);
	holds = pair.value == 10000;
	pair_fini(&pair);
	return holds;
}

static void registers_entry(void *arg)
{
	struct pair *pair = arg;

	sanitize_finish_switch(NULL);
	for (unsigned long seed = 1000;; seed += 100)
		if (leave_full(&pair->made, &pair->native, seed) != 0)
			pair->holds = false;
}

static bool case_preserved_registers_survive(void)
{
	struct pair pair;
	bool holds;

	pair_init(&pair, 65536, registers_entry);
	pair.holds = true;
	for (unsigned long i = 0; i < 100; i++)
		if (leave_full(&pair.native, &pair.made, i * 7000) != 0)
			pair.holds = false;
	holds = pair.holds;
	pair_fini(&pair);
	return holds;
}

/* The compiler assumes an aligned stack: SSE spills and printf's va_list need it. */
static void alignment_entry(void *arg)
{
	struct pair *pair = arg;
	char text[64];
	double local;

	sanitize_finish_switch(NULL);
	pair->holds = ((uintptr_t)__builtin_frame_address(0) & 15) == 0;
	local = pair->real;
	snprintf(text, sizeof(text), "%.3f %Lg", local, (long double)local);
	pair->holds = pair->holds && strcmp(text, "1.250 1.25") == 0;
	leave(&pair->made, &pair->native);
	pair->holds = pair->holds && local + 1.0 == pair->real;
	leave(&pair->made, &pair->native);
}

static bool case_entry_is_aligned(void)
{
	struct pair pair;
	bool holds;

	pair_init(&pair, 65536, alignment_entry);
	pair.real = 1.25;
	leave(&pair.native, &pair.made);
	pair.real = 2.25;
	leave(&pair.native, &pair.made);
	holds = pair.holds;
	pair_fini(&pair);
	return holds;
}

static FILCH_NOINLINE int descend(int depth)
{
	volatile char room[512];

	room[0] = (char)depth;
	return depth == 0 ? 0 : descend(depth - 1) + 1 + (room[0] - (char)depth);
}

static void deep_entry(void *arg)
{
	struct pair *pair = arg;

	sanitize_finish_switch(NULL);
	pair->value = descend(1000);
	leave(&pair->made, &pair->native);
}

static bool case_deep_recursion_fits(void)
{
	struct pair pair;
	bool holds;

	pair_init(&pair, (size_t)1 << 20, deep_entry);
	leave(&pair.native, &pair.made);
	holds = pair.value == 1000;
	pair_fini(&pair);
	return holds;
}

static void backtrace_entry(void *arg)
{
	struct pair *pair = arg;
	void *frames[32];

	sanitize_finish_switch(NULL);
	pair->value = backtrace(frames, 32);
	leave(&pair->made, &pair->native);
}

/* This function, its caller, perhaps backtrace's own; then nothing. */
static bool case_backtrace_ends_at_the_entry(void)
{
	struct pair pair;
	bool holds;

	pair_init(&pair, 262144, backtrace_entry);
	leave(&pair.native, &pair.made);
	holds = pair.value >= 1 && pair.value <= 4;
	pair_fini(&pair);
	return holds;
}

static void *other_thread(void *arg)
{
	struct pair *pair = arg;

	native_bounds(&pair->native);
	leave(&pair->native, &pair->made);
	return NULL;
}

static bool case_goes_on_in_another_thread(void)
{
	struct pair pair;
	pthread_t thread;
	bool holds = false;

	pair_init(&pair, 65536, count_entry);
	leave(&pair.native, &pair.made);
	if (pthread_create(&thread, NULL, other_thread, &pair) == 0) {
		pthread_join(thread, NULL);
		holds = pair.value == 2;
	}
	pair_fini(&pair);
	return holds;
}

#endif
