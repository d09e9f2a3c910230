/* The words in which a migration's options are said. */
#include "lib/string.h"
#include "migrate/wire.h"
#include "migration/migration.h"

const char *const migration_policies[] = {"downtime", "classic", "fixed",
					  "stop-and-copy", NULL};
const char *const migration_securities[] = {"none", "authenticate", "encrypt",
					    NULL};
const char *const migration_ways[] = {"best", "wp", "dbit", "pml", NULL};

static const struct {
	const char *name;
	enum page_codec codec;
} codecs[] = {{"word", CODEC_WORD}, {"delta", CODEC_DELTA}, {"lz4", CODEC_LZ4}};

/* Zero and raw pages there must be. */
#define CODECS_ALWAYS (1u << CODEC_ZERO | 1u << CODEC_RAW)

static bool add_codec(const char *text, size_t n, unsigned *bits)
{
	for (unsigned i = 0; i < ARRAY_LEN(codecs); i++) {
		if (strlen(codecs[i].name) != n ||
		    memcmp(text, codecs[i].name, n))
			continue;
		*bits |= 1u << codecs[i].codec;
		return true;
	}
	return false;
}

bool migration_codecs(const char *text, size_t size, unsigned *bits)
{
	*bits = CODECS_ALWAYS;
	if (size == 4 && !memcmp(text, "none", 4))
		return true;
	if (size == 3 && !memcmp(text, "all", 3)) {
		for (unsigned i = 0; i < ARRAY_LEN(codecs); i++)
			*bits |= 1u << codecs[i].codec;
		return true;
	}
	for (;;) {
		size_t n = 0;

		while (n < size && text[n] != ',')
			n++;
		if (!add_codec(text, n, bits))
			return false;
		if (n == size)
			return true;
		text += n + 1;
		size -= n + 1;
	}
}
