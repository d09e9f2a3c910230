/*
 * IN, OUT and their string forms. A string is done in pieces: each exit handles
 * as many elements as one page and one turn allow, with RCX, RSI and RDI kept
 * right, so that an endless REP can be interrupted like any other instruction.
 */
#include "cpu/regs.h"
#include "lib/string.h"
#include "vm/handlers.h"
#include "vm/walk.h"

#define BATCH 256u /* bytes */

static void port_out(struct vcpu *vcpu, u16 port, unsigned size, u64 value)
{
	struct vm *vm = vcpu->vm;

	spin_lock(&vm->lock);
	bus_write(&vm->ports, vcpu, port, size, value);
	spin_unlock(&vm->lock);
}

static u64 port_in(struct vcpu *vcpu, u16 port, unsigned size)
{
	struct vm *vm = vcpu->vm;
	u64 value;

	spin_lock(&vm->lock);
	value = bus_read(&vm->ports, vcpu, port, size);
	spin_unlock(&vm->lock);
	return value;
}

/* The addresses of a string instruction, from its bytes. */
struct string_op {
	struct exit_io io;
	u8 addr_size;
	u8 segment; /* OUTS' source; INS always writes to ES */
	u64 count;  /* elements left, 1 without REP */
	int step;   /* +size or -size, by RFLAGS.DF */
};

static u64 address_mask(const struct string_op *op)
{
	return op->addr_size == 8 ? ~0ULL : BIT(8 * op->addr_size) - 1;
}

static err_t read_string_op(struct vcpu *vcpu, const struct vm_exit *exit,
			    struct string_op *op, struct insn *insn)
{
	struct vcpu_state *s = &vcpu->state;
	u8 bytes[INSN_MAX];
	size_t n = fetch_insn(vcpu, bytes);

	if (decode(bytes, n, decode_mode_of(state_mode(s)), insn))
		return E_FORMAT;
	/* The bytes may have changed since; the exit says what ran. */
	if (insn->map != MAP_ONE_BYTE || insn->opcode < 0x6c ||
	    insn->opcode > 0x6f)
		return E_FORMAT;
	op->io = exit->io;
	op->addr_size = insn->addr_size;
	op->segment = insn->segment;
	op->step = s->rflags & RFLAGS_DF ? -op->io.size : op->io.size;
	op->count = 1;
	if (op->io.rep)
		op->count = s->gpr[RCX] & address_mask(op);
	return E_OK;
}

/*
 * How many elements this turn does: within one page, the batch and (outside
 * 64-bit mode) 64 KiB of offset, where it may wrap or meet the limit. What does
 * not fit is done alone, and checked alone.
 */
static unsigned elements_now(const struct string_op *op, u64 offset, u64 linear,
			     bool stepping)
{
	u64 in_page = linear & PAGE_MASK, room;
	unsigned size = MAX(op->io.size, 1); /* by the hardware's word */

	if (op->step > 0)
		room = (PAGE_SIZE - in_page) / size;
	else
		room = in_page / size + 1;
	if (op->addr_size < 8 && op->step > 0)
		room = MIN(room, (0x10000 - (offset & 0xffff)) / size);
	else if (op->addr_size < 8)
		room = MIN(room, (offset & 0xffff) / size + 1);
	if (stepping)
		room = 1; /* each has its trap */
	room = MAX(room, 1);
	return MIN(MIN(room, op->count), BATCH / size);
}

/* All that this turn touches, by its two ends. */
static err_t string_span(struct vcpu *vcpu, const struct string_op *op,
			 u64 *linear, unsigned *count,
			 struct exit_exception *fault)
{
	unsigned index = op->io.in ? RDI : RSI;
	enum segment_name segment = op->io.in ? ES : op->segment;
	u64 offset = vcpu->state.gpr[index] & address_mask(op), last, ignored;
	err_t err = segment_linear(vcpu, segment, offset, op->io.size,
				   op->io.in, linear, fault);

	if (err)
		return err;
	*count = elements_now(op, offset, *linear,
			      vcpu->state.rflags & RFLAGS_TF);
	last = offset + (i64)op->step * (i64)(*count - 1);
	if (segment_linear(vcpu, segment, last, op->io.size, op->io.in,
			   &ignored, fault))
		*count = 1; /* the limit lies between: one by one up to it */
	return E_OK;
}

/* done: how many a device has taken. */
static err_t string_out(struct vcpu *vcpu, const struct string_op *op,
			u64 linear, unsigned count, unsigned *done,
			struct exit_exception *fault)
{
	unsigned size = op->io.size;
	u64 low = op->step > 0 ? linear : linear - (u64)(count - 1) * size;
	const struct bus_range *range;
	u8 data[BATCH];
	u32 user = state_cpl(&vcpu->state) == 3 ? WALK_USER : 0;
	err_t err = linear_read(vcpu, low, data, count * size, user, fault);

	if (err)
		return err;
	range = bus_find(&vcpu->vm->ports, op->io.port, size);
	if (size == 1 && op->step > 0 && range && range->ops->write_bytes) {
		spin_lock(&vcpu->vm->lock);
		range->ops->write_bytes(range->device, vcpu, data, count);
		spin_unlock(&vcpu->vm->lock);
		*done = vcpu->held ? 0 : count;
		return E_OK;
	}
	for (*done = 0; *done < count; ++*done) {
		unsigned at = op->step > 0 ? *done : count - 1 - *done;
		u64 value = 0;

		memcpy(&value, data + at * size, size);
		port_out(vcpu, op->io.port, size, value);
		if (vcpu->held)
			break;
	}
	return E_OK;
}

/* The page is written first with what it holds: a fault must lose no input. */
static err_t string_in(struct vcpu *vcpu, const struct string_op *op,
		       u64 linear, unsigned count, struct exit_exception *fault)
{
	unsigned size = op->io.size;
	u64 low = op->step > 0 ? linear : linear - (u64)(count - 1) * size;
	u8 data[BATCH];
	u32 user = state_cpl(&vcpu->state) == 3 ? WALK_USER : 0;
	u64 gpa;
	err_t err = walk_linear(vcpu, low, user | WALK_WRITE, &gpa, fault);

	if (!err)
		err = walk_linear(vcpu, low + count * size - 1,
				  user | WALK_WRITE, &gpa, fault);
	if (err)
		return err;
	for (unsigned i = 0; i < count; i++) {
		unsigned at = op->step > 0 ? i : count - 1 - i;
		u64 value = port_in(vcpu, op->io.port, size);

		memcpy(data + at * size, &value, size);
	}
	return linear_write(vcpu, low, data, count * size, user, fault);
}

static void advance(struct vcpu *vcpu, const struct string_op *op,
		    unsigned count)
{
	unsigned index = op->io.in ? RDI : RSI;
	u64 *gpr = vcpu->state.gpr;

	set_gpr(vcpu, index, op->addr_size,
		gpr[index] + (i64)op->step * (i64)count);
	if (op->io.rep)
		set_gpr(vcpu, RCX, op->addr_size, gpr[RCX] - count);
}

/* What a device could not take; meanwhile others have their turns. */
static enum next_step come_again(struct vcpu *vcpu)
{
	vcpu->held = false;
	return NEXT_LEAVE;
}

static enum next_step string_io(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct exit_exception fault;
	struct string_op op;
	struct insn insn;
	unsigned count = 0, done;
	u64 linear;
	err_t err;

	vcpu_need(vcpu, STATE_SEGMENTS | STATE_CONTROL);
	/* Another CPU has changed it, or it is a form that no processor has. */
	if (read_string_op(vcpu, exit, &op, &insn)) {
		vcpu_inject_ud(vcpu);
		return NEXT_ENTER;
	}
	exit->ilen = insn.length;
	if (!op.count) {
		return NEXT_SKIP;
	}
	err = string_span(vcpu, &op, &linear, &count, &fault);
	done = count;
	if (!err)
		err = op.io.in ? string_in(vcpu, &op, linear, count, &fault)
			       : string_out(vcpu, &op, linear, count, &done,
					    &fault);
	if (err) {
		vcpu_inject_fault(vcpu, &fault);
		return NEXT_ENTER;
	}
	advance(vcpu, &op, done);
	if (unlikely(vcpu->held))
		return come_again(vcpu);
	if (done == op.count)
		return NEXT_SKIP;
	if (vcpu->state.rflags & RFLAGS_TF)
		vcpu_single_step(vcpu);
	return NEXT_ENTER;
}

enum next_step handle_io(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct exit_io *io = &exit->io;

	if (unlikely(io->string))
		return string_io(vcpu, exit);
	if (io->in)
		set_gpr(vcpu, RAX, io->size, port_in(vcpu, io->port, io->size));
	else
		port_out(vcpu, io->port, io->size, vcpu->state.gpr[RAX]);
	return unlikely(vcpu->held) ? come_again(vcpu) : NEXT_SKIP;
}
