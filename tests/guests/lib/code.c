/* Running made-up instructions with all registers known. */
#include "guest.h"

static u8 code[64] ALIGNED(64);

void regs_pattern(struct regs *regs)
{
	for (unsigned i = 0; i < GPR_COUNT; i++)
		regs->gpr[i] = (word)0x0101010101010101ULL * (0xa0 + i);
	regs->rflags = FLAGS_ARITHMETIC | 2;
}

/* Too short a step runs the bytes' tail, too long a one misses the RET. */
void run_bytes(struct regs *regs, const u8 *bytes, unsigned n)
{
	memcpy(code, bytes, n);
	memset(code + n, 0xcc, sizeof(code) - n);
	code[n] = 0xc3;
	run_regs(regs, code);
}

const char *regs_difference(const struct regs *a, const struct regs *b,
			    u32 except)
{
	static const char names[16][4] = {
		"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
		"R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};

	for (unsigned i = 0; i < GPR_COUNT; i++)
		if (i != RSP && !(except & BIT(i)) && a->gpr[i] != b->gpr[i])
			return names[i];
	return a->rflags == b->rflags ? NULL : "RFLAGS";
}
