/*
 * The guest's local APIC: interrupts between vCPUs (SDM vol. 3A 11.6).
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

#define TO(dest) ((u64)(dest) << 32)
#define FIXED	 0x40u
#define SELF	 (1u << 18)
#define ALL	 (2u << 18)
#define OTHERS	 (3u << 18)

static void send(u64 icr)
{
	put(APIC_ICR_HIGH, icr >> 32 << 24);
	put(APIC_ICR, icr);
}

/* A bit for each vCPU that has the request (or, 0: vector FIXED). */
static u32 receivers(u64 request)
{
	u32 mask = 0;

	for (unsigned i = 0; i < vm->vcpus; i++) {
		struct lapic *lapic = vm->vcpu[i]->lapic;
		u64 requests = fake_requests(vm->vcpu[i]);

		if (request ? requests == request
			    : lapic->irr[1] & BIT(FIXED - 0x40))
			mask |= 1u << i;
		else if (!request)
			CHECK_EQ(requests, 0);
		memset(lapic->irr, 0, sizeof(lapic->irr));
	}
	return mask;
}

static void set_logical(u32 dfr, const u8 *ldr)
{
	for (unsigned i = 0; i < vm->vcpus; i++) {
		cpu = vm->vcpu[i];
		put(APIC_DFR, dfr);
		put(APIC_LDR, (u32)ldr[i] << 24);
	}
	cpu = vm->vcpu[0];
}

struct ipi {
	u64 icr;
	u32 receivers;
};

static void check_ipis(const struct ipi *ipi, unsigned n, void (*how)(u64 icr))
{
	for (unsigned i = 0; i < n; i++) {
		how(ipi[i].icr);
		CHECK_EQ(receivers(0), ipi[i].receivers);
	}
}

TEST(ipi_physical_and_shorthands)
{
	static const struct ipi cases[] = {
		{TO(0) | FIXED, 0x01},
		{TO(5) | FIXED, 0x20},
		{TO(8) | FIXED, 0x00},
		{TO(0xff) | FIXED, 0xff},
		{TO(5) | SELF | FIXED, 0x01},
		{TO(5) | ALL | FIXED, 0xff},
		{TO(5) | OTHERS | FIXED, 0xfe},
		{TO(5) | ICR_LOGICAL | OTHERS | FIXED, 0xfe},
		/* Level and trigger mode mean nothing to a fixed one. */
		{TO(3) | ICR_ASSERT | ICR_LEVEL | FIXED, 0x08},
	};

	start(8);
	check_ipis(cases, ARRAY_LEN(cases), send);
	put(APIC_ICR_HIGH, 0x05000000);
	CHECK_EQ(get(APIC_ICR_HIGH), 0x05000000);
	put(APIC_ICR, FIXED | BIT(12));
	CHECK_EQ(get(APIC_ICR), FIXED); /* never busy */
	finish();
}

TEST(ipi_flat_logical)
{
	static const u8 ldr[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0};
	static const struct ipi cases[] = {
		{TO(0x04) | ICR_LOGICAL | FIXED, 0x04},
		{TO(0x81) | ICR_LOGICAL | FIXED, 0x01},
		{TO(0x2a) | ICR_LOGICAL | FIXED, 0x2a},
		{TO(0x80) | ICR_LOGICAL | FIXED, 0x00},
		{TO(0x00) | ICR_LOGICAL | FIXED, 0x00},
		{TO(0xff) | ICR_LOGICAL | FIXED, 0xff},
	};

	start(8);
	set_logical(0xffffffff, ldr);
	check_ipis(cases, ARRAY_LEN(cases), send);
	finish();
}

TEST(ipi_cluster_logical)
{
	static const u8 ldr[] = {0x01, 0x02, 0x04, 0x08, 0x11, 0x12, 0x21, 0};
	static const struct ipi cases[] = {
		{TO(0x04) | ICR_LOGICAL | FIXED, 0x04},
		{TO(0x0f) | ICR_LOGICAL | FIXED, 0x0f},
		{TO(0x13) | ICR_LOGICAL | FIXED, 0x30},
		{TO(0x2f) | ICR_LOGICAL | FIXED, 0x40},
		{TO(0x3f) | ICR_LOGICAL | FIXED, 0x00},
		{TO(0xff) | ICR_LOGICAL | FIXED, 0xff},
	};

	start(8);
	set_logical(0x0fffffff, ldr);
	check_ipis(cases, ARRAY_LEN(cases), send);
	finish();
}

static void x2_send(u64 icr)
{
	CHECK_EQ(x2_put(APIC_ICR, icr), E_OK);
}

TEST(ipi_x2apic)
{
	static const struct ipi cases[] = {
		{TO(5) | FIXED, 0x20},
		{TO(0xff) | FIXED, 0x00}, /* an ID like any other */
		{TO(0x05000000) | FIXED, 0x00},
		{TO(0xffffffff) | FIXED, 0xff},
		{TO(0xffffffff) | ICR_LOGICAL | FIXED, 0xff},
		{TO(0x0000002a) | ICR_LOGICAL | FIXED, 0x2a},
		{TO(0x0001002a) | ICR_LOGICAL | FIXED, 0x00},
		{OTHERS | FIXED, 0xfe},
	};

	start(8);
	use_x2apic();
	check_ipis(cases, ARRAY_LEN(cases), x2_send);
	CHECK_EQ(x2_put(APIC_ICR, TO(0xffffffff) | FIXED), E_OK);
	CHECK_EQ(x2_get(APIC_ICR), TO(0xffffffff) | FIXED);
	for (unsigned i = 0; i < 8; i++) {
		cpu = vm->vcpu[i];
		CHECK_EQ(x2_get(APIC_ID), i);
		CHECK_EQ(x2_get(APIC_LDR), BIT(i));
	}
	cpu->lapic->id = 0x123; /* cluster 0x12, number 3 */
	CHECK_EQ(x2_get(APIC_LDR), 0x00120008);
	finish();
}

TEST(ipi_self_of_x2apic)
{
	start(2);
	use_x2apic();
	CHECK_EQ(x2_put(APIC_SELF_IPI, FIXED), E_OK);
	CHECK_EQ(receivers(0), 1);
	CHECK_EQ(x2_put(APIC_SELF_IPI, 0x0f), E_OK);
	CHECK_EQ(receivers(0), 0);
	CHECK_EQ(x2_put(APIC_ESR, 0), E_OK);
	CHECK_EQ(x2_get(APIC_ESR), ESR_SEND_VECTOR);
	finish();
}

TEST(ipi_nmi_init_startup)
{
	start(4);
	send(TO(2) | DELIVER_NMI << 8 | 0x02);
	CHECK_EQ(receivers(REQUEST_NMI), 0x4);
	send(TO(0xff) | OTHERS | DELIVER_NMI << 8);
	CHECK_EQ(receivers(REQUEST_NMI), 0xe);
	send(SELF | DELIVER_NMI << 8);
	CHECK_EQ(receivers(REQUEST_NMI), 0x1);
	send(ALL | DELIVER_NMI << 8);
	CHECK_EQ(receivers(REQUEST_NMI), 0xf);
	send(TO(3) | ICR_ASSERT | ICR_LEVEL | DELIVER_INIT << 8);
	CHECK_EQ(receivers(REQUEST_INIT), 0x8);
	send(TO(3) | ICR_ASSERT | DELIVER_INIT << 8);
	CHECK_EQ(receivers(REQUEST_INIT), 0x8);
	/* De-assert: arbitration IDs of processors long gone. */
	send(TO(3) | ICR_LEVEL | DELIVER_INIT << 8);
	CHECK_EQ(receivers(REQUEST_INIT), 0);
	send(OTHERS | DELIVER_STARTUP << 8 | 0x9f);
	CHECK_EQ(receivers(REQUEST_SIPI), 0xe);
	CHECK_EQ(vm->vcpu[1]->sipi_vector, 0x9f);
	/* A start-up page below 16 is no illegal vector. */
	send(TO(1) | DELIVER_STARTUP << 8 | 0x08);
	CHECK_EQ(receivers(REQUEST_SIPI), 0x2);
	CHECK_EQ(vm->vcpu[1]->sipi_vector, 0x08);
	put(APIC_ESR, 0);
	CHECK_EQ(get(APIC_ESR), 0);
	finish();
}

TEST(ipi_that_cannot_be)
{
	static const u64 cases[] = {
		SELF | DELIVER_INIT << 8 | ICR_ASSERT,
		SELF | DELIVER_STARTUP << 8 | 8,
		ALL | DELIVER_INIT << 8 | ICR_ASSERT,
		ALL | DELIVER_STARTUP << 8 | 8,
		ALL | DELIVER_LOWEST << 8 | FIXED,
		TO(1) | DELIVER_SMI << 8,
		TO(1) | DELIVER_RESERVED << 8 | FIXED,
		TO(1) | DELIVER_EXTINT << 8 | FIXED,
		TO(1) | DELIVER_FIXED << 8 | 0x0f,
		TO(1) | DELIVER_LOWEST << 8 | 0x0f,
	};

	start(4);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		send(cases[i]);
		for (unsigned n = 0; n < 4; n++) {
			CHECK_EQ(fake_requests(vm->vcpu[n]), 0);
			CHECK_EQ(vm->vcpu[n]->lapic->irr[0], 0);
			CHECK_EQ(vm->vcpu[n]->lapic->irr[1], 0);
		}
	}
	finish();
}

TEST(ipi_lowest_priority)
{
	start(4);
	for (unsigned i = 0; i < 4; i++) {
		cpu = vm->vcpu[i];
		put(APIC_TPR, 0x60 - 0x10 * i);
		fake_requests(cpu);
	}
	cpu = vm->vcpu[0];
	send(TO(0xff) | DELIVER_LOWEST << 8 | FIXED);
	CHECK_EQ(receivers(0), 0x8);
	vm->vcpu[3]->lapic->svr = 0xff; /* takes none: the next best */
	send(TO(0xff) | DELIVER_LOWEST << 8 | FIXED);
	CHECK_EQ(receivers(0), 0x4);
	/* What is in service counts as well. */
	vlapic_taken(vm->vcpu[2], 0x90);
	send(TO(0xff) | DELIVER_LOWEST << 8 | FIXED);
	CHECK_EQ(receivers(0), 0x2);
	send(OTHERS | DELIVER_LOWEST << 8 | FIXED);
	CHECK_EQ(receivers(0), 0x2);
	send(TO(2) | DELIVER_LOWEST << 8 | FIXED);
	CHECK_EQ(receivers(0), 0x4);
	finish();
}

TEST(ipi_to_those_that_are_off)
{
	start(3);
	set_base(vm->vcpu[1], ALL_OFF);
	fake_requests(vm->vcpu[1]);
	vm->vcpu[2]->lapic->svr = 0xff;
	send(TO(0xff) | FIXED);
	CHECK_EQ(receivers(0), 0x1);
	send(OTHERS | DELIVER_NMI << 8);
	CHECK_EQ(receivers(REQUEST_NMI), 0x4); /* software's off is not deaf */
	finish();
}

TEST(ipi_between_modes)
{
	start(4);
	set_base(vm->vcpu[2], X2APIC_ON);
	send(TO(2) | FIXED);
	CHECK_EQ(receivers(0), 0x4);
	send(TO(0xff) | FIXED);
	CHECK_EQ(receivers(0), 0xf);
	cpu = vm->vcpu[3];
	put(APIC_LDR, 0x01000000);
	cpu = vm->vcpu[2];
	CHECK_EQ(x2_put(APIC_ICR, TO(3) | FIXED), E_OK);
	CHECK_EQ(receivers(0), 0x8);
	CHECK_EQ(x2_put(APIC_ICR, TO(0x01) | ICR_LOGICAL | FIXED), E_OK);
	CHECK_EQ(receivers(0), 0x8);
	CHECK_EQ(x2_put(APIC_ICR, TO(0x101) | ICR_LOGICAL | FIXED), E_OK);
	CHECK_EQ(receivers(0), 0x0);
	finish();
}
