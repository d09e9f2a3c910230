/*
 * Real mode, from 0000:7c00 as a boot sector is started: segments, ports,
 * interrupts through the vector table, and the ways to protected mode and back.
 * No firmware is called, but for one thing: started by a PC's BIOS, which loads
 * 512 bytes, it has the rest read first. So it also runs from a floppy disk.
 */
#define PORT_DEBUG	0xe9
#define PORT_END	0xf4
#define PORT_NONE	0x520
#define UART_SCRATCH	0x3ff
#define MARK		0x600df00d

	.text
	.code16
	.globl	start
start:
	cli
	cld
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7c00, %sp
	cmpl	$MARK, image_mark
	je	tests
	/* All of it: sectors 2 to 17 of the first track, or the disk's. */
	sti
	mov	$0x0210, %ax
	mov	$0x0002, %cx
	mov	$0, %dh
	mov	$0x7e00, %bx
	int	$0x13
	cli
	cmpl	$MARK, image_mark
	je	tests
	mov	$2, %al
	out	%al, $PORT_END

	.org	510
	.word	0xaa55

/* check NAME: prints ok or FAIL by ZF. Keeps all but flags. */
	.macro	check name
	call	report
	.asciz	"\name"
	.endm

report:
	pushf
	pusha
	push	%ds
	push	%es
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%sp, %bp
	mov	$ok, %si
	testb	$0x40, 20(%bp)		/* ZF as it was */
	jnz	1f
	mov	$fail, %si
	movb	$1, status
1:	call	puts
	mov	22(%bp), %si		/* the return address: the name */
	call	puts
	mov	%si, 22(%bp)
	mov	$newline, %si
	call	puts
	pop	%es
	pop	%ds
	popa
	popf
	ret

puts:	lodsb
	test	%al, %al
	jz	1f
	out	%al, $PORT_DEBUG
	jmp	puts
1:	ret

/* An interrupt handler: counts, and notes where the first came from. */
handler:
	push	%bp
	mov	%sp, %bp
	push	%ax
	mov	2(%bp), %ax
	cmpw	$0, %cs:count
	jne	1f
	mov	%ax, %cs:first_ip
1:	incw	%cs:count
	pop	%ax
	pop	%bp
	iret

/* The same for faults: steps over a two-byte instruction. */
fault:
	incw	%cs:count
	push	%bp
	mov	%sp, %bp
	addw	$2, 2(%bp)
	pop	%bp
	iret

	.macro	vector number, where
	movw	$\where, \number * 4
	movw	$0, \number * 4 + 2
	.endm

tests:
	mov	$0x1000, %ax
	mov	%ax, %fs
	movw	$0x1234, %fs:0x10
	mov	$0x0fff, %ax
	mov	%ax, %gs
	cmpw	$0x1234, %gs:0x20	/* the same byte, 0x10010 */
	check	"real.segments"

	mov	$0xffff, %ax		/* ffff:0110 is 1 MiB + 0x100 */
	mov	%ax, %fs
	movw	$0x5678, %fs:0x110
	cmpw	$0x5678, %fs:0x110
	check	"real.high"

	xor	%eax, %eax
	xor	%ecx, %ecx
	cpuid
	test	%ebx, %ebx
	setz	%al
	test	%al, %al
	check	"real.cpuid"

	/* Ports: sizes, immediate, strings, address sizes. */
	mov	$PORT_NONE, %dx
	mov	$0x11111111, %eax
	in	%dx, %al
	cmp	$0x111111ff, %eax
	check	"real.in-8"
	mov	$0x11111111, %eax
	in	%dx, %ax
	cmp	$0x1111ffff, %eax
	check	"real.in-16"
	in	%dx, %eax
	cmp	$0xffffffff, %eax
	check	"real.in-32"
	mov	$UART_SCRATCH, %dx
	mov	$0x5a, %al
	out	%al, %dx
	xor	%al, %al
	in	%dx, %al
	cmp	$0x5a, %al
	check	"real.out"

	mov	$message, %si
	mov	$message_end - message, %cx
	mov	$PORT_DEBUG, %dx
	rep outsb
	cmp	$message_end, %si
	check	"real.outs"
	mov	$message, %esi
	mov	$message_end - message, %ecx
	addr32 rep outsb
	cmp	$message_end, %esi
	check	"real.outs-addr32"
	mov	$buffer, %di
	mov	$4, %cx
	mov	$PORT_NONE, %dx
	rep insw
	cmpl	$0xffffffff, buffer + 4
	check	"real.ins"
	cmp	$buffer + 8, %di
	check	"real.ins-di"

	/* A segment's end: DI wraps to 0, and only there. */
	mov	$0x2000, %ax
	mov	%ax, %es
	movl	$0, %es:0
	mov	$0xfffe, %di
	mov	$4, %cx
	rep insb
	cmp	$2, %di
	check	"real.ins-wrap-di"
	cmpw	$0xffff, %es:0
	check	"real.ins-wrap"
	xor	%ax, %ax
	mov	%ax, %es

	/* Interrupts. */
	vector	0x80, handler
	vector	3, handler
	vector	0, fault
	vector	6, fault
	movw	$0, count
	int	$0x80
	int3
	cmpw	$2, count
	check	"real.int"
	movw	$0, count
	xor	%bl, %bl
	mov	$1, %ax
	div	%bl			/* two bytes */
	cmpw	$1, count
	check	"real.de"
	ud2
	cmpw	$2, count
	check	"real.ud"

	/* Single step over an instruction that exits. */
	vector	1, handler
	movw	$0, count
	pushf
	pop	%ax
	or	$0x100, %ax
	push	%ax
	popf
	cpuid
1:	pushf
	pop	%ax
	and	$~0x100, %ax
	push	%ax
	popf
	cmpw	$1b, first_ip
	check	"real.step"

	/* To protected mode, 16 and 32 bits, and back. */
	lgdt	gdtr
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmp	$0x08, $prot16
prot16:
	mov	$0x10, %ax
	mov	%ax, %ds
	mov	%ax, %fs		/* FS keeps this limit: "unreal" */
	ljmpl	$0x18, $prot32
	.code32
prot32:
	movl	$0x12345678, 0x200000
	mov	$0, %eax
	cpuid
	mov	%cr0, %eax
	ljmp	$0x08, $back16
	.code16
back16:
	and	$0xfe, %al
	mov	%eax, %cr0
	ljmp	$0, $real
real:
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x200000, %esi
	addr32 cmpl $0x12345678, %fs:(%esi)
	check	"real.unreal"
	smsw	%ax
	test	$1, %al
	check	"real.back"

	mov	status, %al
	out	%al, $PORT_END
	hlt

ok:	.asciz	"ok "
fail:	.asciz	"FAIL "
newline: .asciz	"\n"
message: .ascii	"real: hello by REP OUTSB\n"
message_end:
	.balign	8
gdtr:	.word	gdt_end - gdt - 1
	.long	gdt
gdt:	.quad	0
	.quad	0x00009b000000ffff	/* code, 16 bits */
	.quad	0x00cf93000000ffff	/* data, 4 GiB */
	.quad	0x00cf9b000000ffff	/* code, 32 bits */
gdt_end:
status:	.byte	0
	.balign	4
count:	.word	0
first_ip: .word	0
buffer:	.space	16
	.balign	4
image_mark:
	.long	MARK
