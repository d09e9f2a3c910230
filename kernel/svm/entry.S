/*
 * The world switch. VMRUN exchanges RAX, RSP, RIP, RFLAGS, control registers
 * and the segments of code and stack; VMLOAD and VMSAVE the rest of what is in
 * the VMCB; the other fourteen registers are exchanged here, from and to
 * vcpu->state.gpr[] (enum gpr; RAX's and RSP's slots are left alone).
 *
 *	void svm_switch(struct vcpu *vcpu, u64 vmcb_phys, u64 host_vmcb_phys)
 *
 * From CLGI to STGI nothing interrupts: TR and GS are the guest's there, and an
 * NMI would find no stack. Interrupts are enabled for VMRUN itself, or they
 * would not end the guest's run (15.21.1). The NOP takes STI's shadow, which
 * the guest would inherit otherwise.
 */
	.text
	.globl	svm_switch
	.type	svm_switch, @function
svm_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdx
	push	%rdi			/* vcpu, and its gpr[] */
	mov	%rsi, %rax
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
	clgi
	vmload	%rax
	sti
	nop
	vmrun	%rax
1:	cli
	/*
	 * Bochs 2.7 lets a single-step trap that was pending in the guest strike
	 * here: go on as if nothing had been. vcpu_skip() gives it to the guest.
	 */
	.pushsection .extable, "a"
	.quad	1b, 1b
	.popsection
	vmsave	%rax
	mov	8(%rsp), %rax
	vmload	%rax
	stgi
	pop	%rax
	mov	%rcx, 1*8(%rax)
	mov	%rdx, 2*8(%rax)
	mov	%rbx, 3*8(%rax)
	mov	%rbp, 5*8(%rax)
	mov	%rsi, 6*8(%rax)
	mov	%rdi, 7*8(%rax)
	mov	%r8, 8*8(%rax)
	mov	%r9, 9*8(%rax)
	mov	%r10, 10*8(%rax)
	mov	%r11, 11*8(%rax)
	mov	%r12, 12*8(%rax)
	mov	%r13, 13*8(%rax)
	mov	%r14, 14*8(%rax)
	mov	%r15, 15*8(%rax)
	add	$8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	mov	%rax, %rdi
	jmp	svm_exited
	.size	svm_switch, . - svm_switch

	.section .note.GNU-stack, "", @progbits
