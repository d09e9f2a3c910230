/*
 * AMD SVM as the hardware defines it: the VMCB, its bits and the exit codes, by
 * the names of APM volume 2, chapter 15 and appendices B and C.
 */
#ifndef SVM_ARCH_H
#define SVM_ARCH_H

#include "lib/types.h"
#include "vm/state.h"

/* CPUID 0x8000000A EDX (APM vol. 3 appendix E.4.9). */
#define SVM_NESTED_PAGING  BIT(0)
#define SVM_NRIP_SAVE	   BIT(3)
#define SVM_TSC_RATE	   BIT(4)
#define SVM_CLEAN_BITS	   BIT(5)
#define SVM_FLUSH_BY_ASID  BIT(6)
#define SVM_DECODE_ASSISTS BIT(7)

/* VM_CR (15.30.1). */
#define VM_CR_LOCK   BIT(3)
#define VM_CR_SVMDIS BIT(4)

/* VMCB offset 0x0c: intercept_misc1. */
#define INTERCEPT_INTR	   BIT(0)
#define INTERCEPT_NMI	   BIT(1)
#define INTERCEPT_RDPMC	   BIT(15)
#define INTERCEPT_CPUID	   BIT(18)
#define INTERCEPT_IRET	   BIT(20)
#define INTERCEPT_INVD	   BIT(22)
#define INTERCEPT_HLT	   BIT(24)
#define INTERCEPT_INVLPGA  BIT(26)
#define INTERCEPT_IOIO	   BIT(27)
#define INTERCEPT_MSR	   BIT(28)
#define INTERCEPT_SHUTDOWN BIT(31)

/* VMCB offset 0x10: intercept_misc2. */
#define INTERCEPT_VMRUN	  BIT(0)
#define INTERCEPT_VMMCALL BIT(1)
#define INTERCEPT_VMLOAD  BIT(2)
#define INTERCEPT_VMSAVE  BIT(3)
#define INTERCEPT_STGI	  BIT(4)
#define INTERCEPT_CLGI	  BIT(5)
#define INTERCEPT_SKINIT  BIT(6)
#define INTERCEPT_WBINVD  BIT(9)
#define INTERCEPT_MONITOR BIT(10)
#define INTERCEPT_MWAIT	  BIT(11)
#define INTERCEPT_XSETBV  BIT(13)
#define INTERCEPT_RDPRU	  BIT(14)

/* VMCB offset 0x14: intercept_misc3. */
#define INTERCEPT_INVPCID BIT(2)

/* VMCB offset 0x60: int_ctl (15.21). */
#define V_IRQ		    BIT(8)
#define V_INTR_PRIO(n)	    ((u64)(n) << 16)
#define V_IGN_TPR	    BIT(20)
#define V_INTR_MASKING	    BIT(24)
#define V_INTR_VECTOR_SHIFT 32

#define TLB_NOTHING    0 /* 15.16.2 */
#define TLB_FLUSH_ALL  1
#define TLB_FLUSH_ASID 3

#define INTERRUPT_SHADOW BIT(0)
#define NP_ENABLE	 BIT(0)

/* EVENTINJ and EXITINTINFO (15.20, 15.7.2). */
#define EVENT_VECTOR	  0xffu
#define EVENT_TYPE_SHIFT  8
#define EVENT_TYPE	  7u
#define EVENT_HAS_ERROR	  BIT(11)
#define EVENT_VALID	  BIT(31)
#define EVENT_ERROR_SHIFT 32
enum event_type {
	TYPE_INTERRUPT = 0,
	TYPE_NMI = 2,
	TYPE_EXCEPTION = 3,
	TYPE_SOFT_INTERRUPT = 4,
};

/* VMCB clean bits (15.15.3): what the processor may keep from last time. */
#define CLEAN_INTERCEPTS BIT(0)
#define CLEAN_ASID	 BIT(2)
#define CLEAN_TPR	 BIT(3)
#define CLEAN_NP	 BIT(4)
#define CLEAN_CR	 BIT(5)
#define CLEAN_DR	 BIT(6)
#define CLEAN_DT	 BIT(7)
#define CLEAN_SEG	 BIT(8)
#define CLEAN_CR2	 BIT(9)
#define CLEAN_LBR	 BIT(10)
#define CLEAN_ALL	 0xffffffffu /* also what later processors keep */

struct vmcb {
	/* --- control area, appendix B table B-1 */
	u16 intercept_cr_read, intercept_cr_write;
	u16 intercept_dr_read, intercept_dr_write;
	u32 intercept_exceptions;
	u32 intercept_misc1, intercept_misc2, intercept_misc3;
	u8 reserved1[0x3c - 0x18];
	u16 pause_threshold, pause_count;
	u64 iopm_base, msrpm_base;
	u64 tsc_offset;
	u32 asid;
	u8 tlb_control;
	u8 reserved2[3];
	u64 int_ctl;
	u64 int_state;
	u64 exit_code, exit_info1, exit_info2, exit_int_info;
	u64 np_control;
	u8 reserved3[0xa8 - 0x98];
	u64 event_inj;
	u64 ncr3;
	u64 lbr_control;
	u32 clean;
	u32 reserved10;
	u64 nrip;
	u8 insn_count;
	u8 insn_bytes[15];
	u8 reserved4[0x400 - 0xe0];
	/* --- state save area, table B-2 */
	struct segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	u8 reserved5[0x4cb - 0x4a0];
	u8 cpl;
	u32 reserved6;
	u64 efer;
	u8 reserved7[0x548 - 0x4d8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	u8 reserved8[0x5d8 - 0x580];
	u64 rsp;
	u8 reserved9[0x5f8 - 0x5e0];
	u64 rax;
	u64 star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 cr2;
	u8 reserved11[0x668 - 0x648];
	u64 g_pat;
	u64 debugctl;
	u8 reserved12[0x1000 - 0x678];
};
ASSERT_SIZE(struct vmcb, 0x1000);
ASSERT_OFFSET(struct vmcb, pause_threshold, 0x3c);
ASSERT_OFFSET(struct vmcb, iopm_base, 0x40);
ASSERT_OFFSET(struct vmcb, asid, 0x58);
ASSERT_OFFSET(struct vmcb, int_ctl, 0x60);
ASSERT_OFFSET(struct vmcb, exit_code, 0x70);
ASSERT_OFFSET(struct vmcb, np_control, 0x90);
ASSERT_OFFSET(struct vmcb, event_inj, 0xa8);
ASSERT_OFFSET(struct vmcb, clean, 0xc0);
ASSERT_OFFSET(struct vmcb, nrip, 0xc8);
ASSERT_OFFSET(struct vmcb, insn_bytes, 0xd1);
ASSERT_OFFSET(struct vmcb, es, 0x400);
ASSERT_OFFSET(struct vmcb, tr, 0x490);
ASSERT_OFFSET(struct vmcb, cpl, 0x4cb);
ASSERT_OFFSET(struct vmcb, efer, 0x4d0);
ASSERT_OFFSET(struct vmcb, cr4, 0x548);
ASSERT_OFFSET(struct vmcb, rip, 0x578);
ASSERT_OFFSET(struct vmcb, rsp, 0x5d8);
ASSERT_OFFSET(struct vmcb, rax, 0x5f8);
ASSERT_OFFSET(struct vmcb, cr2, 0x640);
ASSERT_OFFSET(struct vmcb, g_pat, 0x668);

/* Exit codes, appendix C. The low half decides: INVALID is -1 in it. */
enum svm_exit_code {
	VMEXIT_CR_READ = 0x00,
	VMEXIT_CR_WRITE = 0x10,
	VMEXIT_DR_READ = 0x20,
	VMEXIT_DR_WRITE = 0x30,
	VMEXIT_EXCEPTION = 0x40,
	VMEXIT_INTR = 0x60,
	VMEXIT_NMI = 0x61,
	VMEXIT_INIT = 0x63,
	VMEXIT_RDPMC = 0x6f,
	VMEXIT_CPUID = 0x72,
	VMEXIT_IRET = 0x74,
	VMEXIT_INVD = 0x76,
	VMEXIT_HLT = 0x78,
	VMEXIT_INVLPGA = 0x7a,
	VMEXIT_IOIO = 0x7b,
	VMEXIT_MSR = 0x7c,
	VMEXIT_SHUTDOWN = 0x7f,
	VMEXIT_VMRUN = 0x80,
	VMEXIT_VMMCALL = 0x81,
	VMEXIT_VMLOAD = 0x82,
	VMEXIT_VMSAVE = 0x83,
	VMEXIT_STGI = 0x84,
	VMEXIT_CLGI = 0x85,
	VMEXIT_SKINIT = 0x86,
	VMEXIT_WBINVD = 0x89,
	VMEXIT_MONITOR = 0x8a,
	VMEXIT_MWAIT = 0x8b,
	VMEXIT_XSETBV = 0x8d,
	VMEXIT_RDPRU = 0x8e,
	VMEXIT_INVPCID = 0xa2,
	VMEXIT_CODES = 0xa3,
	VMEXIT_NPF = 0x400,
};
#define VMEXIT_INVALID 0xffffffffu

/* Debug registers (13.1.1). */
#define DR6_BD	   BIT(13)
#define DR6_BS	   BIT(14)
#define DR6_CAUSES (0xfu | DR6_BD | DR6_BS)
#define DR7_GD	   BIT(13)

/* EXITINFO1 of IOIO (15.10.2). */
#define IOIO_IN		BIT(0)
#define IOIO_STRING	BIT(2)
#define IOIO_REP	BIT(3)
#define IOIO_SIZE(info) ((info) >> 4 & 7)
#define IOIO_PORT(info) ((info) >> 16 & 0xffff)

/* EXITINFO1 of MOV CR and DR with decode assists (15.8.1). */
#define MOV_CR_IS_MOV BIT(63)
#define MOV_GPR(info) ((info)&0xf)

/* EXITINFO1 of a nested page fault (15.25.6). */
#define NPF_WRITE    BIT(1)
#define NPF_RESERVED BIT(3)
#define NPF_FETCH    BIT(4)
#define NPF_TABLE    BIT(33)

/* Nested page tables are the host's own format (15.25). */
#define NPT_PRESENT  BIT(0)
#define NPT_WRITE    BIT(1)
#define NPT_USER     BIT(2) /* all guest accesses are user accesses */
#define NPT_ACCESSED BIT(5)
#define NPT_DIRTY    BIT(6)
#define NPT_LARGE    BIT(7)
#define NPT_NO_EXEC  BIT(63)

#endif
