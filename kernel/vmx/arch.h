/*
 * VMX as the manual writes it down (Intel SDM volume 3C): VMCS fields, control
 * bits, exit reasons, capability MSRs, with the manual's own names.
 */
#ifndef VMX_ARCH_H
#define VMX_ARCH_H

#include "lib/types.h"

/*
 * --- the VMCS (appendix B)
 *
 * Segment fields stand in the order ES CS SS DS FS GS LDTR TR, two apart.
 */
#define VMCS_FIELDS(X)                    \
	X(VPID, 0x0000)                   \
	X(GUEST_ES_SELECTOR, 0x0800)      \
	X(GUEST_CS_SELECTOR, 0x0802)      \
	X(GUEST_SS_SELECTOR, 0x0804)      \
	X(GUEST_DS_SELECTOR, 0x0806)      \
	X(GUEST_FS_SELECTOR, 0x0808)      \
	X(GUEST_GS_SELECTOR, 0x080a)      \
	X(GUEST_LDTR_SELECTOR, 0x080c)    \
	X(GUEST_TR_SELECTOR, 0x080e)      \
	X(PML_INDEX, 0x0812)              \
	X(HOST_ES_SELECTOR, 0x0c00)       \
	X(HOST_CS_SELECTOR, 0x0c02)       \
	X(HOST_SS_SELECTOR, 0x0c04)       \
	X(HOST_DS_SELECTOR, 0x0c06)       \
	X(HOST_FS_SELECTOR, 0x0c08)       \
	X(HOST_GS_SELECTOR, 0x0c0a)       \
	X(HOST_TR_SELECTOR, 0x0c0c)       \
	X(IO_BITMAP_A, 0x2000)            \
	X(IO_BITMAP_B, 0x2002)            \
	X(MSR_BITMAP, 0x2004)             \
	X(PML_ADDRESS, 0x200e)            \
	X(TSC_OFFSET, 0x2010)             \
	X(EPT_POINTER, 0x201a)            \
	X(XSS_EXITING_BITMAP, 0x202c)     \
	X(TSC_MULTIPLIER, 0x2032)         \
	X(GUEST_PHYSICAL, 0x2400)         \
	X(GUEST_LINK_POINTER, 0x2800)     \
	X(GUEST_DEBUGCTL, 0x2802)         \
	X(GUEST_PAT, 0x2804)              \
	X(GUEST_EFER, 0x2806)             \
	X(GUEST_PDPTE0, 0x280a)           \
	X(GUEST_PDPTE1, 0x280c)           \
	X(GUEST_PDPTE2, 0x280e)           \
	X(GUEST_PDPTE3, 0x2810)           \
	X(HOST_PAT, 0x2c00)               \
	X(HOST_EFER, 0x2c02)              \
	X(PIN_CONTROLS, 0x4000)           \
	X(PROC_CONTROLS, 0x4002)          \
	X(EXCEPTION_BITMAP, 0x4004)       \
	X(CR3_TARGET_COUNT, 0x400a)       \
	X(EXIT_CONTROLS, 0x400c)          \
	X(EXIT_MSR_STORE_COUNT, 0x400e)   \
	X(EXIT_MSR_LOAD_COUNT, 0x4010)    \
	X(ENTRY_CONTROLS, 0x4012)         \
	X(ENTRY_MSR_LOAD_COUNT, 0x4014)   \
	X(ENTRY_EVENT, 0x4016)            \
	X(ENTRY_EVENT_ERROR, 0x4018)      \
	X(ENTRY_EVENT_LENGTH, 0x401a)     \
	X(PROC2_CONTROLS, 0x401e)         \
	X(INSTRUCTION_ERROR, 0x4400)      \
	X(EXIT_REASON, 0x4402)            \
	X(EXIT_EVENT, 0x4404)             \
	X(EXIT_EVENT_ERROR, 0x4406)       \
	X(IDT_VECTORING, 0x4408)          \
	X(IDT_VECTORING_ERROR, 0x440a)    \
	X(EXIT_LENGTH, 0x440c)            \
	X(EXIT_INSTRUCTION, 0x440e)       \
	X(GUEST_ES_LIMIT, 0x4800)         \
	X(GUEST_CS_LIMIT, 0x4802)         \
	X(GUEST_SS_LIMIT, 0x4804)         \
	X(GUEST_DS_LIMIT, 0x4806)         \
	X(GUEST_FS_LIMIT, 0x4808)         \
	X(GUEST_GS_LIMIT, 0x480a)         \
	X(GUEST_LDTR_LIMIT, 0x480c)       \
	X(GUEST_TR_LIMIT, 0x480e)         \
	X(GUEST_GDTR_LIMIT, 0x4810)       \
	X(GUEST_IDTR_LIMIT, 0x4812)       \
	X(GUEST_ES_ACCESS, 0x4814)        \
	X(GUEST_CS_ACCESS, 0x4816)        \
	X(GUEST_SS_ACCESS, 0x4818)        \
	X(GUEST_DS_ACCESS, 0x481a)        \
	X(GUEST_FS_ACCESS, 0x481c)        \
	X(GUEST_GS_ACCESS, 0x481e)        \
	X(GUEST_LDTR_ACCESS, 0x4820)      \
	X(GUEST_TR_ACCESS, 0x4822)        \
	X(GUEST_INTERRUPTIBILITY, 0x4824) \
	X(GUEST_ACTIVITY, 0x4826)         \
	X(GUEST_SYSENTER_CS, 0x482a)      \
	X(PREEMPTION_TIMER, 0x482e)       \
	X(HOST_SYSENTER_CS, 0x4c00)       \
	X(CR0_MASK, 0x6000)               \
	X(CR4_MASK, 0x6002)               \
	X(CR0_SHADOW, 0x6004)             \
	X(CR4_SHADOW, 0x6006)             \
	X(EXIT_QUALIFICATION, 0x6400)     \
	X(GUEST_LINEAR, 0x640a)           \
	X(GUEST_CR0, 0x6800)              \
	X(GUEST_CR3, 0x6802)              \
	X(GUEST_CR4, 0x6804)              \
	X(GUEST_ES_BASE, 0x6806)          \
	X(GUEST_CS_BASE, 0x6808)          \
	X(GUEST_SS_BASE, 0x680a)          \
	X(GUEST_DS_BASE, 0x680c)          \
	X(GUEST_FS_BASE, 0x680e)          \
	X(GUEST_GS_BASE, 0x6810)          \
	X(GUEST_LDTR_BASE, 0x6812)        \
	X(GUEST_TR_BASE, 0x6814)          \
	X(GUEST_GDTR_BASE, 0x6816)        \
	X(GUEST_IDTR_BASE, 0x6818)        \
	X(GUEST_DR7, 0x681a)              \
	X(GUEST_RSP, 0x681c)              \
	X(GUEST_RIP, 0x681e)              \
	X(GUEST_RFLAGS, 0x6820)           \
	X(GUEST_PENDING_DEBUG, 0x6822)    \
	X(GUEST_SYSENTER_ESP, 0x6824)     \
	X(GUEST_SYSENTER_EIP, 0x6826)     \
	X(HOST_CR0, 0x6c00)               \
	X(HOST_CR3, 0x6c02)               \
	X(HOST_CR4, 0x6c04)               \
	X(HOST_FS_BASE, 0x6c06)           \
	X(HOST_GS_BASE, 0x6c08)           \
	X(HOST_TR_BASE, 0x6c0a)           \
	X(HOST_GDTR_BASE, 0x6c0c)         \
	X(HOST_IDTR_BASE, 0x6c0e)         \
	X(HOST_SYSENTER_ESP, 0x6c10)      \
	X(HOST_SYSENTER_EIP, 0x6c12)      \
	X(HOST_RSP, 0x6c14)               \
	X(HOST_RIP, 0x6c16)

#define VMCS_ENUM(name, encoding) name = encoding,
enum vmcs_field { VMCS_FIELDS(VMCS_ENUM) };
#undef VMCS_ENUM

#define VMCS_INDEX(name, encoding) INDEX_##name,
enum vmcs_index { VMCS_FIELDS(VMCS_INDEX) VMCS_FIELD_COUNT };
#undef VMCS_INDEX

/* --- controls (25.6 to 25.8) */

#define PIN_EXTERNAL_INTERRUPT BIT(0)
#define PIN_NMI		       BIT(3)
#define PIN_VIRTUAL_NMIS       BIT(5)
#define PIN_PREEMPTION_TIMER   BIT(6)

#define PROC_INTERRUPT_WINDOW BIT(2)
#define PROC_TSC_OFFSETTING   BIT(3)
#define PROC_HLT	      BIT(7)
#define PROC_MWAIT	      BIT(10)
#define PROC_RDPMC	      BIT(11)
#define PROC_CR8_LOAD	      BIT(19)
#define PROC_CR8_STORE	      BIT(20)
#define PROC_NMI_WINDOW	      BIT(22)
#define PROC_MOV_DR	      BIT(23)
#define PROC_IO_BITMAPS	      BIT(25)
#define PROC_MSR_BITMAPS      BIT(28)
#define PROC_MONITOR	      BIT(29)
#define PROC_SECONDARY	      BIT(31)

#define PROC2_EPT		 BIT(1)
#define PROC2_RDTSCP		 BIT(3)
#define PROC2_VPID		 BIT(5)
#define PROC2_WBINVD		 BIT(6)
#define PROC2_UNRESTRICTED_GUEST BIT(7)
#define PROC2_INVPCID		 BIT(12)
#define PROC2_PML		 BIT(17)
#define PROC2_XSAVES		 BIT(20)
#define PROC2_TSC_SCALING	 BIT(25)

#define EXITC_SAVE_DEBUG BIT(2)
#define EXITC_HOST_64	 BIT(9)
#define EXITC_SAVE_PAT	 BIT(18)
#define EXITC_LOAD_PAT	 BIT(19)
#define EXITC_SAVE_EFER	 BIT(20)
#define EXITC_LOAD_EFER	 BIT(21)
#define EXITC_SAVE_TIMER BIT(22)

#define ENTRYC_LOAD_DEBUG BIT(2)
#define ENTRYC_GUEST_64	  BIT(9) /* "IA-32e mode guest" */
#define ENTRYC_LOAD_PAT	  BIT(14)
#define ENTRYC_LOAD_EFER  BIT(15)

/* --- guest state that is no register (25.4) */

/* Access rights (table 25-2): bytes 5 and 6 of the descriptor, and one bit. */
#define ACCESS_L	BIT(13)
#define ACCESS_DB	BIT(14)
#define ACCESS_G	BIT(15)
#define ACCESS_UNUSABLE BIT(16)

#define INTERRUPTIBILITY_STI	BIT(0)
#define INTERRUPTIBILITY_MOV_SS BIT(1)
#define INTERRUPTIBILITY_SMI	BIT(2)
#define INTERRUPTIBILITY_NMI	BIT(3)

#define PENDING_DEBUG_ENABLED BIT(12)
#define PENDING_DEBUG_BS      BIT(14)

/* Events, into the guest and out of it (25.8.3, 25.9.2, 25.9.3). */
#define EVENT_VECTOR	 0xffu
#define EVENT_TYPE_SHIFT 8
#define EVENT_TYPE	 7u
#define EVENT_HAS_ERROR	 BIT(11)
#define EVENT_IRET	 BIT(12) /* out: the fault is one of IRET */
#define EVENT_VALID	 BIT(31)

enum vmx_event_type {
	TYPE_INTERRUPT = 0,
	TYPE_NMI = 2,
	TYPE_EXCEPTION = 3,
	TYPE_SOFT_INTERRUPT = 4,
	TYPE_PRIVILEGED = 5, /* INT1 */
	TYPE_SOFT_EXCEPTION = 6,
	TYPE_OTHER = 7,
};

/* --- exits (appendix C) */

#define REASON_BASIC	    0xffffu
#define REASON_ENTRY_FAILED BIT(31)

enum vmx_reason {
	REASON_EXCEPTION = 0, /* or NMI */
	REASON_EXTERNAL_INTERRUPT = 1,
	REASON_TRIPLE_FAULT = 2,
	REASON_INIT = 3,
	REASON_SIPI = 4,
	REASON_INTERRUPT_WINDOW = 7,
	REASON_NMI_WINDOW = 8,
	REASON_TASK_SWITCH = 9,
	REASON_CPUID = 10,
	REASON_GETSEC = 11,
	REASON_HLT = 12,
	REASON_INVD = 13,
	REASON_RDPMC = 15,
	REASON_VMCALL = 18,
	REASON_VMCLEAR = 19,
	REASON_VMLAUNCH = 20,
	REASON_VMPTRLD = 21,
	REASON_VMPTRST = 22,
	REASON_VMREAD = 23,
	REASON_VMRESUME = 24,
	REASON_VMWRITE = 25,
	REASON_VMXOFF = 26,
	REASON_VMXON = 27,
	REASON_CR = 28,
	REASON_MOV_DR = 29,
	REASON_IO = 30,
	REASON_RDMSR = 31,
	REASON_WRMSR = 32,
	REASON_BAD_GUEST_STATE = 33,
	REASON_BAD_MSR_LOAD = 34,
	REASON_MWAIT = 36,
	REASON_MONITOR = 39,
	REASON_ENTRY_MACHINE_CHECK = 41,
	REASON_EPT_VIOLATION = 48,
	REASON_EPT_MISCONFIGURATION = 49,
	REASON_INVEPT = 50,
	REASON_PREEMPTION_TIMER = 52,
	REASON_INVVPID = 53,
	REASON_WBINVD = 54,
	REASON_XSETBV = 55,
	REASON_VMFUNC = 59,
	REASON_PML_FULL = 62,
};

/* Exit qualifications (tables 28-3 to 28-7). */
#define CR_QUAL_NUMBER(q)    ((q)&15)
#define CR_QUAL_ACCESS(q)    ((q) >> 4 & 3) /* as enum cr_access */
#define CR_QUAL_GPR(q)	     ((q) >> 8 & 15)
#define CR_QUAL_LMSW(q)	     ((q) >> 16)
#define DR_QUAL_NUMBER(q)    ((q)&7)
#define DR_QUAL_ABSENT	     BIT(3) /* DR8 to DR15: reserved, 0 */
#define DR_QUAL_READ	     BIT(4)
#define DR_QUAL_GPR(q)	     ((q) >> 8 & 15)
#define IO_QUAL_SIZE(q)	     (((q)&7) + 1)
#define IO_QUAL_IN	     BIT(3)
#define IO_QUAL_STRING	     BIT(4)
#define IO_QUAL_REP	     BIT(5)
#define IO_QUAL_PORT(q)	     ((q) >> 16)
#define EPT_QUAL_ACCESS	     7u /* read, write, fetch: as MEM_* */
#define EPT_QUAL_LINEAR	     BIT(7)
#define EPT_QUAL_TRANSLATION BIT(8) /* of the linear address, not a walk */
#define EPT_QUAL_IRET	     BIT(12)
#define DB_QUAL_DR6	     0x600fu /* B0-B3, BD, BS: as in DR6 */
#define DB_QUAL_BD	     BIT(13)
#define DR7_GD		     BIT(13) /* a bit of DR7, not of these */

/* --- capabilities (appendix A) */

#define MSR_VMX_BASIC	   0x480
#define MSR_VMX_PIN	   0x481
#define MSR_VMX_PROC	   0x482
#define MSR_VMX_EXIT	   0x483
#define MSR_VMX_ENTRY	   0x484
#define MSR_VMX_MISC	   0x485
#define MSR_VMX_CR0_FIXED0 0x486
#define MSR_VMX_CR0_FIXED1 0x487
#define MSR_VMX_CR4_FIXED0 0x488
#define MSR_VMX_CR4_FIXED1 0x489
#define MSR_VMX_PROC2	   0x48b
#define MSR_VMX_EPT_VPID   0x48c
#define MSR_VMX_TRUE_PIN   0x48d
#define MSR_VMX_TRUE_PROC  0x48e
#define MSR_VMX_TRUE_EXIT  0x48f
#define MSR_VMX_TRUE_ENTRY 0x490

#define FEATURE_CONTROL_LOCK	    BIT(0)
#define FEATURE_CONTROL_OUTSIDE_SMX BIT(2)

#define BASIC_REVISION(v)   ((u32)((v)&0x7fffffff))
#define BASIC_TRUE_CONTROLS BIT(55)

#define MISC_TIMER_SHIFT(v) ((v)&31)
#define MISC_ACTIVITY_HALT  BIT(6)

#define EPT_CAP_WALK_4	       BIT(6)
#define EPT_CAP_WRITE_BACK     BIT(14)
#define EPT_CAP_2M	       BIT(16)
#define EPT_CAP_1G	       BIT(17)
#define EPT_CAP_INVEPT	       BIT(20)
#define EPT_CAP_ACCESSED_DIRTY BIT(21)
#define EPT_CAP_INVEPT_SINGLE  BIT(25)
#define EPT_CAP_INVEPT_ALL     BIT(26)

/* --- EPT (29.3) */

#define EPT_READ       BIT(0)
#define EPT_WRITE      BIT(1)
#define EPT_EXEC       BIT(2)
#define EPT_WRITE_BACK (6ULL << 3)
#define EPT_LARGE      BIT(7)
#define EPT_ACCESSED   BIT(8)
#define EPT_DIRTY      BIT(9)

#define EPTP_WRITE_BACK	    6ULL
#define EPTP_WALK_4	    (3ULL << 3)
#define EPTP_ACCESSED_DIRTY BIT(6)

#define PML_ENTRIES 512 /* addresses, in one page */

#define INVEPT_SINGLE 1
#define INVEPT_ALL    2

#endif
