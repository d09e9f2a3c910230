/* How the source finds its target, agrees on keys, and finds it again. */
#include "migrate/source.h"

void source_search_start(struct source *source, u64 now)
{
	source->search = SEARCH_SEEK;
	source->search_at = now;
}

/* Slower where it may go on for ever. */
static u64 retry(const struct source *source)
{
	bool patient = source->state == SOURCE_IN_DOUBT ||
		       source->state == SOURCE_ABORTING;

	return source->config->link.timers.retry * (patient ? 8 : 1);
}

static void fill_hello(const struct source *source, struct hello *hello)
{
	memset(hello, 0, sizeof(*hello));
	hello->security = source->config->link.security;
	hello->version_low = hello->version_high = WIRE_VERSION;
	hello->features = source->config->link.features;
	hello->frame_size = source->config->link.frame_size;
	memcpy(hello->migration, source->migration, 16);
}

static size_t seek_output(struct source *source, u64 now, u8 *frame)
{
	struct hello *hello = &source->offer;

	fill_hello(source, hello);
	hello->type = HELLO_SEEK;
	memcpy(hello->name, source->config->target, WIRE_NAME);
	source->ops->random(source->context, hello->nonce, 16);
	return link_hello_seal(&source->config->link,
			       source->config->target_mac, frame, hello);
}

size_t source_search_output(struct source *source, u64 now, u8 *frame)
{
	if (source->search == SEARCH_NONE || now < source->search_at)
		return 0;
	source->search_at = now + retry(source);
	/* No ACCEPT: the challenge may be old. */
	if (source->search == SEARCH_OFFER && source->step++ >= 4)
		source->search = SEARCH_SEEK;
	if (source->search == SEARCH_SEEK)
		return seek_output(source, now, frame);
	return link_hello_seal(&source->config->link, source->link.peer, frame,
			       &source->offer);
}

static void here(struct source *source, u64 now, const struct hello *from,
		 const u8 *frame)
{
	struct hello *hello = &source->offer;

	fill_hello(source, hello);
	hello->type = HELLO_OFFER;
	memcpy(hello->name, source->config->vm, WIRE_NAME);
	memcpy(hello->challenge, from->challenge, 16);
	source->ops->random(source->context, hello->nonce, 16);
	if (hello->security != WIRE_CLEAR) {
		source->ops->random(source->context, source->secret, 32);
		crypto_public(hello->key, source->secret);
	}
	hello->pages = source->config->pages;
	hello->resume = source->copying_began;
	memcpy(source->link.peer, frame + 6, 6);
	source->search = SEARCH_OFFER;
	source->step = 0;
	source->search_at = now;
}

static void accept(struct source *source, u64 now, const struct hello *from,
		   const u8 *frame)
{
	struct link *link = &source->link;
	struct crypto_key key[2];

	if (from->frame_size < WIRE_FRAME_MIN ||
	    from->frame_size > source->config->link.frame_size) {
		source_fail(source, now, MIG_FRAME);
		return;
	}
	hello_put(source->offer_body, &source->offer);
	if (!crypto_agree(key, source->config->link.security,
			  source->config->link.psk, source->secret, from->key,
			  source->offer_body, frame + WIRE_BODY))
		return;
	memset(source->secret, 0, sizeof(source->secret));
	link->tx = key[0];
	link->rx = key[1];
	link->session = from->session;
	link->frame_size = from->frame_size;
	link_begin(link, now);
	source->sender.codec.features &= from->features;
	sender_session(&source->sender, now);
	source->search = SEARCH_NONE;
	source->had_session = true;
	source->heard_any = false;
	source->report.sessions++;
	source_session_up(source, now);
}

/*
 * A target holds on to whoever was there before us, and may be gone, for as
 * long as a session takes to die.
 */
static bool may_be_free_soon(const struct source *source, u64 now)
{
	u64 dead = source->config->link.timers.dead;

	return source->had_session || now - source->began_at < 2 * dead;
}

/* Only for a session that once was does UNKNOWN mean anything. */
static void deny(struct source *source, u64 now, const struct hello *from)
{
	if (source->state == SOURCE_IN_DOUBT) {
		source->unknown = from->code == MIG_UNKNOWN;
		source->search = SEARCH_SEEK;
		return;
	}
	if (from->code == MIG_BUSY && may_be_free_soon(source, now)) {
		source->search = SEARCH_SEEK;
		return;
	}
	source_fail(source, now,
		    source->code != MIG_OK ? source->code : from->code);
}

void source_search_input(struct source *source, u64 now, const u8 *frame,
			 size_t size)
{
	struct hello from;

	if (source->search == SEARCH_NONE ||
	    !link_hello_open(&source->config->link, frame, size, &from) ||
	    memcmp(from.nonce, source->offer.nonce, 16) != 0 ||
	    memcmp(from.migration, source->migration, 16) != 0)
		return;
	if (from.type == HELLO_HERE && source->search == SEARCH_SEEK)
		here(source, now, &from, frame);
	else if (from.type == HELLO_ACCEPT && source->search == SEARCH_OFFER)
		accept(source, now, &from, frame);
	else if (from.type == HELLO_DENY && source->search == SEARCH_OFFER)
		deny(source, now, &from);
}
