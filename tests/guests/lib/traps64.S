/*
 * The way in and out of the kernel of a 64-bit guest: 256 entry points that
 * build a struct trap_frame, and the ways back from a guarded call and from
 * user mode.
 */
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

trap_common:
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rdi
	push	%rsi
	push	%rbp
	push	$0		/* RSP is in the frame */
	push	%rbx
	push	%rdx
	push	%rcx
	push	%rax
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$-16, %rsp
	call	trap_handler
	mov	%rbp, %rsp
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rbx
	add	$8, %rsp
	pop	%rbp
	pop	%rsi
	pop	%rdi
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	add	$16, %rsp	/* vector, error */
	iretq

	.macro	save_callee
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	.endm
	.macro	restore_callee
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	.endm

	/* bool guarded(void (*fn)(void)): true when fn came to its end. */
	.globl	guarded, guard_return
guarded:
	save_callee
	push	%rax
	mov	%rsp, guard_sp
	call	*%rdi
	mov	$1, %eax
	jmp	1f
guard_return:
	mov	guard_sp, %rsp
	xor	%eax, %eax
1:	add	$8, %rsp
	restore_callee
	ret

	/* void user_call(void (*fn)(void)) */
	.globl	user_call, user_return
user_call:
	save_callee
	pushf
	mov	%rsp, user_sp
	movq	$user_exit, user_stack_top - 8
	push	$0x23
	push	$user_stack_top - 8
	push	user_flags
	push	$0x2b
	push	%rdi
	iretq
user_exit:
	int	$0x20		/* VEC_USER_RETURN */
user_return:
	mov	user_sp, %rsp
	popf
	restore_callee
	ret

	/* void run_regs(struct regs *regs, const void *code) */
	.globl	run_regs
run_regs:
	save_callee
	push	%rdi
	mov	%rsi, run_code
	push	128(%rdi)
	popf
	mov	(%rdi), %rax
	mov	8(%rdi), %rcx
	mov	16(%rdi), %rdx
	mov	24(%rdi), %rbx
	mov	40(%rdi), %rbp
	mov	48(%rdi), %rsi
	mov	64(%rdi), %r8
	mov	72(%rdi), %r9
	mov	80(%rdi), %r10
	mov	88(%rdi), %r11
	mov	96(%rdi), %r12
	mov	104(%rdi), %r13
	mov	112(%rdi), %r14
	mov	120(%rdi), %r15
	mov	56(%rdi), %rdi
	call	*run_code
	pushf
	push	%rdi
	mov	16(%rsp), %rdi
	mov	%rax, (%rdi)
	mov	%rcx, 8(%rdi)
	mov	%rdx, 16(%rdi)
	mov	%rbx, 24(%rdi)
	mov	%rbp, 40(%rdi)
	mov	%rsi, 48(%rdi)
	pop	56(%rdi)
	mov	%r8, 64(%rdi)
	mov	%r9, 72(%rdi)
	mov	%r10, 80(%rdi)
	mov	%r11, 88(%rdi)
	mov	%r12, 96(%rdi)
	mov	%r13, 104(%rdi)
	mov	%r14, 112(%rdi)
	mov	%r15, 120(%rdi)
	pop	128(%rdi)
	pop	%rdi
	cld
	restore_callee
	ret

	.bss
	.balign	16
	.globl	guard_sp, user_sp, user_stack_top, trap_stack_top, ist_stack_top
guard_sp:
	.quad	0
user_sp:
	.quad	0
run_code:
	.quad	0
	.balign	16
	.space	8192
user_stack_top:
	.space	8192
trap_stack_top:
	.space	3 * 4096
ist_stack_top:
