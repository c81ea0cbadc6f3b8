/* Stack switch for x86-64, System V calling convention. */

/*
 * A saved context, from its stack pointer upwards: r15 r14 r13 r12 rbx rbp rip.
 * MXCSR and the x87 control word are not saved, see context.h.
 */
	.text

	.globl	filch__context_switch
	.hidden	filch__context_switch
	.type	filch__context_switch, @function
	.p2align 4
filch__context_switch:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r15, 0
	movq	%rsp, (%rdi)
	/* Both stacks have the same layout here: the unwind rules hold on either side. */
	movq	%rsi, %rsp
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	/* The processor predicts the return address that the call pushed on the other stack. It is
	 * the same one, as long as all switches come from one place; and the returns after it find
	 * their predictions in step (a jump here leaves each of them one off: 33 ns for 14). */
	ret
	.cfi_endproc
	.size	filch__context_switch, . - filch__context_switch

/* rdi = lo, rsi = size, rdx = entry, rcx = arg */
	.globl	filch__context_make
	.hidden	filch__context_make
	.type	filch__context_make, @function
	.p2align 4
filch__context_make:
	.cfi_startproc
	endbr64
	leaq	(%rdi,%rsi), %rax
	andq	$-16, %rax
	subq	$80, %rax
	leaq	.Lstart(%rip), %r8
	xorl	%r9d, %r9d
	movq	%r9, 0(%rax)			/* r15 */
	movq	%r9, 8(%rax)			/* r14 */
	movq	%rcx, 16(%rax)			/* r13: arg */
	movq	%rdx, 24(%rax)			/* r12: entry */
	movq	%r9, 32(%rax)			/* rbx */
	movq	%r9, 40(%rax)			/* rbp: end of the frame chain */
	movq	%r8, 48(%rax)			/* rip */
	movq	%r9, 56(%rax)			/* what looks like a return address: none */
	movq	%r9, 64(%rax)
	movq	%r9, 72(%rax)
	ret
	.cfi_endproc
	.size	filch__context_make, . - filch__context_make

/* The caller of every entry function. rip undefined: unwinders stop here. */
	.type	filch__context_start, @function
	.p2align 4
filch__context_start:
	.cfi_startproc
	.cfi_undefined rip
	nop					/* unwinders look up the return address minus one */
.Lstart:
	endbr64
	/* rsp = top - 24 here: one word down for the alignment of a call */
	pushq	$0
	.cfi_adjust_cfa_offset 8
	movq	%r13, %rdi
	callq	*%r12
	ud2
	.cfi_endproc
	.size	filch__context_start, . - filch__context_start

	.section .note.GNU-stack, "", @progbits

/* Indirect branch tracking yes, shadow stack no: the switch does not carry one along. */
	.section .note.gnu.property, "a"
	.p2align 3
	.long	4				/* size of the name */
	.long	16				/* size of the data */
	.long	5				/* NT_GNU_PROPERTY_TYPE_0 */
	.asciz	"GNU"
	.long	0xc0000002			/* GNU_PROPERTY_X86_FEATURE_1_AND */
	.long	4
	.long	1				/* IBT */
	.long	0
