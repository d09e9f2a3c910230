/*
 * JSON out and in: the writer, what commands answer in both forms, requests
 * from programs that may send anything.
 *
 * links: kernel/lib/json.c kernel/shell/answer.c kernel/shell/request.c
 * links: kernel/lib/error.c kernel/lib/string.c
 */
#include "tests/unit/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/printf.h"
#include "shell/answer.h"
#include "shell/request.h"

/* --- the writer --- */

static char text[2000];
static struct json json;

static void check_json(const char *wanted)
{
	size_t n = json_finish(&json);

	CHECK_EQ(n, strlen(wanted));
	CHECK_MEM(text, wanted, n);
}

TEST(json_of_all_kinds)
{
	json_begin(&json, text, sizeof(text));
	json_text(&json, "text", "a");
	json_number(&json, "number", ~0UL);
	json_signed(&json, "signed", -5);
	json_flag(&json, "flag", true);
	json_null(&json, "null");
	json_array(&json, "array");
	json_object(&json, NULL);
	json_end(&json);
	json_object(&json, NULL);
	json_number(&json, "x", 1);
	json_end(&json);
	json_end(&json);
	json_raw(&json, "raw", "[1]");
	check_json("{\"text\":\"a\",\"number\":18446744073709551615,"
		   "\"signed\":-5,\"flag\":true,\"null\":null,"
		   "\"array\":[{},{\"x\":1}],\"raw\":[1]}\n");
}

TEST(json_escapes_what_is_not_plain)
{
	json_begin(&json, text, sizeof(text));
	json_text(&json, "k\"", "\"\\\n\r\x01\x7f\xff/");
	check_json("{\"k\\\"\":\"\\\"\\\\\\n\\u000d\\u0001\\u007f\\u00ff/\"}"
		   "\n");
}

TEST(json_that_does_not_fit_is_none)
{
	for (size_t size = 0; size < 40; size++) {
		json_begin(&json, text, size);
		json_text(&json, "key", "a text of some length");
		CHECK_EQ(json_finish(&json), size < 32 ? 0 : 32);
	}
}

TEST(json_ends_what_is_open)
{
	json_begin(&json, text, sizeof(text));
	json_array(&json, "a");
	json_object(&json, NULL);
	json_array(&json, "b");
	check_json("{\"a\":[{\"b\":[]}]}\n");
}

/* --- answers --- */

/* What is printed from here to printed(), in place of the console. */
static char *people;
static size_t people_size;
static FILE *real_stdout;

static void begin_print(void)
{
	real_stdout = stdout;
	stdout = open_memstream(&people, &people_size);
}

static const char *printed(void)
{
	fclose(stdout);
	stdout = real_stdout;
	return people;
}

static void say_everything(struct answer *a)
{
	answer_line(a, "host {}, up {}");
	answer_text(a, "host", "alpha");
	answer_time(a, "up_ns", 1002003004);
	answer_number(a, "loose_number", 7);
	answer_list(a, "vms", "{-6} {6} {4}  {:status }{}");
	for (unsigned i = 0; i < 2; i++) {
		answer_row(a);
		answer_text(a, "name", i ? "b" : "a");
		answer_bytes(a, "memory", i ? 3 << 20 : 1000);
		if (i)
			answer_number(a, "cpu", i);
		else
			answer_none(a, "cpu");
		if (i)
			answer_number(a, "status", 0);
		else
			answer_none(a, "status");
		answer_text(a, "reason", i ? NULL : "it fell");
	}
	answer_end(a);
	answer_say(a, "for %s only\n", "people");
	answer_flag(a, "done", true);
}

TEST(answer_for_people)
{
	struct answer a;

	begin_print();
	answer_begin(&a, NULL);
	say_everything(&a);
	CHECK_STR(printed(), "host alpha, up 1.002003 s\n"
			     "loose number      7\n"
			     "NAME   MEMORY  CPU\n"
			     "a        1000    -  it fell\n"
			     "b          3M    1  status 0\n"
			     "for people only\n"
			     "done              yes\n");
}

TEST(answer_for_programs)
{
	struct answer a;

	json_begin(&json, text, sizeof(text));
	answer_begin(&a, &json);
	say_everything(&a);
	check_json("{\"host\":\"alpha\",\"up_ns\":1002003004,"
		   "\"loose_number\":7,\"vms\":["
		   "{\"name\":\"a\",\"memory\":1000,\"cpu\":null,"
		   "\"status\":null,\"reason\":\"it fell\"},"
		   "{\"name\":\"b\",\"memory\":3145728,\"cpu\":1,"
		   "\"status\":0,\"reason\":null}],\"done\":true}\n");
}

TEST(answer_with_lists_in_rows)
{
	struct answer a;

	begin_print();
	answer_begin(&a, NULL);
	answer_list(&a, "vms", "{}");
	for (unsigned i = 0; i < 2; i++) {
		answer_row(&a);
		answer_text(&a, "name", i ? "b" : "a");
		answer_list(&a, "exits", "  {-4} {5}");
		answer_row(&a);
		answer_text(&a, "why", "io");
		answer_number(&a, "count", i);
		answer_end(&a);
		answer_line(&a, "  sum {}");
		answer_number(&a, "sum", i);
	}
	answer_end(&a);
	CHECK_STR(printed(), "a\n  WHY  COUNT\n  io       0\n  sum 0\n"
			     "b\n  WHY  COUNT\n  io       1\n  sum 1\n");
}

TEST(answer_of_any_length)
{
	char longer[3 * ANSWER_LINE];
	struct answer a;

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	begin_print();
	answer_begin(&a, NULL);
	answer_line(&a, "{-40} {} {}");
	answer_text(&a, "a", longer);
	answer_text(&a, "b", longer);
	answer_text(&a, "c", longer);
	answer_error(&a, E_STATE, "%s", longer);
	CHECK(strlen(printed()) <= ANSWER_LINE + sizeof(a.error));
	CHECK_EQ(a.err, E_STATE);
	CHECK(strlen(a.error) < sizeof(a.error));
}

/* --- requests --- */

static struct request request;
static char why[160];

static err_t parse(const char *line)
{
	return request_parse(line, strlen(line), &request, why, sizeof(why));
}

static void good(const char *line, const char *id, const char *command)
{
	CHECK_EQ(parse(line), E_OK);
	CHECK_STR(request.id, id);
	CHECK_STR(request.command, command);
}

static void bad(const char *line, const char *id, const char *wanted)
{
	CHECK_EQ(parse(line), E_FORMAT);
	CHECK_STR(request.id, id);
	CHECK_STR(why, wanted);
}

TEST(request_as_it_should_be)
{
	good("{\"id\":1,\"command\":\"vm list\"}", "1", "vm list");
	good(" { \"command\" :\t\"x\" , \"id\" : \"a\\u00e9\\\"\" } \r",
	     "\"a\\u00e9\\\"\"", "x");
	good("{\"command\":\"a\\u0041\\/\"}", "null", "aA/");
	good("{\"id\":-0,\"command\":\"x\"}", "-0", "x");
}

TEST(request_with_mistakes)
{
	bad("", "null",
	    "request, column 1: expected an object, {\"command\": ...}");
	bad("{}", "null", "request, column 2: expected a key in quotes");
	bad("{\"id\":7}", "7", "request, column 9: no command");
	bad("{\"id\":7,\"command\":5}", "7",
	    "request, column 19: command: expected a string");
	bad("{\"id\":7,\"x\":5}", "7",
	    "request, column 13: x: no such key (expected id or command)");
	bad("{\"id\":07,\"command\":\"x\"}", "null",
	    "request, column 9: id: a number does not begin with 0");
	bad("{\"id\":1,\"id\":2}", "1", "request, column 14: id: given twice");
	bad("{\"command\":\"x\"} x", "null",
	    "request, column 17: something follows the object");
	bad("{\"command\":\"x\"", "null",
	    "request, column 15: expected , or }");
	bad("{\"command\":\"\x80\"}", "null",
	    "request, column 13: command: byte 0x80 (expected ASCII)");
	bad("{\"command\":\"\\u00e9\"}", "null",
	    "request, column 19: command: character 0xe9 (expected ASCII)");
	bad("{\"command\":\"\\x\"}", "null",
	    "request, column 14: no such escape in a string");
	bad("{\"command\":\"\\u12\"}", "null",
	    "request, column 17: expected four digits after \\u");
	bad("{\"command\":\"x", "null",
	    "request, column 14: command: the string does not end");
}

TEST(request_lengths)
{
	char line[600];

	snprintf(line, sizeof(line), "{\"command\":\"%0*d\"}", COMMAND_MAX, 0);
	CHECK_EQ(parse(line), E_OK);
	snprintf(line, sizeof(line), "{\"command\":\"%0*d\"}", COMMAND_MAX + 1,
		 0);
	CHECK_EQ(parse(line), E_FORMAT);
	snprintf(line, sizeof(line), "{\"id\":1%0*d,\"command\":\"x\"}",
		 ID_MAX - 1, 0);
	CHECK_EQ(parse(line), E_OK);
	snprintf(line, sizeof(line), "{\"id\":1%0*d,\"command\":\"x\"}", ID_MAX,
		 0);
	CHECK_EQ(parse(line), E_FORMAT);
}

static uint64_t random_seed = 20261128;

static uint64_t next_random(void)
{
	random_seed ^= random_seed >> 12;
	random_seed ^= random_seed << 25;
	random_seed ^= random_seed >> 27;
	return random_seed * 0x2545f4914f6cdd1d;
}

/*
 * Pieces of requests, damaged and shuffled, in a block of their very size: the
 * sanitizers see a byte too far. What passes holds a plain command, and an id
 * that is JSON by itself.
 */
TEST(request_of_any_bytes)
{
	static const char *const pieces[] = {
		"{",
		"}",
		"\"id\"",
		"\"command\"",
		":",
		",",
		"\"vm list\"",
		"7",
		"\\u0041",
		"\\",
		"\"",
		" ",
		"[",
		"null",
		"-",
		"\x80",
		"{\"id\":1,\"command\":\"x\"}",
	};
	unsigned passed = 0;

	for (unsigned round = 0; round < 300000; round++) {
		char line[200], *block;
		size_t n = 0;

		for (unsigned i = next_random() % 12; i > 0; i--) {
			const char *piece =
				pieces[next_random() %
				       (sizeof(pieces) / sizeof(pieces[0]))];

			memcpy(line + n, piece, strlen(piece));
			n += strlen(piece);
			if (next_random() % 20 == 0)
				line[next_random() % n] = next_random();
			if (n > 150)
				break;
		}
		block = memcpy(malloc(n + !n), line, n);
		if (request_parse(block, n, &request, why, sizeof(why)) ==
		    E_OK) {
			passed++;
			for (const char *c = request.command; *c; c++)
				CHECK(*c >= 0x20 && *c < 0x7f);
			CHECK(request.command[0]);
		}
		CHECK(request.id[0] && strlen(request.id) <= ID_MAX);
		CHECK(!memchr(request.id, '\n', strlen(request.id)));
		free(block);
	}
	CHECK(passed > 1000);
}
