/*
 * The guest's ACPI tables: found by scanning, every checksum right, every table
 * where another says it is, and the byte code's lengths fitting into each
 * other.
 *
 *	links: kernel/machine/acpi_tables.c kernel/machine/aml.c
 *	links: tests/unit/fake_vm.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/vm/fields.c kernel/files.c
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "machine/acpi_tables.h"
#include "machine/aml.h"
#include "machine/lapic.h"
#include "machine/layout.h"
#include "tests/unit/fake_vm.h"

static struct vm *vm;
static u64 rsdp;
static u8 table[8192];

static void start(unsigned cpus)
{
	vm = fake_vm(cpus, MIB(2));
	for (unsigned i = 0; i < cpus; i++) {
		vm->vcpu[i]->lapic = calloc(1, sizeof(struct lapic));
		vm->vcpu[i]->lapic->id = i;
	}
	CHECK_EQ(acpi_tables(vm, &rsdp), E_OK);
}

static void finish(void)
{
	for (unsigned i = 0; i < vm->vcpus; i++)
		free(vm->vcpu[i]->lapic);
	fake_vm_free(vm);
}

static u64 number(unsigned offset, unsigned bytes)
{
	u64 value = 0;

	memcpy(&value, table + offset, bytes);
	return value;
}

static u8 sum(unsigned n)
{
	u8 total = 0;

	while (n--)
		total += table[n];
	return total;
}

/* Reads the table there, checked; its length. */
static unsigned read_table(u64 at, const char *signature)
{
	unsigned length;

	CHECK(at >= ACPI_START && at < ACPI_END);
	CHECK_EQ(guest_read(&vm->memory, at, table, 36), E_OK);
	CHECK_MEM(table, signature, 4);
	length = number(4, 4);
	CHECK(length >= 36 && length <= sizeof(table));
	CHECK(at + length <= ACPI_END);
	CHECK_EQ(guest_read(&vm->memory, at, table, length), E_OK);
	CHECK_EQ(sum(length), 0);
	return length;
}

TEST(rsdp_is_found_by_scanning)
{
	u64 found = 0;

	start(1);
	for (u64 at = ACPI_START; at < ACPI_END; at += 16) {
		guest_read(&vm->memory, at, table, 36);
		if (!memcmp(table, "RSD PTR ", 8) && !sum(20))
			found = at;
	}
	CHECK_EQ(found, rsdp);
	guest_read(&vm->memory, rsdp, table, 36);
	CHECK_EQ(sum(36), 0);
	finish();
}

static u64 xsdt_entry(unsigned i)
{
	guest_read(&vm->memory, rsdp, table, 36);
	CHECK_EQ(read_table(number(24, 8), "XSDT"), 36 + 2 * 8);
	return number(36 + 8 * i, 8);
}

TEST(fixed_hardware_is_where_it_is)
{
	u64 dsdt;

	start(1);
	CHECK_EQ(read_table(xsdt_entry(0), "FACP"), 244);
	CHECK_EQ(number(46, 2), GSI_SCI);
	CHECK_EQ(number(48, 4), 0); /* no SMI */
	CHECK_EQ(number(56, 4), PORT_PM_EVENT);
	CHECK_EQ(number(64, 4), PORT_PM_CONTROL);
	CHECK_EQ(number(76, 4), PORT_PM_TIMER);
	CHECK_EQ(table[88], 4);
	CHECK_EQ(table[89], 2);
	CHECK_EQ(table[91], 4);
	CHECK_EQ(number(109, 2) & 2, 0); /* no keyboard controller */
	CHECK_EQ(number(116 + 4, 8), 0xcf9);
	CHECK_EQ(table[128], 6);
	CHECK_EQ(number(148 + 4, 8), PORT_PM_EVENT);
	dsdt = number(140, 8);
	CHECK_EQ(number(40, 4), dsdt);
	CHECK_EQ(number(132, 8) % 64, 0);
	guest_read(&vm->memory, number(132, 8), table, 64);
	CHECK_MEM(table, "FACS\x40", 5);
	read_table(dsdt, "DSDT");
	finish();
}

TEST(every_processor_and_controller)
{
	unsigned length, lapics = 0, ioapics = 0, overrides = 0;

	start(5);
	length = read_table(xsdt_entry(1), "APIC");
	CHECK_EQ(number(36, 4), LAPIC_ADDRESS);
	for (unsigned at = 44; at < length; at += table[at + 1]) {
		CHECK(table[at + 1] >= 2);
		if (table[at] == 0)
			CHECK_EQ(table[at + 3], lapics++);
		if (table[at] == 1) {
			CHECK_EQ(number(at + 4, 4), IOAPIC_ADDRESS);
			ioapics++;
		}
		overrides += table[at] == 2;
	}
	CHECK_EQ(lapics, 5);
	CHECK_EQ(ioapics, 1);
	CHECK_EQ(overrides, 2);
	finish();
}

/* --- the byte code: lengths of terms within terms, as aml.c writes them */

static unsigned package_length(unsigned at, unsigned *bytes)
{
	unsigned more = table[at] >> 6, length = table[at] & 15;

	*bytes = 1 + more;
	CHECK(more == 2);
	return length | table[at + 1] << 4 | table[at + 2] << 12;
}

static unsigned parse(unsigned at, unsigned end, unsigned *devices);

static unsigned parse_value(unsigned at, unsigned end)
{
	static const u8 widths[] = {1, 2, 4};
	unsigned bytes, length;

	switch (table[at]) {
	case 0x00:
		return at + 1;
	case 0x0a ... 0x0c:
		return at + 1 + widths[table[at] - 0x0a];
	case 0x0d: /* a string, with its zero */
		return at + 2 + strlen((const char *)table + at + 1);
	case 0x11: /* a buffer says its size twice */
		length = package_length(at + 1, &bytes);
		CHECK_EQ(table[at + 1 + bytes], 0x0b);
		CHECK_EQ(number(at + 2 + bytes, 2), length - bytes - 3);
		CHECK_EQ(table[at + length - 1], 0x79);
		return at + 1 + length;
	case 0x12: {
		unsigned next = at + 1, n;

		length = package_length(at + 1, &bytes);
		n = table[next + bytes];
		next += bytes + 1;
		while (n--)
			next = parse_value(next, end);
		CHECK_EQ(next, at + 1 + length);
		return next;
	}
	}
	test_fail(__FILE__, __LINE__, "byte %02x at %u", table[at], at);
}

static unsigned parse_term(unsigned at, unsigned end, unsigned *devices)
{
	unsigned bytes, length;

	if (table[at] == 0x08)
		return parse_value(at + 5 + (table[at + 1] == '\\'), end);
	if (table[at] == 0x5b) {
		CHECK_EQ(table[++at], 0x82);
		++*devices;
	} else {
		CHECK_EQ(table[at], 0x10);
	}
	length = package_length(at + 1, &bytes);
	CHECK(at + 1 + length <= end);
	parse(at + 1 + bytes + 4 + (table[at + 1 + bytes] == '\\'),
	      at + 1 + length, devices);
	return at + 1 + length;
}

static unsigned parse(unsigned at, unsigned end, unsigned *devices)
{
	while (at < end)
		at = parse_term(at, end, devices);
	CHECK_EQ(at, end);
	return at;
}

TEST(byte_code_is_well_formed)
{
	unsigned length, devices = 0;

	start(1);
	read_table(xsdt_entry(0), "FACP");
	length = read_table(number(140, 8), "DSDT");
	parse(36, length, &devices);
	CHECK_EQ(devices, 5);
	finish();
}

TEST(eisa_ids_are_packed)
{
	u8 bytes[5];
	struct aml aml = {bytes, 0, sizeof(bytes)};

	aml_eisa_id(&aml, "PNP0A03");
	CHECK_MEM(bytes, "\x0c\x41\xd0\x0a\x03", 5);
	aml_integer(&aml, 1);
	CHECK(!aml_fits(&aml));
}

TEST(a_tiny_machine_has_none)
{
	struct vm *tiny = fake_vm(1, KIB(512));

	rsdp = 1;
	CHECK_EQ(acpi_tables(tiny, &rsdp), E_OK);
	CHECK_EQ(rsdp, 0);
	fake_vm_free(tiny);
}
