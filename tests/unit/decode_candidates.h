/*
 * What the decoder's tests share: instructions made from a seed, and what
 * objdump (binutils) says of each.
 */
#ifndef DECODE_CANDIDATES_H
#define DECODE_CANDIDATES_H

#include "vm/decode.h"

#define CANDIDATE 16 /* bytes: one more than an instruction may have */

struct random {
	u64 state;
};
u32 random_u32(struct random *r);
/* 0 .. limit - 1 */
u32 random_below(struct random *r, u32 limit);

/*
 * Bytes that are an instruction more often than not: prefixes, an escape to any
 * opcode map, an opcode, and random operands.
 */
void make_candidate(struct random *r, enum decode_mode mode, u8 *bytes);

/* Only VEX, EVEX and XOP, without prefixes. */
void make_vector_candidate(struct random *r, enum decode_mode mode, u8 *bytes);

/* What objdump says of one candidate; not valid: "(bad)" or only prefixes. */
struct verdict {
	const u8 *bytes;
	bool valid;
	unsigned length;
	u64 address;
	const char *text; /* Intel syntax */
};

/*
 * Has objdump disassemble count candidates from make() and hands each verdict
 * to judge(). Returns how many verdicts there were: a candidate that the
 * disassembly of the one before ran into has none.
 */
unsigned ask_objdump(enum decode_mode mode, u64 seed, unsigned count,
		     void (*make)(struct random *, enum decode_mode, u8 *),
		     void (*judge)(void *context, enum decode_mode,
				   const struct verdict *),
		     void *context);

#endif
