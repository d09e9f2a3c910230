/*
 * Where the boot program jumps to (boot/boot_info.h): long mode, interrupts
 * off, RDI = struct boot_info. Everything else of the firmware's is replaced.
 */
	.section .text.entry, "ax"
	.globl kernel_entry
	.type kernel_entry, @function
kernel_entry:
	cli
	cld
	leaq	boot_stack_top(%rip), %rsp
	xorl	%ebp, %ebp		/* the backtrace ends here */
	call	kernel_main
1:	hlt
	jmp	1b
	.size kernel_entry, . - kernel_entry

/* The guard page is unmapped once the kernel has page tables of its own. */
	.section .bss.stack, "aw", @nobits
	.balign	4096
	.globl boot_stack_guard
boot_stack_guard:
	.skip	4096
	.skip	16384
	.globl boot_stack_top
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
