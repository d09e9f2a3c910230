/*
 * Linux's and PVH's loaders: what the kernel finds, and every way in which a
 * file can be wrong.
 *
 *	links: kernel/machine/load.c kernel/machine/load_flat.c
 *	links: kernel/machine/load_multiboot.c kernel/machine/load_elf.c
 *	links: kernel/machine/load_linux.c kernel/machine/load_pvh.c
 *	links: kernel/machine/load_parts.c
 *	links: kernel/vm/fields.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/vm/state_check.c kernel/vm/rules.c kernel/files.c
 *	links: kernel/lib/string.c tests/unit/fake_vm.c
 */
#include <elf.h>

#include "tests/unit/fake_image.h"

#define SETUP	 0x800 /* 3 sectors and the first one */
#define KERNEL	 0x1000
#define ALIGN_AT 0x200000

/* A bzImage of protocol 2.15, whose 64-bit part is a pattern. */
static void make_linux(void)
{
	image_size = SETUP + KERNEL;
	image[0x1f1] = 3;
	put32(0x200, 0x66eb); /* jump: the header ends at 0x268 */
	put32(0x202, 0x53726448);
	image[0x206] = 0x0f;
	image[0x207] = 0x02;
	image[0x211] = 1;
	put32(0x22c, 0x7fffffff);
	put32(0x230, ALIGN_AT);
	image[0x234] = 1;
	image[0x236] = 1;
	put32(0x238, 200);
	put32(0x258, 0x1000000);
	put32(0x260, 0x10000);
	for (unsigned i = 0; i < KERNEL; i += 4)
		put32(SETUP + i, 0xc0de0000 | i);
}

static struct vcpu_state *state(void)
{
	return &vm->vcpu[0]->state;
}

static u64 zero_page(void)
{
	return state()->gpr[RSI];
}

static void linux_at(u64 address)
{
	CHECK_EQ(state()->rip, address + 0x200);
	CHECK_EQ(guest32(address), 0xc0de0000);
	CHECK_EQ(guest32(address + KERNEL - 4), 0xc0de0000 | (KERNEL - 4));
}

static void good_linux(void)
{
	static const struct state_limits limits = {.cr4_allowed = BIT(5),
						   .efer_allowed = 0x500,
						   .xcr0_allowed = 1,
						   .phys_bits = 40};
	char why[128] = "";

	fake_file("k.bin", image, image_size);
	CHECK_EQ(load_guest(vm), E_OK);
	state_check(state(), &limits, why, sizeof(why));
	CHECK_STR(why, "");
}

TEST(linux_where_it_wants_to_be)
{
	u64 table;

	start(MIB(32));
	make_linux();
	snprintf(vm->config.cmdline, VM_TEXT_MAX, "console=ttyS0 quiet");
	good_linux();
	linux_at(0x1000000);
	CHECK_EQ(state()->seg[CS].selector, 0x10);
	CHECK_EQ(state()->seg[DS].selector, 0x18);
	CHECK(!(state()->rflags & RFLAGS_IF));
	check_text(guest32(zero_page() + 0x228), "console=ttyS0 quiet");
	CHECK_EQ(guest32(zero_page() + 0x202), 0x53726448);
	CHECK_EQ(guest32(zero_page() + 0x210) & 0xff, 0xff);
	CHECK_EQ(guest32(zero_page() + 0x218), 0);
	/* Paging shows the first 4 GiB as they are. */
	table = guest32(state()->cr3) & ~0xfff;
	table = guest32(table + 3 * 8) & ~0xfff;
	CHECK_EQ(guest32(table + 511 * 8), 0xffe00083);
	finish();
}

TEST(linux_is_told_its_memory)
{
	start(MIB(32));
	make_linux();
	good_linux();
	CHECK_EQ(guest32(zero_page() + 0x1e8) & 0xff, 4);
	CHECK_EQ(guest32(zero_page() + 0x2d0 + 8), 0x9fc00);
	CHECK_EQ(guest32(zero_page() + 0x2d0 + 40), 0x100000);
	CHECK_EQ(guest32(zero_page() + 0x2d0 + 48), MIB(31));
	CHECK_EQ(guest32(zero_page() + 0x2d0 + 56), 1);
	CHECK_EQ(guest32(zero_page() + 0x2d0 + 60), 0xfec00000);
	CHECK_EQ(guest32(zero_page() + 0x2d0 + 76), 2);
	finish();
}

TEST(linux_elsewhere_where_there_is_no_room)
{
	start(MIB(8));
	make_linux();
	good_linux();
	linux_at(0x200000);
	finish();
	/* ... which it must allow. */
	start(MIB(8));
	make_linux();
	image[0x234] = 0;
	bad(E_RANGE, "the kernel: 0x10000 bytes at 0x1000000 are not within "
		     "its 8192 KiB of memory");
	finish();
}

TEST(linux_initrd)
{
	start(MIB(32));
	make_linux();
	fake_file("i.gz", "initial ram disk", 16);
	snprintf(vm->config.module[0], VM_TEXT_MAX, "i.gz");
	vm->config.modules = 1;
	good_linux();
	check_text(guest32(zero_page() + 0x218), "initial ram disk");
	CHECK_EQ(guest32(zero_page() + 0x21c), 16);
	CHECK_EQ(guest32(zero_page() + 0x218) % 4096, 0);
	finish();
	start(MIB(32));
	make_linux();
	vm->config.modules = 2;
	bad(E_UNSUPPORTED, "2 modules: Linux takes one, its initrd");
	vm->config.modules = 1;
	snprintf(vm->config.module[0], VM_TEXT_MAX, "gone");
	bad(E_NOTFOUND, "module gone: no such file");
	finish();
}

TEST(linux_that_cannot_be_started)
{
	start(MIB(32));
	make_linux();
	image[0x206] = 0x0b;
	bad(E_UNSUPPORTED, "a Linux kernel of boot protocol 2.11 (expected "
			   "2.12 at least)");
	make_linux();
	image[0x236] = 0;
	bad(E_UNSUPPORTED,
	    "a Linux kernel without a 64-bit entry (xloadflags 0x0)");
	make_linux();
	image[0x211] = 0;
	bad(E_UNSUPPORTED, "a zImage: it wants to be below 1 MiB");
	make_linux();
	put32(0x260, 0x800);
	bad(E_FORMAT, "0x1000 bytes, but it asks for 0x800 of memory only");
	make_linux();
	image[0x1f1] = 100;
	bad(E_FORMAT, "cut off: its 64-bit part begins at 0xca00, but the file "
		      "has 0x1800 bytes");
	make_linux();
	put32(0x258, 0x12340000);
	put32(0x230, 0x3000);
	bad(E_FORMAT, "its alignment 0x3000 is no power of two");
	make_linux();
	put32(0x238, 5);
	snprintf(vm->config.cmdline, VM_TEXT_MAX, "123456");
	bad(E_RANGE,
	    "the command line is too long for it (at most 5 characters)");
	vm->config.loader = LOADER_LINUX;
	put32(0x202, 0);
	bad(E_FORMAT, "no Linux kernel: no \"HdrS\" at 0x202");
	image_size = 0x210;
	put32(0x202, 0x53726448);
	bad(E_FORMAT, "no Linux kernel: no \"HdrS\" at 0x202");
	finish();
}

/* No header, however broken, makes it read or write beyond. */
TEST(linux_with_random_headers)
{
	u64 seed = 9;

	for (unsigned i = 0; i < 3000; i++) {
		start(MIB(4));
		make_linux();
		for (unsigned n = 0; n < 4; n++) {
			u64 r = fake_random(&seed);

			image[0x1f1 + (r >> 8) % 0x77] = r >> 32;
		}
		put32(0x202, 0x53726448);
		fake_file("k.bin", image, image_size);
		load_guest(vm);
		finish();
	}
}

/* --- PVH */

#define NOTE 0x400

static Elf64_Phdr *make_pvh(u32 entry)
{
	Elf64_Ehdr *h = (void *)image;
	Elf64_Phdr *p = (void *)(h + 1);
	static const u8 other[] = {4, 0, 0,   0,   3,	0, 0, 0, 1, 0,
				   0, 0, 'G', 'N', 'U', 0, 1, 2, 3, 0};

	memset(image, 0, sizeof(image));
	memcpy(h->e_ident, ELFMAG, 4);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_type = ET_EXEC;
	h->e_machine = EM_X86_64;
	h->e_entry = 0x200000;
	h->e_phoff = sizeof(*h);
	h->e_phentsize = sizeof(*p);
	h->e_phnum = 2;
	p[0] = (Elf64_Phdr){.p_type = PT_LOAD,
			    .p_offset = 0x1000,
			    .p_vaddr = 0x200000,
			    .p_paddr = 0x200000,
			    .p_filesz = 0x100,
			    .p_memsz = 0x2000};
	p[1] = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = NOTE, .p_filesz = 40};
	memcpy(image + NOTE, other, 20);
	put32(NOTE + 20, 4);
	put32(NOTE + 24, 4);
	put32(NOTE + 28, 18);
	memcpy(image + NOTE + 32, "Xen", 4);
	put32(NOTE + 36, entry);
	image_size = 0x2000;
	p[1].p_filesz = 40;
	return p;
}

TEST(pvh_is_entered_by_its_note)
{
	u64 info;

	start(MIB(16));
	make_pvh(0x200040);
	snprintf(vm->config.cmdline, VM_TEXT_MAX, "hello pvh");
	fake_file("m", "mod", 3);
	snprintf(vm->config.module[0], VM_TEXT_MAX, "m with words");
	vm->config.modules = 1;
	good();
	CHECK_EQ(state()->rip, 0x200040);
	info = state()->gpr[RBX];
	CHECK_EQ(guest32(info), 0x336ec578);
	CHECK_EQ(guest32(info + 4), 1);
	CHECK_EQ(guest32(info + 12), 1);
	check_text(guest32(info + 24), "hello pvh");
	check_text(guest32(guest32(info + 16)), "mod");
	CHECK_EQ(guest32(guest32(info + 16) + 8), 3);
	check_text(guest32(guest32(info + 16) + 16), "with words");
	CHECK_EQ(guest32(info + 48), 4);
	CHECK_EQ(guest32(guest32(info + 40) + 8), 0x9fc00);
	finish();
}

TEST(pvh_that_is_none)
{
	start(MIB(16));
	vm->config.loader = LOADER_PVH;
	make_pvh(0x100);
	bad(E_FORMAT, "PVH's entry 0x100 is in no segment");
	make_pvh(0x200040);
	put32(NOTE + 28, 17);
	bad(E_FORMAT, "no ELF file with a note of PVH's entry");
	make_pvh(0x200040);
	put32(NOTE + 4, 0xfffffff0); /* the note before reaches for beyond */
	bad(E_FORMAT, "no ELF file with a note of PVH's entry");
	make_pvh(0x200040)[1].p_offset = ~0ULL - 8;
	bad(E_FORMAT, "no ELF file with a note of PVH's entry");
	finish();
}
