/* From Multiboot's entry to guest_start() in 32-bit mode, paging off. */
#define MB_MAGIC 0x1badb002
#define MB_FLAGS 3

	.section .multiboot, "a"
	.balign	4
	.long	MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

	.text
	.globl	start
start:
	cli
	cld
	mov	%eax, boot_magic
	mov	%ebx, boot_info
	mov	$stack_top, %esp
	lgdt	gdtr
	ljmp	$0x08, $1f
1:	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	xor	%ebp, %ebp
	call	guest_start
1:	hlt
	jmp	1b

	.data
	.balign	16
gdtr:
	.word	gdt_end - gdt - 1
	.long	gdt
	.balign	16
	.globl	gdt, gdt_tss, gdt_spare
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* 08 code */
	.quad	0x00cf93000000ffff	/* 10 data */
	.quad	0x00009b000000ffff	/* 18 code, 16 bits, first 64 KiB */
	.quad	0x00cff3000000ffff	/* 23 user data */
	.quad	0x00cffb000000ffff	/* 2b user code */
gdt_tss:
	.quad	0, 0			/* 30: lib/traps.c */
gdt_spare:
	.quad	0, 0			/* 40, 48: for tests */
gdt_end:

	.bss
	.balign	16
	.space	16384
	.globl	stack_top
stack_top:
