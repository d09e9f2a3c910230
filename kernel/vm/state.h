/*
 * The canonical state of a virtual CPU: the architecture, never a VMCS or a
 * VMCB. Each engine loads and stores all of it; migration will carry this and
 * nothing else. What is hidden inside one vendor's processor is here only where
 * the architecture defines it.
 */
#ifndef VM_STATE_H
#define VM_STATE_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/fields.h"

enum gpr {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	GPRS
};

enum segment_name { ES, CS, SS, DS, FS, GS, LDTR, TR, SEGMENTS };

/* Segment attributes: the descriptor's bytes 5 and 6, packed to 12 bits. */
#define SEG_TYPE      0x00fu
#define SEG_S	      0x010u /* code or data, not system */
#define SEG_DPL_SHIFT 5
#define SEG_DPL	      0x060u
#define SEG_P	      0x080u /* clear: unusable, the rest is void */
#define SEG_AVL	      0x100u
#define SEG_L	      0x200u
#define SEG_DB	      0x400u
#define SEG_G	      0x800u
#define SEG_ATTR      0xfffu

struct segment {
	u16 selector;
	u16 attr;
	u32 limit; /* in bytes, as the processor holds it */
	u64 base;
};

struct descriptor_table {
	u64 base;
	u32 limit;
	u32 reserved;
};

/* An event on its way into the guest, or interrupted while on its way. */
enum event_kind {
	EVENT_NONE,
	EVENT_INTERRUPT, /* external */
	EVENT_NMI,
	EVENT_EXCEPTION,      /* hardware exception */
	EVENT_SOFT_INTERRUPT, /* INT n */
	EVENT_SOFT_EXCEPTION, /* INT3, INTO */
	EVENT_ICEBP,	      /* INT1 */
};

struct event {
	u8 kind; /* enum event_kind */
	u8 vector;
	u8 has_error;
	u8 ilen; /* of INT n, INT3, INTO, ICEBP: RIP points at it */
	u32 error;
};

enum activity {
	ACTIVITY_RUN,
	ACTIVITY_HALT,
	ACTIVITY_SHUTDOWN,
	ACTIVITY_WAIT_SIPI
};

#define SHADOW_STI    1u
#define SHADOW_MOV_SS 2u

#define XSAVE_AREA 4096

struct vcpu_state {
	u64 gpr[GPRS];
	u64 rip;
	u64 rflags;

	struct segment seg[SEGMENTS];
	struct descriptor_table gdtr;
	struct descriptor_table idtr;

	u64 cr0, cr2, cr3, cr4, cr8;
	u64 efer; /* the guest's view: no SVME */
	u64 xcr0;
	u64 dr[4], dr6, dr7;

	u64 star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 pat, tsc_aux, debugctl;
	u64 tsc; /* the guest's time-stamp counter when the state was stored */

	/* PAE page-directory pointers, where the processor holds them. */
	u64 pdpte[4];

	struct event pending; /* delivered at the next entry */
	u8 shadow;	      /* SHADOW_*: one instruction without interrupts */
	u8 nmi_blocked;
	u8 activity;	/* enum activity */
	u8 pdpte_valid; /* else they are read from memory at CR3 */
	u32 reserved;

	u8 xsave[XSAVE_AREA] ALIGNED(64); /* standard format */
};

/*
 * Groups of the state, for partial loads and stores. GPRs and CORE are in
 * vcpu->state after every exit; the others are fetched when asked for.
 */
enum state_group {
	STATE_CORE = 1,	    /* RIP, RSP, RFLAGS, shadow, pending, activity */
	STATE_SEGMENTS = 2, /* seg[], gdtr, idtr */
	STATE_CONTROL = 4,  /* CR0-4, CR8, EFER, PAT, PDPTEs, nmi_blocked */
	STATE_DEBUG = 8,    /* DR6, DR7 (DR0-3: see vcpu.h), debugctl */
	STATE_MSRS = 16,    /* STAR ... SYSENTER, kernel_gs_base */
	STATE_ALL = 31,
	/* Get only: CS, CR0, CR3, CR4, EFER, cheaply; enough to fetch code. */
	STATE_FETCH = 32,
};

/* Power-on state (Intel SDM volume 3, table 10-1). */
void state_reset(struct vcpu_state *state, u32 cpuid_signature);

/* Brings a state to its one canonical form: void parts of segments zero. */
void state_normalise(struct vcpu_state *state);

/*
 * The manuals' entry rules for guest state, both vendors' together. E_INVALID,
 * with what is wrong written to why, for a state no processor can be in.
 */
struct state_limits {
	u64 cr4_allowed; /* bits a guest may set */
	u64 efer_allowed;
	u64 xcr0_allowed;
	unsigned phys_bits;
};
err_t state_check(const struct vcpu_state *state,
		  const struct state_limits *limits, char *why, size_t size);

/* All of it, by fields. */
extern const struct device_description vcpu_description;

/* Name of the first field in which a and b differ, NULL when they are equal. */
const char *state_difference(const struct vcpu_state *a,
			     const struct vcpu_state *b);

/* A readable register dump to the log. */
void state_dump(const struct vcpu_state *state);

/* The mode the processor is in, from CR0, EFER, RFLAGS and CS. */
enum cpu_mode { MODE_REAL, MODE_VM86, MODE_16, MODE_32, MODE_64 };
enum cpu_mode state_mode(const struct vcpu_state *state);
const char *mode_name(enum cpu_mode mode);

/* Current privilege level: SS.DPL. */
static inline unsigned state_cpl(const struct vcpu_state *state)
{
	return (state->seg[SS].attr & SEG_DPL) >> SEG_DPL_SHIFT;
}

#endif
