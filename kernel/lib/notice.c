#include "lib/notice.h"

#include "cpu/time.h"
#include "lib/spinlock.h"

static const struct notice_device *device;
static struct spinlock lock = SPINLOCK_INIT;
static bool lock_broken;

static void send(const char *line, size_t n, bool may_drop)
{
	bool locked = !lock_broken;

	if (!device)
		return;
	if (locked)
		spin_lock(&lock);
	device->send(line, n, may_drop);
	if (locked)
		spin_unlock(&lock);
}

void notice_begin(struct notice *n, const char *name)
{
	json_begin(&n->json, n->text, sizeof(n->text));
	json_text(&n->json, "event", name);
	json_number(&n->json, "time_ns", now_ns());
}

void notice_end(struct notice *n)
{
	size_t size = json_finish(&n->json);

	if (size)
		send(n->text, size, true);
}

void notice_init(const struct notice_device *dev)
{
	device = dev;
}

void notice_answer(const char *line, size_t n)
{
	send(line, n, false);
}

void notice_poll(void)
{
	if (!device || !spin_trylock(&lock))
		return; /* whoever has the lock is sending */
	device->poll();
	spin_unlock(&lock);
}

void notice_drain(void)
{
	if (device)
		device->drain();
}

void notice_break_lock(void)
{
	lock_broken = true;
}
