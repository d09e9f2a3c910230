/*
 * Instructions where the guest has them. Most exits come through here when the
 * hardware does not tell an instruction's length, so that is kept short.
 */
#include "cpu/regs.h"
#include "lib/string.h"
#include "vm/decode.h"
#include "vm/fetch.h"
#include "vm/vm.h"
#include "vm/walk.h"

static const u8 *peek_code(struct vcpu *vcpu, u64 linear, u64 *left)
{
	u64 gpa, in_chunk = 0;
	const u8 *at;

	if (!walk_peek(vcpu, linear, &gpa, NULL))
		return NULL;
	at = guest_ram(&vcpu->vm->memory, gpa, &in_chunk);
	*left = MIN(in_chunk, PAGE_SIZE - (gpa & PAGE_MASK));
	return at;
}

static u64 code_address(struct vcpu *vcpu, enum cpu_mode *mode)
{
	const struct vcpu_state *s = &vcpu->state;

	vcpu_need_fetch(vcpu);
	*mode = state_mode(s);
	if (*mode == MODE_64)
		return s->rip;
	return (u32)(s->seg[CS].base + s->rip);
}

size_t fetch_insn(struct vcpu *vcpu, u8 bytes[INSN_MAX])
{
	enum cpu_mode mode;
	u64 linear = code_address(vcpu, &mode), left = 0;
	size_t n = 0;

	while (n < INSN_MAX) {
		const u8 *at = peek_code(vcpu, linear + n, &left);

		if (!at || !left)
			break;
		left = MIN(left, INSN_MAX - n);
		memcpy(bytes + n, at, left);
		n += left;
	}
	return n;
}

enum decode_mode decode_mode_of(enum cpu_mode mode)
{
	if (mode == MODE_64)
		return DECODE_64;
	return mode == MODE_32 ? DECODE_32 : DECODE_16;
}

/* The bytes at RIP by the cache, NULL when it does not know. */
static const u8 *cached_code(const struct vcpu *vcpu)
{
	const struct vcpu_state *s = &vcpu->state;

	if (!(vcpu->valid & (STATE_FETCH | STATE_SEGMENTS)) ||
	    !(s->seg[CS].attr & SEG_L))
		return NULL;
	return code_cached(&vcpu->code, s->rip, s->cr3);
}

/* Fills the cache for the page at RIP; leaves it empty where it cannot. */
static void fill_code_cache(struct vcpu *vcpu, enum cpu_mode mode)
{
	struct code_cache *c = &vcpu->code;
	u64 page = vcpu->state.rip >> PAGE_SHIFT, gpa, left;

	c->page = ~0ULL;
	if (mode != MODE_64 || !walk_peek(vcpu, page << PAGE_SHIFT, &gpa, c))
		return;
	c->host = guest_ram(&vcpu->vm->memory, gpa, &left);
	if (!c->host)
		return;
	c->cr3 = vcpu->state.cr3;
	c->page = page;
}

static unsigned decoded_length(struct vcpu *vcpu, enum cpu_mode mode)
{
	u8 bytes[INSN_MAX];
	struct insn insn;
	size_t n = fetch_insn(vcpu, bytes);

	if (decode(bytes, n, decode_mode_of(mode), &insn))
		return 0;
	return insn.length;
}

static unsigned __attribute__((noinline)) slow_length(struct vcpu *vcpu)
{
	enum cpu_mode mode;

	code_address(vcpu, &mode);
	fill_code_cache(vcpu, mode);
	return decoded_length(vcpu, mode);
}

unsigned fetch_length(struct vcpu *vcpu)
{
	const u8 *at = cached_code(vcpu);
	unsigned length = at ? plain_length(at) : 0;

	return likely(length) ? length : slow_length(vcpu);
}
