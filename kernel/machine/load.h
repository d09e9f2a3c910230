/*
 * Loaders: from a file to a VM that stands before its first instruction. What
 * they have in common is here: where there is room in guest memory, putting
 * pieces of a file there with every range checked, and errors that say which
 * file is wrong, where and how.
 */
#ifndef MACHINE_LOAD_H
#define MACHINE_LOAD_H

#include "files.h"
#include "lib/error.h"
#include "lib/types.h"
#include "vm/vm.h"

/*
 * Guest RAM as PC software expects it: below the place of the extended BIOS
 * data, above 1 MiB up to the device hole, above 4 GiB. Between the first two
 * is RAM too, but a PC's is not usable there.
 */
#define LOW_RAM_END    KIB(639)
#define HIGH_RAM_START MIB(1)

#define FLAT_ADDRESS ((u64)0x7c00)
#define FLAT_MAX     (LOW_RAM_END - FLAT_ADDRESS)

struct load_range {
	u64 start, end; /* end is not in it */
};

#define LOAD_RANGES 32

struct load {
	struct vm *vm;
	struct file file; /* the kernel */
	u64 rsdp;	  /* where the ACPI tables begin, 0: none */
	struct load_range used[LOAD_RANGES];
	unsigned count;
};

/* vm->config's kernel and modules; the first vCPU starts from its reset. */
err_t load_guest(struct vm *vm);

/* One kind each; the file is there and not empty. */
err_t load_flat(struct load *load);
err_t load_multiboot(struct load *load);
err_t load_linux(struct load *load);
err_t load_pvh(struct load *load);

bool load_is_linux(const struct file *file);
/* PVH's entry address is said in a note; false: there is none. */
bool load_find_pvh(const struct file *file, u32 *entry);

/* The physical entry address of an ELF file whose segments are now loaded. */
err_t load_elf(struct load *load, u32 *entry);
bool load_is_elf(const struct file *file);

#define MULTIBOOT_SEARCH 8192u

/*
 * The offset of the first valid Multiboot header; else E_NOTFOUND, and in
 * *suspect that of the first magic number whose checksum is wrong, or ~0.
 */
err_t load_find_multiboot(const struct file *file, u64 *offset, u64 *suspect);

/* Logs "VM: FILE: what is wrong" and returns err. */
err_t load_fail(const struct load *load, err_t err, const char *fmt, ...)
	PRINTF(3);

/* Some part of the kernel's file; the rest up to memory_size is zeroes. */
struct load_piece {
	const char *name; /* "segment" */
	unsigned index;
	u64 address;
	u64 offset, file_size;
	u64 memory_size;
};
err_t load_piece(struct load *load, const struct load_piece *piece);

/* Usable, and nothing there; something there. */
bool load_is_free(const struct load *load, u64 address, u64 size);
bool load_is_used(const struct load *load, u64 address);

/* The range is taken, whatever is there; it must be usable. */
err_t load_reserve(struct load *load, const char *what, u64 address, u64 size);

/*
 * Finds room that nothing has been loaded to, lowest first: below 1 MiB, then
 * above, or (high) the other way round. E_NOMEM says who wanted it.
 */
err_t load_place(struct load *load, const char *what, u64 size, u64 align,
		 bool high, u64 *address);

/* --- load_parts.c: what several kinds tell their kernels */

/* Guest RAM in order, with what lies between and is not to be used. */
struct load_region {
	u64 start, size;
	bool usable;
};
#define LOAD_REGIONS 5
unsigned load_memory_map(const struct guest_memory *memory,
			 struct load_region region[LOAD_REGIONS]);

/* "FILE words", put on a page of its own. */
struct load_module {
	u64 address, size;
	const char *words;
};
err_t load_module(struct load *load, const char *text,
		  struct load_module *module);

/* All that the VM has, in order; their words are copied, too. */
err_t load_modules(struct load *load, struct load_module module[VM_MODULES],
		   char words[VM_MODULES][VM_TEXT_MAX]);

/* 32-bit protected mode, flat, no paging, interrupts off. */
void load_enter_protected(struct vcpu_state *state, u32 entry, u16 code,
			  u16 data);

#endif
