/*
 * Which CPUID bits a guest sees, by CPU model, and what we add. A bit that is
 * not named here is hidden: new hardware never leaks through. docs/machine.md
 * has the reasons.
 */
#include "vm/model_tables.h"

/* Documentation/virt/kvm/x86/cpuid.rst of Linux's source. */
#define KVM_FEATURES                                               \
	(BIT(0) /* its clock by MSRs 0x11, 0x12 */ |               \
	 BIT(1) /* no need to wait after port accesses */ |        \
	 BIT(3) /* its clock by MSRs 0x4b564d00, 01 */ |           \
	 BIT(6) /* interrupts end without an exit, 0x4b564d04 */ | \
	 BIT(24) /* which all vCPUs may read alike */)

/* --- host: what it has of these; named by SDM vol. 2A CPUID, APM vol. 3 E. */
#define LEAF1_ECX                                                              \
	(BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ |     \
	 BIT(12) /* FMA */ | BIT(13) /* CMPXCHG16B */ | BIT(19) /* SSE4.1 */ | \
	 BIT(20) /* SSE4.2 */ | BIT(22) /* MOVBE */ | BIT(23) /* POPCNT */ |   \
	 BIT(25) /* AES */ | BIT(26) /* XSAVE */ | BIT(28) /* AVX */ |         \
	 BIT(29) /* F16C */ | BIT(30) /* RDRAND */)
#define LEAF1_EDX                                                          \
	(BIT(0) /* FPU */ | BIT(1) /* VME */ | BIT(2) /* DE */ |           \
	 BIT(3) /* PSE */ | BIT(4) /* TSC */ | BIT(5) /* MSR */ |          \
	 BIT(6) /* PAE */ | BIT(7) /* MCE */ | BIT(8) /* CX8 */ |          \
	 BIT(9) /* APIC */ | BIT(11) /* SEP */ | BIT(12) /* MTRR */ |      \
	 BIT(13) /* PGE */ | BIT(14) /* MCA */ | BIT(15) /* CMOV */ |      \
	 BIT(16) /* PAT */ | BIT(17) /* PSE36 */ | BIT(19) /* CLFLUSH */ | \
	 BIT(23) /* MMX */ | BIT(24) /* FXSR */ | BIT(25) /* SSE */ |      \
	 BIT(26) /* SSE2 */)
#define LEAF7_EBX                                                        \
	(BIT(0) /* FSGSBASE */ | BIT(3) /* BMI1 */ | BIT(5) /* AVX2 */ | \
	 BIT(7) /* SMEP */ | BIT(8) /* BMI2 */ | BIT(9) /* ERMS */ |     \
	 BIT(18) /* RDSEED */ | BIT(19) /* ADX */ | BIT(20) /* SMAP */ | \
	 BIT(23) /* CLFLUSHOPT */ | BIT(29) /* SHA */)
#define LEAF7_ECX  (BIT(2) /* UMIP */)
#define LEAFD_XCR0 7u /* x87, SSE, AVX: what the baseline carries */
#define EXT1_ECX                                                     \
	(BIT(0) /* LAHF */ | BIT(4) /* CR8 */ | BIT(5) /* LZCNT */ | \
	 BIT(6) /* SSE4A */ | BIT(7) /* misaligned SSE */ |          \
	 BIT(8) /* PREFETCHW */)
#define EXT1_EDX                                                            \
	(LEAF1_EDX | BIT(20) /* NX */ | BIT(22) /* MMXEXT */ |              \
	 BIT(26) /* 1G pages */ | BIT(27) /* RDTSCP */ | BIT(29) /* LM */ | \
	 BIT(11) /* SYSCALL */)

#define ALL 0xffffffffu

static const struct leaf_rule host_rows[] = {
	{0, 0, {0, ALL, ALL, ALL}, {MAX_LEAF, 0, 0, 0}},
	{1,
	 0,
	 {ALL, 0x0000ff00 /* CLFLUSH size */, LEAF1_ECX, LEAF1_EDX},
	 {0, 0,
	  BIT(21) /* x2APIC */ | BIT(24) /* TSC deadline */ |
		  BIT(31) /* hypervisor */,
	  BIT(9)}},
	{6, 0, {0, 0, 0, 0}, {BIT(2) /* APIC timer always runs */, 0, 0, 0}},
	{7, 0, {0, LEAF7_EBX, LEAF7_ECX, 0}, {0, 0, 0, 0}},
	{0xd, 0, {LEAFD_XCR0, 0, 0, 0}, {0, 0, 0, 0}},
	{0xd,
	 1,
	 {BIT(0) /* XSAVEOPT */ | BIT(2) /* XGETBV 1 */, 0, 0, 0},
	 {0, 0, 0, 0}},
	{0xd, 2, {ALL, ALL, ALL, 0}, {0, 0, 0, 0}},
	/* "KVMKVMKVM": what guests know to make use of */
	{HYPERVISOR_LEAF,
	 0,
	 {0, 0, 0, 0},
	 {HYPERVISOR_LEAF + 1, 0x4b4d564b, 0x564b4d56, 0x4d}},
	{HYPERVISOR_LEAF + 1, 0, {0, 0, 0, 0}, {KVM_FEATURES, 0, 0, 0}},
	/* "GodwitGodwit": and who it really is */
	{OWN_LEAF,
	 0,
	 {0, 0, 0, 0},
	 {OWN_LEAF, 0x77646f47, 0x6f477469, 0x74697764}},
	{0x80000000, 0, {0, ALL, ALL, ALL}, {MAX_EXTENDED_LEAF, 0, 0, 0}},
	{0x80000001, 0, {ALL, 0, EXT1_ECX, EXT1_EDX}, {0, 0, 0, 0}},
	{0x80000002, 0, {ALL, ALL, ALL, ALL}, {0, 0, 0, 0}},
	{0x80000003, 0, {ALL, ALL, ALL, ALL}, {0, 0, 0, 0}},
	{0x80000004, 0, {ALL, ALL, ALL, ALL}, {0, 0, 0, 0}},
	{0x80000005, 0, {ALL, ALL, ALL, ALL}, {0, 0, 0, 0}},
	{0x80000006, 0, {ALL, ALL, ALL, ALL}, {0, 0, 0, 0}},
	{0x80000007, 0, {0, 0, 0, BIT(8) /* invariant TSC */}, {0, 0, 0, 0}},
	{0x80000008, 0, {0x0000ffff, 0, 0, 0}, {0, 0, 0, 0}},
};

/*
 * --- baseline: the same on every host, whoever made it
 *
 * What Intel has had since Ivy Bridge (2012) and AMD since Zen (2017). Its
 * vendor is neither of them: a kernel that takes the one's way into the system
 * from 32-bit code, or counts on not having the one's faults, dies or is unsafe
 * on the other. A kernel that knows neither does what both can.
 */
#define BASE1_ECX                                                          \
	(BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ | \
	 BIT(13) /* CMPXCHG16B */ | BIT(19) /* SSE4.1 */ |                 \
	 BIT(20) /* SSE4.2 */ | BIT(23) /* POPCNT */ | BIT(25) /* AES */ | \
	 BIT(26) /* XSAVE */ | BIT(28) /* AVX */ | BIT(29) /* F16C */ |    \
	 BIT(30) /* RDRAND */)
/* Without VME, which is of use to 16-bit programs only; the APIC is ours. */
#define BASE1_EDX (LEAF1_EDX & ~(BIT(1) | BIT(9)))
#define BASE7_EBX (BIT(0) /* FSGSBASE */ | BIT(7) /* SMEP */)
#define BASE_EXT1_EDX                                                      \
	(BIT(11) /* SYSCALL */ | BIT(20) /* NX */ | BIT(27) /* RDTSCP */ | \
	 BIT(29) /* LM */)

#define LINE_64	       0x0800 /* leaf 1 EBX: CLFLUSH, in 8 bytes */
#define FAMILY_6       0x600
#define L1_32K_8WAY    0x20080140
#define L2_512K_8WAY   0x02006140
#define BASE_PHYS_BITS 39 /* the least of 64-bit desktops */
#define AVX_SIZE       256
#define AVX_OFFSET     576

static const struct leaf_rule baseline_rows[] = {
	{0, 0, {0, 0, 0, 0}, {MAX_LEAF, 0x77646f47, 0x74697764, 0x6f477469}},
	{1,
	 0,
	 {0, 0, BASE1_ECX, BASE1_EDX},
	 {FAMILY_6, LINE_64, BIT(21) /* x2APIC */ | BIT(31) /* hypervisor */,
	  BIT(9)}},
	{6, 0, {0, 0, 0, 0}, {BIT(2) /* APIC timer always runs */, 0, 0, 0}},
	{7, 0, {0, BASE7_EBX, 0, 0}, {0, 0, 0, 0}},
	{0xd, 0, {LEAFD_XCR0, 0, 0, 0}, {0, 0, 0, 0}},
	{0xd, 1, {BIT(0) /* XSAVEOPT */, 0, 0, 0}, {0, 0, 0, 0}},
	{0xd, 2, {AVX_SIZE, AVX_OFFSET, 0, 0}, {0, 0, 0, 0}},
	{HYPERVISOR_LEAF,
	 0,
	 {0, 0, 0, 0},
	 {HYPERVISOR_LEAF + 1, 0x4b4d564b, 0x564b4d56, 0x4d}},
	{HYPERVISOR_LEAF + 1, 0, {0, 0, 0, 0}, {KVM_FEATURES, 0, 0, 0}},
	{OWN_LEAF,
	 0,
	 {0, 0, 0, 0},
	 {OWN_LEAF, 0x77646f47, 0x6f477469, 0x74697764}},
	{0x80000000, 0, {0, 0, 0, 0}, {MAX_EXTENDED_LEAF, 0, 0, 0}},
	{0x80000001, 0, {0, 0, BIT(0) /* LAHF */, BASE_EXT1_EDX}, {0, 0, 0, 0}},
	/* "Godwit baseline CPU" */
	{0x80000002,
	 0,
	 {0, 0, 0, 0},
	 {0x77646f47, 0x62207469, 0x6c657361, 0x20656e69}},
	{0x80000003, 0, {0, 0, 0, 0}, {0x00555043, 0, 0, 0}},
	{0x80000005, 0, {0, 0, 0, 0}, {0, 0, L1_32K_8WAY, L1_32K_8WAY}},
	{0x80000006, 0, {0, 0, 0, 0}, {0, 0, L2_512K_8WAY, 0}},
	{0x80000008, 0, {0, 0, 0, 0}, {48 << 8 | BASE_PHYS_BITS, 0, 0, 0}},
};

_Static_assert(ARRAY_LEN(host_rows) <= MODEL_ROWS &&
		       ARRAY_LEN(baseline_rows) <= MODEL_ROWS,
	       "MODEL_ROWS");

const struct model_rules model_rules[MODELS] = {
	[MODEL_HOST] = {"host", host_rows, ARRAY_LEN(host_rows), false},
	[MODEL_BASELINE] = {"baseline", baseline_rows, ARRAY_LEN(baseline_rows),
			    true},
};
