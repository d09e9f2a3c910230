/*
 * The guest's local APIC: registers, modes and MSRs, errors (SDM vol. 3A
 * chapter 11).
 *
 *	links: kernel/machine/lapic.c kernel/machine/lapic_registers.c
 *	links: kernel/machine/lapic_msr.c
 *	links: kernel/machine/lapic_ipi.c kernel/machine/lapic_timer.c
 *	links: kernel/machine/lapic_eoi.c
 *	links: kernel/vm/fields.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/files.c kernel/lib/string.c tests/unit/fake_vm.c
 */
#include <string.h>

#include "tests/unit/fake_lapic.h"

/* --- registers --- */

TEST(power_on)
{
	start(2);
	vlapic_reset(cpu);
	CHECK_EQ(get(APIC_ID), 0);
	CHECK_EQ(get(APIC_VERSION), 0x00050014);
	CHECK_EQ(get(APIC_TPR), 0);
	CHECK_EQ(get(APIC_PPR), 0);
	CHECK_EQ(get(APIC_LDR), 0);
	CHECK_EQ(get(APIC_DFR), 0xffffffff);
	CHECK_EQ(get(APIC_SVR), 0xff);
	CHECK_EQ(get(APIC_ESR), 0);
	for (unsigned i = 0; i < 24; i++)
		CHECK_EQ(get(APIC_ISR + i), 0);
	for (unsigned i = 0; i < LVT_COUNT; i++)
		CHECK_EQ(get(APIC_LVT + i), 0x10000);
	CHECK_EQ(get(APIC_INITIAL), 0);
	CHECK_EQ(get(APIC_CURRENT), 0);
	CHECK_EQ(get(APIC_DIVIDE), 0);
	CHECK_EQ(cpu->timer_deadline, ~0ULL);
	CHECK_EQ(cpu->lapic->base, XAPIC_ON | APIC_BASE_BSP);
	CHECK_EQ(vm->vcpu[1]->lapic->base, XAPIC_ON);
	cpu = vm->vcpu[1];
	CHECK_EQ(get(APIC_ID), 1u << 24);
	finish();
}

TEST(reserved_bits_of_the_page_stay_zero)
{
	static const struct {
		unsigned reg;
		u32 reads;
	} cases[] = {
		{APIC_ID, 0},
		{APIC_VERSION, 0x00050014},
		{APIC_TPR, 0xff},
		{APIC_APR, 0},
		{APIC_PPR, 0xff}, /* follows TPR */
		{APIC_EOI, 0},
		{APIC_LDR, 0xff000000},
		{APIC_DFR, 0xffffffff},
		{APIC_SVR, 0x1ff},
		{APIC_ICR_HIGH, 0xff000000},
		{APIC_LVT + LVT_TIMER, 0x700ff},
		{APIC_LVT + LVT_THERMAL, 0x107ff},
		{APIC_LVT + LVT_PERF, 0x107ff},
		{APIC_LVT + LVT_LINT0, 0x1a7ff},
		{APIC_LVT + LVT_LINT1, 0x1a7ff},
		{APIC_LVT + LVT_ERROR, 0x100ff},
		{APIC_DIVIDE, 0xb},
	};

	start(1);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		put(cases[i].reg, 0xffffffff);
		CHECK_EQ(get(cases[i].reg), cases[i].reads);
	}
	put(APIC_DFR, 0);
	CHECK_EQ(get(APIC_DFR), 0x0fffffff);
	finish();
}

TEST(page_takes_aligned_words_only)
{
	start(1);
	put(APIC_TPR, 0x34);
	CHECK_EQ(vlapic_bus_ops.read(NULL, cpu, 0x80, 1), 0x34);
	CHECK_EQ(vlapic_bus_ops.read(NULL, cpu, 0x32, 2), 0x0005);
	CHECK_EQ(vlapic_bus_ops.read(NULL, cpu, 0x80, 8), 0);
	CHECK_EQ(vlapic_bus_ops.read(NULL, cpu, 0x84, 4), 0);
	CHECK_EQ(vlapic_bus_ops.read(NULL, cpu, 0x83, 2), 0);
	vlapic_bus_ops.write(NULL, cpu, 0x80, 1, 0x55);
	vlapic_bus_ops.write(NULL, cpu, 0x80, 8, 0x55);
	vlapic_bus_ops.write(NULL, cpu, 0x84, 4, 0x55);
	CHECK_EQ(get(APIC_TPR), 0x34);
	finish();
}

TEST(page_is_gone_when_off_or_x2apic)
{
	start(1);
	set_base(cpu, X2APIC_ON);
	put(APIC_TPR, 0x30);
	CHECK_EQ(get(APIC_TPR), 0xffffffff);
	CHECK_EQ(x2_get(APIC_TPR), 0);
	set_base(cpu, ALL_OFF);
	put(APIC_TPR, 0x30);
	CHECK_EQ(get(APIC_TPR), 0xffffffff);
	set_base(cpu, XAPIC_ON);
	CHECK_EQ(get(APIC_TPR), 0);
	finish();
}

TEST(errors_are_latched_and_interrupt_once)
{
	start(1);
	put(APIC_LVT + LVT_ERROR, 0x40);
	get(0x3f);
	CHECK_EQ(get(APIC_ESR), 0);
	take(0x40);
	put(0x01, 1);
	get(0x00);
	CHECK_EQ(vlapic_bus_ops.read(NULL, cpu, 0x400, 4), 0);
	CHECK_EQ(get(APIC_IRR + 2), 0); /* not again before ESR is written */
	put(APIC_ICR, 0x0f);
	put(APIC_ESR, 0);
	CHECK_EQ(get(APIC_ESR), ESR_REGISTER_ADDRESS | ESR_SEND_VECTOR);
	put(APIC_ESR, 0);
	CHECK_EQ(get(APIC_ESR), 0);
	put(0x01, 1);
	CHECK_EQ(get(APIC_IRR + 2), 1);
	/* An error vector that is itself illegal: one more error, no loop. */
	put(APIC_EOI, 0);
	put(APIC_LVT + LVT_ERROR, 0x0e);
	put(APIC_ESR, 0);
	put(0x01, 1);
	put(APIC_ESR, 0);
	CHECK_EQ(get(APIC_ESR), ESR_REGISTER_ADDRESS | ESR_RECEIVE_VECTOR);
	finish();
}

TEST(disabled_by_software)
{
	start(1);
	put(APIC_LVT + LVT_TIMER, 0x30);
	vlapic_raise(cpu, 0x50, false);
	put(APIC_SVR, 0xff);
	CHECK_EQ(get(APIC_LVT + LVT_TIMER), 0x10030);
	put(APIC_LVT + LVT_TIMER, 0x31);
	CHECK_EQ(get(APIC_LVT + LVT_TIMER), 0x10031);
	CHECK_EQ(vlapic_pending(cpu), -1);
	vlapic_raise(cpu, 0x60, false);
	fake_requests(cpu);
	put(APIC_SVR, 0x1ff);
	CHECK(fake_requests(cpu) & REQUEST_INTERRUPT);
	CHECK_EQ(vlapic_pending(cpu), 0x50); /* held; 0x60 was refused */
	CHECK_EQ(get(APIC_LVT + LVT_TIMER), 0x10031);
	finish();
}

/* --- modes and MSRs --- */

TEST(mode_transitions)
{
	/* [from][to]: off, xAPIC, x2APIC without APIC, x2APIC */
	static const u64 modes[] = {0, APIC_BASE_ENABLE, APIC_BASE_X2APIC,
				    APIC_BASE_ENABLE | APIC_BASE_X2APIC};
	static const bool allowed[4][4] = {
		{true, true, false, false},
		{true, true, false, true},
		{false, false, false, false},
		{true, false, false, true},
	};

	for (unsigned from = 0; from < 4; from++) {
		for (unsigned to = 0; from != 2 && to < 4; to++) {
			u64 value;
			err_t err;

			start(1);
			if (from != 1)
				set_base(cpu, LAPIC_ADDRESS | modes[from]);
			err = vlapic_wrmsr(cpu, MSR_APIC_BASE,
					   LAPIC_ADDRESS | modes[to]);
			CHECK_EQ(err, allowed[from][to] ? E_OK : E_INVALID);
			vlapic_rdmsr(cpu, MSR_APIC_BASE, &value);
			CHECK_EQ(value,
				 LAPIC_ADDRESS | APIC_BASE_BSP |
					 modes[allowed[from][to] ? to : from]);
			finish();
		}
	}
}

TEST(base_msr_refuses)
{
	static const u64 values[] = {
		XAPIC_ON | BIT(0),
		XAPIC_ON | BIT(9),
		XAPIC_ON | BIT(52),
		XAPIC_ON | BIT(63),
		0xfed00000 | APIC_BASE_ENABLE,
		APIC_BASE_ENABLE,
	};

	start(1);
	for (unsigned i = 0; i < ARRAY_LEN(values); i++)
		CHECK_EQ(vlapic_wrmsr(cpu, MSR_APIC_BASE, values[i]),
			 E_INVALID);
	CHECK_EQ(cpu->lapic->base, XAPIC_ON | APIC_BASE_BSP);
	finish();
}

TEST(off_and_on_is_a_reset)
{
	start(1);
	put(APIC_LVT + LVT_TIMER, 0x30);
	put(APIC_INITIAL, 1000);
	vlapic_raise(cpu, 0x40, false);
	set_base(cpu, ALL_OFF);
	CHECK_EQ(vlapic_pending(cpu), -1);
	vlapic_raise(cpu, 0x41, false);
	CHECK_EQ(poll(), ~0ULL);
	set_base(cpu, XAPIC_ON);
	CHECK_EQ(get(APIC_SVR), 0xff);
	CHECK_EQ(get(APIC_LVT + LVT_TIMER), 0x10000);
	put(APIC_SVR, 0x1ff);
	CHECK_EQ(vlapic_pending(cpu), -1);
	finish();
}

TEST(to_x2apic_keeps_what_was)
{
	start(1);
	put(APIC_TPR, 0x20);
	put(APIC_LVT + LVT_LINT1, 0x400);
	vlapic_raise(cpu, 0x40, false);
	set_base(cpu, X2APIC_ON);
	CHECK_EQ(x2_get(APIC_TPR), 0x20);
	CHECK_EQ(x2_get(APIC_LVT + LVT_LINT1), 0x400);
	CHECK_EQ(vlapic_pending(cpu), 0x40);
	finish();
}

TEST(init_keeps_mode_and_id)
{
	start(2);
	cpu = vm->vcpu[1];
	set_base(cpu, X2APIC_ON);
	x2_put(APIC_TPR, 0x20);
	x2_put(APIC_LVT + LVT_TIMER, 0x30);
	x2_put(APIC_INITIAL, 1000);
	vlapic_raise(cpu, 0x40, false);
	vlapic_taken(cpu, 0x40);
	vlapic_init(cpu);
	CHECK_EQ(cpu->lapic->base, X2APIC_ON);
	CHECK_EQ(x2_get(APIC_ID), 1);
	CHECK_EQ(x2_get(APIC_TPR), 0);
	CHECK_EQ(x2_get(APIC_PPR), 0);
	CHECK_EQ(x2_get(APIC_SVR), 0xff);
	CHECK_EQ(x2_get(APIC_LVT + LVT_TIMER), 0x10000);
	CHECK_EQ(x2_get(APIC_ISR + 2), 0);
	CHECK_EQ(poll(), ~0ULL);
	finish();
}

/* Of table 11-6: r, w, or both; all others do not exist. */
static const char *x2_rights(unsigned reg)
{
	switch (reg) {
	case 0x02:
	case 0x03:
	case 0x0a:
	case 0x0d:
	case 0x10 ... 0x27:
	case 0x39:
		return "r";
	case 0x0b:
	case 0x3f:
		return "w";
	case 0x08:
	case 0x0f:
	case 0x28:
	case 0x30:
	case 0x32 ... 0x38:
	case 0x3e:
		return "rw";
	}
	return "";
}

TEST(x2apic_msrs_that_exist)
{
	start(1);
	set_base(cpu, X2APIC_ON);
	for (unsigned reg = 0; reg < 0x100; reg++) {
		u32 msr = MSR_X2APIC_BASE + reg;
		const char *rights = x2_rights(reg);
		u64 value;

		CHECK_EQ(vlapic_rdmsr(cpu, msr, &value),
			 strchr(rights, 'r') ? E_OK : E_INVALID);
		CHECK_EQ(vlapic_wrmsr(cpu, msr, 0),
			 strchr(rights, 'w') ? E_OK : E_INVALID);
	}
	finish();
}

TEST(x2apic_msrs_need_the_mode)
{
	u64 value;

	start(1);
	for (unsigned reg = 0; reg < 0x100; reg++) {
		u32 msr = MSR_X2APIC_BASE + reg;

		CHECK_EQ(vlapic_rdmsr(cpu, msr, &value), E_INVALID);
		CHECK_EQ(vlapic_wrmsr(cpu, msr, 0), E_INVALID);
	}
	CHECK_EQ(vlapic_rdmsr(cpu, 0x7ff, &value), E_NOTFOUND);
	CHECK_EQ(vlapic_rdmsr(cpu, 0x900, &value), E_NOTFOUND);
	CHECK_EQ(vlapic_wrmsr(cpu, 0x10, 0), E_NOTFOUND);
	finish();
}

TEST(x2apic_reserved_bits)
{
	static const struct {
		unsigned reg;
		u64 accepted;
	} cases[] = {
		{APIC_TPR, 0xff},
		{APIC_EOI, 0},
		{APIC_SVR, 0x1ff},
		{APIC_ESR, 0},
		{APIC_ICR, 0xffffffff000ccfff},
		{APIC_LVT + LVT_TIMER, 0x710ff},
		{APIC_LVT + LVT_THERMAL, 0x117ff},
		{APIC_LVT + LVT_PERF, 0x117ff},
		{APIC_LVT + LVT_LINT0, 0x1f7ff},
		{APIC_LVT + LVT_LINT1, 0x1f7ff},
		{APIC_LVT + LVT_ERROR, 0x110ff},
		{APIC_INITIAL, 0xffffffff},
		{APIC_DIVIDE, 0xb},
		{APIC_SELF_IPI, 0xff},
	};

	start(1);
	set_base(cpu, X2APIC_ON);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned bit = 0; bit < 64; bit++)
			CHECK_EQ(x2_put(cases[i].reg, BIT(bit)),
				 cases[i].accepted & BIT(bit) ? E_OK
							      : E_INVALID);
	finish();
}

/* Linux writes them when it gives its APIC back. */
TEST(x2apic_read_only_bits_are_ignored)
{
	start(1);
	set_base(cpu, X2APIC_ON);
	CHECK_EQ(x2_put(APIC_LVT + LVT_LINT0, 0x5700), E_OK);
	CHECK_EQ(x2_get(APIC_LVT + LVT_LINT0), 0x700);
	finish();
}

/* --- its description --- */

TEST(description_is_within_the_device)
{
	const struct device_description *d = &vlapic_description;

	for (unsigned i = 0; i < d->count; i++) {
		const struct device_field *f = &d->fields[i];

		CHECK(f->offset + (size_t)f->size * f->count <=
		      sizeof(struct lapic));
		CHECK(f->size == 1 || f->size == 2 || f->size == 4 ||
		      f->size == 8);
		CHECK(f->version >= 1 && f->version <= d->version);
		for (unsigned n = 0; n < i; n++)
			CHECK(strcmp(f->name, d->fields[n].name));
	}
}

TEST(dump)
{
	start(1);
	vlapic_raise(cpu, 0x41, false);
	fake_log_lines = 0;
	device_dump(&vlapic_description, 0, cpu->lapic);
	CHECK_EQ(fake_log_lines, vlapic_description.count);
	for (unsigned i = 0; i < vlapic_description.count; i++) {
		const struct device_field *f = &vlapic_description.fields[i];

		if (!strcmp(f->name, "irr"))
			CHECK_EQ(device_field_get(f, cpu->lapic, 1), 2);
		if (!strcmp(f->name, "svr"))
			CHECK_EQ(device_field_get(f, cpu->lapic, 0), 0x1ff);
	}
	CHECK(!strncmp(fake_log, "lapic 0: eoi_word ", 18));
	finish();
}
