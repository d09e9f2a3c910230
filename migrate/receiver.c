#include "migrate/receiver.h"

size_t receiver_memory(u64 pages)
{
	return (size_t)bits_words(pages) * 16 + MIG_PAGE +
	       (size_t)pages * PAGE_HASH_BYTES + 8;
}

void receiver_init(struct receiver *receiver, u64 pages, u8 *memory)
{
	size_t map = (size_t)bits_words(pages) * 8;

	memset(receiver, 0, sizeof(*receiver));
	receiver->pages = pages;
	receiver->touched = (u64 *)(void *)memory;
	receiver->stale = (u64 *)(void *)(memory + map);
	memset(memory, 0, 2 * map + MIG_PAGE);
	receiver->scratch = memory + 2 * map;
	receiver->hashes = receiver->scratch + MIG_PAGE;
	receiver->sum = hash_fill(receiver->hashes, pages,
				  hash_page(receiver->scratch));
}

void receiver_session(struct receiver *receiver)
{
	receiver->highest = 0;
	memset(receiver->bitmap, 0, sizeof(receiver->bitmap));
}

static void shift(u64 *bitmap, u64 by)
{
	u64 words = by / 64, bits = by % 64;

	for (u64 i = WINDOW_BITS / 64; i-- > 0;) {
		u64 high = i >= words ? bitmap[i - words] : 0;
		u64 low = i > words ? bitmap[i - words - 1] : 0;

		bitmap[i] =
			bits == 0 ? high : high << bits | low >> (64 - bits);
	}
}

bool receiver_accept(struct receiver *receiver, u64 number)
{
	u64 behind = receiver->highest - number;

	if (number > receiver->highest) {
		shift(receiver->bitmap,
		      mig_min(number - receiver->highest, WINDOW_BITS));
		receiver->highest = number;
		behind = 0;
	} else if (behind >= WINDOW_REORDER ||
		   bits_test(receiver->bitmap, behind)) {
		receiver->refused++;
		return false;
	}
	bits_set(receiver->bitmap, behind);
	return true;
}

static void is_now(struct receiver *receiver, u64 page, u64 hash)
{
	hash_replace(receiver->hashes, &receiver->sum, page, hash);
	bits_clear(receiver->stale, page);
}

static void zero_pages(struct receiver *receiver,
		       const struct page_record *record)
{
	for (u64 i = record->page; i < (u64)record->page + record->size; i++) {
		/* Memory that was never touched need not be. */
		if (!bits_test(receiver->touched, i))
			continue;
		memset(receiver->page(receiver->context, i), 0, MIG_PAGE);
		bits_set(receiver->stale, i);
	}
	receiver->applied += record->size;
}

/* The parts of a page come in order: this one is the last, or all of it. */
static bool ends_page(const struct page_record *record)
{
	return record->codec != CODEC_RAW ||
	       record->offset + record->size == (int)MIG_PAGE;
}

/* `known`: a whole page's hash, or NULL. False: its data makes no sense. */
static bool apply(struct receiver *receiver, const struct page_record *record,
		  const u64 *known)
{
	u8 *page = receiver->page(receiver->context, record->page);

	bits_set(receiver->touched, record->page);
	if (page_record_whole(record) && known != NULL) {
		memcpy(page, record->data, MIG_PAGE);
		is_now(receiver, record->page, *known);
		return true;
	}
	if (page_record_whole(record)) {
		is_now(receiver, record->page, hash_copy(page, record->data));
		return true;
	}
	bits_set(receiver->stale, record->page);
	if (!codec_decode(record, page, receiver->scratch))
		return false;
	if (ends_page(record))
		is_now(receiver, record->page, hash_page(page));
	return true;
}

bool receiver_apply(struct receiver *receiver, const u8 *body, size_t size,
		    const struct page_hashes *hashes)
{
	struct page_record record;
	const u64 *known;
	unsigned whole = 0;
	size_t used = 0;

	while (used < size) {
		if (!page_record_parse(body, size, &used, receiver->pages,
				       &record))
			return false;
		if (record.codec == CODEC_ZERO) {
			zero_pages(receiver, &record);
			continue;
		}
		known = whole < hashes->count ? &hashes->of[whole] : NULL;
		whole += page_record_whole(&record);
		if (!apply(receiver, &record, known))
			return false;
		receiver->applied += ends_page(&record);
	}
	return true;
}

u64 receiver_hash(struct receiver *receiver, u64 first, u64 count)
{
	u64 end = first + count;

	for (u64 i = bits_next(receiver->stale, end, first); i < end;
	     i = bits_next(receiver->stale, end, i + 1))
		is_now(receiver, i,
		       hash_page(receiver->page(receiver->context, i)));
	if (count == receiver->pages)
		return receiver->sum;
	return hash_sum(receiver->hashes, first, count);
}
