/*
 * Instructions where the guest has them. Most exits come through here when the
 * hardware does not tell an instruction's length, so that is kept short.
 */
#include "cpu/regs.h"
#include "lib/string.h"
#include "vm/decode.h"
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

/*
 * The plain forms of what engines intercept most, without a prefix: exact, and
 * most of what a guest executes.
 */
static unsigned plain_length(const u8 *b)
{
	if (likely(b[0] == 0x0f && b[1] == 0xa2)) /* CPUID */
		return 2;
	if (b[0] == 0xf4) /* HLT */
		return 1;
	if (b[0] != 0x0f)
		return 0;
	if ((b[1] & 0xfc) == 0x30) /* MSRs, TSC, PMC */
		return 2;
	return b[1] == 0x01 && b[2] >= 0xc0 ? 3 : 0; /* VMMCALL, XSETBV ... */
}

/*
 * Walking four levels for each exit would cost more than the rest of it. So the
 * last walk is remembered with the entries it went through; when CR3 and all
 * four entries are what they were, a new walk would end at the same place. Only
 * for 64-bit code and 4 KiB pages; CR0 and EFER clear it (they exit).
 */
static const u8 *cached_code(const struct vcpu *vcpu)
{
	const struct code_cache *c = &vcpu->code;
	const struct vcpu_state *s = &vcpu->state;

	if (!(vcpu->valid & (STATE_FETCH | STATE_SEGMENTS)) ||
	    s->rip >> PAGE_SHIFT != c->page || s->cr3 != c->cr3 ||
	    !(s->seg[CS].attr & SEG_L) || *c->at[0] != c->entry[0] ||
	    *c->at[1] != c->entry[1] || *c->at[2] != c->entry[2] ||
	    *c->at[3] != c->entry[3])
		return NULL;
	return c->host + (s->rip & PAGE_MASK);
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
	unsigned length;

	/* Not at a page's end, where the next bytes are elsewhere. */
	if (unlikely(!at || (vcpu->state.rip & PAGE_MASK) > PAGE_SIZE - 3))
		return slow_length(vcpu);
	length = plain_length(at);
	return likely(length) ? length : slow_length(vcpu);
}
