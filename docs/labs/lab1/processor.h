/*
 * A made-up processor, as far as starting an engine needs one: what its
 * firmware has left in it, and what it does with what it is told. Where a real
 * one would raise an exception, the running test fails with a line that says
 * so.
 */
#ifndef LAB1_PROCESSOR_H
#define LAB1_PROCESSOR_H

#include "lib/types.h"

extern struct processor {
	u64 efer, vm_cr, hsave;
	bool no_vm_cr;
	u64 feature_control;
	u64 cr0, cr4;
	bool vmx_on, vmx_fails, flushed;
	u32 svm_features, asids;
	u64 saved; /* VMSAVE's last */
} hw;

#endif
