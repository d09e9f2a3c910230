/*
 * What a VM's CPU model needs of a host, word by word, and what a host has: so
 * that a target can refuse in words, before anything has moved. `host` shows
 * one processor, so it needs another that would be shown alike; `baseline`
 * needs the bits that it keeps.
 */
#include "cpu/features.h"
#include "lib/printf.h"
#include "vm/model_tables.h"
#include "vm/move.h"

#define SIZES_LEAF 0x80000008u

static u32 word_of(const struct cpuid_result *r, unsigned reg)
{
	const u32 word[] = {r->eax, r->ebx, r->ecx, r->edx};

	return reg < ARRAY_LEN(word) ? word[reg] : 0;
}

/* A width as that many ones, but for 32: who has more has all of them. */
static u32 width_bits(u32 width)
{
	return width > 32 ? BIT(width - 32) - 1 : 0;
}

/* The word of a row as a need; false: it has none. */
static bool need_of(const struct model *model, unsigned row, unsigned reg,
		    struct cpu_need *need)
{
	const struct leaf_rule *rule = &model->rules->row[row];

	*need = (struct cpu_need){
		.leaf = rule->leaf, .subleaf = rule->subleaf, .reg = reg};
	snprintf(need->name, sizeof(need->name), "CPUID %x.%u E%cX", rule->leaf,
		 rule->subleaf, "ABCD"[reg]);
	if (!model->rules->complete) {
		need->equal = true;
		need->value = word_of(&model->table[row], reg);
		return true;
	}
	if (rule->leaf == SIZES_LEAF && !reg) {
		need->value = width_bits(model->limits.phys_bits);
		snprintf(need->name, sizeof(need->name),
			 "%u physical address bits", model->limits.phys_bits);
		return true;
	}
	need->value = word_of(&rule->keep, reg);
	return need->value;
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
	const struct model *shown = model_of(MODEL_HOST);
	const struct cpuid_result host =
		model_host_leaf(need->leaf, need->subleaf);

	for (unsigned i = 0; need->equal && i < shown->rules->rows; i++)
		if (shown->rules->row[i].leaf == need->leaf &&
		    shown->rules->row[i].subleaf == need->subleaf)
			return word_of(&shown->table[i], need->reg);
	if (need->leaf == SIZES_LEAF && need->reg == 0)
		return width_bits(features.phys_bits);
	return word_of(&host, need->reg);
}
