#include "vm/selftest.h"

#include "cpu/cpu.h"
#include "cpu/lapic.h"
#include "cpu/regs.h"
#include "cpu/selftest.h"
#include "lib/string.h"
#include "vm/selftest_rig.h"
#include "vm/shootdown.h"

/* Before the reason of a test that this machine cannot do. */
#define SKIP "-"

/* --- state */

static const enum cpu_mode modes[] = {MODE_REAL, MODE_16, MODE_32, MODE_64};

/* Into the hardware and out again, without running anything. */
static const char *roundtrip(struct rig *rig)
{
	static struct vcpu_state before;
	struct vcpu *vcpu = rig->vcpu;

	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		const char *field;

		rig_state(rig, modes[i]);
		rig_settle(rig);
		before = vcpu->state;
		rig_attach(rig);
		engine->put(vcpu, STATE_ALL);
		rig_scribble(&vcpu->state);
		engine->get(vcpu, STATE_ALL);
		rig_detach(rig);
		state_normalise(&before);
		state_normalise(&vcpu->state);
		field = state_difference(&before, &vcpu->state);
		if (field)
			return rig_why("%s: %s changed", mode_name(modes[i]),
				       field);
	}
	return NULL;
}

/* The same through a real entry: the guest executes one HLT. */
static const char *entry(struct rig *rig)
{
	static struct vcpu_state before;
	struct vcpu *vcpu = rig->vcpu;

	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		const char *field;

		rig_state(rig, modes[i]);
		rig_code(rig, "\xf4", 1);
		rig_settle(rig);
		before = vcpu->state;
		if (rig_run(rig) != EXIT_HLT)
			return rig_why("%s: %s instead of hlt",
				       mode_name(modes[i]),
				       exit_names[vcpu->exit.reason]);
		state_normalise(&before);
		state_normalise(&vcpu->state);
		field = state_difference(&before, &vcpu->state);
		if (field)
			return rig_why("%s: %s changed", mode_name(modes[i]),
				       field);
	}
	return NULL;
}

/* Software and hardware refuse the same state; the host goes on. */
static const char *refusal(struct rig *rig)
{
	struct vcpu *vcpu = rig->vcpu;
	char why[128];

	rig_state(rig, MODE_64);
	rig_code(rig, "\xf4", 1);
	vcpu->state.cr4 &= ~BIT(5); /* long mode without PAE */
	if (!state_check(&vcpu->state, &rig->vm->model->limits, why,
			 sizeof(why)))
		return "state_check() lets long mode without PAE pass";
	if (rig_run(rig) != EXIT_ENTRY_FAILED)
		return "the hardware entered long mode without PAE";
	rig_state(rig, MODE_64);
	return rig_run(rig) == EXIT_HLT ? NULL : "no entry after a refused one";
}

/* --- second-level tables */

#define PROBE 0x5000 /* the page that test code writes and reads */

/* mov byte [0x5000], al; hlt */
#define WRITE_PROBE "\xa2\x00\x50\xf4"
/* mov al, [0x5000]; hlt */
#define READ_PROBE "\xa0\x00\x50\xf4"

static const char *expect_fault(struct rig *rig, u32 access)
{
	const struct exit_memory *m = &rig->vcpu->exit.memory;

	if (rig_run(rig) != EXIT_MEMORY)
		return rig_why("%s instead of a second-level fault",
			       exit_names[rig->vcpu->exit.reason]);
	if (m->gpa >> PAGE_SHIFT != PROBE >> PAGE_SHIFT)
		return rig_why("fault at GPA %lx, not %x", m->gpa, PROBE);
	if (!(m->access & access))
		return rig_why("fault says access %x, not %x", m->access,
			       access);
	return NULL;
}

static void set_rights(struct rig *rig, u32 rights)
{
	tables_begin(rig->vm);
	slpt_protect(&rig->vm->slpt, PROBE, PAGE_SIZE, rights);
	tables_end(rig->vm);
}

static const char *rights(struct rig *rig)
{
	const char *why;

	rig_state(rig, MODE_REAL);
	rig_code(rig, WRITE_PROBE, 4);
	set_rights(rig, SLPT_READ | SLPT_EXEC);
	why = expect_fault(rig, MEM_WRITE);
	if (why)
		return why;
	set_rights(rig, SLPT_RWX);
	if (rig_run(rig) != EXIT_HLT)
		return "no write after the right was given back";

	rig_state(rig, MODE_REAL);
	rig->vcpu->state.rip = PROBE;
	set_rights(rig, SLPT_READ | SLPT_WRITE);
	why = expect_fault(rig, MEM_FETCH);
	set_rights(rig, SLPT_RWX);
	if (why)
		return why;

	rig_state(rig, MODE_REAL);
	rig_code(rig, READ_PROBE, 4);
	tables_begin(rig->vm);
	slpt_unmap(&rig->vm->slpt, PROBE, PAGE_SIZE);
	tables_end(rig->vm);
	why = expect_fault(rig, MEM_READ);
	rig_map(rig, PROBE);
	return why;
}

/*
 * An event on its way into the guest, interrupted by a fault on its stack: it
 * must be pending again as it was, and arrive once the right is given back.
 */
static const char *deliver(struct rig *rig, const struct event *event)
{
	struct vcpu *vcpu = rig->vcpu;
	struct vcpu_state *s = &vcpu->state;
	const u32 handler = RIG_CODE + 3;
	const char *why;

	rig_state(rig, MODE_REAL);
	/* int 0x41; hlt; iret: an event that is no INT n returns to a HLT. */
	rig_code(rig, "\xcd\x41\xf4\xcf", 4);
	memcpy(rig_byte(rig, s->idtr.base + 4 * event->vector), &handler, 4);
	s->rip = RIG_CODE + 2 - event->ilen;
	s->gpr[RSP] = PROBE + 0x800;
	s->rflags |= RFLAGS_IF;
	s->pending = *event;
	set_rights(rig, SLPT_READ | SLPT_EXEC);
	why = expect_fault(rig, MEM_WRITE);
	set_rights(rig, SLPT_RWX);
	if (why)
		return why;
	/* INT n may be left to be executed again. */
	if (event->kind != EVENT_SOFT_INTERRUPT &&
	    memcmp(&s->pending, event, sizeof(*event)))
		return rig_why("pending is kind %u vector %u", s->pending.kind,
			       s->pending.vector);
	if (s->nmi_blocked)
		return "NMIs are blocked before one has arrived";
	*rig_byte(rig, PROBE + 0x800 - 6) = 0;
	if (rig_run(rig) != EXIT_HLT || s->rip != RIG_CODE + 2)
		return rig_why("then %s at rip %lx",
			       exit_names[vcpu->exit.reason], s->rip);
	if (*rig_byte(rig, PROBE + 0x800 - 6) != 2)
		return "it never arrived";
	return s->nmi_blocked ? "NMIs are still blocked after IRET" : NULL;
}

static const char *delivery(struct rig *rig)
{
	static const struct {
		const char *name;
		struct event event;
	} cases[] = {
		{"interrupt", {.kind = EVENT_INTERRUPT, .vector = 0x40}},
		{"NMI", {.kind = EVENT_NMI, .vector = EXC_NMI}},
		{"#UD", {.kind = EVENT_EXCEPTION, .vector = EXC_UD}},
		{"INT 41",
		 {.kind = EVENT_SOFT_INTERRUPT, .vector = 0x41, .ilen = 2}},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const char *why = deliver(rig, &cases[i].event);
		char text[100];

		if (!why)
			continue;
		copy_string(text, sizeof(text), why); /* it may be rig_why's */
		return rig_why("%s: %s", cases[i].name, text);
	}
	return NULL;
}

static void found_probe(void *context, u64 gpa, u64 size)
{
	*(bool *)context |= gpa == PROBE;
}

static bool harvest(struct rig *rig)
{
	bool found = false;

	tables_begin(rig->vm);
	slpt_harvest_dirty(&rig->vm->slpt, 0, rig->vm->memory.size, found_probe,
			   &found);
	tables_end(rig->vm);
	return found;
}

static const char *dirty_by(enum dirty_way way)
{
	return dirty_can(way) ? dirty_selftest(way)
			      : SKIP "not with this processor";
}

static const char *dirty_wp(struct rig *rig)
{
	return dirty_by(DIRTY_WP);
}

static const char *dirty_dbit(struct rig *rig)
{
	return dirty_by(DIRTY_DBIT);
}

static const char *dirty_pml(struct rig *rig)
{
	return dirty_by(DIRTY_PML);
}

static const char *dirty_bits(struct rig *rig)
{
	if (!rig->vm->slpt.format->dirty)
		return SKIP "no dirty bits here";
	rig_state(rig, MODE_REAL);
	rig_code(rig, READ_PROBE, 4);
	harvest(rig);
	rig_run(rig);
	if (harvest(rig))
		return "a read set the dirty bit";
	rig_state(rig, MODE_REAL);
	rig_code(rig, WRITE_PROBE, 4);
	rig_run(rig);
	if (!harvest(rig))
		return "a write did not set the dirty bit";
	if (harvest(rig))
		return "the dirty bit was still set after the harvest";
	rig_state(rig, MODE_REAL);
	rig_run(rig);
	return harvest(rig) ? NULL : "the second write was lost";
}

/* Reads the probe through a leaf of each size that the engine has. */
static const char *leaf_sizes(struct rig *rig)
{
	static const u64 sizes[] = {KIB(4), MIB(2), GIB(1)};
	const struct slpt_format *f = rig->vm->slpt.format;

	for (unsigned i = 0; i < ARRAY_LEN(sizes) && i <= f->max_level; i++) {
		u64 alias = rig_alias(rig, sizes[i]);
		struct slpt_leaf leaf = {0};

		rig_state(rig, MODE_REAL);
		rig_code(rig, READ_PROBE, 4);
		*rig_byte(rig, PROBE) = 0x5a + i;
		rig->vcpu->state.seg[DS].base = alias;
		rig->vcpu->state.gpr[RAX] = 0;
		slpt_lookup(&rig->vm->slpt, alias + PROBE, &leaf);
		if (leaf.size != sizes[i])
			return rig_why("a leaf of %lu KiB, not %lu",
				       leaf.size >> 10, sizes[i] >> 10);
		if (rig_run(rig) != EXIT_HLT ||
		    (u8)rig->vcpu->state.gpr[RAX] != 0x5a + i)
			return rig_why("%lu KiB leaf: %s, read %lx",
				       sizes[i] >> 10,
				       exit_names[rig->vcpu->exit.reason],
				       rig->vcpu->state.gpr[RAX]);
		rig_unalias(rig);
	}
	return NULL;
}

/* --- flushing */

/* Narrowing behind the ledger's back must show; a flush must satisfy it. */
static const char *ledger(struct rig *rig)
{
	struct vcpu *vcpu = rig->vcpu;

	rig_attach(rig);
	engine->flush(vcpu);
	if (ledger_mismatch(vcpu))
		return "a mismatch right after a flush";
	slpt_protect(&rig->vm->slpt, PROBE, PAGE_SIZE, SLPT_READ);
	if (!ledger_mismatch(vcpu))
		return "an unflushed narrowing goes unseen";
	engine->flush(vcpu);
	if (ledger_mismatch(vcpu))
		return "a flush does not settle the ledger";
	slpt_protect(&rig->vm->slpt, PROBE, PAGE_SIZE, SLPT_RWX);
	if (ledger_mismatch(vcpu))
		return "a widening counts as a narrowing";
	rig_detach(rig);
	return NULL;
}

/* Waits until the guest on the other CPU has counted on. */
static bool counts_on(struct rig *rig)
{
	volatile u32 *counter = (volatile u32 *)rig_byte(rig, PROBE);
	u32 seen = *counter;

	for (unsigned i = 0; i < 100000000 && *counter - seen < 100; i++)
		cpu_relax();
	return *counter - seen >= 100;
}

static u64 exits_of(const struct vcpu *vcpu)
{
	u64 n = 0;

	for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
		n += __atomic_load_n(&vcpu->exits[i].count, __ATOMIC_RELAXED);
	return n;
}

/*
 * Takes the write right away from a guest that is writing on another CPU.
 * Between begin and end nothing is flushed: a guest that does not exit in that
 * time goes on writing through its stale translation, which is what a missing
 * shootdown looks like. After the end it must have faulted.
 */
static const char *narrow_under(struct rig *rig, bool *stale)
{
	u64 faults = rig->vm->write_faults, exits;
	bool counting;

	tables_begin(rig->vm);
	exits = exits_of(rig->vcpu);
	slpt_protect(&rig->vm->slpt, PROBE, PAGE_SIZE, SLPT_READ | SLPT_EXEC);
	counting = counts_on(rig);
	*stale |= counting && exits_of(rig->vcpu) == exits;
	tables_end(rig->vm);
	if (!counts_on(rig))
		return "the guest stopped writing";
	if (rig->vm->write_faults == faults)
		return "the guest writes on after the shootdown";
	return NULL;
}

/* lock inc dword [0x5000]; jmp back: it never exits by itself. */
#define COUNT_FOR_EVER "\xf0\x66\xff\x06\x00\x50\xeb\xf8"

static const char *shootdown(struct rig *rig)
{
	const char *why = NULL;
	bool stale = false;

	if (cpu_count() < 2)
		return SKIP "one CPU";
	rig_state(rig, MODE_REAL);
	rig_code(rig, COUNT_FOR_EVER, 8);
	rig_start(rig, 1);
	if (!counts_on(rig))
		why = "the guest does not run on the other CPU";
	for (unsigned i = 0; !why && i < 20; i++)
		why = narrow_under(rig, &stale);
	rig_stop(rig);
	if (!why && !stale)
		why = "no stale write was ever seen: this proves nothing";
	return why;
}

/* Fix-ups, the timer, kicks, the clock: what all of this stands on. */
static const char *host_cpu(struct rig *rig)
{
	timer_cancel();
	cpu_take_interrupts(); /* what the guests have left */
	return cpu_selftest() ? "see the log" : NULL;
}

static const struct {
	const char *name;
	const char *(*run)(struct rig *rig); /* NULL: passed */
} tests[] = {
	{"host-cpu", host_cpu},	    {"roundtrip", roundtrip},
	{"entry", entry},	    {"refusal", refusal},
	{"rights", rights},	    {"delivery", delivery},
	{"dirty-bits", dirty_bits}, {"leaf-sizes", leaf_sizes},
	{"ledger", ledger},	    {"shootdown", shootdown},
	{"dirty-wp", dirty_wp},	    {"dirty-dbit", dirty_dbit},
	{"dirty-pml", dirty_pml},
};

static enum selftest_verdict run_one(unsigned i, const char **why)
{
	struct rig rig;

	*why = "no memory for the test";
	if (rig_make(&rig) == E_OK) {
		*why = tests[i].run(&rig);
		rig_free(&rig);
	}
	if (!*why)
		return SELFTEST_OK;
	if (**why != SKIP[0])
		return SELFTEST_FAILED;
	(*why)++;
	return SELFTEST_SKIPPED;
}

err_t selftest_run(const char *name, selftest_report report, void *context)
{
	bool found = false;

	if (!engine)
		return E_UNSUPPORTED;
	for (unsigned i = 0; i < ARRAY_LEN(tests); i++) {
		enum selftest_verdict verdict;
		const char *why;

		if (name && strcmp(name, tests[i].name))
			continue;
		found = true;
		verdict = run_one(i, &why);
		report(context, tests[i].name, verdict, why);
	}
	return found ? E_OK : E_NOTFOUND;
}
