/*
 * An instruction that is being decoded: what the decoder's files share.
 * decode_opcode.c takes prefixes and opcode, decode.c what follows them.
 */
#ifndef VM_DECODER_H
#define VM_DECODER_H

#include "vm/decode_tables.h"

/*
 * Errors stick: the first one counts, and what is fetched after it is zero, so
 * that only decode() needs to look.
 */
struct decoder {
	const u8 *next, *end;
	struct insn *insn;
	err_t err;
	err_t at_end; /* what it means to need more bytes */
	u8 pp;	      /* PP_*: the mandatory prefix */
};

static inline void decoder_fail(struct decoder *d, err_t err)
{
	if (!d->err)
		d->err = err;
}

static inline u8 fetch_u8(struct decoder *d)
{
	if (d->next == d->end) {
		decoder_fail(d, d->at_end);
		return 0;
	}
	return *d->next++;
}

static inline bool mode_64(const struct insn *insn)
{
	return insn->mode == DECODE_64;
}

/* Prefixes, and the first byte that is none. */
u8 take_prefixes(struct decoder *d);

/* All of the opcode that begins with this byte: its entry in the tables. */
u16 take_opcode(struct decoder *d, u8 byte);

/* The form of an opcode in a map with holes; FORMS: there is none. */
u8 find_form(u8 map, u8 opcode);

#endif
