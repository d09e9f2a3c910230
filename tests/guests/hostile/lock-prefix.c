/*
 * LOCK, and heaps of other prefixes, before instructions that exit: #UD or the
 * instruction, never a wrong step.
 */
#include "guest.h"

static const u8 insns[][3] = {{0x0f, 0xa2},
			      {0x0f, 0x31},
			      {0xee},
			      {0xec},
			      {0x6c},
			      {0x6e},
			      {0x0f, 0x20, 0xc0},
			      {0x0f, 0x32},
			      {0x0f, 0x09},
			      {0x0f, 0x01, 0xd9},
			      {0x0f, 0x01, 0xc1}};
static const u8 lengths[] = {2, 2, 1, 1, 1, 1, 3, 2, 2, 3, 3};
static const u8 prefixes[] = {0xf0, 0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36,
			      0x3e, 0x26, 0x64, 0x65, 0x48, 0x4f, 0x40};
static u8 bytes[40], target[64];
static unsigned used;

static void run(void)
{
	struct regs regs;

	regs_pattern(&regs);
	regs.gpr[RAX] = 0;
	regs.gpr[RCX] = 1;
	regs.gpr[RDX] = PORT_NONE;
	regs.gpr[RSI] = regs.gpr[RDI] = (u64)target + 32;
	run_bytes(&regs, bytes, used);
}

int guest_main(void)
{
	unsigned fine = 0, refused = 0;

	for (unsigned i = 0; i < 5000; i++) {
		unsigned which = i % ARRAY_LEN(insns);

		used = 0;
		for (unsigned n = random_number() % 15; n; n--)
			bytes[used++] =
				prefixes[random_number() % ARRAY_LEN(prefixes)];
		memcpy(bytes + used, insns[which], lengths[which]);
		used += lengths[which];
		if (attempt(run))
			fine++;
		else
			refused++;
	}
	print("%u ran, %u were refused\n", fine, refused);
	return 0;
}
