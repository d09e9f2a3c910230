/*
 * The operator's line: what keys make of it.
 *
 * links: kernel/shell/edit.c kernel/lib/string.c
 */
#include "tests/unit/test.h"

#include <string.h>

#include "shell/edit.h"

static struct editor e;

/* The last key's action. */
static enum edit_action type(const char *keys)
{
	enum edit_action action = EDIT_NOTHING;

	while (*keys)
		action = edit_key(&e, (unsigned char)*keys++);
	return action;
}

static void enter(const char *line)
{
	type(line);
	CHECK_EQ(edit_key(&e, '\r'), EDIT_ENTER);
	CHECK_STR(e.text, line);
	edit_clear(&e, true);
}

TEST(edit_at_the_cursor)
{
	CHECK_EQ(type("ac"), EDIT_CHANGED);
	type("\x1b[Db");
	CHECK_STR(e.text, "abc");
	CHECK_EQ(e.cursor, 2);
	type("\x1b[H-\x1b[F+");
	CHECK_STR(e.text, "-abc+");
	type("\b\x01\x1b[3~");
	CHECK_STR(e.text, "abc");
	CHECK_EQ(type("\b"), EDIT_NOTHING);
	CHECK_EQ(type("\x05\x1b[C"), EDIT_NOTHING);
	CHECK_EQ(type("\x1b[3~"), EDIT_NOTHING);
	type("\x7f\x7f\x7f");
	CHECK_STR(e.text, "");
	type("abc\x15");
	CHECK_STR(e.text, "");
	CHECK_EQ(type("\t"), EDIT_COMPLETE);
}

TEST(edit_history)
{
	char line[] = "line a";

	CHECK_EQ(type("\x1b[A"), EDIT_NOTHING);
	enter("first");
	enter("first"); /* once is enough */
	enter("second");
	type("begun\x1b[A");
	CHECK_STR(e.text, "second");
	type("\x1bOA");
	CHECK_STR(e.text, "first");
	CHECK_EQ(type("\x1b[A"), EDIT_NOTHING);
	type("\x1b[B\x1b[B");
	CHECK_STR(e.text, "");
	CHECK_EQ(type("\x1b[B"), EDIT_NOTHING);
	for (line[5] = 'a'; line[5] <= 'z'; line[5]++)
		enter(line);
	for (unsigned i = 0; i < 2 * HISTORY; i++)
		type("\x10");
	CHECK_STR(e.text, "line k");
}

TEST(edit_of_any_keys)
{
	unsigned seed = 3;

	for (unsigned i = 0; i < 1000000; i++) {
		static const char keys[] = "\x1b[ABCD3~H\b\x7f\x10\x0e\x01\x05";

		seed = seed * 1103515245 + 12345;
		if (seed >> 16 & 3)
			edit_key(&e, keys[(seed >> 20) % (sizeof(keys) - 1)]);
		else if (edit_key(&e, seed >> 20 & 0xff) == EDIT_ENTER)
			edit_clear(&e, true);
		CHECK(e.length <= COMMAND_MAX && e.cursor <= e.length);
		CHECK_EQ(strlen(e.text), e.length);
	}
}
