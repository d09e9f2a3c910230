/*
 * Each vector that we can tell apart has a stub, which makes the stack look
 * alike (an error code, real or 0, and the vector); then the common part saves
 * the rest of struct trap_frame. There is no user mode, so GS is always ours.
 */
#include "cpu/traps.h"

	.text

	/* Vectors with an error code: SDM vol. 3A table 6-1. */
	.macro	trap_stub vector
	.if	(\vector == 8) || (\vector >= 10 && \vector <= 14) || \
		(\vector == 17) || (\vector == 21) || (\vector == 29) || \
		(\vector == 30)
	.else
	pushq	$0
	.endif
	pushq	$\vector
	jmp	trap_common
	.org	trap_stubs + (\vector + 1) * STUB_SIZE, 0xcc
	.endm

	.globl	trap_stubs
	.type	trap_stubs, @function
trap_stubs:
	.altmacro
	.set	vector, 0
	.rept	STUBS
	trap_stub %vector
	.set	vector, vector + 1
	.endr
	.noaltmacro
	.size	trap_stubs, . - trap_stubs

	.type	trap_common, @function
trap_common:
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	call	trap_handle
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
	addq	$16, %rsp
	iretq
	.size	trap_common, . - trap_common

/*
 * STI holds interrupts off until HLT has begun, but some processors let an NMI
 * in between. Its kick would then be taken before the HLT and be lost; so an
 * interrupt that finds the CPU at the HLT moves it behind (traps.c).
 */
	.globl	cpu_halt, cpu_halt_hlt, cpu_halt_end
	.type	cpu_halt, @function
cpu_halt:
	sti
cpu_halt_hlt:
	hlt
cpu_halt_end:
	cli
	ret
	.size	cpu_halt, . - cpu_halt

	.section .note.GNU-stack, "", @progbits
