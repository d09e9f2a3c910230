#include "machine/aml.h"

#include "lib/string.h"

enum {
	ZERO_OP = 0x00,
	NAME_OP = 0x08,
	BYTE_PREFIX = 0x0a,
	WORD_PREFIX = 0x0b,
	DWORD_PREFIX = 0x0c,
	STRING_PREFIX = 0x0d,
	SCOPE_OP = 0x10,
	BUFFER_OP = 0x11,
	PACKAGE_OP = 0x12,
	EXTENDED = 0x5b,
	DEVICE_OP = 0x82
};

static void put(struct aml *aml, u64 value, unsigned bytes)
{
	for (; bytes--; value >>= 8) {
		if (aml->size < aml->room)
			aml->at[aml->size] = value;
		aml->size++;
	}
}

/* Lengths are of three bytes always (20.2.4): written before they are known. */
#define LENGTH_BYTES 3

static unsigned begin(struct aml *aml)
{
	unsigned at = aml->size;

	put(aml, 0, LENGTH_BYTES);
	return at;
}

static void patch(struct aml *aml, unsigned at, u8 value)
{
	if (at < aml->room)
		aml->at[at] = value;
}

void aml_end(struct aml *aml, unsigned begun)
{
	unsigned length = aml->size - begun;

	patch(aml, begun, (LENGTH_BYTES - 1) << 6 | (length & 15));
	patch(aml, begun + 1, length >> 4);
	patch(aml, begun + 2, length >> 12);
}

static void put_name(struct aml *aml, const char *name)
{
	while (*name)
		put(aml, *name++, 1);
}

unsigned aml_scope(struct aml *aml, const char *name)
{
	unsigned begun;

	put(aml, SCOPE_OP, 1);
	begun = begin(aml);
	put_name(aml, name);
	return begun;
}

unsigned aml_device(struct aml *aml, const char *name)
{
	unsigned begun;

	put(aml, EXTENDED, 1);
	put(aml, DEVICE_OP, 1);
	begun = begin(aml);
	put_name(aml, name);
	return begun;
}

unsigned aml_package(struct aml *aml, u8 elements)
{
	unsigned begun;

	put(aml, PACKAGE_OP, 1);
	begun = begin(aml);
	put(aml, elements, 1);
	return begun;
}

void aml_name(struct aml *aml, const char *name)
{
	put(aml, NAME_OP, 1);
	put_name(aml, name);
}

void aml_integer(struct aml *aml, u32 value)
{
	if (!value) {
		put(aml, ZERO_OP, 1);
	} else if (value <= 0xff) {
		put(aml, BYTE_PREFIX, 1);
		put(aml, value, 1);
	} else if (value <= 0xffff) {
		put(aml, WORD_PREFIX, 1);
		put(aml, value, 2);
	} else {
		put(aml, DWORD_PREFIX, 1);
		put(aml, value, 4);
	}
}

static u32 hex(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* Three letters of five bits, four digits; the first byte first. */
void aml_eisa_id(struct aml *aml, const char *id)
{
	u32 value =
		(id[0] & 31) << 26 | (id[1] & 31) << 21 | (id[2] & 31) << 16;

	for (unsigned i = 0; i < 4; i++)
		value |= hex(id[3 + i]) << (12 - 4 * i);
	put(aml, DWORD_PREFIX, 1);
	put(aml, __builtin_bswap32(value), 4);
}

void aml_string(struct aml *aml, const char *text)
{
	put(aml, STRING_PREFIX, 1);
	put_name(aml, text);
	put(aml, 0, 1);
}

/* --- resources: a buffer, whose own size stands in it, of two bytes */

#define END_TAG	     0x79
#define PORTS	     0x47
#define DECODES_16   1
#define IRQ	     0x22
#define WORD_RANGE   0x88
#define DWORD_RANGE  0x87
#define RANGE_MEMORY 0
#define RANGE_PORTS  1
#define RANGE_BUSES  2
#define FIXED	     0x0c /* both ends */
#define WHOLE_RANGE  3	  /* ports: all of them decode it */
#define READ_WRITE   1

unsigned aml_resources(struct aml *aml)
{
	unsigned begun;

	put(aml, BUFFER_OP, 1);
	begun = begin(aml);
	put(aml, WORD_PREFIX, 1);
	put(aml, 0, 2);
	return begun;
}

void aml_resources_end(struct aml *aml, unsigned begun)
{
	unsigned at = begun + LENGTH_BYTES + 1, size;

	put(aml, END_TAG, 1);
	put(aml, 0, 1); /* no checksum */
	size = aml->size - at - 2;
	patch(aml, at, size);
	patch(aml, at + 1, size >> 8);
	aml_end(aml, begun);
}

void aml_ports(struct aml *aml, u16 first, u8 count)
{
	put(aml, PORTS, 1);
	put(aml, DECODES_16, 1);
	put(aml, first, 2);
	put(aml, first, 2);
	put(aml, 1, 1);
	put(aml, count, 1);
}

void aml_irq(struct aml *aml, unsigned irq)
{
	put(aml, IRQ, 1);
	put(aml, BIT(irq), 2);
}

/* Numbers of two or four bytes: granularity, ends, translation, how many. */
static void range(struct aml *aml, u8 type, u8 flags, u32 first, u32 last)
{
	unsigned width = type == RANGE_MEMORY ? 4 : 2;

	put(aml, width == 4 ? DWORD_RANGE : WORD_RANGE, 1);
	put(aml, 3 + 5 * width, 2);
	put(aml, type, 1);
	put(aml, FIXED, 1);
	put(aml, flags, 1);
	put(aml, 0, width);
	put(aml, first, width);
	put(aml, last, width);
	put(aml, 0, width);
	put(aml, last - first + 1, width);
}

void aml_bus_range(struct aml *aml, u16 first, u16 last)
{
	range(aml, RANGE_BUSES, 0, first, last);
}

void aml_port_range(struct aml *aml, u16 first, u16 last)
{
	range(aml, RANGE_PORTS, WHOLE_RANGE, first, last);
}

void aml_memory_range(struct aml *aml, u32 first, u32 last)
{
	range(aml, RANGE_MEMORY, READ_WRITE, first, last);
}
