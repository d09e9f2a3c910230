#include "lib/console.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define ERASE_LINE "\r\x1b[K"
#define RESERVE	   4096 /* of the device's room, for the host itself */

static const struct console_device *device;
static void *line;
static struct spinlock lock = SPINLOCK_INIT;
static bool lock_broken;
static const char *prompt;

static bool console_lock(void)
{
	if (lock_broken)
		return false;
	spin_lock(&lock);
	return true;
}

static void console_unlock(bool locked)
{
	if (locked)
		spin_unlock(&lock);
}

void console_init(const struct console_device *dev, void *its_line)
{
	line = its_line;
	device = dev;
}

void console_write(const char *text, size_t len)
{
	bool locked;

	if (device == NULL)
		return;
	locked = console_lock();
	if (prompt)
		device->write(line, ERASE_LINE, strlen(ERASE_LINE));
	device->write(line, text, len);
	if (prompt)
		device->write(line, prompt, strlen(prompt));
	console_unlock(locked);
}

void console_write_raw(const char *bytes, size_t n)
{
	bool locked;

	if (device == NULL)
		return;
	locked = console_lock();
	device->write_raw(line, bytes, n);
	console_unlock(locked);
}

size_t console_room(void)
{
	size_t room = device ? device->room(line) : SIZE_MAX;

	return room > RESERVE ? room - RESERVE : 0;
}

void console_set_prompt(const char *text)
{
	bool locked;

	if (device == NULL)
		return;
	locked = console_lock();
	if (prompt)
		device->write(line, ERASE_LINE, strlen(ERASE_LINE));
	prompt = text;
	if (prompt)
		device->write(line, prompt, strlen(prompt));
	console_unlock(locked);
}

void console_poll(void)
{
	if (device == NULL || !spin_trylock(&lock))
		return; /* whoever has the lock is sending */
	device->poll(line);
	spin_unlock(&lock);
}

void console_drain(void)
{
	bool locked;

	if (device == NULL)
		return;
	locked = console_lock();
	device->drain(line);
	console_unlock(locked);
}

void console_break_lock(void)
{
	lock_broken = true;
}
