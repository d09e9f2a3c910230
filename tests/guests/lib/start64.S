/*
 * From Multiboot's entry (32-bit protected mode, no paging) to guest_start() in
 * 64-bit mode, on tables that map the first 4 GiB one to one.
 */
#define MB_MAGIC 0x1badb002
#define MB_FLAGS 3 /* modules on pages, tell about memory */

	.section .multiboot, "a"
	.balign	4
	.long	MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

	.text
	.code32
	.globl	start
start:
	cli
	cld
	mov	%eax, boot_magic
	mov	%ebx, boot_info
	movl	$0, boot_info + 4
	mov	$stack_top, %esp

	mov	%cr4, %eax
	or	$0x20, %eax		/* PAE */
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx	/* EFER */
	rdmsr
	or	$0x900, %eax		/* LME, NXE */
	wrmsr
	mov	%cr0, %eax
	or	$0x80010023, %eax	/* PG, WP, NE, MP, PE */
	and	$~0x6000000c, %eax	/* CD, NW, EM, TS */
	mov	%eax, %cr0
	lgdt	gdtr
	ljmp	$0x08, $long_mode

	.code64
long_mode:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	$stack_top, %rsp
	xor	%ebp, %ebp
	call	guest_start
1:	hlt
	jmp	1b

	.data
	.balign	16
gdtr:
	.word	gdt_end - gdt - 1
	.quad	gdt
	.balign	16
	.globl	gdt, gdt_tss, gdt_spare
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 08 code, 64 bits */
	.quad	0x00cf93000000ffff	/* 10 data */
	.quad	0x00cf9b000000ffff	/* 18 code, 32 bits */
	.quad	0x00cff3000000ffff	/* 23 user data */
	.quad	0x00affb000000ffff	/* 2b user code, 64 bits */
gdt_tss:
	.quad	0, 0			/* 30: lib/traps.c */
gdt_spare:
	.quad	0, 0			/* 40, 48: for tests */
gdt_end:

	/* User pages all: tests in user mode use the same memory. */
#define TABLE	0x7
#define LARGE	0x87
#define UNCACHED 0x10
	.balign	4096
	.globl	pml4, pdpt, page_directory
pml4:
	.quad	pdpt + TABLE
	.fill	511, 8, 0
pdpt:
	.quad	page_directory + 0x0000 + TABLE
	.quad	page_directory + 0x1000 + TABLE
	.quad	page_directory + 0x2000 + TABLE
	.quad	page_directory + 0x3000 + TABLE
	.fill	508, 8, 0
page_directory:
	.set	address, 0
	.rept	1536
	.quad	address + LARGE
	.set	address, address + 0x200000
	.endr
	.rept	512			/* devices live in the last GiB */
	.quad	address + LARGE + UNCACHED
	.set	address, address + 0x200000
	.endr

	.bss
	.balign	16
	.space	16384
	.globl	stack_top
stack_top:
