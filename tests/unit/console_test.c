/*
 * A VM's console before a host's line that is slow: whatever the two sides do,
 * what arrives is what was written, in order and whole.
 *
 * links: kernel/vm/console.c kernel/lib/console.c
 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/console.h"
#include "vm/machine.h"
#include "vm/vm.h"

#define QUEUE 16384 /* of the host's line */

struct vm *vms[VMS_MAX];
unsigned vm_count;

static struct vm guest;
static unsigned told; /* calls of machine->typed() */
static char *line;    /* what the line has sent and what waits in it */
static size_t queued, sent, size;

static void typed(struct vm *vm)
{
	told++;
}

static const struct machine fake_machine = {.typed = typed};
const struct machine *machine = &fake_machine;

static void write_raw(void *device, const char *bytes, size_t n)
{
	CHECK(queued - sent + n <= QUEUE); /* else the host would wait */
	if (queued + n > size)
		line = realloc(line, size = 2 * (queued + n));
	memcpy(line + queued, bytes, n);
	queued += n;
}

static size_t line_room(void *device)
{
	return QUEUE - (queued - sent);
}

static void nothing(void *device)
{
}

static const struct console_device device = {write_raw, write_raw, line_room,
					     nothing, nothing};

static void start(void)
{
	snprintf(guest.config.name, sizeof(guest.config.name), "vm");
	vms[0] = &guest;
	vm_count = guest.vcpus = 1;
	console_init(&device, NULL);
	vm_console_begin(&guest);
}

/* The line takes some; the first CPU's turn. */
static void send(size_t n)
{
	sent += n < queued - sent ? n : queued - sent;
	vm_console_serve();
}

static void write_text(const char *text)
{
	vm_console_write(&guest, text, strlen(text));
}

static void check_line(const char *wanted)
{
	CHECK_EQ(queued, strlen(wanted));
	CHECK_MEM(line, wanted, queued);
}

TEST(console_by_line)
{
	start();
	write_text("one\r\ntwo");
	check_line("vm| one\n");
	write_text("\x1b[2J\t\xff\n");
	check_line("vm| one\nvm| two.[2J .\n");
	write_text("no end");
	vm_console_end(&guest);
	check_line("vm| one\nvm| two.[2J .\nvm| no end\n");
}

TEST(console_attached_is_raw)
{
	start();
	vm_console_attach(&guest);
	write_text("a\r\n\x1b[2J\xff");
	check_line("a\r\n\x1b[2J\xff");
	vm_console_detach();
	write_text("x\n");
	check_line("a\r\n\x1b[2J\xffvm| x\n");
}

TEST(console_attaching_shows_the_last_screen)
{
	char wanted[1000] = "", row[20];

	start();
	for (unsigned i = 0; i < 100; i++) {
		snprintf(row, sizeof(row), "row %u\r\n", i);
		write_text(row);
		if (i >= 76)
			strcat(wanted, row);
	}
	write_text("login: ");
	strcat(wanted, "login: ");
	sent = queued = 0;
	vm_console_attach(&guest);
	check_line(wanted);
	/* Another start: what was before is not shown again. */
	vm_console_detach();
	vm_console_begin(&guest);
	write_text("new\r\n");
	sent = queued = 0;
	vm_console_attach(&guest);
	check_line("new\r\n");
}

/* A line that stands still: the guest is told to wait, and told when not. */
TEST(console_without_room)
{
	size_t written = 0;

	start();
	vm_console_attach(&guest);
	while (vm_console_room(&guest)) {
		write_text("x");
		written++;
	}
	CHECK(written > VM_CONSOLE_SIZE);
	CHECK(queued < QUEUE); /* some is left for the host itself */
	send(0);
	CHECK_EQ(told, 0);
	send(VM_CONSOLE_SIZE / 4);
	CHECK_EQ(told, 0);
	for (unsigned i = 0; i < 16; i++)
		send(VM_CONSOLE_SIZE / 8);
	CHECK_EQ(told, 1);
	CHECK_EQ(vm_console_room(&guest), VM_CONSOLE_SIZE);
	CHECK_EQ(queued, written);
}

/* Both sides at random, attached or by line; not a byte is lost. */
TEST(console_loses_nothing)
{
	unsigned seed = 7, number = 0, expected = 0;
	bool attached = false;
	char row[40], *at;

	start();
	for (unsigned round = 0; round < 200000; round++) {
		seed = seed * 1103515245 + 12345;
		switch (seed >> 16 & 7) {
		case 0:
			send(seed >> 20 & 0x3f);
			break;
		case 1:
			/* In the middle of a row each would show a half. */
			if (seed >> 24 & 0x3f ||
			    (guest.console.shown &&
			     guest.console.out[(guest.console.shown - 1) %
					       VM_CONSOLE_SIZE] != '\n'))
				break;
			attached = !attached;
			/* A screen again would be twice. */
			guest.console.began = guest.console.shown;
			if (attached && !guest.console.line_used)
				vm_console_attach(&guest);
			else if (vm_console_attached)
				vm_console_detach();
			break;
		default:
			if (vm_console_room(&guest) < sizeof(row))
				break;
			snprintf(row, sizeof(row), "<%u>\n", number++);
			vm_console_write(&guest, row, strlen(row));
		}
	}
	while (queued != sent || guest.console.shown != guest.console.out_count)
		send(1000);
	line[queued] = '\0';
	for (at = line; (at = strchr(at, '<')); at++)
		CHECK_EQ(strtoul(at + 1, NULL, 10), expected++);
	CHECK_EQ(expected, number);
	CHECK(number > 10000);
}

/* --- a line of its own */

static char own[4 * VM_CONSOLE_SIZE];
static size_t own_used, own_room, own_polls;

static void own_write(void *its, const char *bytes, size_t n)
{
	CHECK(its == own);
	CHECK(n <= own_room); /* else the host would wait */
	memcpy(own + own_used, bytes, n);
	own_used += n;
	own_room -= n;
}

static size_t own_space(void *its)
{
	return own_room;
}

static void own_poll(void *its)
{
	own_polls++;
}

static const struct console_device own_device = {NULL, own_write, own_space,
						 own_poll, own_poll};

TEST(console_on_its_own_line)
{
	static const char text[] = "a\r\n\x1b[2J\xff, and no end";
	size_t n = strlen(text);

	start();
	vm_console_own(&guest, &own_device, own);
	own_room = 5;
	write_text(text);
	CHECK_EQ(own_used, 5);
	own_room = 100;
	vm_console_serve();
	CHECK(own_polls > 0);
	vm_console_end(&guest);
	CHECK_EQ(own_used, n);
	CHECK_MEM(own, text, n);
	check_line(""); /* nothing of it at the host's console */
}

/* One whose line stands still leaves the others, and the host, alone. */
TEST(console_on_its_own_line_without_room)
{
	static struct vm other = {.config.name = "other", .vcpus = 1};
	size_t written = 0;

	start();
	vms[vm_count++] = &other;
	vm_console_own(&guest, &own_device, own);
	for (; vm_console_room(&guest); written++)
		vm_console_write(&guest, &"0123456789"[written % 10], 1);
	CHECK_EQ(written, VM_CONSOLE_SIZE);
	vm_console_serve();
	CHECK_EQ(told, 0);
	vm_console_write(&other, "free\n", 5);
	check_line("other| free\n");
	while (own_used < written) {
		own_room = 1000;
		vm_console_serve();
	}
	CHECK_EQ(told, 1);
	for (size_t i = 0; i < written; i++)
		CHECK_EQ(own[i], '0' + i % 10);
}

TEST(console_input_is_bounded)
{
	start();
	for (unsigned i = 0; i < VM_CONSOLE_SIZE; i++)
		CHECK(vm_console_type(&guest, i));
	CHECK(vm_console_full(&guest));
	CHECK(!vm_console_type(&guest, 'x'));
	for (unsigned i = 0; i < VM_CONSOLE_SIZE; i++)
		CHECK_EQ(vm_console_read(&guest), i & 0xff);
	CHECK(!vm_console_full(&guest));
	CHECK_EQ(vm_console_read(&guest), -1);
}
