/*
 * What changed in a page since it was sent: pairs of lengths, bytes that stay
 * and bytes that are new.
 */
#include "migrate/codec.h"

static size_t length_put(u8 *to, size_t length)
{
	if (length < 128) {
		to[0] = (u8)length;
		return 1;
	}
	to[0] = (u8)(length | 128);
	to[1] = (u8)(length >> 7);
	return 2;
}

static bool length_get(const u8 *data, size_t size, size_t *at, size_t *length)
{
	if (*at >= size)
		return false;
	*length = data[*at] & 127;
	if ((data[(*at)++] & 128) == 0)
		return true;
	if (*at >= size || data[*at] > 127)
		return false;
	*length |= (size_t)data[(*at)++] << 7;
	return true;
}

static bool word_same(const u8 *a, const u8 *b, size_t at)
{
	return get_u64(a + at) == get_u64(b + at);
}

/* In words: a change of less costs a word, and the loop is eight times faster.
 */
size_t delta_encode(const u8 *before, const u8 *now, u8 *to, size_t room)
{
	size_t at = 0, used = 0;

	while (at < MIG_PAGE) {
		size_t stays = at, fresh;

		while (at < MIG_PAGE && word_same(before, now, at))
			at += 8;
		if (at == MIG_PAGE)
			break;
		fresh = at;
		while (at < MIG_PAGE && !word_same(before, now, at))
			at += 8;
		if (used + 4 + (at - fresh) > room)
			return 0;
		used += length_put(to + used, fresh - stays);
		used += length_put(to + used, at - fresh);
		memcpy(to + used, now + fresh, at - fresh);
		used += at - fresh;
	}
	/* A page without a change still takes a record. */
	if (used == 0 && room >= 2) {
		used += length_put(to, 0);
		used += length_put(to + 1, 0);
	}
	return used;
}

/* Checks every length before it is used; a bad tail leaves the page changed. */
bool delta_apply(const u8 *data, size_t size, u8 *page)
{
	size_t at = 0, to = 0;

	while (at < size) {
		size_t stays, fresh;

		if (!length_get(data, size, &at, &stays) ||
		    !length_get(data, size, &at, &fresh))
			return false;
		if (stays > MIG_PAGE - to)
			return false;
		to += stays;
		if (fresh > MIG_PAGE - to || fresh > size - at)
			return false;
		memcpy(page + to, data + at, fresh);
		at += fresh;
		to += fresh;
	}
	return true;
}
