/*
 * Start-up as a story, top to bottom: from the jump out of the firmware to a
 * machine that is ours, then the work of each CPU.
 */
#include "boot/boot_info.h"
#include "cpu/acpi.h"
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/lapic.h"
#include "cpu/pic.h"
#include "cpu/power.h"
#include "cpu/selftest.h"
#include "cpu/time.h"
#include "drivers/serial.h"
#include "lib/console.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "lib/symbols.h"
#include "mm/pages.h"
#include "mm/paging.h"

#define POLL_NS (10 * NS_PER_MS) /* of a console without an interrupt */

/* Called by entry.S. */
void kernel_main(const struct boot_info *info) NORETURN;

static const struct boot_file *find_file(const struct boot_info *info,
					 const char *name)
{
	const struct boot_file *files = phys_to_virt(info->files);

	for (unsigned i = 0; i < info->file_count; i++) {
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	}
	return NULL;
}

static void check_boot_info(const struct boot_info *info)
{
	if (info->magic != BOOT_INFO_MAGIC ||
	    info->version != BOOT_INFO_VERSION || info->size != sizeof(*info))
		panic("the boot program speaks version %u, not %u",
		      info->version, BOOT_INFO_VERSION);
}

static void load_symbols(const struct boot_info *info)
{
	const struct boot_file *file = find_file(info, "kernel.elf");
	err_t err = E_NOTFOUND;

	if (file != NULL)
		err = symbols_init(phys_to_virt(file->phys), file->size);
	if (err != E_OK)
		log_warn("symbols: kernel.elf: %s", err_text(err));
}

static void introduce_machine(const struct boot_info *info)
{
	char text[256];

	log_info("Godwit, started by %s", info->firmware);
	log_info("cpu: %s", features.brand);
	log_info("cpu: %s %x, %u physical bits%s%s", features.vendor_id,
		 features.signature, features.phys_bits,
		 features.hypervisor ? ", under " : "", features.hypervisor_id);
	log_debug("cpu: has %s", features_text(text, sizeof(text)));
}

static void introduce_time(void)
{
	log_info("time: TSC at %lu.%03lu MHz by %s", tsc_khz / 1000,
		 tsc_khz % 1000, time_source_text());
	log_info("apic: %s, timer %s", lapic_is_x2apic() ? "x2APIC" : "xAPIC",
		 lapic_timer_text());
}

static void start_memory(const struct boot_info *info)
{
	struct page_stats stats;

	pages_init(info);
	stats = page_stats();
	paging_init(info);
	cpu_alloc_stacks(this_cpu());
	log_info("memory: %lu MiB, the largest block %lu MiB",
		 stats.total >> 20, stats.largest >> 20);
}

/* The firmware's timer is off once the PIC is ours. */
static void start_interrupts(void)
{
	pic_init();
	lapic_init();
	if (serial_irq() >= 0)
		pic_unmask((unsigned)serial_irq());
}

static void selftest(const struct boot_info *info)
{
	err_t err = paging_selftest(info);

	if (err != E_OK)
		panic("page tables: %s", err_text(err));
}

/* --- what the CPUs do for now -----------------------------------------------
 */

static void NORETURN cpu_loop(void)
{
	for (;;) {
		cpu_take_interrupts();
		cpu_idle();
	}
}

static unsigned overflow(unsigned depth)
{
	volatile char page[4096];

	page[0] = (char)depth;
	return depth == 1000 ? 0 : overflow(depth + 1) + (unsigned)page[0];
}

static void command(const char *line)
{
	if (strcmp(line, "off") == 0)
		machine_end(true);
	if (strcmp(line, "selftest") == 0)
		log_info("selftest: %s", err_text(cpu_selftest()));
	else if (strcmp(line, "panic") == 0)
		panic("asked for, by %s", line);
	else if (strcmp(line, "fault") == 0)
		*(volatile u32 *)strlen(line) = 1;
	else if (strcmp(line, "jump") == 0)
		((void (*)(void))phys_to_virt(MIB(16)))();
	else if (strcmp(line, "overflow") == 0)
		overflow(0);
	else
		printf("%s\n", line);
}

static void NORETURN host_main(void)
{
	char line[80];
	size_t len = 0;

	for (;;) {
		int c;

		cpu_take_interrupts();
		console_poll();
		while ((c = serial_read()) >= 0) {
			if (c != '\r' && c != '\n') {
				if (len < sizeof(line) - 1)
					line[len++] = (char)c;
				continue;
			}
			line[len] = '\0';
			len = 0;
			command(line);
		}
		if (serial_irq() < 0)
			timer_arm(rdtsc() + ns_to_tsc(POLL_NS));
		cpu_idle();
	}
}

void kernel_main(const struct boot_info *info)
{
	cpu_init_bootstrap();
	if (serial_init((u16)info->console.port))
		console_init(&serial_console);
	check_boot_info(info);
	load_symbols(info);
	features_read();
	features_enable();
	introduce_machine(info);

	start_memory(info);
	acpi_init(info->rsdp);
	start_interrupts();

	/* The 10 ms that the other CPUs need after INIT calibrate our clock. */
	smp_init(info);
	time_init(info);
	introduce_time();
	smp_start(cpu_loop);
	log_info("cpu: %u running", cpu_count());

	selftest(info);
	log_info("up in %lu us", now_ns() / NS_PER_US);
	host_main();
}
