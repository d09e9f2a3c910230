/*
 * Finding PCI functions and what they have, with configuration spaces that are
 * right, and some that are not.
 *
 *	links: drivers/pci.c tests/unit/fake_pci.c
 */
#include "tests/unit/test.h"

#include <string.h>

#include "tests/unit/fake_pci.h"

#define MEMORY_AT 0xe000000000ULL /* where OVMF puts 64-bit BARs */

static u32 table[16]; /* an MSI-X table of four entries */

u32 fake_mmio_read(u64 address, unsigned bytes)
{
	return table[(address - MEMORY_AT) / 4 % 16];
}

void fake_mmio_write(u64 address, unsigned bytes, u32 value)
{
	CHECK(address >= MEMORY_AT && address < MEMORY_AT + sizeof(table));
	CHECK_EQ(bytes, 4);
	table[(address - MEMORY_AT) / 4] = value;
}

static struct fake_function *bridge(u16 where, u8 secondary)
{
	struct fake_function *f = fake_add(where, 0x8086, 0x2448);

	fake_set(f, 0x0e, 1, 1);
	fake_set(f, 0x19, 1, secondary);
	return f;
}

static const struct pci_device *found(const char *name)
{
	for (unsigned i = 0; i < pci_count; i++) {
		if (!strcmp(pci_devices[i].name, name))
			return &pci_devices[i];
	}
	test_fail(__FILE__, __LINE__, "%s was not found", name);
}

TEST(functions_and_buses_are_found)
{
	struct fake_function *multi = fake_add(2 << 3, 1, 1);

	fake_set(multi, 0x0e, 1, 0x80);
	fake_add(2 << 3 | 5, 1, 2);
	fake_add(3 << 3, 1, 3);
	fake_add(3 << 3 | 1, 1, 4); /* of a device with one function */
	bridge(4 << 3, 7);
	fake_add(7 << 8 | 31 << 3, 1, 5);
	pci_init();
	CHECK_EQ(pci_count, 4);
	CHECK_EQ(found("00:02.0")->device, 1);
	CHECK_EQ(found("00:02.5")->device, 2);
	CHECK_EQ(found("00:03.0")->device, 3);
	CHECK_EQ(found("07:1f.0")->device, 5);
}

TEST(bridges_in_a_circle_end)
{
	bridge(1 << 3, 1);
	bridge(1 << 8, 2);
	bridge(2 << 8, 1);
	bridge(2 << 8 | 1 << 3, 0);
	fake_add(2 << 8 | 2 << 3, 1, 9);
	pci_init();
	CHECK_EQ(pci_count, 1);
	CHECK_STR(pci_devices[0].name, "02:02.0");
}

TEST(interrupt_lines_are_off)
{
	struct fake_function *f = fake_add(2 << 3, 1, 1);

	fake_set(f, 4, 2, 7);
	fake_set(f, 0x3c, 1, 11);
	fake_set(f, 0x3d, 1, 1);
	fake_add(3 << 3, 1, 1);
	pci_init();
	CHECK_EQ(fake_get(f, 4, 2), 0x407);
	CHECK_EQ(found("00:02.0")->line, 11);
	CHECK_EQ(found("00:03.0")->line, PCI_NO_LINE);
	CHECK(pci_enable_line(found("00:02.0")));
	CHECK_EQ(fake_get(f, 4, 2), 7);
	CHECK(!pci_enable_line(found("00:03.0")));
}

TEST(bars_of_both_widths)
{
	struct fake_function *f = fake_add(2 << 3, 1, 1);

	fake_set(f, 4, 2, 7);
	fake_bar32(f, 0, 0x80000000, 0x20000);
	fake_set(f, 0x14, 4, 0xc001); /* ports */
	f->bar_mask[1] = 0xffffffe0;
	fake_bar64(f, 4, MEMORY_AT, GIB(8));
	pci_init();
	pci_claim(&pci_devices[0]);
	CHECK_EQ(pci_devices[0].bar[0].base, 0x80000000);
	CHECK_EQ(pci_devices[0].bar[0].size, 0x20000);
	CHECK_EQ(pci_devices[0].bar[1].size, 0);
	CHECK_EQ(pci_devices[0].bar[4].base, MEMORY_AT);
	CHECK_EQ(pci_devices[0].bar[4].size, GIB(8));
	CHECK_EQ(fake_get(f, 0x20, 4), 4);
	CHECK_EQ(fake_get(f, 0x24, 4), MEMORY_AT >> 32);
	/* Memory only, and it may not write to ours yet. */
	CHECK_EQ(fake_get(f, 4, 2), 0x402);
	pci_enable_dma(&pci_devices[0]);
	CHECK_EQ(fake_get(f, 4, 2), 0x406);
}

TEST(mapping_stays_inside_the_bar)
{
	struct fake_function *f = fake_add(2 << 3, 1, 1);

	fake_bar64(f, 0, MEMORY_AT, 0x4000);
	pci_init();
	pci_claim(&pci_devices[0]);
	CHECK_EQ((u64)pci_map(&pci_devices[0], 0, 0x1000, 0x3000),
		 (u64)FAKE_MMIO + MEMORY_AT + 0x1000);
	CHECK(!pci_map(&pci_devices[0], 0, 0x1000, 0x3001));
	CHECK(!pci_map(&pci_devices[0], 0, ~0ULL, 2));
	CHECK(!pci_map(&pci_devices[0], 1, 0, 1));
	CHECK(!pci_map(&pci_devices[0], 7, 0, 1));
}

static struct fake_function *with_caps(void)
{
	struct fake_function *f = fake_add(2 << 3, 1, 1);

	fake_set(f, 6, 2, 0x10);
	fake_set(f, 0x34, 1, 0x40);
	return f;
}

TEST(capabilities_are_walked)
{
	struct fake_function *f = with_caps();

	fake_set(f, 0x40, 2, 0x5009);
	fake_set(f, 0x50, 2, 0x6011);
	fake_set(f, 0x60, 2, 0x0009);
	pci_init();
	CHECK_EQ(pci_capability(&pci_devices[0], PCI_CAP_VENDOR, 0), 0x40);
	CHECK_EQ(pci_capability(&pci_devices[0], PCI_CAP_VENDOR, 0x40), 0x60);
	CHECK_EQ(pci_capability(&pci_devices[0], PCI_CAP_VENDOR, 0x60), 0);
	CHECK_EQ(pci_capability(&pci_devices[0], PCI_CAP_MSIX, 0), 0x50);
	fake_set(f, 0x60, 2, 0x4001); /* the list bites its tail */
	CHECK_EQ(pci_capability(&pci_devices[0], 0x77, 0), 0);
	fake_set(f, 6, 2, 0);
	CHECK_EQ(pci_capability(&pci_devices[0], PCI_CAP_MSIX, 0), 0);
}

TEST(msix_sends_to_this_cpu)
{
	struct fake_function *f = with_caps();

	fake_set(f, 0x40, 2, 0x0011);
	fake_set(f, 0x42, 2, 3);
	fake_set(f, 0x44, 4, 0);
	fake_bar64(f, 0, MEMORY_AT, 0x1000);
	pci_init();
	pci_claim(&pci_devices[0]);
	CHECK_EQ(pci_enable_msix(&pci_devices[0], 4, 0x32), E_UNSUPPORTED);
	CHECK_EQ(pci_enable_msix(&pci_devices[0], 1, 0x32), E_OK);
	CHECK_EQ(fake_get(f, 0x42, 2), 0x8003);
	CHECK_EQ(table[3], 1); /* masked */
	CHECK_EQ(table[4], 0xfee03000);
	CHECK_EQ(table[6], 0x32);
	CHECK_EQ(table[7], 0);
	CHECK_EQ(table[15], 1);
	fake_set(f, 0x44, 4, 0xff0); /* the table leaves its BAR */
	CHECK_EQ(pci_enable_msix(&pci_devices[0], 1, 0x32), E_HARDWARE);
}
