/* How the target lets itself be found, and whom it lets in. */
#include "migrate/target.h"

static void reply(struct target *target, const struct hello *to,
		  const u8 *frame, u8 type)
{
	struct hello *hello = &target->reply;

	memset(hello, 0, sizeof(*hello));
	hello->type = type;
	hello->security = target->config->link.security;
	hello->version_low = hello->version_high = WIRE_VERSION;
	hello->features = target->config->link.features;
	hello->frame_size = target->config->link.frame_size;
	memcpy(hello->name, target->config->link.name, WIRE_NAME);
	memcpy(hello->migration, to->migration, 16);
	memcpy(hello->nonce, to->nonce, 16);
	memcpy(target->reply_to, frame + 6, 6);
	target->answer = true;
}

static bool is_mine(const struct target *target, const struct hello *hello)
{
	return target->state != TARGET_LISTENING &&
	       memcmp(hello->migration, target->migration, 16) == 0;
}

static bool is_name(const char *wanted, const char *name)
{
	return wanted[0] == 0 || memcmp(wanted, name, WIRE_NAME) == 0;
}

static void seek(struct target *target, const struct hello *hello,
		 const u8 *frame)
{
	if (!is_name(hello->name, target->config->link.name))
		return;
	reply(target, hello, frame, HELLO_HERE);
	memcpy(target->reply.challenge, target->challenge, 16);
}

static unsigned judge(const struct target *target, const struct hello *hello)
{
	if (hello->version_low > WIRE_VERSION ||
	    hello->version_high < WIRE_VERSION)
		return MIG_VERSION;
	if (hello->frame_size < WIRE_FRAME_MIN)
		return MIG_FRAME;
	if (is_mine(target, hello))
		return MIG_OK;
	if (hello->resume)
		return MIG_UNKNOWN;
	if (target->state != TARGET_LISTENING)
		return MIG_BUSY;
	return hello->pages == 0 || hello->pages > target->config->pages_max
		       ? MIG_MEMORY
		       : MIG_OK;
}

/* Keys, and a session that awaits its first frame. */
static void accept(struct target *target, u64 now, const struct hello *hello,
		   const u8 *frame)
{
	struct link *link = &target->link;
	struct crypto_key key[2];
	u8 secret[32], body[HELLO_SIZE];

	reply(target, hello, frame, HELLO_ACCEPT);
	memcpy(target->reply.challenge, hello->challenge, 16);
	target->reply.frame_size = (u32)mig_min(
		hello->frame_size, target->config->link.frame_size);
	target->reply.features &= hello->features;
	target->reply.credit = target->config->credit;
	target->ops->random(target->context, secret, sizeof(secret));
	target->reply.session = secret[0] ^ secret[31];
	if (target->config->link.security != WIRE_CLEAR)
		crypto_public(target->reply.key, secret);
	hello_put(body, &target->reply);
	if (!crypto_agree(key, target->config->link.security,
			  target->config->link.psk, secret, hello->key,
			  frame + WIRE_BODY, body)) {
		target->answer = false;
		return;
	}
	memset(secret, 0, sizeof(secret));
	target->accept = target->reply;
	link->tx = key[1];
	link->rx = key[0];
	link->session = target->reply.session;
	link->frame_size = target->reply.frame_size;
	memcpy(link->peer, frame + 6, 6);
	link_begin(link, now);
	receiver_session(&target->receiver);
	forward_session(&target->forward);
	target->say = 0;
	target->unsaid = 0;
	target->requirements = 0;
	target->refused = false;
}

static void offer(struct target *target, u64 now, const struct hello *hello,
		  const u8 *frame)
{
	unsigned code;

	/* ACCEPT was lost: the same again, and no new keys. */
	if (is_mine(target, hello) &&
	    memcmp(hello->nonce, target->nonce, 16) == 0) {
		reply(target, hello, frame, HELLO_ACCEPT);
		target->reply = target->accept;
		return;
	}
	if (memcmp(hello->challenge, target->challenge, 16) != 0)
		return;
	code = judge(target, hello);
	if (code != MIG_OK) {
		reply(target, hello, frame, HELLO_DENY);
		target->reply.code = code;
		return;
	}
	target->ops->random(target->context, target->challenge, 16);
	accept(target, now, hello, frame);
	memcpy(target->nonce, hello->nonce, 16);
	if (target->state != TARGET_LISTENING)
		return;
	memcpy(target->migration, hello->migration, 16);
	target->pages = hello->pages;
	receiver_init(&target->receiver, hello->pages, target->receiver_memory);
	target->receiver.page = target->ops->page;
	target->receiver.context = target->context;
	target->state = TARGET_ASKED;
}

void target_hello(struct target *target, u64 now, const u8 *frame, size_t size)
{
	struct hello hello;

	if (!link_hello_open(&target->config->link, frame, size, &hello))
		return;
	if (hello.type == HELLO_SEEK)
		seek(target, &hello, frame);
	else if (hello.type == HELLO_OFFER)
		offer(target, now, &hello, frame);
}

size_t target_hello_output(struct target *target, u64 now, u8 *frame)
{
	if (!target->answer)
		return 0;
	target->answer = false;
	return link_hello_seal(&target->config->link, target->reply_to, frame,
			       &target->reply);
}
