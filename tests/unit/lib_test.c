/*
 * kernel/lib against the build host's C library and against plain arithmetic.
 *
 *	links: kernel/lib/string.c kernel/lib/printf.c kernel/lib/error.c
 *	links: kernel/lib/console.c kernel/lib/log.c kernel/lib/symbols.c
 *	links: kernel/lib/notice.c kernel/lib/json.c
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bitmap.h"
#include "lib/console.h"
#include "lib/error.h"
#include "lib/log.h"
#include "lib/ratio.h"
#include "lib/spinlock.h"
#include "lib/symbols.h"
#include "test.h"

/* The kernel's versions, beside the C library's; see own_names.h. */
void *own_memcpy(void *dst, const void *src, size_t n);
void *own_memmove(void *dst, const void *src, size_t n);
void *own_memset(void *dst, int byte, size_t n);
int own_memcmp(const void *a, const void *b, size_t n);
size_t own_strlen(const char *s);
size_t own_strnlen(const char *s, size_t max);
int own_strcmp(const char *a, const char *b);
int own_strncmp(const char *a, const char *b, size_t n);
char *own_strchr(const char *s, int c);
bool is_zero(const void *at, size_t n);
bool copy_string(char *dst, size_t size, const char *src);
bool parse_number(const char *s, u64 *value);
int own_snprintf(char *buf, size_t size, const char *fmt, ...) PRINTF(3);
int own_printf(const char *fmt, ...) PRINTF(1);

static u64 clock_ns;
u64 now_ns(void);

u64 now_ns(void)
{
	return clock_ns;
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static u64 random_u64(void)
{
	static u64 x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Any size of number is as likely as any other. */
static u64 random_sized(void)
{
	return random_u64() >> (random_u64() % 64);
}

/* --- string --------------------------------------------------------------- */

#define AREA 160

static void fill_random(u8 *area)
{
	for (unsigned i = 0; i < AREA; i++)
		area[i] = (u8)random_u64();
}

TEST(memcpy_copies_that_and_no_more)
{
	u8 src[AREA], got[AREA], want[AREA];

	for (unsigned n = 0; n < 100; n++) {
		for (unsigned shift = 0; shift < 16; shift++) {
			fill_random(src);
			fill_random(got);
			memcpy(want, got, AREA);
			memcpy(want + shift, src + 3, n);
			CHECK(own_memcpy(got + shift, src + 3, n) ==
			      got + shift);
			CHECK_MEM(got, want, AREA);
		}
	}
}

TEST(memmove_survives_any_overlap)
{
	u8 got[AREA], want[AREA];

	for (unsigned n = 0; n < 70; n++) {
		for (unsigned to = 0; to < 80; to++) {
			fill_random(got);
			memcpy(want, got, AREA);
			memmove(want + to, want + 40, n);
			own_memmove(got + to, got + 40, n);
			CHECK_MEM(got, want, AREA);
		}
	}
}

TEST(is_zero_looks_at_all_of_it)
{
	static u8 bytes[300];

	for (unsigned n = 0; n < 200; n++)
		for (unsigned shift = 0; shift < 9; shift++) {
			memset(bytes, 1, sizeof(bytes));
			memset(bytes + 20 + shift, 0, n);
			CHECK(is_zero(bytes + 20 + shift, n));
			for (unsigned i = 0; i < n; i++) {
				bytes[20 + shift + i] = 0x80;
				CHECK(!is_zero(bytes + 20 + shift, n));
				bytes[20 + shift + i] = 0;
			}
		}
}

TEST(memset_fills_that_and_no_more)
{
	u8 got[AREA], want[AREA];

	for (unsigned n = 0; n < 100; n++) {
		for (unsigned shift = 0; shift < 16; shift++) {
			fill_random(got);
			memcpy(want, got, AREA);
			memset(want + shift, 0x1a5, n);
			own_memset(got + shift, 0x1a5, n);
			CHECK_MEM(got, want, AREA);
		}
	}
}

TEST(memcmp_orders_like_the_c_library)
{
	u8 a[AREA], b[AREA];

	for (unsigned round = 0; round < 20000; round++) {
		size_t n = random_u64() % 40;

		fill_random(a);
		memcpy(b, a, AREA);
		if (round % 4 != 0)
			b[random_u64() % 40] ^= (u8)random_u64();
		CHECK_EQ(sign(own_memcmp(a, b, n)), sign(memcmp(a, b, n)));
	}
}

TEST(strings_compare_and_measure)
{
	CHECK_EQ(own_strlen("godwit"), 6);
	CHECK_EQ(own_strnlen("godwit", 3), 3);
	CHECK_EQ(own_strnlen("god", 8), 3);
	CHECK(own_strcmp("a", "b") < 0 && own_strcmp("b", "a") > 0);
	CHECK(own_strcmp("ab", "a") > 0 && own_strcmp("", "") == 0);
	CHECK(own_strcmp("\x80", "\x01") > 0);
	CHECK(own_strncmp("abc", "abd", 2) == 0);
	CHECK(own_strncmp("abc", "abd", 3) < 0);
	CHECK_STR(own_strchr("a=b=c", '='), "=b=c");
	CHECK(own_strchr("abc", 'x') == NULL);
	CHECK_EQ(*own_strchr("abc", '\0'), 0);
}

TEST(copy_string_terminates_and_tells)
{
	char buf[4];

	CHECK(copy_string(buf, sizeof(buf), "abc"));
	CHECK_STR(buf, "abc");
	CHECK(!copy_string(buf, sizeof(buf), "abcd"));
	CHECK_STR(buf, "abc");
	CHECK(!copy_string(buf, 1, "a"));
	CHECK_STR(buf, "");
}

TEST(parse_number_takes_numbers)
{
	static const struct {
		const char *text;
		u64 value;
	} good[] = {
		{"0", 0},
		{"64M", 64 << 20},
		{"4k", 4096},
		{"0x10", 16},
		{"0xFfG", 255ULL << 30},
		{"18446744073709551615", UINT64_MAX},
		{"0xffffffffffffffff", UINT64_MAX},
		{"17179869183G", 17179869183ULL << 30},
	};
	static const char *const bad[] = {
		"",
		"M",
		"-1",
		"+1",
		" 1",
		"1 ",
		"0x",
		"12x",
		"1MM",
		"1.5",
		"0xG",
		"a1",
		"18446744073709551616",
		"0x10000000000000000",
		"17179869184G",
	};

	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		u64 value = ~good[i].value;

		CHECK(parse_number(good[i].text, &value));
		CHECK_EQ(value, good[i].value);
	}
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		u64 value = 77;

		CHECK(!parse_number(bad[i], &value));
		CHECK_EQ(value, 77);
	}
}

/* --- printf --------------------------------------------------------------- */

#define SAME(...)                                                        \
	do {                                                             \
		char want[128], got[128];                                \
		int want_n = snprintf(want, sizeof(want), __VA_ARGS__);  \
		int got_n = own_snprintf(got, sizeof(got), __VA_ARGS__); \
                                                                         \
		CHECK_STR(got, want);                                    \
		CHECK_EQ(got_n, want_n);                                 \
	} while (0)

TEST(printf_agrees_with_the_c_library)
{
	SAME("plain %% text");
	SAME("%d %d %d", 0, -1, INT32_MIN);
	SAME("%5d|%-5d|%05d|%.3d|%8.3d", 42, 42, -42, 7, -7);
	SAME("%u %x %X", UINT32_MAX, 0xbeefu, 0xbeefu);
	SAME("%lu %lx %ld", UINT64_MAX, UINT64_MAX, INT64_MIN);
	SAME("%016lx %zu %llu", 0x123UL, (size_t)5, 6ULL);
	SAME("%hhu %hd %hhx", (u8)200, (short)-5, (u8)0xab);
	SAME("%s|%10s|%-10s|%.2s|%.*s", "ab", "ab", "ab", "abcd", 1, "xyz");
	SAME("%c%3c%-3c|", 'a', 'b', 'c');
	SAME("%*d|%-*d|%*d", 6, 1, 6, 2, -6, 3);
	SAME("%.0d|%.0u", 0, 0);
	SAME("%p", (void *)0x1234);
}

TEST(printf_agrees_on_random_numbers)
{
	for (unsigned i = 0; i < 20000; i++) {
		u64 n = random_sized();
		int width = (int)(random_u64() % 24);
		int precision = (int)(random_u64() % 24);

		SAME("%*lx|%-*lu|%0*ld", width, n, width, n, width, (i64)n);
		SAME("%.*lu|%*.*d|%hx", precision, n, width, precision, (int)n,
		     (u16)n);
	}
}

TEST(printf_cuts_and_counts)
{
	char buf[8] = "xxxxxxx";

	CHECK_EQ(own_snprintf(buf, 4, "%s", "abcdef"), 6);
	CHECK_STR(buf, "abc");
	CHECK_EQ(buf[4], 'x');
	CHECK_EQ(own_snprintf(NULL, 0, "%d", 12345), 5);
	CHECK_EQ(own_snprintf(buf, 1, "abc"), 3);
	CHECK_STR(buf, "");
}

/* --- console and log ------------------------------------------------------ */

static char shown[1 << 17];
static size_t shown_len;

static void capture(void *line, const char *text, size_t len)
{
	CHECK(shown_len + len < sizeof(shown));
	memcpy(shown + shown_len, text, len);
	shown_len += len;
	shown[shown_len] = '\0';
}

static void nothing(void *line)
{
}

static size_t roomy(void *line)
{
	return 4096 + sizeof(shown) - shown_len;
}

static const struct console_device capture_device = {capture, capture, roomy,
						     nothing, nothing};

TEST(long_output_reaches_the_console_whole)
{
	char text[1000];

	memset(text, 'y', sizeof(text));
	text[999] = '\0';
	console_init(&capture_device, NULL);
	CHECK_EQ(own_printf("<%s>", text), 1001);
	CHECK_EQ(shown_len, 1001);
	CHECK(shown[0] == '<' && shown[1] == 'y' && shown[1000] == '>');
}

static void show_entry(void *context, const struct log_entry *line)
{
	own_printf("%lu %s: %s\n", line->ns, log_level_name(line->level),
		   line->text);
}

TEST(log_shows_time_and_level)
{
	console_init(&capture_device, NULL);
	clock_ns = 12345678;
	log_info("cpu %d", 1);
	log_debug("not on the console");
	clock_ns = 3661000000000 + 1999;
	log_warn("w");
	log_error("e");
	CHECK_STR(shown, "[    0.012345] cpu 1\n"
			 "[ 3661.000001] warning: w\n"
			 "[ 3661.000001] error: e\n");
}

TEST(log_level_is_the_consoles_only)
{
	enum log_level level;

	console_init(&capture_device, NULL);
	CHECK(!log_parse_level("loud", &level));
	CHECK(log_parse_level("error", &level));
	log_set_level(level);
	log_warn("kept");
	CHECK_EQ(shown_len, 0);
	log_read(10, show_entry, NULL);
	CHECK_STR(shown, "0 warn: kept\n");
}

TEST(log_ring_keeps_the_newest)
{
	char want[64];

	console_init(&capture_device, NULL);
	log_set_level(LOG_ERROR);
	for (unsigned i = 0; i < 2000; i++)
		log_info("line %u", i);
	log_read(2, show_entry, NULL);
	CHECK_STR(shown, "0 info: line 1998\n0 info: line 1999\n");
	shown_len = 0;
	log_read(100000, show_entry, NULL);
	snprintf(want, sizeof(want), "0 info: line %u\n", 2000 - 512);
	CHECK_MEM(shown, want, strlen(want));
}

TEST(log_takes_lines_of_any_length)
{
	char text[600];

	memset(text, 'z', sizeof(text));
	text[599] = '\0';
	console_init(&capture_device, NULL);
	log_info("%s", text);
	CHECK(shown_len > 200 && shown[shown_len - 1] == '\n');
	log_read(1, show_entry, NULL);
}

/* --- errors, ratios, bits, locks ------------------------------------------ */

TEST(every_error_has_a_text)
{
	CHECK_STR(err_text(E_OK), "success");
	CHECK_STR(err_text(E_TIMEOUT), "timed out");
	CHECK_STR(err_text((err_t)-99), "unknown error");
}

TEST(ratio_is_exact_to_one)
{
	for (unsigned i = 0; i < 200000; i++) {
		u64 from = random_sized() | 1, to = random_sized();
		u64 x = random_sized();
		unsigned __int128 want = (unsigned __int128)x * to / from;
		u64 got = ratio_apply(ratio_make(from, to), x);

		if (want >> 64 != 0)
			CHECK_EQ(got, UINT64_MAX);
		else
			CHECK(got <= want && want - got <= 1);
	}
}

TEST(ratio_carries_time_for_centuries)
{
	struct ratio to_ns = ratio_make(2599999123, 1000000000);
	u64 century = 2599999123ULL * 86400 * 36525;

	CHECK(ratio_apply(to_ns, century) - 3155759999999999999ULL <= 1);
	CHECK_EQ(ratio_apply(ratio_make(1, 3), UINT64_MAX), UINT64_MAX);
}

TEST(bitmap_finds_and_counts)
{
	u64 map[BITMAP_WORDS(200)];

	for (unsigned round = 0; round < 500; round++) {
		size_t bits = 1 + random_u64() % 200, from, next;
		size_t count = 0;

		for (unsigned i = 0; i < ARRAY_LEN(map); i++)
			map[i] = random_u64() & random_u64() & random_u64();
		for (size_t i = 0; i < bits; i++)
			count += bitmap_test(map, i);
		CHECK_EQ(bitmap_count(map, bits), count);
		from = random_u64() % (bits + 2);
		for (next = from; next < bits && !bitmap_test(map, next);)
			next++;
		CHECK_EQ(bitmap_next(map, bits, from),
			 MAX(from, next) > bits ? bits : next);
	}
}

TEST(bitmap_atomics_tell_what_was)
{
	u64 map[2] = {0};

	CHECK(!bitmap_set_atomic(map, 70));
	CHECK(bitmap_set_atomic(map, 70));
	CHECK(bitmap_clear_atomic(map, 70));
	CHECK(!bitmap_clear_atomic(map, 70));
	bitmap_set(map, 63);
	CHECK_EQ(map[0], 1ULL << 63);
	bitmap_clear(map, 63);
	CHECK_EQ(map[0] | map[1], 0);
}

TEST(spinlock_is_held_by_one)
{
	struct spinlock lock = SPINLOCK_INIT;

	CHECK(spin_trylock(&lock));
	CHECK(!spin_trylock(&lock));
	spin_unlock(&lock);
	spin_lock(&lock);
	CHECK(!spin_trylock(&lock));
	spin_unlock(&lock);
	CHECK(spin_trylock(&lock));
}

/* --- symbols: this very program is the ELF file --------------------------- */

extern const char __executable_start[];

static u8 *read_self(size_t *size)
{
	FILE *f = fopen("/proc/self/exe", "rb");
	u8 *data;

	CHECK(f != NULL);
	fseek(f, 0, SEEK_END);
	*size = (size_t)ftell(f);
	rewind(f);
	data = malloc(*size);
	CHECK_EQ(fread(data, 1, *size, f), *size);
	fclose(f);
	return data;
}

TEST(symbols_name_functions)
{
	size_t size;
	u8 *self = read_self(&size);
	u64 base = (u64)__executable_start, offset = 0;
	char text[SYMBOL_TEXT_MAX];

	CHECK_EQ(symbols_init(self, size), E_OK);
	CHECK_STR(symbol_at((u64)symbols_init - base, &offset), "symbols_init");
	CHECK_EQ(offset, 0);
	CHECK_STR(symbol_text(text, sizeof(text), (u64)parse_number - base + 3),
		  "parse_number+0x3");
	CHECK(symbol_at(UINT64_MAX, &offset) == NULL);
	CHECK_STR(symbol_text(text, sizeof(text), 1ULL << 60),
		  "0x1000000000000000");
	free(self);
}

TEST(symbols_refuse_what_is_not_elf)
{
	char text[SYMBOL_TEXT_MAX];

	CHECK_EQ(symbols_init("\177ELF", 4), E_FORMAT);
	CHECK_EQ(symbols_init(text, 0), E_FORMAT);
	CHECK_STR(symbol_text(text, sizeof(text), 0x1234), "0x1234");
}

/* Any damage to the header or a section header: refused or harmless. */
TEST(symbols_survive_damage)
{
	size_t size;
	u8 *self = read_self(&size);
	u64 shoff, offset;

	memcpy(&shoff, self + 40, sizeof(shoff));
	for (unsigned i = 0; i < 20000; i++) {
		size_t at = i % 2 ? random_u64() % 64
				  : shoff + random_u64() % (size - shoff);
		u8 old = self[at];

		self[at] = (u8)random_u64();
		if (symbols_init(self, size) == E_OK)
			symbol_at(random_sized(), &offset);
		self[at] = old;
	}
	for (unsigned i = 0; i < 200; i++) {
		size_t cut = random_u64() % size;
		u8 *part = malloc(cut + 1);

		memcpy(part, self, cut);
		symbols_init(part, cut);
		symbols_init("", 0);
		free(part);
	}
	free(self);
}
