#include "vm/selftest_rig.h"

#include <stdarg.h>

#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "vm/context.h"
#include "vm/machine.h"
#include "vm/run.h"
#include "vm/sched.h"
#include "vm/shootdown.h"

#define RIG_TABLES 0x10000 /* PML4 or PDPT, PDPT, PD */
#define RIG_ALIAS  GIB(3)  /* the device hole: nothing is mapped there */

const char *rig_why(const char *fmt, ...)
{
	static char text[120];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return text;
}

static err_t make(struct rig *rig, const struct vm_config *config, unsigned tag)
{
	err_t err;

	memset(rig, 0, sizeof(*rig));
	rig->vm = kzalloc(sizeof(*rig->vm));
	if (!rig->vm)
		return E_NOMEM;
	rig->vm->config = *config;
	copy_string(rig->vm->config.name, VM_NAME_MAX, "selftest");
	rig->vm->index = VMS_MAX + tag; /* no other VM's tags */
	rig->vm->tsc_base = rdtsc();
	err = vm_build_bare(rig->vm);
	if (!err)
		err = machine->create(rig->vm);
	if (err)
		rig_free(rig);
	else
		rig->vcpu = rig->vm->vcpu[0];
	return err;
}

err_t rig_make(struct rig *rig)
{
	static const struct vm_config config = {
		.memory = MIB(4),
		.cpus = 1,
		.populate = true, /* nobody answers faults here */
	};
	err_t err = make(rig, &config, 0);

	if (err)
		return err;
	err = slpt_split(&rig->vm->slpt, 0, config.memory, PAGE_SIZE);
	if (err)
		rig_free(rig);
	return err;
}

err_t rig_make_lazy(struct rig *rig, u64 memory, unsigned cpus)
{
	const struct vm_config config = {.memory = memory, .cpus = cpus};

	return make(rig, &config, 1);
}

void rig_free(struct rig *rig)
{
	vm_release(rig->vm);
	kfree(rig->vm);
}

u8 *rig_byte(struct rig *rig, u64 gpa)
{
	u64 left;

	return guest_ram(&rig->vm->memory, gpa, &left);
}

void rig_code(struct rig *rig, const char *bytes, size_t n)
{
	memcpy(rig_byte(rig, RIG_CODE), bytes, n);
}

static struct segment flat(u16 selector, u16 type_bits, u16 size_bits)
{
	return (struct segment){selector,
				SEG_P | SEG_S | SEG_G | size_bits | type_bits,
				0xffffffff, 0};
}

/* Different values everywhere, so that a mix-up of two fields shows. */
static void fill_registers(struct vcpu_state *s)
{
	for (unsigned i = 0; i < GPRS; i++)
		s->gpr[i] = 0x1111111111111111ULL * i + 0x123;
	s->gpr[RSP] = 0x8000;
	s->rip = RIG_CODE;
	s->rflags = RFLAGS_R1 | RFLAGS_CF | RFLAGS_PF;
	s->cr2 = 0xc2c2c000;
	s->dr[0] = 0xd0d0;
	s->dr[1] = 0xd1d1;
	s->dr[2] = 0xd2d2;
	s->dr[3] = 0xd3d3;
	s->dr6 = 0xffff4ff1;
	s->star = 0x0023001000000000;
	s->lstar = 0xffffffff81000000;
	s->cstar = 0xffffffff82000000;
	s->sfmask = 0x47700;
	s->kernel_gs_base = 0xffff888012345000;
	s->sysenter_cs = 0x10;
	s->sysenter_esp = 0xffff888000004000;
	s->sysenter_eip = 0xffffffff83000000;
	s->pat = 0x0407050600070106;
	if (features.rdtscp)
		s->tsc_aux = 0x77;
	s->gdtr = (struct descriptor_table){0x3000, 0x7f, 0};
	s->idtr = (struct descriptor_table){0x4000, 0xfff, 0};
}

static void fill_segments(struct vcpu_state *s, enum cpu_mode mode)
{
	u16 bits = mode == MODE_32 ? SEG_DB : 0;

	for (unsigned i = ES; i <= GS; i++)
		s->seg[i] = flat(0x10 + 8 * i, 3, mode == MODE_16 ? 0 : SEG_DB);
	s->seg[CS] = flat(0x08, 11, mode == MODE_64 ? SEG_L : bits);
	s->seg[FS].base = 0x00f5f000;
	s->seg[GS].base = 0x0065f000;
	s->seg[TR] = (struct segment){0x58, SEG_P | 11, 0x67, 0x6000};
	s->seg[LDTR] = (struct segment){0x60, SEG_P | 2, 0x1f, 0x7000};
}

/* Identity: the first GiB by one large page or 2 MiB pages below it. */
static void fill_tables(struct rig *rig)
{
	u64 *top = (u64 *)rig_byte(rig, RIG_TABLES);
	u64 *pdpt = top + 512, *pd = pdpt + 512;

	top[0] = (RIG_TABLES + 0x1000) | 7;
	pdpt[0] = (RIG_TABLES + 0x2000) | 7;
	for (unsigned i = 0; i < 512; i++)
		pd[i] = (u64)i << 21 | 0xe7; /* present, A, D, large */
	pdpt[0] |= 0x20;
	top[0] |= 0x20;
}

void rig_state(struct rig *rig, enum cpu_mode mode)
{
	struct vcpu_state *s = &rig->vcpu->state;

	state_reset(s, 0);
	fill_registers(s);
	s->cr0 = CR0_ET | CR0_NE;
	if (mode == MODE_REAL) {
		s->seg[CS] = (struct segment){0, SEG_P | SEG_S | 3, 0xffff, 0};
	} else {
		fill_segments(s, mode);
		s->cr0 |= CR0_PE | CR0_WP;
	}
	if (mode == MODE_64) {
		fill_tables(rig);
		s->cr0 |= CR0_PG;
		s->cr3 = RIG_TABLES;
		s->cr4 = CR4_PAE | CR4_PGE;
		s->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
	}
	rig->vcpu->valid = rig->vcpu->dirty = STATE_ALL;
}

/* Not an engine's to store: kernel/vm keeps them, or context_save() does. */
static const struct {
	size_t offset, size;
} kept[] = {
#define KEEP(member)                                             \
	{                                                        \
		offsetof(struct vcpu_state, member),             \
			sizeof(((struct vcpu_state *)0)->member) \
	}
	KEEP(gpr),	     KEEP(xsave),    KEEP(xcr0),
	KEEP(tsc_aux),	     KEEP(dr),	     KEEP(cr8),
	KEEP(tsc),	     KEEP(pending),  KEEP(nmi_blocked),
	KEEP(activity),	     KEEP(reserved), KEEP(gdtr.reserved),
	KEEP(idtr.reserved),
#undef KEEP
};

void rig_scribble(struct vcpu_state *state)
{
	static struct vcpu_state old;

	old = *state;
	memset(state, 0xa5, sizeof(*state));
	for (unsigned i = 0; i < ARRAY_LEN(kept); i++)
		memcpy((u8 *)state + kept[i].offset,
		       (u8 *)&old + kept[i].offset, kept[i].size);
}

void rig_attach(struct rig *rig)
{
	sched_unload();
	engine->attach(rig->vcpu);
	context_load(rig->vcpu);
}

void rig_detach(struct rig *rig)
{
	vcpu_need(rig->vcpu, STATE_ALL);
	context_save(rig->vcpu);
	engine->detach(rig->vcpu);
}

void rig_settle(struct rig *rig)
{
	rig_attach(rig);
	rig_detach(rig);
	rig->vcpu->dirty = STATE_ALL;
}

enum exit_reason rig_run(struct rig *rig)
{
	struct vcpu *vcpu = rig->vcpu;
	enum exit_reason reason;

	rig_attach(rig);
	engine->set_timer(vcpu, ~0ULL);
	do {
		if (__atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST) &
		    REQUEST_FLUSH)
			engine->flush(vcpu);
		engine->enter(vcpu);
		reason = vcpu->exit.reason;
		cpu_take_interrupts();
	} while (reason == EXIT_INTERRUPT || reason == EXIT_NMI ||
		 reason == EXIT_TIMER || reason == EXIT_NMI_WINDOW);
	rig_detach(rig);
	return reason;
}

void rig_run_to_halt(struct rig *rig)
{
	struct vcpu *vcpu = rig->vcpu;

	rig->vm->life = VM_RUNNING;
	rig_attach(rig);
	vcpu->running = true;
	while (vcpu->state.activity == ACTIVITY_RUN &&
	       rig->vm->life == VM_RUNNING) {
		vcpu_run(vcpu, ~0ULL);
		cpu_take_interrupts();
	}
	vcpu->running = false;
	rig_detach(rig);
	rig->vm->life = VM_OFF;
}

void rig_start(struct rig *rig, unsigned cpu)
{
	rig->vm->life = VM_RUNNING;
	(void)sched_add(rig->vcpu, cpu);
}

void rig_stop(struct rig *rig)
{
	__atomic_store_n(&rig->vm->life, VM_OFF, __ATOMIC_RELEASE);
	sched_remove(rig->vcpu);
}

void rig_map(struct rig *rig, u64 gpa)
{
	(void)slpt_map(&rig->vm->slpt, gpa, virt_to_phys(rig_byte(rig, gpa)),
		       PAGE_SIZE, SLPT_RWX, PAGE_SIZE);
}

u64 rig_alias(struct rig *rig, u64 size)
{
	/* A 4 KiB leaf can only show the probe's own page. */
	u64 first = virt_to_phys(rig_byte(rig, size == PAGE_SIZE ? 0x5000 : 0));
	u64 start = first & ~(size - 1);

	rig->alias_size = size;
	rig->alias = RIG_ALIAS;
	(void)slpt_map(&rig->vm->slpt, RIG_ALIAS, start, size,
		       SLPT_READ | SLPT_EXEC, size);
	if (size == PAGE_SIZE)
		return RIG_ALIAS - 0x5000;
	return RIG_ALIAS + (first - start);
}

void rig_unalias(struct rig *rig)
{
	tables_begin(rig->vm);
	slpt_unmap(&rig->vm->slpt, rig->alias, rig->alias_size);
	tables_end(rig->vm);
}
