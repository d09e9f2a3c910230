/*
 * A flat image whose Multiboot header says where it goes (flag 16, the a.out
 * way), linked to another place than its file suggests, with a BSS. Checks what
 * the loader promised (specification 3.2, 3.3), in assembly alone.
 */
#define MAGIC 0x1badb002
#define FLAGS 0x00010003	/* pages, memory, addresses */
#define PORT_DEBUG 0xe9
#define PORT_END 0xf4

	.text
	.code32
image:
	.ascii	"not the entry point"	/* the entry is not the start */
	.balign	4
header:
	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)
	.long	header, image, data_end, bss_end, start

/* check NAME: prints ok or FAIL by ZF. */
	.macro	check name
	mov	$1f, %esi
	mov	$2f - 1f, %ecx
	call	report
	.section .rodata
1:	.ascii	"\name\n"
2:	.text
	.endm

report:
	jz	1f
	movb	$1, status
	mov	$fail, %edi
	mov	$fail_end - fail, %edx
	jmp	2f
1:	mov	$ok, %edi
	mov	$ok_end - ok, %edx
2:	push	%esi
	push	%ecx
	mov	%edi, %esi
	mov	%edx, %ecx
	mov	$PORT_DEBUG, %edx
	rep outsb
	pop	%ecx
	pop	%esi
	rep outsb
	ret

start:
	mov	$stack_top, %esp
	mov	%ebx, %ebp
	cmp	$0x2badb002, %eax
	check	"aout.magic"

	mov	%cr0, %eax
	and	$0x80000001, %eax	/* PG off, PE on */
	cmp	$1, %eax
	check	"aout.cr0"

	pushf
	pop	%eax
	test	$0x20200, %eax		/* VM, IF */
	check	"aout.eflags"

	cmpl	$0x600df00d, data	/* the last word of the file */
	check	"aout.data"

	mov	$bss, %edi
	mov	$(stack - bss) / 4, %ecx
	xor	%eax, %eax
	repe scasl
	check	"aout.bss"

	mov	(%ebp), %eax		/* flags: memory, modules, map */
	and	$0x49, %eax
	cmp	$0x49, %eax
	check	"aout.flags"

	cmpl	$1024, 8(%ebp)		/* mem_upper, at least 1 MiB */
	setb	%al
	test	%al, %al
	check	"aout.memory"

	/* Each module on a page and with an end behind its start. */
	mov	20(%ebp), %ecx
	mov	24(%ebp), %esi
	xor	%edi, %edi
	jecxz	2f
1:	mov	(%esi), %eax
	test	$0xfff, %eax
	setnz	%dl
	movzx	%dl, %edx
	or	%edx, %edi
	cmp	%eax, 4(%esi)
	setbe	%dl
	or	%edx, %edi
	add	$16, %esi
	loop	1b
2:	test	%edi, %edi
	check	"aout.modules"

	mov	$PORT_END, %edx
	mov	status, %al
	out	%al, %dx
	hlt

	.section .rodata
ok:	.ascii	"ok "
ok_end:
fail:	.ascii	"FAIL "
fail_end:

	.data
status:	.long	0
data:	.long	0x600df00d
data_end:

	.bss
	.balign	4
bss:
	.space	4096
stack:
	.space	1024
stack_top:
bss_end:
