#include "tests/unit/fake_pci.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/device_irq.h"
#include "cpu/lapic.h"
#include "cpu/time.h"
#include "drivers/mmio.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "mm/paging.h"

struct fake_function fake_functions[32];
unsigned fake_function_count;
unsigned fake_memory = ~0u;
u64 host_phys_offset;
u64 fake_ns;

u64 now_ns(void)
{
	return fake_ns;
}

/* --- configuration space */

void fake_set(struct fake_function *f, unsigned reg, unsigned bytes, u32 value)
{
	memcpy(f->config + reg, &value, bytes);
}

u32 fake_get(const struct fake_function *f, unsigned reg, unsigned bytes)
{
	u32 value = 0;

	memcpy(&value, f->config + reg, bytes);
	return value;
}

struct fake_function *fake_add(u16 where, u16 vendor, u16 device)
{
	struct fake_function *f = &fake_functions[fake_function_count++];

	f->where = where;
	fake_set(f, 0, 2, vendor);
	fake_set(f, 2, 2, device);
	return f;
}

void fake_bar32(struct fake_function *f, unsigned bar, u32 base, u32 size)
{
	fake_set(f, 0x10 + bar * 4, 4, base);
	f->bar_mask[bar] = ~(size - 1);
}

void fake_bar64(struct fake_function *f, unsigned bar, u64 base, u64 size)
{
	fake_set(f, 0x10 + bar * 4, 4, (u32)base | 4);
	fake_set(f, 0x14 + bar * 4, 4, (u32)(base >> 32));
	f->bar_mask[bar] = (u32) ~(size - 1);
	f->bar_mask[bar + 1] = (u32)(~(size - 1) >> 32);
}

static struct fake_function *find(u16 where)
{
	for (unsigned i = 0; i < fake_function_count; i++) {
		if (fake_functions[i].where == where)
			return &fake_functions[i];
	}
	return NULL;
}

u32 pci_config_read(u16 where, unsigned reg)
{
	const struct fake_function *f = find(where);

	return f ? fake_get(f, reg & ~3u, 4) : ~0u;
}

void pci_config_write(u16 where, unsigned reg, u32 value)
{
	struct fake_function *f = find(where);
	unsigned bar = (reg - 0x10) / 4;

	if (!f)
		return;
	if (reg >= 0x10 && bar < PCI_BARS)
		value = (value & f->bar_mask[bar]) |
			(fake_get(f, reg, 4) & 0xf & ~f->bar_mask[bar]);
	if (reg == 4) /* the status: ones clear it */
		value = (value & 0xffff) |
			(fake_get(f, 4, 4) & ~value & 0xffff0000);
	fake_set(f, reg, 4, value);
}

/* --- registers */

#define DEFINE_ACCESS(bits)                                                  \
	u##bits mmio_read##bits(const volatile void *reg)                    \
	{                                                                    \
		return (u##bits)fake_mmio_read((u64)reg - (u64)FAKE_MMIO,    \
					       bits / 8);                    \
	}                                                                    \
	void mmio_write##bits(volatile void *reg, u##bits value)             \
	{                                                                    \
		fake_mmio_write((u64)reg - (u64)FAKE_MMIO, bits / 8, value); \
	}
DEFINE_ACCESS(8)
DEFINE_ACCESS(16)
DEFINE_ACCESS(32)

void *mmio_map(u64 phys, u64 size)
{
	return FAKE_MMIO + phys;
}

/* --- memory and interrupts */

/* Start-up gives nothing back; here it stays in reach of the leak checker. */
static void *kept[4096];
static unsigned kept_count;

static void *keep(void *block)
{
	kept[kept_count++ % 4096] = block;
	return block;
}

static bool may_have(void)
{
	if (!fake_memory)
		return false;
	fake_memory -= fake_memory != ~0u;
	return true;
}

u64 page_alloc_zeroed(unsigned order)
{
	void *block = may_have() ? aligned_alloc(PAGE_SIZE, PAGE_SIZE << order)
				 : NULL;

	if (block)
		memset(block, 0, PAGE_SIZE << order);
	return (u64)keep(block);
}

u64 page_alloc(unsigned order)
{
	return page_alloc_zeroed(order);
}

u64 virt_to_phys(const void *virt)
{
	return (u64)virt;
}

void *kmalloc(size_t size)
{
	return may_have() ? keep(malloc(size)) : NULL;
}

void *kzalloc(size_t size)
{
	return may_have() ? keep(calloc(1, size)) : NULL;
}

void kfree(void *ptr)
{
	for (unsigned i = 0; i < 4096; i++)
		kept[i] = kept[i] == ptr ? NULL : kept[i];
	free(ptr);
}

u32 lapic_id(void)
{
	return 3;
}

int device_irq_alloc(void)
{
	return VECTOR_DEVICE;
}

u64 device_irq_count(int vector)
{
	return 0;
}

void device_irq_open_line(unsigned line)
{
}
