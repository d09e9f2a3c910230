/*
 * Interrupts on SVM: what is offered, what has been taken, and that an
 * interrupt shadow which the emulator forgets delays it by one instruction and
 * no more.
 *
 *	links: kernel/svm/events.c
 */
#include "test.h"

#include "cpu/regs.h"
#include "svm/svm.h"

#define VECTOR 0x41
#define CODE   0x1000 /* of the instruction in STI's shadow */

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
