/* Segmentation for accesses made on the guest's behalf. */
#include "cpu/regs.h"
#include "vm/handlers.h"

static err_t refuse(struct exit_exception *fault, enum segment_name name)
{
	*fault = (struct exit_exception){name == SS ? EXC_SS : EXC_GP, true, 0,
					 0};
	return E_FAULT;
}

/* Data segments may grow down: then the limit is what is not allowed. */
static bool within_limit(const struct segment *seg, u64 offset, unsigned n)
{
	bool code = seg->attr & 8, down = !code && (seg->attr & 4);
	u64 last = offset + n - 1;

	if (!down)
		return last <= seg->limit;
	return offset > seg->limit &&
	       last <= (seg->attr & SEG_DB ? 0xffffffff : 0xffff);
}

static bool allows(const struct segment *seg, bool write)
{
	bool code = seg->attr & 8, bit1 = seg->attr & 2;

	if (!(seg->attr & SEG_P))
		return false;
	return write ? !code && bit1 : !code || bit1;
}

err_t segment_linear(struct vcpu *vcpu, enum segment_name name, u64 offset,
		     unsigned n, bool write, u64 *linear,
		     struct exit_exception *fault)
{
	const struct vcpu_state *s = &vcpu->state;
	const struct segment *seg = &s->seg[name];
	enum cpu_mode mode;

	vcpu_need(vcpu, STATE_SEGMENTS | STATE_CONTROL);
	mode = state_mode(s);
	if (mode == MODE_64) {
		*linear =
			name == FS || name == GS ? seg->base + offset : offset;
		if ((u64)((i64)(*linear << 16) >> 16) != *linear)
			return refuse(fault, name);
		return E_OK;
	}
	/* Real and virtual 8086 mode know limits but no types. */
	if (mode != MODE_REAL && mode != MODE_VM86 && !allows(seg, write))
		return refuse(fault, name);
	if (!within_limit(seg, offset, n))
		return refuse(fault, name);
	*linear = (u32)(seg->base + offset);
	return E_OK;
}
