/*
 * The world switch. The VMCS exchanges RSP, RIP, RFLAGS, segments and control
 * registers; the other fifteen registers are exchanged here, from and to
 * vcpu->state.gpr[] (enum gpr, RSP's slot left alone).
 *
 *	u64 vmx_switch(u64 *gpr, u64 *host_rsp, bool launched)
 *
 * host_rsp caches what HOST_RSP holds: it changes only with the depth of the
 * stack from which the run loop enters.
 */
#define HOST_RSP 0x6c14

	.text
	.globl	vmx_switch
	.type	vmx_switch, @function
vmx_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi			/* gpr, found again after the exit */
	cmp	%rsp, (%rsi)
	je	1f
	mov	%rsp, (%rsi)
	mov	$HOST_RSP, %eax
	vmwrite	%rsp, %rax
1:	test	%dl, %dl		/* MOV keeps the flags */
	mov	0*8(%rdi), %rax
	mov	1*8(%rdi), %rcx
	mov	2*8(%rdi), %rdx
	mov	3*8(%rdi), %rbx
	mov	5*8(%rdi), %rbp
	mov	6*8(%rdi), %rsi
	mov	8*8(%rdi), %r8
	mov	9*8(%rdi), %r9
	mov	10*8(%rdi), %r10
	mov	11*8(%rdi), %r11
	mov	12*8(%rdi), %r12
	mov	13*8(%rdi), %r13
	mov	14*8(%rdi), %r14
	mov	15*8(%rdi), %r15
	mov	7*8(%rdi), %rdi
	jz	2f
	vmresume
	jmp	3f
2:	vmlaunch
3:	/* Only a VMfail goes on here: CF or ZF says which. */
	pushf
	pop	%rax
	add	$8, %rsp
	jmp	4f

	.globl	vmx_switch_return
vmx_switch_return:
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, 0*8(%rdi)
	mov	%rcx, 1*8(%rdi)
	mov	%rdx, 2*8(%rdi)
	mov	%rbx, 3*8(%rdi)
	mov	%rbp, 5*8(%rdi)
	mov	%rsi, 6*8(%rdi)
	pop	7*8(%rdi)
	mov	%r8, 8*8(%rdi)
	mov	%r9, 9*8(%rdi)
	mov	%r10, 10*8(%rdi)
	mov	%r11, 11*8(%rdi)
	mov	%r12, 12*8(%rdi)
	mov	%r13, 13*8(%rdi)
	mov	%r14, 14*8(%rdi)
	mov	%r15, 15*8(%rdi)
	add	$8, %rsp
	xor	%eax, %eax
4:	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	vmx_switch, . - vmx_switch

	.section .note.GNU-stack, "", @progbits
