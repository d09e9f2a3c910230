/*
 * Made anew for each start, as firmware would: sizes and offsets are those of
 * the ACPI 6.5 specification, of which the FADT is in its second form (revision
 * 3), which every kernel reads.
 */
#include "machine/acpi_tables.h"

#include "lib/log.h"
#include "lib/string.h"
#include "machine/aml.h"
#include "machine/lapic.h"
#include "machine/layout.h"
#include "machine/pm.h"
#include "machine/ports.h"
#include "mm/heap.h"
#include "vm/vm.h"

/* --- layouts (5.2) */

struct acpi_rsdp {
	char signature[8];
	u8 checksum; /* of the first 20 bytes */
	char oem[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 whole_checksum;
	u8 reserved[3];
} PACKED;
ASSERT_SIZE(struct acpi_rsdp, 36);

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem[6];
	char oem_table[8];
	u32 oem_revision;
	char creator[4];
	u32 creator_revision;
} PACKED;
ASSERT_SIZE(struct acpi_header, 36);

struct acpi_address { /* 5.2.3.2 */
	u8 space;
	u8 bits;
	u8 offset;
	u8 access;
	u64 address;
} PACKED;
#define SPACE_PORTS 1

struct acpi_fadt {
	struct acpi_header header;
	u32 facs, dsdt;
	u8 reserved1;
	u8 profile;
	u16 sci;
	u32 smi_command;
	u8 enable, disable, s4bios, pstate;
	u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control;
	u32 pm2_control, pm_timer, gpe0, gpe1;
	u8 pm1_event_size, pm1_control_size, pm2_control_size, pm_timer_size;
	u8 gpe0_size, gpe1_size, gpe1_base, cst;
	u16 c2_latency, c3_latency;
	u16 flush_size, flush_stride;
	u8 duty_offset, duty_width;
	u8 day_alarm, month_alarm, century;
	u16 boot_flags;
	u8 reserved2;
	u32 flags;
	struct acpi_address reset;
	u8 reset_value;
	u16 arm_flags;
	u8 minor;
	u64 x_facs, x_dsdt;
	struct acpi_address x_pm1a_event, x_pm1b_event;
	struct acpi_address x_pm1a_control, x_pm1b_control;
	struct acpi_address x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
} PACKED;
ASSERT_SIZE(struct acpi_fadt, 244);

#define PROFILE_SERVER	 4
#define NO_C2		 101 /* us: more means there is none */
#define NO_C3		 1001
#define BOOT_LEGACY	 BIT(0) /* there is an ISA bus with its devices */
#define BOOT_NO_VGA	 BIT(2)
#define FADT_WBINVD	 BIT(0)
#define FADT_HLT	 BIT(2) /* C1 on every processor */
#define FADT_NO_SLEEP	 BIT(5) /* no sleep button among the fixed ones */
#define FADT_NO_RTC_WAKE BIT(6) /* the RTC's alarm is no fixed event */
#define FADT_TIMER_32	 BIT(8)
#define FADT_RESET	 BIT(10)
#define RESET_VALUE	 0x06

struct acpi_facs {
	char signature[4];
	u32 length;
	u8 zero[24];
	u8 version;
	u8 reserved[31];
} PACKED;
ASSERT_SIZE(struct acpi_facs, 64);

struct acpi_madt {
	struct acpi_header header;
	u32 lapic;
	u32 flags;
} PACKED;
#define MADT_PICS 1u

enum { MADT_LAPIC, MADT_IOAPIC, MADT_OVERRIDE, MADT_LAPIC_NMI = 4 };

struct madt_lapic {
	u8 type, length, uid, id;
	u32 flags;
} PACKED;

struct madt_ioapic {
	u8 type, length, id, reserved;
	u32 address, first_gsi;
} PACKED;

struct madt_override {
	u8 type, length, bus, source;
	u32 gsi;
	u16 flags;
} PACKED;
#define LEVEL_HIGH 0x000d

struct madt_nmi {
	u8 type, length, uid;
	u16 flags;
	u8 lint;
} PACKED;
#define ALL_PROCESSORS 0xff

/* --- where they lie, fixed: all of it is a page and a half */

#define RSDP_AT	 (ACPI_START)
#define XSDT_AT	 (ACPI_START + 0x40)
#define FACS_AT	 (ACPI_START + 0x80)
#define FADT_AT	 (ACPI_START + 0x100)
#define MADT_AT	 (ACPI_START + 0x200)
#define MADT_MAX 0x200
#define DSDT_AT	 (ACPI_START + 0x400)
#define DSDT_MAX 0x2000

_Static_assert(XSDT_AT + sizeof(struct acpi_header) + 2 * 8 <= FACS_AT,
	       "room for the XSDT");
_Static_assert(FADT_AT + sizeof(struct acpi_fadt) <= MADT_AT,
	       "room for the FADT");
_Static_assert(sizeof(struct acpi_madt) + VM_VCPUS * sizeof(struct madt_lapic) +
			       sizeof(struct madt_ioapic) +
			       2 * sizeof(struct madt_override) +
			       sizeof(struct madt_nmi) <=
		       MADT_MAX,
	       "room for the MADT");

static u8 checksum(const void *data, size_t size)
{
	const u8 *bytes = data;
	u8 sum = 0;

	while (size--)
		sum -= *bytes++;
	return sum;
}

static void fill_header(struct acpi_header *h, const char *signature,
			u8 revision, u32 length)
{
	memcpy(h->signature, signature, 4);
	h->length = length;
	h->revision = revision;
	memcpy(h->oem, "GODWIT", 6);
	memcpy(h->oem_table, "GODWITVM", 8);
	h->oem_revision = 1;
	memcpy(h->creator, "GDWT", 4);
	h->creator_revision = 1;
	h->checksum = 0;
}

/* A whole table: its checksum, and into the guest. */
static err_t place(struct vm *vm, struct acpi_header *h, u64 at)
{
	h->checksum = checksum(h, h->length);
	return guest_write(&vm->memory, at, h, h->length);
}

/* --- RSDP and XSDT: where the others are */

static err_t place_roots(struct vm *vm)
{
	struct {
		struct acpi_header header;
		u64 tables[2];
	} PACKED xsdt = {.tables = {FADT_AT, MADT_AT}};
	struct acpi_rsdp rsdp = {
		.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
		.oem = {'G', 'O', 'D', 'W', 'I', 'T'},
		.revision = 2,
		.length = sizeof(rsdp),
		.xsdt = XSDT_AT,
	};
	err_t err;

	fill_header(&xsdt.header, "XSDT", 1, sizeof(xsdt));
	err = place(vm, &xsdt.header, XSDT_AT);
	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.whole_checksum = checksum(&rsdp, sizeof(rsdp));
	return err ? err
		   : guest_write(&vm->memory, RSDP_AT, &rsdp, sizeof(rsdp));
}

/* --- FADT and FACS: the fixed hardware */

static struct acpi_address ports(u16 port, u8 bytes)
{
	return (struct acpi_address){
		.space = SPACE_PORTS,
		.bits = 8 * bytes,
		.access = bytes == 4 ? 3 : bytes,
		.address = port,
	};
}

static err_t place_fixed(struct vm *vm)
{
	const struct acpi_facs facs = {
		.signature = {'F', 'A', 'C', 'S'},
		.length = sizeof(facs),
		.version = 2,
	};
	struct acpi_fadt fadt = {
		.facs = FACS_AT,
		.dsdt = DSDT_AT,
		.profile = PROFILE_SERVER,
		.sci = GSI_SCI,
		.pm1a_event = PORT_PM_EVENT,
		.pm1a_control = PORT_PM_CONTROL,
		.pm_timer = PORT_PM_TIMER,
		.pm1_event_size = 4,
		.pm1_control_size = 2,
		.pm_timer_size = 4,
		.c2_latency = NO_C2,
		.c3_latency = NO_C3,
		.century = 0x32,
		.boot_flags = BOOT_LEGACY | BOOT_NO_VGA,
		.flags = FADT_WBINVD | FADT_HLT | FADT_NO_SLEEP |
			 FADT_NO_RTC_WAKE | FADT_TIMER_32 | FADT_RESET,
		.reset = ports(PORT_RESET, 1),
		.reset_value = RESET_VALUE,
		.x_facs = FACS_AT,
		.x_dsdt = DSDT_AT,
		.x_pm1a_event = ports(PORT_PM_EVENT, 4),
		.x_pm1a_control = ports(PORT_PM_CONTROL, 2),
		.x_pm_timer = ports(PORT_PM_TIMER, 4),
	};
	err_t err = guest_write(&vm->memory, FACS_AT, &facs, sizeof(facs));

	fill_header(&fadt.header, "FACP", 3, sizeof(fadt));
	return err ? err : place(vm, &fadt.header, FADT_AT);
}

/* --- MADT: processors and interrupt controllers */

static void add(u8 *table, const void *entry, size_t size)
{
	struct acpi_header *h = (struct acpi_header *)table;

	memcpy(table + h->length, entry, size);
	h->length += size;
}

static void add_processors(u8 *table, const struct vm *vm)
{
	const struct madt_nmi nmi = {
		.type = MADT_LAPIC_NMI,
		.length = sizeof(nmi),
		.uid = ALL_PROCESSORS,
		.lint = 1,
	};

	for (unsigned i = 0; i < vm->vcpus; i++) {
		const struct madt_lapic lapic = {
			.type = MADT_LAPIC,
			.length = sizeof(lapic),
			.uid = i,
			.id = vm->vcpu[i]->lapic->id,
			.flags = 1, /* enabled */
		};

		add(table, &lapic, sizeof(lapic));
	}
	add(table, &nmi, sizeof(nmi));
}

static void add_ioapic(u8 *table)
{
	const struct madt_ioapic ioapic = {
		.type = MADT_IOAPIC,
		.length = sizeof(ioapic),
		.address = IOAPIC_ADDRESS,
	};
	const struct madt_override timer = {
		.type = MADT_OVERRIDE,
		.length = sizeof(timer),
		.source = GSI_TIMER,
		.gsi = 2,
	};
	const struct madt_override sci = {
		.type = MADT_OVERRIDE,
		.length = sizeof(sci),
		.source = GSI_SCI,
		.gsi = GSI_SCI,
		.flags = LEVEL_HIGH,
	};

	add(table, &ioapic, sizeof(ioapic));
	add(table, &timer, sizeof(timer));
	add(table, &sci, sizeof(sci));
}

static err_t place_madt(struct vm *vm)
{
	u8 table[MADT_MAX];
	struct acpi_madt *madt = (struct acpi_madt *)table;

	madt->lapic = LAPIC_ADDRESS;
	madt->flags = MADT_PICS;
	fill_header(&madt->header, "APIC", 3, sizeof(*madt));
	add_processors(table, vm);
	add_ioapic(table);
	return place(vm, &madt->header, MADT_AT);
}

/* --- DSDT: what cannot be found by asking */

static void add_device(struct aml *aml, const char *name, const char *id,
		       u16 port, u8 count, unsigned irq)
{
	unsigned device = aml_device(aml, name), resources;

	aml_name(aml, "_HID");
	aml_eisa_id(aml, id);
	aml_name(aml, "_CRS");
	resources = aml_resources(aml);
	aml_ports(aml, port, count);
	aml_irq(aml, irq);
	aml_resources_end(aml, resources);
	aml_end(aml, device);
}

/* By the name that kernels know pvpanic by. */
static void add_panic(struct aml *aml)
{
	unsigned device = aml_device(aml, "PEVT"), resources;

	aml_name(aml, "_HID");
	aml_string(aml, "QEMU0001");
	aml_name(aml, "_CRS");
	resources = aml_resources(aml);
	aml_ports(aml, PORT_PANIC, 1);
	aml_resources_end(aml, resources);
	aml_end(aml, device);
}

/* Which interrupt line a slot's pin is wired to: slot, pin, 0, line. */
static void add_wiring(struct aml *aml)
{
	const unsigned slots = 32, pins = 4;
	unsigned all, one;

	aml_name(aml, "_PRT");
	all = aml_package(aml, slots * pins);
	for (unsigned i = 0; i < slots * pins; i++) {
		one = aml_package(aml, 4);
		aml_integer(aml, i / pins << 16 | 0xffff);
		aml_integer(aml, i % pins);
		aml_integer(aml, 0);
		aml_integer(aml, GSI_OF_PCI(i / pins, i % pins));
		aml_end(aml, one);
	}
	aml_end(aml, all);
}

static void add_pci(struct aml *aml)
{
	unsigned device = aml_device(aml, "PCI0"), resources;

	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0A03");
	aml_name(aml, "_CRS");
	resources = aml_resources(aml);
	aml_bus_range(aml, 0, 0);
	aml_ports(aml, PORT_PCI_ADDRESS, 8);
	aml_port_range(aml, 0, PORT_PCI_ADDRESS - 1);
	aml_port_range(aml, PORT_PCI_ADDRESS + 8, 0xffff);
	aml_memory_range(aml, PCI_WINDOW, PCI_WINDOW + PCI_WINDOW_SIZE - 1);
	aml_resources_end(aml, resources);
	add_wiring(aml);
	aml_end(aml, device);
}

static void add_power_off(struct aml *aml)
{
	unsigned package;

	aml_name(aml, "\\_S5_");
	package = aml_package(aml, 4);
	aml_integer(aml, PM_SLEEP_S5);
	aml_integer(aml, PM_SLEEP_S5);
	aml_integer(aml, 0);
	aml_integer(aml, 0);
	aml_end(aml, package);
}

static err_t place_dsdt(struct vm *vm)
{
	struct acpi_header *h = kzalloc(DSDT_MAX);
	struct aml aml = {.room = DSDT_MAX - sizeof(*h)};
	unsigned scope;
	err_t err;

	if (!h)
		return E_NOMEM;
	aml.at = (u8 *)(h + 1);
	add_power_off(&aml);
	scope = aml_scope(&aml, "\\_SB_");
	add_pci(&aml);
	add_device(&aml, "COM1", "PNP0501", 0x3f8, 8, GSI_UART);
	add_device(&aml, "RTC_", "PNP0B00", 0x70, 2, GSI_RTC);
	add_device(&aml, "TIMR", "PNP0100", 0x40, 4, GSI_TIMER);
	add_panic(&aml);
	aml_end(&aml, scope);
	fill_header(h, "DSDT", 2, sizeof(*h) + aml.size);
	err = aml_fits(&aml) ? place(vm, h, DSDT_AT) : E_RANGE;
	kfree(h);
	return err;
}

/* A VM of less than 1 MiB has no room for them, and needs none. */
err_t acpi_tables(struct vm *vm, u64 *rsdp)
{
	err_t err;

	*rsdp = 0;
	if (!guest_is_ram(&vm->memory, ACPI_START, ACPI_END - ACPI_START))
		return E_OK;
	err = place_roots(vm);
	if (!err)
		err = place_fixed(vm);
	if (!err)
		err = place_madt(vm);
	if (!err)
		err = place_dsdt(vm);
	if (err)
		log_error("%s: ACPI tables: %s", vm->config.name,
			  err_text(err));
	else
		*rsdp = RSDP_AT;
	return err;
}
