/*
 * Second-level faults. On RAM: the guest's first step there, or a right was
 * taken away to see the write; that is counted and given back. Elsewhere: a
 * device's memory, or nothing at all; the instruction is fetched, decoded and
 * done here, one element at a time.
 */
#include "cpu/regs.h"
#include "trace/trace.h"
#include "vm/decode_mmio.h"
#include "vm/dirty.h"
#include "vm/handlers.h"
#include "vm/walk.h"

static enum next_step ram_fault(struct vcpu *vcpu, const struct exit_memory *m)
{
	struct vm *vm = vcpu->vm;
	/* What walks the guest's tables may set A and D there. */
	bool write = m->access & (MEM_WRITE | MEM_TABLE), mapped;
	struct slpt_leaf leaf;
	err_t err = E_OK;

	spin_lock(&vm->tables_lock);
	mapped = slpt_lookup(&vm->slpt, m->gpa, &leaf);
	if (mapped)
		vm->write_faults++;
	else
		err = vm_map_chunk(vm, m->gpa);
	if (!err && (mapped || write))
		err = dirty_fault(vm, m->gpa, write);
	if (write && trace_wants(TRACE_DIRTY) && dirty_way(vm) != DIRTY_OFF)
		trace_put(TRACE_DIRTY_FAULT, trace_who(vm->index, vcpu->id), 0,
			  m->gpa, vcpu->state.rip, 0);
	spin_unlock(&vm->tables_lock);
	if (err)
		vm_crash(vm, "no memory for the tables of GPA %lx", m->gpa);
	return NEXT_ENTER;
}

/* One access that may lie in RAM, on a device, or on neither. */
static u64 gpa_read(struct vcpu *vcpu, u64 gpa, unsigned size)
{
	struct vm *vm = vcpu->vm;
	u64 value = 0;

	if (!guest_read(&vm->memory, gpa, &value, size))
		return value;
	spin_lock(&vm->lock);
	value = bus_read(&vm->mmio, vcpu, gpa, size);
	spin_unlock(&vm->lock);
	vcpu_request(vcpu, REQUEST_INTERRUPT);
	return value;
}

static void gpa_write(struct vcpu *vcpu, u64 gpa, unsigned size, u64 value)
{
	struct vm *vm = vcpu->vm;

	if (!guest_write(&vm->memory, gpa, &value, size))
		return;
	spin_lock(&vm->lock);
	bus_write(&vm->mmio, vcpu, gpa, size, value);
	spin_unlock(&vm->lock);
	vcpu_request(vcpu, REQUEST_INTERRUPT);
}

/* Where an operand is: its linear address and the page or pages behind it. */
struct place {
	u64 gpa, second; /* of the bytes beyond the page's end */
	unsigned first;	 /* bytes before it */
	unsigned size;
};

static err_t find_place(struct vcpu *vcpu, u8 segment, u64 offset,
			unsigned size, bool write, struct place *place,
			struct exit_exception *fault)
{
	u32 access = (write ? WALK_WRITE : 0) |
		     (state_cpl(&vcpu->state) == 3 ? WALK_USER : 0);
	u64 linear;
	err_t err = segment_linear(vcpu, segment, offset, size, write, &linear,
				   fault);

	if (err)
		return err;
	place->size = size;
	place->first = MIN(size, PAGE_SIZE - (linear & PAGE_MASK));
	err = walk_linear(vcpu, linear, access, &place->gpa, fault);
	if (!err && place->first < size)
		err = walk_linear(vcpu, linear + place->first, access,
				  &place->second, fault);
	return err;
}

static u64 place_read(struct vcpu *vcpu, const struct place *p)
{
	u64 value = 0;

	if (p->first == p->size)
		return gpa_read(vcpu, p->gpa, p->size);
	for (unsigned i = 0; i < p->size; i++)
		value |= gpa_read(vcpu,
				  i < p->first ? p->gpa + i
					       : p->second + i - p->first,
				  1)
			 << (8 * i);
	return value;
}

static void place_write(struct vcpu *vcpu, const struct place *p, u64 value)
{
	if (p->first == p->size) {
		gpa_write(vcpu, p->gpa, p->size, value);
		return;
	}
	for (unsigned i = 0; i < p->size; i++)
		gpa_write(vcpu,
			  i < p->first ? p->gpa + i : p->second + i - p->first,
			  1, value >> (8 * i));
}

/* One element; of MOVS the source is a place of its own. */
static err_t execute(struct vcpu *vcpu, const struct insn *insn,
		     const struct mmio_op *op, struct exit_exception *fault)
{
	struct vcpu_state *s = &vcpu->state;
	struct place from, to;
	u64 value = 0, offset;
	u8 segment;
	err_t err;

	offset = mmio_offset(op, insn, s->gpr, s->rip + insn->length, &segment);
	err = find_place(vcpu, segment, offset, op->size, op->write, &to,
			 fault);
	from = to;
	if (!err && op->kind == MMIO_MOVS)
		err = find_place(vcpu, insn->segment,
				 mmio_movs_source(insn, s->gpr), op->size,
				 false, &from, fault);
	if (err)
		return err;
	if (op->read)
		value = place_read(vcpu, &from);
	mmio_execute(op, s->gpr, &s->rflags, &value);
	if (op->write)
		place_write(vcpu, &to, value);
	return E_OK;
}

static bool is_string(const struct mmio_op *op)
{
	return op->kind == MMIO_STOS || op->kind == MMIO_LODS ||
	       op->kind == MMIO_MOVS;
}

static enum next_step emulate(struct vcpu *vcpu, struct vm_exit *exit,
			      const struct insn *insn, const struct mmio_op *op)
{
	struct vcpu_state *s = &vcpu->state;
	struct exit_exception fault;
	bool string = is_string(op);

	exit->ilen = insn->length;
	if (string && mmio_string_done(op, insn, s->gpr)) {
		return NEXT_SKIP;
	}
	if (execute(vcpu, insn, op, &fault)) {
		vcpu_inject_fault(vcpu, &fault);
		return NEXT_ENTER;
	}
	vcpu_changed(vcpu, STATE_CORE);
	/* A repeated string comes back for its next element by itself. */
	if (!string || !mmio_string_step(op, insn, s->gpr, s->rflags))
		return NEXT_SKIP;
	if (s->rflags & RFLAGS_TF)
		vcpu_single_step(vcpu);
	return NEXT_ENTER;
}

/* What cannot be emulated, in words. */
static const char *hopeless(struct vcpu *vcpu, const struct exit_memory *m)
{
	if (m->access & MEM_TABLE)
		return "the guest's page tables are outside its memory";
	if (m->access & MEM_FETCH)
		return "code outside its memory";
	if (vcpu->exit.delivery)
		return "an event's stack or table is outside its memory";
	return NULL;
}

static enum next_step device_fault(struct vcpu *vcpu, struct vm_exit *exit)
{
	const char *why = hopeless(vcpu, &exit->memory);
	struct mmio_op op;
	struct insn insn;
	u8 bytes[INSN_MAX];
	size_t n;

	vcpu_need(vcpu, STATE_SEGMENTS | STATE_CONTROL);
	if (!why) {
		n = fetch_insn(vcpu, bytes);
		if (decode(bytes, n, decode_mode_of(state_mode(&vcpu->state)),
			   &insn))
			why = "its instruction cannot be decoded";
		else if (decode_mmio(&insn, &op))
			why = "its instruction is none for devices";
	}
	if (why) {
		vm_crash(vcpu->vm, "access to GPA %lx: %s", exit->memory.gpa,
			 why);
		return NEXT_LEAVE;
	}
	return emulate(vcpu, exit, &insn, &op);
}

enum next_step handle_memory(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct exit_memory *m = &exit->memory;

	if (guest_is_ram(&vcpu->vm->memory, m->gpa, 1))
		return ram_fault(vcpu, m);
	return device_fault(vcpu, exit);
}
