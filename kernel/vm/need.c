/*
 * What a VM's CPU model needs of a host, word by word, and what a host has: so
 * that a target can refuse in words, before anything has moved.
 */
#include "cpu/features.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vm/model_tables.h"
#include "vm/move.h"

#define SIZES_LEAF 0x80000008u
#define AVX_LEAF   0xdu

/* A width as that many ones, but for 32: one that is larger has all of them. */
static u32 width_bits(u32 width)
{
	return width > 32 ? BIT(width - 32) - 1 : 0;
}

static bool is_name(u32 leaf)
{
	return leaf >= 0x80000002 && leaf <= 0x80000006;
}

/*
 * The word of a row, as a need; false: it has none. What names the processor is
 * needed as it is; how it calls itself and its caches are not.
 */
static bool need_of(const struct model *model, unsigned row, unsigned reg,
		    struct cpu_need *need)
{
	const struct leaf_rule *rule = &model->rules->row[row];
	const u32 *keep = &rule->keep.eax, *shown = &model->table[row].eax;

	*need = (struct cpu_need){.leaf = rule->leaf,
				  .subleaf = rule->subleaf,
				  .reg = reg,
				  .value = shown[reg] & keep[reg]};
	if (rule->leaf == SIZES_LEAF && !reg) {
		need->value = width_bits(model->limits.phys_bits);
		snprintf(need->name, sizeof(need->name),
			 "%u physical address bits", model->limits.phys_bits);
		return true;
	}
	if (rule->leaf == AVX_LEAF && rule->subleaf == 2) {
		need->value = shown[reg];
		need->equal = true;
	}
	if (keep[reg] == ~0u && !is_name(rule->leaf))
		need->equal = true;
	snprintf(need->name, sizeof(need->name), "CPUID %x.%u E%cX", rule->leaf,
		 rule->subleaf, "ABCD"[reg]);
	return need->value && !is_name(rule->leaf);
}

bool vm_cpu_need(const struct vm *vm, unsigned i, struct cpu_need *need)
{
	for (unsigned row = 0; row < vm->model->rules->rows; row++)
		for (unsigned reg = 0; reg < 4; reg++)
			if (need_of(vm->model, row, reg, need) && !i--)
				return true;
	return false;
}

u32 vm_cpu_have(const struct cpu_need *need)
{
	const struct cpuid_result host =
		model_host_leaf(need->leaf, need->subleaf);
	const u32 word[] = {host.eax, host.ebx, host.ecx, host.edx};

	if (need->leaf == SIZES_LEAF && need->reg == 0)
		return width_bits(features.phys_bits);
	return need->reg < ARRAY_LEN(word) ? word[need->reg] : 0;
}
