/* Leaving one stack for another: the whole contract of the per-processor assembly. */
#ifndef FILCH_PLATFORM_CONTEXT_H
#define FILCH_PLATFORM_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * A context is the stack pointer of somebody who has left, everything else lies on
 * that stack. What a call preserves is kept (rbx, rbp, r12-r15; x19-x30, d8-d15), the
 * rest is dead at a call anyway. Not kept: rounding modes and exception masks of the
 * floating point unit (they stay with the thread; a task must not leave other
 * than the default modes across a park), errno, the signal mask.
 *
 *	void *here, *there = filch__context_make(lo, size, entry, arg);
 *	filch__context_switch(&here, there);     entry(arg) runs until it switches to `here`
 *
 * context_x86_64.S and context_aarch64.S implement it; context_ucontext.c does for
 * any other processor, with a system call per switch. Build exactly one of them.
 */

/* Saves the caller's context in *save (before anything of `load` runs) and continues `load`,
 * which is consumed. Returns when somebody continues *save. The stacks must be two. */
void filch__context_switch(void **save, void *load);

/*
 * Prepares the memory [lo, lo + size) as a stack on which the first switch calls
 * entry(arg). entry never returns; a backtrace ends in its caller. Only the top of
 * the stack is written (128 bytes; with ucontext a few kilobytes).
 */
void *filch__context_make(void *lo, size_t size, void (*entry)(void *), void *arg);

/* Where the stack is now, about: not the address of a local, which AddressSanitizer moves. */
static inline __attribute__((always_inline)) uintptr_t stack_pointer(void)
{
#if defined(__x86_64__)
	uintptr_t pointer;

	__asm__("mov %%rsp, %0" : "=r"(pointer));
	return pointer;
#else
	return (uintptr_t)__builtin_frame_address(0);
#endif
}

#endif
