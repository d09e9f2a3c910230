#include "vm/context.h"

#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/string.h"
#include "vm/vcpu.h"

/* All components the host has: also those that the guest has turned off now
 * keep their content (SDM vol. 1 13.8), so save and load with everything on. */
static void fpu_load(struct vcpu_state *s)
{
	if (!features.xsave) {
		asm volatile("fxrstor64 %0" ::"m"(s->xsave));
		return;
	}
	xsetbv(0, features.xcr0);
	asm volatile("xrstor64 %0" ::"m"(s->xsave), "a"(~0u), "d"(~0u));
	xsetbv(0, s->xcr0);
}

/*
 * One content, one form: which components XSTATE_BV calls initial differs from
 * processor to processor, and MXCSR_MASK is the host's own (SDM vol. 1 13.4.2,
 * 13.7). x87 and SSE are always there; AVX is, if it is not zero.
 */
#define XSAVE_MXCSR_MASK 28
#define XSAVE_XSTATE_BV	 512
#define XSAVE_AVX	 576

static void fpu_normalise(struct vcpu_state *s)
{
	const u64 *avx = (const u64 *)(s->xsave + XSAVE_AVX);
	u64 any = 0;

	for (unsigned i = 0; i < 256 / sizeof(u64); i++)
		any |= avx[i];
	memset(s->xsave + XSAVE_MXCSR_MASK, 0, 4);
	s->xsave[XSAVE_XSTATE_BV] = any ? 7 : 3;
}

static void fpu_save(struct vcpu_state *s)
{
	if (!features.xsave) {
		asm volatile("fxsave64 %0" : "=m"(s->xsave));
		fpu_normalise(s);
		return;
	}
	s->xcr0 = xgetbv(0);
	xsetbv(0, features.xcr0);
	asm volatile("xsave64 %0" : "=m"(s->xsave) : "a"(~0u), "d"(~0u));
	fpu_normalise(s);
}

void context_load(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;

	fpu_load(s);
	write_dr0(s->dr[0]);
	write_dr1(s->dr[1]);
	write_dr2(s->dr[2]);
	write_dr3(s->dr[3]);
	if (features.rdtscp)
		wrmsr(MSR_TSC_AUX, s->tsc_aux);
}

/* DR0-3 and TSC_AUX are in the state already: every change of theirs exits. */
void context_save(struct vcpu *vcpu)
{
	fpu_save(&vcpu->state);
}
