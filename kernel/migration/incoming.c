/* The VMs that arrive: what the target's state machine asks of this host. */
#include "cpu/time.h"
#include "lib/log.h"
#include "drivers/netdev_driver.h"
#include "drivers/serial.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "migration/channel.h"
#include "migration/parts.h"
#include "migration/trace.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "net/away.h"
#include "vm/move.h"

#define STATE_ROOM KIB(256)
#define STOOD_MAX  (3600 * 1000000ull) /* us: what a source may say */

struct incoming *incoming[1 + INCOMING_KEPT];

/* --- what the target asks for */

/*
 * Of a VM that leaves and arrives at the same time: "walker" arrives as
 * "walker.2", and goes back as "walker". One whose name has no room for that
 * keeps it, and is refused.
 */
static void name_here(char *here, size_t size, const char *name)
{
	static const char mark[] = ".2";
	size_t n = strlen(name), m = sizeof(mark) - 1;

	copy_string(here, size, name);
	if (n > m && !strcmp(name + n - m, mark))
		here[n - m] = '\0';
	else if (n + m < VM_NAME_MAX)
		memcpy(here + n, mark, sizeof(mark));
}

static bool from_itself(const struct incoming *in)
{
	u8 mac[6];

	memcpy(mac, in->config.link.mac, sizeof(mac));
	migration_other_end(mac);
	return outgoing_busy() && migration_to_itself(outgoing.config.target) &&
	       !memcmp(mac, in->target->link.peer, sizeof(mac));
}

static unsigned describe(void *context, const char *vm, u64 pages)
{
	struct incoming *in = context;
	err_t err;

	copy_string(in->vm_name, sizeof(in->vm_name), vm);
	if (from_itself(in))
		name_here(in->vm_name, sizeof(in->vm_name), vm);
	err = vm_arrive(in->vm_name, pages * PAGE_SIZE, &in->vm);
	if (!err && strcmp(in->vm_name, vm))
		vm_came_as(in->vm, vm);
	migration_take_cpu();
	in->began = now_ns();
	snprintf(in->peer, sizeof(in->peer), MAC_FORMAT,
		 MAC_WORDS(in->target->link.peer));
	if (in->target->from[0])
		copy_string(in->peer, sizeof(in->peer), in->target->from);
	if (!err) {
		trace_step(in->vm, TRACE_ARRIVING);
		return MIG_OK;
	}
	return err == E_NOMEM	 ? MIG_MEMORY
	       : err == E_EXISTS ? MIG_EXISTS
				 : MIG_HOST;
}

static u64 have(void *context, const struct requirement *requirement)
{
	return needs_have(requirement);
}

static unsigned load(void *context, const u8 *state, size_t size)
{
	struct incoming *in = context;
	u64 start = in->loaded_at = now_ns();
	err_t err;

	serial_hush(start + HUSH_NS);
	in->hushed = true;
	trace_step(in->vm, TRACE_BUILD);
	err = vm_restore(in->vm, state, size, in->why, sizeof(in->why));
	trace_step(in->vm, TRACE_BUILT);
	if (!err)
		(void)away_hold(in->vm); /* else its frames are lost, as ever */
	in->restore_ns = now_ns() - start;
	migration_take_cpu();
	return err ? MIG_HOST : MIG_OK;
}

static void run(void *context)
{
	struct incoming *in = context;
	u64 start = now_ns();
	u64 stood = MIN(in->target->stood, STOOD_MAX) * NS_PER_US + start -
		    in->loaded_at;
	err_t err = vm_run(in->vm, stood);

	in->run_ns = now_ns() - start;
	trace_step(in->vm, TRACE_RUNS);
	if (err)
		log_error("%s: does not run: %s", in->vm_name, err_text(err));
	away_back(in->vm);
	away_announce(in->vm);
	migration_take_cpu();
}

static void discard(void *context)
{
	struct incoming *in = context;

	trace_step(in->vm, TRACE_DISCARDED);
	vm_discard(in->vm);
	away_forget(in->vm);
	migration_take_cpu();
	in->vm = NULL;
}

static void guest_frame(void *context, const u8 *frame, size_t size)
{
	struct incoming *in = context;

	if (in->vm)
		away_input(in->vm, frame, (u32)size);
}

static u8 *page(void *context, u64 index)
{
	const struct incoming *in = context;

	return guest_page_to_write(&in->vm->memory, index);
}

static const struct target_ops ops = {
	.describe = describe,
	.have = have,
	.load = load,
	.run = run,
	.discard = discard,
	.page = page,
	.random = migration_random,
	.guest_frame = guest_frame,
};

/* --- who listens */

static void free_one(struct incoming *in)
{
	if (!in)
		return;
	kfree(in->memory);
	kfree(in->target);
	kfree(in);
}

static struct incoming *make_one(void)
{
	const struct migration_options *options = migration_defaults();
	struct incoming *in = kzalloc(sizeof(*in));

	if (!in)
		return NULL;
	in->config.pages_max = page_stats().total / PAGE_SIZE;
	in->config.state_room = STATE_ROOM;
	in->config.guest_frame = FORWARD_FRAME_MAX;
	in->config.credit = (u16)channel_credit();
	migration_link(&in->config.link, options->security, options->codecs);
	in->target = kzalloc(sizeof(*in->target));
	in->memory = kmalloc(target_memory(&in->config));
	if (!in->target || !in->memory) {
		free_one(in);
		return NULL;
	}
	in->seen = TARGET_LISTENING;
	target_init(in->target, &in->config, &ops, in, in->memory);
	return in;
}

/* What has ended makes room for a new one, and is kept for questions. */
err_t incoming_listen(void)
{
	struct incoming *in = make_one();

	if (!in)
		return E_NOMEM;
	free_one(incoming[INCOMING_KEPT]);
	for (unsigned i = INCOMING_KEPT; i > 0; i--)
		incoming[i] = incoming[i - 1];
	incoming[0] = in;
	return E_OK;
}

/*
 * A source that begins anew has forgotten, or lost, what it began before: what
 * waits here for a session that is gone makes room. It was never prepared, so
 * whoever began it still has it. (Only a fresh offer does that: nothing that is
 * replayed knows the challenge.)
 */
void incoming_make_room(const u8 *frame, u32 size)
{
	struct target *target = incoming[0] ? incoming[0]->target : NULL;
	struct hello hello;

	if (!target || target->link.up || target->state == TARGET_LISTENING ||
	    target->state >= TARGET_PREPARED ||
	    !link_hello_open(&incoming[0]->config.link, frame, size, &hello) ||
	    hello.type != HELLO_OFFER ||
	    memcmp(hello.challenge, target->challenge,
		   sizeof(hello.challenge)) ||
	    !memcmp(hello.migration, target->migration,
		    sizeof(hello.migration)))
		return;
	target_discard(target);
	incoming_look();
}

/*
 * An offer is for the target that knows the migration, else for the one that
 * listens; all else says by its session whom it means.
 */
bool incoming_is_for(const struct incoming *in, const u8 *frame, u32 size)
{
	const struct target *target = in->target;
	struct wire_header header;
	struct hello hello;

	if (!link_is_hello(frame, size))
		return target->link.up &&
		       wire_header_parse(frame, size, &header,
					 target->link.tag_size) &&
		       header.session == target->link.session &&
		       !memcmp(frame + 6, target->link.peer, 6);
	if (size < WIRE_BODY + HELLO_SIZE)
		return false;
	hello_parse(frame + WIRE_BODY, &hello);
	if (hello.type != HELLO_SEEK && hello.type != HELLO_OFFER)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(incoming); i++)
		if (incoming[i] &&
		    incoming[i]->target->state != TARGET_LISTENING &&
		    !memcmp(incoming[i]->target->migration, hello.migration,
			    sizeof(hello.migration)))
			return incoming[i] == in;
	return in == incoming[0];
}

/* --- looking after them */

bool incoming_busy(void)
{
	return incoming[0] && incoming[0]->target->state != TARGET_LISTENING;
}

static void look(struct incoming *in)
{
	enum target_state state = in->target->state;

	if (state == in->seen)
		return;
	if (state == TARGET_RECEIVING && in->seen < TARGET_RECEIVING &&
	    in->vm_name[0]) /* not a dry run */
		tell_incoming(in, "arriving");
	else if (state == TARGET_RUNNING)
		tell_incoming(in, "arrived");
	else if (state == TARGET_DISCARDED && in->vm_name[0])
		tell_incoming(in, "discarded");
	in->seen = state;
}

/*
 * Text takes the processor from the guest's first instructions, and an emulated
 * UART the frame that says so from the emulator's other threads.
 */
static void end_hush(struct incoming *in)
{
	const struct target *target = in->target;

	if (!in->hushed || !target_ended(target) ||
	    (target->link.up && !link_quiet(&target->link)))
		return;
	in->hushed = false;
	serial_hush(0);
}

void incoming_look(void)
{
	if (!incoming[0])
		return;
	for (unsigned i = 0; i < ARRAY_LEN(incoming); i++)
		if (incoming[i])
			end_hush(incoming[i]);
	look(incoming[0]);
	if (target_ended(incoming[0]->target) && incoming_listen())
		return; /* no memory now: the next look tries again */
}
