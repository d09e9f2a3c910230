/* What a VM needs of the CPU of its next host, as the protocol says it. */
#include "lib/string.h"
#include "migration/parts.h"
#include "vm/move.h"

unsigned needs_of(const struct vm *vm, struct requirement *needs, unsigned max)
{
	struct cpu_need need;
	unsigned n = 0;

	for (; n < max && vm_cpu_need(vm, n, &need); n++) {
		needs[n] = (struct requirement){
			.class = CLASS_CPUID,
			.rule = need.equal ? RULE_EQUAL : RULE_BITS,
			.reg = need.reg,
			.index = need.leaf,
			.sub = need.subleaf,
			.value = need.value,
		};
		copy_string(needs[n].name, sizeof(needs[n].name), need.name);
	}
	return n;
}

/* What this version does not know of, it does not have. */
u64 needs_have(const struct requirement *requirement)
{
	struct cpu_need need = {
		.leaf = requirement->index,
		.subleaf = requirement->sub,
		.reg = (u8)requirement->reg,
		.equal = requirement->rule == RULE_EQUAL,
		.value = (u32)requirement->value,
	};

	if (requirement->class != CLASS_CPUID || requirement->reg > 3)
		return 0;
	copy_string(need.name, sizeof(need.name), requirement->name);
	return vm_cpu_have(&need);
}
