/*
 * The pure parts of the SVM engine: the rules of VMRUN, each broken once, and
 * ASIDs against a TLB that remembers whose translations it holds.
 *
 *	links: kernel/svm/rules.c kernel/svm/npt.c kernel/vm/rules.c
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/msr.h"
#include "cpu/regs.h"
#include "svm/svm.h"
#include "vm/vm.h"

struct svm_caps svm_caps;

/* --- the rules of VMRUN (15.5.1) */

static const struct svm_caps caps = {.asids = 16, .phys_bits = 40};

/* 64-bit code, as small as it may be. */
static const struct vmcb good = {
	.intercept_misc2 = INTERCEPT_VMRUN,
	.iopm_base = 0x10000,
	.msrpm_base = 0x13000,
	.asid = 15,
	.np_control = NP_ENABLE,
	.ncr3 = 0x20000,
	.cs = {.attr = SEG_P | SEG_S | SEG_L | 11},
	.efer = EFER_SVME | EFER_LME | EFER_LMA,
	.cr0 = CR0_PG | CR0_PE,
	.cr4 = CR4_PAE,
	.cr3 = 0x30000,
	.dr6 = 0xffff0ff0,
	.dr7 = 0x400,
	.g_pat = PAT_DEFAULT,
};

static struct vmcb vmcb;
static char why[128];

static void expect_fine(void)
{
	strcpy(why, "");
	CHECK_EQ(svm_check(&vmcb, &caps, why, sizeof(why)), E_OK);
	CHECK_STR(why, "");
}

static void expect_broken(const char *words)
{
	CHECK_EQ(svm_check(&vmcb, &caps, why, sizeof(why)), E_INVALID);
	CHECK_STR(why, words);
	vmcb = good;
}

TEST(good_vmcb_passes)
{
	vmcb = good;
	expect_fine();
	vmcb.efer = EFER_SVME;
	vmcb.cr0 = CR0_CD | CR0_NW; /* power-on */
	vmcb.cr4 = 0;
	vmcb.cs.attr = SEG_P | SEG_S | 11;
	expect_fine();
}

TEST(registers_broken_once_each)
{
	vmcb = good;
	vmcb.efer &= ~EFER_SVME;
	expect_broken("EFER 500: SVME clear");
	vmcb.cr0 |= CR0_NW;
	expect_broken("CR0 a0000001: NW without CD");
	vmcb.cr0 |= BIT(32);
	expect_broken("CR0 180000001: upper half set");
	vmcb.cr4 |= CR4_VMXE;
	expect_broken("CR4 2020: reserved bits set");
	vmcb.dr6 |= BIT(32);
	expect_broken("DR6 1ffff0ff0: upper half set");
	vmcb.dr7 |= BIT(63);
	expect_broken("DR7 8000000000000400: upper half set");
	vmcb.efer |= BIT(1);
	expect_broken("EFER 1502: reserved bits set");
	vmcb.cr4 = 0;
	expect_broken("EFER.LME and CR0.PG set, CR4 0: PAE clear");
	vmcb.cr0 = CR0_PG;
	expect_broken("EFER.LME and CR0.PG set, CR0 80000000: PE clear");
	vmcb.cs.attr |= SEG_DB;
	expect_broken("long mode, CS attributes 69b: L and D set");
}

TEST(controls_broken_once_each)
{
	vmcb = good;
	vmcb.intercept_misc2 = 0;
	expect_broken("VMRUN is not intercepted");
	vmcb.asid = 0;
	expect_broken("ASID 0");
	vmcb.asid = 16;
	expect_broken("ASID 16: there are 16");
	vmcb.cr3 = BIT(40);
	expect_broken("page tables of CR3 at 10000000000: beyond 40 bits");
	vmcb.ncr3 = BIT(41);
	expect_broken("nested page tables at 20000000000: beyond 40 bits");
	/* It is the last byte that counts. */
	vmcb.iopm_base = BIT(40) - 3 * PAGE_SIZE;
	expect_fine();
	vmcb.iopm_base += PAGE_SIZE;
	expect_broken("IOPM at ffffffe000: beyond 40 bits");
	vmcb.msrpm_base = BIT(40) - PAGE_SIZE;
	expect_broken("MSRPM at fffffff000: beyond 40 bits");
	vmcb.g_pat = 2;
	expect_broken("G_PAT 2: no such memory type");
}

TEST(events_broken_once_each)
{
	static const struct {
		u32 type, vector;
		const char *words;
	} bad[] = {
		{1, 32, "EVENTINJ 80000120: no such type"},
		{5, 32, "EVENTINJ 80000520: no such type"},
		{6, 32, "EVENTINJ 80000620: no such type"},
		{7, 32, "EVENTINJ 80000720: no such type"},
		{3, 2, "EVENTINJ 80000302: no exception is vector 2"},
		{3, 31, "EVENTINJ 8000031f: no exception is vector 31"},
		{3, 32,
		 "EVENTINJ 80000320: an exception with a vector above "
		 "31"},
	};
	static const u32 fine[] = {0x020, 0x0ff, 0x202, 0x306, 0x30d, 0x4ff};

	for (unsigned i = 0; i < ARRAY_LEN(fine); i++) {
		vmcb = good;
		vmcb.event_inj = EVENT_VALID | fine[i];
		expect_fine();
	}
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		vmcb = good;
		vmcb.event_inj =
			bad[i].type << EVENT_TYPE_SHIFT | bad[i].vector;
		expect_fine(); /* bit 31 clear: nothing is injected */
		vmcb.event_inj |= EVENT_VALID;
		expect_broken(bad[i].words);
	}
}

/* --- ASIDs: a TLB that remembers what emulators forget at every entry */

#define CPUS   2
#define VCPUS  5
#define ASIDS  4 /* 1 to 3 */
#define ROUNDS 200000

/* What a CPU's TLB may hold under an ASID: whose, and how old. */
struct tagged {
	int vcpu; /* -1: nothing */
	u64 narrowed;
};

static struct tagged tlb[CPUS][ASIDS];
static struct svm_cpu cpus[CPUS];
static struct vm machines[VCPUS];
static struct vcpu vcpus[VCPUS];
static struct svm_vcpu svms[VCPUS];
static struct vmcb vmcbs[VCPUS];

static void set_up_machine(u32 features)
{
	svm_caps = (struct svm_caps){.features = features, .asids = ASIDS};
	memset(cpus, 0, sizeof(cpus));
	for (unsigned i = 0; i < CPUS; i++) {
		cpus[i] = (struct svm_cpu){.id = i,
					   .next_asid = 1,
					   .generation = 1,
					   .flush_all = true};
		/* The firmware's leavings. */
		for (unsigned a = 0; a < ASIDS; a++)
			tlb[i][a] = (struct tagged){VCPUS, 0};
	}
	memset(machines, 0, sizeof(machines));
	memset(vcpus, 0, sizeof(vcpus));
	memset(vmcbs, 0, sizeof(vmcbs));
	for (int i = 0; i < VCPUS; i++) {
		svms[i] = (struct svm_vcpu){.vmcb = &vmcbs[i], .last_cpu = -1};
		vcpus[i].vm = &machines[i];
		vcpus[i].hw = &svms[i];
	}
}

static void attach(unsigned v, unsigned c)
{
	svms[v].cpu = &cpus[c];
	cpus[c].vcpu = &vcpus[v];
	svm_flush_attach(&vcpus[v]);
}

static void detach(unsigned c)
{
	svm_flush_detach(cpus[c].vcpu);
	cpus[c].vcpu = NULL;
}

/* VMRUN: flushes as told, then uses and fills what it finds. */
static void run(unsigned c)
{
	unsigned v = cpus[c].vcpu - vcpus;
	struct vmcb *b = &vmcbs[v];
	struct tagged *t;

	CHECK(b->asid >= 1 && b->asid < ASIDS);
	t = &tlb[c][b->asid];
	if (b->tlb_control == TLB_FLUSH_ALL)
		for (unsigned a = 0; a < ASIDS; a++)
			tlb[c][a].vcpu = -1;
	else if (b->tlb_control == TLB_FLUSH_ASID)
		t->vcpu = -1;
	else
		CHECK_EQ(b->tlb_control, TLB_NOTHING);
	if (!(svm_caps.features & SVM_FLUSH_BY_ASID))
		CHECK(b->tlb_control != TLB_FLUSH_ASID);
	if (t->vcpu != -1) {
		CHECK_EQ(t->vcpu, (int)v);
		CHECK_EQ(t->narrowed, machines[v].slpt.narrowed);
	}
	*t = (struct tagged){v, machines[v].slpt.narrowed};
	b->tlb_control = TLB_NOTHING; /* svm_after_exit() */
	svms[v].after = 0;
}

/* The run loop's ways: with a narrowing now and then, and not always entered.
 */
static void take_turns(u32 features)
{
	set_up_machine(features);
	srand(1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned c = rand() % CPUS, v = rand() % VCPUS;
		bool elsewhere = cpus[!c].vcpu == &vcpus[v];

		switch (rand() % 6) {
		case 0:
		case 1:
			if (!elsewhere && !cpus[c].vcpu)
				attach(v, c);
			break;
		case 2:
			if (cpus[c].vcpu)
				detach(c);
			break;
		case 3:
			machines[v].slpt.narrowed++;
			break;
		default:
			if (!cpus[c].vcpu)
				break;
			if (cpus[c].vcpu->flushed !=
			    cpus[c].vcpu->vm->slpt.narrowed)
				svm_flush(cpus[c].vcpu);
			if (rand() % 4)
				run(c);
		}
	}
}

TEST(no_stale_translation_with_few_asids)
{
	take_turns(0);
}

TEST(no_stale_translation_with_flush_by_asid)
{
	take_turns(SVM_FLUSH_BY_ASID);
}

/* A flush of everything that its vCPU leaves undone is the next one's. */
TEST(flush_of_all_is_not_lost)
{
	set_up_machine(0);
	attach(0, 0);
	CHECK_EQ(vmcbs[0].tlb_control, TLB_FLUSH_ALL);
	detach(0);
	attach(1, 0);
	CHECK_EQ(vmcbs[1].tlb_control, TLB_FLUSH_ALL);
	run(0);
	detach(0);
	attach(2, 0);
	CHECK_EQ(vmcbs[2].tlb_control, TLB_NOTHING);
}

/* Flushing one vCPU leaves the others' translations alone. */
TEST(a_flush_is_one_vcpu_s)
{
	set_up_machine(SVM_FLUSH_BY_ASID);
	attach(0, 0);
	run(0);
	detach(0);
	attach(1, 0);
	run(0);
	svm_flush(&vcpus[1]);
	CHECK_EQ(vmcbs[1].tlb_control, TLB_FLUSH_ASID);
	run(0);
	detach(0);
	attach(0, 0);
	CHECK_EQ(vmcbs[0].tlb_control, TLB_NOTHING);
	CHECK_EQ(tlb[0][vmcbs[0].asid].vcpu, 0);
}
