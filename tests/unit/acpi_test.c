/*
 * ACPI tables as firmware might leave them, whole and damaged. They end where
 * the mapped memory ends, so reading beyond them crashes the test.
 *
 * links: kernel/cpu/acpi.c
 */
#include <string.h>
#include <sys/mman.h>

#include "cpu/acpi.h"
#include "mm/pages.h"
#include "mm/paging.h"
#include "test.h"

#define WINDOW KIB(64)
#define RSDP   0x1000
#define XSDT   0x2000
#define MADT   (WINDOW - 44 - 8 - 8 - 16) /* ends with the window */
#define FADT   0x4000
#define HPET   0x5000

u64 host_phys_offset;

bool phys_is_mapped(u64 phys, u64 size)
{
	return phys < WINDOW && size <= WINDOW - phys;
}

void *mmio_map(u64 phys, u64 size)
{
	return NULL;
}

static u8 *at(u64 phys)
{
	return phys_to_virt(phys);
}

static void put(u64 phys, u64 value, unsigned size)
{
	memcpy(at(phys), &value, size);
}

static void set_checksum(u64 phys, unsigned length, unsigned where)
{
	u8 sum = 0;

	at(phys)[where] = 0;
	for (unsigned i = 0; i < length; i++)
		sum = (u8)(sum + at(phys)[i]);
	at(phys)[where] = (u8)-sum;
}

static void finish_table(u64 phys, const char *signature, u32 length)
{
	memcpy(at(phys), signature, 4);
	put(phys + 4, length, 4);
	set_checksum(phys, length, 9);
}

static void make_madt(void)
{
	put(MADT + 44, 0x0800, 2); /* local APIC, 8 bytes */
	put(MADT + 47, 3, 1);
	put(MADT + 48, 1, 4);
	put(MADT + 52, 0x0800, 2);
	put(MADT + 55, 4, 1);	   /* not enabled */
	put(MADT + 60, 0x1009, 2); /* x2APIC, 16 bytes */
	put(MADT + 64, 0x12345, 4);
	put(MADT + 68, 1, 4);
	finish_table(MADT, "APIC", 44 + 8 + 8 + 16);
}

static void make_tables(void)
{
	if (host_phys_offset == 0)
		host_phys_offset =
			(u64)mmap(NULL, WINDOW, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(at(0), 0, WINDOW);
	memcpy(at(RSDP), "RSD PTR ", 8);
	at(RSDP)[15] = 2;
	put(RSDP + 20, 36, 4);
	put(RSDP + 24, XSDT, 8);
	set_checksum(RSDP, 20, 8);
	set_checksum(RSDP, 36, 32);
	put(XSDT + 36, FADT, 8);
	put(XSDT + 44, MADT, 8);
	put(XSDT + 52, HPET, 8);
	finish_table(XSDT, "XSDT", 60);
	put(FADT + 76, 0x608, 4);
	finish_table(FADT, "FACP", 244);
	put(HPET + 44, 0xfed00000, 8);
	finish_table(HPET, "HPET", 56);
	make_madt();
}

static unsigned cpus(u32 *ids)
{
	acpi_init(RSDP);
	return acpi_cpus(ids, 8);
}

TEST(tables_are_found)
{
	u32 ids[8];

	make_tables();
	CHECK_EQ(cpus(ids), 2);
	CHECK_EQ(ids[0], 3);
	CHECK_EQ(ids[1], 0x12345);
	CHECK_EQ(acpi_pm_timer_port(), 0x608);
	CHECK_EQ(acpi_hpet_base(), 0xfed00000);
	CHECK(acpi_find("NONE", 36) == NULL);
	CHECK(acpi_find("HPET", 57) == NULL);
}

TEST(room_for_cpus_is_respected)
{
	u32 ids[2] = {0, 77};

	make_tables();
	acpi_init(RSDP);
	CHECK_EQ(acpi_cpus(ids, 1), 1);
	CHECK_EQ(ids[1], 77);
}

TEST(no_acpi_is_no_error)
{
	u32 ids[8];

	acpi_init(0);
	CHECK_EQ(acpi_cpus(ids, 8), 0);
	CHECK_EQ(acpi_hpet_base(), 0);
	CHECK_EQ(acpi_pm_timer_port(), 0);
}

TEST(wrong_checksum_is_no_table)
{
	u32 ids[8];

	make_tables();
	at(MADT)[50] ^= 1;
	CHECK_EQ(cpus(ids), 0);
	CHECK_EQ(acpi_hpet_base(), 0xfed00000);
}

TEST(entry_of_no_length_ends_the_list)
{
	u32 ids[8];

	make_tables();
	at(MADT)[53] = 0;
	finish_table(MADT, "APIC", 44 + 8 + 8 + 16);
	CHECK_EQ(cpus(ids), 1);
}

TEST(entry_beyond_the_table_is_not_read)
{
	u32 ids[8];

	make_tables();
	at(MADT)[61] = 17;
	finish_table(MADT, "APIC", 44 + 8 + 8 + 16);
	CHECK_EQ(cpus(ids), 1);
}

/* Any damage, with checksums made right again: no crash, no endless loop. */
TEST(damage_is_survived)
{
	static const u64 tables[] = {RSDP, XSDT, MADT, FADT, HPET};
	static const u32 lengths[] = {36, 60, 76, 244, 56};
	u64 x = 88172645463325252ULL;
	u32 ids[8];

	for (unsigned i = 0; i < 3000; i++) {
		unsigned t = i % 5;

		make_tables();
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		at(tables[t])[(x >> 8) % lengths[t]] = (u8)x;
		if (t == 0) {
			set_checksum(RSDP, 20, 8);
			set_checksum(RSDP, 36, 32);
		} else {
			set_checksum(tables[t], lengths[t], 9);
		}
		cpus(ids);
		acpi_pm_timer_port();
		acpi_hpet_base();
	}
}
