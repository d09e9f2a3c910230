/*
 * What this processor is and can do, read from CPUID once at start: the
 * features that the host uses, by name. All CPUs of the machine have them: one
 * that lacks a feature the bootstrap CPU has is not started.
 */
#ifndef CPU_FEATURES_H
#define CPU_FEATURES_H

#include "lib/error.h"
#include "lib/types.h"

enum cpu_vendor { VENDOR_OTHER, VENDOR_INTEL, VENDOR_AMD };

/*
 * X(field, leaf, subleaf, register, bit): the bit tells whether the feature is
 * there (SDM vol. 2A CPUID, APM vol. 3 appendix E).
 */
#define CPU_FEATURES(X)                    \
	X(vmx, 1, 0, ecx, 5)               \
	X(pcid, 1, 0, ecx, 17)             \
	X(x2apic, 1, 0, ecx, 21)           \
	X(tsc_deadline, 1, 0, ecx, 24)     \
	X(xsave, 1, 0, ecx, 26)            \
	X(rdrand, 1, 0, ecx, 30)           \
	X(hypervisor, 1, 0, ecx, 31)       \
	X(mce, 1, 0, edx, 7)               \
	X(apic, 1, 0, edx, 9)              \
	X(pge, 1, 0, edx, 13)              \
	X(pat, 1, 0, edx, 16)              \
	X(fsgsbase, 7, 0, ebx, 0)          \
	X(smep, 7, 0, ebx, 7)              \
	X(erms, 7, 0, ebx, 9)              \
	X(smap, 7, 0, ebx, 20)             \
	X(umip, 7, 0, ecx, 2)              \
	X(xsaveopt, 0xd, 1, eax, 0)        \
	X(xsavec, 0xd, 1, eax, 1)          \
	X(xsaves, 0xd, 1, eax, 3)          \
	X(svm, 0x80000001, 0, ecx, 2)      \
	X(nx, 0x80000001, 0, edx, 20)      \
	X(gbpages, 0x80000001, 0, edx, 26) \
	X(rdtscp, 0x80000001, 0, edx, 27)  \
	X(invariant_tsc, 0x80000007, 0, edx, 8)

#define FEATURE_FIELD(field, ...) bool field;
struct cpu_features {
	enum cpu_vendor vendor;
	char vendor_id[13];	/* "GenuineIntel" */
	char brand[49];		/* leaf 0x80000002, without padding */
	char hypervisor_id[13]; /* who is below us, "" for nobody that tells */
	u32 max_leaf;
	u32 max_extended_leaf;
	u32 signature; /* leaf 1 EAX: family, model, stepping */
	u8 phys_bits;
	u8 virt_bits;
	u64 xcr0;	/* the state components the host turns on */
	u32 xsave_size; /* of a standard-format area for all of them */
	CPU_FEATURES(FEATURE_FIELD)
};
#undef FEATURE_FIELD

extern struct cpu_features features;

/* On the bootstrap CPU: fills `features`. Panics without NX, APIC, PAT. */
void features_read(void);

/* On any CPU: sets CR0, CR4, EFER, PAT and XCR0 as the host wants them. */
void features_enable(void);

/* On an AP: does it have all that the bootstrap CPU has? Names what not. */
err_t features_compare(void);

/* "NX SMEP SMAP ..." of what was found; returns buf. */
const char *features_text(char *buf, size_t size);

#endif
