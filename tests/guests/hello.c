/*
 * Says hello, and how it was started: the mode the processor is in, command
 * line, modules and memory map. Built for 32 and for 64 bits.
 */
#include "guest.h"
#include "multiboot.h"

static void show_cpu(void)
{
	const struct cpuid vendor = cpuid(0, 0);
	const u32 name[4] = {vendor.ebx, vendor.edx, vendor.ecx, 0};

	print("hello from %u-bit mode, paging %s, on %s%s\n",
	      (unsigned)sizeof(word) * 8, read_cr0() & CR0_PG ? "on" : "off",
	      (const char *)name, on_godwit() ? " under Godwit" : "");
}

static void show_modules(void)
{
	const struct multiboot_module *module =
		(const void *)(word)boot_info->mods_addr;

	if (!(boot_info->flags & MULTIBOOT_MODULES))
		return;
	for (u32 i = 0; i < boot_info->mods_count; i++, module++) {
		u32 sum = 0;

		for (const u8 *b = (const u8 *)(word)module->start;
		     b < (const u8 *)(word)module->end; b++)
			sum = sum * 31 + *b;
		print("module %u: %u bytes, sum %08x, \"%s\"\n", i,
		      module->end - module->start, sum,
		      (const char *)(word)module->string);
	}
}

static void show_memory(void)
{
	const char *at = (const char *)(word)boot_info->mmap_addr;
	const char *end = at + boot_info->mmap_length;

	if (!(boot_info->flags & MULTIBOOT_MAP))
		return;
	while (at < end) {
		const struct multiboot_map *map = (const void *)at;

		print("memory %llx-%llx %s\n", (unsigned long long)map->base,
		      (unsigned long long)(map->base + map->length),
		      map->type == 1 ? "RAM" : "reserved");
		at += map->size + sizeof(map->size);
	}
}

int guest_main(void)
{
	show_cpu();
	if (boot_info->flags & MULTIBOOT_CMDLINE)
		print("command line: \"%s\"\n",
		      (const char *)(word)boot_info->cmdline);
	show_modules();
	show_memory();
	return 0;
}
