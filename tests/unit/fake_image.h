/*
 * A file to be loaded, made byte by byte, and a VM to load it into: for the
 * loaders' tests.
 */
#ifndef UNIT_FAKE_IMAGE_H
#define UNIT_FAKE_IMAGE_H

#include <stdio.h>
#include <string.h>

#include "cpu/regs.h"
#include "machine/load.h"
#include "tests/unit/fake_vm.h"
#include "tests/unit/test.h"

#define IMAGE_MAX 0x4000

static struct vm *vm;
static u8 image[IMAGE_MAX];
static size_t image_size;

static inline void start(u64 memory)
{
	vm = fake_vm(2, memory);
	snprintf(vm->config.kernel, sizeof(vm->config.kernel), "k.bin");
	image_size = 0;
	memset(image, 0, sizeof(image));
}

static inline void finish(void)
{
	fake_vm_free(vm);
	fake_files_forget();
}

static inline void put32(size_t offset, u32 value)
{
	memcpy(image + offset, &value, 4);
}

static inline u32 guest32(u64 gpa)
{
	u32 value;

	CHECK_EQ(guest_read(&vm->memory, gpa, &value, 4), E_OK);
	return value;
}

static inline void check_text(u32 gpa, const char *text)
{
	char copy[300];

	CHECK_EQ(guest_read(&vm->memory, gpa, copy, strlen(text) + 1), E_OK);
	CHECK_STR(copy, text);
}

/* Entry state must also be one that a processor can be in. */
static inline void check_state(void)
{
	static const struct state_limits limits = {
		.cr4_allowed = 0, .xcr0_allowed = 1, .phys_bits = 40};
	char why[128] = "";

	state_check(&vm->vcpu[0]->state, &limits, why, sizeof(why));
	CHECK_STR(why, "");
}

static inline void good(void)
{
	fake_file("k.bin", image, image_size);
	CHECK_EQ(load_guest(vm), E_OK);
	check_state();
}

/* expected: what follows "test: k.bin: ". */
static inline void bad(err_t err, const char *expected)
{
	char line[256];

	fake_file("k.bin", image, image_size);
	CHECK_EQ(load_guest(vm), err);
	snprintf(line, sizeof(line), "test: k.bin: %s", expected);
	CHECK_STR(fake_log, line);
	fake_files_forget();
}

#define HEADER_AT 0x40u /* in the file */

struct header {
	u32 flags, header, load, load_end, bss_end, entry;
};

static const struct header plain = {0x10003,  0x100040, 0x100000,
				    0x101000, 0x103000, 0x100010};

static inline void put_header(const struct header *h)
{
	put32(HEADER_AT, 0x1badb002);
	put32(HEADER_AT + 4, h->flags);
	put32(HEADER_AT + 8, -(0x1badb002 + h->flags));
	put32(HEADER_AT + 12, h->header);
	put32(HEADER_AT + 16, h->load);
	put32(HEADER_AT + 20, h->load_end);
	put32(HEADER_AT + 24, h->bss_end);
	put32(HEADER_AT + 28, h->entry);
}

static inline void make_flat_multiboot(const struct header *h)
{
	image_size = 0x1000;
	memset(image, 0xcc, image_size);
	put_header(h);
}

/* The state the specification promises (3.2). */
static inline void check_entry(u32 rip)
{
	const struct vcpu_state *s = &vm->vcpu[0]->state;
	u64 descriptor;

	CHECK_EQ(state_mode(s), MODE_32);
	CHECK_EQ(s->cr0, CR0_PE | CR0_ET);
	CHECK_EQ(s->rflags, RFLAGS_R1);
	CHECK_EQ(s->gpr[RAX], 0x2badb002);
	CHECK_EQ(s->rip, rip);
	for (unsigned i = ES; i <= GS; i++) {
		CHECK_EQ(s->seg[i].base, 0);
		CHECK_EQ(s->seg[i].limit, 0xffffffff);
		CHECK_EQ(s->seg[i].attr, i == CS ? 0xc9b : 0xc93);
		/* What is in the register is what its descriptor says. */
		CHECK(s->seg[i].selector + 7u <= s->gdtr.limit);
		CHECK_EQ(guest_read(&vm->memory,
				    s->gdtr.base + s->seg[i].selector,
				    &descriptor, 8),
			 E_OK);
		CHECK_EQ(descriptor,
			 i == CS ? 0x00cf9b000000ffff : 0x00cf93000000ffff);
	}
}

/* A field of the information structure, by its offset (3.3). */
static inline u32 info(unsigned offset)
{
	return guest32(vm->vcpu[0]->state.gpr[RBX] + offset);
}

static inline void add_module(const char *text)
{
	snprintf(vm->config.module[vm->config.modules++], VM_TEXT_MAX, "%s",
		 text);
}

#endif
