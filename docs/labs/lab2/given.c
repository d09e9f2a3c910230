/*
 * In lab 2 every CPUID goes the whole way to its handler; the kernel's own
 * kernel/svm/quick.c would answer most of them at the door.
 */
#include "svm/svm.h"

bool svm_quick(struct vcpu *vcpu)
{
	return false;
}
