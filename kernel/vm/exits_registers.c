/* Control, debug and extended control registers, by the manuals' rules. */
#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/string.h"
#include "vm/handlers.h"
#include "vm/machine.h"
#include "vm/model.h"

#define CR0_KNOWN                                                       \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | \
	 CR0_AM | CR0_NW | CR0_CD | CR0_PG)

/*
 * PAE paging loads its four pointers at once (SDM vol. 3A 4.4.1): those that
 * are present must have no reserved bit. E_INVALID: #GP, and nothing has
 * changed.
 */
static err_t load_pdptes(struct vcpu *vcpu, u64 cr0, u64 cr3, u64 cr4)
{
	const u64 reserved =
		0x1e6 | ~(BIT(vcpu->vm->model->limits.phys_bits) - 1);
	struct vcpu_state *s = &vcpu->state;
	u64 pdpte[4];

	if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE) || (s->efer & EFER_LME)) {
		s->pdpte_valid = false;
		return E_OK;
	}
	if (guest_read(&vcpu->vm->memory, cr3 & 0xffffffe0, pdpte,
		       sizeof(pdpte)))
		return E_INVALID; /* all ones there */
	for (unsigned i = 0; i < 4; i++)
		if ((pdpte[i] & 1) && (pdpte[i] & reserved))
			return E_INVALID;
	memcpy(s->pdpte, pdpte, sizeof(pdpte));
	s->pdpte_valid = true;
	return E_OK;
}

/*
 * MOV to CR0 (SDM vol. 2B MOV CRn, vol. 3A 2.5). Turning paging on or off moves
 * EFER.LMA with it, and reloads PAE's PDPTEs from memory.
 */
static err_t write_guest_cr0(struct vcpu *vcpu, u64 value)
{
	struct vcpu_state *s = &vcpu->state;
	u64 changed;

	if (value >> 32)
		return E_INVALID;
	value = (value & CR0_KNOWN) | CR0_ET;
	changed = value ^ s->cr0;
	if ((value & CR0_PG) && !(value & CR0_PE))
		return E_INVALID;
	if ((value & CR0_NW) && !(value & CR0_CD))
		return E_INVALID;
	if (changed & value & CR0_PG) {
		if ((s->efer & EFER_LME) &&
		    (!(s->cr4 & CR4_PAE) || (s->seg[CS].attr & SEG_L)))
			return E_INVALID;
		if (load_pdptes(vcpu, value, s->cr3, s->cr4))
			return E_INVALID;
		if (s->efer & EFER_LME)
			s->efer |= EFER_LMA;
	}
	if (changed & ~value & CR0_PG) {
		if (s->seg[CS].attr & SEG_L)
			return E_INVALID; /* 64-bit code cannot */
		s->efer &= ~EFER_LMA;
	}
	s->cr0 = value;
	vcpu->code.page = ~0ULL;
	if (changed & (CR0_PG | CR0_WP | CR0_PE))
		vcpu->engine->flush(vcpu);
	return E_OK;
}

static err_t write_guest_cr3(struct vcpu *vcpu, u64 value)
{
	struct vcpu_state *s = &vcpu->state;

	if ((s->efer & EFER_LMA) && value >> vcpu->vm->model->limits.phys_bits)
		return E_INVALID;
	if (!(s->efer & EFER_LMA))
		value = (u32)value;
	if (load_pdptes(vcpu, s->cr0, value, s->cr4))
		return E_INVALID;
	s->cr3 = value;
	vcpu->engine->flush(vcpu);
	return E_OK;
}

static err_t write_guest_cr4(struct vcpu *vcpu, u64 value)
{
	struct vcpu_state *s = &vcpu->state;
	u64 changed = value ^ s->cr4;

	if (value & ~vcpu->vm->model->limits.cr4_allowed)
		return E_INVALID;
	if ((s->efer & EFER_LMA) && !(value & CR4_PAE))
		return E_INVALID;
	if ((changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP)) &&
	    load_pdptes(vcpu, s->cr0, s->cr3, value))
		return E_INVALID;
	s->cr4 = value;
	if (changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP | CR4_SMAP))
		vcpu->engine->flush(vcpu);
	return E_OK;
}

static err_t write_guest_cr8(struct vcpu *vcpu, u64 value)
{
	if (value > 15)
		return E_INVALID;
	machine->cr8_write(vcpu, value);
	vcpu_request(vcpu, REQUEST_INTERRUPT);
	return E_OK;
}

static err_t write_cr(struct vcpu *vcpu, unsigned number, u64 value)
{
	switch (number) {
	case 0:
		return write_guest_cr0(vcpu, value);
	case 3:
		return write_guest_cr3(vcpu, value);
	case 4:
		return write_guest_cr4(vcpu, value);
	case 8:
		return write_guest_cr8(vcpu, value);
	}
	return E_NOTFOUND;
}

static err_t read_cr(struct vcpu *vcpu, unsigned number, u64 *value)
{
	const struct vcpu_state *s = &vcpu->state;

	switch (number) {
	case 0:
		*value = s->cr0;
		return E_OK;
	case 3:
		*value = s->cr3;
		return E_OK;
	case 4:
		*value = s->cr4;
		return E_OK;
	case 8:
		*value = machine->cr8_read(vcpu);
		return E_OK;
	}
	return E_NOTFOUND;
}

/* LMSW changes the low four bits and cannot clear PE. */
static u64 lmsw_value(u64 cr0, u16 operand)
{
	return (cr0 & ~0xeULL) | (operand & 0xf);
}

enum next_step handle_cr(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct exit_cr *cr = &exit->cr;
	struct vcpu_state *s = &vcpu->state;
	u64 value = 0, size;
	err_t err;

	vcpu_need(vcpu, STATE_CONTROL | STATE_SEGMENTS);
	size = state_mode(s) == MODE_64 ? 8 : 4;
	switch (cr->access) {
	case CR_READ:
		err = read_cr(vcpu, cr->number, &value);
		if (!err)
			set_gpr(vcpu, cr->gpr, size, value);
		break;
	case CR_CLTS:
		err = write_guest_cr0(vcpu, s->cr0 & ~CR0_TS);
		break;
	case CR_LMSW:
		err = write_guest_cr0(vcpu, lmsw_value(s->cr0, cr->lmsw));
		break;
	default:
		value = s->gpr[cr->gpr];
		err = write_cr(vcpu, cr->number,
			       size == 8 ? value : (u32)value);
	}
	if (err == E_NOTFOUND) {
		vcpu_inject_ud(vcpu);
	} else if (err) {
		vcpu_inject_gp(vcpu);
	} else {
		vcpu_changed(vcpu, STATE_CONTROL);
		return NEXT_SKIP;
	}
	return NEXT_ENTER;
}

/* Fixed bits of DR6 and DR7 (SDM vol. 3B 18.2.3, 18.2.4). */
#define DR6_FIXED 0xffff0ff0u
#define DR6_KNOWN 0x0000e00fu
#define DR7_FIXED 0x00000400u
#define DR7_KNOWN 0xffff2bffu
#define DR7_GD	  BIT(13)

static void load_breakpoint(unsigned number, u64 address)
{
	switch (number) {
	case 0:
		write_dr0(address);
		break;
	case 1:
		write_dr1(address);
		break;
	case 2:
		write_dr2(address);
		break;
	case 3:
		write_dr3(address);
		break;
	}
}

static err_t write_dr(struct vcpu *vcpu, unsigned number, u64 value)
{
	struct vcpu_state *s = &vcpu->state;

	if (number < 4) {
		s->dr[number] = value;
		load_breakpoint(number, value);
		return E_OK;
	}
	if (value >> 32)
		return E_INVALID;
	if (number == 6)
		s->dr6 = (value & DR6_KNOWN) | DR6_FIXED;
	else
		s->dr7 = (value & DR7_KNOWN) | DR7_FIXED;
	vcpu_changed(vcpu, STATE_DEBUG);
	return E_OK;
}

/* DR7.GD guards all debug registers: #DB before the access, GD cleared. */
static void guard_detected(struct vcpu *vcpu)
{
	vcpu->state.dr6 |= BIT(13); /* BD */
	vcpu->state.dr7 &= ~DR7_GD;
	vcpu_changed(vcpu, STATE_DEBUG);
	vcpu_inject(vcpu, EXC_DB, false, 0);
}

enum next_step handle_dr(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vcpu_state *s = &vcpu->state;
	unsigned number = exit->dr.number, size;

	vcpu_need(vcpu, STATE_DEBUG | STATE_CONTROL | STATE_SEGMENTS);
	size = state_mode(s) == MODE_64 ? 8 : 4;
	if (number == 4 || number == 5) {
		if (s->cr4 & CR4_DE) {
			vcpu_inject_ud(vcpu);
			return NEXT_ENTER;
		}
		number += 2;
	}
	if (state_cpl(s) != 0) {
		vcpu_inject_gp(vcpu);
	} else if (s->dr7 & DR7_GD) {
		guard_detected(vcpu);
	} else if (exit->dr.read) {
		set_gpr(vcpu, exit->dr.gpr, size,
			number < 4    ? s->dr[number]
			: number == 6 ? s->dr6
				      : s->dr7);
		return NEXT_SKIP;
	} else {
		u64 value = s->gpr[exit->dr.gpr];

		if (write_dr(vcpu, number, size == 8 ? value : (u32)value))
			vcpu_inject_gp(vcpu);
		else
			return NEXT_SKIP;
	}
	return NEXT_ENTER;
}

/* XSETBV (SDM vol. 2D): CPL 0, register 0, a valid set of components. */
enum next_step handle_xsetbv(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vcpu_state *s = &vcpu->state;
	u64 value = (u32)s->gpr[RAX] | s->gpr[RDX] << 32;

	vcpu_need(vcpu, STATE_SEGMENTS | STATE_CONTROL);
	if (!(s->cr4 & CR4_OSXSAVE)) {
		vcpu_inject_ud(vcpu);
		return NEXT_ENTER;
	}
	if (state_cpl(s) != 0 || (u32)s->gpr[RCX] != 0 || !(value & 1) ||
	    (value & ~vcpu->vm->model->limits.xcr0_allowed) ||
	    (value & 6) == 4) {
		vcpu_inject_gp(vcpu);
		return NEXT_ENTER;
	}
	s->xcr0 = value;
	xsetbv(0, value);
	return NEXT_SKIP;
}
