/* What the source has to say in each state: a record at a time. */
#include "migrate/source.h"

static void describe(struct source *source)
{
	const struct source_config *config = source->config;
	u8 data[RECORD_DESCRIBE_SIZE + WIRE_NAME];

	put_u64(data, config->pages);
	put_u32(data + 8, config->state_room);
	put_u32(data + 12, config->dry_run);
	memcpy(data + 16, config->vm, WIRE_NAME);
	memcpy(data + RECORD_DESCRIBE_SIZE, config->link.name, WIRE_NAME);
	link_queue(&source->link, RECORD_DESCRIBE, data, sizeof(data));
}

/* RESTART, DESCRIBE, the requirements, ASK: a record for each step. */
static void say_asking(struct source *source, u64 now)
{
	u32 step = source->step, needs = source->config->requirements;
	u8 data[RECORD_REQUIRE_SIZE];

	if (step > needs + 2) {
		source_dry_say(source);
		return;
	}
	source->step++;
	if (step == 0) {
		put_u32(data, source->attempt);
		link_queue(&source->link, RECORD_RESTART, data,
			   RECORD_RESTART_SIZE);
	} else if (step == 1) {
		describe(source);
	} else if (step < needs + 2) {
		requirement_put(data, &source->config->requirement[step - 2]);
		link_queue(&source->link, RECORD_REQUIRE, data, sizeof(data));
	} else {
		put_u32(data, needs);
		link_queue(&source->link, RECORD_ASK, data, RECORD_ASK_SIZE);
	}
}

static void say_state(struct source *source)
{
	u8 data[RECORD_DATA];
	u32 size = (u32)mig_min(source->saved_size - source->saved_sent,
				RECORD_DATA - RECORD_STATE_SIZE);

	put_u32(data, source->saved_sent);
	put_u32(data + 4, source->saved_size);
	memcpy(data + RECORD_STATE_SIZE, source->saved + source->saved_sent,
	       size);
	link_queue(&source->link, RECORD_STATE, data, RECORD_STATE_SIZE + size);
	source->saved_sent += size;
}

static void prepare(struct source *source, u64 now)
{
	u8 data[RECORD_PREPARE_SIZE];

	source->memory_hash = source->sender.sum;
	put_u32(data, source->attempt);
	put_u32(data + 4, source->saved_size);
	put_u64(data + 8, source->memory_hash);
	put_u64(data + 16, source->state_hash);
	/* When it arrives, that is. */
	put_u64(data + 24,
		source_stood(source, now) + source->link.round_trip / 2);
	link_queue(&source->link, RECORD_PREPARE, data, sizeof(data));
	source->prepared_once = true;
	source->state = SOURCE_PREPARING;
}

static void say_stopped(struct source *source, u64 now)
{
	if (source->saved_size == 0)
		source_abort(source, now, MIG_HOST);
	else if (source->saved_sent < source->saved_size)
		say_state(source);
	else if (sender_resolved_all(&source->sender) &&
		 link_quiet(&source->link))
		prepare(source, now);
}

/* COMMIT once in each session, unless the target says that it is needless. */
static void say_commit(struct source *source, u64 now)
{
	u8 data[RECORD_COMMIT_SIZE];

	if (source->step != 0)
		return;
	source->step = 1;
	put_u32(data, source->attempt);
	put_u32(data + 4, 0);
	put_u64(data + 8, source->certificate);
	link_queue(&source->link, RECORD_COMMIT, data, sizeof(data));
}

static void say_abort(struct source *source, u64 now)
{
	u8 data[RECORD_ABORT_SIZE];

	if (source->step != 0)
		return;
	source->step = 1;
	put_u32(data, source->code);
	put_u32(data + 4, 0);
	link_queue(&source->link, RECORD_ABORT, data, sizeof(data));
}

void source_say(struct source *source, u64 now)
{
	static void (*const saying[])(struct source *, u64) = {
		[SOURCE_ASKING] = say_asking,	[SOURCE_STOPPED] = say_stopped,
		[SOURCE_IN_DOUBT] = say_commit, [SOURCE_ABORTING] = say_abort,
		[SOURCE_FAILED] = NULL,
	};

	if (link_room(&source->link) && saying[source->state] != NULL)
		saying[source->state](source, now);
}
