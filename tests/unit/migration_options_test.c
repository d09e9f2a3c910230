/*
 * The words in which a migration's options are said.
 *
 *	links: kernel/migration/options.c
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "migrate/wire.h"
#include "migration/migration.h"

#define ALWAYS (1u << CODEC_ZERO | 1u << CODEC_RAW)

/* From a block of its own size, so that one byte too far is seen. */
static bool codecs(const char *text, unsigned *bits)
{
	size_t size = strlen(text);
	char *copy = malloc(size);
	bool good;

	if (size)
		memcpy(copy, text, size);
	*bits = 0xa5a5a5a5;
	good = migration_codecs(copy, size, bits);
	free(copy);
	return good;
}

static unsigned good(const char *text)
{
	unsigned bits;

	CHECK(codecs(text, &bits));
	return bits;
}

static void bad(const char *text)
{
	unsigned bits;

	if (codecs(text, &bits))
		test_fail(__FILE__, __LINE__, "\"%s\" is taken", text);
}

TEST(all_and_none)
{
	CHECK_EQ(good("all"), (1u << CODECS) - 1);
	CHECK_EQ(good("none"), ALWAYS);
}

TEST(some_in_any_order)
{
	CHECK_EQ(good("word"), ALWAYS | 1u << CODEC_WORD);
	CHECK_EQ(good("delta"), ALWAYS | 1u << CODEC_DELTA);
	CHECK_EQ(good("lz4"), ALWAYS | 1u << CODEC_LZ4);
	CHECK_EQ(good("lz4,word"), ALWAYS | 1u << CODEC_WORD | 1u << CODEC_LZ4);
	CHECK_EQ(good("word,delta,lz4"), good("all"));
	CHECK_EQ(good("word,word"), good("word"));
}

TEST(what_is_no_codec)
{
	static const char *const words[] = {
		"",	 ",",	     ",word",	  "word,,lz4",	"wor",
		"words", "word lz4", "word, lz4", "WORD",	"zero",
		"raw",	 "all,word", "none,word", "word,none",	"word,all",
		"alle",	 "word,",    "none,",	  "word,delta2"};

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		bad(words[i]);
}

/* They are looked up by the numbers of these enumerations. */
TEST(words_stand_in_their_order)
{
	CHECK_STR(migration_securities[WIRE_CLEAR], "none");
	CHECK_STR(migration_securities[WIRE_AUTHENTICATE], "authenticate");
	CHECK_STR(migration_securities[WIRE_ENCRYPT], "encrypt");
	CHECK_STR(migration_ways[DIRTY_OFF], "best");
	CHECK_STR(migration_ways[DIRTY_WP], "wp");
	CHECK_STR(migration_ways[DIRTY_DBIT], "dbit");
	CHECK_STR(migration_ways[DIRTY_PML], "pml");
}
