/* Layouts from the ACPI specification 6.4, chapter 5.2. */
#include "cpu/acpi.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/pages.h"
#include "mm/paging.h"

#define TABLE_MAX MIB(1) /* beyond reason for what we read */

struct PACKED rsdp {
	char signature[8];
	u8 checksum; /* of the first 20 bytes */
	char oem_id[6];
	u8 revision; /* 2: the fields from here on are there */
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
};
ASSERT_SIZE(struct rsdp, 36);

struct PACKED generic_address {
	u8 space;
	u8 width, offset, access;
	u64 address;
};
#define SPACE_MEMORY 0
#define SPACE_IO     1

struct PACKED fadt {
	struct acpi_header header;
	u8 unused1[40];
	u32 pm_timer_port;
	u8 unused2[128];
	struct generic_address pm_timer;
};
ASSERT_OFFSET(struct fadt, pm_timer_port, 76);
ASSERT_OFFSET(struct fadt, pm_timer, 208);
#define FADT_V1_LENGTH 116

struct PACKED hpet_table {
	struct acpi_header header;
	u32 id;
	struct generic_address base;
};

struct PACKED madt {
	struct acpi_header header;
	u32 lapic_address;
	u32 flags;
	u8 entries[];
};

struct PACKED madt_entry {
	u8 type;
	u8 length;
	union {
		struct PACKED {
			u8 uid;
			u8 apic_id;
			u32 flags;
		} lapic;
		struct PACKED {
			u16 reserved;
			u32 apic_id;
			u32 flags;
		} x2apic;
	};
};
#define MADT_LAPIC   0
#define MADT_X2APIC  9
#define MADT_ENABLED BIT(0)

static const struct acpi_header *root; /* RSDT or XSDT */
static size_t pointer_size;	       /* in it */

/* Tables lie in RAM as a rule, and where firmware pleases otherwise. */
static const void *reach(u64 phys, u64 size)
{
	if (phys_is_mapped(phys, size))
		return phys_to_virt(phys);
	return mmio_map(phys, size);
}

static bool checksum_ok(const void *table, size_t length)
{
	const u8 *bytes = table;
	u8 sum = 0;

	for (size_t i = 0; i < length; i++)
		sum = (u8)(sum + bytes[i]);
	return sum == 0;
}

/* The whole table at phys; NULL, with a word in the log, if it is broken. */
static const struct acpi_header *table_at(u64 phys)
{
	const struct acpi_header *header;
	u32 length;

	if (phys == 0)
		return NULL;
	header = reach(phys, sizeof(*header));
	if (header == NULL)
		return NULL;
	length = header->length;
	if (length < sizeof(*header) || length > TABLE_MAX) {
		log_warn("acpi: table at 0x%lx has length %u", phys, length);
		return NULL;
	}
	header = reach(phys, length);
	if (header != NULL && !checksum_ok(header, length)) {
		log_warn("acpi: table %.4s at 0x%lx has a wrong checksum",
			 header->signature, phys);
		return NULL;
	}
	return header;
}

void acpi_init(u64 phys)
{
	const struct rsdp *rsdp;
	bool extended;

	if (phys == 0)
		return;
	rsdp = reach(phys, sizeof(*rsdp));
	if (rsdp == NULL || memcmp(rsdp->signature, "RSD PTR ", 8) != 0 ||
	    !checksum_ok(rsdp, 20)) {
		log_warn("acpi: no valid root pointer at 0x%lx", phys);
		return;
	}
	extended = rsdp->revision >= 2 && rsdp->xsdt != 0 &&
		   checksum_ok(rsdp, sizeof(*rsdp));
	pointer_size = extended ? 8 : 4;
	root = table_at(extended ? rsdp->xsdt : rsdp->rsdt);
}

const void *acpi_find(const char signature[4], size_t min_length)
{
	size_t count;

	if (root == NULL)
		return NULL;
	count = (root->length - sizeof(*root)) / pointer_size;
	for (size_t i = 0; i < count; i++) {
		const struct acpi_header *table;
		u64 phys = 0;

		memcpy(&phys, (const u8 *)(root + 1) + i * pointer_size,
		       pointer_size);
		table = phys != 0 ? reach(phys, sizeof(*table)) : NULL;
		if (table == NULL || memcmp(table->signature, signature, 4))
			continue;
		table = table_at(phys);
		if (table != NULL && table->length >= min_length)
			return table;
	}
	return NULL;
}

u16 acpi_pm_timer_port(void)
{
	const struct fadt *fadt = acpi_find("FACP", FADT_V1_LENGTH);

	if (fadt == NULL)
		return 0;
	if (fadt->header.length >= sizeof(*fadt) &&
	    fadt->pm_timer.space == SPACE_IO && fadt->pm_timer.address != 0)
		return (u16)fadt->pm_timer.address;
	return (u16)fadt->pm_timer_port;
}

u64 acpi_hpet_base(void)
{
	const struct hpet_table *hpet =
		acpi_find("HPET", sizeof(struct hpet_table));

	if (hpet == NULL || hpet->base.space != SPACE_MEMORY)
		return 0;
	return hpet->base.address;
}

static bool enabled_cpu(const struct madt_entry *e, u32 *apic_id)
{
	if (e->type == MADT_LAPIC && e->length >= 8) {
		*apic_id = e->lapic.apic_id;
		return e->lapic.flags & MADT_ENABLED;
	}
	if (e->type == MADT_X2APIC && e->length >= 16) {
		*apic_id = e->x2apic.apic_id;
		return e->x2apic.flags & MADT_ENABLED;
	}
	return false;
}

unsigned acpi_cpus(u32 *apic_ids, unsigned max)
{
	const struct madt *madt = acpi_find("APIC", sizeof(*madt));
	const u8 *at, *end;
	unsigned count = 0;

	if (madt == NULL)
		return 0;
	at = madt->entries;
	end = (const u8 *)madt + madt->header.length;
	while (end - at >= 2 && count < max) {
		const struct madt_entry *e = (const void *)at;

		if (e->length < 2 || e->length > end - at)
			break;
		if (enabled_cpu(e, &apic_ids[count]))
			count++;
		at += e->length;
	}
	return count;
}
