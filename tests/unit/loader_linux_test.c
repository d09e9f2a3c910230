/*
 * Loaders: Linux's 64-bit boot protocol and PVH, what the kernel finds when it
 * starts, and every kind of image that is refused, with its error.
 *
 *	links: kernel/machine/load.c kernel/machine/load_flat.c
 *	links: kernel/machine/load_multiboot.c kernel/machine/load_elf.c
 *	links: kernel/machine/load_linux.c kernel/machine/load_pvh.c
 *	links: kernel/vm/memory.c kernel/vm/state.c kernel/vm/state_check.c
 *	links: kernel/vm/rules.c kernel/files.c kernel/lib/string.c
 *	links: tests/unit/fake_vm.c
 */
#include <elf.h>

#include "cpu/msr.h"
#include "tests/unit/fake_image.h"

/* --- a bzImage: one sector of setup code, 12 KiB of kernel --- */

#define KERNEL_AT   0x400u
#define KERNEL_SIZE 0x3000u

static void put16(size_t offset, u16 value)
{
	memcpy(image + offset, &value, 2);
}

static void put64(size_t offset, u64 value)
{
	memcpy(image + offset, &value, 8);
}

/* Offsets as in Documentation/arch/x86/boot.rst. */
static void make_linux(void)
{
	image_size = KERNEL_AT + KERNEL_SIZE;
	memset(image, 0xcc, image_size);
	memset(image + 0x1f1, 0, 0x7b);
	image[0x1f1] = 1;		 /* setup_sects */
	put32(0x1f4, KERNEL_SIZE / 16);	 /* syssize */
	put16(0x1fe, 0xaa55);		 /* boot_flag */
	image[0x200] = 0xeb;		 /* jump, over the header */
	image[0x201] = 0x6a;
	put32(0x202, 0x53726448);	 /* "HdrS" */
	put16(0x206, 0x20f);		 /* version */
	image[0x211] = 0x81;		 /* loadflags: high, heap */
	put32(0x22c, 0x7fffffff);	 /* initrd_addr_max */
	put32(0x230, 0x200000);		 /* kernel_alignment */
	image[0x234] = 1;		 /* relocatable_kernel */
	put16(0x236, 3);		 /* xloadflags: 64 bits */
	put32(0x238, 2047);		 /* cmdline_size */
	put64(0x250, 0x1234);		 /* setup_data: ours to set */
	put64(0x258, 0x1000000);	 /* pref_address */
	put32(0x260, 0x800000);		 /* init_size */
}

static u64 guest64(u64 gpa)
{
	return guest32(gpa) | (u64)guest32(gpa + 4) << 32;
}

/* A field of the zero page. */
static u32 zero32(unsigned offset)
{
	return guest32(vm->vcpu[0]->state.gpr[RSI] + offset);
}

static void good_linux(void)
{
	static const struct state_limits limits = {.cr4_allowed = CR4_PAE,
						   .efer_allowed = EFER_LME |
								   EFER_LMA,
						   .xcr0_allowed = 1,
						   .phys_bits = 40};
	char why[128] = "";

	fake_file("k.bin", image, image_size);
	CHECK_EQ(load_guest(vm), E_OK);
	state_check(&vm->vcpu[0]->state, &limits, why, sizeof(why));
	CHECK_STR(why, "");
}

/* What a processor finds that translates `linear`. */
static u64 translate(u64 linear)
{
	u64 entry = guest64(vm->vcpu[0]->state.cr3 + (linear >> 39 & 511) * 8);

	entry = guest64((entry & ~0xfffULL) + (linear >> 30 & 511) * 8);
	entry = guest64((entry & ~0xfffULL) + (linear >> 21 & 511) * 8);
	CHECK_EQ(entry & 0xfff, 0x83); /* present, writable, 2 MiB */
	return (entry & ~0xfffULL) + (linear & (MIB(2) - 1));
}

static void check_long_mode(u64 rip)
{
	const struct vcpu_state *s = &vm->vcpu[0]->state;

	CHECK_EQ(state_mode(s), MODE_64);
	CHECK_EQ(s->rip, rip);
	CHECK_EQ(s->rflags, RFLAGS_R1);
	CHECK_EQ(s->seg[CS].selector, 0x10);
	CHECK_EQ(s->seg[DS].selector, 0x18);
	CHECK_EQ(guest64(s->gdtr.base + 0x10), 0x00af9b000000ffff);
	CHECK_EQ(guest64(s->gdtr.base + 0x18), 0x00cf93000000ffff);
	CHECK_EQ(translate(rip), rip);
	CHECK_EQ(translate(s->gpr[RSI]), s->gpr[RSI]);
	CHECK_EQ(translate(GIB(4) - 1), GIB(4) - 1);
}

TEST(linux)
{
	start(MIB(64));
	make_linux();
	image[KERNEL_AT] = 0x11;
	image[KERNEL_AT + KERNEL_SIZE - 1] = 0x22;
	snprintf(vm->config.cmdline, sizeof(vm->config.cmdline), "quiet a=b");
	good_linux();
	check_long_mode(0x1000200);
	CHECK_EQ(guest32(0x1000000), 0xcccccc11);
	CHECK_EQ(guest32(0x1000000 + KERNEL_SIZE - 4), 0x22cccccc);
	CHECK_EQ(zero32(0x202), 0x53726448);
	CHECK_EQ(zero32(0x210) & 0xffff, 0x01ff); /* loader, no heap */
	CHECK_EQ(zero32(0x218), 0);
	CHECK_EQ(zero32(0x21c), 0);
	check_text(zero32(0x228), "quiet a=b");
	CHECK_EQ(zero32(0x250), 0);
	CHECK_EQ(zero32(0x70), 0xe0010); /* acpi_rsdp_addr */
	finish();
}

TEST(linux_memory_map)
{
	static const struct {
		u64 base, size;
		u32 type;
	} expected[] = {
		{0, KIB(639), 1},
		{KIB(639), KIB(385), 2},
		{MIB(1), GIB(3) - MIB(1), 1},
		{GIB(4), MIB(6), 1},
	};

	start(GIB(3) + MIB(6));
	make_linux();
	good_linux();
	CHECK_EQ(zero32(0x1e8) & 0xff, ARRAY_LEN(expected));
	for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
		u64 at = vm->vcpu[0]->state.gpr[RSI] + 0x2d0 + i * 20;

		CHECK_EQ(guest64(at), expected[i].base);
		CHECK_EQ(guest64(at + 8), expected[i].size);
		CHECK_EQ(guest32(at + 16), expected[i].type);
	}
	finish();
}

TEST(linux_initrd)
{
	start(MIB(64));
	make_linux();
	fake_file("i.cpio", "initrd here", 11);
	add_module("i.cpio");
	good_linux();
	CHECK_EQ(zero32(0x21c), 11);
	CHECK_EQ(zero32(0x218) % PAGE_SIZE, 0);
	CHECK(zero32(0x218) >= MIB(1));
	CHECK_EQ(guest32(zero32(0x218)), 0x74696e69);
	finish();
	start(MIB(64));
	make_linux();
	put32(0x22c, MIB(1) + 9);
	fake_file("i.cpio", "initrd here", 11);
	add_module("i.cpio");
	bad(E_RANGE, "the initrd ends at 0x10000b, the kernel takes none above "
		     "0x100009");
	finish();
}

TEST(linux_modules_refused)
{
	start(MIB(64));
	make_linux();
	add_module("missing");
	bad(E_NOTFOUND, "module missing: no such file");
	fake_file("i.cpio", "x", 1);
	snprintf(vm->config.module[0], VM_TEXT_MAX, "i.cpio with words");
	bad(E_UNSUPPORTED, "an initrd takes no words (\"with words\"); the "
			   "kernel's are `cmdline`");
	add_module("i.cpio");
	bad(E_UNSUPPORTED, "2 modules, but Linux takes one, its initrd");
	finish();
}

/* Elsewhere when its own place is taken or too small, and on its alignment. */
TEST(linux_relocated)
{
	start(MIB(14));
	make_linux();
	good_linux();
	check_long_mode(0x200200);
	finish();
	start(MIB(14));
	make_linux();
	image[0x234] = 0;
	bad(E_RANGE, "not relocatable, and its place 0x1000000-0x1800000 is not "
		     "within usable memory");
	finish();
	start(MIB(9));
	make_linux();
	bad(E_NOMEM, "no room for the kernel of 8388608 bytes in 9216 KiB of "
		     "memory");
	finish();
}

/* One field changed each. */
TEST(linux_refused)
{
	start(MIB(64));
	make_linux();
	put16(0x206, 0x20b);
	bad(E_UNSUPPORTED, "this Linux is too old: boot protocol 2.11, "
			   "expected at least 2.12 (Linux 3.8)");
	make_linux();
	put16(0x236, 2);
	bad(E_UNSUPPORTED, "a 32-bit Linux: it has no 64-bit entry (expected "
			   "one for x86-64)");
	make_linux();
	image[0x211] = 0x80;
	bad(E_UNSUPPORTED, "a zImage, to be loaded below 1 MiB (expected a "
			   "bzImage)");
	make_linux();
	put32(0x1f4, KERNEL_SIZE / 16 + 1);
	bad(E_FORMAT, "the kernel has 0x3010 bytes at offset 0x400, but the "
		      "file has 0x3400");
	make_linux();
	put32(0x1f4, 0xffffffff);
	bad(E_FORMAT, "the kernel has 0xffffffff0 bytes at offset 0x400, but "
		      "the file has 0x3400");
	make_linux();
	put32(0x1f4, 0x20);
	bad(E_FORMAT, "the kernel has 0x200 bytes at offset 0x400, but the "
		      "file has 0x3400");
	make_linux();
	image[0x1f1] = 0xff;
	bad(E_FORMAT, "the kernel has 0x3000 bytes at offset 0x20000, but the "
		      "file has 0x3400");
	make_linux();
	put32(0x260, KERNEL_SIZE - 1);
	bad(E_FORMAT, "the kernel of 0x3000 bytes says that it needs 0x2fff of "
		      "memory");
	make_linux();
	put32(0x230, 0x200001);
	bad(E_FORMAT, "kernel_alignment 0x200001 is no power of two from "
		      "0x1000 on");
	make_linux();
	put32(0x230, 0);
	bad(E_FORMAT, "kernel_alignment 0x0 is no power of two from 0x1000 on");
	make_linux();
	put64(0x258, ~0ULL);
	image[0x234] = 0;
	bad(E_RANGE, "not relocatable, and its place 0xffffffffffffffff-"
		     "0x7fffff is not within usable memory");
	finish();
}

TEST(linux_other_refusals)
{
	start(MIB(64));
	make_linux();
	put32(0x238, 4);
	snprintf(vm->config.cmdline, sizeof(vm->config.cmdline), "12345");
	bad(E_RANGE, "cmdline has 5 characters, the kernel takes 4");
	make_linux();
	fake_acpi = E_NOMEM;
	bad(E_NOMEM, "no room for the ACPI tables");
	fake_acpi = E_OK;
	vm->config.loader = LOADER_LINUX;
	make_linux();
	put16(0x1fe, 0);
	bad(E_FORMAT, "no Linux boot header (expected 0xaa55 at 0x1fe and "
		      "\"HdrS\" at 0x202)");
	make_linux();
	image_size = 0x200; /* cut off in its header */
	bad(E_FORMAT, "no Linux boot header (expected 0xaa55 at 0x1fe and "
		      "\"HdrS\" at 0x202)");
	finish();
}

/* A header shorter than ours: what is behind it is code, not fields. */
TEST(linux_short_header)
{
	start(MIB(64));
	make_linux();
	image[0x201] = 0x62; /* up to 0x264 */
	memset(image + 0x264, 0xcc, 8);
	good_linux();
	CHECK_EQ(zero32(0x260), 0x800000);
	CHECK_EQ(zero32(0x264), 0);
	CHECK_EQ(zero32(0x268), 0);
	finish();
}

TEST(linux_mutated)
{
	u64 seed = 11;

	for (unsigned i = 0; i < 2000; i++) {
		start(MIB(32));
		make_linux();
		for (unsigned n = 0; n < 3; n++)
			image[0x1f1 + fake_random(&seed) % 0x7b] =
				fake_random(&seed);
		fake_file("k.bin", image, image_size);
		load_guest(vm);
		finish();
	}
}

/* --- PVH --- */

#define PROGRAMS_AT 0x40u
#define NOTE_AT	    0x200u
#define TEXT_AT	    0x1000u

static Elf64_Phdr *program(unsigned i)
{
	return (Elf64_Phdr *)(image + PROGRAMS_AT) + i;
}

/* Another owner's note first, then the entry. */
static void put_notes(u32 size, u64 entry)
{
	put32(NOTE_AT, 4);
	put32(NOTE_AT + 4, 3);
	put32(NOTE_AT + 8, 18);
	memcpy(image + NOTE_AT + 12, "GNU", 4);
	put32(NOTE_AT + 16, 0);
	put32(NOTE_AT + 20, 4);
	put32(NOTE_AT + 24, size);
	put32(NOTE_AT + 28, 18);
	memcpy(image + NOTE_AT + 32, "Xen", 4);
	memcpy(image + NOTE_AT + 36, &entry, 8);
}

static void make_pvh(void)
{
	Elf64_Ehdr *h = (Elf64_Ehdr *)image;

	image_size = 0x2000;
	memset(image, 0xcc, image_size);
	memset(h, 0, sizeof(*h));
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_ident[EI_VERSION] = EV_CURRENT;
	h->e_type = ET_EXEC;
	h->e_machine = EM_X86_64;
	h->e_version = EV_CURRENT;
	h->e_entry = 0x200000;
	h->e_phoff = PROGRAMS_AT;
	h->e_ehsize = sizeof(*h);
	h->e_phentsize = sizeof(Elf64_Phdr);
	h->e_phnum = 2;
	*program(0) = (Elf64_Phdr){PT_LOAD,	       5,      TEXT_AT,
				   0xffffffff80200000, 0x200000, 0x1000,
				   0x1000,	       0x1000};
	*program(1) = (Elf64_Phdr){PT_NOTE, 4, NOTE_AT, 0, 0, 0x30, 0x30, 4};
	put_notes(4, 0x200040);
}

static u32 start32(unsigned offset)
{
	return guest32(vm->vcpu[0]->state.gpr[RBX] + offset);
}

TEST(pvh)
{
	const struct vcpu_state *s;

	start(MIB(4));
	make_pvh();
	snprintf(vm->config.cmdline, sizeof(vm->config.cmdline), "words here");
	fake_file("a", "module a", 8);
	fake_file("b", "module b", 8);
	add_module("a");
	add_module("b of b");
	good();
	s = &vm->vcpu[0]->state;
	CHECK_EQ(state_mode(s), MODE_32);
	CHECK_EQ(s->rip, 0x200040);
	CHECK_EQ(s->cr0, CR0_PE | CR0_ET);
	CHECK_EQ(s->seg[TR].limit, 0x67);
	CHECK_EQ(start32(0), 0x336ec578);
	CHECK_EQ(start32(4), 1);
	CHECK_EQ(start32(12), 2);
	check_text(start32(24), "words here");
	CHECK_EQ(start32(32), 0xe0010);
	CHECK_EQ(start32(48), 3);
	CHECK_EQ(guest64(start32(40) + 48), MIB(1)); /* the third: its base */
	CHECK_EQ(guest64(start32(40) + 56), MIB(3));
	CHECK_EQ(guest32(start32(40) + 64), 1);
	CHECK_EQ(guest32(guest32(start32(16))), 0x75646f6d);
	CHECK_EQ(guest32(start32(16) + 8), 8);
	check_text(guest32(start32(16) + 32 + 16), "of b");
	finish();
}

TEST(pvh_entry_of_8_bytes)
{
	start(MIB(4));
	make_pvh();
	put_notes(8, 0x200080);
	good();
	CHECK_EQ(vm->vcpu[0]->state.rip, 0x200080);
	finish();
}

TEST(pvh_refused)
{
	start(MIB(4));
	make_pvh();
	put_notes(8, 0x100200080);
	bad(E_FORMAT, "the PVH entry 0x100200080 is in no segment");
	make_pvh();
	put_notes(4, 0x201000);
	bad(E_FORMAT, "the PVH entry 0x201000 is in no segment");
	make_pvh();
	put_notes(2, 0x200000);
	bad(E_FORMAT, "an ELF file, but with neither a Multiboot header in its "
		      "first 8192 bytes nor a PVH entry");
	vm->config.loader = LOADER_PVH;
	bad(E_FORMAT, "no PVH entry: no note 18 of Xen's");
	make_pvh();
	program(1)->p_filesz = 0x14; /* ends in the second note's head */
	put32(NOTE_AT + 28, 17);
	bad(E_FORMAT, "no PVH entry: no note 18 of Xen's");
	make_pvh();
	program(1)->p_offset = ~0ULL;
	bad(E_FORMAT, "no PVH entry: no note 18 of Xen's");
	make_pvh();
	fake_acpi = E_NOMEM;
	bad(E_NOMEM, "no room for the ACPI tables");
	fake_acpi = E_OK;
	finish();
}

TEST(pvh_mutated)
{
	u64 seed = 12;

	for (unsigned i = 0; i < 3000; i++) {
		start(MIB(4));
		make_pvh();
		for (unsigned n = 0; n < 3; n++)
			image[fake_random(&seed) % (NOTE_AT + 0x30)] =
				fake_random(&seed);
		fake_file("k.bin", image, image_size);
		load_guest(vm);
		finish();
	}
}
