/*
 * The line for programs, over a made-up UART: garbage ends with its line,
 * answers are never lost, events are lost only with a count.
 *
 * links: kernel/shell/control.c kernel/shell/request.c kernel/shell/answer.c
 * links: kernel/lib/notice.c kernel/lib/json.c kernel/lib/error.c
 * links: kernel/lib/string.c
 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/pic.h"
#include "cpu/time.h"
#include "drivers/serial.h"
#include "lib/notice.h"
#include "shell/command.h"
#include "shell/control.h"

static const char *input; /* what the program sends */
static size_t input_left;
static char output[1 << 20];
static size_t used; /* of it; the line has not sent any while it stands */
static bool stands;
static size_t queue_size;
static unsigned ran;

/* --- what the kernel has and this test makes up --- */

bool serial_open(struct serial *line, u16 port, char *queue, size_t size)
{
	line->port = port;
	queue_size = size;
	return true;
}

int serial_irq(const struct serial *line)
{
	return 3;
}

int serial_read(struct serial *line)
{
	return input_left ? input_left--, (u8)*input++ : -1;
}

size_t serial_room(const struct serial *line)
{
	return stands ? queue_size - used : queue_size;
}

void serial_write(struct serial *line, const char *bytes, size_t n)
{
	CHECK(n <= serial_room(line)); /* else it would wait */
	memcpy(output + used, bytes, n);
	used += n;
}

void serial_poll(struct serial *line)
{
}

void serial_drain(struct serial *line)
{
}

void pic_unmask(unsigned line)
{
}

u64 now_ns(void)
{
	return 5;
}

/* `big` does not fit, `wait` waits, `bad` fails; the rest counts. */
void command_run(struct answer *a, char *line)
{
	ran++;
	a->waiting = !strcmp(line, "wait");
	if (!strcmp(line, "bad"))
		answer_error(a, E_STATE, "so it is");
	else
		answer_number(a, "ran", ran);
	for (unsigned i = 0; !strcmp(line, "big") && i < 10000; i++)
		answer_text(a, "key", "value");
}

static bool wait_is_over;

u64 command_wake(const struct answer *a)
{
	return a->waiting ? a->wait_end : ~0ULL;
}

bool command_waiting(struct answer *a)
{
	if (a->waiting && wait_is_over)
		a->waiting = false;
	return a->waiting;
}

/* --- */

static void start(void)
{
	CHECK(control_init(0x2f8, "alpha"));
	CHECK_STR(output, "{\"event\":\"ready\",\"time_ns\":5,"
			  "\"host\":\"alpha\",\"version\":1}\n");
	used = 0;
}

static void send(const char *text, size_t n)
{
	input = text;
	input_left = n;
	control_poll();
}

/* What came since the last time. */
static void check_output(const char *wanted)
{
	output[used] = '\0';
	used = 0;
	CHECK_STR(output, wanted);
}

static void request(const char *text)
{
	send(text, strlen(text));
}

#define GOOD "{\"id\":1,\"command\":\"x\"}\n"

TEST(control_answers)
{
	start();
	request(GOOD "{\"command\":\"bad\"}\r\n\n{\"id\":\"b\",");
	check_output("{\"id\":1,\"answer\":{\"ran\":1}}\n"
		     "{\"id\":null,\"answer\":{},\"error\":"
		     "{\"code\":\"E_STATE\",\"text\":\"so it is\"}}\n");
	request("\"command\":\"x\"}\n");
	check_output("{\"id\":\"b\",\"answer\":{\"ran\":3}}\n");
	request("{\"id\":2,\"command\":\"big\"}\n");
	check_output("{\"id\":2,\"error\":{\"code\":\"E_RANGE\",\"text\":"
		     "\"the answer is too long: ask for less\"}}\n");
}

TEST(control_waits_with_the_rest)
{
	start();
	request("{\"id\":1,\"command\":\"wait\"}\n" GOOD);
	check_output("");
	CHECK(input_left > 0);
	wait_is_over = true;
	control_poll();
	check_output("{\"id\":1,\"answer\":{\"ran\":1}}\n"
		     "{\"id\":1,\"answer\":{\"ran\":2}}\n");
}

TEST(control_forgets_long_lines)
{
	size_t n = 100000;
	char *text = malloc(n);

	start();
	memset(text, '{', n);
	text[n - 1] = '\n';
	send(text, n);
	request(GOOD);
	check_output("{\"id\":null,\"error\":{\"code\":\"E_FORMAT\",\"text\":"
		     "\"request: longer than 1024 bytes\"}}\n"
		     "{\"id\":1,\"answer\":{\"ran\":1}}\n");
	free(text);
}

/* Whatever comes, each line with a byte in it has its answer. */
TEST(control_keeps_in_step)
{
	unsigned seed = 11, lines = 0, answers = 0;

	start();
	for (unsigned round = 0; round < 20000; round++) {
		char text[300];
		size_t n;

		seed = seed * 1103515245 + 12345;
		n = (seed >> 16) % sizeof(text);
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245 + 12345;
			text[i] = seed >> 16;
			if (text[i] == '\n')
				text[i] = '{';
		}
		send(text, n);
		request("\n");
		lines += n > 0;
		for (size_t i = 0; i < used; i++)
			answers += output[i] == '\n';
		used = 0;
	}
	CHECK_EQ(answers, lines);
	request(GOOD);
	output[used] = '\0';
	CHECK(strstr(output, "{\"id\":1,\"answer\""));
}

/* Nobody reads: events are counted, requests wait, the host does not. */
TEST(control_unread)
{
	struct notice n;
	size_t full;

	start();
	stands = true;
	for (unsigned i = 0; i < 10000; i++) {
		notice_begin(&n, "noise");
		notice_end(&n);
	}
	full = used;
	CHECK(full < queue_size);
	for (unsigned i = 0; i < 10000; i++) {
		request(GOOD);
		if (input_left)
			break;
	}
	CHECK(input_left > 0);
	CHECK(used > full);
	stands = false;
	used = 0;
	notice_begin(&n, "more");
	notice_end(&n);
	output[used] = '\0';
	CHECK(strstr(output, "{\"event\":\"lost\",\"time_ns\":5,\"events\":") ==
	      output);
	CHECK(strstr(output, "\n{\"event\":\"more\",\"time_ns\":5}\n"));
	CHECK_EQ(strtoul(strstr(output, "events\":") + 8, NULL, 10) +
			 full / strlen("{\"event\":\"noise\",\"time_ns\":5}\n"),
		 10000);
}
