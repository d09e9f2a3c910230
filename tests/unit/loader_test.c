/*
 * Loaders: flat images and Multiboot with addresses of its own, to the last
 * byte, and every kind of bad one with its error. Each file and each 2 MiB of
 * guest RAM is a block of its own, so the sanitizer sees a byte too far.
 *
 *	links: kernel/machine/load.c kernel/machine/load_flat.c
 *	links: kernel/machine/load_multiboot.c kernel/machine/load_elf.c
 *	links: kernel/machine/load_linux.c kernel/machine/load_pvh.c
 *	links: kernel/machine/load_parts.c
 *	links: kernel/vm/memory.c kernel/vm/state.c kernel/vm/state_check.c
 *	links: kernel/vm/rules.c kernel/files.c kernel/lib/string.c
 *	links: tests/unit/fake_vm.c
 */
#include <stdlib.h>

#include "tests/unit/fake_image.h"

/* --- flat --- */

TEST(flat)
{
	const struct vcpu_state *s;

	start(MIB(1));
	image_size = 1000;
	for (unsigned i = 0; i < image_size; i++)
		image[i] = i * 7;
	good();
	for (unsigned i = 0; i < image_size; i++) {
		u8 byte;

		guest_read(&vm->memory, 0x7c00 + i, &byte, 1);
		CHECK_EQ(byte, (u8)(i * 7));
	}
	s = &vm->vcpu[0]->state;
	CHECK_EQ(state_mode(s), MODE_REAL);
	CHECK_EQ(s->seg[CS].selector, 0);
	CHECK_EQ(s->seg[CS].base, 0);
	CHECK_EQ(s->seg[CS].limit, 0xffff);
	CHECK_EQ(s->rip, 0x7c00);
	CHECK_EQ(s->gpr[RDX], 0x80);
	CHECK_EQ(s->cr0, CR0_ET);
	CHECK_EQ(s->rflags, RFLAGS_R1);
	finish();
}

static void flat_of_size(u64 size, err_t err)
{
	void *data = calloc(1, size);

	start(MIB(1));
	fake_file("k.bin", data, size);
	CHECK_EQ(load_guest(vm), err);
	free(data);
	finish();
}

TEST(flat_sizes)
{
	flat_of_size(1, E_OK);
	flat_of_size(622592, E_OK);
	CHECK_EQ(FLAT_MAX, 0x9fc00 - 0x7c00);
	flat_of_size(FLAT_MAX, E_OK);
	flat_of_size(FLAT_MAX + 1, E_FORMAT);
	CHECK_STR(fake_log,
		  "test: k.bin: no Linux kernel, no Multiboot header in its "
		  "first 8192 bytes, and with 622593 too large for a flat "
		  "image (at most "
		  "622592)");
}

TEST(flat_when_asked_for)
{
	start(MIB(1));
	vm->config.loader = LOADER_FLAT;
	image_size = 64;
	put32(0, 0x1badb002);
	put32(8, -0x1badb002);
	good();
	CHECK_EQ(state_mode(&vm->vcpu[0]->state), MODE_REAL);
	finish();
}

TEST(no_file)
{
	start(MIB(1));
	fake_file("other", "x", 1);
	CHECK_EQ(load_guest(vm), E_NOTFOUND);
	CHECK_STR(fake_log, "test: k.bin: no such file (see `info` for those "
			    "there are)");
	fake_files_forget();
	bad(E_FORMAT, "the file is empty");
	finish();
}

/* --- Multiboot with addresses (a.out kludge) --- */

TEST(multiboot_flat)
{
	start(MIB(4));
	snprintf(vm->config.cmdline, sizeof(vm->config.cmdline), "a  b=c");
	/* Left from before: the bss must be cleared. */
	guest_fill(&vm->memory, 0x100000, 0xee, 0x8000);
	make_flat_multiboot(&plain);
	good();
	check_entry(0x100010);
	for (u32 at = 0; at < 0x1000; at += 4) {
		u32 word;

		memcpy(&word, image + at, 4);
		CHECK_EQ(guest32(0x100000 + at), word);
	}
	for (u32 at = 0x101000; at < 0x103000; at += 4)
		CHECK_EQ(guest32(at), 0);
	CHECK_EQ(guest32(0x103000), 0xeeeeeeee);
	CHECK_EQ(info(0), 0x24d); /* memory, cmdline, modules, map, loader */
	CHECK_EQ(info(4), 639);
	CHECK_EQ(info(8), 3 * 1024);
	check_text(info(16), "a  b=c");
	CHECK_EQ(info(20), 0);
	check_text(info(64), "Godwit");
	finish();
}

struct map_entry {
	u64 base, length;
	u32 type;
};

static void check_map(u64 memory, const struct map_entry *expected, unsigned n)
{
	u32 at;

	start(memory);
	make_flat_multiboot(
		&(struct header){0x10003, 0x8040, 0x8000, 0, 0, 0x8000});
	good();
	CHECK_EQ(info(44), n * 24);
	at = info(48);
	for (unsigned i = 0; i < n; i++, at += 24) {
		CHECK_EQ(guest32(at), 20);
		CHECK_EQ(guest32(at + 4) | (u64)guest32(at + 8) << 32,
			 expected[i].base);
		CHECK_EQ(guest32(at + 12) | (u64)guest32(at + 16) << 32,
			 expected[i].length);
		CHECK_EQ(guest32(at + 20), expected[i].type);
	}
	finish();
}

TEST(multiboot_memory_maps)
{
	static const struct map_entry one[] = {
		{0, KIB(639), 1},
		{KIB(639), KIB(385), 2},
		{0xfec00000, 0x01400000, 2},
	};
	static const struct map_entry some[] = {
		{0, KIB(639), 1},
		{KIB(639), KIB(385), 2},
		{MIB(1), MIB(16) + KIB(4) - MIB(1), 1},
		{0xfec00000, 0x01400000, 2},
	};
	static const struct map_entry much[] = {
		{0, KIB(639), 1},
		{KIB(639), KIB(385), 2},
		{MIB(1), GIB(3) - MIB(1), 1},
		{0xfec00000, 0x01400000, 2},
		{GIB(4), MIB(6), 1},
	};

	check_map(MIB(1), one, 3);
	check_map(MIB(16) + KIB(4), some, 4);
	check_map(GIB(3) + MIB(6), much, 5);
}

TEST(multiboot_header_places)
{
	/* The last one that fits, and one further. */
	start(MIB(4));
	image_size = 0x3000;
	put32(8192 - 12, 0x1badb002);
	put32(8192 - 4, -0x1badb002);
	bad(E_FORMAT,
	    "no ELF file, and its Multiboot header gives no addresses "
	    "(flag 16)");
	memset(image, 0, sizeof(image));
	put32(8192 - 8, 0x1badb002);
	put32(8192, -0x1badb002);
	vm->config.loader = LOADER_MULTIBOOT;
	bad(E_FORMAT, "no Multiboot header in its first 8192 bytes");
	/* Addresses that do not fit any more. */
	put32(8192 - 28, 0x1badb002);
	put32(8192 - 24, 0x10000);
	put32(8192 - 20, -(0x1badb002 + 0x10000));
	bad(E_FORMAT, "the Multiboot header at offset 0x1fe4 has addresses "
		      "(flag 16), but they are cut off");
	/* Not on four bytes: none. */
	memset(image, 0, sizeof(image));
	image_size = 64;
	put32(2, 0x1badb002);
	put32(10, -0x1badb002);
	bad(E_FORMAT, "no Multiboot header in its first 8192 bytes");
	/* A file too short for any. */
	image_size = 11;
	bad(E_FORMAT, "no Multiboot header in its first 8192 bytes");
	finish();
}

TEST(multiboot_checksum)
{
	start(MIB(4));
	make_flat_multiboot(&plain);
	put32(HEADER_AT + 8, 0);
	bad(E_FORMAT,
	    "the Multiboot header at offset 0x40 has a wrong checksum "
	    "(loader = flat would not look)");
	vm->config.loader = LOADER_MULTIBOOT;
	bad(E_FORMAT,
	    "the Multiboot header at offset 0x40 has a wrong checksum");
	/* A magic number by chance does not hide the header after it. */
	put_header(&plain);
	put32(HEADER_AT - 8, 0x1badb002);
	good();
	finish();
}

TEST(multiboot_flags)
{
	struct header h = plain;

	start(MIB(4));
	h.flags = 0x10004;
	make_flat_multiboot(&h);
	bad(E_UNSUPPORTED, "the Multiboot header wants a video mode (flag 2); "
			   "this machine has no display");
	h.flags = 0x18009;
	make_flat_multiboot(&h);
	bad(E_UNSUPPORTED, "the Multiboot header has unknown flags 0x8008");
	h.flags = 0xffff0003; /* the upper half may be ignored */
	make_flat_multiboot(&h);
	good();
	finish();
}

TEST(multiboot_bad_addresses)
{
	static const struct {
		struct header h;
		err_t err;
		const char *expected;
	} cases[] = {
		{{0x10000, 0x100040, 0x100044, 0, 0, 0x100044},
		 E_FORMAT,
		 "the Multiboot header's load_addr 0x100044 is above "
		 "header_addr 0x100040"},
		{{0x10000, 0x100044, 0x100000, 0, 0, 0x100000},
		 E_FORMAT,
		 "the Multiboot header's load_addr 0x100000 is further below "
		 "header_addr than the header is into the file: 0x40"},
		{{0x10000, 0x100040, 0x100000, 0xfffff, 0, 0x100000},
		 E_FORMAT,
		 "the Multiboot header's load_end_addr 0xfffff is below "
		 "load_addr 0x100000"},
		{{0x10000, 0x100040, 0x100000, 0x101000, 0x100fff, 0x100000},
		 E_FORMAT,
		 "the Multiboot header's bss_end_addr 0x100fff is below the "
		 "image's end 0x101000"},
		{{0x10000, 0x100040, 0x100000, 0, 0, 0x101000},
		 E_FORMAT,
		 "the Multiboot header's entry_addr 0x101000 is not within the "
		 "image, loaded at 0x100000"},
		{{0x10000, 0x100040, 0x100000, 0, 0, 0xfffff},
		 E_FORMAT,
		 "the Multiboot header's entry_addr 0xfffff is not within the "
		 "image, loaded at 0x100000"},
		{{0x10000, 0x100040, 0x100000, 0x101001, 0, 0x100000},
		 E_FORMAT,
		 "image 0: 0x1001 bytes at offset 0x0, but the file has "
		 "0x1000"},
		{{0x10000, 0x100040, 0x100000, 0, 0x400001, 0x100000},
		 E_RANGE,
		 "image 0: 0x300001 bytes at address 0x100000 are not within "
		 "usable memory (0-0x9fc00, 0x100000-0x400000)"},
		{{0x10000, 0xfffff040, 0xfffff000, 0, 0, 0xfffff000},
		 E_RANGE,
		 "image 0: 0x1000 bytes at address 0xfffff000 are not within "
		 "usable memory (0-0x9fc00, 0x100000-0x400000)"},
		{{0x10000, 0x9f040, 0x9f000, 0, 0, 0x9f000},
		 E_RANGE,
		 "image 0: 0x1000 bytes at address 0x9f000 are not within "
		 "usable memory (0-0x9fc00, 0x100000-0x400000)"},
		{{0x10000, 0xb8040, 0xb8000, 0, 0, 0xb8000},
		 E_RANGE,
		 "image 0: 0x1000 bytes at address 0xb8000 are not within "
		 "usable memory (0-0x9fc00, 0x100000-0x400000)"},
	};

	start(MIB(4));
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		make_flat_multiboot(&cases[i].h);
		bad(cases[i].err, cases[i].expected);
	}
	finish();
}

/* load_addr may be after the file's start. */
TEST(multiboot_part_of_the_file)
{
	start(MIB(4));
	make_flat_multiboot(&(struct header){0x10000, 0x200010, 0x200000,
					     0x200100, 0, 0x200020});
	for (unsigned i = 0; i < 0x30; i++)
		image[i] = 0x11; /* before offset 0x30: not loaded */
	good();
	CHECK_EQ(guest32(0x200010), 0x1badb002);
	CHECK_EQ(guest32(0x200000), 0xcccccccc);
	CHECK_EQ(guest32(0x2000fc), 0xcccccccc);
	CHECK_EQ(guest32(0x200100), 0);
	finish();
}

/* --- modules --- */

TEST(modules)
{
	static u8 big[0x2345];
	struct range {
		u32 start, end;
	} range[4];
	u32 block;

	start(MIB(4));
	memset(big, 0x5a, sizeof(big));
	fake_file("sub/big.img", big, sizeof(big));
	fake_file("empty", "", 0);
	add_module("sub/big.img  root=x  y");
	add_module("empty");
	add_module("sub/big.img");
	make_flat_multiboot(&plain);
	good();
	CHECK_EQ(info(20), 3);
	for (unsigned i = 0; i < 3; i++) {
		u32 at = info(24) + 16 * i;

		range[i] = (struct range){guest32(at), guest32(at + 4)};
		CHECK_EQ(range[i].start % 4096, 0);
		CHECK_EQ(range[i].end - range[i].start,
			 i == 1 ? 0 : sizeof(big));
		check_text(guest32(at + 8), i ? "" : "root=x  y");
		CHECK_EQ(guest32(at + 12), 0);
		for (u32 byte = range[i].start; byte < range[i].end; byte++) {
			u8 value;

			guest_read(&vm->memory, byte, &value, 1);
			CHECK_EQ(value, 0x5a);
		}
		/* Apart from the kernel with its bss, and from each other. */
		CHECK(range[i].start >= 0x103000);
		for (unsigned n = 0; n < i; n++)
			CHECK(range[i].start >= range[n].end &&
			      range[i].start > range[n].start);
	}
	block = vm->vcpu[0]->state.gpr[RBX];
	CHECK(block >= 0x1000 && block < 0x9fc00);
	finish();
}

TEST(modules_that_cannot_be)
{
	static u8 big[0x2345];

	start(MIB(2));
	make_flat_multiboot(&plain);
	add_module("nowhere.img x");
	bad(E_NOTFOUND, "module nowhere.img: no such file");
	vm->config.modules = 0;
	add_module("k.bin");
	put_header(&(struct header){0x10003, 0x100040, 0x100000, 0, 0x1ff800,
				    0x100000});
	good(); /* just so: the module goes low */
	fake_files_forget();
	fake_file("big", big, sizeof(big));
	memset(vm->config.module, 0, sizeof(vm->config.module));
	vm->config.modules = 0;
	add_module("big");
	finish();

	start(MIB(1));
	image_size = 0x1000;
	make_flat_multiboot(
		&(struct header){0x10003, 0x2040, 0x2000, 0, 0x9fc00, 0x2000});
	fake_file("big", big, sizeof(big));
	add_module("big");
	bad(E_NOMEM, "no room for big of 9029 bytes in 1024 KiB of memory");
	finish();
}

TEST(information_finds_its_room)
{
	/* All of low memory but the first page is the kernel's. */
	start(MIB(2));
	make_flat_multiboot(
		&(struct header){0x10003, 0x1040, 0x1000, 0, 0x9fc00, 0x1000});
	good();
	CHECK(vm->vcpu[0]->state.gpr[RBX] >= MIB(1));
	finish();
	start(MIB(1));
	make_flat_multiboot(
		&(struct header){0x10003, 0x1040, 0x1000, 0, 0x9fc00, 0x1000});
	fake_file("k.bin", image, image_size);
	CHECK_EQ(load_guest(vm), E_NOMEM);
	CHECK(strstr(fake_log, "no room for the Multiboot information of "));
	finish();
}
