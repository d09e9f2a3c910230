/* The service's loop: frames go in and out, and time passes. */
#include "cpu/cpu.h"
#include "cpu/msr.h"
#include "cpu/random.h"
#include "cpu/time.h"
#include "lib/log.h"
#include "lib/string.h"
#include "migration/channel.h"
#include "migration/parts.h"
#include "migration/trace.h"
#include "vm/sched.h"
#include "vm/vm.h"

#define BURST	    32	     /* frames, then what came in is looked at */
#define GIVE_UP	    30000000 /* microseconds without the other host, */
#define ORPHAN	    40000000 /* or without the source */
#define TURN_MIN_NS (2 * NS_PER_MS)
#define SHARE_NS    (1 * NS_PER_MS) /* where guests wait for this CPU */

static struct migration_config config;
static char name[WIRE_NAME];
static u8 key[CRYPTO_KEY];
static bool listening;

u64 migration_now(void)
{
	return now_ns() / NS_PER_US;
}

void migration_random(void *context, u8 *to, size_t size)
{
	for (size_t i = 0; i < size; i += sizeof(u64)) {
		u64 value = random64();

		memcpy(to + i, &value, MIN(size - i, sizeof(value)));
	}
}

void migration_link(struct link_config *link, unsigned security,
		    unsigned codecs)
{
	*link = (struct link_config){
		.security = (u8)security,
		.frame_size = channel_frame_max(),
		.features = codecs,
		.timers = link_timers_default,
	};
	link->timers.give_up = GIVE_UP;
	link->timers.orphan = ORPHAN;
	memcpy(link->name, name, sizeof(name));
	memcpy(link->mac, channel_nic()->mac, sizeof(link->mac));
	memcpy(link->psk, key, sizeof(key));
}

bool migration_is_here(const char *host)
{
	return !strcmp(host, name);
}

bool migration_to_itself(const char *host)
{
	return config.both_ends && migration_is_here(host);
}

/* Nobody else is on a cable that leads back, so any address is free. */
void migration_other_end(u8 mac[6])
{
	mac[5] ^= 0x80;
}

bool migration_may_speak(unsigned security)
{
	return config.key[0] || security == WIRE_CLEAR;
}

bool migration_shows_keys(void)
{
	return config.show_keys;
}

const struct migration_options *migration_defaults(void)
{
	return &config.options;
}

void migration_take_cpu(void)
{
	static u64 canary[8];

	sched_unload();
	wrmsr(MSR_FS_BASE, (u64)canary);
}

/*
 * The buffer is the driver's and ours until we return, so frames are deciphered
 * in place; one that may be either end's is for both.
 */
static void receive(const void *buffer, u32 size)
{
	u64 now = migration_now();
	u8 *frame = (u8 *)buffer, copy[WIRE_FRAME_MIN];
	bool leaves = size <= sizeof(copy) && outgoing_is_for(frame, size);

	migration_take_cpu();
	trace_frame_received(frame, size);
	incoming_make_room(frame, size);
	if (leaves)
		memcpy(copy, frame, MIN(size, sizeof(copy)));
	for (unsigned i = 0; i < ARRAY_LEN(incoming); i++)
		if (incoming[i] && incoming_is_for(incoming[i], frame, size))
			target_input(incoming[i]->target, now, frame, size);
	if (leaves)
		source_input(outgoing.source, now, copy, size);
}

void migration_init(const struct migration_config *from, const char *host)
{
	bool secret, wanted;
	err_t err;

	config = *from;
	secret = migration_may_speak(from->options.security);
	wanted = from->listen == LISTEN_YES ||
		 (from->listen == LISTEN_AUTO && secret);
	copy_string(name, sizeof(name), host);
	migration_take_cpu();
	crypto_secret(key, config.key, strlen(config.key));
	err = channel_open(config.buffers, receive);
	if (err) {
		if (wanted && from->key[0])
			log_warn("migration: no NIC: %s", err_text(err));
		return;
	}
	if (wanted && !secret)
		log_warn("migration: listen = yes, but there is no key: "
			 "anybody's VM is refused");
	vm_on_release = migration_forget;
	listening = wanted && secret;
	if (listening && incoming_listen())
		log_warn("migration: no memory to take VMs");
	if (listening)
		log_info("migration: by %s, frames up to %u, %s",
			 channel_nic()->name, channel_frame_max(),
			 migration_securities[config.options.security]);
}

/* A frame of each in turn. False: they have nothing more to say now. */
static bool send_one(u64 now, u8 *buffer)
{
	size_t size = 0;

	for (unsigned i = 0; !size && i < ARRAY_LEN(incoming); i++)
		if (incoming[i])
			size = target_output(incoming[i]->target, now, buffer);
	if (!size && outgoing.source)
		size = source_output(outgoing.source, now, buffer);
	channel_send(buffer, (u32)size);
	return size;
}

static bool send_burst(void)
{
	u64 start = now_ns();

	for (unsigned i = 0; i < BURST && now_ns() - start < SHARE_NS; i++) {
		u8 *buffer = channel_buffer();

		if (!buffer && outgoing.source)
			codec_waits(&outgoing.source->sender.codec,
				    migration_now());
		if (!buffer || !send_one(migration_now(), buffer)) {
			channel_flush();
			return false;
		}
	}
	channel_flush();
	return true;
}

static bool work(void)
{
	bool more = send_burst();

	trace_frames_received();
	outgoing_look();
	incoming_look();
	return more;
}

/*
 * As long as frames fly, guests on this CPU have turns that are short, and
 * twice as long as what was taken from them: a switch costs them more than its
 * time.
 */
static void share_cpu(u64 spent)
{
	bool busy = outgoing_busy() || incoming_busy();

	sched_set_turn(busy ? MAX(2 * spent, TURN_MIN_NS) : 0);
}

bool migration_busy(void)
{
	return outgoing_untold() || incoming_busy();
}

bool migration_poll(void)
{
	u64 start = now_ns();
	bool more;

	if (!channel_nic() || (!outgoing.source && !incoming[0]))
		return false;
	migration_take_cpu();
	do
		more = work() | (netdev_poll_all() != 0);
	while (more && cpu_count() == 1 && now_ns() - start < SHARE_NS);
	share_cpu(now_ns() - start);
	return more;
}

u64 migration_wake(void)
{
	u64 now = migration_now(), wake = ~0ULL;

	if (!channel_nic())
		return wake;
	if (outgoing.source)
		wake = source_wake(outgoing.source, now);
	for (unsigned i = 0; i < ARRAY_LEN(incoming); i++)
		if (incoming[i])
			wake = MIN(wake, target_wake(incoming[i]->target, now));
	if (wake == ~0ULL)
		return wake;
	return rdtsc() + ns_to_tsc((wake - MIN(now, wake)) * NS_PER_US);
}
