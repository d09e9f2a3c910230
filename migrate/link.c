#include "migrate/link.h"

#define RESENDS_DOUBLED 3
#define REORDER		64

const struct link_timers link_timers_default = {
	.resend = 20000,
	.retry = 200000,
	.keepalive = 100000,
	.dead = 3000000,
	.give_up = 300000000,
	.stopped_max = 10000000,
	.orphan = 600000000,
};

void link_init(struct link *link, const struct link_config *config)
{
	memset(link, 0, sizeof(*link));
	link->config = config;
}

void link_begin(struct link *link, u64 now)
{
	memset(link->tx_number, 0, sizeof(link->tx_number));
	memset(link->rx_number, 0, sizeof(link->rx_number));
	link->tag_size = crypto_tag_size(link->config->security);
	memset(link->rx_seen, 0, sizeof(link->rx_seen));
	link->guest_frames = 0;
	for (unsigned i = 0; i < RECORD_WINDOW; i++)
		link->early[i].size = 0;
	link->tx_last = link->tx_acked = link->tx_sent = link->rx_last = 0;
	link->resends = 0;
	link->timed = 0;
	link->round_trip = link->patience = 0;
	link->heard = now;
	link->said = now;
	link->owes = true;
	link->up = true;
}

void link_end(struct link *link)
{
	memset(&link->tx, 0, sizeof(link->tx));
	memset(&link->rx, 0, sizeof(link->rx));
	link->up = false;
}

bool link_room(const struct link *link)
{
	return link->up && link->tx_last - link->tx_acked < RECORD_WINDOW;
}

void link_queue(struct link *link, u8 type, const void *data, size_t size)
{
	struct link_slot *slot = &link->ring[++link->tx_last % RECORD_WINDOW];

	slot->size = (u16)record_put(slot->data, type, data, size);
}

bool link_quiet(const struct link *link)
{
	return link->tx_acked == link->tx_last;
}

u64 link_resend(const struct link *link)
{
	const struct link_timers *timers = &link->config->timers;

	return mig_max(timers->resend,
		       mig_min(timers->keepalive, 3 * link->patience));
}

bool link_dead(const struct link *link, u64 now)
{
	return link->up && now - link->heard >= link->config->timers.dead;
}

static size_t seal(struct link *link, u64 now, u8 kind, u8 *frame, u16 length,
		   struct page_hashes *hashes)
{
	struct wire_header header = {
		.kind = kind, .session = link->session, .length = length};
	u64 number = ++link->tx_number[kind];
	size_t size = WIRE_BODY + length + link->tag_size;

	header.number = (u32)number;
	wire_header_put(frame, link->peer, link->config->mac, &header);
	crypto_seal(&link->tx, link->config->security, frame, number, hashes);
	if (size < WIRE_FRAME_SHORT) {
		memset(frame + size, 0, WIRE_FRAME_SHORT - size);
		size = WIRE_FRAME_SHORT;
	}
	link->counts.tx_frames++;
	link->counts.tx_bytes += size;
	link->said = now;
	return size;
}

size_t link_seal(struct link *link, u64 now, u8 kind, u8 *frame, u16 length)
{
	struct page_hashes none;

	none.count = 0;
	return seal(link, now, kind, frame, length, &none);
}

size_t link_seal_pages(struct link *link, u64 now, u8 *frame, u16 length,
		       struct page_hashes *hashes)
{
	return seal(link, now, WIRE_PAGES, frame, length, hashes);
}

/* Unacknowledged for too long: all are sent again, oldest first. */
static void resend_when_due(struct link *link, u64 now)
{
	if (link->tx_sent == link->tx_acked || now < link->resend_at)
		return;
	link->counts.records_resent += link->tx_sent - link->tx_acked;
	link->tx_sent = link->tx_acked;
	link->timed = 0;
	if (link->resends < RESENDS_DOUBLED)
		link->resends++;
}

size_t link_output(struct link *link, u64 now, struct control *head, u8 *frame)
{
	const struct link_slot *slot;
	u16 length = CONTROL_HEAD;

	if (!link->up)
		return 0;
	resend_when_due(link, now);
	head->sequence = 0;
	head->acknowledged = link->rx_last;
	if (link->tx_sent != link->tx_last) {
		if (link->tx_sent == link->tx_acked)
			link->resend_at =
				now + (link_resend(link) << link->resends);
		head->sequence = ++link->tx_sent;
		if (link->timed == 0) {
			link->timed = head->sequence;
			link->sent_at = now;
		}
		slot = &link->ring[head->sequence % RECORD_WINDOW];
		memcpy(frame + WIRE_BODY + length, slot->data, slot->size);
		length += slot->size;
	} else if (!link->owes &&
		   now - link->said < link->config->timers.keepalive) {
		return 0;
	}
	link->owes = false;
	control_put(frame + WIRE_BODY, head);
	return link_seal(link, now, WIRE_CONTROL, frame, length);
}

u64 link_wake(const struct link *link)
{
	u64 wake = link->said + link->config->timers.keepalive;

	if (link->owes || link->tx_sent != link->tx_last)
		return 0;
	if (link->tx_sent != link->tx_acked)
		wake = mig_min(wake, link->resend_at);
	return mig_min(wake, link->heard + link->config->timers.dead);
}

/*
 * A peer that was busy says nothing of the link: for what can be done, what is
 * shorter is believed at once and what is longer bit by bit; for how long to
 * wait, all count alike.
 */
static void time_round_trip(struct link *link, u64 took)
{
	if (link->round_trip == 0 || took < link->round_trip)
		link->round_trip = took;
	else
		link->round_trip = (7 * link->round_trip + took) / 8;
	if (took > link->patience)
		link->patience = took;
	else
		link->patience = (7 * link->patience + took) / 8;
}

static void acknowledge(struct link *link, u64 now, u32 acknowledged)
{
	u32 advance = acknowledged - link->tx_acked;

	if (advance == 0 || advance > link->tx_last - link->tx_acked)
		return;
	if (link->timed != 0 && acknowledged - link->timed < RECORD_WINDOW) {
		time_round_trip(link, now - link->sent_at);
		link->timed = 0;
	}
	link->tx_acked = acknowledged;
	if (link->tx_sent - acknowledged > RECORD_WINDOW)
		link->tx_sent = acknowledged;
	link->resends = 0;
	link->resend_at = now + link_resend(link);
}

/* What comes early is kept for its turn; what comes again is not needed. */
static void keep_record(struct link *link, u32 sequence, const u8 *at,
			size_t size)
{
	struct link_slot *slot = &link->early[sequence % RECORD_WINDOW];
	u32 ahead = sequence - link->rx_last - 1;

	link->owes = true;
	if (ahead >= RECORD_WINDOW || slot->size != 0 || size < RECORD_HEAD ||
	    size > RECORD_SIZE)
		return;
	memcpy(slot->data, at, size);
	slot->size = (u16)size;
}

bool link_record(struct link *link, struct record *record,
		 enum record_verdict *verdict)
{
	u32 next = link->rx_last + 1;
	struct link_slot *slot = &link->early[next % RECORD_WINDOW];

	if (!link->up || slot->size == 0)
		return false;
	*verdict = record_parse(slot->data, slot->size, record);
	slot->size = 0;
	link->rx_last = next;
	return true;
}

static bool input_control(struct link *link, u64 now, struct link_input *input)
{
	if (input->length < CONTROL_HEAD)
		return false;
	control_parse(input->body, &input->control);
	acknowledge(link, now, input->control.acknowledged);
	if (input->control.sequence != 0)
		keep_record(link, input->control.sequence,
			    input->body + CONTROL_HEAD,
			    input->length - CONTROL_HEAD);
	return true;
}

/* A frame that was seen, or is too old to know. For PAGES others decide. */
static bool is_replay(const struct link *link, u8 kind, u64 number)
{
	u64 behind = link->rx_number[kind] - number;

	if (kind == WIRE_PAGES || number > link->rx_number[kind])
		return false;
	return behind >= REORDER || (link->rx_seen[kind] >> behind & 1);
}

static void note_number(struct link *link, u8 kind, u64 number)
{
	u64 *highest = &link->rx_number[kind], *seen = &link->rx_seen[kind];
	u64 ahead = number - *highest;

	if (number > *highest)
		*seen = (ahead < 64 ? *seen << ahead : 0) | 1;
	else if (*highest - number < 64)
		*seen |= (u64)1 << (*highest - number);
	*highest = mig_max(*highest, number);
}

static bool open_frame(struct link *link, u64 now, u8 *frame, size_t size,
		       struct link_input *input)
{
	struct wire_header header;

	if (!link->up || size > link->frame_size ||
	    !wire_header_parse(frame, size, &header, link->tag_size))
		return false;
	if (header.session != link->session || header.kind < WIRE_CONTROL ||
	    header.kind >= WIRE_KINDS)
		return false;
	input->number =
		wire_number(link->rx_number[header.kind], header.number);
	if (input->number == 0 || is_replay(link, header.kind, input->number))
		return false;
	input->hashes.count = 0;
	if (!crypto_open(&link->rx, link->config->security, frame,
			 input->number, &input->hashes))
		return false;
	input->newest = input->number > link->rx_number[header.kind];
	note_number(link, header.kind, input->number);
	input->kind = header.kind;
	input->body = frame + WIRE_BODY;
	input->length = header.length;
	return header.kind != WIRE_CONTROL || input_control(link, now, input);
}

bool link_input(struct link *link, u64 now, u8 *frame, size_t size,
		struct link_input *input)
{
	if (!open_frame(link, now, frame, size, input)) {
		link->counts.dropped++;
		return false;
	}
	link->heard = now;
	link->counts.rx_frames++;
	link->counts.rx_bytes += size;
	return true;
}

bool link_is_hello(const u8 *frame, size_t size)
{
	struct wire_header header;

	return wire_header_parse(frame, size, &header, WIRE_TAG_MAX) &&
	       header.kind == WIRE_HELLO && header.length == HELLO_SIZE;
}

bool link_hello_open(const struct link_config *config, const u8 *frame,
		     size_t size, struct hello *hello)
{
	if (!link_is_hello(frame, size))
		return false;
	hello_parse(frame + WIRE_BODY, hello);
	if (hello->security != config->security)
		return false;
	return crypto_hello_open(config->psk, config->security, frame);
}

size_t link_hello_seal(const struct link_config *config, const u8 to[6],
		       u8 *frame, const struct hello *hello)
{
	static const struct wire_header header = {.kind = WIRE_HELLO,
						  .length = HELLO_SIZE};

	wire_header_put(frame, to, config->mac, &header);
	hello_put(frame + WIRE_BODY, hello);
	crypto_hello_seal(config->psk, config->security, frame);
	return WIRE_BODY + HELLO_SIZE + WIRE_TAG_MAX;
}
