#include "machine/load.h"

#include "lib/log.h"
#include "lib/string.h"
#include "machine/acpi_tables.h"
#include "vm/vm.h"

/* Not the first page, which has the interrupt table and often means NULL. */
#define PLACE_START PAGE_SIZE

err_t load_fail(const struct load *load, err_t err, const char *fmt, ...)
{
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_error("%s: %s: %s", load->vm->config.name, load->file.name, text);
	return err;
}

/* --- where there is room */

/* All of [start, start+size) is usable RAM; what follows 4 GiB is not asked. */
static bool is_usable(const struct load *load, u64 start, u64 size)
{
	u64 low = load->vm->memory.low_size;

	if (start < LOW_RAM_END)
		return size <= MIN(LOW_RAM_END, low) - MIN(start, low);
	return start >= HIGH_RAM_START && start <= low && size <= low - start;
}

static err_t note_used(struct load *load, u64 start, u64 size)
{
	if (load->count == LOAD_RANGES)
		return load_fail(load, E_RANGE,
				 "more than %u pieces to be loaded",
				 LOAD_RANGES);
	load->used[load->count++] = (struct load_range){start, start + size};
	return E_OK;
}

/* What lies in the way of [start, start+size), or NULL. */
static const struct load_range *obstacle(const struct load *load, u64 start,
					 u64 size)
{
	for (unsigned i = 0; i < load->count; i++)
		if (start < load->used[i].end &&
		    load->used[i].start < start + size)
			return &load->used[i];
	return NULL;
}

/* Each step leads beyond an obstacle, so there are at most count of them. */
static bool place_in(const struct load *load, u64 from, u64 size, u64 align,
		     u64 *address)
{
	u64 at = ALIGN_UP(from, align);

	while (is_usable(load, at, size)) {
		const struct load_range *range = obstacle(load, at, size);

		if (!range) {
			*address = at;
			return true;
		}
		at = ALIGN_UP(range->end, align);
	}
	return false;
}

err_t load_place(struct load *load, const char *what, u64 size, u64 align,
		 bool high, u64 *address)
{
	static const u64 starts[] = {PLACE_START, HIGH_RAM_START};

	/* An empty one has a place of its own too. */
	size = MAX(size, 1);
	if (place_in(load, starts[high], size, align, address) ||
	    place_in(load, starts[!high], size, align, address))
		return note_used(load, *address, size);
	return load_fail(load, E_NOMEM,
			 "no room for %s of %lu bytes in %lu KiB of memory",
			 what, size, (load->vm->memory.size >> 10));
}

bool load_is_free(const struct load *load, u64 address, u64 size)
{
	return is_usable(load, address, size) && !obstacle(load, address, size);
}

bool load_is_used(const struct load *load, u64 address)
{
	return obstacle(load, address, 1);
}

err_t load_reserve(struct load *load, const char *what, u64 address, u64 size)
{
	if (!is_usable(load, address, size))
		return load_fail(load, E_RANGE,
				 "%s: 0x%lx bytes at 0x%lx are not within its "
				 "%lu KiB of memory",
				 what, size, address,
				 load->vm->memory.size >> 10);
	return note_used(load, address, size);
}

err_t load_piece(struct load *load, const struct load_piece *p)
{
	struct guest_memory *memory = &load->vm->memory;
	err_t err;

	if (p->offset > load->file.size ||
	    p->file_size > load->file.size - p->offset)
		return load_fail(load, E_FORMAT,
				 "%s %u: 0x%lx bytes at offset 0x%lx, but the "
				 "file has 0x%lx",
				 p->name, p->index, p->file_size, p->offset,
				 load->file.size);
	if (p->memory_size < p->file_size)
		return load_fail(
			load, E_FORMAT,
			"%s %u: 0x%lx bytes of file for 0x%lx of memory",
			p->name, p->index, p->file_size, p->memory_size);
	if (!is_usable(load, p->address, p->memory_size))
		return load_fail(
			load, E_RANGE,
			"%s %u: 0x%lx bytes at address 0x%lx are not within "
			"usable memory (0-0x%lx, 0x%lx-0x%lx)",
			p->name, p->index, p->memory_size, p->address,
			LOW_RAM_END, HIGH_RAM_START, memory->low_size);
	err = guest_write(memory, p->address, load->file.data + p->offset,
			  p->file_size);
	if (!err)
		err = guest_fill(memory, p->address + p->file_size, 0,
				 p->memory_size - p->file_size);
	return err ? err : note_used(load, p->address, p->memory_size);
}

/* --- which loader */

static err_t load_unknown(struct load *load, u64 suspect)
{
	if (suspect != ~0ULL)
		return load_fail(
			load, E_FORMAT,
			"the Multiboot header at offset 0x%lx has a "
			"wrong checksum (loader = flat would not look)",
			suspect);
	if (load_is_elf(&load->file))
		return load_fail(load, E_FORMAT,
				 "an ELF file, but without a Multiboot header "
				 "in its first %u bytes, or PVH's note",
				 MULTIBOOT_SEARCH);
	return load_fail(load, E_FORMAT,
			 "no Linux kernel, no Multiboot header in its first %u "
			 "bytes, and with %lu too large for a flat image (at "
			 "most %lu)",
			 MULTIBOOT_SEARCH, load->file.size, FLAT_MAX);
}

static err_t load_auto(struct load *load)
{
	u64 offset, suspect;
	u32 entry;

	if (load_is_linux(&load->file))
		return load_linux(load);
	if (!load_find_multiboot(&load->file, &offset, &suspect))
		return load_multiboot(load);
	if (load_find_pvh(&load->file, &entry))
		return load_pvh(load);
	if (suspect != ~0ULL || load_is_elf(&load->file) ||
	    load->file.size > FLAT_MAX)
		return load_unknown(load, suspect);
	return load_flat(load);
}

err_t load_guest(struct vm *vm)
{
	static err_t (*const loaders[])(struct load *) = {
		[LOADER_AUTO] = load_auto,
		[LOADER_FLAT] = load_flat,
		[LOADER_MULTIBOOT] = load_multiboot,
		[LOADER_LINUX] = load_linux,
		[LOADER_PVH] = load_pvh,
	};
	struct load load = {.vm = vm, .file.name = vm->config.kernel};
	err_t err;

	if (!file_find(vm->config.kernel, &load.file)) {
		load.file.name = vm->config.kernel;
		return load_fail(&load, E_NOTFOUND,
				 "no such file (see `info` for those there "
				 "are)");
	}
	if (!load.file.size)
		return load_fail(&load, E_FORMAT, "the file is empty");
	err = acpi_tables(vm, &load.rsdp);
	if (err)
		return err;
	return loaders[vm->config.loader](&load);
}
