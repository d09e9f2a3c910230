/*
 * State as bytes: records, each the fields of one description, written and read
 * by its table. Little-endian throughout.
 *
 *	stream: "godwitVM", u32 version of this format, u32 0; records
 *	record: char name[16], u16 instance, u16 version, u16 fields, u16 0,
 *		u32 bytes that follow, u32 0; fields
 *	field:	u16 number in the table, u16 size of an element, u16 elements,
 *		u16 of them sent; these
 *
 * Elements at the end that are zero are not sent. So the same state is the same
 * bytes; anything else is refused, with a text that names it: records come in
 * the reader's order, all fields of the record's version in the table's.
 */
#ifndef VM_STREAM_H
#define VM_STREAM_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/fields.h"

#define STREAM_VERSION	 1
#define STREAM_NAME_SIZE 16

/* Counts on when there is no room, so that the size needed is known. */
struct stream_writer {
	u8 *at;
	size_t room, used;
	bool whole; /* also the zeroes at the end: the largest it can get */
};

void stream_begin(struct stream_writer *w);
void stream_save(struct stream_writer *w, const struct device_description *d,
		 unsigned id, const void *device);

struct stream_reader {
	const u8 *at;
	size_t size, used;
	char *why; /* what was wrong, when it is not E_OK */
	size_t why_size;
};

err_t stream_open(struct stream_reader *r);
/*
 * The next record must be this one. Fields that it is too old to have stay as
 * they are. Values are checked by the table; after an error the device holds
 * some of them.
 */
err_t stream_load(struct stream_reader *r, const struct device_description *d,
		  unsigned id, void *device, const struct vm *vm);
err_t stream_close(struct stream_reader *r); /* nothing may follow */

/* E_FORMAT, and why. */
err_t stream_wrong(struct stream_reader *r, const char *fmt, ...) PRINTF(2);

#endif
