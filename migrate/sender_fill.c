/*
 * Filling frames: first what was lost, then the rest of the page that is open,
 * then pages that are to be sent.
 */
#include "migrate/sender_fill.h"

static bool has_room(const struct filling *filling, size_t data)
{
	return filling->flight->count < FLIGHT_RECORDS &&
	       filling->used + PAGE_HEAD + data <= filling->room;
}

/* Where the record's data goes. */
static inline u8 *add(struct sender *sender, struct filling *filling,
		      const struct page_record *record)
{
	struct flight *flight = filling->flight;
	struct part *part = &flight->part[flight->count++];
	u8 *at = filling->body + filling->used;

	*part = (struct part){record->page, record->offset, record->size,
			      record->codec};
	page_record_put(at, record);
	filling->used += PAGE_HEAD;
	if (record->codec != CODEC_ZERO)
		filling->used += record->size;
	for (u32 i = 0; i < part_pages(part); i++)
		++*flying(sender, part->page + i);
	return at + PAGE_HEAD;
}

static u64 copy_whole(struct filling *filling, u8 *at, const u8 *content)
{
	struct page_hashes *hashes = &filling->hashes;

	return hashes->of[hashes->count++] = hash_copy(at, content);
}

/* As much of `size` raw bytes as fits; returns how much that was. */
static unsigned add_raw(struct sender *sender, struct filling *filling,
			u32 page, const u8 *content, unsigned offset,
			unsigned size)
{
	struct page_record record = {
		.page = page, .codec = CODEC_RAW, .offset = (u16)offset};
	u8 *at;

	if (!has_room(filling, 1))
		return 0;
	size = (unsigned)mig_min(size,
				 filling->room - filling->used - PAGE_HEAD);
	record.size = (u16)size;
	at = add(sender, filling, &record);
	if (page_record_whole(&record))
		copy_whole(filling, at, content);
	else
		memcpy(at, content + offset, size);
	return size;
}

/* All of these come before any new page, so none outlives its page's content.
 */
static bool fill_again(struct sender *sender, struct filling *filling)
{
	while (sender->again_count != 0) {
		struct part *part = &sender->again[sender->again_first];
		unsigned sent = part->size;

		if (!is_todo(sender, part->page)) {
			sent = add_raw(
				sender, filling, part->page,
				sender->page(sender->context, part->page),
				part->offset, part->size);
			if (sent == 0)
				return false;
			sender->counts.parts_again++;
		}
		part->offset += sent;
		part->size -= sent;
		if (part->size == 0) {
			sender->again_first =
				(sender->again_first + 1) % WINDOW_SPAN;
			sender->again_count--;
		}
	}
	return true;
}

/* The next bytes of the page that is open. False: the frame is full. */
static bool fill_open(struct sender *sender, struct filling *filling)
{
	unsigned sent, offset = sender->open_offset;

	sent = add_raw(sender, filling, sender->open_page, sender->open, offset,
		       MIG_PAGE - offset);
	if (sent == 0)
		return false;
	if (codec_keeps(&sender->codec))
		codec_sent(&sender->codec, sender->open_page, offset,
			   sender->open + offset, sent);
	sender->open_offset = (u16)((offset + sent) % MIG_PAGE);
	return sender->open_offset == 0;
}

/* A page to send of which nothing is under way, or `pages`. */
static u64 next_page(struct sender *sender)
{
	u64 page = bits_next(sender->todo, sender->pages, sender->cursor);

	if (sender->todo_left == 0)
		return sender->pages;
	while (page < sender->pages && *flying(sender, (u32)page) != 0)
		page = bits_next(sender->todo, sender->pages, page + 1);
	return page;
}

/* A run of zero pages grows by one rather than take another record. */
static bool extend_run(struct filling *filling, u32 page)
{
	struct flight *flight = filling->flight;
	struct part *last;

	if (flight->count == 0)
		return false;
	last = &flight->part[flight->count - 1];
	if (last->codec != CODEC_ZERO || last->page + last->size != page ||
	    last->size == ZERO_RUN_MAX)
		return false;
	last->size++;
	put_u16(filling->body + filling->used - 2, last->size);
	return true;
}

static void take(struct sender *sender, u32 page, u64 hash)
{
	bits_clear(sender->todo, page);
	sender->todo_left--;
	sender->cursor = page + 1;
	sender->counts.pages++;
	hash_replace(sender->hashes, &sender->sum, page, hash);
}

/* The page as it is: whole where there is room, and what fits where not. */
static bool fill_raw(struct sender *sender, struct filling *filling,
		     const struct page_record *record)
{
	u8 *at;

	if (has_room(filling, MIG_PAGE)) {
		at = add(sender, filling, record);
		take(sender, record->page,
		     copy_whole(filling, at, sender->open));
		codec_sent(&sender->codec, record->page, 0, at, MIG_PAGE);
		return true;
	}
	take(sender, record->page, hash_page(sender->open));
	sender->open_page = record->page;
	sender->open_offset = 0;
	return fill_open(sender, filling);
}

/* False: the frame is full, or there is no page to send. */
static bool fill_page(struct sender *sender, struct filling *filling)
{
	struct page_record record;
	u64 page = next_page(sender);

	if (page == sender->pages && sender->cursor != 0) {
		sender->cursor = 0;
		page = next_page(sender);
	}
	if (page == sender->pages || !has_room(filling, 8))
		return false;
	sender->open = sender->page(sender->context, page);
	/*
	 * An encoder and the cache must see one content. Raw bytes need not be:
	 * a page that is written meanwhile is dirty, and sent again.
	 */
	if (sender->open != sender->zero_page &&
	    codec_may_encode(&sender->codec))
		sender->open =
			memcpy(sender->open_content, sender->open, MIG_PAGE);
	if (sender->open == sender->zero_page)
		record = (struct page_record){
			.page = (u32)page, .codec = CODEC_ZERO, .size = 1};
	else
		codec_encode(&sender->codec, (u32)page, sender->open,
			     filling->room - PAGE_HEAD, &record);
	if (record.codec != CODEC_RAW && !has_room(filling, record.size))
		return false;
	codec_took(&sender->codec, &record);
	if (record.codec == CODEC_RAW)
		return fill_raw(sender, filling, &record);
	if (record.codec == CODEC_ZERO) {
		take(sender, record.page, sender->zero_hash);
		if (extend_run(filling, record.page))
			++*flying(sender, record.page);
		else
			add(sender, filling, &record);
	} else {
		take(sender, record.page, hash_page(sender->open));
		memcpy(add(sender, filling, &record), record.data, record.size);
	}
	codec_sent(&sender->codec, record.page, 0, sender->open, MIG_PAGE);
	return true;
}

void sender_fill(struct sender *sender, struct filling *filling)
{
	if (!fill_again(sender, filling))
		return;
	if (sender->open_offset != 0 && !fill_open(sender, filling))
		return;
	while (fill_page(sender, filling))
		;
}
