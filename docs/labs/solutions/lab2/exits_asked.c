/* Lab 2's solution: the kernel's handlers, and three hypercalls more. */
#include "docs/labs/lab2/calls.h"
#include "lib/log.h"
#include "vm/handlers.h"
#include "vm/memory.h"
#include "vm/model.h"

enum next_step handle_cpuid(struct vcpu *vcpu, struct vm_exit *exit)
{
	u64 *gpr = vcpu->state.gpr;
	struct cpuid_result r;

	model_cpuid(vcpu, gpr[RAX], gpr[RCX], &r);
	gpr[RAX] = r.eax;
	gpr[RBX] = r.ebx;
	gpr[RCX] = r.ecx;
	gpr[RDX] = r.edx;
	return NEXT_SKIP;
}

static bool in_64_bit_code(struct vcpu *vcpu)
{
	vcpu_need_fetch(vcpu);
	return vcpu->state.seg[CS].attr & SEG_L;
}

static bool from_user(struct vcpu *vcpu)
{
	if (in_64_bit_code(vcpu))
		return vcpu->state.seg[CS].selector & 3;
	vcpu_need(vcpu, STATE_SEGMENTS);
	return state_cpl(&vcpu->state) != 0;
}

static i64 call_say(struct vcpu *vcpu, u64 gpa, u64 bytes)
{
	char text[SAY_MAX + 1];

	if (bytes > SAY_MAX)
		return CALL_INVALID;
	if (guest_read(&vcpu->vm->memory, gpa, text, bytes))
		return CALL_FAULT;
	text[bytes] = 0;
	for (u64 i = 0; i < bytes; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '.';
	log_info("%s says: %s", vcpu->vm->config.name, text);
	return (i64)bytes;
}

#define PIECE 32u /* words */

static i64 call_sum(struct vcpu *vcpu, u64 gpa, u64 count)
{
	u64 words[PIECE], sum = 0;

	if (count > SUM_MAX)
		return CALL_INVALID;
	while (count) {
		u64 n = MIN(count, (u64)PIECE);

		if (guest_read(&vcpu->vm->memory, gpa, words, n * sizeof(u64)))
			return CALL_FAULT;
		for (u64 i = 0; i < n; i++)
			sum += words[i];
		/* Not beyond the end of all addresses: that is no RAM. */
		gpa += n * sizeof(u64);
		count -= n;
	}
	return (i64)(sum & ~0ULL >> 1);
}

static i64 call(struct vcpu *vcpu, u64 number, u64 first, u64 second)
{
	switch (number) {
	case CALL_WHO:
		return vcpu->id;
	case CALL_SAY:
		return call_say(vcpu, first, second);
	case CALL_SUM:
		return call_sum(vcpu, first, second);
	default:
		return CALL_UNKNOWN;
	}
}

enum next_step handle_hypercall(struct vcpu *vcpu, struct vm_exit *exit)
{
	u64 *gpr = vcpu->state.gpr;
	u64 bits = in_64_bit_code(vcpu) ? ~0ULL : 0xffffffff;
	i64 answer = CALL_FORBIDDEN;

	if (!from_user(vcpu))
		answer = call(vcpu, gpr[RAX] & bits, gpr[RBX] & bits,
			      gpr[RCX] & bits);
	gpr[RAX] = (u64)answer & bits;
	return NEXT_SKIP;
}
