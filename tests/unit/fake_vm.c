#include "tests/unit/fake_vm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/calendar.h"
#include "cpu/random.h"
#include "cpu/time.h"
#include "files.h"
#include "lib/log.h"
#include "lib/string.h"
#include "machine/acpi_tables.h"
#include "machine/irq.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "mm/spare.h"

/* A test may bring its own. */
#define WEAK __attribute__((weak))

u64 fake_tsc = 1000000;
char fake_log[256];
unsigned fake_log_lines;
char fake_console_out[256];
size_t fake_console_used;
const char *fake_console_in = "";
bool fake_ended;
u32 fake_status;
unsigned fake_requested;
bool fake_shares_cpu;
static u64 fake_seed = 1;

/* --- time --- */

u64 vcpu_tsc(const struct vcpu *vcpu)
{
	return fake_tsc + vcpu->tsc_offset;
}

u64 tsc_to_ns(u64 ticks)
{
	return (unsigned __int128)ticks * NS_PER_S / FAKE_TSC_HZ;
}

WEAK u64 now_ns(void)
{
	return tsc_to_ns(fake_tsc);
}

u64 ns_to_tsc(u64 ns)
{
	return (unsigned __int128)ns * FAKE_TSC_HZ / NS_PER_S;
}

bool is_zero(const void *at, size_t n);
WEAK bool is_zero(const void *at, size_t n)
{
	const u8 *byte = at;

	while (n--)
		if (*byte++)
			return false;
	return true;
}

/* --- the log, the console, the end --- */

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(vsnprintf)(fake_log, sizeof(fake_log), fmt, args);
	va_end(args);
	fake_log_lines++;
}

void vm_console_write(struct vm *vm, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fake_console_out[fake_console_used++ %
				 sizeof(fake_console_out)] = bytes[i];
}

size_t fake_console_room = 16384;

size_t vm_console_room(struct vm *vm)
{
	return fake_console_room;
}

int vm_console_read(struct vm *vm)
{
	return *fake_console_in ? (u8)*fake_console_in++ : -1;
}

void vm_request_service(struct vm *vm)
{
	fake_requested++;
}

void vm_serve_unasked(struct vm *vm, u64 ns)
{
	if (fake_shares_cpu)
		vm->serve_by = fake_tsc + ns;
}

const char *fake_notice = "";

void vm_notice(const struct vm *vm, const char *change)
{
	fake_notice = change;
}

void vm_end(struct vm *vm, u32 status)
{
	fake_ended = true;
	fake_status = status;
}

/* --- what else the machine has, unless a test links it --- */

u32 fake_lines;
u64 fake_message_address;
u32 fake_message_data;
unsigned fake_messages;

WEAK void irq_line(struct vm *vm, unsigned gsi, bool high)
{
	fake_lines = (fake_lines & ~BIT(gsi)) | (u32)high << gsi;
}

WEAK void irq_message(struct vm *vm, u64 address, u32 data)
{
	fake_message_address = address;
	fake_message_data = data;
	fake_messages++;
}

WEAK void irq_eoi(struct vm *vm, u8 vector)
{
}

u64 tsc_khz = FAKE_TSC_HZ / 1000;

WEAK u64 wall_clock_seconds(void)
{
	return 1000000000;
}

WEAK err_t acpi_tables(struct vm *vm, u64 *rsdp)
{
	*rsdp = 0;
	return E_OK;
}

void vm_reset(struct vm *vm)
{
	vm_end(vm, STATUS_RESET);
}

/* --- memory: "physical" addresses are pointers --- */

u64 host_phys_offset;

void *kmalloc(size_t size)
{
	return malloc(size);
}

void *kzalloc(size_t size)
{
	return calloc(1, size);
}

void kfree(void *ptr)
{
	free(ptr);
}

/* With what was there before. */
u64 page_alloc(unsigned order)
{
	void *block = order > ORDER_2M ? NULL : malloc(PAGE_SIZE << order);

	if (!block)
		return 0;
	memset(block, 0xa5, PAGE_SIZE << order);
	return (u64)block - PHYS_OFFSET;
}

void page_free(u64 phys, unsigned order)
{
	free(phys_to_virt(phys));
}

unsigned page_block_order(u64 phys)
{
	return ORDER_2M;
}

WEAK u64 spare_alloc(bool *cleared)
{
	*cleared = false;
	return page_alloc(ORDER_2M);
}

void spare_free(u64 phys)
{
	page_free(phys, ORDER_2M);
}

u64 virt_to_phys(const void *virt)
{
	return (u64)virt - PHYS_OFFSET;
}

/* --- files --- */

#define FILES_MAX 8

static struct boot_file boot_files[FILES_MAX];
static struct boot_info boot_info;

void fake_file(const char *name, const void *data, size_t size)
{
	struct boot_file *file = &boot_files[boot_info.file_count++];
	void *copy = malloc(size);

	if (size)
		memcpy(copy, data, size);
	(snprintf)(file->name, sizeof(file->name), "%s", name);
	file->phys = virt_to_phys(copy);
	file->size = size;
	boot_info.files = virt_to_phys(boot_files);
	files_init(&boot_info);
}

void fake_files_forget(void)
{
	while (boot_info.file_count)
		free(phys_to_virt(boot_files[--boot_info.file_count].phys));
	files_init(&boot_info);
}

/* --- a VM --- */

void vcpu_kick(struct vcpu *vcpu, u64 request)
{
	vcpu_request(vcpu, request);
}

u64 fake_requests(struct vcpu *vcpu)
{
	return __atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);
}

struct vm *fake_vm(unsigned vcpus, u64 memory)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	(snprintf)(vm->config.name, sizeof(vm->config.name), "test");
	vm->config.cpus = vcpus;
	vm->config.memory = memory;
	if (memory && guest_memory_init(&vm->memory, memory))
		abort();
	for (; vm->vcpus < vcpus; vm->vcpus++) {
		struct vcpu *vcpu = aligned_alloc(64, sizeof(*vcpu));

		memset(vcpu, 0, sizeof(*vcpu));
		vcpu->vm = vm;
		vcpu->id = vm->vcpus;
		vcpu->valid = vcpu->dirty = STATE_ALL;
		state_reset(&vcpu->state, 0x12345);
		vm->vcpu[vcpu->id] = vcpu;
	}
	return vm;
}

void fake_vm_free(struct vm *vm)
{
	guest_memory_free(&vm->memory);
	for (unsigned i = 0; i < vm->vcpus; i++)
		free(vm->vcpu[i]);
	free(vm);
}

u64 random64(void)
{
	return fake_random(&fake_seed);
}

u64 fake_random(u64 *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1d;
}
