#include "migrate/target.h"

#define ACK_FRAMES 16
#define ACK_DELAY  1000

/* --- set-up --- */

size_t target_memory(const struct target_config *config)
{
	return receiver_memory(config->pages_max) + config->state_room +
	       forward_memory(config->guest_frame);
}

void target_init(struct target *target, const struct target_config *config,
		 const struct target_ops *ops, void *context, u8 *memory)
{
	memset(target, 0, sizeof(*target));
	target->config = config;
	target->ops = ops;
	target->context = context;
	target->receiver_memory = memory;
	memory += receiver_memory(config->pages_max);
	link_init(&target->link, &config->link);
	target->saved = memory;
	forward_init(&target->forward, config->guest_frame,
		     target->saved + config->state_room);
	target->state = TARGET_LISTENING;
	ops->random(context, target->challenge, sizeof(target->challenge));
}

/* --- ends --- */

/* It never ran here, and never will. */
void target_give_up(struct target *target, unsigned code)
{
	if (target->state >= TARGET_RUNNING)
		return;
	target->code = code;
	target->state = TARGET_DISCARDED;
	target->say = RECORD_ABORTED;
	if (target->described)
		target->ops->discard(target->context);
	target->described = false;
}

/* What breaks the protocol; but a promise is a promise. */
static void broken(struct target *target, unsigned code)
{
	if (target->state != TARGET_PREPARED)
		target_give_up(target, code);
}

static void run(struct target *target)
{
	target->state = TARGET_RUNNING;
	target->ops->run(target->context);
}

bool target_ended(const struct target *target)
{
	return target->state >= TARGET_RUNNING;
}

/* --- the session --- */

static void session_lost(struct target *target, u64 now)
{
	link_end(&target->link);
	target->unsaid = 0;
	if (target->state == TARGET_ASKED)
		target->state = TARGET_LISTENING;
}

static void check_time(struct target *target, u64 now)
{
	const struct link_timers *timers = &target->config->link.timers;

	if (link_dead(&target->link, now))
		session_lost(target, now);
	if (target->state == TARGET_RECEIVING && !target->link.up &&
	    now - target->link.heard >= timers->orphan)
		target_give_up(target, MIG_LINK);
}

/* --- records in --- */

static void on_restart(struct target *target, const struct record *record)
{
	if (target->state == TARGET_PREPARED)
		target->state = TARGET_RECEIVING;
	target->requirements = 0;
	target->refused = false;
	target->saved_size = 0;
}

static void on_describe(struct target *target, const struct record *record)
{
	char vm[WIRE_NAME];
	unsigned code = MIG_OK;

	if (get_u64(record->data) != target->pages)
		code = MIG_MALFORMED;
	else if (get_u32(record->data + 8) > target->config->state_room)
		code = MIG_STATE_SIZE;
	if (target->state != TARGET_ASKED && code == MIG_OK)
		return;
	memcpy(vm, record->data + 16, WIRE_NAME);
	vm[WIRE_NAME - 1] = 0;
	if (record->size >= RECORD_DESCRIBE_SIZE + WIRE_NAME)
		memcpy(target->from, record->data + RECORD_DESCRIBE_SIZE,
		       WIRE_NAME - 1);
	if (code == MIG_OK && !target->described &&
	    !(get_u32(record->data + 12) & 1)) {
		code = target->ops->describe(target->context, vm,
					     target->pages);
		target->described = code == MIG_OK;
	}
	if (code != MIG_OK)
		broken(target, code);
}

static void on_require(struct target *target, const struct record *record)
{
	struct requirement need;
	u64 have;

	requirement_parse(record->data, &need);
	have = target->ops->have(target->context, &need);
	target->requirements++;
	if (target->refused || requirement_met(&need, have))
		return;
	target->refused = true;
	target->need = need;
	target->have = have;
}

static void on_ask(struct target *target, const struct record *record)
{
	if (target->state > TARGET_RECEIVING)
		return;
	if (get_u32(record->data) != target->requirements) {
		broken(target, MIG_MALFORMED);
		return;
	}
	if (target->refused) {
		target_give_up(target, MIG_REQUIREMENT);
		target->say = RECORD_REFUSE;
		return;
	}
	target->state = TARGET_RECEIVING;
	target->say = RECORD_READY;
}

static void on_round(struct target *target, const struct record *record)
{
	/* For people who read captures. */
}

static void on_state(struct target *target, const struct record *record)
{
	u32 offset = get_u32(record->data), total = get_u32(record->data + 4);
	u32 size = record->size - RECORD_STATE_SIZE;

	if (target->state != TARGET_RECEIVING)
		return;
	if (offset == 0)
		target->saved_size = 0;
	if (offset != target->saved_size ||
	    total > target->config->state_room || size > total - offset) {
		broken(target, MIG_MALFORMED);
		return;
	}
	memcpy(target->saved + offset, record->data + RECORD_STATE_SIZE, size);
	target->saved_size += size;
}

static void on_prepare(struct target *target, const struct record *record)
{
	unsigned code;

	if (target->state != TARGET_RECEIVING)
		return;
	target->attempt = get_u32(record->data);
	target->memory_hash =
		receiver_hash(&target->receiver, 0, target->pages);
	target->state_hash = hash_check(1, target->saved, target->saved_size);
	if (get_u32(record->data + 4) != target->saved_size ||
	    get_u64(record->data + 8) != target->memory_hash ||
	    get_u64(record->data + 16) != target->state_hash) {
		target->say = RECORD_DIFFERS;
		return;
	}
	target->stood = get_u64(record->data + 24);
	code = target->ops->load(target->context, target->saved,
				 target->saved_size);
	if (code != MIG_OK) {
		target_give_up(target, code);
		return;
	}
	target->certificate = hash_certificate(
		target->memory_hash, target->state_hash, target->migration);
	target->state = TARGET_PREPARED;
	target->say = RECORD_PREPARED;
}

static void on_hash_ask(struct target *target, const struct record *record)
{
	u64 first = get_u64(record->data), count = get_u64(record->data + 8);

	if (target->state != TARGET_RECEIVING)
		return;
	if (first > target->pages || count > target->pages - first) {
		broken(target, MIG_MALFORMED);
		return;
	}
	target->hash_first = first;
	target->hash_count = count;
	target->say = RECORD_HASH_TELL;
}

static void on_commit(struct target *target, const struct record *record)
{
	if (target->state == TARGET_DISCARDED) {
		target->say = RECORD_ABORTED;
		return;
	}
	if (get_u32(record->data) != target->attempt ||
	    get_u64(record->data + 8) != target->certificate)
		return;
	if (target->state == TARGET_PREPARED)
		run(target);
	if (target->state == TARGET_RUNNING)
		target->say = RECORD_COMMITTED;
}

static void on_abort(struct target *target, const struct record *record)
{
	if (target->state < TARGET_RUNNING)
		target_give_up(target, get_u32(record->data));
	if (target->state == TARGET_DISCARDED)
		target->say = RECORD_ABORTED;
}

static void on_release(struct target *target, const struct record *record)
{
	/* The source's memory is free: nothing here depends on it. */
}

static void on_filler(struct target *target, const struct record *record)
{
	/* That it is acknowledged is all that the source wants of it. */
}

static void on_postcopy(struct target *target, const struct record *record)
{
	broken(target, MIG_RECORD);
}

static void target_record(struct target *target, const struct record *record,
			  enum record_verdict verdict)
{
	static void (*const on[RECORD_TYPES])(struct target *,
					      const struct record *) = {
		[RECORD_RESTART] = on_restart,
		[RECORD_DESCRIBE] = on_describe,
		[RECORD_REQUIRE] = on_require,
		[RECORD_ASK] = on_ask,
		[RECORD_ROUND] = on_round,
		[RECORD_STATE] = on_state,
		[RECORD_PREPARE] = on_prepare,
		[RECORD_HASH_ASK] = on_hash_ask,
		[RECORD_COMMIT] = on_commit,
		[RECORD_ABORT] = on_abort,
		[RECORD_RELEASE] = on_release,
		[RECORD_FILLER] = on_filler,
		[RECORD_PAGE_RANGE] = on_postcopy,
	};

	if (verdict == RECORD_SKIP)
		return;
	if (verdict == RECORD_STRANGE)
		broken(target, MIG_RECORD);
	else if (verdict == RECORD_BAD || on[record->type] == NULL)
		broken(target, MIG_MALFORMED);
	else
		on[record->type](target, record);
}

static void target_pages(struct target *target, u64 now,
			 const struct link_input *input)
{
	/* What is not taken is not acknowledged either. */
	if (target->state != TARGET_RECEIVING ||
	    !receiver_accept(&target->receiver, input->number))
		return;
	if (target->unsaid++ == 0)
		target->unsaid_at = now;
	if (target->unsaid >= ACK_FRAMES || input->length == 0)
		target->link.owes = true;
	if (!receiver_apply(&target->receiver, input->body, input->length,
			    &input->hashes))
		broken(target, MIG_MALFORMED);
}

/* From the stop on, and for as long as the session lives. */
static void target_guest(struct target *target, const struct link_input *input)
{
	const u8 *frame;
	u32 size;

	if (target->ops->guest_frame == NULL ||
	    target->state < TARGET_RECEIVING || target->state > TARGET_RUNNING)
		return;
	frame = forward_input(&target->forward, target->link.frame_size,
			      input->body, input->length, &size);
	if (frame != NULL)
		target->ops->guest_frame(target->context, frame, size);
}

void target_input(struct target *target, u64 now, u8 *frame, size_t size)
{
	struct link_input input;
	struct record record;
	enum record_verdict verdict;

	if (link_is_hello(frame, size)) {
		target_hello(target, now, frame, size);
		return;
	}
	if (!link_input(&target->link, now, frame, size, &input))
		return;
	if (input.kind == WIRE_PAGES)
		target_pages(target, now, &input);
	else if (input.kind == WIRE_GUEST)
		target_guest(target, &input);
	while (link_record(&target->link, &record, &verdict))
		target_record(target, &record, verdict);
}

/* --- what the state does next --- */

static size_t say_ready(struct target *target, u8 *data)
{
	put_u64(data, target->config->pages_max);
	put_u32(data + 8, target->config->state_room);
	put_u32(data + 12, 0);
	return RECORD_READY_SIZE;
}

static size_t say_refuse(struct target *target, u8 *data)
{
	put_u32(data, MIG_REQUIREMENT);
	put_u32(data + 4, 0);
	requirement_put(data + 8, &target->need);
	put_u64(data + 64, target->have);
	return RECORD_REFUSE_SIZE;
}

static size_t say_hashes(struct target *target, u8 *data)
{
	put_u32(data, target->attempt);
	put_u32(data + 4, 0);
	put_u64(data + 8, target->memory_hash);
	put_u64(data + 16, target->state_hash);
	return RECORD_PREPARED_SIZE;
}

static size_t say_sum(struct target *target, u8 *data)
{
	put_u64(data, target->hash_first);
	put_u64(data + 8, target->hash_count);
	put_u64(data + 16, receiver_hash(&target->receiver, target->hash_first,
					 target->hash_count));
	return RECORD_HASH_TELL_SIZE;
}

static size_t say_committed(struct target *target, u8 *data)
{
	put_u32(data, target->attempt);
	put_u32(data + 4, 0);
	put_u64(data + 8, target->certificate);
	return RECORD_COMMITTED_SIZE;
}

static size_t say_aborted(struct target *target, u8 *data)
{
	put_u32(data, target->code);
	put_u32(data + 4, 0);
	return RECORD_ABORTED_SIZE;
}

static void say(struct target *target)
{
	static size_t (*const saying[RECORD_TYPES])(struct target *, u8 *) = {
		[RECORD_READY] = say_ready,
		[RECORD_REFUSE] = say_refuse,
		[RECORD_PREPARED] = say_hashes,
		[RECORD_DIFFERS] = say_hashes,
		[RECORD_HASH_TELL] = say_sum,
		[RECORD_COMMITTED] = say_committed,
		[RECORD_ABORTED] = say_aborted,
	};
	u8 data[RECORD_REFUSE_SIZE];
	u8 type = target->say;

	if (type == 0 || !link_room(&target->link))
		return;
	target->say = 0;
	link_queue(&target->link, type, data, saying[type](target, data));
}

/* --- frames out --- */

static void fill_head(struct target *target, u64 now, struct control *head)
{
	const struct receiver *receiver = &target->receiver;

	memset(head, 0, sizeof(*head));
	head->state = (u8)target->state;
	head->attempt = target->attempt;
	head->credit = target->config->credit;
	head->highest = receiver->highest;
	head->applied = receiver->applied;
	memcpy(head->bitmap, receiver->bitmap, sizeof(head->bitmap));
}

size_t target_output(struct target *target, u64 now, u8 *frame)
{
	struct control head;
	size_t size;

	check_time(target, now);
	size = target_hello_output(target, now, frame);
	if (size != 0)
		return size;
	say(target);
	if (target->unsaid != 0 && now - target->unsaid_at >= ACK_DELAY)
		target->link.owes = true;
	fill_head(target, now, &head);
	size = link_output(&target->link, now, &head, frame);
	if (size != 0)
		target->unsaid = 0;
	return size;
}

u64 target_wake(const struct target *target, u64 now)
{
	u64 wake = UINT64_MAX;

	if (target->link.up)
		wake = link_wake(&target->link);
	else if (target->state == TARGET_RECEIVING)
		wake = target->link.heard + target->config->link.timers.orphan;
	if (target->unsaid != 0)
		wake = mig_min(wake, target->unsaid_at + ACK_DELAY);
	return mig_max(wake, now + 1);
}

/* --- the operator --- */

bool target_force_run(struct target *target)
{
	if (target->state != TARGET_PREPARED)
		return false;
	run(target);
	return true;
}

bool target_discard(struct target *target)
{
	if (target->state == TARGET_LISTENING || target_ended(target))
		return false;
	target_give_up(target, MIG_DISCARDED);
	return true;
}
