/* What goes into a page frame: sender.c's other half. */
#ifndef MIGRATE_SENDER_FILL_H
#define MIGRATE_SENDER_FILL_H

#include "migrate/sender.h"

struct filling {
	u8 *body;
	size_t room, used;
	struct flight *flight;
	struct page_hashes hashes;
};

/* As much as there is to send, and has room. */
void sender_fill(struct sender *sender, struct filling *filling);

static inline bool is_todo(const struct sender *sender, u32 page)
{
	return bits_test(sender->todo, page);
}

static inline u32 part_pages(const struct part *part)
{
	return part->codec == CODEC_ZERO ? part->size : 1;
}

static inline u16 *flying(struct sender *sender, u32 page)
{
	return &sender->flying[page % FLYING_COUNTERS];
}

#endif
