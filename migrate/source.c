#include "migrate/source.h"

#define ATTEMPTS_MAX 16

/* --- set-up --- */

size_t source_memory(const struct source_config *config)
{
	return sender_memory(config->pages, config->cache_lines) +
	       config->state_room;
}

void source_init(struct source *source, const struct source_config *config,
		 const struct source_ops *ops, void *context, u8 *memory)
{
	memset(source, 0, sizeof(*source));
	source->config = config;
	source->ops = ops;
	source->context = context;
	sender_init(&source->sender, config->pages, config->link.features,
		    config->cache_lines, memory);
	source->sender.page = ops->page;
	source->sender.zero_page = config->zero_page;
	source->sender.context = context;
	source->sender.rate = config->rate;
	memory += sender_memory(config->pages, config->cache_lines);
	link_init(&source->link, &config->link);
	source->saved = memory;
	source->report.differs_at = REPORT_NO_PAGE;
}

void source_begin(struct source *source, u64 now)
{
	source->ops->random(source->context, source->migration, 16);
	source->state = SOURCE_ASKING;
	source->began_at = source->lost_at = now;
	source_search_start(source, now);
}

/* --- ends --- */

static void run_on(struct source *source, u64 now)
{
	if (!source->stopped)
		return;
	source->ops->resume(source->context);
	source->stopped = false;
}

void source_fail(struct source *source, u64 now, unsigned code)
{
	source->code = code;
	source_finish_report(source, now);
	run_on(source, now);
	if (source->round.throttle < 100 && source->round.throttle != 0)
		source->ops->throttle(source->context, 100);
	source->state = SOURCE_FAILED;
	source->search = SEARCH_NONE;
}

void source_done(struct source *source, u64 now)
{
	u8 data[RECORD_RELEASE_SIZE];

	source->code = MIG_OK;
	source->report.certificate = source->certificate;
	source_finish_report(source, now);
	source->state = SOURCE_DONE;
	source->search = SEARCH_NONE;
	put_u64(data, source->certificate);
	if (link_room(&source->link))
		link_queue(&source->link, RECORD_RELEASE, data, sizeof(data));
	source->ops->release(source->context);
}

bool source_ended(const struct source *source)
{
	return source->state == SOURCE_DONE || source->state == SOURCE_FAILED;
}

/* The guest runs on, and the target is to hear of it if there is one. */
void source_abort(struct source *source, u64 now, unsigned code)
{
	source->code = code;
	run_on(source, now);
	source->state = SOURCE_ABORTING;
	source->step = 0;
	source->lost_at = now;
	if (!source->had_session)
		source_fail(source, now, code);
}

/* Out of STOPPED or PREPARING: the guest does not wait for a link. */
static void fall_back(struct source *source, u64 now)
{
	if (source->attempt >= ATTEMPTS_MAX) {
		source_abort(source, now, MIG_ATTEMPTS);
		return;
	}
	run_on(source, now);
	source->state = SOURCE_ASKING;
	source->step = 0;
}

/* --- the session --- */

void source_session_up(struct source *source, u64 now)
{
	source->step = 0;
	source->lost_at = now;
	if (source->state != SOURCE_IN_DOUBT &&
	    source->state != SOURCE_ABORTING)
		source->state = SOURCE_ASKING;
}

static void session_lost(struct source *source, u64 now)
{
	link_end(&source->link);
	sender_session(&source->sender, now);
	source->lost_at = now;
	if (source_ended(source))
		return;
	if (source->state == SOURCE_STOPPED ||
	    source->state == SOURCE_PREPARING)
		fall_back(source, now);
	source_search_start(source, now);
}

/* Nobody answers: how long to go on seeking. */
static void check_patience(struct source *source, u64 now)
{
	const struct link_timers *timers = &source->config->link.timers;
	bool tells = source->state == SOURCE_ABORTING; /* no more than that */
	u64 give_up = tells ? timers->dead : timers->give_up;

	if (source->link.up || source_ended(source) ||
	    source->state == SOURCE_IN_DOUBT || now - source->lost_at < give_up)
		return;
	if (!tells)
		source_abort(source, now, MIG_LINK);
	else if (!source->prepared_once)
		source_fail(source, now, source->code);
}

/* --- records in --- */

static void on_ready(struct source *source, u64 now, const u8 *data)
{
	if (source->state != SOURCE_ASKING)
		return;
	if (get_u64(data) < source->config->pages) {
		source_abort(source, now, MIG_MEMORY);
		return;
	}
	if (source->config->dry_run) {
		source_dry_begin(source, now);
		return;
	}
	source->state = SOURCE_COPYING;
	if (!source->copying_began) {
		source->copying_began = true;
		source_round_first(source, now);
	}
}

static void on_refuse(struct source *source, u64 now, const u8 *data)
{
	bool late = source->state == SOURCE_ABORTING &&
		    source->code == MIG_DISCARDED;

	if (source->state != SOURCE_ASKING && !late)
		return;
	requirement_parse(data + 8, &source->refused);
	source->refused_have = get_u64(data + 64);
	if (late)
		source->code = get_u32(data);
	else
		source_abort(source, now, get_u32(data));
}

static void on_prepared(struct source *source, u64 now, const u8 *data)
{
	if (source->state != SOURCE_PREPARING ||
	    get_u32(data) != source->attempt)
		return;
	if (get_u64(data + 8) != source->memory_hash ||
	    get_u64(data + 16) != source->state_hash) {
		source_abort(source, now, MIG_DIFFERS);
		return;
	}
	/* The point of no return: COMMIT is queued, nothing takes it back. */
	source->certificate = hash_certificate(
		source->memory_hash, source->state_hash, source->migration);
	source->state = SOURCE_IN_DOUBT;
	source->step = 0;
}

static void ask_hash(struct source *source)
{
	u8 data[RECORD_HASH_ASK_SIZE];
	u64 half = (source->high - source->low + 1) / 2;

	put_u64(data, source->low);
	put_u64(data + 8, half);
	link_queue(&source->link, RECORD_HASH_ASK, data, sizeof(data));
}

static void on_differs(struct source *source, u64 now, const u8 *data)
{
	if (source->state != SOURCE_PREPARING ||
	    get_u32(data) != source->attempt)
		return;
	if (get_u64(data + 8) == source->memory_hash ||
	    !link_room(&source->link)) {
		source_abort(source, now, MIG_DIFFERS);
		return;
	}
	source->low = 0;
	source->high = source->config->pages;
	ask_hash(source);
}

/* The first wrong page is in the half whose sum differs, or in the other. */
static void on_hash_tell(struct source *source, u64 now, const u8 *data)
{
	u64 half = (source->high - source->low + 1) / 2;

	if (source->state != SOURCE_PREPARING || source->high == source->low ||
	    get_u64(data) != source->low || get_u64(data + 8) != half)
		return;
	if (get_u64(data + 16) !=
	    hash_sum(source->sender.hashes, source->low, half))
		source->high = source->low + half;
	else
		source->low += half;
	if (source->high - source->low > 1 && link_room(&source->link)) {
		ask_hash(source);
		return;
	}
	source->report.differs_at = source->low;
	source_abort(source, now, MIG_DIFFERS);
}

static void committed(struct source *source, u64 now)
{
	if (source->state == SOURCE_IN_DOUBT)
		source_done(source, now);
}

static void on_committed(struct source *source, u64 now, const u8 *data)
{
	if (get_u64(data + 8) == source->certificate)
		committed(source, now);
}

/* The target has never run the VM and never will. */
static void aborted(struct source *source, u64 now, unsigned code)
{
	if (source_ended(source))
		return;
	if (source->state == SOURCE_ABORTING && source->code != MIG_DISCARDED)
		code = source->code;
	source_fail(source, now, code);
}

static void on_aborted(struct source *source, u64 now, const u8 *data)
{
	aborted(source, now, get_u32(data));
}

static void on_abort(struct source *source, u64 now, const u8 *data)
{
	if (source->state < SOURCE_IN_DOUBT)
		source_abort(source, now, get_u32(data));
}

static void on_postcopy(struct source *source, u64 now, const u8 *data)
{
	if (source->state < SOURCE_IN_DOUBT)
		source_abort(source, now, MIG_RECORD);
}

static void source_record(struct source *source, u64 now,
			  const struct record *record,
			  enum record_verdict verdict)
{
	static void (*const on[RECORD_TYPES])(struct source *, u64,
					      const u8 *) = {
		[RECORD_READY] = on_ready,
		[RECORD_REFUSE] = on_refuse,
		[RECORD_PREPARED] = on_prepared,
		[RECORD_DIFFERS] = on_differs,
		[RECORD_HASH_TELL] = on_hash_tell,
		[RECORD_COMMITTED] = on_committed,
		[RECORD_ABORT] = on_abort,
		[RECORD_ABORTED] = on_aborted,
		[RECORD_PAGE_WANT] = on_postcopy,
	};
	unsigned code = MIG_OK;

	if (verdict == RECORD_SKIP)
		return;
	if (verdict == RECORD_STRANGE)
		code = MIG_RECORD;
	else if (verdict == RECORD_BAD || on[record->type] == NULL)
		code = MIG_MALFORMED;
	if (code == MIG_OK)
		on[record->type](source, now, record->data);
	else if (source->state < SOURCE_IN_DOUBT)
		source_abort(source, now, code);
}

/*
 * What the target's state alone tells: it outlives sessions. Why it discarded
 * the VM comes in a record, so before the commit that is waited for.
 */
static void source_head(struct source *source, u64 now)
{
	if (source->heard.state == TARGET_RUNNING)
		committed(source, now);
	else if (source->heard.state != TARGET_DISCARDED)
		return;
	else if (source->state == SOURCE_IN_DOUBT)
		aborted(source, now, MIG_DISCARDED);
	else if (source->state < SOURCE_IN_DOUBT)
		source_abort(source, now, MIG_DISCARDED);
}

void source_input(struct source *source, u64 now, u8 *frame, size_t size)
{
	struct link_input input;
	struct record record;
	enum record_verdict verdict;

	if (link_is_hello(frame, size)) {
		source_search_input(source, now, frame, size);
		return;
	}
	if (!link_input(&source->link, now, frame, size, &input) ||
	    input.kind != WIRE_CONTROL)
		return;
	sender_resolve(&source->sender, now, &input.control);
	source_dry_heard(source, now);
	while (link_record(&source->link, &record, &verdict))
		source_record(source, now, &record, verdict);
	if (!input.newest)
		return;
	source->heard = input.control;
	source->heard_any = true;
	source_head(source, now);
}

/* --- what the state does next --- */

static void check_time(struct source *source, u64 now)
{
	if (link_dead(&source->link, now))
		session_lost(source, now);
	source_dry_look(source, now);
	check_patience(source, now);
	if (source->stopped && source->state < SOURCE_IN_DOUBT &&
	    source_stood(source, now) >=
		    source->config->link.timers.stopped_max)
		fall_back(source, now);
	/* Without a session nothing is under way, and yet no round is over. */
	if (source->state == SOURCE_COPYING && source->link.up &&
	    sender_resolved_all(&source->sender) && now >= source->round_until)
		source_round_next(source, now);
}

/* --- frames out --- */

static bool pages_may_go(const struct source *source)
{
	return source->link.up && source->heard_any &&
	       (source->state == SOURCE_COPYING ||
		source->state == SOURCE_STOPPED);
}

/* It says no more than what is queued once it has ended. */
static bool is_silent(const struct source *source)
{
	return source_ended(source) && !source->forwards;
}

size_t source_output(struct source *source, u64 now, u8 *frame)
{
	struct control head = {.state = (u8)source_state(source),
			       .attempt = source->attempt};
	size_t size;

	if (source->state == SOURCE_IDLE)
		return 0;
	check_time(source, now);
	size = source_search_output(source, now, frame);
	if (size != 0)
		return size;
	source_say(source, now);
	if (is_silent(source) && link_quiet(&source->link))
		return 0;
	size = link_output(&source->link, now, &head, frame);
	if (size == 0 && pages_may_go(source))
		size = sender_output(&source->sender, &source->link, now,
				     source->heard.credit, frame);
	return size;
}

u64 source_wake(const struct source *source, u64 now)
{
	u64 wake = UINT64_MAX;

	if (source->state == SOURCE_IDLE || is_silent(source))
		return wake;
	if (source->search != SEARCH_NONE)
		wake = mig_min(wake, source->search_at);
	if (source->link.up)
		wake = mig_min(wake, link_wake(&source->link));
	wake = mig_min(wake, source_dry_wake(source));
	if (source->state == SOURCE_COPYING && now < source->round_until)
		wake = mig_min(wake, source->round_until);
	if (pages_may_go(source))
		wake = mig_min(wake, sender_wake(&source->sender, &source->link,
						 source->heard.credit, now));
	return mig_max(wake, now + 1);
}

/* --- the operator --- */

bool source_cancel(struct source *source, u64 now)
{
	/* The guest runs here; the target need not be told by us. */
	if (source->state == SOURCE_ABORTING) {
		source_fail(source, now, source->code);
		return true;
	}
	if (source->state == SOURCE_IDLE || source->state >= SOURCE_IN_DOUBT)
		return false;
	source_abort(source, now, MIG_CANCELLED);
	return true;
}

bool source_force(struct source *source, u64 now, bool resume)
{
	if (source->state != SOURCE_IN_DOUBT)
		return false;
	if (resume)
		source_fail(source, now, MIG_LINK);
	else
		source_done(source, now);
	return true;
}

enum source_state source_state(const struct source *source)
{
	if (source->state < SOURCE_STOPPED && source->search != SEARCH_NONE)
		return source->search == SEARCH_SEEK ? SOURCE_SEEKING
						     : SOURCE_OFFERING;
	return source->state;
}
