/*
 * Dirty tracking over made-up processors that keep translations for as long as
 * they may: until they are told to flush. Whatever they write, at any moment of
 * a harvest, a copy that is kept up by harvests must be the guest's memory.
 *
 *	links: kernel/mm/pages.c kernel/mm/spare.c kernel/mm/heap.c
 *	links: kernel/vm/memory.c
 *	links: kernel/vm/slpt.c kernel/vm/slpt_watch.c kernel/vm/dirty.c
 *	links: kernel/vm/dirty_harvest.c kernel/trace/runs.c
 */
#include <string.h>
#include <sys/mman.h>

#include "cpu/time.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "test.h"
#include "trace/trace.h"
#include "vm/dirty.h"
#include "vm/shootdown.h"
#include "vm/vm.h"

#define MEMORY (MIB(10) + 5 * PAGE_SIZE)
#define PAGES  (MEMORY >> PAGE_SHIFT)
#define CPUS   2
#define LOG    8 /* entries of a log, so that it is often full */

u64 host_phys_offset;
const struct engine *engine;
struct engine_caps engine_caps = {.accessed_dirty = true, .pml = true};

static const struct slpt_format format = {
	.name = "test",
	.table = 7,
	.leaf = 0,
	.large = BIT(7),
	.read = 1,
	.write = 2,
	.exec = 4,
	.accessed = BIT(8),
	.dirty = BIT(9),
	.max_level = 1,
};

/* What a processor has cached of a page, and its log. */
static struct {
	u8 cached[PAGES]; /* leaf bits: write and dirty */
	u64 log[LOG];
	unsigned logged;
	bool logging;
} cpus[CPUS];

static struct vm vm;
static struct vcpu vcpus[CPUS];
static u8 copy[MEMORY];
static u64 seed = 1;
static bool stopped; /* the guest, and the devices */
static bool forget_to_flush;

static u32 any(u32 below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % below;
}

/* --- what dirty.c needs of the rest */

bool is_zero(const void *at, size_t n);
bool is_zero(const void *at, size_t n)
{
	return !*(const u8 *)at && !memcmp(at, (const u8 *)at + 1, n - 1);
}

u64 virt_to_phys(const void *virt)
{
	return (u64)virt - host_phys_offset;
}

u64 now_ns(void)
{
	static u64 ns;

	return ns++;
}

u64 tsc_to_ns(u64 ticks)
{
	return ticks;
}

/* What a trace tells of the harvest, as a bitmap again. */
u64 trace_wanted = TRACE_DIRTY;
static u64 traced[PAGES / 64 + 1], traced_pages;

void trace_put_at(u64 tsc, enum trace_kind kind, u32 who, u32 value, u64 a,
		  u64 b, u64 c)
{
	if (kind == TRACE_HARVEST)
		traced_pages = b;
}

void trace_put(enum trace_kind kind, u32 who, u32 value, u64 a, u64 b, u64 c)
{
	const u64 run[] = {a, b, c};

	CHECK_EQ(kind, TRACE_DIRTY_RUNS);
	for (unsigned i = 0; i < ARRAY_LEN(run); i++)
		for (u64 page = run[i] >> 32, n = (u32)run[i]; n--; page++) {
			CHECK(page < PAGES);
			CHECK(!(traced[page / 64] >> page % 64 & 1));
			traced[page / 64] |= BIT(page % 64);
		}
}

static void log_pages(struct vcpu *vcpu, bool on)
{
	while (cpus[vcpu->id].logged)
		dirty_mark(&vm, cpus[vcpu->id].log[--cpus[vcpu->id].logged],
			   PAGE_SIZE);
	cpus[vcpu->id].logging = on;
}

static const struct engine test_engine = {.log = log_pages};

void vcpu_kick(struct vcpu *vcpu, u64 request)
{
	if (request == REQUEST_LOG)
		dirty_log(vcpu);
}

static void some_stores(unsigned most);

void tables_begin(struct vm *v)
{
}

void tables_yield(struct vm *v)
{
	some_stores(20);
}

void tables_end(struct vm *v)
{
	some_stores(20);
	if (vcpus[0].flushed == v->slpt.narrowed || forget_to_flush)
		return;
	memset(cpus[0].cached, 0, PAGES);
	memset(cpus[1].cached, 0, PAGES);
	vcpus[0].flushed = v->slpt.narrowed;
}

/* --- the guest */

static u64 *walk(u64 gpa, unsigned *level)
{
	u64 *table = phys_to_virt(vm.slpt.root);

	for (*level = 3;; --*level) {
		u64 *entry = &table[gpa >> (12 + 9 * *level) & 511];

		if (!(*entry & 1))
			return NULL;
		if (!*level || (*entry & format.large))
			return entry;
		table = phys_to_virt(*entry & 0x000ffffffffff000);
	}
}

static void fault(u64 gpa)
{
	unsigned level;

	if (!walk(gpa, &level))
		CHECK_EQ(slpt_map(&vm.slpt, gpa & ~(CHUNK_SIZE - 1),
				  virt_to_phys((void *)guest_touch(
					  &vm.memory, gpa >> CHUNK_SHIFT)),
				  MIN(CHUNK_SIZE,
				      MEMORY - (gpa & ~(CHUNK_SIZE - 1))),
				  dirty_rights(&vm), CHUNK_SIZE),
			 E_OK);
	CHECK_EQ(dirty_fault(&vm, gpa, true), E_OK);
}

/* As a processor does it: translation, rights, D, the log, the store. */
static void guest_store(unsigned cpu, u64 gpa)
{
	u8 *cached = &cpus[cpu].cached[gpa >> PAGE_SHIFT];
	unsigned level;
	u64 *entry, left;

	if (*cached != 3) {
		entry = walk(gpa, &level);
		while (!entry || !(*entry & format.write)) {
			fault(gpa);
			entry = walk(gpa, &level);
		}
		if (cpus[cpu].logging && !(*entry & format.dirty)) {
			if (cpus[cpu].logged == LOG)
				dirty_log_full(&vcpus[cpu]);
			cpus[cpu].log[cpus[cpu].logged++] = gpa;
		}
		*entry |= format.dirty | format.accessed;
		*cached = 3;
	}
	++*guest_ram(&vm.memory, gpa, &left);
}

static void some_stores(unsigned most)
{
	for (unsigned n = stopped ? 0 : any(most); n--;) {
		/* Half of them to a few pages. */
		u64 gpa = (u64)any(any(2) ? 20 : PAGES) << PAGE_SHIFT;

		if (any(8))
			guest_store(any(CPUS), gpa);
		else
			(void)guest_fill(&vm.memory, gpa, any(256), 1);
	}
}

static void harvest(void)
{
	u64 found[PAGES / 64 + 1] = {0}, left, count;

	memset(traced, 0, sizeof(traced));
	count = dirty_harvest(&vm, found);
	CHECK_EQ(count, traced_pages);
	CHECK_MEM(traced, found, sizeof(found));
	for (u64 i = 0; i < PAGES; i++)
		if (found[i / 64] >> i % 64 & 1)
			memcpy(copy + (i << PAGE_SHIFT),
			       guest_ram(&vm.memory, i << PAGE_SHIFT, &left),
			       PAGE_SIZE);
}

static bool copy_is_right(void)
{
	u64 left;

	for (u64 i = 0; i < PAGES; i++)
		if (memcmp(copy + (i << PAGE_SHIFT),
			   guest_ram(&vm.memory, i << PAGE_SHIFT, &left),
			   PAGE_SIZE))
			return false;
	return true;
}

static void start(void)
{
	u8 *window = mmap(NULL, MIB(64), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct boot_region *region = (void *)(window + 0x3000);
	struct boot_info *info = (void *)(window + 0x2000);

	CHECK(window != MAP_FAILED);
	host_phys_offset = (u64)window;
	*region = (struct boot_region){0x100000, MIB(63), BOOT_MEM_FREE, 0};
	info->regions = 0x3000;
	info->region_count = 1;
	pages_init(info);
	CHECK_EQ(guest_memory_init(&vm.memory, MEMORY), E_OK);
	CHECK_EQ(slpt_init(&vm.slpt, &format), E_OK);
	vm.vcpus = CPUS;
	for (unsigned i = 0; i < CPUS; i++) {
		vcpus[i].id = i;
		vcpus[i].vm = &vm;
		vcpus[i].engine = &test_engine;
		vm.vcpu[i] = &vcpus[i];
	}
}

static void migrate(enum dirty_way way)
{
	u64 left;

	some_stores(2000);
	CHECK_EQ(dirty_on(&vm, way), E_OK);
	CHECK_EQ(dirty_on(&vm, way), E_BUSY);
	for (u64 i = 0; i < PAGES; i++)
		memcpy(copy + (i << PAGE_SHIFT),
		       guest_ram(&vm.memory, i << PAGE_SHIFT, &left),
		       PAGE_SIZE);
	for (unsigned round = any(20); round--;) {
		some_stores(300);
		harvest();
	}
	some_stores(300);
	stopped = true;
	harvest();
	stopped = false;
}

/* Everything is large again and nothing waits to be freed. */
static void check_large(void)
{
	for (u64 gpa = 0; gpa < MIB(10); gpa += MIB(2)) {
		struct slpt_leaf leaf;

		if (!slpt_lookup(&vm.slpt, gpa, &leaf))
			continue;
		CHECK_EQ(leaf.size, MIB(2));
		CHECK_EQ(leaf.rights, SLPT_RWX);
	}
	CHECK_EQ(vm.slpt.retired_count, 0);
}

static void check_way(enum dirty_way way)
{
	start();
	for (unsigned i = 0; i < 20; i++) {
		migrate(way);
		CHECK(copy_is_right());
		dirty_off(&vm);
		check_large();
	}
	dirty_release(&vm);
	slpt_free(&vm.slpt);
	guest_memory_free(&vm.memory);
}

TEST(write_protection_loses_nothing)
{
	check_way(DIRTY_WP);
}

TEST(dirty_bits_lose_nothing)
{
	check_way(DIRTY_DBIT);
}

TEST(logs_lose_nothing)
{
	check_way(DIRTY_PML);
}

TEST(a_missing_flush_would_show)
{
	for (enum dirty_way way = DIRTY_WP; way < DIRTY_WAYS; way++) {
		start();
		forget_to_flush = true;
		migrate(way);
		CHECK(!copy_is_right());
		memset(cpus, 0, sizeof(cpus));
		memset(&vm, 0, sizeof(vm));
		forget_to_flush = false;
	}
}

TEST(nothing_written_nothing_found)
{
	u64 found[PAGES / 64 + 1] = {0};
	struct dirty_stats stats;

	start();
	stopped = true;
	CHECK_EQ(dirty_harvest(&vm, found), 0);
	CHECK_EQ(dirty_on(&vm, DIRTY_WP), E_OK);
	CHECK_EQ(dirty_harvest(&vm, found), 0);
	CHECK_EQ(guest_write(&vm.memory, MEMORY - 1, "x", 1), E_OK);
	CHECK_EQ(guest_write(&vm.memory, PAGE_SIZE - 1, "xy", 2), E_OK);
	CHECK_EQ(dirty_harvest(&vm, found), 3);
	CHECK_EQ(found[0], 3);
	CHECK_EQ(found[PAGES / 64], BIT((PAGES - 1) % 64));
	CHECK_EQ(dirty_harvest(&vm, found), 0);
	dirty_get_stats(&vm, &stats);
	CHECK_EQ(stats.pages, 3);
	CHECK_EQ(stats.splits, 0);
}

/* Two tables' pages: not there (0), clean (1) or dirty (2). */
static u8 leaves[1024], harvested[ARRAY_LEN(leaves)];

static void note_page(void *context, u64 gpa, u64 size)
{
	CHECK_EQ(size, PAGE_SIZE);
	harvested[gpa >> PAGE_SHIFT]++;
}

TEST(dirty_bits_are_found_among_holes)
{
	const unsigned all = ARRAY_LEN(leaves);

	start();
	for (unsigned i = 0; i < all; i++)
		if (any(8))
			CHECK_EQ(slpt_map(&vm.slpt, i * PAGE_SIZE, MIB(8),
					  PAGE_SIZE, SLPT_RWX, PAGE_SIZE),
				 E_OK);
	for (unsigned round = 0; round < 200; round++) {
		unsigned level, from = any(all), to = from + any(all - from);
		unsigned rarely = 1 + any(100), due = 0;

		memset(harvested, 0, sizeof(harvested));
		for (unsigned i = 0; i < all; i++) {
			u64 *entry = walk(i * PAGE_SIZE, &level);

			leaves[i] = !entry ? 0 : 1 + !any(rarely);
			if (leaves[i] == 2)
				*entry |= format.dirty;
			due += leaves[i] == 2 && i >= from && i < to;
		}
		CHECK_EQ(slpt_harvest_dirty(&vm.slpt, from * PAGE_SIZE,
					    (to - from) * PAGE_SIZE, note_page,
					    NULL),
			 due);
		for (unsigned i = 0; i < all; i++) {
			bool in = i >= from && i < to;
			u64 *entry = walk(i * PAGE_SIZE, &level);

			CHECK_EQ(harvested[i], in && leaves[i] == 2);
			if (!entry)
				continue;
			CHECK_EQ(*entry & format.dirty,
				 !in && leaves[i] == 2 ? format.dirty : 0);
			*entry &= ~format.dirty;
		}
	}
}

TEST(best_of_what_there_is)
{
	CHECK_EQ(dirty_best(), DIRTY_PML);
	engine_caps.pml = false;
	CHECK_EQ(dirty_best(), DIRTY_DBIT);
	CHECK_EQ(dirty_on(&vm, DIRTY_WP), E_STATE);
	engine_caps.accessed_dirty = false;
	CHECK_EQ(dirty_best(), DIRTY_WP);
	CHECK(!dirty_can(DIRTY_DBIT));
}
