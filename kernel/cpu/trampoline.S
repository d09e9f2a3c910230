/*
 * A CPU wakes from SIPI here: real mode, CS:IP = this page:0. Three modes to
 * long mode and the kernel's C code, as SDM vol. 3A 10.8.5 has them. The code
 * knows its address only from CS, so it addresses everything by offset.
 */
#include "cpu/trampoline.h"

#define CR0_PE	 0x1
#define CR0_LONG 0x80010033	/* PG WP NE ET MP PE */
#define CR4_PAE	 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900

	.section .rodata
	.balign	16
	.globl	trampoline_start, trampoline_32, trampoline_64
	.globl	trampoline_gdt, trampoline_end

	.code16
trampoline_start:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	xorl	%ebx, %ebx
	movw	%ax, %bx
	shll	$4, %ebx		/* the page's address, kept */
	lgdtl	PARAM_GDT_LIMIT
	movl	%cr0, %eax
	orb	$CR0_PE, %al
	movl	%eax, %cr0
	ljmpl	*PARAM_FAR32

	.code32
trampoline_32:
	movw	$TRAMPOLINE_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	PARAM_ROOT(%ebx), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$EFER_LME_NXE, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$CR0_LONG, %eax		/* INIT left CD and NW set */
	movl	%eax, %cr0
	ljmpl	*PARAM_FAR64(%ebx)

	.code64
trampoline_64:
	movl	%ebx, %ebx		/* upper halves are undefined here */
	movq	PARAM_STACK(%rbx), %rsp
	movq	PARAM_CPU(%rbx), %rdi
	movq	PARAM_ENTRY(%rbx), %rax
	xorl	%ebp, %ebp
	pushq	$0			/* no return, and the ABI's alignment */
	jmp	*%rax

	.balign	8
trampoline_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* 32-bit code */
	.quad	0x00cf93000000ffff	/* data */
	.quad	0x00af9b000000ffff	/* 64-bit code */
trampoline_end:

	.section .note.GNU-stack, "", @progbits
