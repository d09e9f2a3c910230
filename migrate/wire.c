#include "migrate/wire.h"

bool wire_header_parse(const u8 *frame, size_t size, struct wire_header *header,
		       unsigned tag_size)
{
	const u8 *at = frame + WIRE_ETHERNET;

	if (size < WIRE_BODY || size > WIRE_FRAME_MAX)
		return false;
	if (frame[12] != WIRE_ETHERTYPE >> 8 ||
	    frame[13] != (WIRE_ETHERTYPE & 0xff))
		return false;
	if (at[0] >> 4 != WIRE_VERSION)
		return false;
	header->kind = at[0] & 15;
	header->session = at[1];
	header->length = get_u16(at + 2);
	header->number = get_u32(at + 4);
	return header->length + tag_size <= size - WIRE_BODY;
}

void wire_header_put(u8 *frame, const u8 to[6], const u8 from[6],
		     const struct wire_header *header)
{
	u8 *at = frame + WIRE_ETHERNET;

	memcpy(frame, to, 6);
	memcpy(frame + 6, from, 6);
	frame[12] = WIRE_ETHERTYPE >> 8;
	frame[13] = WIRE_ETHERTYPE & 0xff;
	at[0] = (u8)(WIRE_VERSION << 4 | header->kind);
	at[1] = header->session;
	put_u16(at + 2, header->length);
	put_u32(at + 4, header->number);
}

u64 wire_number(u64 highest, u32 low)
{
	int32_t ahead = (int32_t)(low - (u32)highest);

	/* Nothing lies before 0. */
	if (ahead < 0 && (u64) - (int64_t)ahead > highest)
		return low;
	return highest + (u64)(int64_t)ahead;
}

/*
 * HELLO's fields, described once: what follows offset by offset in the body.
 * The names are copied as they are; whoever prints them ends them first.
 */
void hello_put(u8 *body, const struct hello *hello)
{
	memset(body, 0, HELLO_SIZE);
	body[0] = hello->type;
	body[1] = hello->security;
	body[2] = hello->version_low;
	body[3] = hello->version_high;
	put_u32(body + 4, hello->features);
	put_u32(body + 8, hello->frame_size);
	put_u32(body + 12, hello->code);
	memcpy(body + 16, hello->name, WIRE_NAME);
	memcpy(body + 48, hello->migration, 16);
	memcpy(body + 64, hello->nonce, 16);
	memcpy(body + 80, hello->challenge, 16);
	memcpy(body + 96, hello->key, 32);
	put_u64(body + 128, hello->pages);
	put_u16(body + 136, hello->credit);
	body[138] = hello->resume;
	body[139] = hello->session;
}

void hello_parse(const u8 *body, struct hello *hello)
{
	hello->type = body[0];
	hello->security = body[1];
	hello->version_low = body[2];
	hello->version_high = body[3];
	hello->features = get_u32(body + 4);
	hello->frame_size = get_u32(body + 8);
	hello->code = get_u32(body + 12);
	memcpy(hello->name, body + 16, WIRE_NAME);
	hello->name[WIRE_NAME - 1] = 0;
	memcpy(hello->migration, body + 48, 16);
	memcpy(hello->nonce, body + 64, 16);
	memcpy(hello->challenge, body + 80, 16);
	memcpy(hello->key, body + 96, 32);
	hello->pages = get_u64(body + 128);
	hello->credit = get_u16(body + 136);
	hello->resume = body[138];
	hello->session = body[139];
}

void control_put(u8 *body, const struct control *control)
{
	put_u32(body, control->sequence);
	put_u32(body + 4, control->acknowledged);
	put_u64(body + 8, control->highest);
	put_u16(body + 16, control->credit);
	body[18] = control->state;
	body[19] = 0;
	put_u32(body + 20, control->attempt);
	memcpy(body + 24, control->bitmap, sizeof(control->bitmap));
	put_u64(body + 88, control->applied);
}

void control_parse(const u8 *body, struct control *control)
{
	control->sequence = get_u32(body);
	control->acknowledged = get_u32(body + 4);
	control->highest = get_u64(body + 8);
	control->credit = get_u16(body + 16);
	control->state = body[18];
	control->attempt = get_u32(body + 20);
	memcpy(control->bitmap, body + 24, sizeof(control->bitmap));
	control->applied = get_u64(body + 88);
}

enum record_verdict record_parse(const u8 *at, size_t size,
				 struct record *record)
{
#define RECORD_LEAST(name, type, least) [type] = least,
	static const u16 least[RECORD_TYPES] = {RECORDS(RECORD_LEAST)};
#undef RECORD_LEAST

	if (size < RECORD_HEAD)
		return RECORD_BAD;
	record->type = at[0];
	record->mandatory = at[1] & 1;
	record->size = get_u16(at + 4);
	record->data = at + RECORD_HEAD;
	if (record->size > RECORD_DATA || record->size > size - RECORD_HEAD)
		return RECORD_BAD;
	if (record->type == 0 || record->type >= RECORD_TYPES)
		return record->mandatory ? RECORD_STRANGE : RECORD_SKIP;
	return record->size >= least[record->type] ? RECORD_GOOD : RECORD_BAD;
}

size_t record_put(u8 *at, u8 type, const void *data, size_t size)
{
	memset(at, 0, RECORD_HEAD);
	at[0] = type;
	at[1] = type != RECORD_RELEASE && type != RECORD_FILLER;
	at[2] = 1;
	put_u16(at + 4, (u16)size);
	memcpy(at + RECORD_HEAD, data, size);
	return RECORD_HEAD + size;
}

/* What the codec's rules say about offset and size. */
static bool page_record_fits(const struct page_record *record, u64 pages)
{
	switch (record->codec) {
	case CODEC_ZERO:
		return record->offset == 0 && record->size >= 1 &&
		       record->size <= ZERO_RUN_MAX &&
		       record->size <= pages - record->page;
	case CODEC_WORD:
		return record->offset == 0 && record->size == 8;
	case CODEC_RAW:
		return record->size >= 1 &&
		       record->offset + record->size <= (int)MIG_PAGE;
	case CODEC_DELTA:
	case CODEC_LZ4:
		return record->offset == 0 && record->size <= MIG_PAGE;
	}
	return false;
}

bool page_record_parse(const u8 *body, size_t size, size_t *used, u64 pages,
		       struct page_record *record)
{
	const u8 *at = body + *used;
	size_t data;

	if (size - *used < PAGE_HEAD)
		return false;
	record->page = get_u32(at);
	record->codec = (u8)(get_u16(at + 4) >> 12);
	record->offset = get_u16(at + 4) & 0xfff;
	record->size = get_u16(at + 6);
	record->data = at + PAGE_HEAD;
	if (record->page >= pages || !page_record_fits(record, pages))
		return false;
	data = record->codec == CODEC_ZERO ? 0 : record->size;
	if (data > size - *used - PAGE_HEAD)
		return false;
	*used += PAGE_HEAD + data;
	return true;
}

const char *mig_state_text(unsigned state)
{
	static const char *const source[] = {
		"idle",	   "seeking",  "offering",  "asking",
		"copying", "stopped",  "preparing", "in doubt",
		"done",	   "aborting", "failed"};
	static const char *const target[] = {"listening", "asked",
					     "receiving", "prepared",
					     "running",	  "discarded"};

	if (state <= SOURCE_FAILED)
		return source[state];
	if (state >= TARGET_LISTENING && state <= TARGET_DISCARDED)
		return target[state - TARGET_LISTENING];
	return "unknown";
}
