/*
 * Starting the other CPUs (SDM vol. 3A 9.4.4): INIT to all of them, then 10 ms
 * in which the caller has better things to do, then SIPI to one after the
 * other. All use one page below 1 MiB, whose parameters name the CPU that is
 * expected; one that does not come is sent back to INIT, so that it cannot
 * wake later and take another's place.
 */
#include "cpu/acpi.h"
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/lapic.h"
#include "cpu/regs.h"
#include "cpu/time.h"
#include "cpu/trampoline.h"
#include "cpu/traps.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "mm/paging.h"

#define STACK_SIZE     KIB(16)
#define LOW_PAGES      5       /* the trampoline and its page tables */
#define LOW_END	       0x9f000 /* below the firmware's EBDA */
#define SECOND_SIPI_NS (1 * NS_PER_MS)
#define GIVE_UP_NS     (200 * NS_PER_MS)

static struct cpu *cpus[MAX_CPUS];
static unsigned count;

static u32 candidates[MAX_CPUS];
static unsigned candidate_count;

static u64 low_memory; /* LOW_PAGES pages below 1 MiB, 0: none found */
static void (*ap_main)(void) NORETURN;
static struct cpu *volatile stopper;

unsigned cpu_count(void)
{
	return __atomic_load_n(&count, __ATOMIC_ACQUIRE);
}

struct cpu *cpu_by_id(unsigned id)
{
	return id < cpu_count() ? cpus[id] : NULL;
}

void cpu_add(struct cpu *cpu)
{
	cpus[count] = cpu;
	cpu->online = true;
	__atomic_store_n(&count, count + 1, __ATOMIC_RELEASE);
}

/* --- who is there */

static void add_candidate(u32 apic_id)
{
	if (apic_id == this_cpu()->apic_id || candidate_count == MAX_CPUS - 1)
		return;
	candidates[candidate_count++] = apic_id;
}

/* The firmware's word, else the ACPI tables', else we are alone. */
static void list_candidates(const struct boot_info *info)
{
	const struct boot_cpu *listed = phys_to_virt(info->cpus);
	const u32 usable = BOOT_CPU_ENABLED | BOOT_CPU_HEALTHY;
	u32 ids[MAX_CPUS];
	unsigned n;

	for (unsigned i = 0; i < info->cpu_count; i++) {
		if ((listed[i].flags & usable) == usable)
			add_candidate(listed[i].apic_id);
	}
	if (info->cpu_count != 0)
		return;
	n = acpi_cpus(ids, MAX_CPUS);
	for (unsigned i = 0; i < n; i++)
		add_candidate(ids[i]);
}

/* Free memory that the page allocator leaves alone; never page 0. */
static u64 find_low_memory(const struct boot_info *info)
{
	const struct boot_region *r = phys_to_virt(info->regions);

	for (unsigned i = 0; i < info->region_count; i++) {
		u64 start = MAX(r[i].base, PAGE_SIZE);
		u64 end = MIN(r[i].base + r[i].size, LOW_END);

		if (r[i].kind == BOOT_MEM_FREE &&
		    start + LOW_PAGES * PAGE_SIZE <= end)
			return start;
	}
	return 0;
}

void smp_init(const struct boot_info *info)
{
	list_candidates(info);
	low_memory = find_low_memory(info);
	if (candidate_count > 0 && low_memory == 0) {
		log_warn("smp: no free memory below 1 MiB, one CPU only");
		candidate_count = 0;
	}
	for (unsigned i = 0; i < candidate_count; i++)
		lapic_send_init(candidates[i]);
}

/* --- starting them */

/* Where the trampoline leaves the new CPU. */
static void NORETURN ap_entry(struct cpu *cpu)
{
	paging_load();
	gdt_load(cpu);
	idt_load();
	features_enable();
	lapic_init();
	cpu->online_tsc = rdtsc_ordered();
	if (features_compare() != E_OK) {
		__atomic_store_n(&cpu->refused, true, __ATOMIC_RELEASE);
		for (;;)
			hlt();
	}
	__atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
	while (cpu_by_id(cpu->id) != cpu)
		cpu_relax();
	ap_main();
}

static struct trampoline_params *params(void)
{
	return phys_to_virt(low_memory + TRAMPOLINE_PARAMS);
}

static u32 trampoline_address(const u8 *symbol)
{
	return (u32)(low_memory + (u64)(symbol - trampoline_start));
}

static void prepare_trampoline(void)
{
	memcpy(phys_to_virt(low_memory), trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	paging_make_trampoline(low_memory + PAGE_SIZE, low_memory);
	*params() = (struct trampoline_params){
		.gdt_limit = (u16)(trampoline_end - trampoline_gdt - 1),
		.gdt_base = trampoline_address(trampoline_gdt),
		.root = (u32)(low_memory + PAGE_SIZE),
		.far32 = {trampoline_address(trampoline_32), TRAMPOLINE_CODE32,
			  0},
		.far64 = {trampoline_address(trampoline_64), TRAMPOLINE_CODE64,
			  0},
		.entry = (u64)ap_entry,
	};
}

static bool has_come(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&cpu->refused, __ATOMIC_ACQUIRE);
}

static bool wait_for(const struct cpu *cpu, u64 ns)
{
	u64 end = now_ns() + ns;

	while (!has_come(cpu)) {
		if (now_ns() > end)
			return false;
		cpu_relax();
	}
	return true;
}

static void check_tsc(const struct cpu *cpu, u64 before, u64 after)
{
	if (cpu->online_tsc < before || cpu->online_tsc > after)
		log_warn("cpu %u: its TSC is not the bootstrap CPU's: %lu is "
			 "not between %lu and %lu",
			 cpu->id, cpu->online_tsc, before, after);
}

/* A CPU that is processing a first SIPI ignores the second. */
static bool start(const struct cpu *cpu)
{
	u64 before = rdtsc_ordered();
	u8 page = (u8)(low_memory >> PAGE_SHIFT);

	lapic_send_startup(cpu->apic_id, page);
	if (!wait_for(cpu, SECOND_SIPI_NS)) {
		lapic_send_startup(cpu->apic_id, page);
		if (!wait_for(cpu, GIVE_UP_NS)) {
			lapic_send_init(cpu->apic_id);
			return false;
		}
	}
	check_tsc(cpu, before, rdtsc_ordered());
	return true;
}

static struct cpu *make_cpu(u32 apic_id)
{
	struct cpu *cpu = kzalloc(sizeof(*cpu));

	if (cpu == NULL)
		panic("no memory for CPU %u", count);
	cpu->self = cpu;
	cpu->id = count;
	cpu->apic_id = apic_id;
	cpu->stack_top = stack_alloc(STACK_SIZE);
	if (cpu->stack_top == 0)
		panic("no memory for the stack of CPU %u", count);
	cpu_alloc_stacks(cpu);
	return cpu;
}

void smp_start(void (*main)(void) NORETURN)
{
	ap_main = main;
	if (candidate_count > 0)
		prepare_trampoline();
	for (unsigned i = 0; i < candidate_count; i++) {
		struct cpu *cpu = make_cpu(candidates[i]);

		params()->stack = cpu->stack_top;
		params()->cpu = (u64)cpu;
		if (!start(cpu))
			log_warn("smp: the CPU with APIC id %u does not come",
				 candidates[i]);
		else if (cpu->refused)
			log_warn("smp: the CPU with APIC id %u is left out",
				 candidates[i]);
		else
			cpu_add(cpu);
	}
	if (candidate_count > 0)
		memset(phys_to_virt(low_memory), 0, LOW_PAGES * PAGE_SIZE);
}

/* --- stopping them, for panic */

void smp_stop_others(void)
{
	stopper = this_cpu();
	for_each_cpu (cpu) {
		if (cpu != stopper)
			lapic_send_nmi(cpu->apic_id);
	}
}

void smp_stop_if_asked(void)
{
	while (stopper != NULL && stopper != this_cpu())
		hlt();
}
