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
 *
 * svm_quick() is asked before anything else is exchanged: what it can answer by
 * itself goes straight back into the guest.
 */
	.macro	each_register do
	\do	%rcx, 1*8
	\do	%rdx, 2*8
	\do	%rbx, 3*8
	\do	%rbp, 5*8
	\do	%rsi, 6*8
	\do	%r8, 8*8
	\do	%r9, 9*8
	\do	%r10, 10*8
	\do	%r11, 11*8
	\do	%r12, 12*8
	\do	%r13, 13*8
	\do	%r14, 14*8
	\do	%r15, 15*8
	.endm
	.macro	load register, slot
	mov	\slot(%rdi), \register
	.endm
	.macro	store register, slot
	mov	\register, \slot(%rax)
	.endm

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
	push	%rdx			/* 16(%rsp): the host's VMCB */
	push	%rsi			/* 8(%rsp): the guest's */
	push	%rdi			/* (%rsp): vcpu, and its gpr[] */
	clgi
	mov	%rsi, %rax
	vmload	%rax
again:
	each_register load
	mov	7*8(%rdi), %rdi
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
	mov	(%rsp), %rax
	each_register store
	mov	%rdi, 7*8(%rax)
	mov	%rax, %rdi
	call	svm_quick
	test	%al, %al
	mov	(%rsp), %rdi
	mov	8(%rsp), %rax
	jnz	again

	vmsave	%rax
	mov	16(%rsp), %rax
	vmload	%rax
	stgi
	add	$3*8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	jmp	svm_exited
	.size	svm_switch, . - svm_switch

	.section .note.GNU-stack, "", @progbits
