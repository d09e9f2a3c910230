#include "shell/control.h"

#include "cpu/pic.h"
#include "drivers/serial.h"
#include "lib/notice.h"
#include "lib/string.h"
#include "shell/request.h"

#define VERSION	   1	 /* of what is spoken here */
#define ANSWER_MAX 65536 /* the largest answer: of `log` */
#define QUEUE_SIZE (4 * ANSWER_MAX)

static struct serial line;
static char queue[QUEUE_SIZE];
static u64 lost; /* events, since the last one that went out */

/* The line that is coming in. */
static char input[REQUEST_MAX];
static size_t input_used;
static bool input_too_long;

/* The request that is being answered. */
static struct request request;
static struct answer answer;
static struct json json;
static char text[ANSWER_MAX];

/* --- the device behind lib/notice */

/* Says that there were more, before the first that there is room for again. */
static void tell_lost(void)
{
	struct notice n;

	notice_begin(&n, "lost");
	json_number(&n.json, "events", lost);
	serial_write(&line, n.text, json_finish(&n.json));
	lost = 0;
}

/* Events leave room for one answer, so that answers need not wait. */
static void send(const char *bytes, size_t n, bool may_drop)
{
	if (may_drop && serial_room(&line) < n + ANSWER_MAX + NOTICE_MAX) {
		lost++;
		return;
	}
	if (lost && may_drop)
		tell_lost();
	serial_write(&line, bytes, n);
}

static void poll(void)
{
	serial_poll(&line);
}

static void drain(void)
{
	serial_drain(&line);
}

static const struct notice_device device = {send, poll, drain};

bool control_init(u16 port, const char *host_name)
{
	struct notice n;

	if (!serial_open(&line, port, queue, sizeof(queue)))
		return false;
	if (serial_irq(&line) >= 0)
		pic_unmask(serial_irq(&line));
	notice_init(&device);
	notice_begin(&n, "ready");
	json_text(&n.json, "host", host_name);
	json_number(&n.json, "version", VERSION);
	notice_end(&n);
	return true;
}

/* --- answers */

static void begin_answer(void)
{
	json_begin(&json, text, sizeof(text));
	json_raw(&json, "id", request.id);
	json_object(&json, "answer");
	answer_begin(&answer, &json);
}

static void add_error(err_t err, const char *why)
{
	json_object(&json, "error");
	json_text(&json, "code", err_name(err));
	json_text(&json, "text", why);
	json_end(&json);
}

static void send_error(err_t err, const char *why)
{
	json_begin(&json, text, sizeof(text));
	json_raw(&json, "id", request.id);
	add_error(err, why);
	notice_answer(text, json_finish(&json));
}

static void send_answer(void)
{
	size_t n;

	while (json.depth > 1)
		json_end(&json);
	if (answer.err)
		add_error(answer.err, answer.error);
	n = json_finish(&json);
	if (n)
		notice_answer(text, n);
	else
		send_error(E_RANGE, "the answer is too long: ask for less");
}

static void take_request(void)
{
	char why[160];
	err_t err =
		request_parse(input, input_used, &request, why, sizeof(why));

	if (err) {
		send_error(err, why);
		return;
	}
	begin_answer();
	command_run(&answer, request.command);
	if (!command_waiting(&answer))
		send_answer();
}

/* --- lines */

/* A line that is too long is thrown away up to its end, and then refused. */
static void end_line(void)
{
	if (input_too_long) {
		copy_string(request.id, sizeof(request.id), "null");
		send_error(E_FORMAT, "request: longer than 1024 bytes");
	} else if (input_used) {
		take_request();
	}
	input_used = 0;
	input_too_long = false;
}

static void take_byte(char c)
{
	if (c == '\n')
		end_line();
	else if (input_used == sizeof(input))
		input_too_long = true;
	else
		input[input_used++] = c;
}

/* One request at a time, and none before the last answer has room. */
void control_poll(void)
{
	int c;

	if (!line.port)
		return;
	notice_poll();
	if (answer.waiting && !command_waiting(&answer))
		send_answer();
	while (!answer.waiting &&
	       serial_room(&line) > ANSWER_MAX + NOTICE_MAX &&
	       (c = serial_read(&line)) >= 0)
		take_byte(c);
}

u64 control_wake(void)
{
	return command_wake(&answer);
}
