/* The second CPU's way from SIPI (real mode at AP_PAGE) to ap_main(). */
#include "smp.h"

	.text
	.globl	ap_trampoline, ap_trampoline_end
	.code16
ap_trampoline:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	ap_gdtr - ap_trampoline + AP_PAGE
	mov	$0x20, %eax		/* PAE */
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx	/* EFER */
	rdmsr
	or	$0x900, %eax		/* LME, NXE */
	wrmsr
	mov	$0x80010033, %eax	/* PG, WP, NE, ET, MP, PE */
	mov	%eax, %cr0
	ljmpl	$0x08, $ap_long
	.balign	4
ap_gdtr:
	.word	0x4f
	.long	gdt
ap_trampoline_end:

	.code64
ap_long:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$ap_stack_top, %rsp
	xor	%ebp, %ebp
	call	ap_main

	.bss
	.balign	16
	.space	8192
ap_stack_top:
