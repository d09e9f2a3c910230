/* The 32-bit twin of traps64.S. */
	.text
	.balign	16
	.globl	trap_entries
trap_entries:
	.set	vector, 0
	.rept	256
	.balign	16
	/* These push an error code: #DF #TS #NP #SS #GP #PF #AC. */
	.if	vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
	.else
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

	/* Data segments may be the interrupted code's, or null after VM86. */
trap_common:
	push	%edi
	push	%esi
	push	%ebp
	push	$0		/* ESP is in the frame, or not pushed */
	push	%ebx
	push	%edx
	push	%ecx
	push	%eax
	mov	%esp, %ebp
	push	%ds
	push	%es
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	cld
	push	%ebp
	call	trap_handler
	add	$4, %esp
	pop	%es
	pop	%ds
	pop	%eax
	pop	%ecx
	pop	%edx
	pop	%ebx
	add	$4, %esp
	pop	%ebp
	pop	%esi
	pop	%edi
	add	$8, %esp	/* vector, error */
	iretl

	/* bool guarded(void (*fn)(void)): true when fn came to its end. */
	.globl	guarded, guard_return
guarded:
	mov	4(%esp), %eax
	push	%ebx
	push	%ebp
	push	%esi
	push	%edi
	mov	%esp, guard_sp
	call	*%eax
	mov	$1, %eax
	jmp	1f
guard_return:
	mov	$0x10, %eax
	mov	%eax, %ss
	mov	%eax, %ds
	mov	%eax, %es
	mov	guard_sp, %esp
	xor	%eax, %eax
1:	pop	%edi
	pop	%esi
	pop	%ebp
	pop	%ebx
	ret

	/* void user_call(void (*fn)(void)) */
	.globl	user_call, user_return
user_call:
	mov	4(%esp), %eax
	push	%ebx
	push	%ebp
	push	%esi
	push	%edi
	pushf
	mov	%esp, user_sp
	movl	$user_exit, user_stack_top - 4
	mov	$0x23, %edx
	mov	%edx, %ds
	mov	%edx, %es
	push	$0x23
	push	$user_stack_top - 4
	push	user_flags
	push	$0x2b
	push	%eax
	iretl
user_exit:
	int	$0x20		/* VEC_USER_RETURN */
user_return:
	mov	$0x10, %eax
	mov	%eax, %ss
	mov	%eax, %ds
	mov	%eax, %es
	mov	user_sp, %esp
	popf
	pop	%edi
	pop	%esi
	pop	%ebp
	pop	%ebx
	ret

	/* void run_regs(struct regs *regs, const void *code) */
	.globl	run_regs
run_regs:
	mov	8(%esp), %eax
	mov	%eax, run_code
	mov	4(%esp), %eax
	push	%ebx
	push	%ebp
	push	%esi
	push	%edi
	push	%eax
	push	32(%eax)
	popf
	mov	4(%eax), %ecx
	mov	8(%eax), %edx
	mov	12(%eax), %ebx
	mov	20(%eax), %ebp
	mov	24(%eax), %esi
	mov	28(%eax), %edi
	mov	(%eax), %eax
	call	*run_code
	pushf
	push	%eax
	mov	8(%esp), %eax
	mov	%ecx, 4(%eax)
	mov	%edx, 8(%eax)
	mov	%ebx, 12(%eax)
	mov	%ebp, 20(%eax)
	mov	%esi, 24(%eax)
	mov	%edi, 28(%eax)
	pop	(%eax)
	pop	32(%eax)
	add	$4, %esp
	cld
	pop	%edi
	pop	%esi
	pop	%ebp
	pop	%ebx
	ret

	.bss
	.balign	16
	.globl	guard_sp, user_sp, user_stack_top, trap_stack_top
guard_sp:
	.long	0
user_sp:
	.long	0
run_code:
	.long	0
	.balign	16
	.space	8192
user_stack_top:
	.space	8192
trap_stack_top:
