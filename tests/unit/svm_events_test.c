/*
 * Interrupts on SVM: what is offered, what has been taken, that an interrupt
 * shadow which the emulator forgets delays it by one instruction and no more,
 * and that what is pending keeps away from EVENTINJ where that repeats it.
 *
 *	links: kernel/svm/events.c
 */
#include "test.h"

#include "cpu/regs.h"
#include "svm/svm.h"

#define VECTOR 0x41
#define CODE   0x1000 /* of the instruction in STI's shadow */

struct svm_caps svm_caps;
static struct vmcb vmcb;
static struct svm_vcpu svm;
static struct vcpu vcpu;
static unsigned came_back;

void svm_come_back(struct svm_vcpu *s)
{
	s->retry_at = 1000;
	came_back++;
}

static void start(u64 rflags)
{
	svm_caps.repeats = false;
	vmcb = (struct vmcb){0};
	svm = (struct svm_vcpu){.vmcb = &vmcb,
				.offered = -1,
				.timer_at = ~0ULL,
				.retry_at = ~0ULL};
	vcpu = (struct vcpu){.hw = &svm, .taken = -1};
	vcpu.state.rflags = rflags;
	vcpu.state.rip = CODE;
	came_back = 0;
}

/* The processor has come back: what the round trip does before the rest. */
static void exited(u32 code, u64 rip, bool shadow)
{
	vmcb.exit_code = code;
	vmcb.rip = vcpu.state.rip = rip;
	vmcb.rflags = vcpu.state.rflags;
	vmcb.int_state = vcpu.state.shadow = shadow;
	vcpu.state.pending.kind = EVENT_NONE;
	vcpu.requests = 0;
	if (svm.after | shadow)
		svm_after_exit(&vcpu);
	if (vmcb.exit_int_info & EVENT_VALID)
		svm_interrupted_event(&vcpu);
}

TEST(injected_at_once_where_the_guest_can_take_it)
{
	start(RFLAGS_IF);
	svm_offer_interrupt(&vcpu, VECTOR);
	CHECK_EQ(vcpu.taken, VECTOR);
	CHECK_EQ(vcpu.state.pending.kind, EVENT_INTERRUPT);
	CHECK(!(vmcb.int_ctl & V_IRQ));
}

TEST(waits_in_v_irq_where_it_cannot)
{
	start(0);
	svm_offer_interrupt(&vcpu, VECTOR);
	CHECK_EQ(vcpu.taken, -1);
	CHECK(vmcb.int_ctl & V_IRQ);
	vmcb.int_ctl &= ~V_IRQ;
	exited(VMEXIT_CPUID, CODE + 8, false);
	CHECK_EQ(vcpu.taken, VECTOR);
}

/* Offered with IF=0, then STI; the host's own business ends the run there. */
static void stop_in_shadow(void)
{
	start(0);
	svm_offer_interrupt(&vcpu, VECTOR);
	vcpu.state.rflags = RFLAGS_IF;
	exited(VMEXIT_INTR, CODE, true);
	CHECK(vcpu.requests & REQUEST_INTERRUPT);
	svm_offer_interrupt(&vcpu, VECTOR);
	CHECK_EQ(vcpu.taken, -1);
	CHECK(!(vmcb.int_ctl & V_IRQ));
	CHECK_EQ(came_back, 1);
}

TEST(after_the_shadow_an_exit_offers_again)
{
	stop_in_shadow();
	/* TCG has forgotten the shadow; the instruction in it exits. */
	exited(VMEXIT_CPUID, CODE, false);
	CHECK(vcpu.requests & REQUEST_INTERRUPT);
	svm_offer_interrupt(&vcpu, VECTOR);
	CHECK_EQ(vcpu.taken, VECTOR);
}

TEST(the_shadow_outlives_another_stop)
{
	stop_in_shadow();
	exited(VMEXIT_INTR, CODE, false);
	CHECK_EQ(vcpu.state.shadow, SHADOW_STI);
	CHECK(!(vcpu.requests & REQUEST_INTERRUPT));
	exited(VMEXIT_INTR, CODE + 2, false);
	CHECK_EQ(vcpu.state.shadow, 0);
	CHECK(vcpu.requests & REQUEST_INTERRUPT);
}

/* --- an interrupt that is pending */

static void start_pending(bool repeats)
{
	start(RFLAGS_IF);
	svm_caps.repeats = repeats;
	vcpu.state.pending = (struct event){EVENT_INTERRUPT, .vector = VECTOR};
	svm_inject(&vcpu);
}

static void expect_pending(enum event_kind kind, u8 vector)
{
	CHECK_EQ(vcpu.state.pending.kind, kind);
	CHECK_EQ(vcpu.state.pending.vector, vector);
	CHECK_EQ(vmcb.int_ctl, V_INTR_MASKING);
}

TEST(pending_is_injected)
{
	start_pending(false);
	CHECK_EQ(vmcb.event_inj,
		 EVENT_VALID | TYPE_INTERRUPT << EVENT_TYPE_SHIFT | VECTOR);
	CHECK(!(vmcb.int_ctl & V_IRQ));
}

TEST(pending_goes_by_v_irq_where_eventinj_repeats)
{
	start_pending(true);
	CHECK(!(vmcb.event_inj & EVENT_VALID));
	CHECK(vmcb.int_ctl & V_IRQ);
	CHECK_EQ(vmcb.int_ctl >> V_INTR_VECTOR_SHIFT, VECTOR);
	vmcb.int_ctl &= ~V_IRQ;
	vcpu.taken = -1;
	vcpu.state.rflags = 0; /* in its handler */
	exited(VMEXIT_CPUID, CODE + 8, false);
	expect_pending(EVENT_NONE, VECTOR);
	CHECK_EQ(vcpu.taken, -1); /* it was when it became pending */
	CHECK(!vcpu.requests);
}

/* Else it would be lost to a guest that halts before it is delivered. */
TEST(where_eventinj_repeats_it_is_taken_when_v_irq_is_clear)
{
	start(RFLAGS_IF);
	svm_caps.repeats = true;
	svm_offer_interrupt(&vcpu, VECTOR);
	CHECK_EQ(vcpu.taken, -1);
	CHECK_EQ(vcpu.state.pending.kind, EVENT_NONE);
	CHECK(vmcb.int_ctl & V_IRQ);
	/* The guest has gone on: to HLT, to a device's register. */
	exited(VMEXIT_NPF, CODE + 8, false);
	CHECK_EQ(vcpu.taken, -1);
	CHECK_EQ(vcpu.state.pending.kind, EVENT_NONE);
	CHECK(vcpu.requests & REQUEST_INTERRUPT);
	svm_offer_interrupt(&vcpu, VECTOR);
	vmcb.int_ctl &= ~V_IRQ;
	exited(VMEXIT_CPUID, CODE + 16, false);
	CHECK_EQ(vcpu.taken, VECTOR);
}

TEST(not_delivered_it_is_pending_again)
{
	start_pending(true);
	exited(VMEXIT_INTR, CODE, false);
	expect_pending(EVENT_INTERRUPT, VECTOR);
}

/* A fault on its stack: the emulator calls it an exception. */
TEST(interrupted_it_is_pending_again)
{
	start_pending(true);
	vmcb.exit_int_info =
		EVENT_VALID | TYPE_EXCEPTION << EVENT_TYPE_SHIFT | VECTOR;
	exited(VMEXIT_NPF, CODE, false);
	expect_pending(EVENT_INTERRUPT, VECTOR);
}

/* Its gate faults, that fault's stack does: the fault is what goes on. */
TEST(another_event_in_its_way_replaces_it)
{
	start_pending(true);
	vmcb.exit_int_info =
		EVENT_VALID | TYPE_EXCEPTION << EVENT_TYPE_SHIFT | EXC_NP;
	exited(VMEXIT_NPF, CODE, false);
	expect_pending(EVENT_EXCEPTION, EXC_NP);
}

TEST(what_is_offered_makes_way_and_comes_back)
{
	start_pending(true);
	vcpu.state.pending = (struct event){EVENT_INTERRUPT, .vector = VECTOR};
	svm_offer_interrupt(&vcpu, VECTOR + 16);
	svm_inject(&vcpu);
	CHECK_EQ(vmcb.int_ctl >> V_INTR_VECTOR_SHIFT, VECTOR);
	CHECK_EQ(came_back, 1);
	vcpu.taken = -1;
	vmcb.int_ctl &= ~V_IRQ;
	vcpu.state.rflags = 0;
	exited(VMEXIT_INTR, CODE + 8, false);
	CHECK_EQ(vcpu.taken, -1);
	CHECK(vcpu.requests & REQUEST_INTERRUPT);
	svm_offer_interrupt(&vcpu, VECTOR + 16);
	CHECK_EQ(vmcb.int_ctl >> V_INTR_VECTOR_SHIFT, VECTOR + 16);
	CHECK(svm.after & AFTER_IRQ);
}
