/* Stack switch for aarch64, AAPCS64. */

/*
 * A saved context, from its stack pointer upwards (160 bytes):
 * x29 x30 x19 x20 x21 x22 x23 x24 x25 x26 x27 x28 d8 d9 d10 d11 d12 d13 d14 d15.
 * FPCR is not saved, see context.h.
 */
	.text

	.globl	filch__context_switch
	.hidden	filch__context_switch
	.type	filch__context_switch, %function
	.p2align 4
filch__context_switch:
	.cfi_startproc
	hint	#34				/* bti c */
	stp	x29, x30, [sp, #-160]!
	.cfi_adjust_cfa_offset 160
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	stp	x19, x20, [sp, #16]
	.cfi_rel_offset x19, 16
	.cfi_rel_offset x20, 24
	stp	x21, x22, [sp, #32]
	.cfi_rel_offset x21, 32
	.cfi_rel_offset x22, 40
	stp	x23, x24, [sp, #48]
	.cfi_rel_offset x23, 48
	.cfi_rel_offset x24, 56
	stp	x25, x26, [sp, #64]
	.cfi_rel_offset x25, 64
	.cfi_rel_offset x26, 72
	stp	x27, x28, [sp, #80]
	.cfi_rel_offset x27, 80
	.cfi_rel_offset x28, 88
	stp	d8, d9, [sp, #96]
	.cfi_rel_offset d8, 96
	.cfi_rel_offset d9, 104
	stp	d10, d11, [sp, #112]
	.cfi_rel_offset d10, 112
	.cfi_rel_offset d11, 120
	stp	d12, d13, [sp, #128]
	.cfi_rel_offset d12, 128
	.cfi_rel_offset d13, 136
	stp	d14, d15, [sp, #144]
	.cfi_rel_offset d14, 144
	.cfi_rel_offset d15, 152
	mov	x2, sp
	str	x2, [x0]
	/* Both stacks have the same layout here: the unwind rules hold on either side. */
	mov	sp, x1
	ldp	d14, d15, [sp, #144]
	ldp	d12, d13, [sp, #128]
	ldp	d10, d11, [sp, #112]
	ldp	d8, d9, [sp, #96]
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #160
	.cfi_adjust_cfa_offset -160
	.cfi_restore x29
	.cfi_restore x30
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore d8
	.cfi_restore d9
	.cfi_restore d10
	.cfi_restore d11
	.cfi_restore d12
	.cfi_restore d13
	.cfi_restore d14
	.cfi_restore d15
	ret
	.cfi_endproc
	.size	filch__context_switch, . - filch__context_switch

/* x0 = lo, x1 = size, x2 = entry, x3 = arg */
	.globl	filch__context_make
	.hidden	filch__context_make
	.type	filch__context_make, %function
	.p2align 4
filch__context_make:
	.cfi_startproc
	hint	#34				/* bti c */
	add	x0, x0, x1
	and	x0, x0, #-16
	sub	x0, x0, #176
	adr	x4, .Lstart
	stp	xzr, x4, [x0]			/* x29: end of the frame chain, x30 */
	stp	x2, x3, [x0, #16]		/* x19: entry, x20: arg */
	stp	xzr, xzr, [x0, #32]
	stp	xzr, xzr, [x0, #48]
	stp	xzr, xzr, [x0, #64]
	stp	xzr, xzr, [x0, #80]
	stp	xzr, xzr, [x0, #96]
	stp	xzr, xzr, [x0, #112]
	stp	xzr, xzr, [x0, #128]
	stp	xzr, xzr, [x0, #144]
	stp	xzr, xzr, [x0, #160]		/* below the first frame: nothing to find */
	ret
	.cfi_endproc
	.size	filch__context_make, . - filch__context_make

/* The caller of every entry function. x30 undefined: unwinders stop here. Reached by ret. */
	.type	filch__context_start, %function
	.p2align 4
filch__context_start:
	.cfi_startproc
	.cfi_undefined x30
	nop					/* unwinders look up the return address minus one */
.Lstart:
	mov	x0, x20
	blr	x19
	brk	#1
	.cfi_endproc
	.size	filch__context_start, . - filch__context_start

	.section .note.GNU-stack, "", %progbits

/* Branch target identification yes, guarded control stack no. */
	.section .note.gnu.property, "a"
	.p2align 3
	.long	4				/* size of the name */
	.long	16				/* size of the data */
	.long	5				/* NT_GNU_PROPERTY_TYPE_0 */
	.asciz	"GNU"
	.long	0xc0000000			/* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
	.long	4
	.long	1				/* BTI */
	.long	0
