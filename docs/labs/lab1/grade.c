/*
 * Lab 1's unit checks: the student's files on a made-up processor
 * (processor.h), with a firmware that has left it in one state or another.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "docs/labs/lab1/processor.h"
#include "lib/log.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "svm/svm.h"
#include "tests/unit/test.h"
/* No file of the kernel knows both engines; here the second's words give way.
 */
#define event_type	    vmx_event_type
#define TYPE_INTERRUPT	    VMX_TYPE_INTERRUPT
#define TYPE_NMI	    VMX_TYPE_NMI
#define TYPE_EXCEPTION	    VMX_TYPE_EXCEPTION
#define TYPE_SOFT_INTERRUPT VMX_TYPE_SOFT_INTERRUPT
#include "vmx/vmx.h"

u64 host_phys_offset;
struct cpu_features features;
struct vmx_caps vmx_caps;

#define EFER_AT_FIRST (EFER_LME | EFER_LMA | EFER_NXE)
#define CR0_AT_FIRST  (CR0_PG | CR0_PE | CR0_CD)
#define CR4_AT_FIRST  (CR4_PAE | CR4_PKE)

static struct cpu cpu;
static char said[512];

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(said + strlen(said), sizeof(said) - strlen(said), fmt, args);
	va_end(args);
}

u64 virt_to_phys(const void *virt)
{
	return (u64)virt - host_phys_offset;
}

size_t copy_string(char *to, size_t size, const char *from);
size_t copy_string(char *to, size_t size, const char *from)
{
	return (size_t)snprintf(to, size, "%s", from);
}

void vmx_flush_all(void)
{
	CHECK(hw.vmx_on);
	hw.flushed = true;
}

void vmx_read_msrs(struct vmx_msrs *msrs)
{
}

err_t vmx_choose(const struct vmx_msrs *msrs, struct vmx_caps *caps,
		 struct engine_caps *out)
{
	return E_OK;
}

/* --- what the tests share */

static void memory(void)
{
	u8 *window = mmap(NULL, MIB(4), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct boot_region *region = (void *)(window + 0x3000);
	struct boot_info *info = (void *)(window + 0x2000);

	CHECK(window != MAP_FAILED);
	host_phys_offset = (u64)window;
	memset(window + MIB(1), 0xa5, MIB(3));
	*region = (struct boot_region){MIB(1), MIB(3), BOOT_MEM_FREE, 0};
	info->regions = 0x3000;
	info->region_count = 1;
	pages_init(info);
}

static void start(void)
{
	memory();
	hw.efer = EFER_AT_FIRST;
	hw.cr0 = CR0_AT_FIRST;
	hw.cr4 = CR4_AT_FIRST;
	hw.svm_features = SVM_NESTED_PAGING | SVM_NRIP_SAVE;
	hw.asids = 16;
	cpu.id = 3;
	features.svm = features.vmx = true;
	features.vendor = VENDOR_AMD;
	vmx_caps.revision = 0x2b;
	vmx_caps.msrs.cr0_fixed0 = 0x80000021; /* PG, NE, PE */
	vmx_caps.msrs.cr0_fixed1 = 0xbfffffff; /* no CD here */
	vmx_caps.msrs.cr4_fixed0 = 0x2000;     /* VMXE */
	vmx_caps.msrs.cr4_fixed1 = 0x3727ff;   /* no PKE */
}

static struct engine_caps caps;

static void refuses(const char *what)
{
	memset(&caps, 0xff, sizeof(caps));
	CHECK_EQ(svm_probe(&caps), E_UNSUPPORTED);
	CHECK_STR(caps.missing, what);
	CHECK(strstr(said, what));
}

/* A page of the allocator, and nothing in it that was there before. */
static void is_fresh_page(u64 phys)
{
	static const u8 zeroes[PAGE_SIZE];

	CHECK(phys >= MIB(1) && phys < MIB(4) && !(phys & PAGE_MASK));
	CHECK_EQ(page_block_order(phys), 0);
	CHECK_MEM((u8 *)phys_to_virt(phys) + 4, zeroes, PAGE_SIZE - 4);
}

/* Turns on with less and less memory: an answer, and nothing is left. */
static void without_memory(err_t (*on)(struct cpu *cpu),
			   void (*off)(struct cpu *cpu))
{
	err_t err = E_NOMEM;
	u64 held[1024], free_pages;
	unsigned count = 0;

	/* The slabs' own pages are there already. */
	CHECK(kzalloc(sizeof(struct svm_cpu)) &&
	      kzalloc(sizeof(struct vmx_cpu)));
	while ((held[count] = page_alloc(0)) != 0)
		count++;
	for (unsigned given = 0; err == E_NOMEM; given++) {
		CHECK(given < 8);
		free_pages = page_stats().free;
		err = on(&cpu);
		if (err == E_NOMEM) {
			CHECK_EQ(page_stats().free, free_pages);
			CHECK_EQ((u64)cpu.engine, 0);
			page_free(held[--count], 0);
		}
	}
	CHECK_EQ(err, E_OK);
	off(&cpu);
	CHECK(page_stats().free + 2 * PAGE_SIZE >= free_pages);
}

/* --- SVM */

TEST(svm_of_another_vendor)
{
	start();
	features.svm = false;
	features.vendor = VENDOR_INTEL;
	CHECK_EQ(svm_probe(&caps), E_NOTFOUND);
	CHECK_STR(said, "");
	features.svm = true; /* Hygon's, say: it is SVM that counts */
	CHECK_EQ(svm_probe(&caps), E_OK);
}

TEST(svm_that_is_not_enough)
{
	start();
	features.svm = false;
	refuses("SVM");
	features.svm = true;
	hw.svm_features = SVM_NRIP_SAVE;
	refuses("nested paging");
	hw.svm_features = SVM_NESTED_PAGING;
	hw.asids = 1;
	refuses("ASIDs");
}

TEST(svm_tells_what_it_has)
{
	start();
	features.gbpages = true;
	features.phys_bits = 43;
	CHECK_EQ(svm_probe(&caps), E_OK);
	CHECK(caps.large_2m && caps.large_1g && caps.accessed_dirty);
	CHECK(caps.next_rip && !caps.decode_assist && !caps.clean_bits &&
	      !caps.flush_by_asid && !caps.tsc_scaling && !caps.pml);
	CHECK_EQ(caps.asids, 16);
	CHECK_EQ(svm_caps.asids, 16);
	CHECK_EQ(svm_caps.phys_bits, 43);
	CHECK_EQ(svm_caps.features, SVM_NESTED_PAGING | SVM_NRIP_SAVE);
	CHECK(svm_caps.large_1g && svm_caps.tells && !svm_caps.repeats);
	strcpy(features.hypervisor_id, "TCGTCGTCGTCG");
	hw.svm_features = ~(u32)SVM_NRIP_SAVE;
	CHECK_EQ(svm_probe(&caps), E_OK);
	CHECK(!svm_caps.tells && svm_caps.repeats && !caps.next_rip);
	CHECK(caps.decode_assist && caps.clean_bits && caps.flush_by_asid &&
	      caps.tsc_scaling);
}

TEST(svm_locked_off_by_the_firmware)
{
	start();
	hw.vm_cr = VM_CR_LOCK | VM_CR_SVMDIS;
	CHECK_EQ(svm_cpu_on(&cpu), E_UNSUPPORTED);
	CHECK_EQ((u64)cpu.engine, 0);
	CHECK_EQ(hw.efer, EFER_AT_FIRST);
	CHECK(strstr(said, "CPU 3") && strstr(said, "18"));
}

TEST(svm_switched_off_but_not_locked)
{
	start();
	hw.vm_cr = VM_CR_SVMDIS | BIT(0);
	CHECK_EQ(svm_cpu_on(&cpu), E_OK);
	CHECK_EQ(hw.vm_cr, BIT(0)); /* what was not meant stays */
	CHECK(hw.efer & EFER_SVME);
}

TEST(svm_locked_on_or_not_to_be_locked)
{
	start();
	hw.vm_cr = VM_CR_LOCK;
	CHECK_EQ(svm_cpu_on(&cpu), E_OK);
	svm_cpu_off(&cpu);
	hw.no_vm_cr = true;
	CHECK_EQ(svm_cpu_on(&cpu), E_OK);
	CHECK(hw.efer & EFER_SVME);
}

TEST(svm_on_and_off)
{
	const struct svm_cpu *sc;
	u64 before;

	start();
	kfree(kzalloc(sizeof(struct svm_cpu)));
	before = page_stats().free;
	svm_cpu_off(&cpu);
	CHECK_EQ(svm_cpu_on(&cpu), E_OK);
	sc = cpu.engine;
	CHECK(sc);
	CHECK_EQ(hw.efer, EFER_AT_FIRST | EFER_SVME);
	CHECK_EQ(hw.hsave, sc->hsave);
	CHECK_EQ(hw.saved, sc->host_vmcb);
	CHECK(sc->hsave != sc->host_vmcb);
	is_fresh_page(sc->hsave);
	is_fresh_page(sc->host_vmcb);
	CHECK(sc->flush_all);
	CHECK_EQ(sc->id, 3);
	CHECK_EQ(sc->generation, 1);
	CHECK_EQ(sc->next_asid, 1);
	CHECK_EQ((u64)sc->vcpu, 0);
	svm_cpu_off(&cpu);
	CHECK_EQ(hw.efer, EFER_AT_FIRST);
	CHECK_EQ((u64)cpu.engine, 0);
	CHECK(page_stats().free >= before);
	CHECK_EQ(svm_cpu_on(&cpu), E_OK);
}

TEST(svm_without_memory)
{
	start();
	without_memory(svm_cpu_on, svm_cpu_off);
}

/* --- VMX */

TEST(vmx_locked_off_by_the_firmware)
{
	start();
	hw.feature_control = FEATURE_CONTROL_LOCK;
	CHECK_EQ(vmx_cpu_on(&cpu), E_UNSUPPORTED);
	CHECK_EQ((u64)cpu.engine, 0);
	CHECK(strstr(said, "CPU 3") && strstr(said, "1"));
	/* Inside SMX alone is not enough. */
	hw.feature_control = FEATURE_CONTROL_LOCK | BIT(1);
	CHECK_EQ(vmx_cpu_on(&cpu), E_UNSUPPORTED);
	CHECK(!hw.vmx_on);
}

TEST(vmx_left_open_by_the_firmware)
{
	start();
	hw.feature_control = BIT(20);
	CHECK_EQ(vmx_cpu_on(&cpu), E_OK);
	CHECK_EQ(hw.feature_control,
		 BIT(20) | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_OUTSIDE_SMX);
	CHECK(hw.vmx_on);
}

TEST(vmx_on_and_off)
{
	u64 before;

	start();
	hw.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_OUTSIDE_SMX;
	kfree(kzalloc(sizeof(struct vmx_cpu)));
	before = page_stats().free;
	vmx_cpu_off(&cpu);
	CHECK_EQ(vmx_cpu_on(&cpu), E_OK);
	CHECK(hw.vmx_on && hw.flushed && cpu.engine);
	is_fresh_page(((struct vmx_cpu *)cpu.engine)->region);
	/* All that may stay as it was has stayed. */
	CHECK_EQ(hw.cr0, CR0_PG | CR0_PE | CR0_NE);
	CHECK_EQ(hw.cr4, CR4_PAE | CR4_VMXE);
	vmx_cpu_off(&cpu);
	CHECK(!hw.vmx_on && !(hw.cr4 & CR4_VMXE) && !cpu.engine);
	CHECK(page_stats().free >= before);
	CHECK_EQ(vmx_cpu_on(&cpu), E_OK);
}

TEST(vmx_that_fails)
{
	u64 before;

	start();
	kfree(kzalloc(sizeof(struct vmx_cpu)));
	before = page_stats().free;
	hw.vmx_fails = true;
	CHECK_EQ(vmx_cpu_on(&cpu), E_HARDWARE);
	CHECK_EQ((u64)cpu.engine, 0);
	CHECK_EQ(page_stats().free, before);
}

TEST(vmx_regions)
{
	u64 phys;

	start();
	phys = vmx_region();
	is_fresh_page(phys);
	CHECK_EQ(*(u32 *)phys_to_virt(phys), 0x2b);
	while (page_alloc(0))
		;
	CHECK_EQ(vmx_region(), 0);
}

TEST(vmx_without_memory)
{
	start();
	without_memory(vmx_cpu_on, vmx_cpu_off);
}
