/* The VM that leaves: what the source's state machine asks of this host. */
#include "cpu/time.h"
#include "drivers/serial.h"
#include "lib/log.h"
#include "lib/string.h"
#include "migration/channel.h"
#include "migration/parts.h"
#include "migration/trace.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "net/away.h"
#include "vm/move.h"

#define PROGRESS_NS   NS_PER_S
#define PATIENCE_NS   (10 * NS_PER_S) /* until a host answers at all */
#define CLASSIC_PAGES 64 /* that may remain, for the classic policy */
#define HARDEST	      5	 /* percent of its time are left to a guest */

struct outgoing outgoing;

/* --- what the source asks for */

/* Tracking begins with the first question. */
static void harvest(void *context, u64 *bitmap)
{
	struct outgoing *out = context;

	if (out->tracking) {
		dirty_harvest(out->vm, bitmap);
		migration_take_cpu();
		return;
	}
	out->tracking = dirty_on(out->vm, out->way) == E_OK;
	if (!out->tracking)
		out->why = "no memory to track what the guest writes";
	migration_take_cpu();
}

static u64 stop(void *context)
{
	struct outgoing *out = context;

	out->at = (struct handover){.stop = now_ns()};
	serial_hush(out->at.stop + HUSH_NS);
	trace_step(out->vm, TRACE_STOP);
	if (away_hold(out->vm))
		log_warn("%s: no memory to hold its frames",
			 out->vm->config.name);
	out->frozen = vm_freeze(out->vm) == E_OK;
	if (!out->frozen)
		out->why = "the guest has ended";
	out->at.stopped = now_ns();
	trace_step(out->vm, TRACE_STOPPED);
	migration_take_cpu();
	tell_outgoing(out, "stopped");
	return out->at.stop / NS_PER_US;
}

static void resume(void *context)
{
	struct outgoing *out = context;

	serial_hush(0);
	if (out->frozen)
		vm_thaw(out->vm);
	away_back(out->vm);
	trace_step(out->vm, TRACE_RESUMED);
	migration_take_cpu();
	out->frozen = false;
}

static void throttle(void *context, unsigned percent)
{
	struct outgoing *out = context;

	__atomic_store_n(&out->vm->speed, percent < 100 ? percent : 0,
			 __ATOMIC_RELAXED);
}

static size_t save(void *context, u8 *to, size_t room)
{
	struct outgoing *out = context;
	size_t size = out->frozen ? vm_save(out->vm, to, room) : 0;

	out->at.saved = now_ns();
	trace_step(out->vm, TRACE_SAVED);
	return size;
}

/* A frame for the guest that has gone, in one or more of the link's. */
static bool pass(void *context, const void *frame, u32 size)
{
	struct outgoing *out = context;
	struct link *link = &out->source->link;

	migration_take_cpu();
	while (link->up && size <= FORWARD_FRAME_MAX && out->passed < size) {
		u8 *buffer = channel_buffer();

		if (!buffer)
			return false;
		channel_send(buffer,
			     (u32)forward_output(link, migration_now(), frame,
						 size, &out->passed, buffer));
	}
	out->passed = 0;
	return true;
}

static void release(void *context)
{
	struct outgoing *out = context;

	out->at.done = now_ns();
	serial_hush(0);
	trace_step(out->vm, TRACE_RELEASED);
	out->tracking = out->frozen = false;
	dirty_off(out->vm);
	dirty_get_stats(out->vm, &out->dirty);
	out->source->forwards = true;
	vm_leave(out->vm, out->config.target);
	away_gone(out->vm, pass, out);
	migration_take_cpu();
}

static const u8 *page(void *context, u64 index)
{
	const struct outgoing *out = context;

	return guest_page(&out->vm->memory, index);
}

static const struct source_ops ops = {
	.harvest = harvest,
	.stop = stop,
	.resume = resume,
	.throttle = throttle,
	.save = save,
	.release = release,
	.page = page,
	.random = migration_random,
};

/* --- the beginning */

static void fill_config(struct outgoing *out, const char *host,
			const struct migration_options *options)
{
	struct source_config *config = &out->config;
	const struct vm *vm = out->vm;

	*config = (struct source_config){
		.pages = vm->memory.size / PAGE_SIZE,
		.zero_page = guest_zero_page,
		.state_room = (u32)vm_save_room(vm),
		.cache_lines = (u32)(options->cache / PAGE_SIZE),
		.rate = options->limit,
		.dry_run = options->dry_run,
		.policy = policy_find(migration_policies[options->policy]),
		.params = {.rounds = options->rounds,
			   .threshold = CLASSIC_PAGES,
			   .downtime = options->downtime * (u64)1000,
			   .hardest = HARDEST},
		.requirement = out->needs,
		.requirements = needs_of(vm, out->needs, NEEDS_MAX),
	};
	migration_link(&config->link, options->security, options->codecs);
	if (migration_to_itself(host))
		migration_other_end(config->link.mac);
	copy_string(config->target, sizeof(config->target), host);
	copy_string(config->vm, sizeof(config->vm), vm->config.name);
	memset(config->target_mac, 0xff, sizeof(config->target_mac));
}

static void free_all(struct outgoing *out)
{
	if (out->vm && away_passes(out->vm))
		away_forget(out->vm);
	kfree(out->memory);
	kfree(out->needs);
	kfree(out->source);
	memset(out, 0, sizeof(*out));
}

err_t outgoing_start(struct vm *vm, const char *host,
		     const struct migration_options *options)
{
	struct outgoing *out = &outgoing;

	free_all(out);
	out->vm = vm;
	out->way = options->dirty ? options->dirty : dirty_best();
	out->source = kzalloc(sizeof(*out->source));
	out->needs = kzalloc(NEEDS_MAX * sizeof(*out->needs));
	if (out->needs)
		fill_config(out, host, options);
	if (out->needs && out->source)
		out->memory = kmalloc(source_memory(&out->config));
	if (!out->memory) {
		free_all(out);
		return E_NOMEM;
	}
	source_init(out->source, &out->config, &ops, out, out->memory);
	source_begin(out->source, migration_now());
	out->began = out->told_at = now_ns();
	trace_step(vm, TRACE_STARTED);
	tell_outgoing(out, "started");
	return E_OK;
}

bool outgoing_busy(void)
{
	return outgoing.source && !source_ended(outgoing.source);
}

bool outgoing_untold(void)
{
	return outgoing.source && !outgoing.told;
}

/* What a target says, to us as the source. */
bool outgoing_is_for(const u8 *frame, u32 size)
{
	const struct source *source = outgoing.source;
	struct wire_header header;
	u8 type;

	if (!source || size < WIRE_BODY + 1)
		return false;
	type = frame[WIRE_BODY];
	if (link_is_hello(frame, size))
		return type == HELLO_HERE || type == HELLO_ACCEPT ||
		       type == HELLO_DENY;
	return source->link.up &&
	       wire_header_parse(frame, size, &header, source->link.tag_size) &&
	       header.session == source->link.session &&
	       !memcmp(frame + 6, source->link.peer, 6);
}

/* --- looking after it */

static void note_times(struct outgoing *out)
{
	struct handover *at = &out->at;
	u64 now = now_ns();

	switch (source_state(out->source)) {
	case SOURCE_STOPPED:
		if (!at->pages && sender_resolved_all(&out->source->sender))
			at->pages = now;
		break;
	case SOURCE_PREPARING:
		at->pages = at->pages ? at->pages : now;
		if (!at->prepare)
			trace_step(out->vm, TRACE_PREPARE);
		at->prepare = at->prepare ? at->prepare : now;
		break;
	case SOURCE_IN_DOUBT:
		if (!at->commit)
			trace_step(out->vm, TRACE_COMMIT);
		at->commit = at->commit ? at->commit : now;
		break;
	default:
		break;
	}
}

static void tell_end(struct outgoing *out)
{
	const struct source *source = out->source;

	out->told = true;
	if (out->tracking) {
		dirty_off(out->vm);
		dirty_get_stats(out->vm, &out->dirty);
	}
	out->tracking = false;
	if (source->state != SOURCE_DONE)
		trace_step(out->vm, TRACE_FAILED);
	if (source->state == SOURCE_DONE)
		tell_done(out);
	else if (source->code == MIG_DRY)
		tell_dry(out);
	else
		tell_failed(out);
}

static void tell_session(struct outgoing *out)
{
	if (out->source->report.sessions == out->told_sessions)
		return;
	out->told_sessions = out->source->report.sessions;
	if (migration_shows_keys())
		tell_keys(out);
}

static void tell_how_it_goes(struct outgoing *out)
{
	const struct source *source = out->source;
	enum source_state state = source_state(source);
	u64 now = now_ns();

	if (state == SOURCE_IN_DOUBT && out->seen != SOURCE_IN_DOUBT)
		out->told_at = now; /* it is so for a moment in every one */
	if (source->report.rounds > out->told_rounds) {
		tell_round(out);
		out->told_rounds = source->report.rounds;
		out->told_at = now;
	} else if (now - out->told_at >= PROGRESS_NS &&
		   (state == SOURCE_COPYING || state == SOURCE_IN_DOUBT ||
		    state == SOURCE_SEEKING)) {
		tell_progress(out);
		out->told_at = now;
	}
	out->told_bytes = source->sender.counts.bytes;
	out->seen = state;
}

/* The guest may end while it is being copied; there is nothing to move then. */
static void check_guest(struct outgoing *out)
{
	u32 life = __atomic_load_n(&out->vm->life, __ATOMIC_ACQUIRE);

	if (!out->frozen && life != VM_RUNNING)
		out->why = life == VM_PAUSED ? "the guest was paused"
					     : "the guest has ended";
	if (!out->source->had_session && now_ns() - out->began >= PATIENCE_NS)
		out->why = "no host of that name answers, or it has another "
			   "key or security";
	if (out->why)
		source_cancel(out->source, migration_now());
}

void outgoing_look(void)
{
	struct outgoing *out = &outgoing;

	if (!out->source)
		return;
	if (out->told) {
		out->source->forwards &= away_passes(out->vm);
		return;
	}
	if (!source_ended(out->source))
		check_guest(out);
	note_times(out);
	tell_session(out);
	trace_rounds(out);
	if (source_ended(out->source))
		tell_end(out);
	else
		tell_how_it_goes(out);
}

void migration_forget(struct vm *vm)
{
	struct outgoing *out = &outgoing;

	if (!outgoing_busy() || out->vm != vm)
		return;
	out->why = "the guest has ended";
	source_cancel(out->source, migration_now());
	out->tracking = false;
}
