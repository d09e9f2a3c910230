#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/decode_candidates.h"
#include "tests/unit/test.h"

/* --- candidates ------------------------------------------------------------
 */

/* xorshift64* */
u32 random_u32(struct random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return (r->state * 0x2545f4914f6cdd1dULL) >> 32;
}

u32 random_below(struct random *r, u32 limit)
{
	return (u64)random_u32(r) * limit >> 32;
}

static bool chance(struct random *r, u32 percent)
{
	return random_below(r, 100) < percent;
}

static u8 *put_prefixes(struct random *r, enum decode_mode mode, u8 *p)
{
	static const u8 prefixes[] = {0x66, 0x66, 0x67, 0x67, 0xf2, 0xf3, 0xf0,
				      0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
	unsigned count = chance(r, 50)	 ? 0
			 : chance(r, 60) ? 1
			 : chance(r, 90) ? 2 + random_below(r, 2)
					 : random_below(r, 15);

	while (count--)
		*p++ = prefixes[random_below(r, sizeof(prefixes))];
	if (mode == DECODE_64 && chance(r, 35))
		*p++ = 0x40 | random_below(r, 16);
	return p;
}

static u8 *put_vex(struct random *r, u8 *p)
{
	u8 second = random_u32(r);

	if (chance(r, 60))
		second |= 0x78; /* vvvv unused */
	if (chance(r, 30)) {
		*p++ = 0xc5;
		*p++ = second | 0x40;
		return p;
	}
	*p++ = 0xc4;
	*p++ = (random_u32(r) & 0xe0) | (1 + random_below(r, 3));
	if (chance(r, 80)) /* R and X as they must be outside 64-bit mode */
		p[-1] |= 0xc0;
	if (chance(r, 5))
		p[-1] = random_u32(r);
	*p++ = second;
	return p;
}

static u8 *put_evex(struct random *r, u8 *p)
{
	static const u8 maps[] = {1, 2, 2, 3, 5, 6};
	u8 *start = p;

	*p++ = 0x62;
	*p++ = (random_u32(r) & 0xf0) | maps[random_below(r, sizeof(maps))];
	*p++ = random_u32(r) | 4;
	*p++ = random_u32(r);
	if (chance(r, 80))
		start[1] |= 0xc0;
	if (chance(r, 60))
		start[2] |= 0x78;
	if (chance(r, 60))
		start[3] = (start[3] & 0x67) | 8;
	if (chance(r, 3))
		start[1] = random_u32(r);
	if (chance(r, 3))
		start[2] = random_u32(r);
	if (chance(r, 15)) { /* gathers want a mask and an index */
		start[3] = (start[3] & 0x60) | 9;
		*p++ = random_u32(r);
		*p++ = random_below(r, 0xc0 >> 3) << 3 | 4;
	}
	return p;
}

static u8 *put_xop(struct random *r, u8 *p)
{
	*p++ = 0x8f;
	*p++ = (random_u32(r) & 0xe0) | (8 + random_below(r, 3));
	*p++ = random_u32(r) & (chance(r, 90) ? 0xfc : 0xff);
	if (chance(r, 50))
		p[-1] |= 0x78;
	return p;
}

static u8 *put_vector_escape(struct random *r, u8 *p)
{
	u32 dice = random_below(r, 16);

	if (dice < 6)
		return put_vex(r, p);
	return dice < 13 ? put_evex(r, p) : put_xop(r, p);
}

static u8 *put_escape(struct random *r, u8 *p)
{
	u32 dice = random_below(r, 100);

	if (dice < 30)
		return p;
	if (dice < 84)
		*p++ = 0x0f;
	if (dice >= 60 && dice < 68)
		*p++ = 0x38;
	if (dice >= 68 && dice < 74)
		*p++ = 0x3a;
	return dice >= 84 ? put_vector_escape(r, p) : p;
}

static void put_rest(struct random *r, u8 *made, u8 *p)
{
	unsigned i;

	while (p < made + CANDIDATE)
		*p++ = random_u32(r);
	/* Sometimes displacements and immediates at their signs' edges. */
	if (chance(r, 10))
		for (i = CANDIDATE - 8; i < CANDIDATE; i++)
			made[i] = chance(r, 50) ? 0 : 0xff;
}

void make_candidate(struct random *r, enum decode_mode mode, u8 *bytes)
{
	u8 made[2 * CANDIDATE], *p = made;

	if (!chance(r, 3)) { /* else anything at all */
		if (!chance(r, 40))
			p = put_prefixes(r, mode, p);
		p = put_escape(r, p);
	}
	put_rest(r, made, p);
	memcpy(bytes, made, CANDIDATE);
}

void make_vector_candidate(struct random *r, enum decode_mode mode, u8 *bytes)
{
	u8 made[2 * CANDIDATE];

	put_rest(r, made, put_vector_escape(r, made));
	memcpy(bytes, made, CANDIDATE);
}

/* --- objdump ---------------------------------------------------------------
 */

/* NOPs between candidates bring the disassembly back into step. */
#define SLOT  24
#define BATCH 65536

struct session {
	enum decode_mode mode;
	const u8 *slots;
	u64 size;
	void (*judge)(void *, enum decode_mode, const struct verdict *);
	void *context;
	unsigned verdicts;
	u64 pending; /* address of the line in text, ~0: not a candidate's */
	char text[256];
};

static bool is_prefix(const char *word, size_t length)
{
	static const char *const names[] = {
		"data16", "data32", "addr16", "addr32", "lock", "repz", "repnz",
		"rep",	  "es",	    "cs",     "ss",	"ds",	"fs",	"gs"};
	unsigned i;

	if (length >= 3 && !strncmp(word, "rex", 3))
		return true;
	for (i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == length &&
		    !strncmp(word, names[i], length))
			return true;
	return false;
}

static bool only_prefixes(const char *text)
{
	size_t length;

	for (; *text; text += length + (text[length] == ' ')) {
		length = strcspn(text, " ");
		if (length && !is_prefix(text, length))
			return false;
	}
	return true;
}

/* A line of the listing; the one before ends where this one starts. */
static void take_line(struct session *s, u64 address, const char *text)
{
	struct verdict verdict = {
		.bytes = s->slots + s->pending,
		.address = s->pending,
		.text = s->text,
		.length = address - s->pending,
	};

	if (s->pending != ~0ULL) {
		verdict.valid =
			!strstr(s->text, "(bad)") && !only_prefixes(s->text);
		s->judge(s->context, s->mode, &verdict);
		s->verdicts++;
	}
	s->pending = ~0ULL;
	if (address < s->size && address % SLOT == 0) {
		s->pending = address;
		snprintf(s->text, sizeof(s->text), "%s", text);
	}
}

static void read_listing(struct session *s, FILE *listing)
{
	char line[512], *end;
	u64 address;

	while (fgets(line, sizeof(line), listing)) {
		address = strtoull(line, &end, 16);
		if (end == line || end[0] != ':' || end[1] != '\t')
			continue;
		end += 2;
		end[strcspn(end, "\n")] = 0;
		take_line(s, address, end);
	}
}

/* objdump inherits fd. */
static void run_objdump(struct session *s, int fd)
{
	static const char *const modes[] = {"i8086", "i386", "x86-64,intel64"};
	char command[256];
	FILE *listing;

	snprintf(command, sizeof(command),
		 "objdump -D -z -b binary -m i386 --no-show-raw-insn "
		 "-M intel,%s /proc/self/fd/%d",
		 modes[s->mode], fd);
	listing = popen(command, "r");
	if (!listing)
		test_fail(__FILE__, __LINE__, "objdump does not start");
	read_listing(s, listing);
	if (pclose(listing) != 0)
		test_fail(__FILE__, __LINE__, "failed: %s", command);
}

/* A file without a name, which no failing test leaves behind. */
static int open_scratch(void)
{
	char path[] = "/tmp/decode-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || unlink(path) < 0)
		test_fail(__FILE__, __LINE__, "cannot create %s", path);
	return fd;
}

unsigned ask_objdump(enum decode_mode mode, u64 seed, unsigned count,
		     void (*make)(struct random *, enum decode_mode, u8 *),
		     void (*judge)(void *, enum decode_mode,
				   const struct verdict *),
		     void *context)
{
	static u8 slots[(BATCH + 1) * SLOT];
	struct random r = {seed};
	struct session s = {.mode = mode,
			    .slots = slots,
			    .judge = judge,
			    .context = context,
			    .pending = ~0ULL};
	unsigned i, batch, size;
	int fd = open_scratch();

	for (; count; count -= batch) {
		batch = MIN(count, BATCH);
		memset(slots, 0x90, sizeof(slots));
		for (i = 0; i < batch; i++)
			make(&r, mode, slots + i * SLOT);
		s.size = batch * SLOT;
		size = s.size + SLOT;
		if (pwrite(fd, slots, size, 0) != size || ftruncate(fd, size))
			test_fail(__FILE__, __LINE__, "cannot write in /tmp");
		run_objdump(&s, fd);
	}
	close(fd);
	return s.verdicts;
}
