/* The CPU models' tables, for model.c alone. */
#ifndef VM_MODEL_TABLES_H
#define VM_MODEL_TABLES_H

#include "vm/model.h"

#define MAX_LEAF	  0xd
#define MAX_EXTENDED_LEAF 0x80000008
#define HYPERVISOR_LEAF	  0x40000000
#define OWN_LEAF	  0x40000100
#define EXITS_LEAF	  (OWN_LEAF + 1) /* with `counters = yes` */
#define EXIT_KIND_LEAF	  (OWN_LEAF + 2)

/* One leaf: host & keep | set. Leaves without a row answer zero. */
struct leaf_rule {
	u32 leaf, subleaf;
	struct cpuid_result keep, set;
};

struct model_rules {
	const char *name;
	const struct leaf_rule *row;
	unsigned rows; /* at most MODEL_ROWS */
	bool complete; /* the host must have all that is to be kept */
};

extern const struct model_rules model_rules[MODELS];

#endif
