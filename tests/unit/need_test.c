/*
 * What a VM's CPU model needs of a host, against hosts that lack something.
 *
 *	links: kernel/vm/need.c kernel/vm/model_tables.c
 */
#include "tests/unit/test.h"

#include "cpu/features.h"
#include "vm/model_tables.h"
#include "vm/move.h"

struct cpu_features features = {.phys_bits = 46};
static struct model models[MODELS];
static struct cpuid_result host_leaf_1;
static struct vm vm;

const struct model *model_of(enum cpu_model which)
{
	return &models[which];
}

struct cpuid_result model_host_leaf(u32 leaf, u32 subleaf)
{
	return leaf == 1 ? host_leaf_1
			 : (struct cpuid_result){~0u, ~0u, ~0u, ~0u};
}

/* The VM's model as a host that has everything shows it. */
static void start(enum cpu_model which)
{
	for (unsigned i = 0; i < MODELS; i++) {
		models[i].rules = &model_rules[i];
		models[i].limits.phys_bits = 39;
		for (unsigned row = 0; row < model_rules[i].rows; row++)
			models[i].table[row] = model_rules[i].row[row].keep;
	}
	host_leaf_1 = (struct cpuid_result){~0u, ~0u, ~0u, ~0u};
	features.phys_bits = 46;
	vm.model = &models[which];
}

/* How many needs are not met, and the last of them. */
static unsigned unmet(struct cpu_need *last)
{
	struct cpu_need need;
	unsigned n = 0;

	for (unsigned i = 0; vm_cpu_need(&vm, i, &need); i++) {
		u32 have = vm_cpu_have(&need);

		if (need.equal ? have == need.value : !(need.value & ~have))
			continue;
		*last = need;
		n++;
	}
	return n;
}

TEST(a_host_that_has_all)
{
	struct cpu_need need;

	start(MODEL_BASELINE);
	CHECK_EQ(unmet(&need), 0);
	start(MODEL_HOST);
	CHECK_EQ(unmet(&need), 0);
	CHECK(!vm_cpu_need(&vm, 1000, &need));
}

TEST(baseline_without_a_feature)
{
	struct cpu_need need;

	start(MODEL_BASELINE);
	host_leaf_1.ecx &= ~(u32)BIT(20);
	CHECK_EQ(unmet(&need), 1);
	CHECK_STR(need.name, "CPUID 1.0 ECX");
	CHECK_EQ(need.value & ~vm_cpu_have(&need), BIT(20));
}

TEST(baseline_with_narrow_addresses)
{
	struct cpu_need need;

	start(MODEL_BASELINE);
	features.phys_bits = 38;
	CHECK_EQ(unmet(&need), 1);
	CHECK_STR(need.name, "39 physical address bits");
}

TEST(host_of_another_vendor)
{
	static struct model theirs;
	struct cpu_need need;

	start(MODEL_HOST);
	theirs = models[MODEL_HOST];
	theirs.table[0].ebx = 0x756e6547;
	vm.model = &theirs;
	CHECK_EQ(unmet(&need), 1);
	CHECK(need.equal);
	CHECK_STR(need.name, "CPUID 0.0 EBX");
}
