#include "migrate/codec.h"

/* A codec sleeps after so many tries that did not pay, for so many pages. */
#define POOR_TRIES  32
#define SLEEP_PAGES 128

size_t codec_memory(u32 cache_lines)
{
	return CODEC_LZ4_STATE + MIG_PAGE +
	       (size_t)cache_lines * sizeof(struct codec_cache_line);
}

void codec_init(struct codec *codec, u32 features, u32 cache_lines, u8 *memory)
{
	memset(codec, 0, sizeof(*codec));
	codec->features = features;
	codec->lz4_state = memory;
	codec->encoded = memory + CODEC_LZ4_STATE;
	codec->cache = (void *)(codec->encoded + MIG_PAGE);
	codec->cache_lines = cache_lines;
	for (u32 i = 0; i < cache_lines; i++)
		codec->cache[i].page = 0;
	if (lz4_state_size() > CODEC_LZ4_STATE)
		codec->features &= ~(1u << CODEC_LZ4);
}

static struct codec_cache_line *cache_line(struct codec *codec, u32 page)
{
	if (codec->cache_lines == 0)
		return NULL;
	return &codec->cache[page % codec->cache_lines];
}

/* The page's content as the target has it, or NULL. */
static const u8 *cached(struct codec *codec, u32 page)
{
	const struct codec_cache_line *line = cache_line(codec, page);

	if (line == NULL || line->page != page + 1 || line->filled != MIG_PAGE)
		return NULL;
	return line->content;
}

void codec_sent(struct codec *codec, u32 page, unsigned offset, const u8 *bytes,
		unsigned size)
{
	struct codec_cache_line *line = cache_line(codec, page);

	if (!codec_keeps(codec))
		return;
	if (offset == 0) {
		line->page = page + 1;
		line->filled = 0;
	}
	if (line->page != page + 1 || line->filled != offset)
		return;
	memcpy(line->content + offset, bytes, size);
	line->filled += size;
}

void codec_forget(struct codec *codec, u32 page)
{
	struct codec_cache_line *line = cache_line(codec, page);

	if (line != NULL && line->page == page + 1)
		line->page = 0;
}

static bool awake(struct codec *codec, unsigned which)
{
	struct codec_count *count = &codec->count[which];

	if (!(codec->features & 1u << which))
		return false;
	if (count->asleep != 0) {
		count->asleep--;
		return false;
	}
	return true;
}

/* It pays when it saves an eighth of the page. */
static bool judge(struct codec *codec, unsigned which, size_t size)
{
	struct codec_count *count = &codec->count[which];

	count->tried++;
	if (size != 0 && size <= MIG_PAGE - MIG_PAGE / 8) {
		count->poor = 0;
		return true;
	}
	if (++count->poor == POOR_TRIES) {
		count->poor = 0;
		count->asleep = SLEEP_PAGES;
		count->turned_off++;
	}
	return false;
}

/* The whole page is its first word over and over. */
static bool is_word(const u8 *page)
{
	return get_u64(page) == get_u64(page + 8) &&
	       memcmp(page, page + 8, MIG_PAGE - 8) == 0;
}

/* The first encoder of the table that is possible and pays. */
static unsigned choose(struct codec *codec, u32 page, const u8 *content,
		       size_t room, size_t *size)
{
	const u8 *before = cached(codec, page);

	if (is_word(content)) {
		*size = 8;
		memcpy(codec->encoded, content, 8);
		if (get_u64(content) == 0)
			return CODEC_ZERO;
		if (codec->features & 1u << CODEC_WORD)
			return CODEC_WORD;
	}
	if (before != NULL && awake(codec, CODEC_DELTA)) {
		*size = delta_encode(before, content, codec->encoded, room);
		if (judge(codec, CODEC_DELTA, *size))
			return CODEC_DELTA;
	}
	if (codec->spare >= CODEC_LZ4_TIME && awake(codec, CODEC_LZ4)) {
		codec->spare -= CODEC_LZ4_TIME;
		*size = lz4_encode(codec->lz4_state, content, codec->encoded,
				   room);
		if (judge(codec, CODEC_LZ4, *size))
			return CODEC_LZ4;
	}
	*size = MIG_PAGE;
	return CODEC_RAW;
}

void codec_encode(struct codec *codec, u32 page, const u8 *content, size_t room,
		  struct page_record *record)
{
	size_t size;

	room = mig_min(room, MIG_PAGE);
	record->page = page;
	record->offset = 0;
	record->codec = (u8)choose(codec, page, content, room, &size);
	record->size = (u16)size;
	record->data = record->codec == CODEC_RAW ? content : codec->encoded;
	if (record->codec == CODEC_ZERO)
		record->size = 1;
}

static void fill_page(u8 *page, u64 word)
{
	for (unsigned i = 0; i < MIG_PAGE; i += 32) {
		put_u64(page + i, word);
		put_u64(page + i + 8, word);
		put_u64(page + i + 16, word);
		put_u64(page + i + 24, word);
	}
}

bool codec_decode(const struct page_record *record, u8 *page, u8 *scratch)
{
	switch (record->codec) {
	case CODEC_WORD:
		fill_page(page, get_u64(record->data));
		return true;
	case CODEC_RAW:
		memcpy(page + record->offset, record->data, record->size);
		return true;
	case CODEC_DELTA:
		return delta_apply(record->data, record->size, page);
	case CODEC_LZ4:
		if (!lz4_decode(record->data, record->size, scratch))
			return false;
		memcpy(page, scratch, MIG_PAGE);
		return true;
	}
	return false;
}
