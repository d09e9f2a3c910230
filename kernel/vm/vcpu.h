/*
 * A virtual CPU: its canonical state, what is cached of it in hardware, the
 * requests other CPUs have for it, and its exit statistics.
 *
 * Register access: gpr[] and the CORE group are valid after each exit. Before
 * reading anything else, vcpu_need(); after writing, vcpu_changed(). Only the
 * host CPU that runs the vCPU touches its state; others post requests.
 */
#ifndef VM_VCPU_H
#define VM_VCPU_H

#include "cpu/traps.h" /* EXC_* */
#include "lib/types.h"
#include "vm/engine.h"
#include "vm/exit.h"
#include "vm/state.h"

struct vm;
struct lapic;

/* Reasons to leave the inner loop before the next entry (atomic bits). */
#define REQUEST_STOP	  BIT(0) /* pause, stop: leave the run loop */
#define REQUEST_INTERRUPT BIT(1) /* look at the local APIC again */
#define REQUEST_FLUSH	  BIT(2) /* second-level entries were narrowed */
#define REQUEST_NMI	  BIT(3)
#define REQUEST_RESCHED	  BIT(4) /* the host CPU has something else to do */
#define REQUEST_INIT	  BIT(5)
#define REQUEST_SIPI	  BIT(6) /* sipi_vector */
#define REQUEST_LOG	  BIT(7) /* of written pages: see dirty_log() */

struct exit_count {
	u64 count;
	u64 cycles; /* from the exit to the next entry, in the host */
};

/*
 * Where the page of code that exited last is, and the guest's four page-table
 * entries that say so (see fetch.h).
 */
struct code_cache {
	u64 page; /* linear, in pages; ~0: nothing */
	u64 cr3;
	const u64 *at[4];
	u64 entry[4];
	const u8 *host;
};

struct vcpu {
	struct vcpu_state state; /* first: the world switch knows its offsets */
	u32 valid;		 /* STATE_*: groups fetched since the exit */
	u32 dirty;		 /* groups to load before the next entry */

	struct vm *vm;
	unsigned id;
	unsigned host_cpu; /* the CPU it runs on, by index */
	const struct engine *engine;
	void *hw; /* the engine's own: VMCS or VMCB and their kin */

	u64 requests; /* atomic, REQUEST_* */
	u8 sipi_vector;
	bool nmi_waiting; /* the engine could not take it yet */
	u64 flushed;  /* ledger: slpt->narrowed at the last hardware flush */
	bool logging; /* of written pages, by the processor */
	u64 logged;   /* atomic: the last call for that log it has answered */

	u64 tsc_offset; /* guest TSC = host TSC + offset */

	struct lapic *lapic;
	u64 timer_deadline; /* host TSC of its next timer, ~0: none */

	u64 look_at;	/* host TSC: look around when it has passed */
	u64 run_ticks;	/* in vcpu_run(), guest and host */
	u64 rest_until; /* host TSC: it is slowed down, see vm->speed */
	struct code_cache code;
	struct exit_count exits[EXIT_REASON_COUNT];
	u64 injected;	     /* events given to the guest */
	bool held;	     /* see vcpu_hold() */
	bool eoi_lent;	     /* see machine.h */
	int taken;	     /* vector the guest just took, -1: none */
	struct vm_exit exit; /* the last one */

	bool running; /* atomic: its CPU is in vcpu_run() */
	bool parked;  /* atomic: its CPU has let go of it for good */
};

#define VCPU_SKIP_FLAGS (BIT(8) | BIT(16)) /* RFLAGS.TF, RF */

/* Makes groups of the state valid. */
static inline void vcpu_need(struct vcpu *vcpu, u32 groups)
{
	u32 missing = groups & ~vcpu->valid;

	if (missing) {
		vcpu->engine->get(vcpu, missing);
		vcpu->valid |= missing;
	}
}

/* What fetching an instruction needs: less than the whole groups. */
static inline void vcpu_need_fetch(struct vcpu *vcpu)
{
	if (vcpu->valid & (STATE_SEGMENTS | STATE_CONTROL))
		vcpu_need(vcpu, STATE_SEGMENTS | STATE_CONTROL);
	else
		vcpu_need(vcpu, STATE_FETCH);
}

/* Groups were changed (they must have been valid). */
static inline void vcpu_changed(struct vcpu *vcpu, u32 groups)
{
	vcpu->dirty |= groups;
}

static inline void vcpu_request(struct vcpu *vcpu, u64 bits)
{
	__atomic_fetch_or(&vcpu->requests, bits, __ATOMIC_SEQ_CST);
}

/*
 * From a device's port write: it cannot take the value now and has done
 * nothing. The guest comes to the same instruction again, after its interrupts.
 */
static inline void vcpu_hold(struct vcpu *vcpu)
{
	vcpu->held = true;
}

/* Also gets the vCPU out of the guest if it is there on another CPU. */
void vcpu_kick(struct vcpu *vcpu, u64 request);

/* Steps over the instruction that exited; ends an interrupt shadow. */
static inline void vcpu_skip(struct vcpu *vcpu, const struct vm_exit *exit);
void vcpu_skip_rare(struct vcpu *vcpu, u64 old_rip);
unsigned fetch_length(struct vcpu *vcpu); /* walk.h */

static inline void vcpu_skip(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vcpu_state *s = &vcpu->state;
	unsigned length = exit->ilen;
	u64 old = s->rip;

	if (!length)
		length = fetch_length(vcpu);
	s->rip = old + length;
	s->shadow = 0;
	vcpu->dirty |= STATE_CORE;
	/* Nothing to skip, 4 GiB crossed, or single-stepping. */
	if (unlikely(!length || (s->rip ^ old) >> 32 ||
		     (s->rflags & VCPU_SKIP_FLAGS)))
		vcpu_skip_rare(vcpu, old);
}

/* Queues an exception for the next entry; a second one becomes #DF. */
void vcpu_inject(struct vcpu *vcpu, u8 vector, bool has_error, u32 error);

/* The trap of RFLAGS.TF, after an emulated instruction or string element. */
void vcpu_single_step(struct vcpu *vcpu);

static inline void vcpu_inject_ud(struct vcpu *vcpu)
{
	vcpu_inject(vcpu, EXC_UD, false, 0);
}

static inline void vcpu_inject_gp(struct vcpu *vcpu)
{
	vcpu_inject(vcpu, EXC_GP, true, 0);
}

/* The guest's TSC now. */
u64 vcpu_tsc(const struct vcpu *vcpu);

#endif
