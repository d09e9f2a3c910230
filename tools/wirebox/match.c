#include <stdlib.h>
#include <string.h>

#include "wirebox.h"

/* OFFSET:BYTE, decimal and hexadecimal. */
static bool one(const char *text, char **end, struct pattern *pattern)
{
	unsigned long offset = strtoul(text, end, 10), byte;

	if (*end == text || **end != ':' || offset >= FRAME_MAX)
		return false;
	text = *end + 1;
	byte = strtoul(text, end, 16);
	if (*end == text || byte > 0xff || pattern->count == PATTERN_MAX)
		return false;
	pattern->byte[pattern->count].offset = (u32)offset;
	pattern->byte[pattern->count].value = (unsigned char)byte;
	pattern->count++;
	return true;
}

bool pattern_set(struct pattern *pattern, const char *text)
{
	struct pattern wanted = {0};
	char *end = (char *)text;

	if (*text && !one(text, &end, &wanted))
		return false;
	while (*end == ',')
		if (!one(end + 1, &end, &wanted))
			return false;
	if (*end)
		return false;
	*pattern = wanted;
	return true;
}

bool pattern_fits(struct pattern *pattern, const unsigned char *frame, u32 size)
{
	for (u32 i = 0; i < pattern->count; i++)
		if (pattern->byte[i].offset >= size ||
		    frame[pattern->byte[i].offset] != pattern->byte[i].value)
			return false;
	if (!pattern->count)
		return false;
	pattern->count = 0;
	return true;
}
