#include "lib/console.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define ERASE_LINE "\r\x1b[K"

static const struct console_device *device;
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

void console_init(const struct console_device *dev)
{
	device = dev;
}

void console_write(const char *text, size_t len)
{
	bool locked;

	if (device == NULL)
		return;
	locked = console_lock();
	if (prompt)
		device->write(ERASE_LINE, strlen(ERASE_LINE));
	device->write(text, len);
	if (prompt)
		device->write(prompt, strlen(prompt));
	console_unlock(locked);
}

void console_set_prompt(const char *text)
{
	bool locked;

	if (device == NULL)
		return;
	locked = console_lock();
	if (prompt)
		device->write(ERASE_LINE, strlen(ERASE_LINE));
	prompt = text;
	if (prompt)
		device->write(prompt, strlen(prompt));
	console_unlock(locked);
}

void console_poll(void)
{
	if (device == NULL || !spin_trylock(&lock))
		return; /* whoever has the lock is sending */
	device->poll();
	spin_unlock(&lock);
}

void console_drain(void)
{
	bool locked;

	if (device == NULL)
		return;
	locked = console_lock();
	device->drain();
	console_unlock(locked);
}

void console_break_lock(void)
{
	lock_broken = true;
}
