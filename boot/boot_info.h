/*
 * What the UEFI program hands to the kernel: the one contract between boot/
 * and kernel/. Everything is plain data; pointers are physical addresses,
 * reachable through the direct map. The kernel refuses a version it does not
 * know.
 *
 * At the jump: long mode, interrupts off, CR3 = boot tables that map
 *   - all memory below `direct_size` twice, at itself and at DIRECT_MAP_BASE,
 *   - the kernel image at KERNEL_BASE,
 * in four levels of tables that lie below 4 GiB and allow everything; CR4.PGE
 * and CR4.PCIDE are off. RDI = address of struct boot_info in the direct map.
 * Stack, descriptor tables and page tables are the kernel's to replace at once;
 * until then they lie in BOOT_MEM_KEEP or, for the firmware's own, in
 * BOOT_MEM_FREE memory.
 */
#ifndef BOOT_INFO_H
#define BOOT_INFO_H

#include <stdint.h>

#define BOOT_INFO_MAGIC	  0x544f4f4254495744ULL /* "DWITBOOT" */
#define BOOT_INFO_VERSION 1

#define KERNEL_BASE	0xffffffff80000000ULL
#define DIRECT_MAP_BASE 0xffff800000000000ULL

enum boot_memory_kind {
	BOOT_MEM_FREE,	   /* RAM, the kernel's from the jump on */
	BOOT_MEM_KEEP,	   /* RAM that holds the kernel, this struct, files */
	BOOT_MEM_RESERVED, /* the firmware's for ever, runtime services too */
	BOOT_MEM_ACPI,	   /* ACPI tables and NVS */
	BOOT_MEM_MMIO,	   /* device memory the firmware knows of */
};

/* Sorted by base, not overlapping, neighbours of one kind merged. */
struct boot_region {
	uint64_t base;
	uint64_t size;
	uint32_t kind; /* enum boot_memory_kind */
	uint32_t reserved;
};

#define BOOT_NAME_MAX 64

/* kernel.elf is among them. Behind a file are zeros up to the page's end. */
struct boot_file {
	char name[BOOT_NAME_MAX]; /* "guests/hello.elf", always terminated */
	uint64_t phys;		  /* page aligned */
	uint64_t size;
};

#define BOOT_CPU_ENABLED   1u
#define BOOT_CPU_HEALTHY   2u
#define BOOT_CPU_BOOTSTRAP 4u

struct boot_cpu {
	uint32_t apic_id;
	uint32_t flags;
};

enum boot_source { BOOT_FROM_ESP = 1, BOOT_FROM_FW_CFG = 2 };

/* The UART behind the firmware's console, if it has one. */
struct boot_console {
	uint32_t port; /* I/O port, 0: none known */
	uint32_t baud;
};

struct boot_info {
	uint64_t magic;
	uint32_t version;
	uint32_t size;	      /* of this struct */
	uint64_t kernel_phys; /* 2 MiB aligned; the image is contiguous */
	uint64_t kernel_size; /* in memory, with bss, a multiple of 2 MiB */
	uint64_t direct_size; /* how far the two memory maps reach */
	uint64_t rsdp;	      /* ACPI 2.0 table pointer, else 1.0, else 0 */
	uint64_t regions;     /* struct boot_region[region_count] */
	uint64_t files;	      /* struct boot_file[file_count] */
	uint64_t cpus;	      /* struct boot_cpu[cpu_count] */
	uint32_t region_count;
	uint32_t file_count;
	uint32_t cpu_count; /* 0: the firmware has no MP services */
	uint32_t source;    /* enum boot_source */
	struct boot_console console;
	uint64_t jump_tsc; /* time-stamp counter just before the jump */
	char firmware[32]; /* vendor, ASCII */
};

_Static_assert(sizeof(struct boot_region) == 24, "boot_region");
_Static_assert(sizeof(struct boot_file) == 80, "boot_file");
_Static_assert(sizeof(struct boot_info) == 136, "boot_info");

#endif
