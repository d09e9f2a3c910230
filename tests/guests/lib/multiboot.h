/* Multiboot 1: what the loader tells the kernel (specification 0.6.96, 3.3). */
#ifndef MULTIBOOT_H
#define MULTIBOOT_H

#include "lib/types.h"

#define MULTIBOOT_LOADED 0x2badb002u

#define MULTIBOOT_MEMORY  BIT(0)
#define MULTIBOOT_CMDLINE BIT(2)
#define MULTIBOOT_MODULES BIT(3)
#define MULTIBOOT_MAP	  BIT(6)
#define MULTIBOOT_LOADER  BIT(9)

struct multiboot_info {
	u32 flags;
	u32 mem_lower, mem_upper; /* KiB */
	u32 boot_device;
	u32 cmdline;
	u32 mods_count, mods_addr;
	u32 symbols[4];
	u32 mmap_length, mmap_addr;
	u32 drives_length, drives_addr;
	u32 config_table;
	u32 loader_name;
};

struct multiboot_module {
	u32 start, end, string, reserved;
};

/* size does not count itself. */
struct PACKED multiboot_map {
	u32 size;
	u64 base, length;
	u32 type; /* 1: RAM */
};

#endif
