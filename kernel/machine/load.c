#include "machine/load.h"

#include "lib/log.h"
#include "lib/string.h"
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

bool load_is_taken(const struct load *load, u64 address)
{
	return obstacle(load, address, 1);
}

bool load_take(struct load *load, u64 address, u64 size)
{
	return is_usable(load, address, size) &&
	       !obstacle(load, address, size) &&
	       !note_used(load, address, size);
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

/* --- what lies beside the kernel */

/* The file's name is cut off, the words are returned. */
static const char *split_module(const char *text, char name[VM_TEXT_MAX])
{
	size_t n = 0;

	while (text[n] && text[n] != ' ' && text[n] != '\t') {
		name[n] = text[n];
		n++;
	}
	name[n] = '\0';
	while (text[n] == ' ' || text[n] == '\t')
		n++;
	return text + n;
}

err_t load_module(struct load *load, const char *text,
		  struct load_module *module)
{
	char name[VM_TEXT_MAX];
	struct file file;
	err_t err;

	module->words = split_module(text, name);
	if (!file_find(name, &file))
		return load_fail(load, E_NOTFOUND, "module %s: no such file",
				 name);
	module->size = file.size;
	err = load_place(load, name, file.size, PAGE_SIZE, true,
			 &module->address);
	if (err)
		return err;
	return guest_write(&load->vm->memory, module->address, file.data,
			   file.size);
}

static unsigned add_map(struct load_map *map, unsigned n, u64 base, u64 end,
			u32 type)
{
	if (base >= end)
		return n;
	map[n] = (struct load_map){base, end - base, type};
	return n + 1;
}

unsigned load_memory_map(const struct guest_memory *memory,
			 struct load_map map[LOAD_MAP_MAX])
{
	u64 low = memory->low_size;
	unsigned n = 0;

	n = add_map(map, n, 0, MIN(LOW_RAM_END, low), LOAD_MAP_RAM);
	n = add_map(map, n, LOW_RAM_END, HIGH_RAM_START, LOAD_MAP_RESERVED);
	n = add_map(map, n, HIGH_RAM_START, low, LOAD_MAP_RAM);
	return add_map(map, n, RAM_HOLE_END, RAM_HOLE_END + memory->size - low,
		       LOAD_MAP_RAM);
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
				 "an ELF file, but with neither a Multiboot "
				 "header in its first %u bytes nor a PVH entry",
				 MULTIBOOT_SEARCH);
	return load_fail(load, E_FORMAT,
			 "no Multiboot header in its first %u bytes, and with "
			 "%lu too large for a flat image (at most %lu)",
			 MULTIBOOT_SEARCH, load->file.size, FLAT_MAX);
}

static err_t load_auto(struct load *load)
{
	u64 offset, suspect;

	if (!load_find_multiboot(&load->file, &offset, &suspect))
		return load_multiboot(load);
	if (load_is_linux(&load->file))
		return load_linux(load);
	if (load_is_pvh(&load->file))
		return load_pvh(load);
	if (suspect != ~0ULL || load_is_elf(&load->file) ||
	    load->file.size > FLAT_MAX)
		return load_unknown(load, suspect);
	return load_flat(load);
}

static err_t (*const loaders[])(struct load *load) = {
	[LOADER_AUTO] = load_auto,   [LOADER_MULTIBOOT] = load_multiboot,
	[LOADER_FLAT] = load_flat,   [LOADER_LINUX] = load_linux,
	[LOADER_PVH] = load_pvh,
};

err_t load_guest(struct vm *vm)
{
	struct load load = {.vm = vm, .file.name = vm->config.kernel};

	if (!file_find(vm->config.kernel, &load.file)) {
		load.file.name = vm->config.kernel;
		return load_fail(&load, E_NOTFOUND,
				 "no such file (see `info` for those there "
				 "are)");
	}
	if (!load.file.size)
		return load_fail(&load, E_FORMAT, "the file is empty");
	return loaders[vm->config.loader](&load);
}
